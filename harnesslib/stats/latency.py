"""How much longer a candidate takes: typically, and in its tail; paired by case."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from harnesslib.records import Estimate
from harnesslib.stats.intervals import LEVEL, unmeasured

RESAMPLES = 1999

FEWEST_CASES = 5
"""Cases below which resampling can't show their spread."""


def hodges_lehmann(values: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """Return the centre of a symmetric distribution with its exact interval.

    Parameters
    ----------
    values
        Independent numbers, usually one difference per case.
    level
        Confidence of the two-sided interval; 0.90 gives bounds that each hold at 95 %.

    Notes
    -----
    Source: J. L. Hodges and E. L. Lehmann (1963), Estimates of location based on rank tests: the median of
    all pairwise means (Walsh averages); interval by inverting the signed-rank test, M. Hollander and D. A.
    Wolfe, Nonparametric Statistical Methods, section 3.3. Assumes symmetry.
    """
    method = "Hodges-Lehmann, signed-rank interval"
    numbers = np.asarray(values, dtype=float).ravel()
    n = numbers.size
    if n == 0:
        return unmeasured(method, "no case was answered in both arms", level=level)
    rows, columns = np.triu_indices(n)
    means = np.sort((numbers[rows] + numbers[columns]) / 2)
    value = float(np.median(means))
    rank = int(np.searchsorted(np.cumsum(_signed_rank_law(n)), (1 - level) / 2 - 1e-12))
    if rank == 0:
        needed = math.floor(-math.log2((1 - level) / 2)) + 1
        reason = f"{n} cases are too few for an interval, {needed} are needed"
        return Estimate(value=value, low=None, high=None, level=level, n=n, method=method, reason=reason)
    low, high = float(means[rank - 1]), float(means[-rank])
    return Estimate(value=value, low=low, high=high, level=level, n=n, method=method)


def _signed_rank_law(n: int) -> NDArray[np.float64]:
    """Return the chances of a signed-rank sum of 0, 1, ..., n(n+1)/2 under symmetry."""
    law = np.zeros(n * (n + 1) // 2 + 1)
    law[0] = 1.0
    for rank in range(1, n + 1):
        shifted = np.zeros_like(law)
        shifted[rank:] = law[:-rank]
        law = (law + shifted) / 2
    return law


def ratio(log_ratios: ArrayLike, *, level: float = LEVEL) -> Estimate:
    """Return the typical ratio of two times (1.2 = 20 % longer) from one log ratio per case.

    Notes
    -----
    Source and assumptions: `hodges_lehmann` on the logarithms.
    """
    centre = hodges_lehmann(log_ratios, level=level)
    return msgspec.structs.replace(
        centre,
        value=None if centre.value is None else math.exp(centre.value),
        low=None if centre.low is None else math.exp(centre.low),
        high=None if centre.high is None else math.exp(centre.high),
        method=f"exp of {centre.method}",
    )


def quantile_shift(
    candidate_s: ArrayLike, baseline_s: ArrayLike, q: float, *, level: float = LEVEL, seed: int = 0
) -> Estimate:
    """Return by how many seconds a quantile of the candidate's times lies above that of the baseline's.

    Parameters
    ----------
    candidate_s, baseline_s
        Seconds per case (rows, the same in both) and repeat (columns); nan where there is no answer.
    q
        Quantile: 0.5 for the typical answer, 0.95 for the slow ones.
    level
        Confidence of the two-sided interval.
    seed
        Seed of the resamples.

    Returns
    -------
    Estimate
        `n` counts cases with answers in both arms; the others are left out.

    Notes
    -----
    Source: K. A. Doksum (1974), Empirical probability plots and statistical inference for nonlinear models
    (the shift function); interval by resampling whole cases, for their repeats are not independent, and the
    same ones in both arms. Assumes independent cases; for a tail it needs some 10 answers beyond q.
    """
    method = f"difference of quantiles {q:g}, cases resampled"
    mine, theirs = np.asarray(candidate_s, dtype=float), np.asarray(baseline_s, dtype=float)
    both = ~np.isnan(mine).all(axis=1) & ~np.isnan(theirs).all(axis=1)
    mine, theirs = mine[both], theirs[both]
    n = len(mine)
    if n == 0:
        return unmeasured(method, "no case was answered in both arms", level=level)
    value = float(np.nanquantile(mine, q) - np.nanquantile(theirs, q))
    if n < FEWEST_CASES:
        reason = f"{n} cases are too few for an interval, {FEWEST_CASES} are needed"
        return Estimate(value=value, low=None, high=None, level=level, n=n, method=method, reason=reason)
    drawn = np.random.default_rng(seed).integers(n, size=(RESAMPLES, n))
    shifts = [np.nanquantile(mine[rows], q) - np.nanquantile(theirs[rows], q) for rows in drawn]
    low, high = np.quantile(shifts, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Estimate(value=value, low=low, high=high, level=level, n=n, method=method)
