"""Evidence that may be looked at after every pair of calls, and carried from cycle to cycle."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from harnesslib.records import Significance

Floats: TypeAlias = NDArray[np.float64]

STAKES = np.array([0.15, 0.30, 0.45, 0.60, 0.75, 0.90])
"""Stakes that are mixed evenly: small ones for weak and long evidence, large ones for short and clear."""


def superiority_e(wins: int, losses: int) -> float:
    """Return the e-value of "the candidate passes more often", from pairs of which just one side passed.

    Parameters
    ----------
    wins, losses
        Pairs that only the candidate, and that only the baseline passed. A pair is one call of each arm on
        the same case in the same sweep.

    Returns
    -------
    float
        Expected value at most 1 if the candidate is not better on average over the cases, whenever it is
        looked at; 20 is evidence at 5 %. E-values of several cycles may be multiplied.

    Notes
    -----
    Source: even mixture over stakes of prod (1 + stake d) with d = 1, -1 or 0; J. Ville's inequality. For
    independent cases the expected product is at most (1 + stake mean(d))^pairs, by the inequality of the
    arithmetic and geometric mean, so it holds for "no better on average" and not just for "equal case by
    case". Assumes whole sweeps: every case equally often, calls of both arms side by side. The exact
    sequential test finds more with the same calls; this one may be stopped and resumed at will.

    Examples
    --------
    >>> round(superiority_e(6, 0), 4)
    18.1633
    """
    return math.exp(_log_mixture(np.array([wins]), np.array([losses]))[0])


def superiority_process(differences: ArrayLike) -> Floats:
    """Return the e-value of `superiority_e` after each sweep.

    Parameters
    ----------
    differences
        Candidate minus baseline, -1, 0 or 1; sweeps (rows) by cases (columns).
    """
    table = np.atleast_2d(np.asarray(differences, dtype=float))
    wins, losses = np.cumsum((table > 0).sum(axis=1)), np.cumsum((table < 0).sum(axis=1))
    process: Floats = np.exp(_log_mixture(wins, losses))
    return process


def superiority(differences: ArrayLike, *, carried: float = 1.0) -> Significance:
    """Return the test of "the candidate passes more often" that is valid at any time.

    Parameters
    ----------
    differences
        As in `superiority_process`; the sweeps so far.
    carried
        Product of the e-values of earlier, separate data on the same question.

    Returns
    -------
    Significance
        `statistic` is the e-value now; `p_value` is 1 over the largest e-value so far, so it never rises.

    Notes
    -----
    Source and assumptions: `superiority_e`.
    """
    method, alternative = "betting on pairs, mixture of stakes", "the candidate passes more often"
    table = np.atleast_2d(np.asarray(differences, dtype=float))
    if table.size == 0:
        return Significance(
            p_value=None,
            statistic=None,
            n=0,
            method=method,
            alternative=alternative,
            reason="no pair of calls",
        )
    process = carried * superiority_process(table)
    return Significance(
        p_value=min(1.0, 1 / max(carried, float(process.max()))),
        statistic=float(process[-1]),
        n=table.size,
        method=method,
        alternative=alternative,
    )


def _log_mixture(wins: NDArray[np.int_], losses: NDArray[np.int_]) -> Floats:
    wealth = np.outer(wins, np.log1p(STAKES)) + np.outer(losses, np.log1p(-STAKES))
    mixture: Floats = special.logsumexp(wealth, axis=1) - math.log(STAKES.size)
    return mixture
