"""Prove that a suite can be solved, and that nobody passes it by always calling or by never calling."""

from __future__ import annotations

from collections.abc import Iterator

from harnesslib.records import Call, Case, Suite
from harnesslib.scoring import score
from harnesslib.suites import check, example, rows


def prove(suite: Suite) -> tuple[str, ...]:
    """Return the problems of a suite in words: those of its form, then those that three solvers find.

    Notes
    -----
    The reference solver gives each turn's first accepted answer and must pass every row of every case.
    The one that always makes a first offered call must pass no case that wants none. The one that never
    calls must pass exactly the cases that want no call.
    """
    return check(suite) or tuple(_unproven(suite))


def _unproven(suite: Suite) -> Iterator[str]:
    for case in suite.cases:
        for row in rows(case):
            yield from (f"case {case.id}: {problem}" for problem in _problems(row))


def _problems(case: Case) -> Iterator[str]:
    reference = [tuple(map(example, turn.accept[0])) for turn in case.turns]
    found = score(case, reference, "")
    if found.outcome != "pass":
        yield f"the reference answer does not pass: {found.detail}"
    silent = score(case, [()] * len(case.turns), "").outcome == "pass"
    if silent == case.wants_call:
        yield "never calling passes, though a call is wanted" if silent else "leaving it alone does not pass"
    if not case.wants_call and score(case, [_eager(case)] * len(case.turns), "").outcome == "pass":
        yield "always calling passes, though no call is wanted"


def _eager(case: Case) -> tuple[Call, ...]:
    """Return a call of the first tool that is not harmless here."""
    costly = [name for name in case.tools if name not in case.harmless]
    return (Call(name=(costly or case.tools)[0], arguments={}),)
