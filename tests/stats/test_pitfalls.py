"""Mistakes that statistics of repeated calls invite: each is shown to be one, and not to be ours.

What depends on the order of looks belongs to the sequential test, what depends on transcripts to the gates.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harnesslib.stats import (
    evalues,
    guards,
    intervals,
    multiplicity,
    paired,
    power,
    repeats,
    variance,
)

ALPHA = 0.05
SUITE = np.array([0.98] * 8 + [0.5, 0.3] + [0.02] * 2)


def _sideways(donors: int) -> np.ndarray:
    """Return chances with the same mean as the suite's: one case is fixed, others pay for it."""
    chances = SUITE.copy()
    chances[-1] = 0.98
    chances[:donors] -= 0.96 / donors
    return chances


def _arms(rng: np.random.Generator, candidate: np.ndarray, n: int, draws: int) -> np.ndarray:
    return np.stack([rng.binomial(n, chances, (draws, SUITE.size)) for chances in (candidate, SUITE)])


def _holds(found: int, draws: int, error: float = ALPHA) -> bool:
    return stats.binomtest(found, draws, error, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize("donors", [4, 8])
def test_any_case_improved_promotes_sideways_moves_and_the_sum_over_cases_does_not(donors) -> None:
    draws, n = 400, 7
    mine, theirs = _arms(np.random.default_rng(71), _sideways(donors), n, draws)
    by_sum = sum(paired.exact_p(a, b, n, n) <= ALPHA for a, b in zip(mine, theirs, strict=True))
    by_case = sum(
        min(multiplicity.family_wise([paired.exact_p([c], [d], n, n) for c, d in zip(a, b, strict=True)]))
        <= ALPHA
        for a, b in zip(mine, theirs, strict=True)
    )
    assert _holds(by_sum, draws)
    assert by_case > 0.7 * draws


def test_betting_on_pairs_does_not_take_a_sideways_move_for_a_gain() -> None:
    rng, draws = np.random.default_rng(72), 400
    arms = [rng.random((draws, 10, 12)) < chances for chances in (_sideways(4), SUITE)]
    differences = arms[0].astype(int) - arms[1].astype(int)
    assert _holds(sum(evalues.superiority(table).p_value <= ALPHA for table in differences), draws)


def test_a_loss_spread_over_many_cases_shows_in_three_sweeps_and_hides_in_one() -> None:
    # one case fixed, eleven pay: no loss is seen with chance (1 - 1/11)^(11 n), about e^-n
    rng, draws = np.random.default_rng(73), 2000
    for n, chance in ((1, 0.35), (3, 0.043)):
        unseen = (rng.binomial(n, 1 - 1 / 11, (draws, 11)) == n).all(axis=1).mean()
        assert pytest.approx(chance, abs=0.03) == unseen
    # so one fixed case must not be enough before three sweeps: it can't reach 5 %
    assert power.least_p([2] * 11 + [0], 2) > ALPHA >= power.least_p([3] * 11 + [0], 3) - 1e-12


def test_baseline_first_promotes_by_drift_and_alternating_calls_do_not() -> None:
    rng, draws, n = np.random.default_rng(74), 300, 7
    when = np.linspace(0.75, 1.0, 2 * n)[:, None]
    found = {"blocked": 0, "alternating": 0}
    for _ in range(draws):
        passed = rng.random((2 * n, SUITE.size)) < SUITE * when
        blocked = passed[n:].sum(axis=0), passed[:n].sum(axis=0)
        first = rng.integers(2, size=n)
        mine = passed[2 * np.arange(n) + first].sum(axis=0)
        found["blocked"] += paired.exact_p(*blocked, n, n) <= ALPHA
        found["alternating"] += paired.exact_p(mine, passed.sum(axis=0) - mine, n, n) <= ALPHA
    assert _holds(found["alternating"], draws)
    assert found["blocked"] > 0.3 * draws


def test_screening_data_used_again_confirm_and_flatter_the_luckiest_candidate() -> None:
    rng, draws, n, flaky = np.random.default_rng(75), 300, 7, np.full(12, 0.5)
    found, flattered = {"again": 0, "fresh": 0}, []
    for _ in range(draws):
        baseline = rng.binomial(n, flaky)
        screens = rng.binomial(n, flaky, (6, flaky.size))
        best = screens[screens.sum(axis=1).argmax()]
        fresh = rng.binomial(n, flaky, (2, flaky.size))
        found["again"] += paired.exact_p(best, baseline, n, n) <= ALPHA
        found["fresh"] += paired.exact_p(*fresh, n, n) <= ALPHA
        flattered.append(paired.effect(best, baseline, n, n).value)
    assert _holds(found["fresh"], draws)
    assert not _holds(found["again"], draws)
    assert np.mean(flattered) > 0.04


def test_runs_with_a_shock_of_their_own_are_no_independent_calls() -> None:
    rng, draws, n = np.random.default_rng(76), 300, 7
    calls = runs = shocked = 0
    for _ in range(draws):
        shocks = np.where(rng.random((2, n)) < 0.3, 0.5, 1.0)
        passed = rng.random((2, n, SUITE.size)) < SUITE * shocks[:, :, None]
        totals = passed.sum(axis=1)
        calls += paired.exact_p(totals[0], totals[1], n, n) <= ALPHA
        runs += guards.sign_flip_p(passed[0].sum(axis=1) - passed[1].sum(axis=1)) <= ALPHA
        shocked += variance.overdispersion_index(passed[0].T).p_value <= 0.01
    assert _holds(runs, draws)
    assert not _holds(calls, draws)
    assert shocked > 0.3 * draws


def test_infrastructure_errors_that_count_as_failures_of_one_arm_prove_a_harm_that_is_none() -> None:
    rng, draws, n = np.random.default_rng(77), 200, 7
    counted = dropped = 0
    for _ in range(draws):
        broken = rng.random((n, SUITE.size)) < 0.2
        mine, theirs = (rng.random((n, SUITE.size)) < SUITE for _ in range(2))
        as_failures = (mine & ~broken).sum(axis=0), theirs.sum(axis=0)
        counted += paired.exact_p(*as_failures, n, n, "worse") <= ALPHA
        valid = (~broken).sum(axis=0)
        without = (mine & ~broken).sum(axis=0), (theirs & ~broken).sum(axis=0)
        dropped += paired.exact_p(*without, valid, valid, "worse") <= ALPHA
    assert _holds(dropped, draws)
    assert counted > 0.3 * draws


def test_five_percent_per_cycle_is_not_five_percent_of_promotions() -> None:
    rng = np.random.default_rng(78)
    better = rng.random(1000) < 0.1
    p_values = np.where(better, rng.beta(0.15, 4, 1000), rng.random(1000))
    each = p_values <= ALPHA
    together = np.array(multiplicity.false_discovery(p_values)) <= ALPHA
    assert (each & ~better).sum() / each.sum() > 0.25
    assert (together & ~better).sum() / together.sum() <= 0.10
    assert together.sum() > 20


def test_looking_at_a_fixed_n_p_value_after_every_sweep_finds_too_much_and_the_e_process_does_not() -> None:
    rng, draws, n = np.random.default_rng(79), 200, 20
    peeked = betting = 0
    for _ in range(draws):
        passed = (rng.random((2, n, SUITE.size)) < SUITE).astype(int)
        sums = passed.cumsum(axis=1)
        looks = [paired.exact_p(sums[0, k], sums[1, k], k + 1, k + 1) for k in range(1, n)]
        peeked += min(looks) <= ALPHA
        betting += evalues.superiority(passed[0] - passed[1]).p_value <= ALPHA
    assert _holds(betting, draws)
    assert not _holds(peeked, draws)


def test_no_variance_seen_is_divided_by_nowhere_and_called_no_certainty() -> None:
    always = np.ones((6, 5))
    assert paired.standard_error([5] * 6, [5] * 6, 5, 5) > 0
    assert paired.effect([5] * 6, [0] * 6, 5, 5).low < 1
    assert variance.icc(always).value is None
    assert 1.0 == variance.overdispersion_index(always).p_value
    chances = repeats.pass_hat_k([5] * 6, 5, 5)
    assert repeats.averaged(chances, 5).low < 1


def test_copied_repeats_look_like_evidence_until_they_are_counted_once() -> None:
    mine, theirs = np.array([1, 1, 1, 1, 0]), np.array([0, 0, 1, 0, 0])
    copied = paired.exact_p(5 * mine, 5 * theirs, 5, 5)
    once = paired.exact_p(mine, theirs, 1, 1)
    assert copied < 0.001 < ALPHA < once
    # what gives them away: repeats that never differ
    assert "never differed" in variance.icc(np.repeat(mine[:, None], 5, axis=1)).reason


def test_two_fixed_cases_of_twelve_are_a_gain_here_and_no_proof_for_other_cases() -> None:
    baseline = [7] * 10 + [0] * 2
    candidate = [7] * 12
    assert paired.exact_p(candidate, baseline, 7, 7) < 0.001
    assert paired.effect(candidate, baseline, 7, 7).low > 0
    elsewhere = paired.generalisation(candidate, baseline, 7, 7)
    assert elsewhere.low < 0 < elsewhere.value


def test_flipping_one_label_per_case_is_not_the_test_of_repeated_calls() -> None:
    # a case that goes from 0/3 to 3/3 has 1 of C(6, 3) orders; flipping its label knows only two
    assert pytest.approx(1 / 20) == paired.exact_p([3], [0], 3, 3)
    assert 1 / 2 == guards.sign_flip_p([1.0])


def test_an_interval_of_a_share_is_named_and_never_left_to_a_default() -> None:
    test = stats.binomtest(3, 10)
    for mine, method in ((intervals.proportion, "wilson"), (intervals.clopper_pearson, "exact")):
        theirs, estimate = test.proportion_ci(method=method), mine(3, 10)
        assert (theirs.low, theirs.high) == pytest.approx((estimate.low, estimate.high))
        assert estimate.method
