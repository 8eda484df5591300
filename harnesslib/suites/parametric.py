"""Fill in the values of a parametric case: one row of them for each seed.

A model that has learned a fixed question by heart answers it without being able to; the same question with
other cities, numbers and names it has to understand. Everything here is a pure function of its arguments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from harnesslib.records import Case, ExpectedCall, Turn

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""How a parameter stands in a text: ``{name}``; the group is its name."""


def instantiate(case: Case, seed: int) -> Case:
    """Return the case as a sample with this seed asks it: without parameters, one row of values filled in.

    Parameters
    ----------
    case
        Any case; one that isn't parametric comes back as it is.
    seed
        The sample's seed, which is the same for all models of a block. Row ``seed % number of rows`` is
        taken: sample seeds are hashes, so the rows come about equally often.

    Notes
    -----
    A text that is nothing but ``{name}`` in an expected call or in the final state becomes the value with
    its type; elsewhere, in the keys of an object too, the value is written into the text. The texts of values
    are not looked at again.
    """
    count = row_count(case)
    return _filled(case, seed % count) if count else case


def rows(case: Case) -> tuple[Case, ...]:
    """Return every form that the case can take, in the order of its rows; itself when it isn't parametric."""
    if not case.parameters:
        return (case,)
    return tuple(_filled(case, place) for place in range(row_count(case)))


def row_count(case: Case) -> int:
    """Return how many complete rows of values a case has; 0 when it isn't parametric."""
    return min(map(len, case.parameters.values()), default=0)


def placeholders(case: Case) -> Iterator[tuple[str, bool]]:
    """Yield each placeholder of a case: its name, and whether it is written into a text."""
    for turn in case.turns:
        for text in (turn.user, turn.reply):
            yield from ((name, True) for name in PLACEHOLDER.findall(text))
        for expected in (call for alternative in turn.accept for call in alternative):
            yield from _inside(expected.arguments)
    yield from _inside(case.final_state)


def _inside(value: object) -> Iterator[tuple[str, bool]]:
    if isinstance(value, str):
        whole = PLACEHOLDER.fullmatch(value) is not None
        yield from ((name, not whole) for name in PLACEHOLDER.findall(value))
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from ((name, True) for name in PLACEHOLDER.findall(key))
            yield from _inside(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _inside(entry)


def _filled(case: Case, place: int) -> Case:
    row = {name: values[place] for name, values in case.parameters.items()}
    return msgspec.structs.replace(
        case,
        turns=tuple(_turn(turn, row) for turn in case.turns),
        final_state=_value(case.final_state, row),
        parameters={},
    )


def _turn(turn: Turn, row: Mapping[str, Any]) -> Turn:
    accept = tuple(tuple(_call(expected, row) for expected in alternative) for alternative in turn.accept)
    return msgspec.structs.replace(
        turn, user=_text(turn.user, row), accept=accept, reply=_text(turn.reply, row)
    )


def _call(expected: ExpectedCall, row: Mapping[str, Any]) -> ExpectedCall:
    return msgspec.structs.replace(expected, arguments=_value(expected.arguments, row))


def _value(value: Any, row: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {_text(key, row): _value(entry, row) for key, entry in value.items()}
    if isinstance(value, list):
        return [_value(entry, row) for entry in value]
    if not isinstance(value, str):
        return value
    whole = PLACEHOLDER.fullmatch(value)
    if whole is not None and whole.group(1) in row:
        return row[whole.group(1)]
    return _text(value, row)


def _text(text: str, row: Mapping[str, Any]) -> str:
    return PLACEHOLDER.sub(lambda found: str(row.get(found.group(1), found.group())), text)
