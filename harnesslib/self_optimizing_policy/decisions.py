"""From recommendations to verdicts, each with every gate and one sentence that says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from harnesslib.records import (
    Comparison,
    Decision,
    Decisions,
    Estimate,
    Feedback,
    GateResult,
    PhaseConfig,
    PolicyConfig,
    Recommendation,
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
from harnesslib.stats import intervals
from harnesslib.stats.wording import count, p_value, points

AnyGate = Gate[PromotionEvidence] | Gate[WarmupEvidence] | Gate[DenialEvidence]

GATES: Mapping[str, tuple[AnyGate, ...]] = {
    "promote": PROMOTION_GATES,
    "enable_warmup": WARMUP_GATES,
    "deny": DENIAL_GATES,
}
"""Action -> its gates, in the order in which they are shown."""

TELLING = ("infra_share", "coverage", "restraint", "latency", "capability", "accuracy_floor", "no_regression")
"""Gates that explain a verdict better than those behind them in the table: named first in the reason."""

SOUNDNESS = {"infra_share", "coverage"}


def decide(
    recommendation: Recommendation,
    summary: Summary,
    *,
    policy: PolicyConfig,
    phase: PhaseConfig,
    run_id: str,
) -> Decision:
    """Ask every gate of the action and return the verdict.

    A promotion is judged on the confirmation; a candidate that was only screened is judged on the screen,
    which can reject it but never promote it.
    """
    judge = {"promote": _promotion, "enable_warmup": _warmup, "deny": _denial}[recommendation.action]
    gates, effect = judge(recommendation, summary, policy, phase)
    return Decision(
        id=f"{run_id}:{recommendation.id}",
        recommendation=recommendation,
        verdict=verdict_of(gates),
        gates=gates,
        reason=_reason(recommendation, summary, gates, effect),
        effect=effect,
    )


def decide_all(
    feedback: Feedback,
    summary: Summary,
    *,
    policy: PolicyConfig,
    phases: Mapping[str, PhaseConfig],
) -> Decisions:
    """Decide every recommendation, and every candidate that was screened but not confirmed.

    A denial whose fallback was not promoted falls back on the baseline instead.
    """
    proposals = (*feedback.recommendations, *_screened_only(feedback, summary))
    run_id = feedback.run_id
    decided: dict[str, Decision] = {}
    for proposal in sorted(proposals, key=lambda item: item.action == "deny"):
        settled = (
            _with_serving_fallback(proposal, summary, decided) if proposal.action == "deny" else proposal
        )
        decided[proposal.id] = decide(
            settled, summary, policy=policy, phase=phases[proposal.phase], run_id=run_id
        )
    return Decisions(run_id=run_id, decisions=tuple(decided[proposal.id] for proposal in proposals))


def _promotion(
    recommendation: Recommendation, summary: Summary, policy: PolicyConfig, phase: PhaseConfig
) -> tuple[tuple[GateResult, ...], Estimate]:
    stage = _stage(recommendation, summary)
    evidence = promotion_evidence(summary, recommendation.spec, stage, policy=policy, phase=phase)
    seen = evidence.comparison
    effect = seen.effect if seen else intervals.unmeasured("comparison", "no valid pair of calls")
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


def _stage(recommendation: Recommendation, summary: Summary) -> str:
    return "confirm" if summary.comparison(recommendation.spec.id, "confirm") else "screen"


def _screened_only(feedback: Feedback, summary: Summary) -> list[Recommendation]:
    """Return a promotion proposal for each candidate of the screen that nobody proposed."""
    proposed = {item.spec.id for item in feedback.recommendations if item.action == "promote"}
    screened = [seen for seen in summary.comparisons if seen.stage == "screen"]
    names: dict[str, tuple[str, str]] = {}
    for seen in screened:
        together = [each.candidate for each in screened if each.phase == seen.phase]
        names |= promotion_names(seen.baseline, together)
    return [
        _promotion_of(seen, *names[seen.candidate.id])
        for seen in screened
        if seen.candidate.id not in proposed
    ]


def _promotion_of(seen: Comparison, name: str, label: str) -> Recommendation:
    return Recommendation(
        id=name,
        action="promote",
        phase=seen.phase,
        spec=seen.candidate,
        hypothesis=f"{label} serves {seen.phase} better than {seen.baseline.model}.",
        label=label,
    )


def _with_serving_fallback(
    proposal: Recommendation, summary: Summary, decided: Mapping[str, Decision]
) -> Recommendation:
    """Put the baseline in as fallback unless the proposed one is the baseline or was promoted."""
    baseline = next(
        (item.baseline.model for item in summary.comparisons if item.phase == proposal.phase), None
    )
    serving = {
        decision.recommendation.spec.model
        for decision in decided.values()
        if (decision.recommendation.action, decision.recommendation.phase) == ("promote", proposal.phase)
        and decision.verdict == "PROMOTE"
    }
    if baseline is None or proposal.fallback_model in serving | {baseline}:
        return proposal
    return msgspec.structs.replace(proposal, fallback_model=baseline)


def _reason(
    recommendation: Recommendation, summary: Summary, gates: Sequence[GateResult], effect: Estimate
) -> str:
    verdict, model = verdict_of(gates), recommendation.serving
    if verdict == "PROMOTE":
        return _why_promoted(recommendation, summary, effect)
    wanted = "fail" if verdict == "REJECT" else "unknown"
    telling = sorted((gate for gate in gates if gate.verdict == wanted), key=_telling)
    gate = telling[0]
    only_screened = recommendation.action == "promote" and _stage(recommendation, summary) == "screen"
    if verdict == "HOLD" and only_screened and gate.name not in SOUNDNESS:
        return _why_not_confirmed(recommendation, summary)
    definition = next(item for item in GATES[recommendation.action] if item.name == gate.name)
    why = definition.failing if verdict == "REJECT" else definition.unknown
    what = "is rejected" if verdict == "REJECT" else "is not decided"
    subject = {"promote": model, "enable_warmup": f"A warm-up of {model}", "deny": f"Denying {model}"}
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
    seen = summary.comparison(recommendation.spec.id, "confirm")
    rival, p, cases = (seen.baseline.model, seen.p_value, seen.cases) if seen else ("the baseline", None, 0)
    return (
        f"{model} beats {rival} by {points(effect)} on {count(cases, 'case')} ({p_value(p)}), "
        "and every guard holds."
    )


def _why_not_confirmed(recommendation: Recommendation, summary: Summary) -> str:
    """Say why a candidate of the screen got no fresh calls."""
    model, seen = recommendation.serving, summary.comparison(recommendation.spec.id, "screen")
    if seen is None or seen.effect.value is None:
        return f"{model} is not decided: nothing was measured."
    gain = points(seen.effect)
    if seen.effect.value == 0:
        return f"{model} was as good as {seen.baseline.model} in the screen ({gain}): nothing to confirm."
    if seen.effect.value < 0:
        return f"{model} showed no gain over {seen.baseline.model} in the screen ({gain})."
    ahead = _confirmed(recommendation.phase, summary)
    if ahead is None:
        return f"{model} gained in the screen ({gain}), but its guards did not look good enough to go on."
    return (
        f"{model} gained in the screen ({gain}), but {ahead.candidate.model} was chosen "
        f"({points(ahead.effect)}): one candidate per phase is confirmed."
    )


def _confirmed(phase: str, summary: Summary) -> Comparison | None:
    return summary.comparison(summary.leaders.get(phase, ""), "screen")
