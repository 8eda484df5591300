"""How a promotion is measured: what the screen asks, when the confirmation looks, who gets more calls.

A design depends on the number of cases and on the smallest gain worth finding. Nothing here bears on the
error between equal arms, which is exact for any design (`sequential.SequentialTest`); it bears on calls, on
power, and on how sideways moves are treated (one case gained, others worse by the same sum). Arrays hold one
entry per case.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harnesslib.stats.sequential import Integers

Mask: TypeAlias = NDArray[np.bool_]

PRIOR = 0.3
"""Half a case's worth of doubt about a baseline seen a few times: Beta(PRIOR, PRIOR) around its chance."""
SMALLEST_GAIN = 0.10
"""The designs below are for this gain; others are derived from them."""
ENOUGH_CALLS = 210
"""So many calls of an arm see a gain of 10 points, however many cases share them."""
MOST_STAGES = 8
"""More would cost a small suite more calls than a question of 10 points is worth."""
ALONE = 40
"""On fewer cases a single candidate needs no screen."""


class Design(NamedTuple):
    """A way to measure one comparison.

    Parameters
    ----------
    first
        Full sweeps of both arms before the first possible crossing: the least samples per case and arm.
    futility_looks
        Sweeps after which only futility is looked at; all less than `first`.
    ratio
        Later stages ask an unsettled case so often per arm, and a settled one once.
    stages
        Later stages at the most.
    futility
        Stop when so small a gain had less than this chance, were the true one `smallest_gain`.
    smallest_gain
        The gain worth finding (0.1 = 10 points of accuracy).
    rho
        How the chance of error is spread over the looks (see `SequentialTest`).
    screen_rounds
        Calls per headroom case of every candidate that is still in, round by round. Empty: no screen.
    screen_keep
        Share of the candidates that stay after each round (at least one stays).
    go
        Least gain that the screen must promise for a confirmation.
    screen_cases
        The screen uses so many cases of the suite at the most, drawn at random.
    """

    first: int
    futility_looks: tuple[int, ...]
    ratio: int
    stages: int
    futility: float
    smallest_gain: float
    rho: float
    screen_rounds: tuple[int, ...] = ()
    screen_keep: tuple[float, ...] = ()
    go: float = 0.0
    screen_cases: int = 10**9

    def sweeps(self, stage: int) -> int:
        """Return how many sweeps a stage's estimate counts for; stage 0 is the first."""
        return self.first if stage == 0 else self.ratio

    def fractions(self) -> tuple[float, ...]:
        """Return the share of the planned information after each stage."""
        planned = self.first + self.ratio * self.stages
        return tuple((self.first + self.ratio * stage) / planned for stage in range(self.stages + 1))

    def calls_of_stage(
        self, candidate_passes: ArrayLike, baseline_passes: ArrayLike, calls: ArrayLike
    ) -> tuple[Integers, Integers]:
        """Return calls per arm and case of the next stage, and the weights that go with them.

        Parameters
        ----------
        candidate_passes, baseline_passes
            Passes so far, over all stages.
        calls
            Calls so far of either arm.

        Notes
        -----
        It sees a case's passes in both arms together only, never which arm passed: this keeps the test exact.
        A case is settled while all its calls passed, or none. Weight x calls is the same for every case, so
        that a stage estimates the gain without bias.
        """
        passes = np.asarray(candidate_passes, dtype=int) + np.asarray(baseline_passes, dtype=int)
        unsettled = (passes > 0) & (passes < 2 * np.asarray(calls, dtype=int))
        asked: Integers = np.where(unsettled, self.ratio, 1).astype(np.int64)
        return asked, self.ratio // asked

    def most_calls(self, cases: int) -> int:
        """Return the most calls that the confirmation can take, of both arms together."""
        return 2 * cases * (self.first + self.ratio * self.stages)

    def survivors(self, round_index: int, gains: Sequence[float]) -> tuple[int, ...]:
        """Return the candidates that go on after a round of the screen, best first; none ends the screen.

        Parameters
        ----------
        round_index
            0 for the first round. After the last one at most one candidate is left: the one to confirm.
        gains
            `screen_gain` of each candidate that is still in; the earlier one wins a tie.
        """
        order = sorted(range(len(gains)), key=lambda each: -gains[each])
        if not order or gains[order[0]] <= 0:
            return ()
        if round_index < len(self.screen_rounds) - 1:
            return tuple(order[: max(1, math.ceil(self.screen_keep[round_index] * len(order)))])
        return (order[0],) if gains[order[0]] >= self.go else ()


def headroom(baseline_passes: ArrayLike, calls: ArrayLike) -> Mask:
    """Return the cases that the baseline has failed at least once: a gain can come from nowhere else."""
    mask: Mask = np.asarray(baseline_passes, dtype=float) < np.asarray(calls, dtype=float)
    return mask


def screen_gain(
    candidate_passes: ArrayLike,
    candidate_calls: ArrayLike,
    baseline_passes: ArrayLike,
    baseline_calls: ArrayLike,
) -> float:
    """Return the gain over the whole suite that a candidate's calls on the headroom promise.

    0.1 = 10 points. The arrays cover the whole suite; a case that the candidate was not asked counts as no
    gain. The baseline's chances are pulled towards one half, for its failures were what chose the cases.
    """
    passes, calls = np.asarray(candidate_passes, dtype=float), np.asarray(candidate_calls, dtype=float)
    expected = (np.asarray(baseline_passes, dtype=float) + PRIOR) / (
        np.asarray(baseline_calls, dtype=float) + 2 * PRIOR
    )
    asked = calls > 0
    if asked.size == 0:
        return 0.0
    return float(np.sum(passes[asked] / calls[asked] - expected[asked])) / asked.size


def confirm_design(cases: int, smallest_gain: float = 0.10, *, candidates: int = 2) -> Design:
    """Return how to screen the candidates of a suite with so many cases, and to confirm the best of them.

    Parameters
    ----------
    cases
        Cases of the suite's part that is measured.
    smallest_gain
        The gain worth finding. Half of it costs about four times the calls on a small suite. A suite of 120
        cases and more looks for 5 points anyway: the three sweeps that every promotion needs pay for it.
    candidates
        A single candidate of a small suite is confirmed without a screen, which would cost more than it
        saves where there is a gain.

    Notes
    -----
    Source: search by simulation; `python benchmarks/decision_efficiency.py` shows the result. The number of
    later stages makes up for few cases: some 210 calls of an arm are enough to see 10 points.
    """
    base = next(design for most, design in _CONFIRM if cases < most)
    scale = SMALLEST_GAIN / smallest_gain
    sweeps = ENOUGH_CALLS * scale**2 / max(cases, 1)
    stages = round((sweeps - base.first) / base.ratio)
    design = base._replace(
        stages=min(max(stages, 1), math.ceil(MOST_STAGES * scale**2)),
        smallest_gain=max(base.smallest_gain / scale, min(smallest_gain, _VERY_LARGE.smallest_gain)),
        go=base.go / scale,
        screen_rounds=tuple(max(each, round(each * scale)) for each in base.screen_rounds),
    )
    if candidates == 1 and cases < ALONE:
        return design._replace(screen_rounds=(), screen_keep=())
    return design


def verify_design(cases: int) -> Design:
    """Return how an applied change is measured again, on so many cases: no screen, and little haste.

    Every look comes after as many sweeps as keep the credited gain honest (`sequential.without_luck`).
    """
    first, stages, smallest_gain = next(numbers for most, numbers in _VERIFY if cases < most)
    return Design(first, (), 2, stages, 0.02, smallest_gain, 0.5)


_MIDDLE = Design(
    first=3,
    futility_looks=(1, 2),
    ratio=2,
    stages=1,
    futility=0.055,
    smallest_gain=0.10,
    rho=0.7,
    screen_rounds=(1, 1),
    screen_keep=(0.25, 0.0),
    go=0.02,
)
_SMALL = _MIDDLE._replace(
    futility=0.04,
    smallest_gain=0.08,
    rho=1.8,
    screen_rounds=(1, 1, 2),
    screen_keep=(0.25, 0.25, 0.0),
    go=0.02,
)
_LARGE = _MIDDLE._replace(
    futility_looks=(1,),
    futility=0.05,
    smallest_gain=0.08,
    screen_keep=(0.34, 0.0),
    go=0.03,
    screen_cases=60,
)
_VERY_LARGE = _MIDDLE._replace(
    futility_looks=(1,),
    futility=0.05,
    smallest_gain=0.05,
    screen_rounds=(1, 1, 2),
    screen_keep=(0.34, 0.34, 0.0),
    go=0.02,
    screen_cases=80,
)
_CONFIRM = ((24, _SMALL), (60, _MIDDLE), (120, _LARGE), (math.inf, _VERY_LARGE))
"""For fewer cases than the number: how a gain of 10 points is found."""
_VERIFY = (
    (10, (6, 5, 0.10)),
    (16, (5, 4, 0.10)),
    (24, (4, 4, 0.10)),
    (40, (3, 2, 0.10)),
    (120, (2, 2, 0.05)),
    (math.inf, (1, 2, 0.05)),
)
"""For fewer cases than the number: first sweeps, later stages, smallest gain of a verification."""
