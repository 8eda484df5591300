"""The fast simulation does what the test, the design and the screen do; its worlds are as described."""

from __future__ import annotations

import numpy as np
import pytest

from harnesslib.stats import simulated, worlds
from harnesslib.stats.designs import confirm_design, verify_design
from harnesslib.stats.floor import fewest_calls
from harnesslib.stats.sequential import (
    SequentialTest,
    balanced,
    credited_effect,
    futile,
    weighted_effect,
)


class Recorded:
    """Gives out binomial draws of a generator, and keeps them."""

    def __init__(self, seed):
        self.rng, self.drawn = np.random.default_rng(seed), []

    def binomial(self, calls, chances):
        self.drawn.append((np.asarray(calls), self.rng.binomial(calls, chances)))
        return self.drawn[-1][1]


def replayed(drawn, design, alpha):
    """Return what the one-by-one functions make of the recorded draws: crossed, calls, gain, credited."""
    rounds = [
        (mine[0], theirs[0], calls[0], calls[0])
        for (calls, mine), (_, theirs) in zip(drawn[::2], drawn[1::2], strict=True)
    ]
    first = len(design.futility_looks) + 1
    for number in range(1, len(rounds) + 1):
        merged = [
            tuple(sum(column) for column in zip(*rounds[: min(first, number)], strict=True)),
            *rounds[first:number],
        ]
        stages = balanced(merged, [design.sweeps(each) for each in range(len(merged))])
        mine, theirs, calls, _ = (sum(column) for column in zip(*rounds[:number], strict=True))
        stop = futile(mine, theirs, calls, smallest_gain=design.smallest_gain, level=design.futility)
        look = SequentialTest(alpha, design.rho).looks(stages, design.fractions())[-1]
        if number < first:
            look = look._replace(crossed=False)
        if look.crossed or stop or number == first + design.stages:
            return (
                look.crossed,
                2 * calls.sum(),
                weighted_effect(stages).value,
                credited_effect(stages, look).value,
            )
    raise AssertionError


@pytest.mark.parametrize("gain", [0.0, 0.1])
@pytest.mark.parametrize("design", [confirm_design(12), confirm_design(30), verify_design(12)])
def test_one_replicate_is_one_test(design, gain) -> None:
    cases = 12
    for seed in range(25):
        made = np.random.default_rng(seed)
        baseline = worlds.invented(1, cases, made)
        candidate = worlds.lifted(baseline, gain, made, whole=np.array([seed % 2 == 0]))
        recorded = Recorded(seed)
        result = simulated.run_test(baseline, candidate, design, 0.2, recorded)
        crossed, calls, value, credited = replayed(recorded.drawn, design, 0.2)
        assert (crossed, calls) == (result.crossed[0], result.calls[0])
        assert pytest.approx([value, credited], abs=1e-9) == [result.gain[0], result.credited[0]]


def test_the_screen_finds_the_one_that_knows_the_failed_cases() -> None:
    baseline = np.tile(np.repeat([1.0, 0.0], [8, 4]), (50, 1))
    candidates = np.repeat(baseline[:, None], 3, axis=1)
    candidates[:, 1] = 1.0
    design = confirm_design(12)
    screened = simulated.run_screen(baseline, candidates, design, np.random.default_rng(1))
    assert {1} == set(screened.chosen)
    assert {12 + 4 * (3 + 1 + 2)} == set(screened.calls)
    nobody = simulated.run_screen(baseline, candidates[:, :1], design, np.random.default_rng(1))
    assert {-1} == set(nobody.chosen)
    assert {12 + 4} == set(nobody.calls)


def test_a_large_suite_is_screened_on_some_of_its_cases() -> None:
    design = confirm_design(160)
    baseline = np.ones((5, 160))
    screened = simulated.run_screen(baseline, baseline[:, None], design, np.random.default_rng(1))
    assert {design.screen_cases} == set(screened.calls)


def test_worlds_gain_what_they_are_told_to() -> None:
    rng = np.random.default_rng(1)
    baseline = worlds.invented(200, 30, rng)
    assert pytest.approx(0.7 * 40 / 41 + 0.3 * 0.25 + 0.15 / 41, abs=0.02) == baseline.mean()
    for whole in (False, True):
        better = worlds.lifted(baseline, 0.1, rng, whole=np.full(200, whole))
        assert pytest.approx(np.full(200, 0.1)) == (better - baseline).mean(axis=1)
        assert better.max() <= 1
    moved = worlds.sideways(baseline, 2, 8, rng)
    assert pytest.approx(np.zeros(200), abs=1e-9) == (moved - baseline).mean(axis=1)
    assert np.all(np.abs(moved - baseline).sum(axis=1) > 2)
    made, deceiver = worlds.adversarial(12, 1, 8, 1)
    assert pytest.approx(made.mean()) == deceiver.mean()
    assert pytest.approx(0.5 / 8, abs=0.01) == worlds.learned(np.zeros(9), np.full(9, 7.0), 900, rng).mean()


def test_the_floor_of_two_known_coins_is_that_of_wald() -> None:
    equal, best = fewest_calls(np.array([[0.5]]), np.array([[0.9]]))
    midpoint = 0.7
    information = 0.5 * sum(
        p * np.log(p / midpoint) + (1 - p) * np.log((1 - p) / (1 - midpoint)) for p in (0.5, 0.9)
    )
    needed = 0.8 * np.log(0.8 / 0.05) + 0.2 * np.log(0.2 / 0.95)
    assert best <= equal + 1e-9
    assert pytest.approx(needed / information, rel=0.02) == equal[0]
