"""The fewest calls that any rule could need: how far a design is from the possible.

Arrays are replicates x cases.
"""

from __future__ import annotations

import math

import numpy as np
from scipy import special

from harnesslib.stats.paired import Floats

ROUNDS = 60


def fewest_calls(
    baseline: Floats, candidate: Floats, *, alpha: float = 0.05, power: float = 0.8
) -> tuple[Floats, Floats]:
    """Return the least expected calls to find that the candidate is better: same share for all, best shares.

    Notes
    -----
    Source: change of measure, A. Wald (1945) and E. Kaufmann, O. Cappé and A. Garivier (2016): expected calls
    are at least kl(power, alpha) over the information of a call, the smallest Kullback-Leibler divergence to
    a world without gain. It holds for every rule with this error against all such worlds, fixed or
    sequential, even one that knows the truth it has to prove. "Same share" asks all cases and both arms
    equally often; the best shares are found by multiplicative weights, and belong to a rule that knows them.
    """
    return _fewest(baseline, candidate, gain=0.0, needed=_divergence(np.array(power), np.array(alpha)))


def fewest_calls_to_stop(
    baseline: Floats, gain: float, *, alpha: float = 0.05, power: float = 0.8
) -> tuple[Floats, Floats]:
    """Return the least expected calls to find that an equal candidate is not better by `gain`.

    Notes
    -----
    Source: as `fewest_calls`, with the nearest world that has the gain.
    """
    return _fewest(baseline, baseline, gain=gain, needed=_divergence(np.array(alpha), np.array(power)))


def _fewest(baseline: Floats, candidate: Floats, *, gain: float, needed: Floats) -> tuple[Floats, Floats]:
    cases = candidate.shape[1]
    truth = np.concatenate([candidate, baseline], axis=1)
    side = np.repeat([1.0, -1.0], cases) * (-1 if gain else 1)
    shares = np.full(truth.shape, 1 / truth.shape[1])
    equal, parts = _information(truth, side, shares, -gain * cases)
    best = equal
    for turn in range(1, ROUNDS + 1):
        shares = shares * np.exp(2 / math.sqrt(turn) * parts / parts.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        information, parts = _information(truth, side, shares, -gain * cases)
        best = np.maximum(best, information)
    return needed / equal, needed / best


def _information(truth: Floats, side: Floats, shares: Floats, target: float) -> tuple[Floats, Floats]:
    """Return a call's information against the nearest other world, and what each cell gives to it."""
    low, high = np.full((len(truth), 1), 1e-9), np.full((len(truth), 1), 1e6)
    for _ in range(80):
        pull = np.sqrt(low * high)
        nearest = _moved(truth, side * pull / shares)
        short = np.sum(side * nearest, axis=1, keepdims=True) > target
        low, high = np.where(short, pull, low), np.where(short, high, pull)
    parts = _divergence(truth, nearest)
    return np.sum(shares * parts, axis=1), parts


def _moved(truth: Floats, pull: Floats) -> Floats:
    """Return the chances q that minimise KL(truth || q) + pull x q: a root of pull q(1-q) = truth - q."""
    slope = 1 + pull
    root = np.sqrt(np.maximum(slope**2 - 4 * pull * truth, 0.0))
    return np.clip(2 * truth / (slope + root), 1e-12, 1 - 1e-12)


def _divergence(truth: Floats, other: Floats) -> Floats:
    divergence: Floats = special.rel_entr(truth, other) + special.rel_entr(1 - truth, 1 - other)
    return divergence
