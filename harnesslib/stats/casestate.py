"""What a case is like for a model: solid, flaky or out of reach."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from harnesslib.records import Estimate
from harnesslib.stats.intervals import LEVEL, clopper_pearson

SHAPES = np.array([(40.0, 1.0), (1.0, 1.0), (1.0, 40.0)])
"""Beta distributions of the pass probability in the three states."""

SURE = 0.9
"""Probability from which on a state is called."""

HISTORY_WORTH = 20
"""The prior counts as so many cases when shares are estimated: a short history rules no state out."""

STEPS = 200
"""Enough for shares to settle within a thousandth, whatever the history."""

Called: TypeAlias = Literal["solid", "flaky", "impossible", "undecided"]


class CaseState(NamedTuple):
    """Probabilities of the three states; they add up to 1."""

    solid: float
    flaky: float
    impossible: float

    @property
    def called(self) -> Called:
        """The state whose probability is at least 0.90, or undecided."""
        states: dict[Called, float] = {
            "solid": self.solid,
            "flaky": self.flaky,
            "impossible": self.impossible,
        }
        best = max(states, key=lambda name: states[name])
        return best if states[best] >= SURE else "undecided"


PRIOR = CaseState(0.70, 0.15, 0.15)
"""Shares of solid, flaky and impossible cases before anything was seen."""


def posterior(passes: int, n: int, prior: CaseState = PRIOR) -> CaseState:
    """Return how probable the three states are after `passes` in `n` valid calls.

    Parameters
    ----------
    passes
        Calls that passed.
    n
        Valid calls: infrastructure errors are to be left out before.
    prior
        Shares of the states among such cases; `shares` estimates them from history.

    Notes
    -----
    Source: mixture of three beta-binomial laws. Assumes independent calls, and the prior above: most cases of
    a usable suite are clear-cut.

    Examples
    --------
    >>> posterior(7, 7).called
    'solid'
    >>> posterior(0, 7).called
    'undecided'
    """
    weight = np.asarray(prior) * np.exp(_log_fit(np.array([passes]), np.array([n])))[0]
    return _state(weight / weight.sum())


def shares(passes: ArrayLike, calls: ArrayLike, *, start: CaseState = PRIOR) -> CaseState:
    """Return the shares of the three states among the cases of a history.

    Parameters
    ----------
    passes, calls
        Passes and valid calls, one entry per case. Cycles may be pooled as long as nothing drifted.
    start
        Shares before anything was seen.

    Notes
    -----
    Source: A. P. Dempster, N. M. Laird and D. B. Rubin (1977), Maximum likelihood from incomplete data via
    the EM algorithm, with the shapes of the three laws fixed. `start` counts as 20 cases (a Dirichlet prior),
    so that a state that a short history does not show stays possible. Assumes independent calls.
    """
    got, asked = np.broadcast_arrays(np.asarray(passes), np.asarray(calls))
    fit = np.exp(_log_fit(got.ravel(), asked.ravel()))
    first = np.asarray(start)
    weights = first
    for _ in range(STEPS):
        shared = weights * fit
        expected = (shared / shared.sum(axis=1, keepdims=True)).sum(axis=0)
        weights = (expected + HISTORY_WORTH * first) / (got.size + HISTORY_WORTH)
    return _state(weights)


def upper_bound(passes: int, n: int, *, level: float = LEVEL) -> Estimate:
    """Return the share of passes of one case with the bound that it does not exceed.

    Notes
    -----
    Source and assumptions: one-sided bound of `intervals.clopper_pearson`. It needs no prior: 0 of 7 still
    allows 35 %, 0 of 15 18 %. A limit is confirmed by this bound, not by the posterior alone.
    """
    return clopper_pearson(passes, n, level=level, side="upper")


def _log_fit(passes: NDArray[np.int_], calls: NDArray[np.int_]) -> NDArray[np.float64]:
    """Return the log likelihood of every case (rows) in the three states, its largest set to 0."""
    first, second = SHAPES[:, 0], SHAPES[:, 1]
    failures = (calls - passes)[:, None]
    fit = special.betaln(passes[:, None] + first, failures + second) - special.betaln(first, second)
    scaled: NDArray[np.float64] = fit - fit.max(axis=1, keepdims=True)
    return scaled


def _state(weights: NDArray[np.float64]) -> CaseState:
    solid, flaky, impossible = weights.tolist()
    return CaseState(solid, flaky, impossible)
