"""A candidate beside the baseline, block by block: the same case and repeat, asked back to back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harnesslib.records import Comparison, Estimate, PolicyConfig, Sample, Spec
from harnesslib.stats import guards, intervals, latency, paired, variance
from harnesslib.summarize import rounds
from harnesslib.summarize.rounds import Block
from harnesslib.summarize.specs import answer_time

Counts: TypeAlias = NDArray[np.int64]
Arm: TypeAlias = tuple[Spec, Sequence[Sample]]
Guard: TypeAlias = tuple[Sequence[Sample], Sequence[Sample]]


def compare(
    stage: str, candidate: Arm, baseline: Arm, *, policy: PolicyConfig, guard: Guard = ((), ())
) -> Comparison:
    """Return the comparison of two arms of one stage; each arm is a spec and its samples.

    A block with an infrastructure error in either arm, or with one arm only, is dropped for both. `repeats`
    of the result is the number of blocks of the case that has fewest.

    Parameters
    ----------
    stage
        A stage that is measured in rounds is judged by its sequential test, any other one by a fixed one.
    candidate, baseline
        The two arms.
    policy
        Level, margins, and the gain worth finding.
    guard
        Further samples of both arms, taken to settle a guard: they count for restraint, latency and the
        standard error, and not for the gain.
    """
    cases, dropped = _blocks(candidate[1], baseline[1])
    more, lost_more = _blocks(*guard)
    valid = [blocks for blocks in cases.values() if blocks]
    every = _arms(valid)
    asked = [cases.get(case_id, []) + more.get(case_id, []) for case_id in sorted(cases.keys() | more.keys())]
    unwanted = _arms(blocks for blocks in asked if blocks and not blocks[0][0].wants_call)
    log_ratios = [ratio for ratio in map(_log_ratio, asked) if ratio is not None]
    costs = [ratio for ratio in map(_log_cost_ratio, asked) if ratio is not None]
    differences = _differences(unwanted.cases)
    e_value = guards.non_inferiority_e(differences, policy.restraint_margin) if differences else None
    looked = rounds.look(stage, cases, policy) if stage in rounds.IN_ROUNDS else None
    return Comparison(
        stage=stage,
        phase=candidate[0].phase,
        candidate=candidate[0],
        baseline=baseline[0],
        cases=len(valid),
        repeats=min(map(len, valid), default=0),
        effect=looked.effect if looked else paired.effect(*every.counts),
        p_value=looked.p_value if looked else _exact_p(every, "better"),
        harm_p_value=_exact_p(every, "worse"),
        generalisation=paired.generalisation(*every.counts),
        standard_error=paired.standard_error(*_arms(filter(None, asked)).counts) if valid else None,
        latency_ratio=latency.ratio(log_ratios, level=1 - 2 * policy.alpha),
        latency_p_value=guards.sign_flip_p(log_ratios) if log_ratios else None,
        restraint_effect=_restraint_effect(unwanted),
        restraint_e=e_value,
        restraint_p_value=None if e_value is None else min(1.0, 1 / e_value),
        restraint_harm_p_value=_exact_p(unwanted, "worse"),
        overdispersion_p=_overdispersion(valid),
        dropped_blocks=dropped + lost_more,
        looks=looked.looks if looked else (),
        cost_ratio=latency.ratio(costs, level=1 - 2 * policy.alpha) if costs else None,
    )


class _Arms(NamedTuple):
    """Valid blocks by case, and the counts per case that every paired statistic takes."""

    cases: list[list[Block]]
    counts: tuple[Counts, Counts, Counts, Counts]


def _blocks(candidate: Sequence[Sample], baseline: Sequence[Sample]) -> tuple[dict[str, list[Block]], int]:
    """Return the valid blocks of every case that was asked, and how many blocks were dropped."""
    valid = rounds.pairs(candidate, baseline)
    asked = {(s.case_id, s.repeat, s.session) for arm in (candidate, baseline) for s in arm}
    return valid, len(asked) - sum(map(len, valid.values()))


def _arms(cases: Iterable[list[Block]]) -> _Arms:
    kept = list(cases)
    candidate = np.array([sum(mine.outcome == "pass" for mine, _ in blocks) for blocks in kept], dtype=int)
    baseline = np.array([sum(theirs.outcome == "pass" for _, theirs in blocks) for blocks in kept], dtype=int)
    calls = np.array([len(blocks) for blocks in kept], dtype=int)
    return _Arms(kept, (candidate, baseline, calls, calls))


def _exact_p(arms: _Arms, alternative: paired.Alternative) -> float | None:
    return paired.exact_p(*arms.counts, alternative) if arms.cases else None


def _restraint_effect(unwanted: _Arms) -> Estimate:
    if not unwanted.cases:
        return intervals.unmeasured("restraint", "no case here wants no call")
    return paired.effect(*unwanted.counts)


def _differences(cases: Sequence[Sequence[Block]]) -> list[int]:
    """Return candidate minus baseline, one entry in {-1, 0, 1} per block."""
    return [
        (mine.outcome == "pass") - (theirs.outcome == "pass") for blocks in cases for mine, theirs in blocks
    ]


def _log_ratio(blocks: Sequence[Block]) -> float | None:
    """Return the mean log ratio of a case's times over the blocks that both arms passed.

    A conversation that went wrong may have been a short one: to compare it would punish who gets to the end.
    """
    both = [block for block in blocks if block[0].outcome == block[1].outcome == "pass"]
    times = [(answer_time(mine), answer_time(theirs)) for mine, theirs in both]
    ratios = [np.log(mine / theirs) for mine, theirs in times if mine is not None and theirs is not None]
    return float(np.mean(ratios)) if ratios else None


def _log_cost_ratio(blocks: Sequence[Block]) -> float | None:
    """Return the log ratio of what a case cost in both arms; none where that is not known, or nothing."""
    known = [(mine.cost, theirs.cost) for mine, theirs in blocks if mine.cost and theirs.cost]
    return float(np.log(sum(a for a, _ in known) / sum(b for _, b in known))) if known else None


def _overdispersion(cases: Sequence[Sequence[Block]]) -> float | None:
    """Look for sweeps in which both arms did worse or better, over the sweeps that every case has."""
    least = min(map(len, cases), default=0)
    rows = [[block[arm].outcome == "pass" for block in blocks[:least]] for blocks in cases for arm in (0, 1)]
    return variance.overdispersion_p(rows) if rows else None
