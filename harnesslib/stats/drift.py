"""Whether what is measured every cycle has moved: online, cycle by cycle.

`changepoints` looks back at a whole series instead.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from harnesslib.records import Significance
from harnesslib.stats.paired import Alternative, exact_p

Floats: TypeAlias = NDArray[np.float64]
Direction = Literal["worse", "better"]

ALLOWANCE = 0.5
"""Standard deviations a cycle that are let pass; shifts of twice that are found fastest."""

LIMIT = 5.0
"""Standard deviations that are summed up before an alarm: one in 465 quiet cycles."""

SINGLE_LIMIT = 0.00135
"""One cycle alone is an alarm at this p-value, that of three standard deviations."""

REFERENCE = 8
"""Cycles at the start that the later ones are compared with."""


class Cusum(NamedTuple):
    """Sums of deviations, one entry per cycle; `alarm` is the first cycle beyond the limit, or none."""

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    alarm: int | None
    direction: Direction | None


class Watch(NamedTuple):
    """A history, one entry per cycle after the reference; cycles are counted from the start of the history.

    `alarm` is the first cycle in which either the sums or a single cycle went beyond their limit.
    """

    first_cycle: int
    tests: tuple[Significance, ...]
    cusum: Cusum
    alarm: int | None
    direction: Direction | None


def shift(
    passes: ArrayLike,
    calls: ArrayLike,
    reference_passes: ArrayLike,
    reference_calls: ArrayLike,
    alternative: Alternative = "worse",
) -> Significance:
    """Return the test of "this cycle is worse (better) than the reference" on the same cases.

    Parameters
    ----------
    passes, calls
        Of this cycle, one entry per case; a number of calls stands for all cases.
    reference_passes, reference_calls
        The same, summed over the cycles of the reference.
    alternative
        What a small p-value speaks for.

    Returns
    -------
    Significance
        `statistic` is z: how many standard deviations this cycle lies above (below, if negative) what the
        reference makes expect. `n` counts cases with calls on both sides.

    Notes
    -----
    Source: exact conditional law of `paired.null_law`, its mean and variance summed over hypergeometric
    cases. Assumes calls of a case that are interchangeable between this cycle and the reference.

    Examples
    --------
    >>> found = shift((1, 3, 0, 3), 3, (24, 24, 12, 24), 24)
    >>> round(found.statistic, 4), round(found.p_value, 5)
    (-3.3284, 0.00133)
    """
    method = "exact conditional test of this cycle and the reference"
    words = f"this cycle is {alternative} than the reference"
    table = np.stack(np.broadcast_arrays(passes, calls, reference_passes, reference_calls)).reshape(4, -1)
    table = table[:, (table[1] > 0) & (table[3] > 0)].astype(int)
    if table.shape[1] == 0:
        reason = "no case was measured in both"
        return Significance(
            p_value=None, statistic=None, n=0, method=method, alternative=words, reason=reason
        )
    mine, my_calls, theirs, their_calls = table
    p = exact_p(mine, theirs, my_calls, their_calls, alternative)
    z = _standardized(*table.astype(float))
    return Significance(p_value=p, statistic=z, n=table.shape[1], method=method, alternative=words)


def _standardized(passes: Floats, calls: Floats, reference_passes: Floats, reference_calls: Floats) -> float:
    """Return z of the passes given each case's passes in both; 0 where these leave no freedom."""
    total, size = passes + reference_passes, calls + reference_calls
    expected = total * calls / size
    variance = total * (size - total) * calls * reference_calls / (size * size * (size - 1))
    spread = float(np.sqrt(variance.sum()))
    return float((passes - expected).sum()) / spread if spread > 0 else 0.0


def cusum(z: ArrayLike, *, allowance: float = ALLOWANCE, limit: float = LIMIT) -> Cusum:
    """Return the sums of deviations of a series, and when they first went beyond the limit.

    Parameters
    ----------
    z
        Standardized values, one per cycle, in order.
    allowance, limit
        In standard deviations.

    Notes
    -----
    Source: E. S. Page (1954), Continuous inspection schemes; both sides, as in D. C. Montgomery, Introduction
    to Statistical Quality Control, section 9.1. Assumes independent values with mean 0 and deviation 1 as
    long as nothing has moved.
    """
    low = high = 0.0
    lower: list[float] = []
    upper: list[float] = []
    for value in np.asarray(z, dtype=float).ravel().tolist():
        low, high = max(0.0, low - value - allowance), max(0.0, high + value - allowance)
        lower.append(low)
        upper.append(high)
    beyond = np.maximum(lower, upper) > limit if lower else np.zeros(0, dtype=bool)
    if not beyond.any():
        return Cusum(tuple(lower), tuple(upper), None, None)
    alarm = int(np.argmax(beyond))
    return Cusum(tuple(lower), tuple(upper), alarm, "worse" if lower[alarm] > limit else "better")


def run_length(
    moved: float, *, allowance: float = ALLOWANCE, limit: float = LIMIT, states: int = 400
) -> float:
    """Return after how many cycles `cusum` gives an alarm, on average.

    Parameters
    ----------
    moved
        Shift of the mean in standard deviations; 0 gives the cycles between two false alarms.
    allowance, limit
        As in `cusum`.
    states
        Steps into which the sum is cut.

    Notes
    -----
    Source: D. Brook and D. A. Evans (1972), An approach to the probability distribution of CUSUM run length
    (Markov chain); both sides joined by adding their rates. Assumes independent normal values.
    """
    rates = [1 / _one_sided_length(way, allowance, limit, states) for way in (moved, -moved)]
    return 1 / sum(rates)


def _one_sided_length(moved: float, allowance: float, limit: float, states: int) -> float:
    width = 2 * limit / (2 * states - 1)
    middles = np.arange(states) * width
    highest = middles[None, :] + width / 2 - middles[:, None] + allowance - moved
    chances = special.ndtr(highest) - special.ndtr(highest - width)
    chances[:, 0] = special.ndtr(highest[:, 0])
    return float(np.linalg.solve(np.eye(states) - chances, np.ones(states))[0])


def watch(passes: ArrayLike, calls: ArrayLike, *, reference: int = REFERENCE) -> Watch:
    """Return what a history says about drift: every cycle after the reference, and the first alarm.

    Parameters
    ----------
    passes, calls
        Cycles (rows, oldest first) by cases (columns) of one spec; 0 calls where a case was not measured.
    reference
        Cycles at the start that the others are compared with. After a drift that was confirmed, begin with
        the cycle that showed it: a reference that no longer holds makes every cycle an alarm.

    Notes
    -----
    Source: `shift`, `cusum`, and W. A. Shewhart's limit of three deviations for a single cycle, exact in both
    directions. Assumes calls that are interchangeable between cycles as long as nothing has moved. An alarm
    is a suspicion: measure old against new with fresh, alternating calls before anything is done.
    """
    got, asked = np.atleast_2d(np.asarray(passes, dtype=int)), np.atleast_2d(np.asarray(calls, dtype=int))
    base = got[:reference].sum(axis=0), asked[:reference].sum(axis=0)
    rows = range(reference, got.shape[0])
    worse = tuple(shift(got[row], asked[row], *base) for row in rows)
    better = tuple(shift(got[row], asked[row], *base, "better") for row in rows)
    sums = cusum([test.statistic or 0.0 for test in worse])
    alarms = [*_single_alarms(worse, "worse"), *_single_alarms(better, "better")]
    if sums.alarm is not None and sums.direction is not None:
        alarms.append((sums.alarm, sums.direction))
    first, direction = min(alarms, default=(None, None))
    alarm = None if first is None else reference + first
    return Watch(reference, worse, sums, alarm, direction)


def _single_alarms(tests: tuple[Significance, ...], direction: Direction) -> list[tuple[int, Direction]]:
    return [
        (place, direction)
        for place, test in enumerate(tests)
        if test.p_value is not None and test.p_value <= SINGLE_LIMIT
    ]
