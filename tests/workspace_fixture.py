"""A demo workspace in which one cycle has changed the routing: its records, and no cycle was run.

Generation 1 is the first; 2 is what the cycle applied; 3 is what was kept of it. `sprinter` serves `atomic`,
and is denied in `extended`, where `steady` serves instead; the promotion of `better` in `extended` was rolled
back.
Tests load this file by its path.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import msgspec

from harnesslib import routing_enforcer
from harnesslib.cli.setting_up import init_demo
from harnesslib.records import (
    Applied,
    CycleOutcome,
    Decision,
    Decisions,
    Estimate,
    GateResult,
    PhasePlan,
    Plan,
    PolicyConfig,
    Spec,
    Summary,
    Verification,
    Verifications,
)
from harnesslib.workspace import Workspace


def _load(name: str, path: Path) -> ModuleType:
    """Load a module that lies beside the tests' folders."""
    found = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


made_up = _load("routing_records", Path(__file__).with_name("routing_records.py"))
SURE = Estimate(value=0.175, low=0.098, high=0.252, level=0.95, n=105, method="paired by case")
GATES = (
    GateResult(name="accuracy_gain", verdict="pass", observed="p = 0.0001", threshold="p at most 0.05"),
    GateResult(name="latency", verdict="pass", observed="x1.01", threshold="at most x1.20"),
)


def changed_workspace(root: Path) -> Path:
    """Make the workspace; returns its folder."""
    with Workspace(root) as place:
        init_demo(place)
        manifest = place.new_manifest("cycle", {})
        place.runs.create(manifest)
        run_id = manifest.run_id
        effects = place.stores()
        decisions = Decisions(run_id=run_id, decisions=tuple(_decisions(place, run_id)))
        place.runs.put(run_id, "plan", _plan(place, run_id))
        place.runs.put(run_id, "decisions", decisions)
        measured = _summary(run_id, decisions)
        applied = routing_enforcer.enforce(decisions, measured, effects, policy=PolicyConfig())
        kept = tuple(_verification(decision) for decision in decisions.promoted)
        record = Applied(run_id=run_id, generation_before=1, generation=applied.generation)
        settled = routing_enforcer.settle(record, kept, effects)
        place.runs.put(run_id, "applied", record)
        place.runs.put(run_id, "verification", _verifications(run_id, kept, settled.generation))
        _end(place, run_id, settled.generation)
    return root


def _decisions(place: Workspace, run_id: str) -> list[Decision]:
    config = place.config.harness()
    wanted = [
        ("promote", "sprinter", "atomic", "PROMOTE"),
        ("promote", "better", "atomic", "REJECT"),
        ("promote", "better", "extended", "PROMOTE"),
        ("deny", "sprinter", "extended", "PROMOTE"),
        ("promote", "twin", "atomic", "REJECT"),
    ]
    return [
        msgspec.structs.replace(
            made_up.decision(
                action,
                model,
                phase,
                run=run_id,
                verdict=verdict,
                fallback="steady" if action == "deny" else None,
                **msgspec.structs.asdict(config.settings_of(model, phase)),
            ),
            gates=GATES if verdict == "PROMOTE" else (_failed(),),
            reason=f"{model} was measured in {phase}: {verdict.lower()}.",
            effect=SURE,
        )
        for action, model, phase, verdict in wanted
    ]


def _failed() -> GateResult:
    return GateResult(name="latency", verdict="fail", observed="x2.20", threshold="at most x1.20")


def _plan(place: Workspace, run_id: str) -> Plan:
    config, routing = place.config.harness(), place.config.routing()
    suites = place.suites(config)
    phases = tuple(
        PhasePlan(
            phase=phase,
            suite=config.phases[phase].suite,
            suite_version="1",
            suite_hash=suites[config.phases[phase].suite].content_hash,
            baseline=routing.baselines[phase].spec,
            candidates=tuple(
                Spec(model=model.id, phase=phase, settings=config.settings_of(model.id, phase))
                for model in config.models_of(phase)
                if model.id != "steady"
            ),
            skipped=(),
            search_cases=24,
            holdout_cases=16,
            smallest_effect=0.1,
        )
        for phase in config.phases
    )
    return Plan(
        run_id=run_id,
        seed=1,
        generation=1,
        phases=phases,
        predicted_samples=1,
        predicted_requests=1,
        digests={},
    )


def _summary(run_id: str, decisions: Decisions) -> Summary:
    measured = (decision.recommendation.spec for decision in decisions.promoted)
    return made_up.summary(*measured, run=run_id, served=0.952, n=105)


def _verification(decision: Decision) -> Verification:
    kept = decision.recommendation.id != "extended-promote-better"
    reason = "It holds on fresh cases." if kept else "Not better on fresh cases."
    return Verification(decision_id=decision.id, kept=kept, effect=SURE, p_value=0.01, reason=reason)


def _verifications(run_id: str, made: tuple[Verification, ...], generation: int) -> Verifications:
    return Verifications(
        run_id=run_id, generation_before=1, generation_applied=2, generation=generation, verifications=made
    )


def _end(place: Workspace, run_id: str, generation: int) -> None:
    now = place.clock.now()
    outcome = CycleOutcome(
        run_id=run_id,
        ended_at=now,
        headline="Sprinter now serves atomic.",
        status="partly_kept",
        generation_before=1,
        generation=generation,
        baselines={"atomic": "sprinter", "extended": "steady"},
        accuracy={"atomic": 0.952, "extended": None},
    )
    place.runs.put(run_id, "outcome", outcome)
    manifest = place.runs.manifest(run_id)
    place.runs.seal(msgspec.structs.replace(manifest, status="done", ended_at=now, exit_code=0))
