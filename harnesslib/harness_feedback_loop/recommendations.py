"""What should change, as hypotheses for the policy to judge."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harnesslib.records import Finding, PhasePlan, Plan, PolicyConfig, Recommendation, Spec, Summary
from harnesslib.records.naming import promotion_names


def recommend(
    summary: Summary, findings: Sequence[Finding], *, plan: Plan, policy: PolicyConfig
) -> tuple[Recommendation, ...]:
    """Return proposals: promote each phase's leader, warm up cold starters, deny who can't do it, or no more.

    Parameters
    ----------
    summary
        Says who leads.
    findings
        Result of `diagnose`. Only a confirmed capability limit leads to a proposal; over-calling, flaky
        cases, timeouts and infrastructure are for people to act on.
    plan
        Baseline and candidates of each phase.
    policy
        Its review time is named in the hypothesis of a denial.
    """
    proposals: list[Recommendation] = []
    for phase in plan.phases:
        leader = _leader(summary, phase)
        if leader is not None:
            proposals.append(_promotion(phase, leader, plan))
        mine = [finding for finding in findings if finding.phase == phase.phase]
        proposals += [_warmup(phase, finding) for finding in mine if _can_be_warmed(phase, finding)]
        proposals += [
            _denial(phase, finding, leader, policy) for finding in mine if _is_beyond(phase, finding)
        ]
        proposals += _readmissions(phase, mine)
    return tuple(proposals)


def _leader(summary: Summary, phase: PhasePlan) -> Spec | None:
    wanted = summary.leaders.get(phase.phase)
    return next((spec for spec in phase.candidates if spec.id == wanted), None)


def _promotion(phase: PhasePlan, leader: Spec, plan: Plan) -> Recommendation:
    name, label = promotion_names(phase.baseline, phase.candidates)[leader.id]
    return Recommendation(
        id=name,
        action="promote",
        phase=phase.phase,
        spec=leader,
        hypothesis=f"{label} serves {phase.phase} better than {phase.baseline.model}.",
        label=label,
        prompt=plan.prompts.get(leader.settings.variant),
    )


def _spec_of(phase: PhasePlan, model: str) -> Spec | None:
    return next((spec for spec in (phase.baseline, *phase.candidates) if spec.model == model), None)


def _can_be_warmed(phase: PhasePlan, finding: Finding) -> bool:
    spec = _spec_of(phase, finding.model)
    return finding.cause == "cold_start" and spec is not None and not spec.settings.warmup


def _warmup(phase: PhasePlan, finding: Finding) -> Recommendation:
    spec = _spec_of(phase, finding.model) or phase.baseline
    return Recommendation(
        id=f"{phase.phase}-enable_warmup-{finding.model}",
        action="enable_warmup",
        phase=phase.phase,
        spec=msgspec.structs.replace(spec, settings=msgspec.structs.replace(spec.settings, warmup=True)),
        hypothesis=f"A warm-up saves the first calls of {finding.model} after a load.",
    )


def _readmissions(phase: PhasePlan, findings: Sequence[Finding]) -> list[Recommendation]:
    """Propose to allow denied models again, unless they still can't do it."""
    hopeless = {finding.model for finding in findings if finding.cause == "capability_limit"}
    return [
        Recommendation(
            id=f"{phase.phase}-allow-{model}",
            action="allow",
            phase=phase.phase,
            spec=_spec_of(phase, model) or phase.baseline,
            hypothesis=f"{model} can do {phase.phase} again: requests for it need no fallback.",
        )
        for model in phase.denied
        if model not in hopeless
    ]


def _is_beyond(phase: PhasePlan, finding: Finding) -> bool:
    confirmed = finding.cause == "capability_limit" and finding.certainty == "confirmed"
    # What serves is not denied: a candidate may be the same model with another setting.
    others = {spec.model for spec in phase.candidates} - {phase.baseline.model}
    return confirmed and finding.model in others


def _denial(phase: PhasePlan, finding: Finding, leader: Spec | None, policy: PolicyConfig) -> Recommendation:
    """Propose the leader as fallback; the policy puts the baseline there if the leader is not promoted."""
    fallback = leader if leader is not None and leader.model != finding.model else phase.baseline
    return Recommendation(
        id=f"{phase.phase}-deny-{finding.model}",
        action="deny",
        phase=phase.phase,
        spec=_spec_of(phase, finding.model) or phase.baseline,
        hypothesis=(
            f"{fallback.model} serves requests for {finding.model} better in {phase.phase}; "
            f"to be looked at again after {policy.review_days} days."
        ),
        fallback_model=fallback.model,
    )
