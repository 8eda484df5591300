"""Cold start: bad at first, and only at first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from harnesslib.stats.guards import sign_flip_p
from harnesslib.stats.paired import null_law

PREFIXES = (1, 2, 4, 8, 16, 32)
"""Lengths of the start of a session that are looked at."""


def session_p(cold_failures: ArrayLike, warm_failures: ArrayLike) -> float | None:
    """Return the one-sided p-value of "first calls fail more often without a warm-up", paired by session.

    Parameters
    ----------
    cold_failures, warm_failures
        Share of the first calls that failed, one entry per session.

    Returns
    -------
    float or None
        None without a session. With k sessions it can't get below 2^-k: five are needed for 5 %.

    Notes
    -----
    Source: exact sign-flip test (`guards.sign_flip_p`) with the session as the unit, because the
    first calls of a session wait for the same load. Assumes that cold and warm sessions alternate.
    """
    gains = np.asarray(cold_failures, dtype=float) - np.asarray(warm_failures, dtype=float)
    return sign_flip_p(gains) if gains.size else None


def prefix_p(failed: Sequence[bool]) -> float:
    """Return the p-value of "failures are bunched at the start".

    Parameters
    ----------
    failed
        Failures of a session in the order in which its calls were started.

    Returns
    -------
    float
        Smallest exact p-value over starts of 1, 2, 4, 8, 16 and 32 calls, times the number of starts looked
        at: as many calls fail first as are started at once.

    Notes
    -----
    Source: hypergeometric law of the failures among the first calls given all failures, Bonferroni over the
    lengths. Assumes that cases come in random order. It can't tell a cold start from a fault that happened to
    come first: that needs sessions.
    """
    total, failures = len(failed), sum(failed)
    lengths = [length for length in PREFIXES if length < total]
    if failures == 0 or not lengths:
        return 1.0
    smallest = 1.0
    for length in lengths:
        seen = sum(failed[:length])
        least, law = null_law([seen], [failures - seen], [length], [total - length])
        smallest = min(smallest, float(law[seen - least :].sum()))
    return min(1.0, len(lengths) * smallest)
