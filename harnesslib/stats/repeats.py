"""Repeats of a case: whether one of k calls passes (pass@k), and whether all of k do (pass^k)."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harnesslib.records import Estimate
from harnesslib.stats.intervals import LEVEL, proportion, unmeasured

Floats: TypeAlias = NDArray[np.float64]

MOST = 8
"""Largest k that is reported: beyond it the numbers only say which cases never or always pass."""

FEWEST = 2
"""With one call a case, pass@1 and pass^1 are the accuracy."""


def pass_at_k(passes: ArrayLike, calls: ArrayLike, k: int) -> Floats:
    """Return the chance of each case that at least one of `k` calls passes; nan with fewer than k calls.

    Parameters
    ----------
    passes, calls
        Passes and valid calls, one entry per case.
    k
        Calls, at least 1.

    Notes
    -----
    Source: M. Chen et al. (2021), Evaluating large language models trained on code, arXiv 2107.03374, section
    2.1: 1 - C(n - c, k) / C(n, k), unbiased. Assumes independent calls.
    """
    got, asked = np.broadcast_arrays(np.asarray(passes, dtype=float), np.asarray(calls, dtype=float))
    some: Floats = 1.0 - _all_drawn(asked - got, asked, k)
    return some


def pass_hat_k(passes: ArrayLike, calls: ArrayLike, k: int) -> Floats:
    """Return the chance of each case that all of `k` calls pass (pass^k); nan with fewer than k calls.

    Notes
    -----
    Source: S. Yao et al. (2024), tau-bench, arXiv 2406.12045: C(c, k) / C(n, k), unbiased. Assumes
    independent calls. It is what an application feels that asks k times and never wants to see a failure.
    """
    got, asked = np.broadcast_arrays(np.asarray(passes, dtype=float), np.asarray(calls, dtype=float))
    return _all_drawn(got, asked, k)


def _all_drawn(wanted: Floats, calls: Floats, k: int) -> Floats:
    """Return the chance that k calls, drawn without replacement, are all among the wanted ones."""
    factors = [np.maximum(wanted - drawn, 0.0) / np.maximum(calls - drawn, 1.0) for drawn in range(k)]
    chance = np.prod(np.stack(factors), axis=0)
    known: Floats = np.where(calls >= k, chance, np.nan)
    return known


def common_k(calls: ArrayLike) -> int | None:
    """Return the largest k up to 8 that every repeated case has valid calls for; none without such a case."""
    asked = np.asarray(calls, dtype=int).ravel()
    repeated = asked[asked >= FEWEST]
    return min(MOST, int(repeated.min())) if repeated.size else None


def averaged(chances: ArrayLike, k: int, *, level: float = LEVEL) -> Estimate:
    """Return the mean over cases of `pass_at_k` or `pass_hat_k`, with its interval for new cases.

    Parameters
    ----------
    chances
        One number per case; nan is left out.
    k
        The k that they were computed for, named in `method`.
    level
        Confidence of the two-sided interval.

    Notes
    -----
    Source and assumptions: `intervals.proportion` with a number between 0 and 1 per case.
    """
    numbers = np.asarray(chances, dtype=float).ravel()
    numbers = numbers[~np.isnan(numbers)]
    method = f"mean over cases, k = {k}, Wilson"
    if numbers.size == 0:
        return unmeasured(method, f"no case has {k} valid calls", level=level)
    estimate = proportion(float(numbers.sum()), numbers.size, level=level)
    return Estimate(
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        level=level,
        n=numbers.size,
        method=method,
    )
