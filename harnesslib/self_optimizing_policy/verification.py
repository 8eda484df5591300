"""Whether a change that was applied holds on fresh samples."""

from __future__ import annotations

from harnesslib.records import (
    Decision,
    Estimate,
    PhaseConfig,
    PolicyConfig,
    SpecSummary,
    Summary,
    Verification,
)
from harnesslib.self_optimizing_policy.counts import counts, infra_share
from harnesslib.self_optimizing_policy.gate import AT_MOST
from harnesslib.self_optimizing_policy.promotion import PROMOTION_GATES, promotion_evidence
from harnesslib.self_optimizing_policy.readmission import readmitted
from harnesslib.stats import intervals
from harnesslib.stats.wording import count, p_value, percent, points, share

GUARDS = ("no_regression", "restraint", "accuracy_floor", "latency")
"""Promotion gates that take a change back if they fail; unknown is no reason to."""


def verify(decision: Decision, summary: Summary, *, policy: PolicyConfig, phase: PhaseConfig) -> Verification:
    """Say whether a change is kept.

    Promotion: better on the holdout at `verify_alpha`, no guard harmed. Warm-up: first calls pass more often
    at `verify_alpha`. Denial: the fallback, asked for the denied model, is not below the floor. Readmission:
    the model is proven above it. Without valid samples nothing is kept. The credited effect is the one
    measured here.
    """
    judges = {"promote": _promotion, "enable_warmup": _warmup, "deny": _denial, "allow": _readmission}
    return judges[decision.recommendation.action](decision, summary, policy, phase)


def _result(
    decision: Decision, effect: Estimate, *, kept: bool, reason: str, p: float | None = None
) -> Verification:
    return Verification(decision_id=decision.id, kept=kept, effect=effect, p_value=p, reason=reason)


def _unsound(decision: Decision, arms: tuple[SpecSummary, ...], policy: PolicyConfig) -> Verification | None:
    """Return a refusal where there are no samples, or too many infrastructure errors."""
    seen = infra_share(arms)
    if seen is not None and seen <= policy.max_infra_share:
        return None
    why = (
        "no sample was taken" if seen is None else f"{percent(seen)} of the samples are infrastructure errors"
    )
    reason = f"Not verified: {why}."
    return _result(decision, intervals.unmeasured("verification", why), kept=False, reason=reason)


def _promotion(
    decision: Decision, summary: Summary, policy: PolicyConfig, phase: PhaseConfig
) -> Verification:
    spec = decision.recommendation.spec
    evidence = promotion_evidence(summary, spec, "verify", policy=policy, phase=phase)
    arms = tuple(arm for arm in (evidence.candidate, evidence.baseline) if arm)
    unsound = _unsound(decision, arms, policy)
    if unsound:
        return unsound
    seen = evidence.comparison
    if seen is None or seen.p_value is None:
        why = "no valid pair of calls"
        effect = intervals.unmeasured("verification", why)
        return _result(decision, effect, kept=False, reason=f"Not verified: {why}.")
    asked = [(gate, gate.ask(evidence)) for gate in PROMOTION_GATES if gate.name in GUARDS]
    harmed = [f"{gate.failing} ({result.observed})" for gate, result in asked if result.verdict == "fail"]
    found = f"{points(seen.effect)} on {count(seen.cases, 'fresh case')}, {p_value(seen.p_value)}"
    if harmed:
        reason = f"{spec.model} is taken back: {harmed[0]}; {found}."
    elif seen.p_value <= policy.verify_alpha:
        reason = f"{spec.model} beats {seen.baseline.model} again: {found}."
    else:
        reason = (
            f"{spec.model} is taken back: its gain did not show again ({found}; "
            f"asked for: p {AT_MOST} {policy.verify_alpha:g})."
        )
    kept = not harmed and seen.p_value <= policy.verify_alpha
    return _result(decision, seen.effect, kept=kept, reason=reason, p=seen.p_value)


def _warmup(decision: Decision, summary: Summary, policy: PolicyConfig, _phase: PhaseConfig) -> Verification:
    spec = decision.recommendation.spec
    key = ("verify_sessions", spec.phase, spec.model)
    arms = tuple(item for item in summary.specs if (item.stage, item.spec.phase, item.spec.model) == key)
    unsound = _unsound(decision, arms, policy)
    if unsound:
        return unsound
    seen = next((item for item in summary.sessions if (item.stage, item.phase, item.model) == key), None)
    if seen is None or seen.p_value is None:
        why = "no pair of sessions is valid"
        effect = intervals.unmeasured("verification", why)
        return _result(decision, effect, kept=False, reason=f"Not verified: {why}.")
    kept = seen.p_value <= policy.verify_alpha and (seen.effect.value or 0.0) > 0
    found = f"{points(seen.effect)} over {count(seen.sessions, 'pair')} of sessions, {p_value(seen.p_value)}"
    said = "helps its first calls again" if kept else "is taken back: it did not help again"
    reason = f"A warm-up of {spec.model} {said}: {found}."
    return _result(decision, seen.effect, kept=kept, reason=reason, p=seen.p_value)


def _denial(decision: Decision, summary: Summary, policy: PolicyConfig, phase: PhaseConfig) -> Verification:
    proposal = decision.recommendation
    key = ("verify_fallback", proposal.phase, proposal.fallback_model)
    arms = tuple(item for item in summary.specs if (item.stage, item.spec.phase, item.spec.model) == key)
    unsound = _unsound(decision, arms, policy)
    if unsound:
        return unsound
    served = intervals.proportion(*counts(arms, wants_call=True))
    kept = served.value is not None and served.value >= phase.accuracy_floor
    said = "serves" if kept else "is taken back as fallback: it serves"
    reason = (
        f"{proposal.fallback_model} {said} requests for {proposal.spec.model} with {share(served)} "
        f"where a call is wanted; the floor is {percent(phase.accuracy_floor)}."
    )
    no_gain = "the denied model was not asked again, so no gain is credited"
    effect = intervals.unmeasured("verification of a denial", no_gain, n=served.n)
    return _result(decision, effect, kept=kept, reason=reason)


def _readmission(
    decision: Decision, summary: Summary, policy: PolicyConfig, phase: PhaseConfig
) -> Verification:
    spec = decision.recommendation.spec
    key = ("verify_fallback", spec.phase, spec.model)
    arms = tuple(item for item in summary.specs if (item.stage, item.spec.phase, item.spec.model) == key)
    unsound = _unsound(decision, arms, policy)
    if unsound:
        return unsound
    seen, able = readmitted(decision, summary, phase)
    said = "serves its own requests again" if able else "stays denied"
    reason = (
        f"{spec.model} {said}: {seen.said()} where a call is wanted; "
        f"the floor is {percent(phase.accuracy_floor)}."
    )
    no_gain = "its fallback was not measured beside it, so no gain is credited"
    effect = intervals.unmeasured("verification of a readmission", no_gain, n=seen.calls)
    return _result(decision, effect, kept=able, reason=reason)
