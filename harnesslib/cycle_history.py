"""What is stored of cycles: which are finished, what they tried, and everything about one of them."""

from __future__ import annotations

from datetime import datetime

from harnesslib.baseline_drift import counts_of, watch
from harnesslib.errors import DataError
from harnesslib.planning import Tried, tried_in
from harnesslib.ports import Effects
from harnesslib.records import (
    Applied,
    Confirmation,
    CycleOutcome,
    CycleRecords,
    Decisions,
    Drift,
    DriftPoint,
    Feedback,
    Manifest,
    PhaseDrift,
    PhasePlan,
    Plan,
    Proposed,
    Selection,
    Summary,
    Verifications,
)
from harnesslib.records.routing import IN_FORCE

APPLIES = "applies"
"""Parameter of a run that goes on from a copy of another cycle, because a person took what that proposed."""


def finished_cycles(effects: Effects) -> tuple[Manifest, ...]:
    """Return the manifests of all finished cycles, oldest first."""
    return tuple(m for m in effects.runs.manifests() if m.kind == "cycle" and m.status == "done")


def tried_before(effects: Effects, cycles: tuple[Manifest, ...]) -> tuple[Tried, ...]:
    """Return what finished cycles have tried; DataError when one of them is not whole."""
    tried: list[Tried] = []
    for manifest in cycles:
        plan = effects.runs.load(manifest.run_id, "plan", Plan)
        decisions = effects.runs.load(manifest.run_id, "decisions", Decisions)
        if plan is None or decisions is None:
            raise DataError(
                f"runs/{manifest.run_id}: a finished cycle without plan.json or decisions.json; "
                "restore the folder, or remove it whole"
            )
        judged = (decision.recommendation for decision in decisions.decisions)
        decided = {proposed.spec.id for proposed in judged if proposed.action == "promote"}
        decided -= _still_open(effects, manifest.run_id)
        tried += tried_in(plan, decided, manifest.ended_at or manifest.started_at)
    return tuple(tried)


def _still_open(effects: Effects, run_id: str) -> set[str]:
    """Return the ids of specs that a cycle looked at and did not get round to judging."""
    selection = effects.runs.load(run_id, "selection", Selection)
    confirmation = effects.runs.load(run_id, "confirmation", Confirmation)
    rows = selection.screened if selection else ()
    halted = confirmation.halted.values() if confirmation else ()
    left = {row.spec.id for row in rows if row.halted or row.passed_over}
    return left | {one.candidate.id for one in halted}


def taken_back(effects: Effects, cycles: tuple[Manifest, ...], *, since: datetime) -> frozenset[str]:
    """Return the ids of recommendations that were applied and taken back after `since`.

    To propose one of them again at once would let a route flap: on and off again, cycle by cycle.
    """
    found: set[str] = set()
    for manifest in cycles:
        if (manifest.ended_at or manifest.started_at) > since:
            verified = effects.runs.load(manifest.run_id, "verification", Verifications)
            results = verified.verifications if verified else ()
            found |= {one.decision_id.rpartition(":")[2] for one in results if not one.kept}
    return frozenset(found)


def why_not_resumable(effects: Effects, run_id: str) -> str:
    """Say why an unfinished cycle can't be gone on with; "" when it can.

    It goes on from its plan: with another routing in force, or other cases, that would compare what was never
    measured beside each other.
    """
    plan = effects.runs.load(run_id, "plan", Plan)
    if plan is None:
        return ""
    in_force = effects.config.routing().generation
    own = {entry.generation for entry in effects.log.entries() if entry.run_id == run_id}
    if in_force not in {plan.generation, *own}:
        return f"it began with generation {plan.generation}, in force is {in_force}"
    phases = effects.config.harness().phases
    for phase in plan.phases:
        now = effects.suites.get(phases[phase.phase].suite) if phase.phase in phases else None
        if now is None or now.content_hash != phase.suite_hash:
            return f"the suite of {phase.phase} has changed since"
    return ""


def last_feedback(effects: Effects, cycles: tuple[Manifest, ...]) -> Feedback | None:
    """Return what the last finished cycle found, or none."""
    return effects.runs.load(cycles[-1].run_id, "findings", Feedback) if cycles else None


def baseline_points(effects: Effects, plan: Plan, phase: str) -> tuple[DriftPoint, ...]:
    """Return the earlier runs that measured the baseline of a phase as the plan has it, oldest first.

    They begin anew with every change of the route or the suite, and with a run that found the baseline moved:
    what it measured is what later ones are compared with. The digest noted when the route was promoted comes
    first.
    """
    here = next(each for each in plan.phases if each.phase == phase)
    noted = _noted(effects, here)
    points = list(noted)
    for manifest in effects.runs.manifests():
        point = _point(effects, manifest, phase) if _counts(manifest) else None
        if point is None or manifest.run_id == plan.run_id:
            continue
        drift = effects.runs.load(manifest.run_id, "drift", Drift)
        # A sentinel only tells: the cycle that comes after it is the one that is frozen, and the last.
        moved = manifest.kind == "cycle" and drift is not None and phase in drift.frozen
        same = (point.spec_id, point.suite_hash) == (here.baseline.id, here.suite_hash)
        points = [*([] if moved else points), point] if same else list(noted)
    return tuple(points)


def _noted(effects: Effects, here: PhasePlan) -> tuple[DriftPoint, ...]:
    """Return the digest of the baseline's model in the runs that promoted it."""
    serving = effects.config.routing().baselines.get(here.phase)
    promoted_by = serving.run_ids if serving and serving.spec.id == here.baseline.id else ()
    plans = ((run_id, effects.runs.load(run_id, "plan", Plan)) for run_id in promoted_by)
    return tuple(
        DriftPoint(
            run_id=run_id,
            when=effects.runs.manifest(run_id).started_at,
            spec_id=here.baseline.id,
            suite_hash=here.suite_hash,
            digest=plan.digests.get(here.baseline.model, ""),
            cases={},
        )
        for run_id, plan in plans
        if plan
    )


def baseline_point(plan: Plan, summary: Summary, phase: str, when: datetime) -> DriftPoint:
    """Return what one run measured of the baseline of a phase."""
    here = next(each for each in plan.phases if each.phase == phase)
    return DriftPoint(
        run_id=plan.run_id,
        when=when,
        spec_id=here.baseline.id,
        suite_hash=here.suite_hash,
        digest=plan.digests.get(here.baseline.model, ""),
        cases=counts_of(summary, here.baseline.id),
    )


def watch_baselines(effects: Effects, plan: Plan, summary: Summary) -> Drift:
    """Compare each phase's baseline with the earlier runs that measured the same route."""
    found: list[PhaseDrift] = []
    for phase in plan.phases:
        now = baseline_point(plan, summary, phase.phase, effects.clock.now())
        points = (*baseline_points(effects, plan, phase.phase), now)
        way_back = _way_back(effects, phase.phase)
        found.append(watch(phase.phase, phase.baseline.model, points, way_back=way_back))
        if found[-1].frozen:
            effects.events.emit("drift", f"{phase.phase}: {found[-1].headline}; {found[-1].way_back}")
    return Drift(run_id=plan.run_id, phases=tuple(found))


def _way_back(effects: Effects, phase: str) -> str:
    """Say which generation had another route in a phase, the newest first."""
    in_force = effects.config.routing()
    reached = [entry.generation for entry in effects.log.entries() if entry.event in IN_FORCE]
    for number in reversed(reached):
        former = effects.config.generation(number).baselines.get(phase)
        if former and former.spec.id != in_force.baselines[phase].spec.id:
            accuracy = former.accuracy.value
            known = "not measured" if accuracy is None else f"{accuracy:.1%} when it was measured"
            return f"harness routes rollback --to {number} puts {former.spec.model} back ({known})"
    return "no generation had another route here: take what this cycle proposes, or repair the endpoint"


def _counts(manifest: Manifest) -> bool:
    """Whether a run measured baselines by itself: not one that goes on from a copy of another."""
    measured = manifest.kind in {"cycle", "sentinel"} and manifest.status == "done"
    return measured and APPLIES not in manifest.parameters


def _point(effects: Effects, manifest: Manifest, phase: str) -> DriftPoint | None:
    plan = effects.runs.load(manifest.run_id, "plan", Plan)
    summary = effects.runs.load(manifest.run_id, "summary", Summary)
    if plan is None or summary is None or phase not in {each.phase for each in plan.phases}:
        return None
    point = baseline_point(plan, summary, phase, manifest.ended_at or manifest.started_at)
    return point if point.cases else None


def load_records(effects: Effects, run_id: str) -> CycleRecords:
    """Return everything stored about one cycle; what it has not reached is none."""
    runs, store = effects.runs, effects.config
    plan = runs.load(run_id, "plan", Plan)
    applied = runs.load(run_id, "applied", Applied)
    verifications = runs.load(run_id, "verification", Verifications)
    earlier = [m for m in finished_cycles(effects) if m.run_id < run_id]
    outcomes = (runs.load(m.run_id, "outcome", CycleOutcome) for m in earlier)
    after = verifications or applied
    return CycleRecords(
        manifest=runs.manifest(run_id),
        plan=plan,
        samples=runs.samples(run_id),
        selection=runs.load(run_id, "selection", Selection),
        confirmation=runs.load(run_id, "confirmation", Confirmation),
        summary=runs.load(run_id, "summary", Summary),
        feedback=runs.load(run_id, "findings", Feedback),
        decisions=runs.load(run_id, "decisions", Decisions),
        applied=applied,
        verifications=verifications,
        outcome=runs.load(run_id, "outcome", CycleOutcome),
        drift=runs.load(run_id, "drift", Drift),
        proposed=runs.load(run_id, "proposed", Proposed),
        routing_before=store.generation(plan.generation) if plan else None,
        routing_after=store.generation(after.generation) if after else None,
        log=tuple(entry for entry in effects.log.entries() if entry.run_id == run_id),
        history=tuple(outcome for outcome in outcomes if outcome),
    )
