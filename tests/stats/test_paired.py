"""The exact comparison of two arms, its golden values and its laws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harnesslib.stats import paired

passes_of_5 = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)


def test_exact_p_gives_the_golden_values() -> None:
    # computed once by full convolution, independently of this code
    assert pytest.approx(paired.exact_p([3, 3, 2, 3], [0, 1, 2, 3], 3, 3), abs=1e-6) == 0.032
    assert pytest.approx(paired.exact_p([4, 4, 3, 4, 4, 1], [0, 4, 2, 4, 4, 2], 4, 4), abs=1e-6) == 0.116254


def test_exact_p_gives_the_p_value_of_the_rabbits() -> None:
    # R ?mantelhaen.test, data set Rabbits (penicillin): exact two-sided p = .03994, S = 16
    cured, died = np.array([0, 3, 6, 5, 2]), np.array([6, 3, 0, 1, 0])
    other_cured, other_died = np.array([0, 0, 2, 6, 5]), np.array([5, 6, 4, 0, 0])
    counts = cured, other_cured, cured + died, other_cured + other_died
    least, law = paired.null_law(*counts)
    observed = law[16 - least]
    assert pytest.approx(float(law[law <= observed * (1 + 1e-7)].sum()), abs=6e-6) == 0.03994
    assert pytest.approx(paired.exact_p(*counts), abs=1e-6) == 0.0199725


@pytest.mark.parametrize(("cases", "repeats", "p"), [(1, 3, 1 / 20), (1, 4, 1 / 70), (2, 3, 1 / 400)])
def test_cases_that_go_from_never_to_always_have_the_least_possible_p(cases, repeats, p) -> None:
    least = paired.exact_p([repeats] * cases, [0] * cases, repeats, repeats)
    assert p == pytest.approx(least)


def test_one_case_is_fishers_exact_test() -> None:
    table = [[4, 1], [1, 3]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert expected == pytest.approx(paired.exact_p([4], [1], [5], [4]))


def test_the_law_is_what_enumeration_gives() -> None:
    # every way to deal the passes of two cases to the arms, 2 and 3 calls each
    least, law = paired.null_law([1, 2], [1, 1], [2, 3], [2, 3])
    totals = [
        sum(a) + sum(b)
        for a in itertools.combinations([1, 1, 0, 0], 2)
        for b in itertools.combinations([1, 1, 1, 0, 0, 0], 3)
    ]
    expected = [totals.count(least + index) / len(totals) for index in range(len(law))]
    assert expected == pytest.approx(law.tolist())


@given(passes_of_5)
def test_swapping_the_arms_mirrors_the_p_value(pairs) -> None:
    mine, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    better = paired.exact_p(mine, theirs, 5, 5)
    assert better == pytest.approx(paired.exact_p(theirs, mine, 5, 5, "worse"))
    assert 0 < better <= 1


@given(passes_of_5)
def test_the_order_of_cases_does_not_matter(pairs) -> None:
    mine, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    backwards = paired.exact_p(mine[::-1], theirs[::-1], 5, 5)
    assert backwards == pytest.approx(paired.exact_p(mine, theirs, 5, 5))


def test_the_effect_and_its_smoothed_error_are_the_golden_values() -> None:
    # (3,3,2,3) against (0,1,2,3) of 3: gain .416667, standard error .161374
    counts = [3, 3, 2, 3], [0, 1, 2, 3], 3, 3
    estimate = paired.effect(*counts)
    assert pytest.approx(estimate.value, abs=1e-6) == 0.416667
    assert pytest.approx(paired.standard_error(*counts), abs=1e-6) == 0.161374
    assert pytest.approx(estimate.value + 1.959964 * 0.161374, abs=1e-5) == estimate.high


def test_no_variance_seen_is_not_no_variance() -> None:
    counts = [5] * 6, [5] * 6, 5, 5
    assert paired.effect(*counts).low < 0 < paired.effect(*counts).high
    assert paired.generalisation(*counts).low < 0 < paired.generalisation(*counts).high


@given(passes_of_5.filter(lambda pairs: len(pairs) > 1))
def test_the_interval_for_new_cases_is_never_the_narrower_one(pairs) -> None:
    counts = [a for a, _ in pairs], [b for _, b in pairs], 5, 5
    here, elsewhere = paired.effect(*counts), paired.generalisation(*counts)
    assert elsewhere.low <= here.low + 1e-12
    assert elsewhere.high >= here.high - 1e-12


def test_without_cases_nothing_is_known() -> None:
    empty = np.array([], dtype=int)
    assert paired.effect(empty, empty, empty, empty).value is None
    assert paired.generalisation([3], [2], 5, 5).reason.startswith("fewer than 2 cases")


def test_one_call_per_case_is_mcnemars_exact_test() -> None:
    # 5 against 15 discordant pairs: two-sided p .0413895, as the binomial law gives
    passes = np.repeat([1, 0], [15, 5]), np.repeat([0, 1], [15, 5])
    assert pytest.approx(0.0413895, abs=1e-6) == 2 * paired.exact_p(*passes, 1, 1)


@pytest.mark.parametrize(("cases", "repeats", "p"), [(2, 2, 1 / 36), (1, 5, 1 / 252)])
def test_fewer_repeats_need_more_cases(cases, repeats, p) -> None:
    assert pytest.approx(p) == paired.exact_p([repeats] * cases, [0] * cases, repeats, repeats)
