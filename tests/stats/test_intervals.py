"""Intervals against published values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harnesslib.stats import intervals


@pytest.mark.parametrize(
    ("passes", "n", "low", "high", "within"),
    [
        (3, 10, 0.1077913, 0.6032219, 1e-6),  # R prop.test without correction
        (0, 10, 0.0, 0.2775328, 1e-6),  # R prop.test without correction
        (81, 263, 0.2553, 0.3662, 6e-5),  # Newcombe 1998a, table I
        (15, 148, 0.0624, 0.1605, 6e-5),  # Newcombe 1998a, table I
        (0, 20, 0.0, 0.1611, 6e-5),  # Newcombe 1998a, table I
        (1, 29, 0.0061, 0.1718, 6e-5),  # Newcombe 1998a, table I
    ],
)
def test_wilson_gives_the_published_values(passes, n, low, high, within) -> None:
    estimate = intervals.proportion(passes, n)
    assert (low, high) == pytest.approx((estimate.low, estimate.high), abs=within)
    assert passes / n == estimate.value


@pytest.mark.parametrize(
    ("passes", "n", "low", "high", "within"),
    [
        (81, 263, 0.2527, 0.3676, 6e-5),  # Newcombe 1998a, table I
        (15, 148, 0.0578, 0.1617, 6e-5),  # Newcombe 1998a, table I
        (0, 20, 0.0, 0.1684, 6e-5),  # Newcombe 1998a, table I
        (1, 29, 0.0009, 0.1776, 6e-5),  # Newcombe 1998a, table I
        (10, 10, 0.6915029, 1.0, 1e-6),  # R binom.test
    ],
)
def test_clopper_pearson_gives_the_published_values(passes, n, low, high, within) -> None:
    estimate = intervals.clopper_pearson(passes, n)
    assert (low, high) == pytest.approx((estimate.low, estimate.high), abs=within)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_both_intervals_agree_with_scipy(counts) -> None:
    passes, n = counts
    test = stats.binomtest(passes, n)
    exact, score = test.proportion_ci(method="exact"), test.proportion_ci(method="wilson")
    mine, other = intervals.clopper_pearson(passes, n), intervals.proportion(passes, n)
    assert (exact.low, exact.high) == pytest.approx((mine.low, mine.high), abs=1e-9)
    assert (score.low, score.high) == pytest.approx((other.low, other.high), abs=1e-9)


def test_the_one_sided_bound_of_no_pass_is_the_closed_form() -> None:
    # 1 - .05^(1/n): the 95 % upper bound of 0 of n
    for n, upper in ((3, 0.632), (5, 0.451), (7, 0.348), (10, 0.259), (15, 0.181)):
        estimate = intervals.clopper_pearson(0, n, side="upper")
        assert (0.0, upper) == (estimate.low, pytest.approx(estimate.high, abs=5e-4))


def test_the_fewest_passes_that_prove_eighty_percent_restraint() -> None:
    for passes, n in ((14, 14), (21, 22), (28, 30), (34, 36), (45, 50), (54, 60), (87, 100)):
        enough = intervals.clopper_pearson(passes, n, side="lower")
        one_less = intervals.clopper_pearson(passes - 1, n, side="lower")
        assert enough.low >= 0.8 > one_less.low


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),  # Newcombe 1998b, table II, method 10
        ((9, 10, 3, 10), 0.1705, 0.8090),  # Newcombe 1998b, table II, method 10
        ((5, 56, 0, 29), -0.0381, 0.1926),  # Newcombe 1998b, table II, method 10
        ((10, 10, 0, 10), 0.6075, 1.0),  # Newcombe 1998b, table II, method 10
    ],
)
def test_the_difference_of_shares_gives_the_published_values(counts, low, high) -> None:
    estimate = intervals.difference(*counts)
    assert (low, high) == pytest.approx((estimate.low, estimate.high), abs=6e-5)


def test_unmeasured_is_unknown_with_a_reason_and_never_zero() -> None:
    for estimate in (
        intervals.proportion(0, 0),
        intervals.clopper_pearson(0, 0),
        intervals.difference(0, 0, 3, 4),
        intervals.quantile([], 0.5),
    ):
        assert (None, None, None) == (estimate.value, estimate.low, estimate.high)
        assert estimate.reason


def test_the_median_of_a_hundred_lies_between_the_40th_and_61st_value() -> None:
    # David and Nagaraja, section 7.1: binomial(100, 1/2)
    estimate = intervals.quantile(range(1, 101), 0.5)
    assert (50.5, 40.0, 61.0) == (estimate.value, estimate.low, estimate.high)


def test_a_high_quantile_of_few_values_has_no_interval_but_says_how_many_are_needed() -> None:
    estimate = intervals.quantile(range(48), 0.95)
    assert (None, None) == (estimate.low, estimate.high)
    assert "48 values are too few for an interval, 72 are needed" == estimate.reason
    assert intervals.quantile(range(72), 0.95).high is not None
    assert intervals.quantile(range(71), 0.95).high is None


def test_the_quantile_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    draws = rng.exponential(size=(600, 40))
    found = [intervals.quantile(row, 0.5) for row in draws]
    covered = sum(estimate.low <= np.log(2) <= estimate.high for estimate in found)
    assert stats.binomtest(covered, 600, 0.95, alternative="less").pvalue > 0.001


def test_the_paired_difference_gives_the_published_value() -> None:
    # Newcombe 1998c, method 10: 36 both, 12 only the first, 2 only the other, 0 neither
    estimate = intervals.paired_difference(intervals.PairedCounts(36, 12, 2, 0))
    assert (0.0569, 0.3404) == pytest.approx((estimate.low, estimate.high), abs=6e-5)
    assert (0.2, 50, "Newcombe, paired") == (estimate.value, estimate.n, estimate.method)


counts_of_pairs = st.tuples(*[st.integers(0, 12)] * 4).filter(any)


@given(counts_of_pairs)
def test_swapping_the_sides_of_pairs_mirrors_the_interval(cells) -> None:
    both, first, other, neither = cells
    one = intervals.paired_difference(intervals.PairedCounts(both, first, other, neither))
    two = intervals.paired_difference(intervals.PairedCounts(both, other, first, neither))
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low))
    assert -1 <= one.low <= one.value <= one.high <= 1


@given(counts_of_pairs)
def test_pairs_that_agree_make_the_interval_no_wider_than_independence(cells) -> None:
    both, first, other, neither = cells
    n = sum(cells)
    paired = intervals.paired_difference(intervals.PairedCounts(both, first, other, neither))
    apart = intervals.difference(both + first, n, both + other, n)
    if both * neither >= first * other:
        assert paired.high - paired.low <= apart.high - apart.low + 1e-12


def test_pairs_are_counted_from_shares() -> None:
    counts = intervals.PairedCounts.of([1, 1, 0, 0.5], [1, 0, 1, 1])
    assert intervals.PairedCounts(both=1.5, first_only=1, other_only=1.5, neither=0) == counts
    assert intervals.paired_difference(intervals.PairedCounts(0, 0, 0, 0)).reason == "no pair"


def test_a_tail_needs_more_answers_the_further_out_it_is() -> None:
    # the largest value bounds p99 from above at 97.5 % from 368 values on: log .025 / log .99
    values = np.arange(368.0)
    assert intervals.quantile(values, 0.99).high == 367.0
    assert (
        "367 values are too few for an interval, 368 are needed"
        == intervals.quantile(values[:367], 0.99).reason
    )
