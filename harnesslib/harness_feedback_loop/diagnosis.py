"""Every cause, asked of every spec: in an order in which one explains what the next would only repeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harnesslib.harness_feedback_loop.ability import capability_limit, flaky, over_calling
from harnesslib.harness_feedback_loop.change import drift
from harnesslib.harness_feedback_loop.endpoint import concurrency_dependent, infrastructure
from harnesslib.harness_feedback_loop.evidence import Evidence, Found, Samples, by_run, by_spec
from harnesslib.harness_feedback_loop.replies import cached_replicates, format_mismatch, timeout_bound
from harnesslib.harness_feedback_loop.startup import cold_start
from harnesslib.records import Cause, Finding, PhaseConfig, PolicyConfig, Sample, Summary

DIAGNOSES: tuple[Callable[[Evidence], Found | None], ...] = (
    cached_replicates,
    cold_start,
    concurrency_dependent,
    infrastructure,
    format_mismatch,
    timeout_bound,
    drift,
    capability_limit,
    over_calling,
    flaky,
)
"""In this order. What a finding explains is not looked at again: copies are quick whatever the start was
like, calls before the first answer are no lack of ability, calls under too much load say nothing about the
endpoint's own errors, and a call that can't be read is not flaky. Flaky cases, the last, are looked for
only where they matter: in plain runs, and in the baseline and the leader of a cycle."""

EXPLAINS: Mapping[Cause, frozenset[Cause]] = {
    "concurrency_dependent": frozenset(
        {"infrastructure", "timeout_bound", "drift", "capability_limit", "over_calling", "flaky"}
    ),
    "infrastructure": frozenset({"drift"}),
    "format_mismatch": frozenset({"drift", "capability_limit"}),
    "timeout_bound": frozenset({"drift"}),
    "drift": frozenset({"capability_limit", "over_calling", "flaky"}),
    "capability_limit": frozenset({"flaky"}),
}
"""Causes that are not reported beside another one of the same spec, since they would follow from it."""


def diagnose(
    summary: Summary,
    samples: Sequence[Sample],
    *,
    policy: PolicyConfig,
    phases: Mapping[str, PhaseConfig],
    earlier: Sequence[Sample] = (),
) -> tuple[Finding, ...]:
    """Return all causes that the samples show, by phase, model and settings.

    Parameters
    ----------
    summary
        Summary of these samples; its sessions and specs are used.
    samples
        Samples of a run's screen, confirmation, sessions, or of plain runs; the holdout is left out. The
        number of repeats may differ from case to case.
    policy
        Error rate, restraint floor and tolerated share of infrastructure errors.
    phases
        Phase -> its settings, for the accuracy floor.
    earlier
        Samples of earlier runs on the same suites, for drift, load and caches; others are left out here. Runs
        that a known change separates (another digest of the model) don't belong here.
    """
    findings: list[Finding] = []
    important = _baselines_and_leaders(summary)
    for evidence in _evidence(summary, samples, policy, phases, earlier):
        is_plain = any(sample.stage == "run" for sample in evidence.samples)
        matters = is_plain or (evidence.phase, evidence.model) in important
        findings += _causes(evidence, DIAGNOSES if matters else DIAGNOSES[:-1])
    return _once(findings)


def _baselines_and_leaders(summary: Summary) -> set[tuple[str, str]]:
    baselines = {(item.phase, item.baseline.model) for item in summary.comparisons}
    leaders = {
        (item.phase, item.candidate.model)
        for item in summary.comparisons
        if summary.leaders.get(item.phase) == item.candidate.id
    }
    return baselines | leaders


def _causes(evidence: Evidence, asked: Sequence[Callable[[Evidence], Found | None]]) -> list[Finding]:
    """Return the causes of one spec, none of which explains another."""
    found: list[Finding] = []
    for ask in asked:
        answer = ask(evidence)
        if answer is not None and not any(
            answer.finding.cause in EXPLAINS.get(finding.cause, ()) for finding in found
        ):
            found.append(answer.finding)
        evidence = evidence.without(answer.explains) if answer is not None else evidence
    return found


def _once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Leave out what another setting of the same model shows as well, and more surely."""
    kept: dict[tuple[str, str, Cause], Finding] = {}
    for finding in findings:
        key = (finding.phase, finding.model, finding.cause)
        if key not in kept or (kept[key].certainty, finding.certainty) == ("probable", "confirmed"):
            kept[key] = finding
    return tuple(kept.values())


def _evidence(
    summary: Summary,
    samples: Sequence[Sample],
    policy: PolicyConfig,
    phases: Mapping[str, PhaseConfig],
    earlier: Sequence[Sample],
) -> list[Evidence]:
    sessions = {(item.phase, item.model): item for item in summary.sessions if item.stage == "sessions"}
    specs = {item.spec.id: item.spec for item in summary.specs}
    groups, runs = by_spec(samples), by_run(earlier)
    before = {key[2]: tuple(part for run in runs if (part := _of(run, key[2]))) for key in groups}
    hopeless = {phase: _hopeless(phase, groups) for phase, _, _ in groups}
    return [
        Evidence(
            phase=phase,
            model=model,
            spec_id=spec_id,
            run_id=summary.run_id,
            samples=group,
            others=_others(groups, phase, model, spec_id),
            earlier=before[spec_id],
            sessions=sessions.get((phase, model)),
            spec=specs.get(spec_id),
            hopeless=hopeless[phase],
            phase_cases=_phase_cases(phase, groups),
            floor=phases[phase].accuracy_floor,
            policy=policy,
            taken=(*before[spec_id], group),
        )
        for (phase, model, spec_id), group in groups.items()
    ]


def _of(run: Samples, spec_id: str) -> Samples:
    return tuple(sample for sample in run if sample.spec_id == spec_id)


def _others(
    groups: Mapping[tuple[str, str, str], Samples], phase: str, model: str, spec_id: str
) -> dict[str, Samples]:
    return {key[2]: group for key, group in groups.items() if key[:2] == (phase, model) and key[2] != spec_id}


def _phase_cases(phase: str, groups: Mapping[tuple[str, str, str], Samples]) -> dict[str, bool]:
    """Return whether each case wants a call, of all that any model of the phase was asked."""
    seen = (sample for key, group in groups.items() if key[0] == phase for sample in group)
    return {sample.case_id: sample.wants_call for sample in seen}


def _hopeless(phase: str, groups: Mapping[tuple[str, str, str], Samples]) -> frozenset[str]:
    """Return the cases of a phase that none of its models ever passed."""
    seen = [sample for key, group in groups.items() if key[0] == phase for sample in group]
    passed = {sample.case_id for sample in seen if sample.outcome == "pass"}
    return frozenset(sample.case_id for sample in seen) - passed
