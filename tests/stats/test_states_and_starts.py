"""Cold starts, case states, runs that differ, and what could have been found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harnesslib.stats import casestate, coldstart, paired, power, variance


def test_five_clean_sessions_reach_five_percent_and_four_do_not() -> None:
    assert coldstart.session_p([1.0] * 5, [0.0] * 5) == 1 / 32
    assert coldstart.session_p([1.0] * 4, [0.0] * 4) == 1 / 16
    assert coldstart.session_p([], []) is None


def test_sessions_that_agree_prove_nothing() -> None:
    assert coldstart.session_p([0.5] * 5, [0.5] * 5) == 1.0


def test_failures_at_the_start_are_seen_and_the_same_number_later_is_not() -> None:
    first, later = [True] * 4 + [False] * 44, [False] * 20 + [True] * 4 + [False] * 24
    # 4 failures exactly in the first 4 of 48: 6 lengths / C(48, 4)
    assert coldstart.prefix_p(first) == pytest.approx(6 / 194580)
    assert coldstart.prefix_p(later) == 1.0
    assert coldstart.prefix_p([False] * 10) == 1.0
    assert coldstart.prefix_p([]) == 1.0


def test_as_many_calls_fail_first_as_were_started_at_once() -> None:
    assert coldstart.prefix_p([True] * 24 + [False] * 11) < 0.01


def test_the_prefix_test_holds_its_error() -> None:
    rng = np.random.default_rng(5)
    found = sum(coldstart.prefix_p((rng.random(48) < 0.1).tolist()) <= 0.05 for _ in range(1500))
    assert stats.binomtest(found, 1500, 0.05, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize(
    ("passes", "n", "expected"),
    [
        (0, 7, (0.0, 0.1281, 0.8719)),
        (1, 7, (0.0, 0.4911, 0.5089)),
        (6, 7, (0.8286, 0.1714, 0.0)),
        (7, 7, (0.9695, 0.0305, 0.0)),
        (0, 10, (0.0, 0.1020, 0.8980)),
    ],
)
def test_the_case_state_gives_the_golden_values(passes, n, expected) -> None:
    # mixture of beta-binomials (40,1) .70, (1,1) .15, (1,40) .15, computed with scipy.stats.betabinom
    assert expected == pytest.approx(tuple(casestate.posterior(passes, n)), abs=5e-5)


def test_nothing_seen_leaves_the_prior() -> None:
    assert casestate.posterior(0, 0) == pytest.approx((0.70, 0.15, 0.15))


def test_a_run_that_went_wrong_is_seen_and_chance_is_not() -> None:
    rng = np.random.default_rng(6)
    table = (rng.random((40, 5)) < 0.8).astype(int)
    shocked = table.copy()
    shocked[:, 2] *= rng.random(40) < 0.5
    assert variance.overdispersion_p(shocked) < 0.01 < variance.overdispersion_p(table)


def test_runs_differ_falsely_as_often_as_they_may() -> None:
    rng = np.random.default_rng(7)
    chances = np.repeat([0.98, 0.5, 0.02], 8)[:, None]
    tables = rng.random((300, 24, 5)) < chances
    found = sum(variance.overdispersion_p(table) <= 0.05 for table in tables)
    assert stats.binomtest(found, 300, 0.05, alternative="greater").pvalue > 0.001


def test_one_run_or_no_mixed_case_shows_no_difference() -> None:
    assert variance.overdispersion_p([[1], [0]]) is None
    assert variance.overdispersion_p([]) is None
    assert variance.overdispersion_p([[1, 1], [0, 0]]) == 1.0


def test_the_gain_that_could_be_found_is_found_four_times_out_of_five() -> None:
    rng = np.random.default_rng(8)
    cases, repeats = 24, 5
    gain = power.smallest_effect(cases, repeats, 0.78, 0.05)
    found = 0
    for _ in range(400):
        baseline = np.concatenate((rng.beta(40, 1, 16), rng.uniform(0.2, 0.8, 4), rng.beta(1, 40, 4)))
        better = baseline + (0.98 - baseline).clip(0) * gain * cases / (0.98 - baseline).clip(0).sum()
        arms = rng.binomial(repeats, better), rng.binomial(repeats, baseline)
        found += paired.exact_p(*arms, repeats, repeats) <= 0.05
    assert 0.7 < found / 400 < 0.92


def test_more_calls_find_smaller_gains_and_a_ceiling_leaves_none() -> None:
    gains = [power.smallest_effect(24, repeats, 0.7, 0.05) for repeats in (3, 5, 10, 20)]
    assert gains == sorted(gains, reverse=True)
    assert power.smallest_effect(24, 5, 0.99, 0.05) is None
    assert power.smallest_effect(24, 0, 0.7, 0.05) is None


def test_a_state_is_called_from_ninety_percent_on() -> None:
    assert "solid" == casestate.posterior(7, 7).called
    assert "flaky" == casestate.posterior(3, 7).called
    # 0 of 7 is a probable limit, no more: 0.872; 15 calls settle it: 0.92
    assert "undecided" == casestate.posterior(0, 7).called
    assert "impossible" == casestate.posterior(0, 15).called


@pytest.mark.parametrize(("n", "expected"), [(3, 0.79), (5, 0.84), (7, 0.87), (10, 0.90), (15, 0.92)])
def test_never_passing_makes_a_limit_more_probable_call_by_call(n, expected) -> None:
    assert pytest.approx(expected, abs=5e-3) == casestate.posterior(0, n).impossible


@pytest.mark.parametrize(("n", "upper"), [(3, 0.632), (5, 0.451), (7, 0.348), (10, 0.259), (15, 0.181)])
def test_the_bound_says_what_never_passing_still_allows(n, upper) -> None:
    # closed form: one minus the n-th root of .05
    assert pytest.approx(upper, abs=5e-4) == casestate.upper_bound(0, n).high


def test_shares_of_states_are_found_in_a_long_history() -> None:
    rng = np.random.default_rng(9)
    chances = np.concatenate((rng.beta(40, 1, 800), rng.random(800), rng.beta(1, 40, 400)))
    found = casestate.shares(rng.binomial(12, chances), 12)
    assert pytest.approx((0.4, 0.4, 0.2), abs=0.04) == found
    assert pytest.approx(1.0) == sum(found)


def test_shares_have_settled_when_they_are_returned() -> None:
    rng = np.random.default_rng(16)
    passes = rng.binomial(5, rng.random(2000))
    found = casestate.shares(passes, 5)
    expected = np.sum([casestate.posterior(k, 5, found) for k in passes.tolist()], axis=0)
    again = (expected + casestate.HISTORY_WORTH * np.array(casestate.PRIOR)) / (
        2000 + casestate.HISTORY_WORTH
    )
    assert pytest.approx(tuple(again), abs=1e-4) == found


def test_a_short_history_rules_no_state_out() -> None:
    assert pytest.approx(tuple(casestate.PRIOR)) == casestate.shares([], [])
    found = casestate.shares([7] * 12, 7)
    assert found.solid > casestate.PRIOR.solid
    assert found.impossible > 0.05


def test_history_moves_the_verdict() -> None:
    hard = casestate.shares([0] * 80 + [7] * 20, 7)
    assert casestate.posterior(0, 7, hard).impossible > casestate.posterior(0, 7).impossible


RATINGS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


@pytest.mark.parametrize(
    ("model", "value", "low", "high"),
    [
        ("one-way", 0.17, -0.133, 0.723),
        ("two-way random", 0.29, 0.019, 0.761),
        ("two-way fixed", 0.71, 0.342, 0.946),
    ],
)
def test_the_correlation_inside_cases_gives_the_published_values(model, value, low, high) -> None:
    # Shrout and Fleiss 1979, table 4; intervals as R psych::ICC prints them for the same table
    found = variance.icc(RATINGS, model)
    assert pytest.approx(value, abs=6e-3) == found.value
    assert (low, high) == pytest.approx((found.low, found.high), abs=6e-4)
    assert (6, "") == (found.n, found.reason)


def test_variance_splits_into_case_run_and_residual() -> None:
    # mean squares of Shrout and Fleiss 1979, table 3: cases 11.24, judges 32.49, residual 1.02
    found = variance.components(RATINGS)
    assert ((11.24 - 1.02) / 4, (32.49 - 1.02) / 6, 1.02) == pytest.approx(found, abs=5e-3)


def test_a_component_is_never_negative() -> None:
    assert variance.Components(0.0, 0.0, 1.0) == variance.components([[0, 1], [1, 0]])._replace(residual=1.0)


def test_no_variance_seen_gives_no_interval_and_no_zero() -> None:
    always = variance.icc([[1, 1], [1, 1]])
    assert (None, "all results are equal: there is no variance") == (always.value, always.reason)
    settled = variance.icc([[1, 1, 1], [0, 0, 0]])
    assert (1.0, None, None) == (settled.value, settled.low, settled.high)
    assert "never differed" in settled.reason
    assert variance.icc([[1, 0]]).value is None
    assert variance.components([]) is None


def test_a_case_that_lacks_a_run_is_left_out_of_the_split() -> None:
    assert variance.icc(RATINGS) == variance.icc([*RATINGS, [5, np.nan, 5, 5]])


def test_the_index_of_dispersion_is_cochrans_q() -> None:
    # (k-1) (k sum G^2 - T^2) / (k T - sum L^2) with runs' passes 2, 1, 3, 2, cases' 2, 2, 4: 2
    found = variance.overdispersion_index([[1, 0, 1, 0], [0, 0, 1, 1], [1, 1, 1, 1]])
    assert pytest.approx(3 * (4 * 18 - 64) / (4 * 8 - 24)) == found.statistic
    assert pytest.approx(stats.chi2.sf(3, 3)) == found.p_value
    assert 2 == found.n


def test_the_index_is_unknown_for_one_run_and_nothing_for_settled_cases() -> None:
    assert variance.overdispersion_index([[1], [0]]).p_value is None
    settled = variance.overdispersion_index([[1, 1], [0, 0]])
    assert (1.0, 0.0) == (settled.p_value, settled.statistic)


def test_the_index_holds_its_error_and_sees_a_shock() -> None:
    rng = np.random.default_rng(10)
    chances = np.repeat([0.95, 0.5, 0.05], 10)[:, None]
    tables = (rng.random((600, 30, 5)) < chances).astype(int)
    found = sum(variance.overdispersion_index(table).p_value <= 0.05 for table in tables)
    assert stats.binomtest(found, 600, 0.05, alternative="greater").pvalue > 0.001
    shocked = (rng.random((30, 5)) < 0.9).astype(int)
    shocked[:, 3] = 0
    assert variance.overdispersion_index(shocked).p_value < 0.001


def test_the_index_of_two_runs_is_mcnemars_chi_squared() -> None:
    # A. Agresti, Categorical Data Analysis, approval ratings: 150 and 86 changed their mind, 17.356
    changed = np.repeat([[1, 0], [0, 1]], [150, 86], axis=0)
    assert pytest.approx(17.356, abs=1e-3) == variance.overdispersion_index(changed).statistic


def test_a_difference_of_three_points_needs_a_thousand_questions() -> None:
    # E. Miller 2024, arXiv 2411.00640: spread 1/9, no noise of resampling, 80 % power: 969
    assert 969 == power.questions_needed(0.03, 1 / 9)
    assert power.questions_needed(0.03, 1 / 9, noise=0.1) > 969


def test_repeats_pay_while_a_result_varies_more_than_its_case() -> None:
    # Kalibera and Jones 2013: ceil(sqrt(cost ratio x inverse variance ratio))
    assert 1 == power.repeats_worth(0.2, 0.02)
    assert 3 == power.repeats_worth(0.02, 0.1, case_cost=1.0)
    assert 5 == power.repeats_worth(0.02, 0.1, case_cost=5.0)
    assert power.repeats_worth(0.0, 0.1) is None


@pytest.mark.parametrize(("repeats", "p"), [(2, 1 / 6), (3, 1 / 20), (4, 1 / 70), (5, 1 / 252)])
def test_a_single_hopeless_case_shows_early_whether_a_test_can_be_won(repeats, p) -> None:
    assert pytest.approx(p) == power.least_p([repeats, repeats, 0], repeats)


def test_at_the_ceiling_no_candidate_can_win() -> None:
    assert 1.0 == power.least_p([3, 3, 3], 3)
