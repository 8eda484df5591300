"""A candidate beside the baseline, block by block: the same case and repeat, asked back to back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harnesslib.records import Comparison, Estimate, PolicyConfig, Sample, Spec
from harnesslib.stats import guards, intervals, latency, paired, variance
from harnesslib.summarize.specs import answer_time

Counts: TypeAlias = NDArray[np.int64]
Block: TypeAlias = tuple[Sample, Sample]
Arm: TypeAlias = tuple[Spec, Sequence[Sample]]


def compare(stage: str, candidate: Arm, baseline: Arm, *, policy: PolicyConfig) -> Comparison:
    """Return the comparison of two arms of one stage; each arm is a spec and its samples.

    A block with an infrastructure error in either arm, or with one arm only, is dropped for both. `repeats`
    of the result is the number of blocks of the case that has fewest.
    """
    cases, dropped = _blocks(candidate[1], baseline[1])
    every = _arms(cases)
    unwanted = _arms(blocks for blocks in cases if not blocks[0][0].wants_call)
    log_ratios = [ratio for ratio in map(_log_ratio, cases) if ratio is not None]
    lost = _differences(unwanted.cases)
    return Comparison(
        stage=stage,
        phase=candidate[0].phase,
        candidate=candidate[0],
        baseline=baseline[0],
        cases=len(cases),
        repeats=min(map(len, cases), default=0),
        effect=paired.effect(*every.counts),
        p_value=_exact_p(every, "better"),
        harm_p_value=_exact_p(every, "worse"),
        generalisation=paired.generalisation(*every.counts),
        standard_error=paired.standard_error(*every.counts),
        latency_ratio=latency.ratio(log_ratios, level=1 - 2 * policy.alpha),
        latency_p_value=guards.sign_flip_p(log_ratios) if log_ratios else None,
        restraint_effect=_restraint_effect(unwanted),
        restraint_e=guards.non_inferiority_e(lost, policy.restraint_margin) if lost else None,
        restraint_p_value=guards.non_inferiority_p(lost, policy.restraint_margin) if lost else None,
        restraint_harm_p_value=_exact_p(unwanted, "worse"),
        overdispersion_p=_overdispersion(cases),
        dropped_blocks=dropped,
    )


class _Arms(NamedTuple):
    """Valid blocks by case, and the counts per case that every paired statistic takes."""

    cases: list[list[Block]]
    counts: tuple[Counts, Counts, Counts, Counts]


def _blocks(candidate: Iterable[Sample], baseline: Iterable[Sample]) -> tuple[list[list[Block]], int]:
    """Return the valid blocks of every case that has one, and how many blocks were dropped."""
    mine = {(s.case_id, s.repeat, s.session): s for s in candidate}
    theirs = {(s.case_id, s.repeat, s.session): s for s in baseline}
    valid: dict[str, list[Block]] = defaultdict(list)
    for key in sorted(mine.keys() & theirs.keys()):
        block = mine[key], theirs[key]
        if "infra_error" not in (block[0].outcome, block[1].outcome):
            valid[key[0]].append(block)
    kept = sum(map(len, valid.values()))
    return list(valid.values()), len(mine.keys() | theirs.keys()) - kept


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
    """Return the mean log ratio of a case's times over the blocks that both arms answered."""
    times = [(answer_time(mine), answer_time(theirs)) for mine, theirs in blocks]
    ratios = [np.log(mine / theirs) for mine, theirs in times if mine is not None and theirs is not None]
    return float(np.mean(ratios)) if ratios else None


def _overdispersion(cases: Sequence[Sequence[Block]]) -> float | None:
    """Look for repeats in which both arms did worse or better, over the cases that have every repeat."""
    full = max(map(len, cases), default=0)
    rows = [
        [block[arm].outcome == "pass" for block in blocks]
        for blocks in cases
        if len(blocks) == full
        for arm in (0, 1)
    ]
    return variance.overdispersion_p(rows) if rows else None
