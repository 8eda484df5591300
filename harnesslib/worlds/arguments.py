"""Say what is wrong with the arguments of a call to a simulated tool."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

_SHORTEST, _LONGEST = 5, 720
_SHOWN = 60


@dataclass(frozen=True)
class Kind:
    """What an argument may be: in words, and as a test that no JSON value makes raise."""

    words: str
    fits: Callable[[object], bool]


def problems(
    arguments: Mapping[str, Any], needed: Mapping[str, Kind], optional: Mapping[str, Kind]
) -> Iterator[str]:
    """Yield what is missing, unknown or unfit."""
    known = {**needed, **optional}
    for name, kind in needed.items():
        if name not in arguments:
            yield f"{name} is missing, expected {kind.words}"
    for name, value in arguments.items():
        if name not in known:
            yield f"there is no argument {quoted(name)}; there are {', '.join(known)}"
        elif not known[name].fits(value):
            yield f"{name} doesn't fit, expected {known[name].words}"


def quoted(text: str) -> str:
    """Quote a text that came from outside, cut to one short line."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")


def stripped(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a copy without the blanks around texts: they mean nothing to any tool."""
    if isinstance(value, list):
        return [stripped(entry) for entry in value]
    return value.strip() if isinstance(value, str) else value


def choice(*values: str) -> Kind:
    """Return the kind of an argument that has to be one of some words."""
    return Kind(f"one of {', '.join(values)}", lambda value: isinstance(value, str) and value in values)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_day(value: object) -> bool:
    if not isinstance(value, str) or re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII) is None:
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_time(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII) is not None


def _is_length(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return _SHORTEST <= value <= _LONGEST and value == int(value)


def _is_address(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[^@\s]+@[^@\s]+", value.strip()) is not None


def _are_addresses(value: object) -> bool:
    return isinstance(value, list) and all(_is_address(entry) for entry in value)


TEXT = Kind("some text", _is_text)
DAY = Kind("a day as YYYY-MM-DD", _is_day)
TIME = Kind("a time as HH:MM", _is_time)
LENGTH = Kind(f"a whole number from {_SHORTEST} to {_LONGEST}", _is_length)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
ADDRESS = Kind("a mail address", _is_address)
ADDRESSES = Kind("a list of mail addresses", _are_addresses)
