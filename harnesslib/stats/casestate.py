"""What a case is like for a model: solid, flaky or out of reach."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

PRIOR = np.array([0.70, 0.15, 0.15])
"""Shares of solid, flaky and impossible cases before anything was seen."""

SHAPES = np.array([(40.0, 1.0), (1.0, 1.0), (1.0, 40.0)])
"""Beta distributions of the pass probability in the three states."""


class CaseState(NamedTuple):
    """Probabilities of the three states; they add up to 1."""

    solid: float
    flaky: float
    impossible: float


def posterior(passes: int, n: int) -> CaseState:
    """Return how probable the three states are after `passes` in `n` valid calls.

    Notes
    -----
    Source: mixture of three beta-binomial laws. Assumes independent calls, and the prior above: most cases of
    a usable suite are clear-cut. Infrastructure errors are to be left out before.
    """
    first, second = SHAPES[:, 0], SHAPES[:, 1]
    log_fit = special.betaln(passes + first, n - passes + second) - special.betaln(first, second)
    weight = PRIOR * np.exp(log_fit - log_fit.max())
    solid, flaky, impossible = (weight / weight.sum()).tolist()
    return CaseState(solid, flaky, impossible)
