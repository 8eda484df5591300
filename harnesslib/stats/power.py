"""What a comparison could have found."""

from __future__ import annotations

import math

from scipy import special

from harnesslib.stats.intervals import normal_quantile

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
