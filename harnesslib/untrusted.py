"""Text that a model, an endpoint or another tool wrote, made safe to show: data, never an instruction."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_DIRECTION = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_NOT_IN_JSON = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MARK = "\N{REPLACEMENT CHARACTER}"


def visible(text: str) -> str:
    """Return text without control and direction characters: each becomes a replacement character."""
    return _DIRECTION.sub(_MARK, _CONTROL.sub(_MARK, text))


def for_terminal(text: str) -> str:
    """Return what a terminal shows and never obeys; a carriage return would let a line replace itself."""
    return visible(text.replace("\r\n", "\n")).replace("\r", _MARK)


def on_one_line(text: str) -> str:
    """Return what a cell of a table may hold: a line break in it would look like another row."""
    return for_terminal(" ".join(text.splitlines()))


def json_for_terminal(text: str) -> str:
    r"""Return JSON that says the same, what a terminal could obey written as ``\u009b``."""
    return _NOT_IN_JSON.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
