"""From recommendations to verdicts, each with every gate and one sentence that says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import msgspec

from harnesslib.records import (
    Confirmation,
    Decision,
    Decisions,
    Estimate,
    Feedback,
    GateResult,
    PhaseConfig,
    PolicyConfig,
    Recommendation,
    Screened,
    Spec,
    Summary,
)
from harnesslib.records.naming import promotion_names
from harnesslib.self_optimizing_policy.counts import counts, summaries_of
from harnesslib.self_optimizing_policy.gate import Gate, ask_all, verdict_of
from harnesslib.self_optimizing_policy.other_gates import (
    DENIAL_GATES,
    WARMUP_GATES,
    DenialEvidence,
    WarmupEvidence,
    denial_evidence,
    warmup_evidence,
)
from harnesslib.self_optimizing_policy.promotion import (
    PROMOTION_GATES,
    PromotionEvidence,
    promotion_evidence,
)
from harnesslib.self_optimizing_policy.readmission import (
    READMISSION_GATES,
    ReadmissionEvidence,
    readmission_evidence,
)
from harnesslib.stats import intervals
from harnesslib.stats.wording import count, p_value, points

Judge: TypeAlias = Callable[
    [Recommendation, Summary, PolicyConfig, PhaseConfig], tuple[tuple[GateResult, ...], Estimate]
]
AnyGate = Gate[PromotionEvidence] | Gate[WarmupEvidence] | Gate[DenialEvidence] | Gate[ReadmissionEvidence]

GATES: Mapping[str, tuple[AnyGate, ...]] = {
    "promote": PROMOTION_GATES,
    "enable_warmup": WARMUP_GATES,
    "deny": DENIAL_GATES,
    "allow": READMISSION_GATES,
}
"""Action -> its gates, in the order in which they are shown."""

TELLING = ("infra_share", "coverage", "restraint", "latency", "capability", "accuracy_floor", "no_regression")
"""Gates that explain a verdict better than those behind them in the table: named first in the reason."""


class Measured(NamedTuple):
    """Who was looked at in the screen, how the confirmations ended, and the baseline of each phase."""

    screened: tuple[Screened, ...]
    confirmation: Confirmation
    baselines: Mapping[str, Spec]

    def ended(self, proposal: Recommendation) -> str:
        """Return how the measurement of a candidate ended that was not proven better; "" where it was."""
        if proposal.action != "promote":
            return ""
        confirmed = self.confirmation.of(proposal.spec)
        if confirmed is not None:
            return "" if confirmed.ended in {"crossed", "harm"} else f"is not decided: {confirmed.reason}"
        seen = next((one for one in self.screened if one.spec == proposal.spec), None)
        return f"was not confirmed: {seen.reason}" if seen and seen.reason else ""


def decide(
    recommendation: Recommendation,
    summary: Summary,
    *,
    policy: PolicyConfig,
    phase: PhaseConfig,
    run_id: str,
    ended: str = "",
    cached: frozenset[str] = frozenset(),
) -> Decision:
    """Ask every gate of the action and return the verdict.

    A promotion is judged on the confirmation alone: what chose a candidate says nothing about it. `ended`
    says how its measurement ended, for the reason of a verdict that was left open; `cached` are the models
    of the phase whose repeats look like copies.
    """
    judges: dict[str, Judge] = {
        "promote": partial(_promotion, cached),
        "enable_warmup": _warmup,
        "deny": _denial,
        "allow": _readmission,
    }
    judge = judges[recommendation.action]
    gates, effect = judge(recommendation, summary, policy, phase)
    return Decision(
        id=f"{run_id}:{recommendation.id}",
        recommendation=recommendation,
        verdict=verdict_of(gates),
        gates=gates,
        reason=_reason(recommendation, summary, (gates, effect), ended),
        effect=effect,
    )


def decide_all(
    feedback: Feedback,
    summary: Summary,
    measured: Measured,
    *,
    policy: PolicyConfig,
    phases: Mapping[str, PhaseConfig],
) -> Decisions:
    """Decide every recommendation, and every candidate that the screen left behind.

    A denial whose fallback was not promoted falls back on the baseline instead.

    Parameters
    ----------
    feedback
        The recommendations.
    summary
        What they are judged on.
    measured
        Who was screened, and how the confirmations ended.
    policy, phases
        The gates' limits.
    """
    proposals = (*feedback.recommendations, *_left_behind(feedback, measured))
    run_id = feedback.run_id
    decided: dict[str, Decision] = {}
    for proposal in sorted(proposals, key=lambda item: item.action == "deny"):
        settled = (
            _with_serving_fallback(proposal, measured, decided) if proposal.action == "deny" else proposal
        )
        decided[proposal.id] = decide(
            settled,
            summary,
            policy=policy,
            phase=phases[proposal.phase],
            run_id=run_id,
            ended=measured.ended(proposal),
            cached=_cached(feedback, proposal.phase),
        )
    return Decisions(run_id=run_id, decisions=tuple(decided[proposal.id] for proposal in proposals))


def _cached(feedback: Feedback, phase: str) -> frozenset[str]:
    found = (one for one in feedback.findings if one.phase == phase)
    return frozenset(one.model for one in found if one.cause == "cached_replicates")


def _promotion(
    cached: frozenset[str],
    recommendation: Recommendation,
    summary: Summary,
    policy: PolicyConfig,
    phase: PhaseConfig,
) -> tuple[tuple[GateResult, ...], Estimate]:
    evidence = promotion_evidence(
        summary, recommendation.spec, "confirm", policy=policy, phase=phase, cached=cached
    )
    seen = evidence.comparison
    effect = seen.effect if seen else intervals.unmeasured("comparison", "it got no fresh calls")
    return ask_all(PROMOTION_GATES, evidence), effect


def _warmup(
    recommendation: Recommendation, summary: Summary, policy: PolicyConfig, _phase: PhaseConfig
) -> tuple[tuple[GateResult, ...], Estimate]:
    evidence = warmup_evidence(recommendation, summary, policy)
    seen = evidence.sessions
    effect = seen.effect if seen else intervals.unmeasured("sessions", "no session was measured")
    return ask_all(WARMUP_GATES, evidence), effect


def _denial(
    recommendation: Recommendation, summary: Summary, policy: PolicyConfig, phase: PhaseConfig
) -> tuple[tuple[GateResult, ...], Estimate]:
    evidence = denial_evidence(recommendation, summary, policy, phase)
    gained = counts(evidence.fallback, wants_call=True)
    lost = counts(evidence.denied, wants_call=True)
    return ask_all(DENIAL_GATES, evidence), intervals.difference(*gained, *lost)


def _readmission(
    recommendation: Recommendation, summary: Summary, policy: PolicyConfig, phase: PhaseConfig
) -> tuple[tuple[GateResult, ...], Estimate]:
    evidence = readmission_evidence(recommendation, summary, policy, phase)
    no_gain = "nothing else changes, so no gain is measured"
    effect = intervals.unmeasured("readmission", no_gain, n=evidence.calls.calls)
    return ask_all(READMISSION_GATES, evidence), effect


def _left_behind(feedback: Feedback, measured: Measured) -> list[Recommendation]:
    """Return a promotion proposal for each candidate of the screen that nobody proposed."""
    proposed = {item.spec.id for item in feedback.recommendations if item.action == "promote"}
    names: dict[str, tuple[str, str]] = {}
    for phase, baseline in measured.baselines.items():
        together = [seen.spec for seen in measured.screened if seen.phase == phase]
        names |= promotion_names(baseline, together)
    return [
        _promotion_of(seen.spec, measured.baselines[seen.phase].model, *names[seen.spec.id])
        for seen in measured.screened
        if seen.spec.id not in proposed
    ]


def _promotion_of(spec: Spec, rival: str, name: str, label: str) -> Recommendation:
    return Recommendation(
        id=name,
        action="promote",
        phase=spec.phase,
        spec=spec,
        hypothesis=f"{label} serves {spec.phase} better than {rival}.",
        label=label,
    )


def _with_serving_fallback(
    proposal: Recommendation, measured: Measured, decided: Mapping[str, Decision]
) -> Recommendation:
    """Put the baseline in as fallback unless the proposed one is the baseline or was promoted."""
    baseline = measured.baselines[proposal.phase].model
    serving = {
        decision.recommendation.spec.model
        for decision in decided.values()
        if (decision.recommendation.action, decision.recommendation.phase) == ("promote", proposal.phase)
        and decision.verdict == "PROMOTE"
    }
    if proposal.fallback_model in serving | {baseline}:
        return proposal
    return msgspec.structs.replace(proposal, fallback_model=baseline)


def _reason(
    recommendation: Recommendation,
    summary: Summary,
    asked: tuple[Sequence[GateResult], Estimate],
    ended: str,
) -> str:
    gates, effect = asked
    verdict, model = verdict_of(gates), recommendation.serving
    if verdict == "PROMOTE":
        return _why_promoted(recommendation, summary, effect)
    if verdict == "HOLD" and ended:
        return f"{model} {ended}."
    wanted = "fail" if verdict == "REJECT" else "unknown"
    gate = min((gate for gate in gates if gate.verdict == wanted), key=_telling)
    definition = next(item for item in GATES[recommendation.action] if item.name == gate.name)
    why = definition.failing if verdict == "REJECT" else definition.unknown
    what = "is rejected" if verdict == "REJECT" else "is not decided"
    subject = {
        "promote": model,
        "enable_warmup": f"A warm-up of {model}",
        "deny": f"Denying {model}",
        "allow": f"Allowing {model} again",
    }
    return f"{subject[recommendation.action]} {what}: {why} ({gate.observed}; asked for: {gate.threshold})."


def _telling(gate: GateResult) -> int:
    return TELLING.index(gate.name) if gate.name in TELLING else len(TELLING)


def _why_promoted(recommendation: Recommendation, summary: Summary, effect: Estimate) -> str:
    model, phase = recommendation.serving, recommendation.phase
    if recommendation.action == "enable_warmup":
        return f"First calls of {model} pass more often after a warm-up ({points(effect)} over sessions)."
    if recommendation.action == "deny":
        mine = counts(summaries_of(summary, recommendation.spec.model, phase), wants_call=True)
        return (
            f"{model} passes {mine.passes} of {mine.calls} calls where one is wanted, too few for {phase}; "
            f"{recommendation.fallback_model} serves instead."
        )
    if recommendation.action == "allow":
        return f"{model} can do {phase} again: what it was denied for is gone."
    seen = summary.comparison(recommendation.spec.id, "confirm")
    rival, p, cases = (seen.baseline.model, seen.p_value, seen.cases) if seen else ("the baseline", None, 0)
    return (
        f"{model} beats {rival} by {points(effect)} on {count(cases, 'case')} ({p_value(p)}), "
        "and every guard holds."
    )
