"""Calls in the field that an API has for them: `tool_calls`."""

from __future__ import annotations

from harnesslib.parsers.values import MOST_CALLS, UnreadableError, call_from, kind, shown
from harnesslib.records import Call


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
        return (), f"tool_calls is {kind(raw_tool_calls)}, expected a list"
    if len(raw_tool_calls) > MOST_CALLS:
        return (), f"{len(raw_tool_calls)} calls in one reply, at most {MOST_CALLS} are read"
    calls = []
    reason = ""
    for number, raw in enumerate(raw_tool_calls, start=1):
        try:
            calls.append(_call(raw))
        except UnreadableError as error:
            reason = reason or f"call {number}: {error}"
    return tuple(calls), reason


def _call(raw: object) -> Call:
    if not isinstance(raw, dict):
        raise UnreadableError(f"it is {kind(raw)}, expected an object")
    if raw.get("type", "function") not in ("function", None):
        raise UnreadableError(f"its type is {shown(raw['type'])}, expected 'function'")
    function = raw.get("function")
    if not isinstance(function, dict):
        raise UnreadableError(f"its function is {kind(function)}, expected an object")
    return call_from(function)
