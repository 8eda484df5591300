"""The leaderboard's functions as tools: its types into JSON Schema, its names into names for APIs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from harnesslib.records import Tool
from harnesslib.records.base import encode
from harnesslib.records.bfcl import BfclQuestion, api_name, json_kind
from harnesslib.suites.values import is_json

_LONGEST_NAME = 64
_BOUNDS = ("minimum", "maximum")
_LENGTHS = ("minItems", "maxItems", "minLength", "maxLength")
_ROOM_FOR_A_NUMBER = 6


class CannotBeAskedError(ValueError):
    """Why a question can't become a case. It never leaves this package."""


class Tools:
    """All tools so far. A name stands once in a suite: another function of the same name gets a number."""

    def __init__(self) -> None:
        self.known: list[Tool] = []
        self._by_content: dict[bytes, Tool] = {}
        self._names: set[str] = set()

    def of(self, question: BfclQuestion) -> tuple[Tool, ...]:
        """Return the tools of a question, in its order."""
        if not question.functions:
            raise CannotBeAskedError("offers no tool")
        described = [_described(function) for function in question.functions]
        if len(set(map(encode, described))) < len(described):
            raise CannotBeAskedError("offers a tool twice")
        return tuple(map(self._named, described))

    def _named(self, tool: Tool) -> Tool:
        content = encode(tool)
        if content not in self._by_content:
            short = tool.name[: _LONGEST_NAME - _ROOM_FOR_A_NUMBER]
            tries = itertools.chain([tool.name], (f"{short}_{number}" for number in itertools.count(2)))
            name = next(name for name in tries if name not in self._names)
            self._by_content[content] = msgspec.structs.replace(tool, name=name)
            self._names.add(name)
            self.known.append(self._by_content[content])
        return self._by_content[content]


def allowed_by(schema: Mapping[str, Any]) -> Callable[[object], bool]:
    """Return a function that says whether a JSON Schema allows a value."""
    return _validator(msgspec.json.encode(schema))


@cache
def _validator(schema: bytes) -> Callable[[object], bool]:
    import jsonschema

    valid: Callable[[object], bool] = jsonschema.Draft202012Validator(msgspec.json.decode(schema)).is_valid
    return valid


def _described(function: Mapping[str, Any]) -> Tool:
    name = str(function.get("name", ""))
    schema = _schema(function.get("parameters") or {"type": "dict"}, f"{name}: parameters")
    if schema.get("type") != "object":
        raise CannotBeAskedError(f"{name}: parameters are no object")
    if not is_json(schema):
        raise CannotBeAskedError(f"{name}: parameters are no JSON of at most 20 levels")
    description = str(function.get("description") or "").strip() or name
    return Tool(name=api_name(name), description=description, parameters=schema)


def _schema(raw: object, where: str) -> dict[str, Any]:
    """Return a JSON Schema for a type of theirs; ``any`` becomes a schema that allows everything."""
    if not isinstance(raw, dict):
        raise CannotBeAskedError(f"{where}: is no object")
    kind = json_kind(raw.get("type", "any"))
    if not kind:
        raise CannotBeAskedError(f"{where}: unknown type {raw.get('type')!r}")
    found: dict[str, Any] = {} if kind == "any" else {"type": kind}
    if isinstance(raw.get("description"), str):
        found["description"] = raw["description"]
    found |= {key: raw[key] for key in _BOUNDS if type(raw.get(key)) in {int, float}}
    found |= {key: raw[key] for key in _LENGTHS if type(raw.get(key)) is int and raw[key] >= 0}
    if isinstance(raw.get("enum"), list) and raw["enum"]:
        found["enum"] = raw["enum"]
    if "default" in raw:
        found["default"] = raw["default"]
    if "items" in raw:
        found["items"] = _schema(raw["items"], f"{where}.items")
    properties = raw.get("properties")
    if isinstance(properties, dict):
        found["properties"] = {key: _schema(one, f"{where}.{key}") for key, one in properties.items()}
        required = raw.get("required")
        names = required if isinstance(required, list) else []
        found["required"] = [key for key in dict.fromkeys(map(str, names)) if key in properties]
    return found
