"""``harness routes history``, ``diff`` and ``rollback``: what was in force when, and how to go back."""

from __future__ import annotations

import os
from pathlib import Path

import click

from harnesslib.cli.output import json_option, show, workspace_option
from harnesslib.records import Record, RoutingConfig
from harnesslib.routing_history import Step


class Difference(Record, frozen=True):
    """What ``harness routes diff`` prints with --json."""

    before: int
    after: int
    changes: tuple[str, ...]


class Rollback(Record, frozen=True):
    """What ``harness routes rollback`` prints with --json. `undone` is empty when nothing had to be done."""

    generation_before: int
    generation: int
    undone: tuple[str, ...]
    reason: str


@click.command("history")
@workspace_option
@json_option
def history_command(workspace: Path, as_json: bool) -> int:
    """Show every generation that came into force, and what changed with it, oldest first."""
    from harnesslib.routing_history import history
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        steps = history(place.stores())
    show(steps, "\n\n".join(map(_step, steps)), as_json=as_json)
    return 0


def _step(step: Step) -> str:
    mark = "  (in force)" if step.in_force else ""
    by = f" by {step.run_id}" if step.run_id else ""
    event = step.event.replace("_", " ")
    lines = [f"{step.time:%Y-%m-%d %H:%M:%S} UTC  generation {step.generation}: {event}{by}{mark}"]
    lines += [f"  {step.summary}"] if step.summary else []
    lines += [f"  - {change}" for change in step.changes]
    lines += [f"  ! what changed can't be told: {step.problem}"] if step.problem else []
    return "\n".join(lines)


@click.command("diff")
@click.argument("before", type=click.IntRange(min=1))
@click.argument("after", type=click.IntRange(min=1), required=False)
@workspace_option
@json_option
def diff_command(before: int, after: int | None, workspace: Path, as_json: bool) -> int:
    """Show what changed from generation BEFORE to generation AFTER (default: the one in force)."""
    from harnesslib import routing
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        old = place.config.generation(before)
        new = place.config.routing() if after is None else place.config.generation(after)
    difference = Difference(before=before, after=new.generation, changes=routing.diff(old, new))
    head = f"Generation {before} ({old.timestamp:%Y-%m-%d %H:%M:%S} UTC) to {_dated(new)}"
    lines = [f"- {change}" for change in difference.changes] or ["No difference: both route alike."]
    show(difference, "\n".join([head, *lines]), as_json=as_json)
    return 0


def _dated(config: RoutingConfig) -> str:
    return f"{config.generation} ({config.timestamp:%Y-%m-%d %H:%M:%S} UTC)"


@click.command("rollback")
@click.option(
    "--to",
    "generation",
    type=click.IntRange(min=1),
    help="The generation to put in force again (default: the one before the last change).",
)
@click.option("--reason", default="", help="Why; it stands in the audit log.")
@workspace_option
@json_option
def rollback_command(generation: int | None, reason: str, workspace: Path, as_json: bool) -> int:
    """Put a former generation in force again, byte for byte, and log it.

    Nothing is lost: what is undone stays in generations/, and can be put in force again with --to.
    """
    from harnesslib import routing, routing_enforcer
    from harnesslib.routing_history import generation_to_undo_to
    from harnesslib.workspace import Workspace

    os.environ["HARNESS_COMMAND"] = "harness routes rollback"
    with Workspace(workspace) as place:
        effects = place.stores()
        before = place.config.routing()
        target = generation or generation_to_undo_to(effects)
        words = f"from generation {before.generation} back to {target}"
        after = routing_enforcer.rollback(target, effects, reason=f"{words}: {reason}" if reason else words)
    undone = routing.diff(before, after)
    result = Rollback(
        generation_before=before.generation, generation=after.generation, undone=undone, reason=reason
    )
    show(result, _rolled_back(result), as_json=as_json)
    return 0


def _rolled_back(result: Rollback) -> str:
    if result.generation_before == result.generation and not result.undone:
        return f"Generation {result.generation} is in force; there was nothing to undo."
    lines = [f"Generation {result.generation} is in force again, byte for byte. What that changed:"]
    lines += [f"- {line}" for line in result.undone] or ["- nothing that routes: both route alike"]
    if result.generation_before != result.generation:
        again = f"harness routes rollback --to {result.generation_before}"
        lines += ["", f"To take this back: {again}"]
    return "\n".join(lines)
