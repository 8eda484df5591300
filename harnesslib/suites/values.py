"""Find what is wrong with the values of an expected call: no JSON, or a matcher that can't be read."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harnesslib.records import ExpectedCall

DEEPEST = 20
"""Levels of lists and objects that a value may have."""

_LONGEST_INTEGER_BITS = 1024


def is_json(value: object, depth: int = 0) -> bool:
    """Whether a value, as TOML or JSON gave it, is one that JSON can carry."""
    if isinstance(value, float):
        return math.isfinite(value)
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return value.bit_length() <= _LONGEST_INTEGER_BITS
    if isinstance(value, str):
        return _is_unicode(value)
    if depth == DEEPEST or not isinstance(value, (list, dict)):
        return False
    return all(is_json(entry, depth + 1) for entry in (value if isinstance(value, list) else value.values()))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def argument_problems(expected: ExpectedCall) -> Iterator[str]:
    """Yield what is wrong with the arguments of an expected call."""
    for name, value in expected.arguments.items():
        if name.startswith("$"):
            yield f"{name!r} stands for a whole call; a matcher stands for one argument"
        yield from (f"argument {name}: {problem}" for problem in _matcher_problems(value))


def _matcher_problems(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for entry in value:
            yield from _matcher_problems(entry)
    if not isinstance(value, dict):
        return
    marked = [key for key in value if key.startswith("$")]
    if not marked:
        for entry in value.values():
            yield from _matcher_problems(entry)
        return
    match value:
        case {"$any": [_, *_] as choices, **rest} if not rest:
            yield from _matcher_problems(choices)
        case {"$number": int() | float() as number, **rest} if not rest and not isinstance(number, bool):
            return
        case {"$text": [_, *_] as words, **rest} if not rest and all(_is_word(word) for word in words):
            return
        case _:
            expected = '{"$any": [value, ...]}, {"$number": 5.0} or {"$text": ["word", ...]}'
            yield f"matcher with {', '.join(marked)} can't be read, expected {expected}"


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
