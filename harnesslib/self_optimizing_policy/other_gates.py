"""The gates of a warm-up rule and of a denial."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harnesslib.records import (
    PhaseConfig,
    PolicyConfig,
    Recommendation,
    SessionComparison,
    SpecSummary,
    Summary,
)
from harnesslib.self_optimizing_policy.checks import (
    above_floor,
    enough_calls,
    enough_calls_gate,
    few_errors,
    few_errors_gate,
)
from harnesslib.self_optimizing_policy.counts import counts, summaries_of
from harnesslib.self_optimizing_policy.gate import (
    AT_LEAST,
    AT_MOST,
    LEVEL,
    NOT_MEASURED,
    Check,
    Gate,
    state_of,
)
from harnesslib.stats import intervals
from harnesslib.stats.wording import count, p_value, percent, points

LONGEST_WARMUP_S = 300.0
"""A warm-up that takes longer than this is no cure."""

TOLERATED_TIMEOUTS = 0.1
"""Share of first calls that may still time out after a warm-up."""


@dataclass(frozen=True)
class WarmupEvidence:
    """Sessions of one model with and without warm-up, and the summaries of both arms."""

    sessions: SessionComparison | None
    arms: tuple[SpecSummary, ...]
    policy: PolicyConfig


@dataclass(frozen=True)
class DenialEvidence:
    """What was measured of the model to be denied, and of the one that would serve instead."""

    denied: tuple[SpecSummary, ...]
    fallback: tuple[SpecSummary, ...]
    policy: PolicyConfig
    phase: PhaseConfig


def warmup_evidence(recommendation: Recommendation, summary: Summary, policy: PolicyConfig) -> WarmupEvidence:
    """Collect what a warm-up rule is judged on."""
    key = ("sessions", recommendation.phase, recommendation.spec.model)
    found = (item for item in summary.sessions if (item.stage, item.phase, item.model) == key)
    arms = (item for item in summary.specs if (item.stage, item.spec.phase, item.spec.model) == key)
    return WarmupEvidence(sessions=next(found, None), arms=tuple(arms), policy=policy)


def denial_evidence(
    recommendation: Recommendation, summary: Summary, policy: PolicyConfig, phase: PhaseConfig
) -> DenialEvidence:
    """Collect what a denial is judged on."""
    return DenialEvidence(
        denied=summaries_of(summary, recommendation.spec.model, recommendation.phase),
        fallback=summaries_of(summary, recommendation.fallback_model or "", recommendation.phase),
        policy=policy,
        phase=phase,
    )


def _infra_share(evidence: WarmupEvidence | DenialEvidence) -> Check:
    arms = evidence.arms if isinstance(evidence, WarmupEvidence) else evidence.denied
    return few_errors(arms, evidence.policy)


def _min_sessions(evidence: WarmupEvidence) -> Check:
    least = math.ceil(-math.log2(evidence.policy.alpha))
    seen = evidence.sessions.sessions if evidence.sessions else 0
    threshold = f"{AT_LEAST} {count(least, 'pair')} of sessions"
    settle = f"set cycle.sessions to {least} or more"
    return Check(
        state_of(passed=seen >= least, failed=False), f"{count(seen, 'pair')} of sessions", threshold, settle
    )


def _cold_start_effect(evidence: WarmupEvidence) -> Check:
    alpha, seen = evidence.policy.alpha, evidence.sessions
    threshold = f"p {AT_MOST} {alpha:g} over sessions"
    if seen is None or seen.p_value is None:
        return Check("unknown", NOT_MEASURED, threshold, "measure sessions with and without warm-up")
    better = seen.p_value <= alpha and (seen.effect.value or 0.0) > 0
    worse = seen.effect.high is not None and seen.effect.high < 0
    observed = f"{points(seen.effect)}, {p_value(seen.p_value)}"
    return Check(state_of(passed=better, failed=worse), observed, threshold, "more sessions")


def _load(evidence: WarmupEvidence) -> Check:
    few = f"{AT_MOST} {percent(TOLERATED_TIMEOUTS)} timeouts when warm"
    threshold = f"warm-up {AT_MOST} {LONGEST_WARMUP_S:g} s, {few}"
    warm = [arm for arm in evidence.arms if arm.spec.settings.warmup]
    calls = sum(arm.samples for arm in warm) - sum(arm.outcomes.get("infra_error", 0) for arm in warm)
    if not calls:
        return Check("unknown", NOT_MEASURED, threshold, "measure sessions with a warm-up")
    timeouts = sum(arm.outcomes.get("timeout", 0) for arm in warm)
    warmup_s = evidence.sessions.warmup_s if evidence.sessions else None
    said = "warm-up not timed" if warmup_s is None else f"warm-up {warmup_s:.2f} s"
    observed = f"{said}; {timeouts} of {count(calls, 'warm call')} timed out"
    at_least = intervals.clopper_pearson(timeouts, calls, level=LEVEL, side="lower").low or 0.0
    too_long = warmup_s is not None and warmup_s > LONGEST_WARMUP_S
    state = state_of(
        passed=timeouts <= TOLERATED_TIMEOUTS * calls and not too_long,
        failed=too_long or at_least > TOLERATED_TIMEOUTS,
    )
    return Check(state, observed, threshold, "more sessions")


def _enough_calls(evidence: DenialEvidence) -> Check:
    return enough_calls(counts(evidence.denied, wants_call=True), "more repeats")


def _capability(evidence: DenialEvidence) -> Check:
    floor, seen = evidence.phase.accuracy_floor, counts(evidence.denied, wants_call=True)
    threshold = f"upper bound below {percent(floor)} where a call is wanted"
    if not seen.calls:
        return Check("unknown", NOT_MEASURED, threshold, "measure it")
    state = state_of(passed=seen.high < floor, failed=seen.low >= floor)
    return Check(state, seen.said(), threshold, "more repeats, or more cases that want a call")


def _fallback(evidence: DenialEvidence) -> Check:
    return above_floor(
        counts(evidence.fallback, wants_call=True),
        evidence.phase.accuracy_floor,
        measure="measure the fallback",
        settle="more repeats",
        whose="fallback's ",
    )


WARMUP_GATES: tuple[Gate[WarmupEvidence], ...] = (
    few_errors_gate(_infra_share),
    Gate(
        name="min_sessions",
        meaning="Enough sessions for their p-value to get below alpha at all.",
        failing="there are too few sessions",
        unknown="there are too few sessions",
        check=_min_sessions,
    ),
    Gate(
        name="cold_start_effect",
        meaning="First calls pass more often after a warm-up, by an exact test over sessions.",
        failing="a warm-up makes first calls worse",
        unknown="a warm-up is not proven to help",
        check=_cold_start_effect,
    ),
    Gate(
        name="load",
        meaning="The warm-up does its work: afterwards the model answers in time.",
        failing="the model does not answer in time even after a warm-up",
        unknown="the model may not answer in time after a warm-up",
        check=_load,
    ),
)

DENIAL_GATES: tuple[Gate[DenialEvidence], ...] = (
    few_errors_gate(_infra_share),
    enough_calls_gate(_enough_calls),
    Gate(
        name="capability",
        meaning="Even the upper bound of its accuracy lies below the least that may serve.",
        failing="its accuracy is above the floor",
        unknown="its accuracy is not proven to be below the floor",
        check=_capability,
    ),
    Gate(
        name="fallback",
        meaning="The model that would serve instead is proven to be above that floor.",
        failing="its fallback's accuracy is below the floor",
        unknown="its fallback is not proven to be above the floor",
        check=_fallback,
    ),
)
