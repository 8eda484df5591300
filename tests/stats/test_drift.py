"""Drift: the exact law of a cycle, the sums, run lengths, and alarms over a history."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harnesslib.stats import drift, paired


def test_a_cycle_beside_its_reference_gives_the_golden_values() -> None:
    # this cycle (1,3,0,3) of 3, reference (24,24,12,24) of 24: z -3.3284, exact p .00133
    found = drift.shift((1, 3, 0, 3), 3, (24, 24, 12, 24), 24)
    assert pytest.approx(-3.3284, abs=5e-5) == found.statistic
    assert pytest.approx(0.00133, abs=5e-6) == found.p_value
    assert (4, "this cycle is worse than the reference") == (found.n, found.alternative)


counts = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=6)


@given(counts)
def test_z_is_standardized_by_the_law_that_gives_p(cases) -> None:
    mine, theirs = [a for a, _ in cases], [b for _, b in cases]
    least, law = paired.null_law(mine, theirs, 3, 9)
    values = least + np.arange(law.size)
    mean = float(law @ values)
    spread = float(np.sqrt(law @ (values - mean) ** 2))
    expected = (sum(mine) - mean) / spread if spread > 1e-9 else 0.0
    assert pytest.approx(expected, abs=1e-6) == drift.shift(mine, 3, theirs, 9).statistic


@given(counts)
def test_worse_and_better_share_only_the_chance_of_what_was_seen(cases) -> None:
    mine, theirs = [a for a, _ in cases], [b for _, b in cases]
    worse = drift.shift(mine, 3, theirs, 9).p_value
    better = drift.shift(mine, 3, theirs, 9, "better").p_value
    least, law = paired.null_law(mine, theirs, 3, 9)
    assert pytest.approx(1 + law[sum(mine) - least]) == worse + better


def test_a_cycle_without_a_common_case_is_unknown() -> None:
    found = drift.shift((1, 0), (3, 0), (0, 5), (0, 9))
    assert (None, None, "no case was measured in both") == (found.p_value, found.statistic, found.reason)


@pytest.mark.parametrize(
    ("limit", "quiet", "shifted"), [(4.0, 167.68, 8.383), (5.0, 465.43, 10.376)], ids=["h=4", "h=5"]
)
def test_the_run_length_is_that_of_the_book(limit, quiet, shifted) -> None:
    # D. C. Montgomery, Introduction to Statistical Quality Control, table 9.3: 168, 8.38 and 465, 10.4
    assert pytest.approx(quiet, abs=5e-3) == drift.run_length(0.0, limit=limit)
    assert pytest.approx(shifted, abs=5e-3) == drift.run_length(1.0, limit=limit)


def test_simulated_series_last_as_long_as_the_run_length_says() -> None:
    rng = np.random.default_rng(31)
    lengths = [drift.cusum(rng.normal(1.0, 1.0, 200)).alarm + 1 for _ in range(400)]
    assert pytest.approx(drift.run_length(1.0), abs=4 * np.std(lengths) / 20) == np.mean(lengths)


def test_the_sums_rise_by_what_exceeds_the_allowance_and_never_fall_below_zero() -> None:
    found = drift.cusum([-2.0, -2.0, 3.0, 0.0])
    assert (1.5, 3.0, 0.0, 0.0) == found.lower
    assert (0.0, 0.0, 2.5, 2.0) == found.upper
    assert (None, None) == (found.alarm, found.direction)
    assert drift.Cusum((), (), None, None) == drift.cusum([])


def test_the_first_cycle_beyond_the_limit_is_the_alarm_in_its_direction() -> None:
    assert (3, "worse") == drift.cusum([-2.0] * 8)[2:]
    assert (3, "better") == drift.cusum([2.0] * 8)[2:]


def _history(rng, cycles: int, *, drop: float = 0.0, at: int = 20) -> np.ndarray:
    chances = np.concatenate((rng.beta(40, 1, 20), rng.uniform(0.2, 0.8, 5), rng.beta(1, 40, 5)))
    lower = np.clip(chances - drop * 30 / 20 * (np.arange(30) < 20), 0.02, 1)
    return np.array([rng.binomial(3, lower if cycle >= at else chances) for cycle in range(cycles)])


def test_a_drop_of_ten_points_is_seen_within_a_few_cycles() -> None:
    rng, delays = np.random.default_rng(32), []
    for _ in range(12):
        found = drift.watch(_history(rng, 32, drop=0.10), np.full((32, 30), 3))
        delays.append(found.alarm - 19)
        assert "worse" == found.direction
    assert 1 <= np.mean(delays) <= 4


def test_quiet_histories_seldom_raise_an_alarm() -> None:
    rng = np.random.default_rng(33)
    alarms = sum(drift.watch(_history(rng, 30), np.full((30, 30), 3)).alarm is not None for _ in range(100))
    # 22 cycles: about 10 %
    assert stats.binomtest(alarms, 100, 0.12, alternative="greater").pvalue > 0.001


def test_one_terrible_cycle_is_an_alarm_by_itself() -> None:
    passes = np.full((12, 10), 3)
    passes[9] = 1
    found = drift.watch(passes, np.full((12, 10), 3))
    assert (9, "worse", 8) == (found.alarm, found.direction, found.first_cycle)
    assert found.tests[1].p_value <= drift.SINGLE_LIMIT


def test_a_rise_is_told_from_a_fall() -> None:
    passes = np.ones((14, 10), dtype=int)
    passes[8:] = 3
    found = drift.watch(passes, np.full((14, 10), 3))
    assert (8, "better") == (found.alarm, found.direction)


def test_a_history_that_is_its_own_reference_says_nothing() -> None:
    found = drift.watch([[3, 3]] * 4, [[3, 3]] * 4)
    assert ((), None, None) == (found.tests, found.alarm, found.direction)


def test_a_cycle_that_was_not_measured_moves_no_sum() -> None:
    calls = np.full((10, 4), 3)
    calls[8] = 0
    found = drift.watch(np.where(calls > 0, 3, 0), calls)
    assert found.tests[0].p_value is None
    assert (0.0, 0.0) == found.cusum.lower
