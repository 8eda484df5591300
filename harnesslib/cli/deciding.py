"""``harness decide`` and ``apply``: what a cycle decided, in words; and putting it in force by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harnesslib.cli.output import json_option, quiet_option, say, show, table, workspace_option
from harnesslib.errors import EXIT_NOT_PROMOTED, InputError
from harnesslib.records import Decision, Decisions, Held, Proposed, RoutingConfig, Summary
from harnesslib.records.base import Record

if TYPE_CHECKING:
    from harnesslib.ports import Effects
    from harnesslib.workspace import Workspace


class Change(Record):
    """What ``harness apply`` prints with --json. `diff` is in words; `generation` the one in force now.

    `continued_by` is the cycle that is still to prove it: `harness cycle` goes on with it.
    """

    run_id: str
    diff: tuple[str, ...]
    generation: int
    applied: bool
    continued_by: str = ""


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
@click.option("--verify", is_flag=True, help="Prove a taken proposal at once, then keep it or undo it.")
@quiet_option
@workspace_option
@json_option
def apply_command(run: str, dry_run: bool, verify: bool, quiet: bool, workspace: Path, as_json: bool) -> int:
    """Put what a cycle promoted in force, on probation (RUN: an id, or 'last').

    Where auto_apply is "propose", or a baseline has moved, a cycle only proposes: this takes it, if the
    routing is still the one that it was measured for. The next cycle proves it on fresh cases and keeps it or
    undoes it; --verify does so at once. It also finishes a cycle that was stopped between deciding and
    applying. What the gates did not promote is never applied, and nothing is applied twice.
    """
    from harnesslib import adoption, routing_enforcer
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        effects, policy = place.effects(endpoints=False), place.config.harness().policy
        decisions, summary = decided(place, run)
        proposed = adoption.on_offer(effects, decisions.run_id)
        if proposed is not None:
            change = take(place, effects, proposed, dry_run=dry_run)
            decisions = adoption.offered(proposed, decisions)
        else:
            decisions = _without_held(effects, decisions)
            diff = routing_enforcer.preview(decisions, summary, effects, policy=policy)
            if diff and not dry_run:
                routing_enforcer.enforce(decisions, summary, effects, policy=policy)
            change = Change(
                run_id=decisions.run_id,
                diff=diff,
                generation=place.config.routing().generation,
                applied=bool(diff) and not dry_run,
            )
        show(change, _change_in_words(change, decisions, place.config.routing()), as_json=as_json)
        if verify and change.continued_by:
            return _proven(place, change.continued_by, quiet=quiet)
    return 0


def take(place: Workspace, effects: Effects, proposed: Proposed, *, dry_run: bool) -> Change:
    """Put a proposal in force, in a copy of its cycle that is still to prove it."""
    import msgspec

    from harnesslib import adoption
    from harnesslib.cycle_history import APPLIES
    from harnesslib.meta_harness_loop import Cycle

    change = Change(run_id=proposed.run_id, diff=proposed.diff, generation=proposed.generation, applied=False)
    if dry_run:
        return change
    manifest = place.new_manifest("cycle", {APPLIES: proposed.run_id})
    with place.locks.hold("cycle", wait_s=0.5):
        run_id = adoption.adopt(effects, proposed, manifest)
        applied = Cycle(effects, run_id).enforce()
    reason = "applied by a person, still to be proven"
    stopped = msgspec.structs.replace(
        manifest, status="failed", ended_at=place.clock.now(), reason=reason, exit_code=0
    )
    place.runs.save_manifest(stopped)
    return msgspec.structs.replace(change, generation=applied.generation, applied=True, continued_by=run_id)


def _without_held(effects: Effects, decisions: Decisions) -> Decisions:
    from harnesslib import autonomy

    held = effects.runs.load(decisions.run_id, "held", tuple[Held, ...]) or ()
    rest = autonomy.without(decisions, held)
    if held and not rest.promoted:
        raise InputError(
            f"run {decisions.run_id}: {held[0].reason}; cure: let the cycle end (`harness cycle`), and where "
            'auto_apply is "off" write "propose" and run a new one'
        )
    return rest


def _proven(place: Workspace, run_id: str, *, quiet: bool) -> int:
    """Go on with a cycle until it is proven, kept or undone; its end goes to stderr, the result was shown."""
    from harnesslib.cli.cycles import alone, in_words, run_cycle

    with alone(place):
        result = run_cycle(place, run_id, timeout_s=None, quiet=quiet)
    say(in_words(result))
    return 0 if result.outcome.status == "promoted" else EXIT_NOT_PROMOTED


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
    proof = ("", "The next `harness cycle` proves it on fresh cases.") if change.continued_by else ()
    return "\n".join((first, "", *change.diff, "", "Why:", *reasons, *proof))
