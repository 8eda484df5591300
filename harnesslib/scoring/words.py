"""Put calls and values into short words that any file can hold."""

from __future__ import annotations

from itertools import islice
from typing import Any

from harnesslib.records import Call, ExpectedCall

MOST_SHOWN = 6
_LONGEST_TEXT = 40
_LONGEST_PART = 200
_DEEPEST = 3
_LONGEST_INTEGER_BITS = 128


def shown_call(call: Call) -> str:
    """Show a call that a model made."""
    return _shown(call.name, call.arguments)


def shown_expected(expected: ExpectedCall) -> str:
    """Show an expected call; ``?`` marks what is optional."""
    optional = {
        f"{name}?" if name in expected.optional else name: value for name, value in expected.arguments.items()
    }
    return _shown(expected.name, optional)


def _shown(name: str, arguments: dict[str, Any]) -> str:
    shown = [f"{shown_text(key)}={shown_value(value)}" for key, value in list(arguments.items())[:MOST_SHOWN]]
    return f"{shown_text(name)}({', '.join([*shown, *['...'][: len(arguments) > MOST_SHOWN]])})"


def shown_value(value: object, depth: int = 0) -> str:
    """Show a value briefly: as JSON, cut in breadth, depth and length."""
    if isinstance(value, str):
        return f'"{shown_text(value)}"'
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if value.bit_length() <= _LONGEST_INTEGER_BITS else "a huge integer"
    if not isinstance(value, (list, dict)):
        return "null" if value is None else cut(str(value).lower())
    if depth == _DEEPEST:
        return "[...]" if isinstance(value, list) else "{...}"
    dots = ["..."] if len(value) > MOST_SHOWN else []
    if isinstance(value, list):
        entries = [shown_value(entry, depth + 1) for entry in value[:MOST_SHOWN]]
        return f"[{', '.join([*entries, *dots])}]"
    pairs = islice(value.items(), MOST_SHOWN)
    shown = [f"{shown_text(key)}: {shown_value(entry, depth + 1)}" for key, entry in pairs]
    return f"{{{', '.join([*shown, *dots])}}}"


def shown_text(text: str) -> str:
    """Show a text briefly on one line; broken Unicode is replaced, so that it can be written to a file."""
    start = text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "..."
    return " ".join(start.split()).encode(errors="replace").decode()


def cut(text: str) -> str:
    """Cut a part of a sentence; broken Unicode is replaced."""
    clean = text.encode(errors="replace").decode()
    return clean if len(clean) <= _LONGEST_PART else clean[:_LONGEST_PART] + "..."
