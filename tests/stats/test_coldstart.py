"""Cold starts: what is found, what is not taken for one, and how often nothing is found falsely."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from harnesslib.stats import coldstart

NAN = math.nan


def _session(cold_cases: int, cold: int, cases: int = 12, runs: int = 7) -> np.ndarray:
    passed = np.ones((cases, runs))
    passed[:cold_cases, :cold] = 0
    return passed


def _suite(rng: np.random.Generator, cases: int = 12) -> np.ndarray:
    """Draw chances to pass: 70 % solid, 15 % flaky, the others out of reach."""
    flaky = round(0.15 * cases)
    solid = cases - 2 * flaky
    return np.concatenate((rng.beta(40, 1, solid), rng.uniform(0.2, 0.8, flaky), rng.beta(1, 40, flaky)))


def test_three_cold_cases_of_twelve_give_the_golden_evidence() -> None:
    # 3 of 12 cases FFPPPPP, the others pass: log e-value 6.8582, computed independently by enumeration
    found = coldstart.pattern_test(_session(3, 2))
    assert pytest.approx(found.statistic, abs=5e-5) == 6.8582
    assert 1 / (coldstart.DRAWS + 1) == found.p_value
    assert (3, "") == (found.n, found.reason)


@pytest.mark.parametrize(("order", "length", "expected"), [("FFPPPPP", 2, 20.432), ("FPPPPPP", 1, 6.886)])
def test_one_pattern_scores_its_golden_e_value(order, length, expected) -> None:
    # C(n, f) times the chance of the order under the law of a cold start, divided by that of f failures
    row = np.array([[letter == "P" for letter in order]], dtype=float)
    assert pytest.approx(expected, abs=5e-4) == coldstart.case_e(row, length)[0]


@pytest.mark.parametrize("gap", [None, 0, 4])
def test_e_values_of_a_pattern_average_one_over_all_orders(gap) -> None:
    for failures in range(1, 6):
        orders = []
        for failed in itertools.combinations(range(6), failures):
            order = [float(place not in failed) for place in range(6)]
            if gap is not None:
                order.insert(gap, NAN)
            orders.append(order)
        for length in (1, 2, 3):
            e_values = coldstart.case_e(orders, length)
            assert pytest.approx(1.0) == np.mean(e_values)


def test_the_start_is_worst_and_its_length_is_told() -> None:
    for cold in (1, 2, 3):
        assert coldstart.worst_at_start(_session(3, cold)) is True
        assert cold == coldstart.cold_runs(_session(3, cold))


def test_a_fault_further_on_is_no_cold_start() -> None:
    passed = np.ones((12, 7))
    passed[:3, 0] = 0
    passed[:9, 4] = 0
    assert coldstart.worst_at_start(passed) is False
    assert coldstart.pattern_test(passed).p_value > 0.05
    assert coldstart.cold_runs(np.fliplr(_session(3, 2))) is None


def test_where_nothing_differs_nothing_is_said() -> None:
    same = np.repeat([[1.0], [0.0]], 5, axis=1)
    assert (1.0, 0.0, 0) == (
        coldstart.pattern_test(same).p_value,
        coldstart.pattern_test(same).statistic,
        coldstart.pattern_test(same).n,
    )
    assert coldstart.worst_at_start(same) is None
    assert coldstart.cold_runs(same) is None


@pytest.mark.parametrize("passed", [[], [[1.0], [0.0]], [[NAN, NAN]]])
def test_without_a_second_run_the_start_is_unknown_with_a_reason(passed) -> None:
    found = coldstart.pattern_test(passed)
    if np.size(passed) and np.shape(passed)[1] > 1:
        assert 0 == found.n
    else:
        assert found.p_value is None
        assert "fewer than 2 runs" in found.reason
        assert coldstart.worst_at_start(passed) is None
    assert coldstart.cold_runs(passed) is None


def test_a_call_without_outcome_leaves_the_rest_of_its_case() -> None:
    passed = _session(4, 2)
    passed[0, 1] = passed[7, 3] = NAN
    found = coldstart.pattern_test(passed)
    assert found.p_value < 0.01
    assert 2 == coldstart.cold_runs(passed)
    assert coldstart.worst_at_start(passed) is True


def test_a_gap_is_no_place_where_an_outcome_could_have_been() -> None:
    # one failure among three calls comes first in a third of their orders
    assert pytest.approx(1 / 3, abs=0.05) == coldstart.pattern_test([[0.0, NAN, 1.0, 1.0]]).p_value
    # the same for the longest of three times
    assert pytest.approx(1 / 3, abs=0.05) == coldstart.latency_test([[9.0, NAN, 1.0, 1.1]]).p_value


def test_cases_that_never_changed_carry_no_evidence() -> None:
    assert [1.0, 1.0] == coldstart.case_e([[1, 1, 1], [0, 0, NAN]], 1).tolist()


def test_a_slow_first_run_is_found_by_times_alone() -> None:
    rng = np.random.default_rng(11)
    times = np.exp(rng.normal(0, 0.25, (12, 7)) + rng.normal(0, 0.5, (12, 1)))
    quiet = coldstart.latency_test(times)
    times[:, 0] *= 1.5
    times[3, 5] = NAN
    slow = coldstart.latency_test(times)
    assert slow.p_value < 0.01 < quiet.p_value
    assert 12 == slow.n
    # one call of a minute is not a slow start
    times = np.exp(rng.normal(0, 0.25, (12, 7)))
    times[0, 0] = 60.0
    assert coldstart.latency_test(times).p_value > 0.01


def test_outcomes_and_times_together_pay_for_two_looks() -> None:
    rng = np.random.default_rng(12)
    passed, times = _session(3, 2), np.exp(rng.normal(0, 0.25, (12, 7)))
    both = coldstart.startup_test(passed, times)
    assert 2 * coldstart.pattern_test(passed).p_value == both.p_value
    assert coldstart.pattern_test(passed).p_value == coldstart.startup_test(passed, [[1.0]]).p_value
    neither = coldstart.startup_test([[1.0]], [[1.0]])
    assert neither.p_value is None
    assert "fewer than 2 runs" in neither.reason
    assert "two answers" in neither.reason


@pytest.mark.parametrize(("cases", "runs"), [(12, 7), (30, 3)])
def test_without_a_cold_start_one_in_a_hundred_is_found(cases, runs) -> None:
    rng = np.random.default_rng(13)
    alarms = 0
    for draw in range(300):
        passed = (rng.random((cases, runs)) < _suite(rng, cases)[:, None]).astype(float)
        alarms += coldstart.pattern_test(passed, seed=draw).p_value <= 0.01
    assert stats.binomtest(alarms, 300, 0.01, alternative="greater").pvalue > 0.001


def test_three_cold_cases_of_twelve_are_found_nearly_always() -> None:
    rng, found = np.random.default_rng(14), 0
    for draw in range(40):
        chances = np.repeat(np.sort(_suite(rng))[::-1, None], 7, axis=1)
        chances[:3, :2] = 0
        passed = (rng.random((12, 7)) < chances).astype(float)
        found += coldstart.pattern_test(passed, seed=draw).p_value <= 0.01
    assert found >= 34


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
def test_without_a_cold_start_one_in_a_hundred_is_found_in_many_sessions() -> None:
    rng, draws, alarms = np.random.default_rng(15), 2000, np.zeros(3)
    for draw in range(draws):
        passed = (rng.random((12, 7)) < _suite(rng)[:, None]).astype(float)
        times = np.exp(rng.normal(0, 0.25, (12, 7)) + rng.normal(0, 0.5, (12, 1)))
        tests = coldstart.pattern_test(passed, seed=draw), coldstart.latency_test(times, seed=draw)
        p_values = [test.p_value for test in tests]
        alarms += [p <= 0.01 for p in (*p_values, 2 * min(p_values))]
    for found in alarms:
        assert stats.binomtest(int(found), draws, 0.01, alternative="greater").pvalue > 0.001
