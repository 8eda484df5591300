"""Calls in the text of a reply: four formats that a model can be asked to use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from harnesslib.errors import InputError
from harnesslib.parsers.literals import CALL_BEGINS, blank_end, read_call
from harnesslib.parsers.values import (
    MOST_CALLS,
    UnreadableError,
    call_from,
    first_json,
    kind,
    require_length,
    shown,
)
from harnesslib.records import Call

_BRACKET = re.compile(rf"\[(?=\s*+{CALL_BEGINS})")
_LINE = re.compile(rf"^[ \t`]*+(?={CALL_BEGINS})", re.MULTILINE)
_NEXT_ON_LINE = re.compile(rf"[ \t`;,]*+(?:(?P<call>(?={CALL_BEGINS}))|(?P<end>\Z|[\r\n]|#|//))")
_TAG = re.compile(r"<(/?)tool_call>")
_JSON = re.compile(r"""\{\s*+["']?(?:name|arguments|function|type|id)["']?\s*+:""")
_JSON_NAME = re.compile(r'\{\s*+"name"')
_THOUGHTS_BEGIN, _THOUGHTS_END = "<think>", "</think>"
_BARE_CALL_KEYS = {"name", "parameters", "type", "id"}
_BETWEEN_CALLS = re.compile(r"[\s;,`]*+")


def parse_text(form: str, text: str) -> tuple[tuple[Call, ...], str]:
    """Return the calls in a reply's text, and why one could not be read ("" when all could).

    Parameters
    ----------
    form
        One of `FORMATS`: ``bracket`` ``[ring(times=3)]``, ``tags`` ``<tool_call>{...}</tool_call>``, ``json``
        an object or a list of them, ``function`` ``ring(times=3)`` alone on its lines. Objects have the keys
        ``name`` and ``arguments``.
    text
        The whole reply. Prose and fences around calls don't matter, and neither does what stands before
        ``</think>``. Prose alone is no call.

    Raises
    ------
    InputError
        There is no such format. No text makes this function raise.

    Notes
    -----
    A call is refused, never repaired: what begins like a call and can't be read to its end, and a call in
    another of these formats. Reading ends there, so that the time grows with the length of the text alone.
    """
    if form not in _READERS:
        raise InputError(f"format: got {form!r}, expected one of {', '.join(FORMATS)}; cure: correct it")
    said = _said(text)
    calls: list[Call] = []
    try:
        for call in _READERS[form](said):
            if len(calls) == MOST_CALLS:
                return tuple(calls), f"more than {MOST_CALLS} calls in one reply"
            calls.append(call)
    except UnreadableError as error:
        return tuple(calls), f"call {len(calls) + 1}: {error}"
    return tuple(calls), "" if calls else _in_another_format(form, said)


def _said(text: str) -> str:
    """Leave out what a model was only thinking."""
    if _THOUGHTS_END in text:
        return text.rpartition(_THOUGHTS_END)[2]
    return "" if text.lstrip().startswith(_THOUGHTS_BEGIN) else text


def _in_another_format(form: str, text: str) -> str:
    """Say that there are calls in another format; "" when there are none."""
    others: dict[str, Callable[[str], Iterator[Call]]] = {**_READERS, "function": _nothing_but_calls}
    for name, reader in others.items():
        try:
            if name != form and next(reader(text), None) is not None:
                return f"call 1: it is in the format {name}, expected {form}"
        except UnreadableError:
            continue
    return ""


def _nothing_but_calls(text: str) -> Iterator[Call]:
    """Yield the calls of a text that holds nothing else; in prose and code they'd be no sign of a call."""
    calls, at = [], 0
    while (at := _end_of(_BETWEEN_CALLS, text, at)) < len(text):
        call, at = read_call(text, at)
        calls.append(call)
    yield from calls


def _end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _bracket(text: str) -> Iterator[Call]:
    at = 0
    while (start := _BRACKET.search(text, at)) is not None:
        at = start.end()
        closed = False
        while not closed:
            call, at = read_call(text, blank_end(text, at))
            yield call
            at = blank_end(text, at)
            comma = text.startswith(",", at)
            at = blank_end(text, at + comma)
            closed = text.startswith("]", at)
            if not (comma or closed):
                raise UnreadableError(f"expected ',' or ']' after it, got {shown(text[at : at + 60])}")
        at += 1


def _function(text: str) -> Iterator[Call]:
    at = 0
    while (start := _LINE.search(text, at)) is not None:
        calls, at = [], start.end()
        following: re.Match[str] | None = start
        while following is not None and following.lastgroup != "end":
            call, at = read_call(text, at)
            calls.append(call)
            following = _NEXT_ON_LINE.match(text, at)
            at = following.end("call") if following and following["call"] is not None else at
        if following is not None:
            yield from calls  # otherwise prose goes on after it: somebody writes about a call


def _tags(text: str) -> Iterator[Call]:
    at = 0
    while (opening := _TAG.search(text, at)) is not None:
        if opening.group(1):
            raise UnreadableError("</tool_call> without <tool_call>")
        value, end = first_json(text, blank_end(text, opening.end()))
        require_length(end - opening.end())
        if not isinstance(value, dict):
            raise UnreadableError(f"it is {kind(value)}, expected an object")
        closing = _TAG.match(text, blank_end(text, end))
        if closing is None or not closing.group(1):
            raise UnreadableError("</tool_call> is missing")
        yield call_from(_inner(value))
        at = closing.end()


def _json(text: str) -> Iterator[Call]:
    at = 0
    while (found := _JSON.search(text, at)) is not None:
        before = text[at : found.start()].rstrip()
        start = at + len(before) - 1 if before.endswith("[") else found.start()
        try:
            value, at = first_json(text, start)
        except UnreadableError:
            if _JSON_NAME.match(found.group()) or "arguments" in text[start:]:
                raise
            return  # not JSON, and nothing in it looks like a call
        entries = value if isinstance(value, list) else [value]
        if not any(map(_is_attempt, entries)):
            continue  # data
        require_length(at - start)
        for entry in entries:
            if not isinstance(entry, dict):
                raise UnreadableError(f"it is {kind(entry)}, expected an object")
            yield call_from(_inner(entry))


def _inner(value: dict[str, Any]) -> dict[str, Any]:
    """Return the object with the name: some models write it the way that APIs do, inside `function`."""
    inner = value.get("function")
    return inner if isinstance(inner, dict) else value


def _is_attempt(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    inner = _inner(value)
    return "arguments" in inner or ("name" in inner and inner.keys() <= _BARE_CALL_KEYS)


_READERS: dict[str, Callable[[str], Iterator[Call]]] = {
    "bracket": _bracket,
    "tags": _tags,
    "json": _json,
    "function": _function,
}
FORMATS = tuple(_READERS)
"""The formats of text that can be asked for."""
