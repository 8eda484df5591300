"""Intervals for one share, for the difference of two, and for a quantile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from harnesslib.records import Estimate

LEVEL = 0.95
Side = Literal["two", "lower", "upper"]


def unmeasured(method: str, reason: str, *, level: float = LEVEL, n: int = 0) -> Estimate:
    """Return an estimate that says why there is no number."""
    return Estimate(value=None, low=None, high=None, level=level, n=n, method=method, reason=reason)


def normal_quantile(level: float) -> float:
    """Return z with P(-z < Z < z) = `level` for a standard normal Z."""
    return float(special.ndtri(0.5 + level / 2))


def proportion(passes: float, n: int, *, level: float = LEVEL) -> Estimate:
    """Return a share with its Wilson score interval.

    Parameters
    ----------
    passes
        Successes, 0 to `n`. A fraction is allowed: a sum of `n` observations that lie between 0 and 1.
    n
        Independent observations.
    level
        Confidence of the two-sided interval.

    Notes
    -----
    Source: E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference;
    no continuity correction. Assumes independent observations; where their chances differ from case to case,
    or where an observation is a mean between 0 and 1, their variance is smaller than assumed and the interval
    is wider than it need be.
    """
    if n == 0:
        return unmeasured("Wilson", "no valid sample", level=level)
    low, high = _wilson(passes / n, n, normal_quantile(level))
    return Estimate(value=passes / n, low=low, high=high, level=level, n=n, method="Wilson")


def _wilson(share: float, n: float, z: float) -> tuple[float, float]:
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    low = 0.0 if share <= 0 else max(0.0, centre - half)
    high = 1.0 if share >= 1 else min(1.0, centre + half)
    return low, high


def clopper_pearson(passes: int, n: int, *, level: float = LEVEL, side: Side = "two") -> Estimate:
    """Return a share with its exact interval, or with one exact bound (the other one is then 0 or 1).

    Notes
    -----
    Source: C. J. Clopper and E. S. Pearson (1934), The use of confidence or fiducial limits illustrated in
    the case of the binomial; as quantiles of beta distributions. Assumes independent observations. It holds
    for the mean chance of cases of different difficulty too, where the bound is at least one success away
    from the observed share (W. Hoeffding 1956, theorem 4).
    """
    method = "Clopper-Pearson" if side == "two" else f"Clopper-Pearson, one-sided {side}"
    if n == 0:
        return unmeasured(method, "no valid sample", level=level)
    tail = (1 - level) / 2 if side == "two" else 1 - level
    low, high = 0.0, 1.0
    if side != "upper" and passes > 0:
        low = float(special.betaincinv(passes, n - passes + 1, tail))
    if side != "lower" and passes < n:
        high = float(special.betaincinv(passes + 1, n - passes, 1 - tail))
    return Estimate(value=passes / n, low=low, high=high, level=level, n=n, method=method)


def difference(passes: float, n: int, other_passes: float, other_n: int, *, level: float = LEVEL) -> Estimate:
    """Return the difference of two independent shares (first minus other) with its interval.

    Notes
    -----
    Source: R. G. Newcombe (1998), Interval estimation for the difference between independent proportions,
    method 10 (Wilson limits, squared and added). Assumes independent observations in and between the groups;
    fractions are allowed as in `proportion`.
    """
    method = "Newcombe, independent"
    if n == 0 or other_n == 0:
        return unmeasured(method, "no valid sample on one side", level=level, n=min(n, other_n))
    z = normal_quantile(level)
    share, other = passes / n, other_passes / other_n
    low, high = _wilson(share, n, z)
    other_low, other_high = _wilson(other, other_n, z)
    value = share - other
    return Estimate(
        value=value,
        low=value - math.hypot(share - low, other_high - other),
        high=value + math.hypot(high - share, other - other_low),
        level=level,
        n=min(n, other_n),
        method=method,
    )


class PairedCounts(NamedTuple):
    """Pairs by what their two sides did; fractions are allowed, as sums over pairs of shares."""

    both: float
    first_only: float
    other_only: float
    neither: float

    @classmethod
    def of(cls, first: ArrayLike, other: ArrayLike) -> PairedCounts:
        """Return the counts of two arrays with one share of passes (0 to 1) per pair."""
        mine, theirs = np.asarray(first, dtype=float), np.asarray(other, dtype=float)
        return cls(
            both=float(np.sum(mine * theirs)),
            first_only=float(np.sum(mine * (1 - theirs))),
            other_only=float(np.sum((1 - mine) * theirs)),
            neither=float(np.sum((1 - mine) * (1 - theirs))),
        )


def paired_difference(counts: PairedCounts, *, level: float = LEVEL) -> Estimate:
    """Return the difference of two shares (first minus other) that were measured on the same pairs.

    Parameters
    ----------
    counts
        The pairs, by who passed.
    level
        Confidence of the two-sided interval.

    Notes
    -----
    Source: R. G. Newcombe (1998), Improved confidence intervals for the difference between binomial
    proportions based on paired data, method 10: Wilson limits, squared and added with the correlation phi,
    which is corrected for continuity. Assumes independent pairs. With fractions phi comes out nearer to 0,
    and the interval wider where the sides agree.

    Examples
    --------
    >>> estimate = paired_difference(PairedCounts(36, 12, 2, 0))
    >>> round(estimate.low, 4), round(estimate.high, 4)
    (0.0569, 0.3404)
    """
    method = "Newcombe, paired"
    n = sum(counts)
    if n <= 0:
        return unmeasured(method, "no pair", level=level)
    first, other = (counts.both + counts.first_only) / n, (counts.both + counts.other_only) / n
    z, phi, value = normal_quantile(level), _phi(counts), (counts.first_only - counts.other_only) / n
    low, high = _wilson(first, n, z)
    other_low, other_high = _wilson(other, n, z)
    return Estimate(
        value=value,
        low=max(-1.0, value - _correlated(first - low, other_high - other, phi)),
        high=min(1.0, value + _correlated(high - first, other - other_low, phi)),
        level=level,
        n=round(n),
        method=method,
    )


def _phi(counts: PairedCounts) -> float:
    """Return the correlation of the two sides; a positive one is pulled towards 0 by half a pair."""
    both, first_only, other_only, neither = counts
    scale = (both + first_only) * (other_only + neither) * (both + other_only) * (first_only + neither)
    if scale <= 0:
        return 0.0
    excess = both * neither - first_only * other_only
    if excess > 0:
        excess = max(0.0, excess - sum(counts) / 2)
    return excess / math.sqrt(scale)


def _correlated(one: float, two: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * two + two * two))


def quantile(values: Sequence[float], q: float, *, level: float = LEVEL) -> Estimate:
    """Return a quantile with the interval between two of the observed values.

    Without enough values for both ends to exist, the value stands alone; the reason says how many are needed.

    Notes
    -----
    Source: distribution-free interval from order statistics, H. A. David and H. N. Nagaraja (2003), Order
    Statistics, section 7.1. The number of values below the quantile is binomial (n, q). Assumes independent
    values of one distribution.
    """
    method = f"order statistics, quantile {q:g}"
    n = len(values)
    if n == 0:
        return unmeasured(method, "no sample with an answer", level=level)
    ordered = np.sort(np.asarray(values, dtype=float))
    tail = (1 - level) / 2
    below = special.bdtr(np.arange(n), n, q)
    rank_low = int(np.sum(below <= tail))
    rank_high = int(np.searchsorted(below, 1 - tail)) + 1
    value = float(np.quantile(ordered, q))
    if rank_low == 0 or rank_high > n:
        needed = math.ceil(math.log(tail) / math.log(max(q, 1 - q)))
        reason = f"{n} values are too few for an interval, {needed} are needed"
        return Estimate(value=value, low=None, high=None, level=level, n=n, method=method, reason=reason)
    low, high = float(ordered[rank_low - 1]), float(ordered[rank_high - 1])
    return Estimate(value=value, low=low, high=high, level=level, n=n, method=method)
