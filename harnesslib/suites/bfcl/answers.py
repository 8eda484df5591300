"""The leaderboard's answers as expectations: alternatives for each argument, and what may be left out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harnesslib.records import ExpectedCall, Tool
from harnesslib.records.base import encode
from harnesslib.suites.bfcl.tools import CannotBeAskedError, allowed_by
from harnesslib.suites.examples import variants
from harnesslib.suites.values import is_json

_MOST_FORMS = 32
_ABSENT = object()


def expectation(accepted: Mapping[str, Sequence[Any]], tool: Tool) -> ExpectedCall:
    """Return the answers for a tool's arguments as an expectation, every form of which its schema allows.

    Notes
    -----
    Alternatives against the schema are dropped: as calls they would be wrong there, too, or are against the
    tool's own list of choices. "" among the alternatives means optional, and is a value for strings.
    """
    properties = tool.parameters.get("properties", {})
    required = tool.parameters.get("required", [])
    arguments: dict[str, Any] = {}
    optional = []
    for name, alternatives in accepted.items():
        if _holds_matcher_key({name: list(alternatives)}):
            raise CannotBeAskedError(f"{tool.name}: an answer for {name} has a key that begins with $")
        choices = _choices(alternatives, properties[name]) if name in properties else []
        if choices:
            arguments[name] = _one_of(choices)
        elif "" not in alternatives:
            raise CannotBeAskedError(f"{tool.name}: no answer for {name} fits its schema")
        if choices and "" in alternatives and name not in required:
            optional.append(name)
    expected = ExpectedCall(name=tool.name, arguments=arguments, optional=tuple(optional))
    if not is_json(arguments):
        raise CannotBeAskedError(f"{tool.name}: an answer is no JSON of at most 20 levels")
    allowed = allowed_by(tool.parameters)
    if not all(allowed(call.arguments) for call in variants(expected)):
        raise CannotBeAskedError(f"{tool.name}: the answer is against the tool's own schema")
    return expected


def some_call(tools: Sequence[Tool]) -> ExpectedCall:
    """Return a call that one of the tools allows, with no more arguments than it requires."""
    for tool in tools:
        arguments = _stand_in(tool.parameters)
        if allowed_by(tool.parameters)(arguments) and is_json(arguments):
            return ExpectedCall(name=tool.name, arguments=arguments)
    raise CannotBeAskedError("no call that its tools allow could be made up")


def _stand_in(schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return some value that a simple schema allows."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: _stand_in(properties.get(name, {})) for name in schema.get("required", ())}
        case "array":
            return [_stand_in(schema.get("items", {}))] * schema.get("minItems", 0)
        case "integer" | "number":
            return schema.get("minimum", min(1, schema.get("maximum", 1)))
        case "boolean":
            return True
    return "text"


def _holds_matcher_key(value: object) -> bool:
    """Whether an object inside a value has a key that a matcher could have."""
    waiting = [value]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, dict):
            if any(key.startswith("$") for key in entry):
                return True
            waiting.extend(entry.values())
        elif isinstance(entry, list):
            waiting.extend(entry)
    return False


def _one_of(choices: Sequence[Any]) -> Any:  # noqa: ANN401 - any JSON value
    return choices[0] if len(choices) == 1 else {"$any": list(choices)}


def _choices(alternatives: Sequence[Any], schema: Mapping[str, Any]) -> list[Any]:
    """Return the alternatives that the schema allows; objects have alternatives of their own inside."""
    allowed = allowed_by(schema)
    forms: list[Any] = []
    for alternative in alternatives:
        if schema.get("type") == "object" and isinstance(alternative, dict):
            forms += _object_forms(alternative, schema)
        elif _holds_objects(schema) and isinstance(alternative, list):
            forms += _list_forms(alternative, schema["items"])
        elif allowed(alternative):
            forms.append(alternative)
    return list({encode(form): form for form in forms if is_json(form)}.values())


def _holds_objects(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array" and schema.get("items", {}).get("type") == "object"


def _object_forms(alternative: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Any]:
    """Return an object's forms: with and without each key that may be left out."""
    properties = schema.get("properties", {})
    values: list[list[Any]] = []
    for key, inner in alternative.items():
        given = inner if isinstance(inner, list) else [inner]
        kind = properties.get(key, {"type": "string"}).get("type")
        allowed = allowed_by(properties.get(key, {}))
        kept = [one for one in given if allowed(one) and (one != "" or kind == "string")]
        values.append([*([_one_of(kept)] if kept else []), *([_ABSENT] if "" in given else [])])
    forms = (zip(alternative, form, strict=True) for form in itertools.product(*values))
    return _few({key: value for key, value in form if value is not _ABSENT} for form in forms)


def _list_forms(alternative: Sequence[Any], items: Mapping[str, Any]) -> list[Any]:
    """Return the forms of a list of objects: each combination of its entries' forms."""
    entries = [_object_forms(one, items) if isinstance(one, dict) else [one] for one in alternative]
    return _few(list(form) for form in itertools.product(*entries))


def _few(forms: Iterable[Any]) -> list[Any]:
    found = list(itertools.islice(forms, _MOST_FORMS + 1))
    if len(found) > _MOST_FORMS:
        raise CannotBeAskedError(f"an answer has more than {_MOST_FORMS} forms")
    return found
