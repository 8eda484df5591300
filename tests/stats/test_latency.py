"""Shifts of quantiles of times, with whole cases resampled."""

from __future__ import annotations

import numpy as np
import pytest

from harnesslib.stats import latency


def _times(rng: np.random.Generator, cases: int) -> np.ndarray:
    return np.exp(rng.normal(0, 0.3, (cases, 1)) + rng.normal(0, 0.2, (cases, 4)))


def test_a_shift_of_all_times_is_found_at_every_quantile() -> None:
    times = _times(np.random.default_rng(61), 40)
    for q in (0.5, 0.95):
        estimate = latency.quantile_shift(times + 0.4, times, q)
        assert pytest.approx(0.4) == estimate.value
        assert (0.4, 0.4, 40) == (pytest.approx(estimate.low), pytest.approx(estimate.high), estimate.n)


def test_a_longer_tail_is_seen_where_the_median_shows_nothing() -> None:
    rng = np.random.default_rng(62)
    baseline, candidate = _times(rng, 60), _times(rng, 60)
    candidate[rng.random((60, 4)) < 0.12] *= 6
    tail, middle = (latency.quantile_shift(candidate, baseline, q) for q in (0.95, 0.5))
    assert tail.low > 0
    assert middle.low < 0 < middle.high


def test_cases_without_an_answer_in_both_arms_are_left_out() -> None:
    times = _times(np.random.default_rng(63), 12)
    gaps = times.copy()
    gaps[0], gaps[1, 0] = np.nan, np.nan
    assert 11 == latency.quantile_shift(gaps, times, 0.5).n
    assert latency.quantile_shift(np.full((3, 2), np.nan), times[:3], 0.5).value is None


def test_few_cases_give_a_shift_without_interval() -> None:
    estimate = latency.quantile_shift([[1.0, 2.0]] * 4, [[0.5, 1.0]] * 4, 0.5)
    assert (0.75, None) == (estimate.value, estimate.low)
    assert "4 cases are too few for an interval, 5 are needed" == estimate.reason


def test_the_interval_covers_the_shift_about_as_often_as_it_says(monkeypatch) -> None:
    monkeypatch.setattr(latency, "RESAMPLES", 199)
    rng, covered = np.random.default_rng(64), 0
    for _ in range(100):
        estimate = latency.quantile_shift(_times(rng, 30), _times(rng, 30), 0.5)
        covered += estimate.low <= 0 <= estimate.high
    assert covered >= 88
