"""``harness decide`` and ``apply``: what a cycle decided, in words; and putting it in force by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harnesslib.cli.output import json_option, show, table, workspace_option
from harnesslib.errors import InputError
from harnesslib.records import Decision, Decisions, RoutingConfig, Summary
from harnesslib.records.base import Record

if TYPE_CHECKING:
    from harnesslib.workspace import Workspace


class Change(Record):
    """What ``harness apply`` prints with --json. `diff` is in words; `generation` the one in force now."""

    run_id: str
    diff: tuple[str, ...]
    generation: int
    applied: bool


@click.command("decide")
@click.argument("run", default="last")
@workspace_option
@json_option
def decide_command(run: str, workspace: Path, as_json: bool) -> int:
    """Say what a cycle decided, gate by gate (RUN: an id, or 'last')."""
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        decisions = decided(place, run)[0]
    text = "\n\n".join(_in_words(decision) for decision in decisions.decisions)
    show(decisions, text or "Nothing was proposed in this cycle.", as_json=as_json)
    return 0


@click.command("apply")
@click.argument("run", default="last")
@click.option("--dry-run", is_flag=True, help="Show what would change, and why; change nothing.")
@workspace_option
@json_option
def apply_command(run: str, dry_run: bool, workspace: Path, as_json: bool) -> int:
    """Put what a cycle promoted in force, on probation (RUN: an id, or 'last').

    A cycle does this by itself and then proves the change; use this for a cycle that was stopped in
    between. What the gates did not promote is never applied, and nothing is applied twice.
    """
    from harnesslib import routing_enforcer
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        effects, policy = place.effects(endpoints=False), place.config.harness().policy
        decisions, summary = decided(place, run)
        diff = routing_enforcer.preview(decisions, summary, effects, policy=policy)
        if diff and not dry_run:
            in_force = routing_enforcer.enforce(decisions, summary, effects, policy=policy)
        else:
            in_force = place.config.routing()
    change = Change(
        run_id=decisions.run_id,
        diff=diff,
        generation=in_force.generation,
        applied=bool(diff) and not dry_run,
    )
    show(change, _change_in_words(change, decisions, in_force), as_json=as_json)
    return 0


def decided(place: Workspace, run: str) -> tuple[Decisions, Summary]:
    """Return what a cycle decided and on which numbers; InputError when it did not come so far."""
    manifest = place.runs.latest(kind="cycle") if run == "last" else place.runs.manifest(run)
    if manifest is None:
        raise InputError(f"{place.root}: no cycle has been run yet; run one with `harness cycle`")
    decisions = place.runs.load(manifest.run_id, "decisions", Decisions)
    summary = place.runs.load(manifest.run_id, "summary", Summary)
    if decisions is None or summary is None:
        raise InputError(
            f"run {manifest.run_id}: it did not come to a decision ({manifest.status}); "
            f"go on with it: harness cycle --resume {manifest.run_id}"
        )
    return decisions, summary


def _in_words(decision: Decision) -> str:
    rows = [(gate.verdict, gate.name, gate.observed, gate.threshold, gate.settle) for gate in decision.gates]
    header = ("", "gate", "observed", "asked for", "what would settle it")
    return f"{decision.verdict}  {decision.recommendation.id}\n{decision.reason}\n\n{table(header, rows)}"


def _change_in_words(change: Change, decisions: Decisions, in_force: RoutingConfig) -> str:
    if not change.diff:
        return (
            f"Nothing to apply: all that cycle {change.run_id} promoted is decided already, or nothing was."
        )
    reasons = [f"{decision.recommendation.id}: {decision.reason}" for decision in decisions.promoted]
    first = (
        f"In force: generation {in_force.generation}, on probation"
        if change.applied
        else f"Would change generation {in_force.generation}"
    )
    return "\n".join((first, "", *change.diff, "", "Why:", *reasons))
