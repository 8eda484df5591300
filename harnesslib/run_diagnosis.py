"""The causes that a stored run shows, with earlier runs of the same kind beside it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from harnesslib.errors import InputError
from harnesslib.harness_feedback_loop import diagnose
from harnesslib.ports import Effects
from harnesslib.records import Feedback, Plan, Sample, Summary

MOST_EARLIER = 12
"""Runs that are looked back on: 8 make a reference, and reading them all takes longer every day."""


def diagnosed(effects: Effects, run_id: str) -> Feedback:
    """Return a run's findings: those that its cycle stored, or else what its samples show now.

    Raises
    ------
    InputError
        The run did not come so far that there is a summary, or its phase is not in ``harness.toml`` any more.
    """
    stored = effects.runs.load(run_id, "findings", Feedback)
    if stored is not None:
        return stored
    summary = effects.runs.load(run_id, "summary", Summary)
    if summary is None:
        status = effects.runs.manifest(run_id).status
        raise InputError(f"run {run_id}: it holds no summary ({status}); expected one that was finished")
    config = effects.config.harness()
    unknown = {item.spec.phase for item in summary.specs} - config.phases.keys()
    if unknown:
        raise InputError(
            f"run {run_id}: phase '{min(unknown)}' is not in harness.toml any more; "
            "put it back to diagnose it"
        )
    samples = effects.runs.samples(run_id)
    findings = diagnose(
        summary,
        samples,
        policy=config.policy,
        phases=config.phases,
        earlier=earlier_samples(effects, run_id),
    )
    return Feedback(run_id=run_id, findings=findings, recommendations=())


def earlier_samples(effects: Effects, run_id: str) -> tuple[Sample, ...]:
    """Return the samples of finished runs before this one, of its specs, suites and model digests.

    At most 12 runs, the newest ones. Where a run does not say which suite it measured, it is left out; a
    digest that is not known on one of the sides is taken as the same.
    """
    mine = _kind(effects, run_id)
    began = effects.runs.manifest(run_id).started_at
    older = (m for m in reversed(effects.runs.manifests()) if m.status == "done" and m.started_at < began)
    alike = ((m, specs) for m in older if (specs := _shared(mine, _kind(effects, m.run_id))))
    return tuple(
        sample
        for manifest, specs in islice(alike, MOST_EARLIER)
        for sample in effects.runs.samples(manifest.run_id)
        if sample.spec_id in specs
    )


_Kind = Mapping[str, tuple[str, str]]
"""Spec id -> (hash of its suite, digest of its model)."""


def _kind(effects: Effects, run_id: str) -> _Kind:
    summary = effects.runs.load(run_id, "summary", Summary)
    plan = effects.runs.load(run_id, "plan", Plan)
    if plan is not None:
        suites = {phase.phase: phase.suite_hash for phase in plan.phases}
        digests: Mapping[str, str] = plan.digests
    else:
        suites = effects.runs.load(run_id, "suites", dict[str, str]) or {}
        digests = effects.runs.load(run_id, "digests", dict[str, str]) or {}
    specs = (item.spec for item in summary.specs) if summary else ()
    return {
        spec.id: (suites[spec.phase], digests.get(spec.model, "")) for spec in specs if spec.phase in suites
    }


def _shared(mine: _Kind, theirs: _Kind) -> frozenset[str]:
    """Return the specs of both runs whose suite and model are the same."""
    return frozenset(
        spec_id
        for spec_id, (suite, digest) in mine.items()
        if spec_id in theirs
        and theirs[spec_id][0] == suite
        and (not digest or theirs[spec_id][1] in {"", digest})
    )
