"""pass@k and pass^k: published values, brute force, averages."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnesslib.stats import repeats


@pytest.mark.parametrize(("n", "c", "k", "value"), [(10, 3, 5, 0.9166667), (200, 13, 10, 0.4975511)])
def test_pass_at_k_is_that_of_the_human_eval_estimator(n, c, k, value) -> None:
    # openai/human-eval, evaluation.py, estimate_pass_at_k
    assert pytest.approx(value, abs=1e-7) == float(repeats.pass_at_k(c, n, k))


def test_pass_hat_k_is_that_of_tau_bench() -> None:
    # tau-bench's definition, C(6, 4) / C(8, 4)
    assert pytest.approx(0.2142857, abs=1e-7) == float(repeats.pass_hat_k(6, 8, 4))


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(1, n))))
def test_both_are_what_drawing_all_groups_of_k_gives(counts) -> None:
    passes, n, k = counts
    groups = list(itertools.combinations([True] * passes + [False] * (n - passes), k))
    one = sum(any(group) for group in groups) / len(groups)
    every = sum(all(group) for group in groups) / len(groups)
    assert pytest.approx(one) == float(repeats.pass_at_k(passes, n, k))
    assert pytest.approx(every) == float(repeats.pass_hat_k(passes, n, k))


def test_with_one_call_both_are_the_accuracy() -> None:
    assert [0.75, 0.0] == repeats.pass_at_k([3, 0], 4, 1).tolist()
    assert [0.75, 0.0] == repeats.pass_hat_k([3, 0], 4, 1).tolist()


def test_too_few_calls_are_unknown_and_left_out_of_the_mean() -> None:
    chances = repeats.pass_hat_k([2, 3, 0], [2, 3, 3], 3)
    assert [True, False, False] == np.isnan(chances).tolist()
    estimate = repeats.averaged(chances, 3)
    assert (0.5, 2, "mean over cases, k = 3, Wilson") == (estimate.value, estimate.n, estimate.method)
    assert estimate.low < 0.5 < estimate.high


def test_no_case_with_enough_calls_is_unknown_with_a_reason() -> None:
    estimate = repeats.averaged(repeats.pass_at_k([1], [1], 2), 2)
    assert (None, "no case has 2 valid calls") == (estimate.value, estimate.reason)


def test_k_is_what_all_repeated_cases_have() -> None:
    assert 3 == repeats.common_k([5, 3, 4])
    assert 4 == repeats.common_k([5, 1, 0, 4])
    assert repeats.MOST == repeats.common_k([20, 30])
    assert repeats.common_k([1, 1, 0]) is None
    assert repeats.common_k([]) is None
