"""Known boundaries for looking while data come in: yardsticks for the harness's own sequential tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from harnesslib.records import Estimate
from harnesslib.stats.intervals import LEVEL, unmeasured

NODES = 64
"""Points at which the law of the sums that have not crossed yet is kept."""

TUNED_ALPHA = 0.05

EDGE = 1e-9
"""Nearest that a chance is taken to 0 and 1."""


def wald_bounds(alpha: float, beta: float) -> tuple[float, float]:
    """Return the log likelihood ratios at which to decide for the alternative, and for the null hypothesis.

    Notes
    -----
    Source: A. Wald (1947), Sequential Analysis, section 3.2: log((1 - beta) / alpha) and
    log(beta / (1 - alpha)). Assumes that the likelihood ratio does not jump far beyond them.
    """
    return math.log((1 - beta) / alpha), math.log(beta / (1 - alpha))


def group_sequential_constant(looks: int, alpha: float = 0.05, *, shape: float = 0.5) -> float:
    """Return the constant of a two-sided boundary for equally spaced looks.

    Parameters
    ----------
    looks
        Number of looks, at least 1.
    alpha
        Two-sided error over all looks.
    shape
        0.5 is Pocock's boundary (the same at every look), 0 that of O'Brien and Fleming (hard at first).

    Returns
    -------
    float
        C: at look k of K the standard normal score has to reach C (k / K)^(shape - 1/2).

    Notes
    -----
    Source: S. K. Wang and A. A. Tsiatis (1987), Approximately optimal one-parameter boundaries; computed by
    the recursion of C. Jennison and B. W. Turnbull (2000), Group Sequential Methods, chapter 19.
    """
    return _root(lambda constant: _crossing(constant, looks, shape) - alpha, 0.5, 6.0)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(function, low, high, xtol=1e-9))


def _crossing(constant: float, looks: int, shape: float) -> float:
    """Return the chance to cross a boundary when nothing is to be found."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    sums, masses = np.zeros(1), np.ones(1)
    for look in range(1, looks + 1):
        bound = constant * (look / looks) ** (shape - 0.5) * math.sqrt(look)
        steps = bound * nodes[:, None] - sums[None, :]
        density = np.exp(-(steps**2) / 2) @ masses / math.sqrt(2 * math.pi)
        sums, masses = bound * nodes, bound * weights * density
    return 1.0 - float(masses.sum())


class NormalMixture(NamedTuple):
    """A bound on a running sum that holds at all times; it is tightest at the time it is `tuned_for`.

    Time is intrinsic: the variance that the sum has gathered, for steps with normal tails.

    Notes
    -----
    Source: S. R. Howard, A. Ramdas, J. McAuliffe and J. Sekhon (2021), Time-uniform, nonparametric,
    nonasymptotic confidence sequences, the normal mixture.
    """

    tuned_for: float
    two_sided: bool = False

    @property
    def precision(self) -> float:
        """Inverse variance of the mixed slopes, in units of time."""
        tail = 2 * math.log(1 / (TUNED_ALPHA if self.two_sided else 2 * TUNED_ALPHA))
        return self.tuned_for / (tail + math.log1p(tail))

    def log_evidence(self, total: float, time: float) -> float:
        """Return the logarithm of the e-value of a sum."""
        width = time + self.precision
        both = math.log(self.precision / width) / 2 + total * total / (2 * width)
        if self.two_sided:
            return both
        return both + math.log(2) + float(special.log_ndtr(total / math.sqrt(width)))

    def bound(self, time: float, alpha: float) -> float:
        """Return the sum that is not exceeded at any time but with chance `alpha`."""
        width = time + self.precision
        far = 2 * math.sqrt(width * (math.log(width / self.precision) + 2 * math.log(2 / alpha)))
        return _root(lambda total: self.log_evidence(total, time) - math.log(1 / alpha), 0.0, far)


class BetaBinomialMixture(NamedTuple):
    """The same for steps from -`below` to `above`, such as passes less their expected number.

    Notes
    -----
    Source: Howard and others (2021), the beta-binomial mixture.
    """

    tuned_for: float
    below: float
    above: float
    two_sided: bool = False

    def log_evidence(self, total: float, time: float) -> float:
        """Return the logarithm of the e-value of a sum."""
        low, high = self.below, self.above
        width = low + high
        spread = NormalMixture(self.tuned_for, self.two_sided).precision - low * high
        prior = max(spread, 1e-3 * low * high)
        share = 1.0 if self.two_sided else high / width
        down, up = (time - low * total) / (low * width), (time + high * total) / (high * width)
        first, second = prior / (low * width), prior / (high * width)
        gathered = _log_beta(first + down, second + up, share) - _log_beta(first, second, share)
        return (down + up) * math.log(width) - up * math.log(low) - down * math.log(high) + gathered

    def bound(self, time: float, alpha: float) -> float:
        """Return the sum that is not exceeded at any time but with chance `alpha`."""
        most = time / self.below
        return _root(lambda total: self.log_evidence(total, time) - math.log(1 / alpha), 0.0, most)


def _log_beta(first: float, second: float, share: float) -> float:
    return float(special.betaln(first, second) + np.log(special.betainc(first, second, share)))


def share_at_any_time(passes: int, n: int, *, tuned_for: int, level: float = LEVEL) -> Estimate:
    """Return a share with an interval that holds at all times, however often one looks and stops.

    Parameters
    ----------
    passes
        Successes, 0 to `n`.
    n
        Independent observations so far.
    tuned_for
        Observations at which the interval is to be tightest.
    level
        Confidence that it covers the share at all times together.

    Notes
    -----
    Source: `BetaBinomialMixture`, inverted. Assumes independent observations with the same chance. About
    half as wide again as Wilson's interval, which holds only for a number of observations fixed beforehand.
    """
    method = "confidence sequence, beta-binomial mixture"
    if n == 0:
        return unmeasured(method, "no valid sample", level=level)
    value = passes / n

    def excess(chance: float) -> float:
        variance = chance * (1 - chance)
        mixture = BetaBinomialMixture(tuned_for * variance, chance, 1 - chance, two_sided=True)
        return mixture.log_evidence(passes - n * chance, n * variance) - math.log(1 / (1 - level))

    low = _root(excess, EDGE, min(value, 1 - EDGE)) if excess(EDGE) > 0 else 0.0
    high = _root(excess, max(value, EDGE), 1 - EDGE) if excess(1 - EDGE) > 0 else 1.0
    return Estimate(value=value, low=low, high=high, level=level, n=n, method=method)
