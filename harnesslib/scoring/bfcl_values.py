"""Whether the Berkeley Function-Calling Leaderboard takes a value for right."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from harnesslib.records.bfcl import json_kind
from harnesslib.scoring.bfcl_literals import TYPES, Language, read

_DROPPED = re.compile(r"[ ,./\-_*^]")
_PYTHON = {"string": str, "any": str, "integer": int, "number": float}
_PYTHON |= {"boolean": bool, "array": list, "object": dict}


def value_problem(
    value: object, alternatives: Sequence[Any], schema: Mapping[str, Any], language: Language
) -> str:
    """Return "" when a value is accepted, or the rule that it breaks: type, text, letters or literal.

    Parameters
    ----------
    value
        What the model wrote.
    alternatives
        What is right. "" says that nothing is, too.
    schema
        The parameter's own.
    language
        Of the question. In Java and JavaScript the value has to be a literal of the parameter's type, in a
        string: "literal" says that it is none.
    """
    kind, item_kind = _type_names(schema)
    if language != "python":
        if not isinstance(value, str):
            return "literal"
        types = TYPES[language]
        problem = _problem(
            read(value, kind, item_kind, language), alternatives, types.get(kind), types.get(item_kind)
        )
        return "literal" if problem == "type" else problem
    kind, item_kind = json_kind(kind), json_kind(item_kind)
    if kind == "number" and type(value) is int:
        value = float(value)
    return _problem(value, alternatives, _PYTHON.get(kind), _PYTHON.get(item_kind))


def is_literal(value: object, schema: Mapping[str, Any], language: Language) -> bool:
    """Whether a value is a string that stands for something else in the question's language."""
    if language == "python" or not isinstance(value, str):
        return False
    return bool(read(value, *_type_names(schema), language) != value)


def _type_names(schema: Mapping[str, Any]) -> tuple[str, str]:
    """Return the type's name and that of its entries as the row has them, "" where it has none."""
    items = schema.get("items")
    names = schema.get("type"), items.get("type") if isinstance(items, Mapping) else None
    kind, item_kind = (name if isinstance(name, str) else "" for name in names)
    return kind, item_kind


def _problem(value: object, alternatives: Sequence[Any], expected: type | None, entry: type | None) -> str:
    answered = next((type(one) for one in alternatives if one != ""), None)
    if type(value) is not expected and type(value) is not answered:
        return "type"
    if answered is not None and answered is not expected:  # the answer is a variable
        return "" if value in alternatives else "text"
    if isinstance(value, list) and not any(_items_fit(value, one, entry) for one in alternatives):
        return "type"
    if _is_among(value, alternatives, entry):
        return ""
    return "letters" if isinstance(value, dict) and _has_lone_text(alternatives) else "text"


def _has_lone_text(alternatives: Sequence[Any]) -> bool:
    objects = (one for one in alternatives if isinstance(one, dict))
    return any(isinstance(entry, str) for one in objects for entry in one.values())


def _items_fit(value: list[Any], alternative: object, expected: type | None) -> bool:
    """Whether the entries of a list are of the schema's type, or of the type that an answer's are."""
    if not isinstance(alternative, list) or expected is None:
        return True
    answered = next((type(one) for one in alternative if one != ""), None)
    return all(type(entry) in (expected, answered) for entry in value)


def _is_among(value: Any, alternatives: Sequence[Any], entry: type | None) -> bool:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return any(isinstance(one, dict) and _object_fits(value, one) for one in alternatives)
    if isinstance(value, list) and entry is dict:
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
    # A text that stands alone is read letter by letter, which makes "" one of its parts.
    choices = {
        key: [*one, ""] if isinstance(one, str) else one if isinstance(one, list) else []
        for key, one in alternative.items()
    }
    given = all(
        key in choices and _plain(entry) in [_plain(one) for one in choices[key]]
        for key, entry in value.items()
    )
    return given and all(key in value or "" in accepted for key, accepted in choices.items())


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a string as it is compared: without case, blanks and some punctuation, quotes all alike."""
    return _DROPPED.sub("", value).lower().replace("'", '"') if isinstance(value, str) else value
