"""Say in people's words why a document does not fit its record: which field, what it got, what it expects."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from types import UnionType
from typing import Any, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

T = TypeVar("T")
Plain: TypeAlias = Any  # what JSON and TOML decode to
Form: TypeAlias = Any  # a type as an annotation writes it

_MESSAGE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>\$.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<field>\w+)|\[(?P<index>\d+|\.\.\.)\]")
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table of keys and values",
    "null": "nothing",
    "datetime": "a time like 2026-01-02T03:04:05Z",
}
_LONGEST_ECHO = 60


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"``, or "" when nothing is close.

    >>> did_you_mean("sprintr", ["steady", "sprinter"])
    "; did you mean 'sprinter'?"
    """
    close = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


def listed(words: Iterable[str]) -> str:
    """Return the words sorted and quoted, or "nothing"."""
    return ", ".join(f"'{word}'" for word in sorted(words)) or "nothing"


def convert(raw: Plain, type_: type[T]) -> tuple[T | None, str]:
    """Convert plain values (of JSON or TOML) to a record, strictly.

    Returns
    -------
    The record and "", or none and what is wrong: ``models[1].endpint: unknown key; did you mean 'endpoint'?``
    """
    try:
        return msgspec.convert(raw, type_), ""
    except msgspec.ValidationError as error:
        return None, _in_words(str(error), raw, type_)


def _in_words(message: str, raw: Plain, type_: Form) -> str:
    parts = _MESSAGE.match(message)
    what, path = (parts["what"], parts["path"] or "$") if parts else (message, "$")
    place, value, expected = _descend(raw, type_, path)
    quoted = re.search(r"`([^`]*)`$", what)
    name = quoted[1] if quoted else ""
    if what.startswith("Object contains unknown field"):
        known = getattr(expected, "__struct_fields__", ())
        hint = did_you_mean(name, known) or f"; expected one of {listed(known)}"
        return f"{_join(place, name)}: unknown key{hint}"
    if what.startswith("Object missing required field"):
        return f"{_join(place, name)}: is missing and has no default"
    if what.startswith("Invalid enum value"):
        options = [str(option) for option in get_args(expected)]
        hint = did_you_mean(str(value), options)
        return f"{place}: got {_echo(value)}, expected one of {listed(options)}{hint}"
    wanted = re.match(r"Expected `([^`]*)`, got", what)
    if wanted:
        words = " or ".join(_WORDS.get(word, word) for word in wanted[1].split(" | "))
        return f"{place or 'the file'}: got {_echo(value)}, expected {words}"
    return f"{place or 'the file'}: {what} (got {_echo(value)})"


def _descend(raw: Plain, type_: Form, path: str) -> tuple[str, Plain, Form]:
    """Follow msgspec's path; where it leaves a key out (``[...]``), find the first value that misfits."""
    place = ""
    for step in _STEP.finditer(path):
        field, index = step["field"], step["index"]
        type_ = _inner(type_, field)
        key: Plain = field or index
        if index == "...":
            key = next((k for k, value in raw.items() if not _fits(value, type_)), "...")
        elif index:
            key = int(index)
        place = f"{place}[{key}]" if isinstance(key, int) else _join(place, str(key))
        try:
            raw = raw[key]
        except (KeyError, IndexError, TypeError):
            return place, None, _bare(type_)
    return place, raw, _bare(type_)


def _inner(type_: Form, field: str | None) -> Form:
    bare = _bare(type_)
    if field:
        return get_type_hints(bare).get(field, Any)
    arguments = [argument for argument in get_args(bare) if argument is not Ellipsis]
    return arguments[-1] if arguments else Any


def _bare(type_: Form) -> Form:
    """Return X for ``X | None``."""
    if get_origin(type_) not in {UnionType, Union}:
        return type_
    inner = [argument for argument in get_args(type_) if argument is not type(None)]
    return inner[0] if len(inner) == 1 else type_


def _fits(value: Plain, type_: Form) -> bool:
    try:
        msgspec.convert(value, type_)
    except msgspec.ValidationError:
        return False
    return True


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _echo(value: Plain) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_ECHO else text[:_LONGEST_ECHO] + "..."
