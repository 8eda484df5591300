"""What a design does, simulated: screen, confirmation and verification over many replicates at once.

The exact law of `SequentialTest` is computed for all replicates together, by Fourier transform; a test shows
that both agree. Arrays are replicates x cases, or replicates x candidates x cases.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
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
        self.chances: tuple[Floats, Floats] = (candidate, baseline)
        self.rng = rng
        self.passes: Integers = np.zeros((2, *baseline.shape), dtype=np.int64)
        self.calls: Integers = np.zeros(baseline.shape, dtype=np.int64)
        self.gains = np.zeros(len(baseline))
        self.loads: Floats = np.zeros(baseline.shape)

    def ask(self, calls: Integers, sweeps: int) -> tuple[Integers, Integers]:
        """Call both arms; return their passes."""
        candidate, baseline = (self.rng.binomial(calls, chances) for chances in self.chances)
        self.passes = self.passes + np.stack((candidate, baseline))
        self.calls = self.calls + calls
        self.loads = self.loads + sweeps**2 / calls
        self.gains = self.gains + sweeps * np.mean((candidate - baseline) / calls, axis=1)
        return candidate, baseline

    def keep(self, rows: Mask) -> None:
        """Drop the replicates that have ended."""
        self.chances = (self.chances[0][rows], self.chances[1][rows])
        self.passes, self.calls = self.passes[:, rows], self.calls[rows]
        self.gains, self.loads = self.gains[rows], self.loads[rows]

    def error(self) -> Floats:
        """Return the standard error of the sum of the stages' gains, each times its sweeps."""
        spread = likely_spread(self.passes, self.calls)
        error: Floats = np.sqrt(np.sum(spread * self.loads, axis=(0, 2))) / self.calls.shape[1]
        return error

    def futile(self, design: Design) -> Mask:
        """Return where the smallest gain worth finding has become unlikely (see `sequential.futile`)."""
        gain = np.mean((self.passes[0] - self.passes[1]) / self.calls, axis=1)
        spread = likely_spread(self.passes, self.calls)
        error = np.sqrt(np.sum(spread / self.calls, axis=(0, 2))) / self.calls.shape[1]
        low = special.ndtr((gain - design.smallest_gain) / error) < design.futility
        stop: Mask = (gain < design.smallest_gain) & low
        return stop


class _Running:
    """The replicates that have not ended yet, and where results go."""

    def __init__(self, arms: _Arms, laws: Laws) -> None:
        self.arms, self.laws, self.sweeps = arms, laws, 0
        count, self.cases = arms.calls.shape
        self.rows = np.arange(count)
        self.result = Tested(
            np.zeros(count, bool), np.zeros(count, np.int64), np.zeros(count), np.zeros(count)
        )

    def end(self, stop: Mask, *, crossed: bool) -> None:
        """Note the results of those that stop."""
        rows = self.rows[stop]
        gain = self.arms.gains[stop] / self.sweeps
        bound = gain + 2 * self.laws.short[stop] / (self.sweeps * self.cases)
        self.result.crossed[rows] = crossed
        self.result.calls[rows] = 2 * self.arms.calls[stop].sum(axis=1)
        self.result.gain[rows] = gain
        error = self.arms.error()[stop] / self.sweeps
        self.result.credited[rows] = without_luck(gain, bound, error) if crossed else gain
        self.rows = self.rows[~stop]
        self.arms.keep(~stop)
        self.laws.keep(~stop)

    def sweep(self, design: Design) -> None:
        """Do the sweeps before the first possible crossing; futility is looked at in between."""
        for look in (*design.futility_looks, design.first):
            if not self.rows.size:
                return
            more = look - self.sweeps
            self.arms.ask(np.full(self.arms.calls.shape, more), more)
            self.sweeps = look
            if look < design.first:
                self.end(self.arms.futile(design), crossed=False)


def run_test(
    baseline: Floats, candidate: Floats, design: Design, alpha: float, rng: np.random.Generator
) -> Tested:
    """Simulate a confirmation, or a verification, of one candidate per replicate."""
    running = _Running(_Arms(baseline, candidate, rng), Laws(len(baseline), alpha, design.rho))
    arms, laws = running.arms, running.laws
    running.sweep(design)
    passes, total = arms.passes[0], arms.passes.sum(axis=0)
    calls, weights = arms.calls, np.ones_like(arms.calls)
    for stage, fraction in enumerate(design.fractions()):
        if not running.rows.size:
            break
        if stage:
            calls, weights = design.calls_of_stage(arms.passes[0], arms.passes[1], arms.calls)
            passes, theirs = arms.ask(calls, design.ratio)
            total = passes + theirs
            running.sweeps += design.ratio
        laws.add(passes, total, calls, weights)
        running.end(laws.look(fraction), crossed=True)
        running.end(arms.futile(design) | (stage == design.stages), crossed=False)
    return running.result


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
    """Pass chances: of baselines (replicates x cases), and candidates (replicates x candidates x cases)."""

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
