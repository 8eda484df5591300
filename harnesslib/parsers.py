"""Read the tool calls that an endpoint returned, whatever it returned."""

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


class _UnreadableError(ValueError):
    """Why a call can't be read. It never leaves this module."""


def parse_native(raw_tool_calls: object) -> tuple[tuple[Call, ...], str]:
    """Return the calls that could be read, and why one could not be ("" when all could).

    Parameters
    ----------
    raw_tool_calls
        The `tool_calls` of a message in OpenAI's form (arguments are a string that holds a JSON object) or
        in Ollama's (arguments are an object). None and an empty list mean that there are no calls.

    Notes
    -----
    A call is refused, never repaired: text around the JSON, a key that stands twice, NaN, infinity, an
    integer beyond any float, broken Unicode, more than 65,536 characters or 32 levels. So whatever is
    returned here can be written to a journal and read back equal. No value makes this function raise.
    """
    if raw_tool_calls is None:
        return (), ""
    if not isinstance(raw_tool_calls, list):
        return (), f"tool_calls is {_kind(raw_tool_calls)}, expected a list"
    if len(raw_tool_calls) > MOST_CALLS:
        return (), f"{len(raw_tool_calls)} calls in one reply, at most {MOST_CALLS} are read"
    calls = []
    reason = ""
    for number, raw in enumerate(raw_tool_calls, start=1):
        try:
            calls.append(_call(raw))
        except _UnreadableError as error:
            reason = reason or f"call {number}: {error}"
    return tuple(calls), reason


def _call(raw: object) -> Call:
    if not isinstance(raw, dict):
        raise _UnreadableError(f"it is {_kind(raw)}, expected an object")
    if raw.get("type", "function") not in ("function", None):
        raise _UnreadableError(f"its type is {_shown(raw['type'])}, expected 'function'")
    function = raw.get("function")
    if not isinstance(function, dict):
        raise _UnreadableError(f"its function is {_kind(function)}, expected an object")
    return Call(name=_name(function.get("name")), arguments=_arguments(function.get("arguments")))


def _name(raw: object) -> str:
    if not isinstance(raw, str):
        raise _UnreadableError(f"the name is {_kind(raw)}, expected a string")
    if not raw.strip() or len(raw) > _LONGEST_NAME:
        raise _UnreadableError(
            f"the name has {len(raw)} characters, expected 1 to {_LONGEST_NAME} and not only blanks"
        )
    _require_unicode(raw, "the name")
    return raw


def _arguments(raw: object) -> dict[str, Any]:
    value = _decoded(raw) if isinstance(raw, str) else raw
    if not isinstance(value, dict):
        what = "the arguments hold" if isinstance(raw, str) else "the arguments are"
        raise _UnreadableError(f"{what} {_kind(value)}, expected an object")
    for entry in _walk(value):
        _require_recordable(entry)
    return value


def _decoded(text: str) -> object:
    if len(text) > LONGEST_ARGUMENTS:
        raise _UnreadableError(
            f"the arguments have {len(text)} characters, at most {LONGEST_ARGUMENTS} are read"
        )
    try:
        return _DECODER.decode(text)
    except _UnreadableError:
        raise
    except RecursionError:
        raise _UnreadableError(f"the arguments are deeper than {DEEPEST_ARGUMENTS} levels") from None
    except ValueError as error:
        place = (
            f"{error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else str(error)
        )
        raise _UnreadableError(f"the arguments are not JSON: {place}, in {_shown(text)}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _UnreadableError(f"the key {_shown(twice)} stands twice in one object")
    return found


def _no_constant(constant: str) -> NoReturn:
    raise _UnreadableError(f"the arguments hold {constant}, which is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


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
            raise _UnreadableError(f"the arguments are deeper than {DEEPEST_ARGUMENTS} levels")
        waiting.extend((part, depth + 1) for part in inside)


def _require_recordable(value: object) -> None:
    if value is None or isinstance(value, (bool, list, dict)):
        return
    if isinstance(value, str):
        _require_unicode(value, "a text in the arguments")
    elif isinstance(value, int):
        if value.bit_length() > _LONGEST_INTEGER_BITS:
            raise _UnreadableError("the arguments hold an integer beyond any float")
    elif not isinstance(value, float):
        raise _UnreadableError(f"the arguments hold {_kind(value)}, which is not JSON")
    elif not math.isfinite(value):
        raise _UnreadableError("the arguments hold a number that is not finite")


def _require_unicode(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _UnreadableError(f"{what} is broken Unicode") from None


def _kind(value: object) -> str:
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


def _shown(value: object) -> str:
    """Show a value briefly, in characters that any journal can hold."""
    if not isinstance(value, str):
        return _kind(value)
    return ascii(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")
