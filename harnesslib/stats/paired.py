"""Two arms on the same cases: whether one is better, by how much, and how far that holds on other cases.

Arrays hold one entry per case: passes of an arm, and its valid calls (a number stands for all cases).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from harnesslib.records import Estimate
from harnesslib.stats.intervals import LEVEL, normal_quantile, unmeasured

Floats: TypeAlias = NDArray[np.float64]
Alternative = Literal["better", "worse"]


@lru_cache(maxsize=4096)
def _case_law(candidate_calls: int, baseline_calls: int, total: int) -> tuple[int, Floats]:
    """Return the least number of `total` passes the candidate can have, and the chances from it on."""
    least, most = max(0, total - baseline_calls), min(candidate_calls, total)
    ways = [
        math.comb(candidate_calls, passes) * math.comb(baseline_calls, total - passes)
        for passes in range(least, most + 1)
    ]
    return least, np.array(ways, dtype=float) / math.comb(candidate_calls + baseline_calls, total)


def null_law(
    candidate_passes: ArrayLike,
    baseline_passes: ArrayLike,
    candidate_calls: ArrayLike,
    baseline_calls: ArrayLike,
) -> tuple[int, Floats]:
    """Return the law of the candidate's passes, summed over cases, if the arms were interchangeable.

    Returns
    -------
    tuple
        The least possible sum, and the chances of that sum and of every following one.

    Notes
    -----
    Source: exact conditional test of stratified 2x2 tables (exact Cochran-Mantel-Haenszel); see A. Agresti
    (2013), Categorical Data Analysis, section 7.3. Given a case's passes in both arms together, the
    candidate's share of them is hypergeometric; the sum over cases is their convolution. Assumes that the
    calls of a case are interchangeable between the arms under the null hypothesis, hence calls of both arms
    that alternate in time.
    """
    least, law = 0, np.ones(1)
    arrays = np.broadcast_arrays(candidate_passes, baseline_passes, candidate_calls, baseline_calls)
    for mine, theirs, my_calls, their_calls in np.stack(arrays, axis=-1).astype(int).tolist():
        lowest, chances = _case_law(my_calls, their_calls, mine + theirs)
        least += lowest
        if len(chances) > 1:
            law = np.convolve(law, chances)
    return least, law


def exact_p(
    candidate_passes: ArrayLike,
    baseline_passes: ArrayLike,
    candidate_calls: ArrayLike,
    baseline_calls: ArrayLike,
    alternative: Alternative = "better",
) -> float:
    """Return the exact one-sided p-value of "the candidate is better (worse) on these cases".

    Notes
    -----
    Source and assumptions: `null_law`. It speaks about this suite: noise is that of repeated calls only. When
    single cases get better and others worse by the same sum, the test
    is conservative, for p(1-p) is concave.
    """
    least, law = null_law(candidate_passes, baseline_passes, candidate_calls, baseline_calls)
    at = int(np.sum(candidate_passes)) - least
    tail = law[at:] if alternative == "better" else law[: at + 1]
    return float(min(1.0, tail.sum()))


def standard_error(
    candidate_passes: ArrayLike,
    baseline_passes: ArrayLike,
    candidate_calls: ArrayLike,
    baseline_calls: ArrayLike,
) -> float | None:
    """Return the standard error of the difference of accuracy on these cases, in shares.

    Notes
    -----
    Source: binomial variance per case and arm with half a pass and half a failure added (A. Agresti and
    B. Caffo 2000 for the idea), because no variance was seen does not mean that there is none.
    """
    variance, cases = 0.0, 0
    for passes, calls in ((candidate_passes, candidate_calls), (baseline_passes, baseline_calls)):
        got, asked = np.broadcast_arrays(np.asarray(passes, dtype=float), np.asarray(calls, dtype=float))
        cases = got.size
        chance = (got + 0.5) / (asked + 1)
        variance += float(np.sum(chance * (1 - chance) / asked))
    return math.sqrt(variance) / cases if cases else None


def effect(
    candidate_passes: ArrayLike,
    baseline_passes: ArrayLike,
    candidate_calls: ArrayLike,
    baseline_calls: ArrayLike,
    *,
    level: float = LEVEL,
) -> Estimate:
    """Return the difference of accuracy on these very cases (0.1 = 10 points), every case weighing the same.

    Notes
    -----
    Source: normal interval around the mean of the case differences, with `standard_error`. Assumes
    independent calls; wider than need be where most cases always pass or always fail.
    """
    method = "mean of case differences, smoothed standard error"
    gains = _case_gains(candidate_passes, baseline_passes, candidate_calls, baseline_calls)
    error = standard_error(candidate_passes, baseline_passes, candidate_calls, baseline_calls)
    if error is None:
        return unmeasured(method, "no case was measured in both arms", level=level)
    return _around(float(gains.mean()), normal_quantile(level) * error, gains.size, level, method)


def generalisation(
    candidate_passes: ArrayLike,
    baseline_passes: ArrayLike,
    candidate_calls: ArrayLike,
    baseline_calls: ArrayLike,
    *,
    level: float = LEVEL,
) -> Estimate:
    """Return the same difference with the interval for new cases of this kind.

    Notes
    -----
    Source: E. Miller (2024), Adding error bars to evals, arXiv 2411.00640: differences paired and clustered
    by case, here with Student's t on cases - 1 degrees of freedom. Never narrower than the interval for these
    cases. Assumes that the suite is a random draw of such cases; coarse below some 30 cases.
    """
    method = "Student t over cases"
    gains = _case_gains(candidate_passes, baseline_passes, candidate_calls, baseline_calls)
    within = standard_error(candidate_passes, baseline_passes, candidate_calls, baseline_calls)
    if within is None or gains.size < 2:  # noqa: PLR2004 - a spread needs two
        return unmeasured(method, "fewer than 2 cases were measured in both arms", level=level, n=gains.size)
    error = max(float(gains.std(ddof=1)) / math.sqrt(gains.size), within)
    half = float(special.stdtrit(gains.size - 1, 0.5 + level / 2)) * error
    return _around(float(gains.mean()), half, gains.size, level, method)


def _case_gains(
    candidate_passes: ArrayLike,
    baseline_passes: ArrayLike,
    candidate_calls: ArrayLike,
    baseline_calls: ArrayLike,
) -> Floats:
    mine = np.asarray(candidate_passes, dtype=float) / np.asarray(candidate_calls, dtype=float)
    theirs = np.asarray(baseline_passes, dtype=float) / np.asarray(baseline_calls, dtype=float)
    gains: Floats = mine - theirs
    return gains


def _around(value: float, half: float, n: int, level: float, method: str) -> Estimate:
    low, high = max(-1.0, value - half), min(1.0, value + half)
    return Estimate(value=value, low=low, high=high, level=level, n=n, method=method)
