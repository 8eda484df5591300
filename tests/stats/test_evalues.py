"""The e-process: its golden values, its expected value, and looking at it whenever one likes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harnesslib.stats import evalues

pairs = st.lists(st.lists(st.sampled_from((-1, 0, 1)), min_size=4, max_size=4), min_size=1, max_size=6)


@pytest.mark.parametrize(("wins", "losses", "e"), [(6, 0, 18.1633), (6, 1, 4.8421), (12, 3, 9.7945)])
def test_wins_and_losses_give_the_golden_e_values(wins, losses, e) -> None:
    # mean over the stakes .15, .30, .. .90 of (1 + stake)^wins (1 - stake)^losses
    assert pytest.approx(e, abs=5e-5) == evalues.superiority_e(wins, losses)


def test_the_e_value_averages_one_where_the_arms_are_equal() -> None:
    mean = sum(math.comb(10, wins) / 2**10 * evalues.superiority_e(wins, 10 - wins) for wins in range(11))
    assert pytest.approx(1.0) == mean


@pytest.mark.parametrize(
    ("gain", "donors"), [(1.0, 1), (1.0, 2), (0.8, 4)], ids=["one case each", "two donors", "four donors"]
)
def test_the_e_value_averages_at_most_one_when_gains_and_losses_cancel(gain, donors) -> None:
    # one case gains, others lose the same sum; all outcomes of a sweep are counted
    chances = [{1: gain, 0: 1 - gain}] + [{-1: gain / donors, 0: 1 - gain / donors}] * donors
    mean = sum(
        math.prod(case[d] for case, d in zip(chances, sweep, strict=True))
        * evalues.superiority_e(sweep.count(1), sweep.count(-1))
        for sweep in itertools.product(*(case.keys() for case in chances))
    )
    assert mean <= 1 + 1e-12


def test_looking_after_every_sweep_finds_nothing_falsely_more_often_than_it_may() -> None:
    rng = np.random.default_rng(21)
    chances = np.repeat([0.95, 0.5, 0.05], 4)
    arms = rng.random((2, 500, 12, 12)) < chances
    differences = arms[0].astype(int) - arms[1].astype(int)
    crossed = sum(evalues.superiority_process(table).max() >= 20 for table in differences)
    assert stats.binomtest(crossed, 500, 0.05, alternative="greater").pvalue > 0.001


@given(pairs)
def test_the_process_is_the_e_value_of_what_came_so_far(sweeps) -> None:
    process = evalues.superiority_process(sweeps)
    for upto, e in enumerate(process, 1):
        flat = [d for sweep in sweeps[:upto] for d in sweep]
        assert pytest.approx(evalues.superiority_e(flat.count(1), flat.count(-1))) == e


@given(pairs)
def test_the_p_value_never_rises_with_more_sweeps(sweeps) -> None:
    p_values = [evalues.superiority(sweeps[:upto]).p_value for upto in range(1, len(sweeps) + 1)]
    assert sorted(p_values, reverse=True) == p_values


def test_evidence_of_cycles_multiplies() -> None:
    clear = [[1, 1, 1, 0]] * 2
    once = evalues.superiority(clear)
    again = evalues.superiority(clear, carried=once.statistic)
    assert pytest.approx(once.statistic**2) == again.statistic
    assert pytest.approx(1 / once.statistic**2) == again.p_value
    assert (8, "") == (again.n, again.reason)


def test_no_pair_is_no_evidence() -> None:
    nothing = evalues.superiority([])
    assert (None, None, "no pair of calls") == (nothing.p_value, nothing.statistic, nothing.reason)
