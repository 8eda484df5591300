"""What a design does, simulated: screen, confirmation and verification over many replicates at once.

The exact law of `SequentialTest` is computed for all replicates together, by Fourier transform; a test shows
that both agree. Arrays are replicates x cases, or replicates x candidates x cases.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, special

from harnesslib.stats.designs import PRIOR, Design, Mask
from harnesslib.stats.paired import Floats, null_law
from harnesslib.stats.sequential import Integers, likely_spread, without_luck

ROUNDING = 1e-11
"""Laws from a Fourier transform are right to some 1e-14; a bound met within this counts as met."""


class Tested(NamedTuple):
    """One confirmation or verification per replicate.

    Crossed or not, calls of both arms, the plain estimate of the gain, and the one to be credited.
    """

    crossed: Mask
    calls: Integers
    gain: Floats
    credited: Floats


class Screened(NamedTuple):
    """The chosen candidate per replicate (-1: none is worth a test), and the calls."""

    chosen: Integers
    calls: Integers


class Laws:
    """The exact null laws of many replicates, each without the paths that have crossed."""

    def __init__(self, replicates: int, alpha: float, rho: float) -> None:
        self.alpha, self.rho = alpha, rho
        self.law = np.ones((replicates, 1))
        self.above = np.zeros(replicates, dtype=np.int64)
        self.short = np.zeros(replicates)
        self.spent = np.zeros(replicates)

    def keep(self, rows: Mask) -> None:
        """Drop the replicates that have ended."""
        self.law, self.above = self.law[rows], self.above[rows]
        self.short, self.spent = self.short[rows], self.spent[rows]

    def add(self, candidate: Integers, total: Integers, calls: Integers, weights: Integers) -> None:
        """Add a stage: `calls` per arm and case, `total` passes of both arms."""
        self.above += np.sum(weights * (candidate - np.maximum(0, total - calls)), axis=1)
        width = 2 * int(calls.max()) + 1
        kinds, kind_of = np.unique(calls * width + total, return_inverse=True)
        replicates = len(calls)
        flat = np.arange(replicates)[:, None] * kinds.size + kind_of.reshape(calls.shape)
        counts = np.bincount(flat.ravel(), minlength=replicates * kinds.size).reshape(replicates, -1)
        weight_of = np.zeros(kinds.size, dtype=np.int64)
        weight_of[kind_of.ravel()] = weights.ravel()
        laws = [null_law([kind % width], 0, kind // width, kind // width)[1] for kind in kinds.tolist()]
        reach = np.array([len(law) - 1 for law in laws]) * weight_of
        length = self.law.shape[1] + int((counts @ reach).max())
        size = fft.next_fast_len(length, real=True)
        spaced = np.zeros((kinds.size, size))
        for row, law, weight in zip(spaced, laws, weight_of.tolist(), strict=True):
            row[: weight * len(law) : weight] = law
        characters = np.exp(counts @ np.log(fft.rfft(spaced, axis=1) + 1e-300))
        self.law = fft.irfft(fft.rfft(self.law, size, axis=1) * characters, size, axis=1)[:, :length]

    def look(self, fraction: float) -> Mask:
        """Return who crosses, and take the crossing paths out of the laws."""
        tail = np.cumsum(self.law[:, ::-1], axis=1)[:, ::-1]
        budget = self.alpha * min(1.0, fraction) ** self.rho - self.spent
        cut = np.sum(tail > budget[:, None] + ROUNDING, axis=1)
        possible = cut < tail.shape[1]
        self.spent += np.where(possible, tail[np.arange(cut.size), np.minimum(cut, tail.shape[1] - 1)], 0.0)
        self.law[np.arange(tail.shape[1]) >= cut[:, None]] = 0.0
        self.short = cut - 0.5 - self.above
        crossed: Mask = self.above >= cut
        return crossed


class _Arms:
    """Passes so far of both arms, and the estimate over the stages."""

    def __init__(self, baseline: Floats, candidate: Floats, rng: np.random.Generator) -> None:
        self.chances, self.rng = (candidate, baseline), rng
        self.passes = np.zeros((2, *baseline.shape), dtype=np.int64)
        self.calls = np.zeros(baseline.shape, dtype=np.int64)
        self.gains = np.zeros(len(baseline))

    def ask(self, calls: Integers, sweeps: int) -> tuple[Integers, Integers]:
        """Call both arms; return their passes."""
        candidate, baseline = (self.rng.binomial(calls, chances) for chances in self.chances)
        self.passes = self.passes + np.stack((candidate, baseline))
        self.calls = self.calls + calls
        self.gains = self.gains + sweeps * np.mean((candidate - baseline) / calls, axis=1)
        return candidate, baseline

    def keep(self, rows: Mask) -> None:
        """Drop the replicates that have ended."""
        self.chances = (self.chances[0][rows], self.chances[1][rows])
        self.passes, self.calls, self.gains = self.passes[:, rows], self.calls[rows], self.gains[rows]

    def error(self) -> Floats:
        """Return the standard error of the gain so far."""
        spread = likely_spread(self.passes, self.calls)
        error: Floats = np.sqrt(np.sum(spread / self.calls, axis=(0, 2))) / self.calls.shape[1]
        return error

    def futile(self, design: Design) -> Mask:
        """Return where the smallest gain worth finding has become unlikely (see `sequential.futile`)."""
        gain = np.mean((self.passes[0] - self.passes[1]) / self.calls, axis=1)
        error = self.error()
        low = special.ndtr((gain - design.smallest_gain) / error) < design.futility
        stop: Mask = (gain < design.smallest_gain) & low
        return stop


def run_test(
    baseline: Floats, candidate: Floats, design: Design, alpha: float, rng: np.random.Generator
) -> Tested:
    """Simulate a confirmation, or a verification, of one candidate per replicate."""
    replicates = len(baseline)
    result = Tested(
        np.zeros(replicates, bool), np.zeros(replicates, np.int64), np.zeros(replicates), np.zeros(replicates)
    )
    arms, laws = _Arms(baseline, candidate, rng), Laws(replicates, alpha, design.rho)
    rows = np.arange(replicates)
    one = np.ones(baseline.shape, dtype=np.int64)

    def end(stop: Mask, crossed: bool, sweeps: int) -> None:
        nonlocal rows
        result.crossed[rows[stop]] = crossed
        result.calls[rows[stop]] = 2 * arms.calls[stop].sum(axis=1)
        gain = arms.gains[stop] / sweeps
        result.gain[rows[stop]] = gain
        bound = gain + 2 * laws.short[stop] / (sweeps * baseline.shape[1])
        result.credited[rows[stop]] = without_luck(gain, bound, arms.error()[stop]) if crossed else gain
        rows = rows[~stop]
        arms.keep(~stop)
        laws.keep(~stop)

    asked = 0
    for look in (*design.futility_looks, design.first):
        arms.ask((look - asked) * one[: len(rows)], look - asked)
        asked = look
        if look < design.first:
            end(arms.futile(design), False, asked)
    calls, weights = design.first * one[: len(rows)], one[: len(rows)]
    candidate_passes, total = arms.passes[0], arms.passes.sum(axis=0)
    for stage, fraction in enumerate(design.fractions()):
        if stage:
            calls, weights = design.calls_of_stage(arms.passes[0], arms.passes[1], arms.calls)
            candidate_passes, theirs = arms.ask(calls, design.ratio)
            total, asked = candidate_passes + theirs, asked + design.ratio
        if not len(rows):
            break
        laws.add(candidate_passes, total, calls, weights)
        end(laws.look(fraction), True, asked)
        end(arms.futile(design) | (stage == design.stages), False, asked)
    return result


def run_screen(baseline: Floats, candidates: Floats, design: Design, rng: np.random.Generator) -> Screened:
    """Simulate the screen: one sweep of the baseline, then the candidates on what it failed."""
    replicates, count, cases = candidates.shape
    failed = rng.binomial(1, baseline) == 0
    if design.screen_cases < cases:
        failed &= np.argsort(rng.random(failed.shape), axis=1) < design.screen_cases
        cases = design.screen_cases
    room = failed.sum(axis=1)
    calls = np.full(replicates, cases, dtype=np.int64)
    expected = room * PRIOR / (1 + 2 * PRIOR)
    alive = np.repeat((room > 0)[:, None], count, axis=1)
    passes, asked = np.zeros((replicates, count)), 0
    gains = np.zeros((replicates, count))
    for round_index, repeats in enumerate(design.screen_rounds):
        drawn = rng.binomial(repeats, candidates) * failed[:, None, :]
        passes += drawn.sum(axis=2) * alive
        calls += repeats * room * alive.sum(axis=1)
        asked += repeats
        gains = np.where(alive, (passes / asked - expected[:, None]) / cases, -np.inf)
        alive = _survivors(gains, alive, design, round_index)
    chosen = np.where(alive.any(axis=1), np.argmax(np.where(alive, gains, -np.inf), axis=1), -1)
    return Screened(chosen, calls)


def _survivors(gains: Floats, alive: Mask, design: Design, round_index: int) -> Mask:
    """Return who goes on, as `Design.survivors` says."""
    rank = np.argsort(np.argsort(-gains, axis=1, kind="stable"), axis=1, kind="stable")
    last = round_index == len(design.screen_rounds) - 1
    share = 0.0 if last else design.screen_keep[round_index]
    kept = np.maximum(1, np.ceil(share * alive.sum(axis=1)))[:, None]
    promising = gains.max(axis=1, keepdims=True) > 0
    survivors: Mask = alive & (rank < kept) & promising
    return survivors & (gains >= design.go) if last else survivors


class Rule(NamedTuple):
    """A whole way to decide: design and error of the confirmation and of the verification."""

    confirm: Design
    alpha: float
    verify: Design
    verify_alpha: float


class Cycles(NamedTuple):
    """One cycle per replicate.

    Parameters
    ----------
    promoted, kept
        The candidate that was promoted, and that was kept after verification; -1 for none.
    calls, verify_calls
        Calls up to the promotion, and of the verification.
    credited, true_gain
        What the verification credits, and the truth on the verification's cases; 0 where nothing was kept.
    """

    promoted: Integers
    kept: Integers
    calls: Integers
    verify_calls: Integers
    credited: Floats
    true_gain: Floats


class World(NamedTuple):
    """Pass chances of a baseline (replicates x cases) and its candidates (replicates x candidates x cases)."""

    baseline: Floats
    candidates: Floats


def run_cycles(search: World, holdout: World, rule: Rule, rng: np.random.Generator) -> Cycles:
    """Simulate cycles: screen and confirm on the search cases, verify on the others."""
    replicates = len(search.baseline)
    if rule.confirm.screen_rounds:
        chosen, calls = run_screen(search.baseline, search.candidates, rule.confirm, rng)
    else:
        chosen, calls = np.zeros(replicates, dtype=np.int64), np.zeros(replicates, dtype=np.int64)
    promoted, kept = np.full(replicates, -1), np.full(replicates, -1)
    verify_calls = np.zeros(replicates, dtype=np.int64)
    credited, true_gain = np.zeros(replicates), np.zeros(replicates)
    rows = np.flatnonzero(chosen >= 0)
    mine, theirs = search.candidates[rows, chosen[rows]], search.baseline[rows]
    confirmed = run_test(theirs, mine, rule.confirm, rule.alpha, rng)
    calls[rows] += confirmed.calls
    rows = rows[confirmed.crossed]
    promoted[rows] = chosen[rows]
    mine, theirs = holdout.candidates[rows, chosen[rows]], holdout.baseline[rows]
    verified = run_test(theirs, mine, rule.verify, rule.verify_alpha, rng)
    verify_calls[rows] = verified.calls
    lasting = rows[verified.crossed]
    kept[lasting] = chosen[lasting]
    credited[lasting] = verified.credited[verified.crossed]
    true_gain[lasting] = np.mean(mine - theirs, axis=1)[verified.crossed]
    return Cycles(promoted, kept, calls, verify_calls, credited, true_gain)
