"""Invented pass chances, for simulations: how a suite looks to a baseline, and how candidates differ from it.

Arrays are replicates x cases. A world says how often each case passes; calls are independent given that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harnesslib.stats.paired import Floats

TYPICAL = (0.70, 0.15, 0.15)
"""Shares of the cases that nearly always pass, that are flaky, and that nearly never pass."""
CEILING = 0.98
"""A case that a candidate has learned passes so often."""
BAD, GOOD = 0.5, 0.8
"""What sideways moves take for a bad case, and for a good one."""
SHARP = 40.0
"""Solid cases pass with chances Beta(SHARP, 1), hopeless ones Beta(1, SHARP)."""


def invented(
    replicates: int, cases: int, rng: np.random.Generator, mix: tuple[float, float, float] = TYPICAL
) -> Floats:
    """Return baselines with that mix of solid, flaky and hopeless cases (counts by largest remainder)."""
    raw = np.array(mix) * cases
    counts = np.floor(raw).astype(int)
    counts[np.argsort(counts - raw, kind="stable")[: cases - counts.sum()]] += 1
    solid, flaky, hopeless = counts.tolist()
    return np.concatenate(
        [
            rng.beta(SHARP, 1, (replicates, solid)),
            rng.uniform(0.2, 0.8, (replicates, flaky)),
            rng.beta(1, SHARP, (replicates, hopeless)),
        ],
        axis=1,
    )


def learned(passes: Floats, calls: Floats, replicates: int, rng: np.random.Generator) -> Floats:
    """Return baselines drawn from what was seen: a case's chance has its posterior, Beta(1/2, 1/2) before.

    Parameters
    ----------
    passes, calls
        One entry per case.
    """
    drawn: Floats = rng.beta(passes + 0.5, calls - passes + 0.5, (replicates, passes.size))
    return drawn


def lifted(baseline: Floats, gain: float, rng: np.random.Generator, *, whole: NDArray[np.bool_]) -> Floats:
    """Return candidates that are better by `gain` on the mean of the suite, as far as there is room for it.

    Parameters
    ----------
    whole
        Per replicate: whether whole cases are learned, one after the other; otherwise every case gains the
        same share of its room.
    """
    room = np.maximum(CEILING - baseline, 0.0)
    need = np.minimum(gain * baseline.shape[1], room.sum(axis=1))[:, None]
    order = np.argsort(-(room + rng.uniform(0, 0.6, room.shape)), axis=1)
    sorted_room = np.take_along_axis(room, order, axis=1)
    before = np.cumsum(sorted_room, axis=1) - sorted_room
    steps = np.empty_like(room)
    np.put_along_axis(steps, order, np.clip(need - before, 0.0, sorted_room), axis=1)
    spread = room * need / np.maximum(room.sum(axis=1, keepdims=True), 1e-12)
    return baseline + np.where(whole[:, None], steps, spread)


def sideways(baseline: Floats, learnt: int, donors: int, rng: np.random.Generator) -> Floats:
    """Return candidates with the same mean: `learnt` bad cases gained, `donors` good ones pay for it."""
    keys = rng.random(baseline.shape)
    bad = np.argsort(np.where(baseline < BAD, keys, 2.0), axis=1)[:, :learnt]
    good = np.argsort(np.where(baseline > GOOD, keys, 2.0), axis=1)[:, :donors]
    before, payable = np.take_along_axis(baseline, bad, 1), np.take_along_axis(baseline, good, 1)
    room = np.where(before < BAD, CEILING - before, 0.0)
    paid = np.minimum(payable, room.sum(axis=1, keepdims=True) / good.shape[1])
    room *= paid.sum(axis=1, keepdims=True) / np.maximum(room.sum(axis=1, keepdims=True), 1e-12)
    changed = baseline.copy()
    np.put_along_axis(changed, bad, before + room, axis=1)
    np.put_along_axis(changed, good, payable - paid, axis=1)
    return changed


def adversarial(cases: int, learnt: int, donors: int, flaky: int = 0) -> tuple[Floats, Floats]:
    """Return a certain baseline and a candidate of the same mean, built to deceive (one row each).

    `learnt` cases go from never to always, `donors` cases that always passed share the loss, `flaky` others
    pass every second time in both arms.
    """
    baseline = np.ones((1, cases))
    baseline[0, :learnt] = 0.0
    baseline[0, learnt : learnt + flaky] = 0.5
    candidate = baseline.copy()
    candidate[0, :learnt] = 1.0
    candidate[0, cases - donors :] -= learnt / donors
    return baseline, candidate
