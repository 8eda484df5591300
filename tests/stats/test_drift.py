"""Drift: the score of the exact law, and cumulative sums with their published run lengths."""

from __future__ import annotations

import numpy as np
import pytest

from harnesslib.stats.drift import LIMIT, conditional_z, cumulative_sums


def test_the_score_is_that_of_the_exact_law():
    score = conditional_z((1, 3, 0, 3), (3, 3, 3, 3), (24, 24, 12, 24), (24, 24, 24, 24))
    assert -3.3284021 == pytest.approx(score)


def test_repeats_may_differ_from_case_to_case():
    assert conditional_z((1, 4), (1, 4), (0, 4), (8, 8)) > 2


def test_cases_that_never_change_say_nothing():
    assert conditional_z((3, 0), (3, 3), (9, 0), (9, 9)) is None


def test_the_sums_forget_what_is_small_and_keep_what_leans_one_way():
    sums = cumulative_sums([0.4, -2.0, None, -2.0, 1.5])
    assert [(0.0, 0.0), (1.5, 0.0), (1.5, 0.0), (3.0, 0.0), (1.0, 1.0)] == list(sums)


def test_a_shift_of_one_standard_deviation_is_seen_after_the_published_number_of_steps():
    """Montgomery, table 9.3: h = 5, k = 0.5, shift 1: average run length 10.4."""
    dice = np.random.default_rng(1)
    lengths = []
    for _ in range(400):
        sums = cumulative_sums(dice.normal(-1.0, 1.0, size=80).tolist())
        lengths.append(1 + next(n for n, (worse, _) in enumerate(sums) if worse > LIMIT))
    assert 10.4 == pytest.approx(np.mean(lengths), abs=4 * np.std(lengths) / 20)
