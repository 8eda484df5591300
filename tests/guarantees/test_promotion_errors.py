"""How often the whole rule (screen, confirmation, verification) promotes what it should, and what not.

Simulated cycles of the designs in force, on suites of 12 to 160 cases. Counts are judged by a binomial
bound, so that a right rule does not fail by luck. A sample runs always; everything with --exhaustive.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harnesslib.records import PolicyConfig
from harnesslib.stats import simulated, worlds
from harnesslib.stats.designs import confirm_design, verify_design
from harnesslib.stats.floor import fewest_calls

POLICY = PolicyConfig()

DECEIVERS = {
    8: [(1, 4, 0), (1, 6, 0), (1, 7, 0)],
    12: [(1, 4, 0), (1, 8, 0), (1, 10, 1), (1, 11, 0), (2, 8, 0), (2, 8, 2)],
    15: [(1, 12, 0), (1, 14, 0), (2, 12, 1)],
    30: [(1, 20, 0), (2, 20, 3), (3, 24, 3), (6, 24, 0), (2, 26, 2)],
    80: [(1, 78, 1), (6, 68, 6), (12, 68, 0)],
    160: [(1, 100, 0), (8, 100, 10), (13, 134, 13), (26, 134, 0)],
}
"""By number of cases: cases that are learned, cases that pay for it, flaky cases."""


def is_at_most(limit, count, replicates):
    return stats.binomtest(int(count), replicates, limit, alternative="greater").pvalue > 0.001


def is_at_least(limit, count, replicates):
    return stats.binomtest(int(count), replicates, limit, alternative="less").pvalue > 0.001


def rule(cases, candidates):
    return simulated.Rule(
        confirm_design(cases, POLICY.smallest_gain, candidates=candidates),
        POLICY.alpha,
        verify_design(cases),
        POLICY.verify_alpha,
    )


def cycles(cases, candidates, replicates, *, gain=0.0, moved=False, seed=1):
    """Return simulated cycles; candidate 0 is better by `gain`, the others equal or moved sideways."""
    rng = np.random.default_rng([seed, cases, candidates])
    baseline = worlds.invented(replicates, cases, rng)
    learnt = max(1, cases // 12)
    arms = [
        worlds.sideways(baseline, learnt, 4 * learnt, rng) if moved else baseline for _ in range(candidates)
    ]
    if gain:
        arms[0] = worlds.lifted(baseline, gain, rng, whole=np.arange(replicates) % 2 == 0)
    world = simulated.World(baseline, np.stack(arms, axis=1))
    return simulated.run_cycles(world, world, rule(cases, candidates), rng)


def check_errors(cases, candidates, replicates, *, moved):
    result = cycles(cases, candidates, replicates, moved=moved)
    assert is_at_most(0.05, np.sum(result.promoted >= 0), replicates)
    assert is_at_most(0.01, np.sum(result.kept >= 0), replicates)


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize(("cases", "candidates"), [(12, 1), (12, 6), (30, 6), (80, 6), (160, 6)])
def test_equal_and_sideways_candidates_are_rarely_promoted_and_hardly_ever_kept(
    cases, candidates, moved
) -> None:
    check_errors(cases, candidates, 1000, moved=moved)


@pytest.mark.exhaustive
@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("candidates", [1, 4, 8])
@pytest.mark.parametrize("cases", [8, 12, 15, 20, 24, 30, 40, 60, 80, 120, 160])
def test_they_are_not_on_any_size_of_suite(cases, candidates, moved) -> None:
    check_errors(cases, candidates, 4000, moved=moved)


def deceived(cases, learnt, donors, flaky, replicates):
    """Return how often the confirmation alone promotes a sideways move that is built to deceive."""
    baseline, candidate = (
        np.repeat(row, replicates, axis=0) for row in worlds.adversarial(cases, learnt, donors, flaky)
    )
    rng = np.random.default_rng([3, cases, learnt, donors])
    design = confirm_design(cases, POLICY.smallest_gain)
    return int(simulated.run_test(baseline, candidate, design, POLICY.alpha, rng).crossed.sum())


@pytest.mark.parametrize(("cases", "world"), [(n, world) for n, made in DECEIVERS.items() for world in made])
def test_sideways_moves_that_are_built_to_deceive_are_rarely_confirmed(cases, world) -> None:
    replicates = 2000
    assert is_at_most(0.05, deceived(cases, *world, replicates), replicates)


@pytest.mark.exhaustive
@pytest.mark.parametrize("cases", [*range(8, 25), 30, 40, 60, 80, 120, 160])
def test_no_such_move_is_confirmed_more_often_than_the_bound_allows(cases) -> None:
    replicates, unit = 10_000, max(1, cases // 12)
    made = {
        (learnt, donors, flaky)
        for learnt in (1, unit, 2 * unit)
        for donors in (cases // 2, 2 * cases // 3, cases - learnt - 2, cases - learnt - 1, cases - learnt)
        for flaky in (0, 1, 2 * unit)
        if learnt <= donors and learnt + donors + flaky <= cases
    }
    for world in sorted(made):
        count = deceived(cases, *world, replicates)
        upper = stats.binomtest(count, replicates).proportion_ci(0.95, "wilson").high
        assert upper <= 0.062, (world, count)


@pytest.mark.parametrize(
    ("cases", "gain", "power"), [(30, 0.1, 0.8), (80, 0.1, 0.9), (160, 0.1, 0.9), (160, 0.05, 0.8)]
)
def test_a_candidate_that_is_better_is_found(cases, gain, power) -> None:
    replicates = 1000
    for candidates in (1, 6):
        result = cycles(cases, candidates, replicates, gain=gain)
        assert is_at_least(power, np.sum(result.promoted == 0), replicates)
        assert is_at_most(0.01, np.sum(result.kept > 0), replicates)


@pytest.mark.parametrize("cases", [12, 30])
def test_a_right_decision_costs_at_most_twice_the_fewest_calls_possible(cases) -> None:
    replicates, rng = 1500, np.random.default_rng(4)
    baseline = worlds.invented(60, cases, rng)
    better = worlds.lifted(baseline, 0.1, rng, whole=np.arange(60) % 2 == 0)
    fewest = fewest_calls(baseline, better)[0].mean()
    result = cycles(cases, 1, replicates, gain=0.1)
    error = result.calls.std() / np.sqrt(replicates)
    assert result.calls.mean() - 3 * error <= 2 * fewest
    assert is_at_least(0.8, np.sum(result.promoted == 0), replicates)


@pytest.mark.parametrize("cases", [12, 30, 80, 160])
def test_a_kept_gain_is_credited_without_a_bias_of_more_than_a_point(cases) -> None:
    for gain in (0.1, 0.2):
        result = cycles(cases, 1, 1500, gain=gain)
        wrong = (result.credited - result.true_gain)[result.kept == 0]
        assert abs(wrong.mean()) - 3 * wrong.std() / np.sqrt(wrong.size) <= 0.01
