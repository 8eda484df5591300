"""What a call may hold, however it was written: names, JSON values, and their limits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from harnesslib.records import Call

LONGEST_ARGUMENTS = 65_536
DEEPEST_ARGUMENTS = 32
MOST_CALLS = 256
_LONGEST_NAME = 256
_LONGEST_INTEGER_BITS = 1024
_SHOWN = 40


class UnreadableError(ValueError):
    """Why a call can't be read. It never leaves this package."""


def call_from(raw: dict[str, Any]) -> Call:
    """Return the call that an object with ``name`` and ``arguments`` stands for."""
    return Call(name=name_from(raw.get("name")), arguments=arguments_from(raw.get("arguments")))


def name_from(raw: object) -> str:
    """Return a tool's name."""
    if not isinstance(raw, str):
        raise UnreadableError(f"the name is {kind(raw)}, expected a string")
    if not raw.strip() or len(raw) > _LONGEST_NAME:
        raise UnreadableError(
            f"the name has {len(raw)} characters, expected 1 to {_LONGEST_NAME} and not only blanks"
        )
    _require_unicode(raw, "the name")
    return raw


def arguments_from(raw: object) -> dict[str, Any]:
    """Return arguments, given as an object or as a string that holds one."""
    value = _decoded(raw) if isinstance(raw, str) else raw
    if not isinstance(value, dict):
        what = "the arguments hold" if isinstance(raw, str) else "the arguments are"
        raise UnreadableError(f"{what} {kind(value)}, expected an object")
    for entry in _walk(value):
        _require_recordable(entry)
    return value


def first_json(text: str, start: int) -> tuple[Any, int]:
    """Return the JSON value that begins at `start`, and where it ends."""
    try:
        return _DECODER.raw_decode(text, start)
    except ValueError as error:
        raise _not_json(error, "the call is", text[start : start + _SHOWN + 1]) from None
    except RecursionError:
        raise too_deep() from None


def _decoded(text: str) -> object:
    require_length(len(text))
    try:
        return _DECODER.decode(text)
    except ValueError as error:
        raise _not_json(error, "the arguments are", text) from None
    except RecursionError:
        raise too_deep() from None


def _not_json(error: ValueError, what: str, text: str) -> UnreadableError:
    if isinstance(error, UnreadableError):
        return error
    place = f"{error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else str(error)
    return UnreadableError(f"{what} not JSON: {place}, in {shown(text)}")


def require_length(length: int) -> None:
    """Refuse arguments that are too long."""
    if length > LONGEST_ARGUMENTS:
        raise UnreadableError(f"the arguments have {length} characters, at most {LONGEST_ARGUMENTS} are read")


def too_deep() -> UnreadableError:
    """Return the reason for refusing what is nested too deeply."""
    return UnreadableError(f"the arguments are deeper than {DEEPEST_ARGUMENTS} levels")


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as an object; a key that stands twice is refused."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise UnreadableError(f"the key {shown(name)} stands twice in one object")
            seen.add(name)
    return found


def _no_constant(constant: str) -> NoReturn:
    raise UnreadableError(f"the arguments hold {constant}, which is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=without_duplicates, parse_constant=_no_constant)


def _walk(value: object) -> Iterator[Any]:
    """Yield a value and all that is inside it, without recursion."""
    waiting = [(value, 1)]
    while waiting:
        entry, depth = waiting.pop()
        yield entry
        inside: list[Any] = []
        if isinstance(entry, dict):
            inside = [*entry.keys(), *entry.values()]
        elif isinstance(entry, list):
            inside = entry
        if inside and depth > DEEPEST_ARGUMENTS:
            raise too_deep()
        waiting.extend((part, depth + 1) for part in inside)


def _require_recordable(value: object) -> None:
    if value is None or isinstance(value, (bool, list, dict)):
        return
    if isinstance(value, str):
        _require_unicode(value, "a text in the arguments")
    elif isinstance(value, int):
        if value.bit_length() > _LONGEST_INTEGER_BITS:
            raise UnreadableError("the arguments hold an integer beyond any float")
    elif not isinstance(value, float):
        raise UnreadableError(f"the arguments hold {kind(value)}, which is not JSON")
    elif not math.isfinite(value):
        raise UnreadableError("the arguments hold a number that is not finite")


def _require_unicode(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnreadableError(f"{what} is broken Unicode") from None


def kind(value: object) -> str:
    """Name the kind of a value, as a person who knows JSON would."""
    if value is None:
        return "missing or null"
    names = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), f"of type {type(value).__name__}")


def shown(value: object) -> str:
    """Show a value briefly, in characters that any journal can hold."""
    if not isinstance(value, str):
        return kind(value)
    return ascii(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")
