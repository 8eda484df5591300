"""The exact group-sequential test, against golden values, enumeration and its own symmetries."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest

from harnesslib.stats.designs import confirm_design, headroom, screen_gain, verify_design
from harnesslib.stats.sequential import (
    SequentialTest,
    Stage,
    balanced,
    credited_effect,
    futile,
    likely_spread,
    sequential_p,
    weighted_effect,
    without_luck,
)

FIRST = Stage((3, 3, 2, 3), (0, 1, 2, 3), (3,) * 4, (3,) * 4, (1,) * 4)
SECOND = Stage((2, 2, 1, 1), (0, 1, 1, 1), (2, 2, 2, 1), (2, 2, 2, 1), (1, 1, 1, 2))


def test_two_looks_spend_what_they_should() -> None:
    looks = SequentialTest(0.05, 1.0).looks((FIRST, SECOND), (3 / 15, 5 / 15))
    assert [False, True] == [look.crossed for look in looks]
    assert pytest.approx(0.002) == looks[0].spent
    assert 0.002 < looks[1].spent <= 0.05 / 3


def test_one_look_at_everything_is_the_fixed_exact_test() -> None:
    assert pytest.approx(0.032) == sequential_p((FIRST,), (1.0,), 1.0)


def orderings(stage):
    """Yield every way to share out each case's passes between the arms, with its chance."""
    ways = []
    for mine, theirs, calls, _, _ in zip(*stage, strict=True):
        total, all_ways = mine + theirs, comb(2 * calls, mine + theirs)
        ways.append(
            [
                (passes, comb(calls, passes) * comb(calls, total - passes) / all_ways)
                for passes in range(max(0, total - calls), min(calls, total) + 1)
            ]
        )
    for chosen in product(*ways):
        passes = np.array([each for each, _ in chosen])
        totals = np.array(stage.candidate_passes) + np.array(stage.baseline_passes)
        yield (
            stage._replace(candidate_passes=passes, baseline_passes=totals - passes),
            np.prod([chance for _, chance in chosen]),
        )


def test_the_spent_error_is_that_of_all_orderings() -> None:
    test, fractions = SequentialTest(0.05, 1.0), (0.4, 1.0)
    crossed = np.zeros(2)
    for one, first_chance in orderings(FIRST):
        for two, second_chance in orderings(SECOND):
            looks = test.looks((one, two), fractions)
            crossed[len(looks) - 1] += looks[-1].crossed * first_chance * second_chance
    seen = test.looks(
        (FIRST._replace(candidate_passes=(0, 1, 2, 3), baseline_passes=(3, 3, 2, 3)), SECOND), fractions
    )
    assert np.cumsum(crossed) == pytest.approx([look.spent for look in seen])
    assert crossed.sum() <= 0.05


def made_stages(rng, cases=8):
    chances = rng.uniform(0, 1, cases)
    return [
        (*rng.binomial(calls, chances, (2, cases)), np.full(cases, calls), np.full(cases, calls))
        for calls in (3, 2, 2)
    ]


def test_a_p_value_is_at_most_alpha_exactly_after_a_crossing() -> None:
    rng, crossings = np.random.default_rng(1), 0
    for _ in range(400):
        stages = balanced(made_stages(rng), (3, 2, 2))[: rng.integers(1, 4)]
        for alpha in (0.01, 0.05, 0.3):
            looks = SequentialTest(alpha, 1.0).looks(stages, (3 / 7, 5 / 7, 1.0))
            assert looks[-1].crossed == (sequential_p(stages, (3 / 7, 5 / 7, 1.0), 1.0, alpha=alpha) <= alpha)
            crossings += looks[-1].crossed
    assert crossings > 50


def test_swapping_the_arms_mirrors_the_last_p_value() -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        mine, theirs, calls, others = made_stages(rng)[0]
        forth = sequential_p(balanced([(mine, theirs, calls, others)], (3,)), (1.0,), 1.0)
        back = sequential_p(balanced([(theirs, mine, others, calls)], (3,)), (1.0,), 1.0)
        assert forth + back >= 1
        assert forth + back <= 2


def test_weights_make_up_for_lost_calls() -> None:
    counts = [((3, 1, 0), (1, 1, 0), (3, 2, 3), (3, 2, 3)), ((1, 1, 0), (1, 0, 0), (2, 1, 0), (2, 1, 0))]
    stages = balanced(counts, (3, 2))
    assert [[2, 3, 2], [2, 4, 0]] == [stage.weights.tolist() for stage in stages]


def test_without_losses_the_weights_are_those_of_the_plan() -> None:
    design = confirm_design(12)
    mixed, calls = np.array([3, 1, 0]), np.array([3, 3, 3])
    asked, weights = design.calls_of_stage(mixed, mixed, calls)
    stages = balanced([(mixed, mixed, calls, calls), (asked, asked, asked, asked)], (3, 2))
    assert [1, 1, 1] == stages[0].weights.tolist()
    assert weights.tolist() == stages[1].weights.tolist()


def test_unequal_calls_of_the_arms_keep_the_error() -> None:
    rng, crossed, replicates = np.random.default_rng(3), 0, 1500
    calls = [(rng.integers(1, 4, 10), rng.integers(1, 4, 10)) for _ in range(3)]
    for _ in range(replicates):
        chances = rng.beta(0.5, 0.5, 10)
        counts = [(rng.binomial(a, chances), rng.binomial(b, chances), a, b) for a, b in calls]
        looks = SequentialTest(0.05, 1.0).looks(balanced(counts, (2, 2, 2)), (1 / 3, 2 / 3, 1.0))
        crossed += looks[-1].crossed
    assert 0 < crossed <= 0.062 * replicates


def test_a_hopeless_candidate_is_given_up_and_a_good_one_is_not() -> None:
    calls = np.full(30, 3)
    assert not futile(np.full(12, 1), np.full(12, 1), np.full(12, 2), smallest_gain=0.1, level=0.05)
    assert futile(np.full(30, 1), np.full(30, 2), calls, smallest_gain=0.1, level=0.1)
    assert not futile(np.full(30, 3), np.full(30, 2), calls, smallest_gain=0.1, level=0.1)
    assert not futile((), (), (), smallest_gain=0.1, level=0.1)


def test_the_effect_of_stages_counts_every_case_the_same() -> None:
    estimate = weighted_effect((FIRST, SECOND))
    first, second = (1 + 2 / 3) / 4, (1 + 0.5) / 4
    assert pytest.approx((3 * first + 2 * second) / 5) == estimate.value
    assert estimate.low < estimate.value < estimate.high
    assert 4 == estimate.n


def test_nothing_measured_is_no_number() -> None:
    nothing = Stage((), (), (), (), ())
    assert weighted_effect(()).value is None
    assert weighted_effect((nothing,)).value is None
    assert 1.0 == sequential_p((), (), 1.0)
    assert not SequentialTest().looks((nothing,), (1.0,))[0].crossed


def test_the_screen_keeps_the_best_and_ends_without_promise() -> None:
    design = confirm_design(12)._replace(screen_rounds=(2, 2), screen_keep=(0.34, 0.0), go=0.03)
    assert (1, 2) == design.survivors(0, (0.1, 0.2, 0.2))
    assert (1, 2) == design.survivors(0, (0.1, 0.2, 0.2, -0.1, 0.0))
    assert () == design.survivors(0, (0.0, -0.1))
    assert () == design.survivors(1, (0.02,))
    assert (0,) == design.survivors(1, (0.03,))
    assert () == design.survivors(0, ())


def test_the_screen_promises_what_the_headroom_shows() -> None:
    assert [False, True, True] == headroom((1, 0, 2), (1, 1, 3)).tolist()
    assert pytest.approx((1 - 0.3 / 1.6) / 2) == screen_gain((2, 0), (2, 0), (0, 1), (1, 1))
    assert 0.0 == screen_gain((), (), (), ())


@pytest.mark.parametrize("cases", [8, 12, 30, 80, 160])
def test_a_design_fits_together(cases) -> None:
    for design in (confirm_design(cases), confirm_design(cases, 0.05), verify_design(cases)):
        fractions = design.fractions()
        assert 1.0 == fractions[-1]
        assert list(fractions) == sorted(set(fractions))
        assert all(look < design.first for look in design.futility_looks)
        assert len(design.screen_rounds) == len(design.screen_keep)
        assert design.most_calls(cases) == 2 * cases * sum(map(design.sweeps, range(len(fractions))))


def test_a_crossing_is_credited_with_less_than_was_seen() -> None:
    stages = (FIRST, SECOND)
    look = SequentialTest(0.05, 1.0).looks(stages, (3 / 15, 5 / 15))[-1]
    plain, credited = weighted_effect(stages), credited_effect(stages, look)
    assert credited.value < plain.value
    assert credited.low < plain.low
    assert credited.high == plain.high
    assert plain == credited_effect(stages, look._replace(crossed=False))
    assert credited_effect((), look).value is None


def test_luck_is_the_smaller_the_clearer_the_crossing() -> None:
    near, far = without_luck([0.1, 0.1], [0.09, -0.2], [0.03, 0.03])
    assert near < 0.1 - 0.02
    assert pytest.approx(0.1, abs=1e-4) == far


def test_a_case_that_has_passed_once_is_not_taken_for_certain() -> None:
    assert pytest.approx(0.0577, abs=1e-4) == likely_spread(1, 1)
    assert likely_spread(3, 3) < likely_spread(1, 1) < likely_spread(1, 2)


def test_a_single_candidate_of_a_small_suite_needs_no_screen() -> None:
    assert () == confirm_design(12, candidates=1).screen_rounds
    assert confirm_design(80, candidates=1) == confirm_design(80)
