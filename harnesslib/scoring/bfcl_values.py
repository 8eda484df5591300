"""Whether the Berkeley Function-Calling Leaderboard takes a value for right."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harnesslib.records.bfcl import json_kind

_DROPPED = re.compile(r"[ ,./\-_*^]")
_PYTHON = {"string": str, "any": str, "integer": int, "number": float}
_PYTHON |= {"boolean": bool, "array": list, "object": dict}


def value_problem(value: object, alternatives: Sequence[Any], schema: Mapping[str, Any]) -> str:
    """Return "" when a value is accepted, "type" or "text" when its type or what it holds is wrong.

    Parameters
    ----------
    value
        What the model wrote.
    alternatives
        What is right. "" says that nothing is, too.
    schema
        The parameter's own.
    """
    kind = json_kind(schema.get("type"))
    if kind == "number" and type(value) is int:
        value = float(value)
    expected = _PYTHON.get(kind)
    answered = next((type(one) for one in alternatives if one != ""), None)
    if type(value) is not expected and type(value) is not answered:
        return "type"
    if answered is not None and answered is not expected:  # the answer is a variable
        return "" if value in alternatives else "text"
    items = schema.get("items")
    item_kind = json_kind(items.get("type")) if isinstance(items, Mapping) else ""
    if isinstance(value, list) and not any(_items_fit(value, one, item_kind) for one in alternatives):
        return "type"
    return "" if _is_among(value, alternatives, item_kind) else "text"


def _items_fit(value: list[Any], alternative: object, kind: str) -> bool:
    """Whether the entries of a list are of the schema's type, or of the type that an answer's are."""
    if not isinstance(alternative, list) or not kind:
        return True
    answered = next((type(one) for one in alternative if one != ""), None)
    return all(type(entry) in (_PYTHON[kind], answered) for entry in value)


def _is_among(value: Any, alternatives: Sequence[Any], item_kind: str) -> bool:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return any(isinstance(one, dict) and _object_fits(value, one) for one in alternatives)
    if isinstance(value, list) and item_kind == "object":
        return any(isinstance(one, list) and _objects_fit(value, one) for one in alternatives)
    if isinstance(value, list):
        lists = [list(one) if isinstance(one, (list, str)) else one for one in alternatives]
        right = [list(map(_plain, one)) for one in lists if isinstance(one, list)]
        return list(map(_plain, value)) in right
    return _plain(value) in [_plain(one) for one in alternatives]


def _objects_fit(value: list[Any], alternative: list[Any]) -> bool:
    return len(value) == len(alternative) and all(
        isinstance(entry, dict) and isinstance(one, dict) and _object_fits(entry, one)
        for entry, one in zip(value, alternative, strict=True)
    )


def _object_fits(value: Mapping[str, Any], alternative: Mapping[str, Any]) -> bool:
    choices = {key: one if isinstance(one, list) else [one] for key, one in alternative.items()}
    given = all(
        key in choices and _plain(entry) in [_plain(one) for one in choices[key]]
        for key, entry in value.items()
    )
    return given and all(key in value or "" in accepted for key, accepted in choices.items())


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a string as it is compared: without case, blanks and some punctuation, quotes all alike."""
    return _DROPPED.sub("", value).lower().replace("'", '"') if isinstance(value, str) else value
