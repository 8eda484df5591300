"""Turn an expectation back into calls that meet it."""

from __future__ import annotations

from typing import Any

from harnesslib.records import Call, ExpectedCall


def example(expected: ExpectedCall) -> Call:
    """Return one call that meets `expected`: every argument given, the first choice of each matcher."""
    return variants(expected)[0]


def variants(expected: ExpectedCall) -> tuple[Call, ...]:
    """Return calls that meet `expected` and together use each choice of each matcher once.

    Notes
    -----
    One argument varies at a time, so the number of calls grows with the sum of the choices and not with
    their product. The last call leaves out what is optional.
    """
    calls = [Call(name=expected.name, arguments=arguments) for arguments in _values(expected.arguments)]
    if expected.optional:
        fewer = {key: value for key, value in calls[0].arguments.items() if key not in expected.optional}
        calls.append(Call(name=expected.name, arguments=fewer))
    return tuple(calls)


def _values(expected: object) -> list[Any]:
    """Return values that `expected` accepts, the first choice first; never empty for a checked suite."""
    if isinstance(expected, list):
        return [list(entries) for entries in _one_at_a_time([_values(entry) for entry in expected])]
    if not isinstance(expected, dict):
        return [expected]
    match expected:
        case {"$any": [*choices], **rest} if not rest:
            return [value for choice in choices for value in _values(choice)]
        case {"$number": number, **rest} if not rest:
            return [number]
        case {"$text": [*words], **rest} if not rest:
            return [" ".join(str(word) for word in words)]
    entries = _one_at_a_time([_values(value) for value in expected.values()])
    return [dict(zip(expected, entry, strict=True)) for entry in entries]


def _one_at_a_time(choices: list[list[Any]]) -> list[tuple[Any, ...]]:
    first = tuple(values[0] for values in choices)
    varied = [
        (*first[:place], value, *first[place + 1 :])
        for place, values in enumerate(choices)
        for value in values[1:]
    ]
    return [first, *varied]
