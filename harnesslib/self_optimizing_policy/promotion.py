"""The gates of a promotion: whether the candidate is better, and does no harm."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from harnesslib.records import Comparison, GateResult, PhaseConfig, PolicyConfig, Spec, SpecSummary, Summary
from harnesslib.self_optimizing_policy.checks import above_floor
from harnesslib.self_optimizing_policy.counts import counts
from harnesslib.self_optimizing_policy.gate import (
    AT_LEAST,
    AT_MOST,
    NOT_MEASURED,
    Check,
    Gate,
    ask_all,
    state_of,
)
from harnesslib.stats import paired
from harnesslib.stats.power import smallest_effect
from harnesslib.stats.wording import TIMES, count, factor, p_value, percent, points, signed

UNSTABLE = 0.01
"""Overdispersion p-value below which runs differ more than chance."""

LARGEST_LOSS = 0.05
"""Loss of accuracy that a promotion must exclude."""


@dataclass(frozen=True)
class PromotionEvidence:
    """Both arms of one stage; `guard` is what the candidate was asked beside it to settle a guard.

    `cached` are the models of the phase whose repeats look like copies.
    """

    comparison: Comparison | None
    candidate: SpecSummary | None
    guard: SpecSummary | None
    baseline: SpecSummary | None
    policy: PolicyConfig
    phase: PhaseConfig
    cached: frozenset[str] = frozenset()


def promotion_evidence(
    summary: Summary,
    candidate: Spec,
    stage: str,
    *,
    policy: PolicyConfig,
    phase: PhaseConfig,
    cached: frozenset[str] = frozenset(),
) -> PromotionEvidence:
    """Return what a stage says about a candidate and the baseline beside it."""
    comparison = summary.comparison(candidate.id, stage)
    return PromotionEvidence(
        comparison=comparison if comparison and comparison.cases else None,
        candidate=summary.spec(candidate.id, stage),
        guard=summary.spec(candidate.id, "guard") if stage == "confirm" else None,
        baseline=summary.spec(comparison.baseline.id, stage) if comparison else None,
        policy=policy,
        phase=phase,
        cached=cached,
    )


def _infra_share(evidence: PromotionEvidence) -> Check:
    limit = evidence.policy.max_infra_share
    threshold = f"{AT_MOST} {percent(limit)} in each arm"
    settle = "mend the endpoint, then run the cycle again"
    if evidence.candidate is None or evidence.baseline is None:
        return Check("unknown", NOT_MEASURED, threshold, settle)
    mine, theirs = evidence.candidate.infra_share, evidence.baseline.infra_share
    observed = f"candidate {percent(mine)}, baseline {percent(theirs)}"
    state = state_of(passed=max(mine, theirs) <= limit, failed=False)
    return Check(state, observed, threshold, settle)


def _coverage(evidence: PromotionEvidence) -> Check:
    threshold, settle = "every case in both arms", "measure the missing cases again"
    seen, arms = evidence.comparison, (evidence.candidate, evidence.baseline)
    asked = {case.case_id for arm in arms if arm for case in arm.cases}
    if seen is None:
        return Check("unknown", f"0 of {count(len(asked), 'case')}", threshold, settle)
    observed = f"{seen.cases} of {count(len(asked), 'case')}, {count(seen.dropped_blocks, 'pair')} dropped"
    return Check(state_of(passed=seen.cases == len(asked), failed=False), observed, threshold, settle)


def _min_samples(evidence: PromotionEvidence) -> Check:
    least = evidence.policy.min_samples
    threshold = f"{AT_LEAST} {count(least, 'fresh call')} per case and arm"
    seen = evidence.comparison
    if seen is None:
        return Check("unknown", NOT_MEASURED, threshold, "measure it")
    settle = "a budget that lets the confirmation go on"
    observed = count(seen.repeats, "fresh call")
    return Check(state_of(passed=seen.repeats >= least, failed=False), observed, threshold, settle)


def _accuracy_gain(evidence: PromotionEvidence) -> Check:
    alpha, seen = evidence.policy.alpha, evidence.comparison
    threshold = f"p {AT_MOST} {alpha:g} on fresh calls"
    if seen is None or seen.harm_p_value is None:
        return Check("unknown", NOT_MEASURED, threshold, "measure it")
    observed = f"{points(seen.effect)}, {p_value(seen.p_value)}"
    worse = seen.harm_p_value <= alpha or (seen.effect.high is not None and seen.effect.high < 0)
    state = state_of(passed=seen.p_value is not None and seen.p_value <= alpha, failed=worse)
    return Check(state, observed, threshold, _how_to_see_more(evidence, seen))


def _how_to_see_more(evidence: PromotionEvidence, seen: Comparison) -> str:
    accuracy = evidence.baseline.served.value if evidence.baseline else None
    found = smallest_effect(
        seen.cases, seen.repeats, 0.5 if accuracy is None else accuracy, evidence.policy.alpha
    )
    if found is None:
        return "add harder cases: the baseline leaves too little room for a gain to be seen"
    return f"more repeats or cases: a gain below {signed(100 * found)} points is easily missed here"


def _variance(evidence: PromotionEvidence) -> Check:
    limit, seen = evidence.policy.max_variance, evidence.comparison
    threshold = f"squared standard error {AT_MOST} {limit:g}, runs alike (p > {UNSTABLE:g})"
    if seen is None or seen.standard_error is None:
        return Check("unknown", NOT_MEASURED, threshold, "measure it")
    squared, alike = seen.standard_error**2, seen.overdispersion_p
    observed = f"{squared:.4f}, runs differ with {p_value(alike)}"
    stable = alike is None or alike > UNSTABLE
    settle = "more repeats" if stable else "find the fault that made some runs worse, then measure again"
    return Check(state_of(passed=squared <= limit and stable, failed=False), observed, threshold, settle)


def _no_regression(evidence: PromotionEvidence) -> Check:
    alpha, seen = evidence.policy.alpha, evidence.comparison
    threshold = f"loss below {100 * LARGEST_LOSS:g} points, no skill proven worse"
    if seen is None or seen.harm_p_value is None or seen.effect.low is None:
        return Check("unknown", NOT_MEASURED, threshold, "measure it")
    skill, skill_p = _worst_skill(evidence)
    observed = f"at worst {signed(100 * seen.effect.low)} points"
    if skill_p < 1:
        observed += f"; worst skill {skill}, {p_value(skill_p)}"
    harmed = seen.harm_p_value <= alpha or skill_p <= alpha
    state = state_of(passed=seen.effect.low >= -LARGEST_LOSS and not harmed, failed=harmed)
    return Check(state, observed, threshold, "more repeats")


def _worst_skill(evidence: PromotionEvidence) -> tuple[str, float]:
    """Return the skill that looks worst and its exact p-value for "worse", Holm-corrected over the skills."""
    baseline = {case.case_id: case for case in evidence.baseline.cases} if evidence.baseline else {}
    skills: dict[str, list[tuple[int, int, int, int]]] = defaultdict(list)
    for mine in evidence.candidate.cases if evidence.candidate else ():
        theirs = baseline.get(mine.case_id)
        if mine.wants_call and theirs and mine.valid and theirs.valid:
            skills[mine.skill].append((mine.passes, theirs.passes, mine.valid, theirs.valid))
    ranked = []
    for name, cases in skills.items():
        mine_passed, theirs_passed, my_calls, their_calls = zip(*cases, strict=True)
        harm = paired.exact_p(mine_passed, theirs_passed, my_calls, their_calls, "worse")
        ranked.append((harm, name))
    p, name = min(ranked, default=(1.0, ""))
    return name, min(1.0, p * len(ranked))


def _restraint(evidence: PromotionEvidence) -> Check:
    policy, seen = evidence.policy, evidence.comparison
    threshold = (
        f"lower bound {AT_LEAST} {percent(policy.restraint_floor)}, loss of "
        f"{100 * policy.restraint_margin:g} points excluded (p {AT_MOST} {policy.alpha:g})"
    )
    mine = counts([arm for arm in (evidence.candidate, evidence.guard) if arm], wants_call=False)
    if seen is None or seen.restraint_p_value is None or mine.calls == 0:
        return Check("unknown", NOT_MEASURED, threshold, "add cases that want no call to the suite")
    observed = f"{mine.said()}, {points(seen.restraint_effect)}, {p_value(seen.restraint_p_value)}"
    no_loss = seen.restraint_p_value <= policy.alpha
    harm = seen.restraint_harm_p_value
    state = state_of(
        passed=no_loss and mine.low >= policy.restraint_floor,
        failed=mine.high < policy.restraint_floor
        or (not no_loss and harm is not None and harm <= policy.alpha),
    )
    return Check(state, observed, threshold, "more repeats, or more cases that want no call")


def _accuracy_floor(evidence: PromotionEvidence) -> Check:
    return above_floor(
        counts([evidence.candidate] if evidence.candidate else [], wants_call=True),
        evidence.phase.accuracy_floor,
        measure="add cases that want a call to the suite",
        settle="more repeats",
    )


def _latency(evidence: PromotionEvidence) -> Check:
    limit, seen = 1 + evidence.phase.max_slowdown, evidence.comparison
    threshold = f"upper bound {AT_MOST} {TIMES}{limit:.2f}"
    if seen is None or seen.latency_ratio.low is None or seen.latency_ratio.high is None:
        observed = factor(seen.latency_ratio) if seen else NOT_MEASURED
        return Check("unknown", observed, threshold, "measure more cases that both arms answer")
    ratio = seen.latency_ratio
    state = state_of(passed=(ratio.high or 0.0) <= limit, failed=(ratio.low or 0.0) > limit)
    return Check(state, factor(ratio), threshold, "more cases, or a quieter endpoint")


def _cost(evidence: PromotionEvidence) -> Check:
    increase, seen = evidence.phase.max_cost_increase, evidence.comparison
    ratio = seen.cost_ratio if seen else None
    observed = factor(ratio) if ratio else NOT_MEASURED
    if increase is None:
        return Check("pass", observed, "no limit is set for this phase")
    threshold = f"upper bound {AT_MOST} {TIMES}{1 + increase:.2f}"
    if ratio is None or ratio.low is None or ratio.high is None:
        return Check("unknown", observed, threshold, "state the prices of both models in harness.toml")
    state = state_of(passed=ratio.high <= 1 + increase, failed=ratio.low > 1 + increase)
    return Check(state, observed, threshold, "more cases")


def _replicates(evidence: PromotionEvidence) -> Check:
    threshold, seen = "no repeats that look like copies", evidence.comparison
    settle = "turn the cache before the endpoint off, then measure again"
    if seen is None:
        return Check("unknown", NOT_MEASURED, threshold, "measure it")
    copied = sorted(evidence.cached & {seen.candidate.model, seen.baseline.model})
    if copied:
        return Check("unknown", f"repeats of {' and '.join(copied)} look like copies", threshold, settle)
    return Check("pass", "none", threshold)


PROMOTION_GATES: tuple[Gate[PromotionEvidence], ...] = (
    Gate(
        name="infra_share",
        meaning="So few infrastructure errors in either arm that the rest can be judged.",
        failing="too many calls ended in infrastructure errors",
        unknown="too many calls ended in infrastructure errors",
        check=_infra_share,
    ),
    Gate(
        name="coverage",
        meaning="Every case has a valid pair of calls, so that no arm is judged on easier cases.",
        failing="some cases have no valid pair of calls",
        unknown="some cases have no valid pair of calls",
        check=_coverage,
    ),
    Gate(
        name="min_samples",
        meaning="Enough calls per case and arm, all taken after the candidate was chosen.",
        failing="there are too few fresh calls",
        unknown="there are too few fresh calls",
        check=_min_samples,
    ),
    Gate(
        name="accuracy_gain",
        meaning="Better on this suite by an exact one-sided test; fails only where it is proven worse.",
        failing="it is proven less accurate",
        unknown="a gain is not proven",
        check=_accuracy_gain,
    ),
    Gate(
        name="variance",
        meaning="The difference is known to a few points, and runs differ no more than chance explains.",
        failing="the result is too uncertain",
        unknown="the result is too uncertain",
        check=_variance,
    ),
    Gate(
        name="no_regression",
        meaning="A loss of 5 points is excluded, and no single skill is proven worse (Holm over skills).",
        failing="it is proven worse, as a whole or in a skill",
        unknown="a loss is not excluded",
        check=_no_regression,
    ),
    Gate(
        name="restraint",
        meaning="It leaves tools alone where none is wanted: above the floor, and not worse by the margin.",
        failing="it calls tools where none is wanted",
        unknown="its restraint is not proven",
        check=_restraint,
    ),
    Gate(
        name="accuracy_floor",
        meaning="Served accuracy where a call is wanted lies above the least that may serve at all.",
        failing="its accuracy is below the floor",
        unknown="its accuracy is not proven to be above the floor",
        check=_accuracy_floor,
    ),
    Gate(
        name="latency",
        meaning="A typical call takes no longer than the phase allows, beside the baseline.",
        failing="it is slower than allowed",
        unknown="its latency is not proven to be allowed",
        check=_latency,
    ),
    Gate(
        name="cost",
        meaning="A typical case costs no more than the phase allows, beside the baseline.",
        failing="it costs more than allowed",
        unknown="its cost is not proven to be allowed",
        check=_cost,
    ),
    Gate(
        name="replicates",
        meaning="Repeats are fresh answers: copies out of a cache prove nothing, however many there are.",
        failing="its repeats look like copies",
        unknown="repeats look like copies out of a cache",
        check=_replicates,
    ),
)


def promotion_gates(
    summary: Summary, candidate: Spec, stage: str, *, policy: PolicyConfig, phase: PhaseConfig
) -> tuple[GateResult, ...]:
    """Return every promotion gate's answer about a candidate in a stage."""
    evidence = promotion_evidence(summary, candidate, stage, policy=policy, phase=phase)
    return ask_all(PROMOTION_GATES, evidence)
