"""Stored runs -> frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from harnesslib.errors import DataError, InputError
from harnesslib.frames import columns
from harnesslib.records import (
    CycleOutcome,
    Decision,
    Decisions,
    Estimate,
    Manifest,
    Plan,
    Summary,
    Verification,
    Verifications,
)
from harnesslib.run_store import RunStore
from harnesslib.workspace import Workspace, nearest

if TYPE_CHECKING:
    import pandas as pd

    from harnesslib.records import PhasePlan

Folder: TypeAlias = str | PathLike[str]
Damaged = Literal["raise", "leave_out"]
Row: TypeAlias = dict[str, Any]
_PROVING = ("verify", "sessions")


def load_samples(
    workspace: Folder = ".",
    runs: str | Sequence[str] | None = None,
    *,
    phase: str | None = None,
    model: str | None = None,
    stage: str | None = None,
    damaged: Damaged = "raise",
) -> pd.DataFrame:
    """Return samples, one row each, run after run.

    Parameters
    ----------
    workspace
        A workspace, a folder inside it, or what `find_runs` returned.
    runs
        A run's id, several of them, or "last"; none: all runs. A run that is still open gives what its
        journal holds so far.
    phase, model, stage
        Only such samples.
    damaged
        What becomes of a run that can't be read or differs from its seal: "raise", or "leave_out" and name
        it in ``frame.attrs["left_out"]``.

    Returns
    -------
    DataFrame
        The columns of the Sample record, then `served` and `skilled`: 1 for a pass and 0 for a failure, NaN
        where a sample counts for neither, so that their means are the two accuracies.

    Raises
    ------
    InputError
        No workspace, or no such run.
    DataError
        A damaged run; the message names it and the file.
    """
    import pandas as pd

    store = _store(workspace)
    equal = {"phase": phase, "model": model, "stage": stage}
    wanted = {name: value for name, value in equal.items() if value is not None}
    manifests, left_out = _readable(store, _asked(store, runs), store.manifest, damaged)
    sealed = [run_id for run_id, manifest in manifests.items() if manifest.files]
    still_open = [run_id for run_id in manifests if run_id not in sealed]
    journals, torn = _readable(store, still_open, store.load_samples_frame, damaged)
    parts = [store.load_sealed_frame(sealed, **wanted)] if sealed else []
    parts += [_only(frame, wanted) for frame in journals.values()]
    parts = [part for part in parts if len(part)]
    frame = pd.concat(parts, ignore_index=True) if parts else columns.empty("samples")
    counts = frame["outcome"] != "infra_error"
    passed = (frame["outcome"] == "pass").astype(float)
    frame["served"] = passed.where(counts)
    frame["skilled"] = passed.where(counts & (frame["outcome"] != "timeout"))
    return _finished(frame, "samples", left_out | torn)


def load_runs(workspace: Folder = ".") -> pd.DataFrame:
    """Return every run of a workspace, one row each; `problem` says what is wrong with a damaged one."""
    store = _store(workspace)
    return _made([_run_row(store, run_id) for run_id in store.ids()], "runs", {})


def load_cycles(
    workspace: Folder = ".",
    runs: str | Sequence[str] | None = None,
    *,
    phase: str | None = None,
    damaged: Damaged = "raise",
) -> pd.DataFrame:
    """Return cycles, one row for each phase that a cycle planned: the baseline as it measured, and what came.

    Parameters and errors are those of `load_samples`. `cycle` counts the workspace's cycles from 1.
    """
    return _of_phase(_records(workspace, runs, "cycles", _cycle_rows, damaged), phase)


def load_decisions(
    workspace: Folder = ".",
    runs: str | Sequence[str] | None = None,
    *,
    phase: str | None = None,
    damaged: Damaged = "raise",
) -> pd.DataFrame:
    """Return decisions, one row each, with what became of them. Parameters are those of `load_samples`."""
    return _of_phase(_records(workspace, runs, "decisions", _decision_rows, damaged), phase)


def load_gates(
    workspace: Folder = ".",
    runs: str | Sequence[str] | None = None,
    *,
    phase: str | None = None,
    damaged: Damaged = "raise",
) -> pd.DataFrame:
    """Return gates, one row for each gate of each decision. Parameters are those of `load_samples`."""
    return _of_phase(_records(workspace, runs, "gates", _gate_rows, damaged), phase)


def _of_phase(frame: pd.DataFrame, phase: str | None) -> pd.DataFrame:
    return frame if phase is None else _only(frame, {"phase": phase}).reset_index(drop=True)


def _only(frame: pd.DataFrame, wanted: dict[str, str]) -> pd.DataFrame:
    for name, value in wanted.items():
        frame = frame[frame[name] == value]
    return frame


def _store(workspace: Folder) -> RunStore:
    place = Workspace(nearest(str(workspace) if isinstance(workspace, str) else workspace.__fspath__()))
    place.require()
    return place.runs


def _asked(store: RunStore, runs: str | Sequence[str] | None) -> tuple[str, ...]:
    known = store.ids()
    if runs is None:
        return known
    wanted = [runs] if isinstance(runs, str) else list(runs)
    wanted = [known[-1] if name == "last" and known else name for name in wanted]
    for name in wanted:
        if name not in known:
            raise InputError(f"run '{name}': not in {store.folder}; it holds: {', '.join(known) or 'none'}")
    return tuple(wanted)


def _readable(
    store: RunStore, ids: Sequence[str], read_one: Callable[[str], Any], damaged: Damaged
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what was read, by run, and why others could not be."""
    if damaged not in get_args(Damaged):
        raise InputError(f"damaged='{damaged}': expected 'raise' or 'leave_out'")
    kept: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for run_id in ids:
        try:
            _refuse_changed(store, run_id)
            kept[run_id] = read_one(run_id)
        except DataError as error:
            if damaged == "raise":
                raise DataError(
                    f"run '{run_id}' is damaged: {error}; cure: restore its folder, or load the others with "
                    'damaged="leave_out"'
                ) from error
            left_out[run_id] = str(error)
    return kept, left_out


def _refuse_changed(store: RunStore, run_id: str) -> None:
    if store.manifest(run_id).files and (problems := store.check(run_id)):
        raise DataError("; ".join(problems))


def _records(
    workspace: Folder,
    runs: str | Sequence[str] | None,
    name: str,
    rows_of: Callable[[RunStore, Manifest, int], Iterator[Row]],
    damaged: Damaged,
) -> pd.DataFrame:
    store = _store(workspace)
    numbers = {run_id: place for place, run_id in enumerate(_cycle_ids(store), start=1)}
    asked = _asked(store, runs)

    def read_one(run_id: str) -> list[Row]:
        manifest = store.manifest(run_id)
        return list(rows_of(store, manifest, numbers[run_id])) if run_id in numbers else []

    kept, left_out = _readable(store, asked, read_one, damaged)
    return _made([row for rows in kept.values() for row in rows], name, left_out)


def _cycle_ids(store: RunStore) -> Iterator[str]:
    for run_id in store.ids():
        try:
            if store.manifest(run_id).kind == "cycle":
                yield run_id
        except DataError:
            # It may have been a cycle; the number it would have had is not given to another one.
            yield run_id


def _made(rows: Sequence[Row], name: str, left_out: dict[str, str]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows) if rows else columns.empty(name)
    return _finished(frame, name, left_out)


def _finished(frame: pd.DataFrame, name: str, left_out: dict[str, str]) -> pd.DataFrame:
    frame = columns.typed(frame, name)
    frame.attrs["left_out"] = left_out
    return frame


def _run_row(store: RunStore, run_id: str) -> Row:
    problem = ""
    try:
        manifest = store.manifest(run_id)
        problem = "; ".join(store.check(run_id)) if manifest.files else ""
    except DataError as error:
        return {"run_id": run_id, "sealed": False, "problem": str(error)}
    return {
        "run_id": run_id,
        "kind": manifest.kind,
        "status": manifest.status,
        "started_at": manifest.started_at,
        "ended_at": manifest.ended_at,
        "duration_s": _seconds(manifest),
        "simulated": manifest.simulated,
        "sealed": bool(manifest.files),
        "verdict": manifest.verdict,
        "reason": manifest.reason,
        "problem": problem,
    }


def _seconds(manifest: Manifest) -> float | None:
    return (manifest.ended_at - manifest.started_at).total_seconds() if manifest.ended_at else None


def _cycle_rows(store: RunStore, manifest: Manifest, number: int) -> Iterator[Row]:
    run_id = manifest.run_id
    plan = store.load(run_id, "plan", Plan)
    if plan is None:
        return
    summary = store.load(run_id, "summary", Summary)
    outcome = store.load(run_id, "outcome", CycleOutcome)
    for phase in plan.phases:
        yield {
            "run_id": run_id,
            "cycle": number,
            "phase": phase.phase,
            "started_at": manifest.started_at,
            "ended_at": manifest.ended_at,
            "status": manifest.status,
            "outcome": outcome.status if outcome else None,
            "headline": outcome.headline if outcome else None,
            "suite": phase.suite,
            "suite_version": phase.suite_version,
            "suite_hash": phase.suite_hash,
            "smallest_effect": phase.smallest_effect,
            "candidates": len(phase.candidates),
            "generation_before": plan.generation,
            "generation": outcome.generation if outcome else None,
            **_baseline(phase, plan, summary),
            "served_by": outcome.baselines.get(phase.phase) if outcome else None,
            "served_accuracy": outcome.accuracy.get(phase.phase) if outcome else None,
            **_used(summary, phase.phase),
        }


def _baseline(phase: PhasePlan, plan: Plan, summary: Summary | None) -> Row:
    """Return how the cycle's own baseline measured, where it was measured most: not on holdout cases."""
    specs = summary.specs if summary else ()
    mine = [item for item in specs if item.spec.id == phase.baseline.id]
    found = [item for item in mine if not item.stage.startswith(_PROVING)]
    most = max(found, key=lambda item: item.samples, default=None)
    return {
        "baseline_model": phase.baseline.model,
        "baseline_spec_id": phase.baseline.id,
        "baseline_digest": plan.digests.get(phase.baseline.model, ""),
        "baseline_samples": most.samples if most else 0,
        **_estimated("baseline", most.served if most else None, value="baseline_accuracy"),
    }


def _used(summary: Summary | None, phase: str) -> Row:
    mine = [item for item in summary.specs if item.spec.phase == phase] if summary else []
    costs = [item.cost for item in mine if item.cost is not None]
    return {
        "samples": sum(item.samples for item in mine),
        "requests": sum(item.requests for item in mine),
        "cost": sum(costs) if costs else None,
    }


def _decision_rows(store: RunStore, manifest: Manifest, number: int) -> Iterator[Row]:
    decisions = store.load(manifest.run_id, "decisions", Decisions)
    verified = store.load(manifest.run_id, "verification", Verifications)
    proofs = {item.decision_id: item for item in verified.verifications} if verified else {}
    for decision in decisions.decisions if decisions else ():
        yield _decision_row(manifest, number, decision, proofs.get(decision.id))


def _decision_row(manifest: Manifest, number: int, decision: Decision, proof: Verification | None) -> Row:
    proposed = decision.recommendation
    verdicts = [gate.verdict for gate in decision.gates]
    return {
        "run_id": manifest.run_id,
        "cycle": number,
        "decision_id": decision.id,
        "phase": proposed.phase,
        "model": proposed.spec.model,
        "spec_id": proposed.spec.id,
        "action": proposed.action,
        "verdict": decision.verdict,
        "reason": decision.reason,
        "hypothesis": proposed.hypothesis,
        **_estimated("effect", decision.effect),
        "gates": len(verdicts),
        "gates_passed": verdicts.count("pass"),
        "gates_failed": verdicts.count("fail"),
        "gates_unknown": verdicts.count("unknown"),
        "proof": None if proof is None else "kept" if proof.kept else "taken_back",
        **_estimated("credited", proof.effect if proof else None),
        "proof_p_value": proof.p_value if proof else None,
    }


def _gate_rows(store: RunStore, manifest: Manifest, number: int) -> Iterator[Row]:
    decisions = store.load(manifest.run_id, "decisions", Decisions)
    for decision in decisions.decisions if decisions else ():
        for gate in decision.gates:
            yield {
                "run_id": manifest.run_id,
                "cycle": number,
                "decision_id": decision.id,
                "phase": decision.recommendation.phase,
                "model": decision.recommendation.spec.model,
                "action": decision.recommendation.action,
                "gate": gate.name,
                "verdict": gate.verdict,
                "observed": gate.observed,
                "threshold": gate.threshold,
                "settle": gate.settle,
            }


def _estimated(name: str, estimate: Estimate | None, *, value: str = "") -> Row:
    numbers = (estimate.value, estimate.low, estimate.high) if estimate else (None, None, None)
    return dict(zip((value or name, f"{name}_low", f"{name}_high"), numbers, strict=True))
