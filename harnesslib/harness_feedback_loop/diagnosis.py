"""Every cause, asked of every model in every phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harnesslib.harness_feedback_loop.ability import (
    capability_limit,
    flaky,
    infrastructure,
    over_calling,
)
from harnesslib.harness_feedback_loop.evidence import Evidence, by_model
from harnesslib.harness_feedback_loop.startup import cold_start, timeout_bound
from harnesslib.records import Finding, PhaseConfig, PolicyConfig, Sample, Summary

DIAGNOSES: tuple[Callable[[Evidence], Finding | None], ...] = (
    infrastructure,
    cold_start,
    timeout_bound,
    capability_limit,
    over_calling,
)
"""Asked of every model; flaky cases are looked for only where they matter: the baseline and the leader."""


def diagnose(
    summary: Summary,
    samples: Sequence[Sample],
    *,
    policy: PolicyConfig,
    phases: Mapping[str, PhaseConfig],
) -> tuple[Finding, ...]:
    """Return all causes that the samples show, by phase and model.

    Parameters
    ----------
    summary
        Summary of these samples; its sessions and leaders are used.
    samples
        Samples of a run's screen, confirmation, sessions, or of plain runs; the holdout is left out.
    policy
        Error rate, restraint floor and tolerated share of infrastructure errors.
    phases
        Phase -> its settings, for the accuracy floor.
    """
    findings: list[Finding] = []
    important = _baselines_and_leaders(summary)
    for evidence in _evidence(summary, samples, policy, phases):
        asked = (*DIAGNOSES, flaky) if (evidence.phase, evidence.model) in important else DIAGNOSES
        findings += [finding for finding in (ask(evidence) for ask in asked) if finding is not None]
    return tuple(findings)


def _evidence(
    summary: Summary,
    samples: Sequence[Sample],
    policy: PolicyConfig,
    phases: Mapping[str, PhaseConfig],
) -> list[Evidence]:
    sessions = {(item.phase, item.model): item for item in summary.sessions if item.stage == "sessions"}
    groups = by_model(samples)
    return [
        Evidence(
            phase=phase,
            model=model,
            samples=group,
            sessions=sessions.get((phase, model)),
            hopeless=_hopeless(phase, groups),
            floor=phases[phase].accuracy_floor,
            policy=policy,
        )
        for (phase, model), group in groups.items()
    ]


def _hopeless(phase: str, groups: Mapping[tuple[str, str], Sequence[Sample]]) -> frozenset[str]:
    """Return the cases of a phase that none of its models ever passed."""
    seen = [sample for (name, _), group in groups.items() if name == phase for sample in group]
    passed = {sample.case_id for sample in seen if sample.outcome == "pass"}
    return frozenset(sample.case_id for sample in seen) - passed


def _baselines_and_leaders(summary: Summary) -> set[tuple[str, str]]:
    baselines = {(item.phase, item.baseline.model) for item in summary.comparisons}
    leaders = {
        (item.phase, item.candidate.model)
        for item in summary.comparisons
        if summary.leaders.get(item.phase) == item.candidate.id
    }
    return baselines | leaders
