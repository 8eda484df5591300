"""Where a series changed its level: looking back, for the report."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats: TypeAlias = NDArray[np.float64]

WINDOW = 50
"""Values that are looked at together: what is longer ago does not hide a change."""

SHORTEST = 3
"""Values that a level lasts at least: fewer are outliers."""

WEAK_P, STRICT_P = 0.01, 0.001
"""A split is tried from the weak p-value on, and stays if its final neighbours reach the strict one."""


class Split(NamedTuple):
    """The best split of a stretch: place of the first value of the new level, its end, and its energy."""

    at: int
    end: int
    energy: float


class ChangePoint(NamedTuple):
    """Place of the first value of a new level, the mean before and after, and how surprising the step is."""

    at: int
    before: float
    after: float
    p_value: float


def best_split(values: ArrayLike) -> Split | None:
    """Return where a series splits best into an old level and a new one that may end again.

    Parameters
    ----------
    values
        Numbers in order of time; any unit.

    Returns
    -------
    Split or None
        None with fewer than 6 values: each level lasts at least 3.

    Notes
    -----
    Source: D. S. Matteson and N. A. James (2014), A nonparametric approach for multiple change point analysis
    of multivariate data (E-divisive): the energy statistic with exponent 1, largest over the split and over
    the end of the new level. Assumes independent values with a finite mean.
    """
    numbers = np.asarray(values, dtype=float).ravel()
    n = numbers.size
    if n < 2 * SHORTEST:
        return None
    sums = np.zeros((n + 1, n + 1))
    sums[1:, 1:] = np.abs(numbers[:, None] - numbers[None, :]).cumsum(axis=0).cumsum(axis=1)
    splits, ends = np.arange(n + 1)[:, None], np.arange(n + 1)[None, :]
    allowed = (splits >= SHORTEST) & (ends - splits >= SHORTEST)
    first, second = np.maximum(splits, 2), np.maximum(ends - splits, 2)
    whole = np.diag(sums)
    inside_first = whole[:, None] / 2
    inside_second = (whole[None, :] - 2 * sums + whole[:, None]) / 2
    across = sums - whole[:, None]
    within = inside_first * second / (first - 1) + inside_second * first / (second - 1)
    energy = np.where(allowed, 2 * (across - within) / (first + second), -math.inf)
    index, end = np.unravel_index(int(energy.argmax()), energy.shape)
    return Split(int(index), int(end), float(energy.max()))


def change_points(
    values: ArrayLike, *, window: int = WINDOW, weak_p: float = WEAK_P, strict_p: float = STRICT_P
) -> tuple[ChangePoint, ...]:
    """Return where a series changed its level.

    Parameters
    ----------
    values
        Numbers in order of time, such as accuracy by cycle.
    window
        Values that are looked at together, at least 6.
    weak_p, strict_p
        Limits of the p-value, for trying a split and for keeping it.

    Notes
    -----
    Source: `best_split`, applied to both parts again; windows, the weak and the strict limit after M. Fleming
    and others (2023), Hunter: using change point detection to hunt for performance regressions,
    arXiv 2301.03034. The p-value is that of Student's t of the neighbouring levels; it is for weighing, and
    no error guarantee, for the split was searched. Assumes independent values.
    """
    numbers = np.asarray(values, dtype=float).ravel()
    found: set[int] = set()
    start = 0
    while start + 2 * SHORTEST <= numbers.size:
        inside = _split_again(numbers, start, min(start + window, numbers.size), weak_p)
        found.update(inside)
        start = max([start + window // 2, *inside])
    return _kept(numbers, sorted(found), strict_p)


def _split_again(numbers: Floats, start: int, end: int, limit: float) -> list[int]:
    found, stretches = [], [(start, end)]
    while stretches:
        first, last = stretches.pop()
        split = best_split(numbers[first:last])
        if split is None:
            continue
        middle, stop = first + split.at, first + split.end
        if step_p(numbers[first:middle], numbers[middle:stop]) <= limit:
            found.append(middle)
            stretches += [(first, middle), (middle, last)]
    return found


def _kept(numbers: Floats, indices: list[int], limit: float) -> tuple[ChangePoint, ...]:
    """Drop the weakest point again and again, until all that are left reach the limit."""
    while True:
        edges = [0, *indices, numbers.size]
        parts = [numbers[a:b] for a, b in itertools.pairwise(edges)]
        points = [
            ChangePoint(index, float(old.mean()), float(new.mean()), step_p(old, new))
            for index, (old, new) in zip(indices, itertools.pairwise(parts), strict=True)
        ]
        weakest = max(points, key=lambda point: point.p_value, default=None)
        if weakest is None or weakest.p_value <= limit:
            return tuple(points)
        indices = [index for index in indices if index != weakest.at]


def step_p(before: ArrayLike, after: ArrayLike) -> float:
    """Return the two-sided p-value of "the level is another one".

    Notes
    -----
    Source: Student's t with equal variances. Where neither side varied at all, the share of ways to choose
    the sides that separate the values as cleanly, for no variance seen is not no variance.
    """
    old, new = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    freedom, step = old.size + new.size - 2, float(new.mean() - old.mean())
    pooled = float(((old - old.mean()) ** 2).sum() + ((new - new.mean()) ** 2).sum()) / freedom
    if pooled <= np.finfo(float).eps * max(1.0, float(np.abs(old).max())):
        return 2 / math.comb(old.size + new.size, new.size) if abs(step) > 0 else 1.0
    return float(2 * special.stdtr(freedom, -abs(step) / math.sqrt(pooled * (1 / old.size + 1 / new.size))))
