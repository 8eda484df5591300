"""Several questions at once: p-values and e-values that stay honest when the best one is picked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def false_discovery(p_values: ArrayLike) -> tuple[float, ...]:
    """Return adjusted p-values: those up to q have, on average, a share of at most q that is false.

    Parameters
    ----------
    p_values
        One per question, in any order; none may be nan.

    Notes
    -----
    Source: Y. Benjamini and Y. Hochberg (1995), Controlling the false discovery rate, through
    `scipy.stats.false_discovery_control`. Assumes p-values that are independent or positively dependent. It
    is for a report over many routes or suites; a cycle confirms one candidate, and needs no correction.
    """
    from scipy import stats

    numbers = np.asarray(p_values, dtype=float).ravel()
    return tuple(stats.false_discovery_control(numbers).tolist()) if numbers.size else ()


def family_wise(p_values: ArrayLike) -> tuple[float, ...]:
    """Return adjusted p-values: the chance that any of those up to alpha is false is at most alpha.

    Notes
    -----
    Source: S. Holm (1979), A simple sequentially rejective multiple test procedure. Assumes nothing about how
    the p-values depend on each other.
    """
    numbers = np.asarray(p_values, dtype=float).ravel()
    order = np.argsort(numbers, kind="stable")
    steps = numbers[order] * (numbers.size - np.arange(numbers.size))
    adjusted = np.empty_like(numbers)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return tuple(adjusted.tolist())


def e_discoveries(e_values: ArrayLike, alpha: float) -> tuple[bool, ...]:
    """Return which of several e-values are discoveries with a share of false ones of at most `alpha`.

    Parameters
    ----------
    e_values
        One per question, at least 0; each has an expected value of at most 1 where nothing is to be found.
    alpha
        Tolerated share of false discoveries (0.05 = 5 %).

    Notes
    -----
    Source: R. Wang and A. Ramdas (2022), False discovery rate control with e-values (e-BH): the k largest,
    for the largest k whose smallest is at least questions / (k alpha). Assumes nothing about how they depend
    on each other, nor about when each was looked at.
    """
    numbers = np.asarray(e_values, dtype=float).ravel()
    largest = np.sort(numbers)[::-1]
    enough = np.flatnonzero(largest * np.arange(1, numbers.size + 1) * alpha >= numbers.size)
    if enough.size == 0:
        return (False,) * numbers.size
    return tuple((numbers >= largest[enough[-1]]).tolist())
