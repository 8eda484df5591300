"""How often the whole rule (screen, leader, fresh confirmation, gates) promotes what it should, and what not.

Made-up worlds of 24 cases and 5 candidates; 2 repeats in the screen, 5 in the confirmation. Two cases in
three are easy, the others flaky or hard. Counts are judged by a binomial bound, so that a right rule does
not fail by luck.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import stats

from harnesslib.records import (
    Feedback,
    PhaseConfig,
    PhasePlan,
    PolicyConfig,
    Recommendation,
    Sample,
    Settings,
    Spec,
)
from harnesslib.self_optimizing_policy import decide_all, leader
from harnesslib.stats import paired
from harnesslib.summarize import summarize

CASES, CANDIDATES, SCREEN, CONFIRM, ALPHA = 24, 5, 2, 5, 0.05
STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
POLICY, PHASE = PolicyConfig(), PhaseConfig(suite="made", baseline="m0")


def baseline_chances(rng):
    """Return pass probabilities: 16 easy cases, 4 flaky ones, 4 hard ones."""
    return np.concatenate((rng.beta(40, 1, 16), rng.uniform(0.2, 0.8, 4), rng.beta(1, 40, 4)))


def lifted(chances, gain, rng, *, whole_cases):
    """Raise the mean by `gain`: whole cases one after another, or the same share of every case's headroom."""
    headroom = (0.98 - chances).clip(0)
    need = gain * chances.size
    if not whole_cases:
        return chances + headroom * need / headroom.sum()
    better = chances.copy()
    for case in np.argsort(-(headroom + rng.uniform(0, 0.6, chances.size))):
        step = min(need, headroom[case])
        better[case] += step
        need -= step
    return better


def moved_sideways(chances, rng):
    """Mend one hard case and let four easy ones pay for it: the mean stays what it was."""
    moved = chances.copy()
    mended = rng.choice(np.flatnonzero(chances < 0.5))
    gain = 0.98 - moved[mended]
    moved[mended] += gain
    payers = rng.permutation(np.flatnonzero(chances > 0.8))[:4]
    moved[payers] = (moved[payers] - gain / 4).clip(0)
    return moved


def promoted(baseline, candidates, rng):
    """Return the candidate that the screen chooses and the exact test lets pass, or none."""
    base = rng.binomial(SCREEN, baseline)
    gains = [int(rng.binomial(SCREEN, chances).sum() - base.sum()) for chances in candidates]
    chosen = int(np.argmax(gains))
    if gains[chosen] <= 0:
        return None
    arms = rng.binomial(CONFIRM, candidates[chosen]), rng.binomial(CONFIRM, baseline)
    return chosen if paired.exact_p(*arms, CONFIRM, CONFIRM) <= ALPHA else None


def false_promotions(replicates, null, seed):
    rng, found = np.random.default_rng(seed), 0
    for _ in range(replicates):
        baseline = baseline_chances(rng)
        found += promoted(baseline, [null(baseline, rng) for _ in range(CANDIDATES)], rng) is not None
    return found


def power(replicates, gain, seed):
    rng, found = np.random.default_rng(seed), 0
    for replicate in range(replicates):
        baseline = baseline_chances(rng)
        good = lifted(baseline, gain, rng, whole_cases=replicate % 2 == 0)
        found += promoted(baseline, [good, *[baseline] * (CANDIDATES - 1)], rng) == 0
    return found


def is_at_most(share, found, replicates):
    return stats.binomtest(found, replicates, share, alternative="greater").pvalue > 0.001


NULLS = {"equal": lambda chances, _rng: chances, "sideways": moved_sideways}


@pytest.mark.parametrize("world", NULLS)
def test_what_is_not_better_is_promoted_in_at_most_one_cycle_of_twenty(world) -> None:
    found = false_promotions(2000, NULLS[world], seed=11)
    assert is_at_most(ALPHA, found, 2000), found


@pytest.mark.exhaustive
@pytest.mark.parametrize("world", NULLS)
def test_it_stays_so_over_many_cycles(world) -> None:
    found = false_promotions(8000, NULLS[world], seed=12)
    assert is_at_most(ALPHA, found, 8000), found
    assert found / 8000 <= ALPHA


@pytest.mark.exhaustive
@pytest.mark.parametrize("payers", [4, 8, 12])
def test_a_mended_case_that_many_others_pay_for_is_no_gain(payers) -> None:
    rng, found, replicates = np.random.default_rng(13), 0, 4000
    for _ in range(replicates):
        baseline = np.concatenate((np.full(CASES - 1, 0.99), [0.01]))
        moved = baseline.copy()
        moved[-1], moved[:payers] = 0.99, baseline[:payers] - 0.98 / payers
        arms = rng.binomial(CONFIRM, moved), rng.binomial(CONFIRM, baseline)
        found += paired.exact_p(*arms, CONFIRM, CONFIRM) <= ALPHA
    assert is_at_most(ALPHA, found, replicates), found


@pytest.mark.parametrize(("gain", "least"), [(0.15, 0.8), (0.20, 0.8)])
def test_a_clear_gain_is_found_four_times_out_of_five(gain, least) -> None:
    found = power(600, gain, seed=14)
    assert stats.binomtest(found, 600, least, alternative="less").pvalue > 0.001, found


def test_more_calls_never_make_a_better_candidate_less_likely_to_pass() -> None:
    rng, replicates, shares = np.random.default_rng(18), 400, []
    for repeats in (2, 3, 5, 8):
        found = 0
        for _ in range(replicates):
            baseline = baseline_chances(rng)
            better = lifted(baseline, 0.1, rng, whole_cases=True)
            arms = rng.binomial(repeats, better), rng.binomial(repeats, baseline)
            found += paired.exact_p(*arms, repeats, repeats) <= ALPHA
        shares.append(found / replicates)
    assert shares == sorted(shares), shares


def test_the_same_arms_swapped_are_never_both_promoted() -> None:
    rng = np.random.default_rng(15)
    for _ in range(200):
        counts = rng.binomial(CONFIRM, 0.6, (2, CASES))
        both = [paired.exact_p(*arms, CONFIRM, CONFIRM) for arms in (counts, counts[::-1])]
        assert max(both) >= 0.5


def spec(number):
    return Spec(model=f"m{number}", phase="made", settings=Settings())


def observed(stage, repeats, chances, rng):
    """Return samples of all arms; the last 9 cases want no call."""
    return [
        Sample(
            run_id="r",
            stage=stage,
            spec_id=spec(arm).id,
            model=f"m{arm}",
            requested_model=f"m{arm}",
            served_model=f"m{arm}",
            phase="made",
            case_id=f"c{case:02d}",
            skill="s",
            wants_call=case < CASES - 9,
            repeat=repeat,
            seed=0,
            position=0,
            started_at=STARTED,
            outcome="pass" if rng.random() < chance else "wrong",
            detail="",
            latency_s=float(np.exp(rng.normal(-4, 0.2))),
        )
        for arm, pass_chances in chances.items()
        for case, chance in enumerate(pass_chances)
        for repeat in range(repeats)
    ]


def whole_path(chances, rng):
    """Return the models that a cycle promotes, from samples through summary, leader and gates."""
    specs = {spec(arm).id: spec(arm) for arm in chances}
    plan = PhasePlan(
        phase="made",
        suite="made",
        suite_version="1",
        suite_hash="0",
        baseline=spec(0),
        candidates=tuple(spec(arm) for arm in chances if arm),
        skipped=(),
        search_cases=CASES,
        holdout_cases=0,
        smallest_effect=None,
    )
    pairs = [("screen", spec(arm).id, spec(0).id) for arm in chances if arm]
    samples = observed("screen", SCREEN, chances, rng)
    screened = summarize(samples, specs, pairs, run_id="r", leaders={}, policy=POLICY)
    chosen = leader(screened, plan, policy=POLICY, config=PHASE)
    if chosen is None:
        return set()
    arm = int(chosen.model[1:])
    samples += observed("confirm", CONFIRM, {0: chances[0], arm: chances[arm]}, rng)
    pairs.append(("confirm", chosen.id, spec(0).id))
    summary = summarize(samples, specs, pairs, run_id="r", leaders={"made": chosen.id}, policy=POLICY)
    proposal = Recommendation(
        id=f"made-promote-{chosen.model}", action="promote", phase="made", spec=chosen, hypothesis=""
    )
    feedback = Feedback(run_id="r", findings=(), recommendations=(proposal,))
    decided = decide_all(feedback, summary, policy=POLICY, phases={"made": PHASE})
    return {decision.recommendation.spec.model for decision in decided.promoted}


def made_world(rng, gain):
    """Return a baseline and five candidates, the first better by `gain`; restraint is .98 everywhere."""
    calls = np.concatenate((rng.beta(40, 1, 7), rng.uniform(0.2, 0.8, 3), rng.beta(1, 40, 5)))
    restraint = np.full(9, 0.98)
    good = lifted(calls, gain * CASES / calls.size, rng, whole_cases=True)
    worlds = {0: calls, 1: good, 2: calls, 3: calls, 4: calls, 5: calls}
    return {arm: np.concatenate((chances, restraint)) for arm, chances in worlds.items()}


@pytest.mark.parametrize(("gain", "right"), [(0.0, set()), (0.2, {"m1"})])
def test_the_whole_path_from_samples_to_decision_keeps_to_it(gain, right) -> None:
    rng, replicates, wrong, found = np.random.default_rng(16), 25, 0, 0
    for _ in range(replicates):
        models = whole_path(made_world(rng, gain), rng)
        wrong += bool(models - right)
        found += bool(models & right)
    assert is_at_most(ALPHA, wrong, replicates), wrong
    assert stats.binomtest(found, replicates, 0.8 if right else 0.0, alternative="less").pvalue > 0.001


@pytest.mark.exhaustive
def test_the_whole_path_keeps_to_it_over_many_cycles() -> None:
    rng, replicates = np.random.default_rng(17), 1000
    wrong = sum(bool(whole_path(made_world(rng, 0.0), rng)) for _ in range(replicates))
    assert is_at_most(ALPHA, wrong, replicates), wrong
    found = sum(whole_path(made_world(rng, 0.2), rng) == {"m1"} for _ in range(replicates))
    assert found / replicates >= 0.8, found
