"""``harness routes``: which model serves what, why, and since when."""

from __future__ import annotations

from pathlib import Path

import click

from harnesslib.cli.exports import export_command
from harnesslib.cli.generations import diff_command, history_command, rollback_command
from harnesslib.cli.output import json_option, show, table, workspace_option
from harnesslib.records import Resolution, RoutingConfig


@click.group("routes")
def routes_command() -> None:
    """Show which model serves what and why, go back to a former routing, or export it."""


@routes_command.command("list")
@workspace_option
@json_option
def list_routes(workspace: Path, as_json: bool) -> int:
    """List the baselines and rules of the generation in force."""
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        config = place.config.routing()
    show(config, _listed(config), as_json=as_json)
    return 0


def _listed(config: RoutingConfig) -> str:
    served = [
        (phase, base.spec.model, "n/a" if base.accuracy.value is None else f"{base.accuracy.value:.1%}")
        for phase, base in sorted(config.baselines.items())
    ]
    rules = [
        (
            rule.phase,
            rule.model,
            "allowed" if rule.allow else f"denied \N{RIGHTWARDS ARROW} {rule.fallback_model or 'nobody'}",
            "yes" if rule.enable_warmup else "",
            rule.status,
            rule.source,
            rule.reason,
        )
        for rule in sorted(config.rules, key=lambda rule: (rule.phase, rule.model))
    ]
    return "\n\n".join(
        (
            f"Generation {config.generation}, written {config.timestamp:%Y-%m-%d %H:%M:%S} UTC",
            table(("phase", "served by", "accuracy"), served),
            table(("phase", "model", "", "warm-up", "status", "source", "reason"), rules),
        )
    )


@routes_command.command("resolve")
@click.argument("model")
@click.argument("phase")
@workspace_option
@json_option
def resolve_route(model: str, phase: str, workspace: Path, as_json: bool) -> int:
    """Say what an application that asks for MODEL in PHASE is told to call.

    MODEL may be 'auto': whatever serves the phase best now.
    """
    from harnesslib.router import Router
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        resolution = Router(place.config.routing_path).resolve(model, phase)
    show(resolution, _resolved(resolution), as_json=as_json)
    return 0


def _resolved(resolution: Resolution) -> str:
    settings = resolution.settings
    asked = f"{settings.variant}, temperature {settings.temperature:g}, timeout {settings.timeout_s:g} s"
    rows = [
        ("settings", f"{asked}, {settings.retries} retries"),
        ("warm-up", "yes" if resolution.warmup else "no"),
        ("then", ", ".join(resolution.fallbacks) or "nobody"),
        ("because", resolution.reason),
        ("generation", str(resolution.generation)),
    ]
    return table(("call", resolution.model), rows)


@routes_command.command("explain")
@click.argument("model")
@click.argument("phase")
@workspace_option
@json_option
def explain_route(model: str, phase: str, workspace: Path, as_json: bool) -> int:
    """Say why MODEL is routed as it is in PHASE, and what would change that.

    The rule, since when it holds, the decisions and gates it stands on, and when it is measured again. MODEL
    may be 'auto': whatever serves the phase best now.
    """
    from harnesslib.cli.explained import in_words
    from harnesslib.route_explanation import explain
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        explanation = explain(place.effects(endpoints=False), model, phase)
    show(explanation, in_words(explanation), as_json=as_json)
    return 0


for command in (diff_command, export_command, history_command, rollback_command):
    routes_command.add_command(command)
