"""Whether whole runs differ more than chance explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

DRAWS = 1999


def overdispersion_p(passed: ArrayLike, *, seed: int = 0) -> float | None:
    """Return the p-value of "some runs are worse than others, beyond chance".

    Parameters
    ----------
    passed
        1 or 0 per case (rows) and run (columns); the arms of a comparison may stand below each other.
    seed
        Seed of the permutations.

    Returns
    -------
    float or None
        None with fewer than 2 runs or without a case.

    Notes
    -----
    Source: variance of the runs' passes beside what their cases' own variance explains (an index of
    dispersion), compared with its law when every case's results are shuffled among the runs; observed order
    counted. Exact but for the Monte Carlo draws. Assumes calls that are interchangeable between runs, which
    is just what a fault, a drift or a shared cache breaks.
    """
    table = np.asarray(passed, dtype=float)
    if table.ndim != 2 or table.shape[0] == 0 or table.shape[1] < 2:  # noqa: PLR2004 - cases by runs
        return None
    mixed = table[(table.min(axis=1) != table.max(axis=1))]
    if mixed.shape[0] == 0:
        return 1.0
    copies = np.broadcast_to(mixed, (DRAWS, *mixed.shape))
    shuffled = np.random.default_rng(seed).permuted(copies, axis=2)
    seen, expected = mixed.sum(axis=0).var(), shuffled.sum(axis=1).var(axis=1)
    return float((1 + np.sum(expected >= seen - 1e-9)) / (DRAWS + 1))
