"""Compare what a conversation left behind with what it should have."""

from __future__ import annotations

from harnesslib.scoring.assignment import cheapest_pairs
from harnesslib.scoring.values import is_matcher, matches
from harnesslib.scoring.words import shown_value


def difference(expected: object, got: object, place: str = "") -> str:
    """Say the first thing that doesn't hold in a state; "" when all that is expected does.

    Parameters
    ----------
    expected
        The part of the state that must hold. An object's other keys don't count, a list's other entries and
        their order neither; each expected entry needs one of its own. Null: there is nothing under this key.
        Everything else is compared as an argument is, matchers included.
    got
        The state.
    place
        Where both stand in the whole.
    """
    if isinstance(expected, dict) and not is_matcher(expected):
        return _in_object(expected, got, place) if isinstance(got, dict) else _said(expected, got, place)
    if isinstance(expected, list):
        return _in_list(expected, got, place) if isinstance(got, list) else _said(expected, got, place)
    return "" if matches(expected, got) else _said(expected, got, place)


def _in_object(expected: dict[str, object], got: dict[str, object], place: str) -> str:
    for key, value in expected.items():
        where = f"{place}.{key}" if place else key
        if key not in got and value is not None:
            return f"{where}: expected {shown_value(value)}; got nothing"
        found = difference(value, got.get(key), where)
        if found:
            return found
    return ""


def _in_list(expected: list[object], got: list[object], place: str) -> str:
    costs = [[int(bool(difference(entry, one))) for one in got] for entry in expected]
    met = {row for row, column in cheapest_pairs(costs) if not costs[row][column]}
    missing = next((entry for row, entry in enumerate(expected) if row not in met), None)
    if len(met) == len(expected):
        return ""
    if len(got) == 1:
        return difference(missing, got[0], f"{place}[0]") or f"{place}: 1 entry, expected {len(expected)}"
    return f"{place}: expected an entry {shown_value(missing)}; got {shown_value(got)}"


def _said(expected: object, got: object, place: str) -> str:
    return f"{place}: expected {shown_value(expected)}; got {shown_value(got)}"
