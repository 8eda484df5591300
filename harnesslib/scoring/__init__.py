"""Compare the calls that a model made with those that are right."""

from __future__ import annotations

from collections.abc import Sequence

from harnesslib.records import Call, Case, ExpectedCall, Score, Turn
from harnesslib.scoring.values import matches as matches
from harnesslib.scoring.words import MOST_SHOWN, cut, shown_call, shown_expected, shown_text

_WHOLE_CALL = 1_000_000


def score(case: Case, turns: Sequence[tuple[Call, ...]], malformed: str) -> Score:
    """Judge one attempt.

    Parameters
    ----------
    case
        The question. Its turns may be answered by any of their alternatives.
    turns
        All calls that the model made in turn i, over all its replies of that turn. Fewer entries than turns
        mean no calls in the rest.
    malformed
        Why a call could not be read; "" when all could.

    Returns
    -------
    Score
        ``malformed`` whenever a call could not be read, also in a case that wants none. Otherwise the first
        turn that is not right decides: ``abstained`` where a call is needed and there is none,
        ``overcalled`` where none is needed and the calls are not accepted, else ``wrong``; ``pass`` when
        all turns are right.

    Notes
    -----
    An alternative is met when its calls and the model's can be paired one to one (Kuhn 1955, by
    `scipy.optimize.linear_sum_assignment`), so one call too many or too few is never right. Values are
    compared with their type: ``"5"`` is not 5 and 1 is not true, but 1 is 1.0, since JSON has one kind of
    number. Strings have to be equal in case and spelling; blanks around them and the way accents are
    composed (Unicode NFC) don't count. An argument that nobody expects is wrong, and so is a missing one
    that is not optional. No JSON value makes this function raise.
    """
    if malformed:
        return Score(outcome="malformed", detail=cut(f"a call can't be read: {malformed}"))
    if len(turns) > len(case.turns):
        return Score(outcome="wrong", detail=f"{len(turns)} turns for a case of {len(case.turns)}")
    made = [*turns, *[()] * (len(case.turns) - len(turns))]
    for number, (turn, calls) in enumerate(zip(case.turns, made, strict=True), start=1):
        verdict = _turn(turn, calls, f"turn {number}: ")
        if verdict is not None:
            return verdict
    calls_made = sum(len(calls) for calls in made)
    return Score(outcome="pass", detail=f"all turns right, {calls_made} calls in {len(made)} turns")


def preload() -> None:
    """Load the assignment library now.

    Otherwise the first turn with several calls loads it, and everything that is being timed waits.
    """
    _assignment([[0, 0], [0, 0]])


def _turn(turn: Turn, calls: tuple[Call, ...], where: str) -> Score | None:
    """Return the verdict on a turn that is not right, none on one that is."""
    best = min((_Pairing(alternative, calls) for alternative in turn.accept), key=lambda one: one.cost)
    if best.cost == 0:
        return None
    got = cut(", ".join(map(shown_call, calls[:MOST_SHOWN])))
    more = f" and {len(calls) - MOST_SHOWN} more" if len(calls) > MOST_SHOWN else ""
    if not all(turn.accept):
        return Score(outcome="overcalled", detail=f"{where}expected no call; got {got}{more}")
    expected = cut(", ".join(map(shown_expected, best.alternative)))
    if not calls:
        return Score(outcome="abstained", detail=f"{where}expected {expected}; got no call")
    return Score(outcome="wrong", detail=f"{where}{best.difference()}; expected {expected}; got {got}{more}")


class _Pairing:
    """The cheapest pairing of an alternative's calls with the model's.

    `cost` counts arguments that differ; a call without partner, or with one of another name, costs
    more than any number of arguments. Only 0 is right.
    """

    def __init__(self, alternative: tuple[ExpectedCall, ...], calls: tuple[Call, ...]) -> None:
        self.alternative = alternative
        self.calls = calls
        costs = [[_cost(expected, call) for call in calls] for expected in alternative]
        self.pairs = _assignment(costs)
        unpaired = abs(len(alternative) - len(calls))
        self.cost = unpaired * _WHOLE_CALL + sum(costs[row][column] for row, column in self.pairs)

    def difference(self) -> str:
        """Say in words what is not right."""
        wanted, made = len(self.alternative), len(self.calls)
        if made != wanted:
            return f"{_count(made)} where {wanted} {'is' if wanted == 1 else 'are'} expected"
        pairs = ((self.alternative[row], self.calls[column]) for row, column in self.pairs)
        return cut(", ".join(filter(None, (_difference(expected, call) for expected, call in pairs))))


def _difference(expected: ExpectedCall, call: Call) -> str:
    if call.name != expected.name:
        return f"{shown_text(call.name)} called instead of {shown_text(expected.name)}"
    names = ", ".join(map(shown_text, _differing(expected, call)))
    return f"{shown_text(expected.name)} differs in {names}" if names else ""


def _count(calls: int) -> str:
    return "1 call" if calls == 1 else f"{calls} calls"


def _assignment(costs: list[list[int]]) -> list[tuple[int, int]]:
    """Pair rows with columns at the least total cost."""
    if not costs or not costs[0]:
        return []
    if len(costs) == 1:
        return [(0, min(range(len(costs[0])), key=costs[0].__getitem__))]
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(costs)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _cost(expected: ExpectedCall, call: Call) -> int:
    if call.name != expected.name:
        return _WHOLE_CALL
    return min(len(_differing(expected, call)), _WHOLE_CALL - 1)


def _differing(expected: ExpectedCall, call: Call) -> list[str]:
    """Return the names of the arguments that are missing, unexpected or not equal."""
    missing = [
        name for name in expected.arguments if name not in call.arguments and name not in expected.optional
    ]
    unequal = [
        name
        for name, value in call.arguments.items()
        if name not in expected.arguments or not matches(expected.arguments[name], value)
    ]
    return missing + unequal
