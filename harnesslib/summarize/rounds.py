"""A comparison that is measured in rounds: what each look saw, and a p-value that allows for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harnesslib.records import Estimate, LookResult, PolicyConfig, Sample
from harnesslib.stats import designs, sequential

Block: TypeAlias = tuple[Sample, Sample]
"""One case in one repeat: the candidate's sample and the baseline's."""

Counts: TypeAlias = NDArray[np.int64]

IN_ROUNDS = ("confirm", "verify")
"""Stages that are measured in rounds."""


class Looked(NamedTuple):
    """All looks, the p-value of the last one, and the effect with every round at its weight.

    Before the first full sweeps are done nothing can cross, and there is no p-value.
    """

    looks: tuple[LookResult, ...]
    p_value: float | None
    effect: Estimate


def design_of(stage: str, cases: int, policy: PolicyConfig) -> designs.Design:
    """Return the plan by which a stage measures a suite's part of so many cases."""
    if stage == "verify":
        return designs.verify_design(cases)
    return designs.confirm_design(cases, policy.smallest_gain)


def error_of(stage: str, policy: PolicyConfig) -> float:
    """Return the chance of error that the looks of a stage share."""
    return policy.verify_alpha if stage == "verify" else policy.alpha


def pairs(candidate: Iterable[Sample], baseline: Iterable[Sample]) -> dict[str, list[Block]]:
    """Return the valid pairs of every case that was asked, in order of repeat.

    A pair with an infrastructure error in either arm, or with one arm only, counts for neither.
    """
    mine = {(s.case_id, s.repeat, s.session): s for s in candidate}
    theirs = {(s.case_id, s.repeat, s.session): s for s in baseline}
    valid: dict[str, list[Block]] = {key[0]: [] for key in sorted(mine.keys() | theirs.keys())}
    for key in sorted(mine.keys() & theirs.keys()):
        block = mine[key], theirs[key]
        if "infra_error" not in (block[0].outcome, block[1].outcome):
            valid[key[0]].append(block)
    return valid


def look(stage: str, cases: Mapping[str, Sequence[Block]], policy: PolicyConfig) -> Looked | None:
    """Return what the looks of a stage saw; none without a valid pair of calls.

    Parameters
    ----------
    stage
        One of `IN_ROUNDS`.
    cases
        Every case that was asked, with its valid pairs of samples (candidate, baseline); none are allowed.
    policy
        Gives the level, and the gain worth finding.
    """
    rounds = 1 + max((mine.round for blocks in cases.values() for mine, _ in blocks), default=-1)
    if not rounds:
        return None
    design = design_of(stage, len(cases), policy)
    counted = [_counts(cases, number) for number in range(rounds)]
    merged = [_sum(counted[: design.first]), *counted[design.first :]]
    sweeps = [design.sweeps(number) for number in range(len(merged))]
    stages, fractions = sequential.balanced(merged, sweeps), design.fractions()
    test = sequential.SequentialTest(error_of(stage, policy), design.rho)
    tested = test.looks(stages, fractions) if rounds >= design.first else ()
    seen = dict(enumerate(tested, start=design.first - 1))
    results = tuple(
        _result(number, _sum(counted[: number + 1]), seen.get(number), design) for number in range(rounds)
    )
    p = tested[-1].p if tested else None
    return Looked(results, p, _effect(stage, stages, tested))


def _effect(stage: str, stages: Sequence[sequential.Stage], tested: Sequence[sequential.Look]) -> Estimate:
    """Return the effect; of a verification that crossed the one to be credited, less the luck of crossing."""
    if stage == "verify" and tested and tested[-1].crossed:
        return sequential.credited_effect(stages, tested[-1])
    return sequential.weighted_effect(stages)


def totals(cases: Mapping[str, Sequence[Block]]) -> tuple[Counts, Counts, Counts]:
    """Return passes of the candidate, passes of the baseline, and valid pairs, one entry per case."""
    return _columns(list(cases.values()))


def _counts(cases: Mapping[str, Sequence[Block]], number: int) -> tuple[Counts, Counts, Counts, Counts]:
    mine, theirs, pairs = _columns(
        [[block for block in blocks if block[0].round == number] for blocks in cases.values()]
    )
    return mine, theirs, pairs, pairs


def _columns(cases: Sequence[Sequence[Block]]) -> tuple[Counts, Counts, Counts]:
    mine = [sum(block[0].outcome == "pass" for block in blocks) for blocks in cases]
    theirs = [sum(block[1].outcome == "pass" for block in blocks) for blocks in cases]
    return (
        np.array(mine, dtype=int),
        np.array(theirs, dtype=int),
        np.array([len(b) for b in cases], dtype=int),
    )


def _sum(counted: Sequence[tuple[Counts, Counts, Counts, Counts]]) -> tuple[Counts, Counts, Counts, Counts]:
    mine, theirs, calls, their_calls = (np.sum(column, axis=0) for column in zip(*counted, strict=True))
    return mine, theirs, calls, their_calls


def _result(
    number: int,
    so_far: tuple[Counts, Counts, Counts, Counts],
    seen: sequential.Look | None,
    design: designs.Design,
) -> LookResult:
    mine, theirs, calls, _ = so_far
    asked = calls > 0
    gains = (mine[asked] - theirs[asked]) / calls[asked]
    promising = number + 1 not in design.futility_looks and number + 1 < design.first
    return LookResult(
        round=number,
        fraction=seen.fraction if seen else (number + 1) / design.first * design.fractions()[0],
        statistic=seen.statistic if seen else int(mine.sum()),
        critical=seen.critical if seen else None,
        spent=seen.spent if seen else 0.0,
        crossed=bool(seen and seen.crossed),
        futile=not promising
        and sequential.futile(mine, theirs, calls, smallest_gain=design.smallest_gain, level=design.futility),
        effect=float(gains.mean()) if gains.size else None,
        calls=2 * int(calls.sum()),
    )
