"""Non-inferiority, sign flips and the Hodges-Lehmann ratio."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harnesslib.stats import guards, latency

DARWIN = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)
DEPRESSION = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]) - np.array(
    [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
)


def test_the_e_value_gives_the_golden_values() -> None:
    # all pairs tied: mean over stakes of (1 + stake * margin)^pairs
    assert pytest.approx(guards.non_inferiority_e(np.zeros(40), 0.10), abs=5e-5) == 15.3477
    assert pytest.approx(guards.non_inferiority_e(np.zeros(24), 0.15), abs=5e-5) == 10.7273


def test_the_e_value_has_mean_one_at_the_boundary() -> None:
    # mean difference exactly -margin: summed over all outcomes of three pairs
    chances = {-1: 0.2, 0: 0.75, 1: 0.05}
    mean = sum(
        math.prod(chances[d] for d in pairs) * guards.non_inferiority_e(pairs, 0.15)
        for pairs in itertools.product(chances, repeat=3)
    )
    assert mean == pytest.approx(1.0)


@pytest.mark.parametrize(("margin", "pairs"), [(0.05, 59), (0.10, 29), (0.15, 19), (0.20, 14)])
def test_without_a_lost_pair_this_many_exclude_the_margin(margin, pairs) -> None:
    # rule of thumb: ceil(log .05 / log(1 - margin))
    assert guards.non_inferiority_p(np.zeros(pairs), margin) <= 0.05
    assert guards.non_inferiority_p(np.zeros(pairs - 1), margin) > 0.05


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.15])
def test_the_exact_p_holds_its_error_when_cases_differ(spread) -> None:
    # a loss of 15 points on average, spread unevenly over cases; baseline never fails
    rng = np.random.default_rng(2)
    chances = np.tile([0.15 - spread, 0.15 + spread], 15)
    lost = rng.random((4000, 30)) < chances
    passed = sum(guards.non_inferiority_p(-row.astype(int), 0.15) <= 0.05 for row in lost)
    assert stats.binomtest(passed, 4000, 0.05, alternative="greater").pvalue > 0.001


def test_sign_flips_give_fishers_result_for_darwins_maize() -> None:
    # R. A. Fisher 1935, section 21: 863 of 2^15 assignments reach 314; two-sided p = .0526733
    p = guards.sign_flip_p(DARWIN)
    assert p * 2**15 == pytest.approx(863)
    assert pytest.approx(2 * p, abs=1e-6) == 0.0526733


def test_five_sessions_that_all_agree_have_one_in_thirty_two() -> None:
    assert guards.sign_flip_p([1.0] * 5) == 1 / 32


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9))
def test_sign_flips_agree_with_counting_all_of_them(values) -> None:
    total = sum(values)
    sums = [
        sum(s * v for s, v in zip(signs, values, strict=True))
        for signs in itertools.product((1, -1), repeat=len(values))
    ]
    expected = sum(each >= total for each in sums) / len(sums)
    assert expected == pytest.approx(guards.sign_flip_p(values))


def test_many_values_are_drawn_from_a_seed() -> None:
    values = np.random.default_rng(3).normal(0.2, 1, 40)
    drawn = guards.sign_flip_p(values, seed=5)
    assert drawn == guards.sign_flip_p(values, seed=5)
    exact = stats.norm.sf(values.sum() / np.sqrt((values**2).sum()))
    assert drawn == pytest.approx(exact, abs=0.02)


def test_hodges_lehmann_gives_the_published_centre() -> None:
    # M. Hollander and D. A. Wolfe, depression data; R ?wilcox.test: estimate .46
    estimate = latency.hodges_lehmann(DEPRESSION)
    assert pytest.approx(estimate.value, abs=1e-9) == 0.46
    one_sided = stats.wilcoxon(DEPRESSION, alternative="greater", method="exact").pvalue
    assert one_sided == pytest.approx(0.01953125)
    assert latency.hodges_lehmann(DEPRESSION, level=0.90).low > 0


def test_the_interval_is_the_inverted_signed_rank_test() -> None:
    values = np.random.default_rng(4).normal(0.3, 1, 12)
    estimate = latency.hodges_lehmann(values, level=0.90)
    for bound, side, shift in ((estimate.low, "greater", 1e-6), (estimate.high, "less", -1e-6)):
        outside = stats.wilcoxon(values - (bound - shift), alternative=side, method="exact").pvalue
        inside = stats.wilcoxon(values - (bound + shift), alternative=side, method="exact").pvalue
        assert outside <= 0.05 < inside


def test_too_few_cases_give_a_ratio_without_interval() -> None:
    estimate = latency.ratio([math.log(2)] * 4, level=0.90)
    assert (pytest.approx(2.0), None) == (estimate.value, estimate.low)
    assert "4 cases are too few for an interval, 5 are needed" == estimate.reason
    assert latency.ratio([math.log(2)] * 5, level=0.90).low == pytest.approx(2.0)
    assert latency.ratio([]).value is None
