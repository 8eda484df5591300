"""``harness routes`` and ``log``: which model serves what, why, and since when."""

from __future__ import annotations

from pathlib import Path

import click

from harnesslib.cli.output import json_option, show, table, workspace_option
from harnesslib.errors import AuditError
from harnesslib.records import LogEntry, Resolution, RoutingConfig


@click.group("routes")
def routes_command() -> None:
    """Show which model serves what, and why."""


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


@click.group("log")
def log_command() -> None:
    """Show and verify the audit log."""


@log_command.command("show")
@workspace_option
@json_option
def show_log(workspace: Path, as_json: bool) -> int:
    """Show every change of the routing, oldest first."""
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        entries = place.log.entries()
    show(entries, _entries(entries), as_json=as_json)
    return 0


def _entries(entries: tuple[LogEntry, ...]) -> str:
    rows = [
        (str(e.seq), f"{e.time:%Y-%m-%d %H:%M:%S}", e.event, str(e.generation), e.sha256[:12], e.summary)
        for e in entries
    ]
    return table(("", "time (UTC)", "event", "generation", "hash", "what"), rows)


@log_command.command("verify")
@workspace_option
@json_option
def verify_log(workspace: Path, as_json: bool) -> int:
    """Recompute the log's hash chain and compare its end with the routing in force.

    Exits with 5 when a byte was changed, dropped or added.
    """
    from harnesslib.routing_log import verify
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        audit = verify(place.log.path, place.config.routing_sha256())
    lines = list(audit.problems) or [
        f"{audit.entries} entries: the chain is whole and ends at the routing in force"
    ]
    show(audit, "\n".join(lines), as_json=as_json)
    if audit.problems:
        raise AuditError(f"{place.log.path}: {len(audit.problems)} problem(s); restore it from a backup")
    return 0
