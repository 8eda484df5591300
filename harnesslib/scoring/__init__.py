"""Compare the calls that a model made with those that are right."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from operator import sub

from harnesslib import worlds
from harnesslib.records import Call, Case, ExpectedCall, Score, Turn
from harnesslib.scoring import final_state
from harnesslib.scoring.arguments import differing
from harnesslib.scoring.assignment import cheapest_pairs
from harnesslib.scoring.assignment import preload as preload
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
        ``overcalled`` where none is needed and the calls are not accepted, else ``wrong``. When all turns are
        right, ``pass``, unless the world is not left in the case's `final_state`: that is ``wrong``.

    Notes
    -----
    An alternative is met when its calls and the model's can be paired one to one, at the least cost, so one
    call too many or too few is never right; only calls of the case's `harmless` tools may be left over, and
    they are nothing where no call is wanted. Values are
    compared with their type: ``"5"`` is not 5 and 1 is not true, but 1 is 1.0, since JSON has one kind of
    number. Strings have to be equal in case and spelling; blanks around them and the way accents are
    composed (Unicode NFC) don't count. An argument that nobody expects is wrong, and so is a missing one
    that is not optional. A turn of `any_call` takes any calls of
    offered tools. No JSON value makes this function raise.
    """
    if malformed:
        return Score(outcome="malformed", detail=cut(f"a call can't be read: {malformed}"))
    if len(turns) > len(case.turns):
        return Score(outcome="wrong", detail=f"{len(turns)} turns for a case of {len(case.turns)}")
    made = [*turns, *[()] * (len(case.turns) - len(turns))]
    for number, (turn, calls) in enumerate(zip(case.turns, made, strict=True), start=1):
        verdict = _turn(turn, calls, f"turn {number}: ", case)
        if verdict is not None:
            return verdict
    off = _state_difference(case, made)
    if off:
        return Score(outcome="wrong", detail=cut(f"all calls are right, the final state is not: {off}"))
    calls_made = sum(len(calls) for calls in made)
    return Score(outcome="pass", detail=f"all turns right, {calls_made} calls in {len(made)} turns")


def _state_difference(case: Case, made: Sequence[tuple[Call, ...]]) -> str:
    if case.final_state is None:
        return ""
    state = worlds.state(case.world, tuple(chain.from_iterable(made)))
    return final_state.difference(case.final_state, state)


def _turn(turn: Turn, calls: tuple[Call, ...], where: str, case: Case) -> Score | None:
    """Return the verdict on a turn that is not right, none on one that is."""
    if turn.any_call and calls and all(call.name in case.tools for call in calls):
        return None
    pairings = (_Pairing(alternative, calls, case.harmless) for alternative in turn.accept)
    best = min(pairings, key=lambda one: one.cost)
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
    more than any number of arguments, and a harmless call without partner nothing. Only 0 is right.
    """

    def __init__(
        self, alternative: tuple[ExpectedCall, ...], calls: tuple[Call, ...], harmless: Collection[str]
    ) -> None:
        self.alternative = alternative
        self.calls = calls
        costs = [[_cost(expected, call) for call in calls] for expected in alternative]
        alone = [0 if call.name in harmless else _WHOLE_CALL for call in calls]
        # What is saved by pairing a call decides which ones are left over: harmless ones, if any.
        self.pairs = cheapest_pairs([list(map(sub, row, alone)) for row in costs])
        paired = {column for _, column in self.pairs}
        left_over = [alone[column] for column in range(len(calls)) if column not in paired]
        self.free = left_over.count(0)
        missing = len(alternative) - len(self.pairs)
        self.cost = (
            missing * _WHOLE_CALL + sum(left_over) + sum(costs[row][place] for row, place in self.pairs)
        )

    def difference(self) -> str:
        """Say in words what is not right."""
        wanted, made = len(self.alternative), len(self.calls) - self.free
        if made != wanted:
            return f"{_count(made)} where {wanted} {'is' if wanted == 1 else 'are'} expected"
        pairs = ((self.alternative[row], self.calls[column]) for row, column in self.pairs)
        return cut(", ".join(filter(None, (_difference(expected, call) for expected, call in pairs))))


def _difference(expected: ExpectedCall, call: Call) -> str:
    if call.name != expected.name:
        return f"{shown_text(call.name)} called instead of {shown_text(expected.name)}"
    names = ", ".join(map(shown_text, differing(expected, call)))
    return f"{shown_text(expected.name)} differs in {names}" if names else ""


def _count(calls: int) -> str:
    return "1 call" if calls == 1 else f"{calls} calls"


def _cost(expected: ExpectedCall, call: Call) -> int:
    if call.name != expected.name:
        return _WHOLE_CALL
    return min(len(differing(expected, call)), _WHOLE_CALL - 1)
