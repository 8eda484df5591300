"""Intervals by resampling, for numbers whose distribution is skewed or unknown."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harnesslib.records import Estimate
from harnesslib.stats.intervals import LEVEL, unmeasured

Floats: TypeAlias = NDArray[np.float64]
Kind = Literal["BCa", "percentile", "basic"]

RESAMPLES = 9999
BATCH = 1000
"""Resamples that are held in memory at a time."""


def mean(
    values: ArrayLike,
    *,
    kind: Kind = "BCa",
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return the mean with its bootstrap interval.

    Parameters
    ----------
    values
        Independent numbers, usually one per case; any unit.
    kind
        "BCa" corrects for skew and bias; "percentile" and "basic" don't.
    level
        Confidence of the two-sided interval.
    resamples
        Times that the values are drawn anew; 9999 leave an error of some 2 % in a bound.
    seed
        Seed of the resamples.

    Notes
    -----
    Source: B. Efron (1987), Better bootstrap confidence intervals, through `scipy.stats.bootstrap`. Assumes
    independent values of one distribution; a little too narrow for few or very skewed ones.
    """
    return _Bootstrap(kind, level, resamples, seed).estimate(values, np.mean, "mean")


def quantile(
    values: ArrayLike,
    q: float,
    *,
    kind: Kind = "BCa",
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Return a quantile with its bootstrap interval.

    Notes
    -----
    Source and assumptions: `mean`. `intervals.quantile` is exact and asks for more values at the tails; this
    one interpolates, and can't go beyond the largest value seen.
    """
    run = _Bootstrap(kind, level, resamples, seed)
    return run.estimate(values, partial(np.quantile, q=q), f"quantile {q:g}")


class _Bootstrap(NamedTuple):
    kind: Kind
    level: float
    resamples: int
    seed: int

    def estimate(self, values: ArrayLike, statistic: Callable[..., Floats], name: str) -> Estimate:
        """Return the statistic with its interval, or without one where nothing varied."""
        method, numbers = f"bootstrap {self.kind}, {name}", np.asarray(values, dtype=float).ravel()
        n = numbers.size
        if n == 0:
            return unmeasured(method, "no value", level=self.level)
        low, high, reason = None, None, ""
        bounds = self.bounds(numbers, statistic) if numbers.min() < numbers.max() else None
        if bounds is None or np.isnan(bounds).any():
            reason = (
                "the values don't vary enough: no spread was seen, which does not mean that there is none"
            )
        else:
            low, high = bounds
        value = float(statistic(numbers))
        return Estimate(value=value, low=low, high=high, level=self.level, n=n, method=method, reason=reason)

    def bounds(self, numbers: Floats, statistic: Callable[..., Floats]) -> tuple[float, float]:
        """Return both bounds; nan where all resamples but a few agree."""
        from scipy import stats

        with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)
            interval = stats.bootstrap(
                (numbers,),
                statistic,
                n_resamples=self.resamples,
                batch=BATCH,
                confidence_level=self.level,
                method=self.kind,
                rng=np.random.default_rng(self.seed),
            ).confidence_interval
        return float(interval.low), float(interval.high)
