"""What a comparison could have found."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from harnesslib.stats.intervals import normal_quantile
from harnesslib.stats.paired import exact_p

POWER = 0.8
TYPICAL_SPREAD = 0.053
"""Mean p(1-p) of a usable suite: 15 % flaky cases (0.22 each), the others near 0 or 1 (0.023 each)."""
DISCRETENESS = 1.3
"""The exact test needs so much more gain than a normal one (simulated: 12 to 60 cases, 3 to 5 repeats)."""


def smallest_effect(cases: int, repeats: int, accuracy: float, alpha: float) -> float | None:
    """Return the gain (a share; 0.1 = 10 points) that is found with 80 % power.

    Parameters
    ----------
    cases
        Cases of the suite's part.
    repeats
        Calls per case and arm.
    accuracy
        Served accuracy of the baseline.
    alpha
        One-sided error of the test.

    Returns
    -------
    float or None
        None without calls, or where even a candidate without a single failure would be missed too often.

    Notes
    -----
    Source: normal approximation of the paired comparison on a fixed suite, sqrt(2 spread / (cases repeats))
    as standard error, times a factor for the discreteness of the exact test. Assumes `TYPICAL_SPREAD`, or
    accuracy (1 - accuracy) where that is smaller; right within 2 points for planning.
    """
    calls = cases * repeats
    if calls == 0:
        return None
    spread = min(TYPICAL_SPREAD, accuracy * (1 - accuracy))
    quantiles = normal_quantile(1 - 2 * alpha) + float(special.ndtri(POWER))
    least = _fewest_pairs(repeats, alpha) / calls
    gain = max(least, DISCRETENESS * quantiles * math.sqrt(2 * spread / calls))
    return gain if gain <= 1 - accuracy else None


def _fewest_pairs(repeats: int, alpha: float) -> int:
    """Return the gained passes below which no p-value reaches `alpha` (cases go from never to always)."""
    cases = math.ceil(math.log(alpha) / -math.log(math.comb(2 * repeats, repeats)))
    return cases * repeats


def least_p(baseline_passes: ArrayLike, calls: ArrayLike) -> float:
    """Return the smallest p-value that a candidate can reach: that of one which never fails.

    Parameters
    ----------
    baseline_passes
        Passes of the baseline, one entry per case.
    calls
        Calls per case and arm.

    Notes
    -----
    Source: `paired.exact_p`. Where it is above alpha, the comparison is lost before it begins: one case that
    goes from never to always needs 3 calls per arm for 5 %.

    Examples
    --------
    >>> round(least_p([3, 3, 0], 3), 6)
    0.05
    """
    asked = np.broadcast_to(np.asarray(calls), np.shape(baseline_passes))
    return exact_p(asked, baseline_passes, asked, asked)


def questions_needed(
    effect: float, spread: float, *, alpha: float = 0.05, power: float = POWER, noise: float = 0.0
) -> int:
    """Return how many cases show a difference of two models on new cases of their kind.

    Parameters
    ----------
    effect
        Difference to be found, as a share (0.03 = 3 points).
    spread
        Variance over cases of the difference of the two models' chances to pass; 1/9 is a usual guess.
    alpha
        Two-sided error.
    power
        Chance to find it.
    noise
        Variance of a case's measured difference around its chance: the sum over both models of the mean
        p(1-p) divided by the calls per case.

    Notes
    -----
    Source: E. Miller (2024), Adding error bars to evals, arXiv 2411.00640. Normal approximation;
    assumes that cases are drawn independently.
    """
    quantiles = normal_quantile(1 - alpha) + float(special.ndtri(power))
    return math.ceil(quantiles**2 * (spread + noise) / effect**2)


def repeats_worth(case_variance: float, residual: float, *, case_cost: float = 1.0) -> int | None:
    """Return how many calls per case give the sharpest mean for the money.

    Parameters
    ----------
    case_variance, residual
        Variance of a result due to its case and to itself (`variance.components`).
    case_cost
        Cost of one more case, its calls not counted, in costs of one call.

    Returns
    -------
    int or None
        At least 1; none where cases don't differ, for then only the number of calls counts.

    Notes
    -----
    Source: T. Kalibera and R. Jones (2013), Rigorous benchmarking in reasonable time, ISMM: the square root
    of the ratio of costs times the inverse ratio of variances, rounded up.
    """
    if case_variance <= 0:
        return None
    return max(1, math.ceil(math.sqrt(case_cost * residual / case_variance)))
