"""Whether repeats are copies: how often what a cache does would happen without one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special


def slow_first_p(sizes: Sequence[int], firsts: int) -> float:
    """Return the chance that so many cases have their slowest answer first, without a cache.

    Parameters
    ----------
    sizes
        Number of answers of each case that has one slow answer, in whatever place.
    firsts
        In how many of these it is the first.

    Notes
    -----
    Source: without a cache any of n answers is as likely to be the slow one, so the count is a sum of
    independent chances 1/n; its law is their convolution. Assumes that a case's times are interchangeable:
    the calls of a cold start are to be left out before.

    Examples
    --------
    >>> round(slow_first_p([2, 2, 2], 3), 3)
    0.125
    """
    law = np.ones(1)
    for size in sizes:
        law = np.convolve(law, (1 - 1 / size, 1 / size))
    return float(min(1.0, law[firsts:].sum()))


def coincidence_p(seen: int, looked_at: int, chance: float) -> float:
    """Return the chance of at least `seen` coincidences in `looked_at` cases, each with at most `chance`.

    Notes
    -----
    Source: upper tail of the binomial law. Assumes independent cases.
    """
    return float(special.bdtrc(seen - 1, looked_at, chance)) if seen else 1.0
