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
