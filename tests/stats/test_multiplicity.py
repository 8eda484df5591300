"""Several questions at once, against published examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnesslib.stats import multiplicity

FIFTEEN = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
)


def test_adjusted_p_values_are_the_published_ones() -> None:
    # TileStats, as quoted in the tests of scipy.stats.false_discovery_control
    adjusted = multiplicity.false_discovery((0.005, 0.009, 0.019, 0.022, 0.051, 0.101, 0.361, 0.387))
    assert (0.036, 0.036, 0.044, 0.044, 0.082, 0.135, 0.387, 0.387) == pytest.approx(adjusted, abs=6e-4)


def test_benjamini_and_hochbergs_example_has_four_discoveries_and_bonferroni_three() -> None:
    # Benjamini and Hochberg 1995: 15 p-values of a myocardial infarction study
    assert 4 == sum(p <= 0.05 for p in multiplicity.false_discovery(FIFTEEN))
    assert 3 == sum(p <= 0.05 / 15 for p in FIFTEEN)
    assert 3 == sum(p <= 0.05 for p in multiplicity.family_wise(FIFTEEN))


def test_holm_pays_less_for_each_further_question() -> None:
    # by hand: 3 x .01, 2 x .03, max with the one before
    assert (0.06, 0.03, 0.06) == pytest.approx(multiplicity.family_wise((0.04, 0.01, 0.03)))
    assert (1.0, 1.0) == multiplicity.family_wise((0.9, 0.8))


def test_no_question_has_no_answer() -> None:
    assert () == multiplicity.false_discovery(())
    assert () == multiplicity.family_wise(())
    assert () == multiplicity.e_discoveries((), 0.05)


def test_e_values_are_discovered_as_the_rule_says() -> None:
    # Wang and Ramdas 2022: k-th largest of 4 needs 4 / (.05 k) = 80, 40, 26.7, 20
    assert (True, False, True, True) == multiplicity.e_discoveries((30, 1, 27, 200), 0.05)
    assert (False, False, False, True) == multiplicity.e_discoveries((30, 1, 20, 200), 0.05)
    assert (False, False) == multiplicity.e_discoveries((39, 1), 0.05)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_family_wise_is_never_the_laxer_one_and_both_keep_the_order(p_values) -> None:
    holm, bh = multiplicity.family_wise(p_values), multiplicity.false_discovery(p_values)
    assert all(mine >= other - 1e-12 for mine, other in zip(holm, bh, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.asarray(holm)[order]) >= -1e-12).all()
