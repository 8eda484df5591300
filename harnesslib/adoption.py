"""A person takes what a cycle proposed: a copy of the cycle goes on, puts it in force and proves it."""

from __future__ import annotations

from typing import Any

import msgspec

from harnesslib.cycle_history import APPLIES
from harnesslib.errors import ConflictError, InputError
from harnesslib.ports import Effects
from harnesslib.records import Decisions, Manifest, Plan, Proposed

_COPIED = ("selection", "confirmation", "summary", "drift", "findings")
_MEASURED_BEFORE = ("verify", "verify_sessions", "verify_fallback")


def on_offer(effects: Effects, run_id: str) -> Proposed | None:
    """Return what a cycle proposes to a person, or none.

    Raises
    ------
    ConflictError
        The routing has changed since: what was measured against it does not hold for the present one.
    """
    proposed = effects.runs.load(run_id, "proposed", Proposed)
    if proposed is None or proposed.routing is None:
        return None
    if effects.config.routing_sha256() != proposed.parent_sha256:
        in_force = effects.config.routing().generation
        raise ConflictError(
            f"run {run_id}: proposes a change of generation {proposed.generation}, in force is generation "
            f"{in_force}, or another file under that number; cure: run a new cycle, which measures again"
        )
    return proposed


def offered(proposed: Proposed, decisions: Decisions) -> Decisions:
    """Return the decisions that a person is offered."""
    ids = {one.decision_id for one in proposed.held if one.because != "off"}
    chosen = tuple(decision for decision in decisions.decisions if decision.id in ids)
    return msgspec.structs.replace(decisions, decisions=chosen)


def adopt(effects: Effects, proposed: Proposed, manifest: Manifest) -> str:
    """Make the run that goes on with what was proposed, and return its id. Nothing is in force by that yet.

    Parameters
    ----------
    effects
        Stores; no endpoint is needed.
    proposed
        Result of `on_offer`.
    manifest
        Of the new run, of kind "cycle", with the parameter `APPLIES`.
    """
    source, run_id = proposed.run_id, manifest.run_id
    plan = effects.runs.load(source, "plan", Plan)
    decisions = effects.runs.load(source, "decisions", Decisions)
    if plan is None or decisions is None or manifest.parameters.get(APPLIES) != source:
        raise InputError(f"run {source}: has no plan and decisions to go on with; cure: name another cycle")
    effects.runs.create(manifest)
    plan = msgspec.structs.replace(plan, run_id=run_id, generation=proposed.generation)
    effects.runs.put(run_id, "plan", plan)
    for name in _COPIED:
        record = effects.runs.load(source, name, dict[str, Any])
        if record is not None:
            effects.runs.put(run_id, name, record)
    effects.runs.put(
        run_id, "decisions", msgspec.structs.replace(offered(proposed, decisions), run_id=run_id)
    )
    with effects.runs.journal(run_id) as journal:
        for sample in effects.runs.samples(source):
            if sample.stage not in _MEASURED_BEFORE:
                journal.append(sample)
    return run_id
