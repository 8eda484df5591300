"""``harness config``: what people wrote, what machines made of it, and whether both fit together."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from harnesslib.cli.output import json_option, show, table, workspace_option
from harnesslib.config_checks import ConfigCheck
from harnesslib.config_view import View
from harnesslib.records import Record, RoutingConfig


class Sync(Record, frozen=True):
    """What ``harness config sync`` prints with --json: the generation in force, and what is new in it."""

    generation: int
    changes: tuple[str, ...]
    written: bool


class Migration(Record, frozen=True):
    """What ``harness config migrate`` prints with --json. `kept` is where the old file lies."""

    routing: RoutingConfig
    kept: str


@click.group("config")
def config_command() -> None:
    """Check, show, compare and migrate harness.toml and routing_config.json."""


@config_command.command("check")
@workspace_option
@json_option
def check_config(workspace: Path, as_json: bool) -> int:
    """Check harness.toml, its suites, routing_config.json, and whether they fit together.

    Exits with 2 or 4 when something is wrong; what is only worth a look leaves it at 0.
    """
    from harnesslib.config_checks import check_configs
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        result = check_configs(place)
    show(result, _checked(result), as_json=as_json)
    return result.exit_code


def _checked(result: ConfigCheck) -> str:
    marks = {"bad": "\N{BALLOT X}", "look": "!"}
    lines = []
    for problem in result.problems:
        lines.append(f"{marks[problem.state]} {problem.what}")
        lines += [f"    cure: {problem.cure}"] if problem.cure else []
    bad = sum(problem.state == "bad" for problem in result.problems)
    end = f"{bad} problem(s)" if bad else "all good"
    return "\n".join([*lines, f"Looked at {', '.join(result.looked_at)}: {end}."])


@config_command.command("show")
@workspace_option
@json_option
def show_config(workspace: Path, as_json: bool) -> int:
    """Show every setting of harness.toml as it works, defaults filled in.

    Of a key only the name of its variable is known here, and shown.
    """
    import tomllib

    from harnesslib.config_view import view
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        config = place.config.harness()
        raw = tomllib.loads(place.config.harness_path.read_text("utf-8"))
    result = view(config, raw)
    show(result, _shown(result), as_json=as_json)
    return 0


def _shown(result: View) -> str:
    settings = [
        (each.key, json.dumps(each.value, ensure_ascii=False), "" if each.given else "default")
        for each in result.settings
    ]
    asked = [
        (
            each.phase,
            each.model,
            each.settings.variant,
            f"{each.settings.temperature:g}",
            f"{each.settings.timeout_s:g} s",
            str(each.settings.retries),
            "yes" if each.settings.warmup else "no",
        )
        for each in result.effective
    ]
    header = ("phase", "model", "variant", "temperature", "timeout", "retries", "warm-up")
    return "\n\n".join((table(("setting", "value", ""), settings), table(header, asked)))


@config_command.command("diff")
@workspace_option
@json_option
def diff_config(workspace: Path, as_json: bool) -> int:
    """Show where harness.toml and the rules of the routing differ: models, phases, settings."""
    from harnesslib import routing
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        found = routing.mismatches(place.config.routing(), place.config.harness())
    lines = [line for each in found for line in (f"- {each.what}", f"    {each.cure}")]
    text = (
        "\n".join(lines) or "No difference: every listed pair has a rule with the settings of harness.toml."
    )
    show(found, text, as_json=as_json)
    return 0


@config_command.command("sync")
@click.option("--dry-run", is_flag=True, help="Print what would change, and write nothing.")
@workspace_option
@json_option
def sync_config(dry_run: bool, workspace: Path, as_json: bool) -> int:
    """Take an edited harness.toml over into the routing, as one logged generation.

    New phases get their baseline, new models a rule; edited settings go to rules that came from harness.toml.
    What cycles learned stays, and nothing is taken away.
    """
    from harnesslib import routing, routing_enforcer
    from harnesslib.workspace import Workspace

    os.environ["HARNESS_COMMAND"] = "harness config sync"
    with Workspace(workspace) as place:
        effects = place.stores()
        place.suites(place.config.harness())
        if dry_run:
            changes = routing_enforcer.preview_synchronise(effects)
            result = Sync(generation=place.config.routing().generation, changes=changes, written=False)
        else:
            with place.locks.hold("cycle", wait_s=0.5):
                before = place.config.routing()
                after = routing_enforcer.synchronise(effects)
            changes = routing.diff(before, after)
            result = Sync(generation=after.generation, changes=changes, written=bool(changes))
    show(result, _synced(result, dry_run=dry_run), as_json=as_json)
    return 0


def _synced(result: Sync, *, dry_run: bool) -> str:
    if not result.changes:
        return f"Nothing to take over: generation {result.generation} stays in force."
    end = "Nothing was written." if dry_run else f"In force: generation {result.generation}."
    return "\n".join([*(f"- {change}" for change in result.changes), end])


@config_command.command("schema")
@click.argument("name", required=False)
@json_option
def config_schema(name: str | None, as_json: bool) -> int:
    """Print the JSON Schema of a kind of file; without NAME, list them."""
    from harnesslib.schemas import RECORDS, schema

    if name:
        made = schema(name)
        show(made, json.dumps(made, indent=2, ensure_ascii=False), as_json=as_json)
    else:
        files = {known: file for known, (_, file) in RECORDS.items()}
        show(files, table(("name", "file"), list(files.items())), as_json=as_json)
    return 0


@config_command.command("migrate")
@click.option("--dry-run", is_flag=True, help="Print what would be written, and write nothing.")
@workspace_option
@json_option
def migrate_config(dry_run: bool, workspace: Path, as_json: bool) -> int:
    """Write a routing_config.json of version 1.0 as the present version, with the settings of harness.toml.

    The old file is kept in generations/, and the log begins with the new one.
    """
    from harnesslib.workspace import Workspace

    os.environ["HARNESS_COMMAND"] = "harness config migrate"
    with Workspace(workspace) as place:
        place.require()
        if dry_run:
            result = Migration(routing=place.config.migrated(place.clock.now()), kept="")
        else:
            migrated, kept = place.migrate()
            result = Migration(routing=migrated, kept=str(kept))
    show(result, _migrated(result), as_json=as_json)
    return 0


def _migrated(result: Migration) -> str:
    config = result.routing
    rows = [
        (
            rule.phase,
            rule.model,
            "allowed" if rule.allow else f"denied \N{RIGHTWARDS ARROW} {rule.fallback_model}",
            "yes" if rule.enable_warmup else "",
            rule.reason,
        )
        for rule in sorted(config.rules, key=lambda rule: (rule.phase, rule.model))
    ]
    serving = ", ".join(f"{phase}: {base.spec.model}" for phase, base in sorted(config.baselines.items()))
    end = f"Written as generation {config.generation}; the old file lies in {result.kept}"
    parts = [
        f"Baselines: {serving}",
        table(("phase", "model", "", "warm-up", "reason"), rows),
        end if result.kept else "Nothing was written; without --dry-run it would be generation 1.",
    ]
    return "\n\n".join(parts)
