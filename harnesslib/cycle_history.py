"""What is stored of cycles: which are finished, what they tried, and everything about one of them."""

from __future__ import annotations

from datetime import datetime

from harnesslib.errors import DataError
from harnesslib.planning import Tried, tried_in
from harnesslib.ports import Effects
from harnesslib.records import (
    Applied,
    Confirmation,
    CycleOutcome,
    CycleRecords,
    Decisions,
    Feedback,
    Manifest,
    Plan,
    Selection,
    Summary,
    Verifications,
)


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
        decided = {decision.recommendation.id: decision.verdict for decision in decisions.decisions}
        tried += tried_in(plan, decided, manifest.ended_at or manifest.started_at)
    return tuple(tried)


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
        routing_before=store.generation(plan.generation) if plan else None,
        routing_after=store.generation(after.generation) if after else None,
        log=tuple(entry for entry in effects.log.entries() if entry.run_id == run_id),
        history=tuple(outcome for outcome in outcomes if outcome),
    )
