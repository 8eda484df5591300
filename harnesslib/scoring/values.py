"""Compare one value with what is expected of it."""

from __future__ import annotations

import math
import unicodedata
from typing import TypeGuard

_TOLERANCE = 1e-6
_MATCHERS = ("$any", "$number", "$text")


def matches(expected: object, got: object) -> bool:
    """Whether a value is what is expected; `expected` may be a matcher or hold some.

    Notes
    -----
    A dict with exactly one key, ``$any``, ``$number`` or ``$text``, is a matcher (see `ExpectedCall`).
    ``$number`` allows a difference of 1e-6 of the expected value, so 0 has to be met exactly.
    """
    match expected:
        case {"$any": [*choices], **rest} if not rest:
            return any(matches(choice, got) for choice in choices)
        case {"$number": number, **rest} if not rest:
            return _is_number(number) and _is_number(got) and _close(number, got)
        case {"$text": [*words], **rest} if not rest:
            return isinstance(got, str) and all(_word(word) in _folded(got) for word in words)
        case dict():
            return (
                isinstance(got, dict)
                and expected.keys() == got.keys()
                and all(matches(value, got[name]) for name, value in expected.items())
            )
        case list():
            return isinstance(got, list) and len(expected) == len(got) and all(map(matches, expected, got))
    return _equal(expected, got)


def is_matcher(expected: object) -> bool:
    """Whether an expected value is a matcher, and not an object to compare with."""
    return isinstance(expected, dict) and len(expected) == 1 and next(iter(expected)) in _MATCHERS


def _equal(expected: object, got: object) -> bool:
    if isinstance(expected, str):
        return isinstance(got, str) and _plain(expected) == _plain(got)
    if _is_number(expected):
        return _is_number(got) and bool(expected == got)
    return type(expected) is type(got) and bool(expected == got)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _close(expected: float, got: float) -> bool:
    try:
        return math.isclose(expected, got, rel_tol=0.0, abs_tol=_TOLERANCE * abs(expected))
    except OverflowError:
        return expected == got


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold())


def _word(word: object) -> str:
    return _folded(word) if isinstance(word, str) else str(word)
