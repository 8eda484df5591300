"""Boundaries of sequential tests against published values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harnesslib.stats import boundaries, intervals


def test_walds_bounds_are_those_of_the_book() -> None:
    # A. Wald 1947: log(.8 / .05), log(.2 / .95)
    assert (2.772589, -1.558145) == pytest.approx(boundaries.wald_bounds(0.05, 0.2), abs=1e-6)


@pytest.mark.parametrize(
    ("shape", "constant"), [(0.5, 2.413), (0.0, 2.040)], ids=["Pocock", "O'Brien-Fleming"]
)
def test_five_looks_have_the_published_constant(shape, constant) -> None:
    # C. Jennison and B. W. Turnbull 2000, tables 2.1 and 2.3
    assert pytest.approx(constant, abs=5e-4) == boundaries.group_sequential_constant(5, shape=shape)


def test_one_look_is_the_ordinary_test() -> None:
    assert pytest.approx(1.959964, abs=1e-6) == boundaries.group_sequential_constant(1)


@pytest.mark.parametrize(("two_sided", "bound"), [(False, 27.66071), (True, 30.35209)])
def test_the_normal_mixture_gives_the_published_bound(two_sided, bound) -> None:
    # gostevehoward/confseq, unit tests: normal_mixture_bound(100, .05, 100)
    assert pytest.approx(bound, abs=5e-6) == boundaries.NormalMixture(100, two_sided).bound(100, 0.05)


@pytest.mark.parametrize(("two_sided", "bound"), [(False, 28.41238), (True, 31.4308)])
def test_the_beta_binomial_mixture_gives_the_published_bound(two_sided, bound) -> None:
    # gostevehoward/confseq, unit tests: beta_binomial_mixture_bound(100, .05, 100, .2, .8)
    mixture = boundaries.BetaBinomialMixture(100, 0.2, 0.8, two_sided)
    assert pytest.approx(bound, abs=5e-6) == mixture.bound(100, 0.05)


@pytest.mark.parametrize(
    ("passes", "n", "tuned_for", "low", "high"),
    [(700, 1000, 100, 0.651629, 0.745949), (15, 50, 50, 0.129556, 0.511896)],
)
def test_the_share_at_any_time_has_the_published_interval(passes, n, tuned_for, low, high) -> None:
    # gostevehoward/confseq, unit tests: bernoulli_confidence_interval
    estimate = boundaries.share_at_any_time(passes, n, tuned_for=tuned_for)
    assert (low, high) == pytest.approx((estimate.low, estimate.high), abs=1e-6)


def test_a_share_at_the_edge_has_an_interval_that_ends_there() -> None:
    never, always = (boundaries.share_at_any_time(k, 50, tuned_for=50) for k in (0, 50))
    assert (0.0, pytest.approx(1 - always.low)) == (never.low, never.high)
    assert 1.0 == always.high
    single = boundaries.share_at_any_time(1, 1, tuned_for=50)
    assert (0.0, 1.0) == (single.low, single.high)
    assert boundaries.share_at_any_time(0, 0, tuned_for=50).reason == "no valid sample"


def test_looking_all_the_time_misses_the_share_no_more_often_than_it_may() -> None:
    rng = np.random.default_rng(51)
    looks = (10, 20, 30, 45, 60, 80, 100)
    wrong = fixed = 0
    for _ in range(300):
        passed = np.cumsum(rng.random(100) < 0.7)
        seen = [(int(passed[look - 1]), look) for look in looks]
        sequence = [boundaries.share_at_any_time(k, n, tuned_for=50) for k, n in seen]
        wrong += any(not estimate.low <= 0.7 <= estimate.high for estimate in sequence)
        usual = [intervals.proportion(k, n) for k, n in seen]
        fixed += any(not estimate.low <= 0.7 <= estimate.high for estimate in usual)
    assert stats.binomtest(wrong, 300, 0.05, alternative="greater").pvalue > 0.001
    # an interval for a fixed number of calls is wrong at some look far more often
    assert stats.binomtest(fixed, 300, 0.05, alternative="greater").pvalue < 0.001
