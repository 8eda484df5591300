"""Whether a route that nobody changed gets other results than it used to."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

ALLOWANCE = 0.5
"""Shift, in standard deviations, that a cumulative sum takes no notice of."""
LIMIT = 5.0
"""A cumulative sum above it is an alarm."""


def conditional_z(
    passes: ArrayLike, calls: ArrayLike, reference_passes: ArrayLike, reference_calls: ArrayLike
) -> float | None:
    """Return how far passes lie from those of a reference, in standard deviations; none: it can't be said.

    Parameters
    ----------
    passes, calls
        Passes and valid calls now, one entry per case.
    reference_passes, reference_calls
        The same of the reference.

    Notes
    -----
    Source: mean and variance of the exact conditional law of stratified 2x2 tables, A. Agresti (2013),
    Categorical Data Analysis, section 6.4: given a case's passes in both together, those of now are
    hypergeometric. Cases that always pass or always fail say nothing. Assumes independent calls.
    """
    arrays = (np.asarray(a, dtype=float) for a in (passes, calls, reference_passes, reference_calls))
    now, asked, then, asked_then = arrays
    total, number = now + then, asked + asked_then
    mean = total * asked / number
    variance = total * (number - total) * asked * asked_then / (number**2 * np.maximum(number - 1, 1))
    if variance.sum() <= 0:
        return None
    return float((now - mean).sum() / math.sqrt(variance.sum()))


def cumulative_sums(scores: Iterable[float | None]) -> tuple[tuple[float, float], ...]:
    """Return after each score the cumulative sums for worse and for better; an unknown score changes neither.

    Notes
    -----
    Source: tabular CUSUM, D. C. Montgomery, Introduction to Statistical Quality Control, section 9.1, with
    the allowance `ALLOWANCE`. Assumes independent scores with mean 0 and standard deviation 1 as long as
    nothing drifts.
    """
    worse = better = 0.0
    found = []
    for score in scores:
        if score is not None:
            worse = max(0.0, worse - score - ALLOWANCE)
            better = max(0.0, better + score - ALLOWANCE)
        found.append((worse, better))
    return tuple(found)
