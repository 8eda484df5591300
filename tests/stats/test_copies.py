"""What looks like a cache happens without one as often as is said."""

from __future__ import annotations

import numpy as np
import pytest

from harnesslib.stats.copies import coincidence_p, slow_first_p


def test_the_chance_of_slow_first_answers_is_that_of_independent_draws():
    assert 0.125 == slow_first_p([2, 2, 2], 3)
    assert 1.0 == slow_first_p([2, 3], 0)
    assert slow_first_p([2, 3], 1) == pytest.approx(1 - 1 / 2 * 2 / 3)
    assert 1.0 == slow_first_p([], 0)


def test_times_that_are_interchangeable_give_a_p_value_that_holds():
    rng, found = np.random.default_rng(3), 0
    for _ in range(2000):
        firsts = int((rng.integers(0, 3, size=8) == 0).sum())
        found += slow_first_p([3] * 8, firsts) <= 0.05
    assert found <= 124


def test_the_chance_of_coincidences_is_binomial():
    assert 1.0 == coincidence_p(0, 10, 0.02)
    assert coincidence_p(2, 2, 0.1) == pytest.approx(0.01)
    assert coincidence_p(1, 3, 0.5) == pytest.approx(0.875)
