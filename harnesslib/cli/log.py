"""``harness log``: every change of the routing, checked and in order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import click

from harnesslib.cli.output import json_option, say, show, table, workspace_option
from harnesslib.errors import AuditError, InputError
from harnesslib.records import LogEntry
from harnesslib.records.routing import LogEvent

EVENTS: tuple[str, ...] = get_args(LogEvent)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@click.group("log")
def log_command() -> None:
    """Show, verify and rotate the audit log."""


@log_command.command("show")
@click.option("--event", "events", multiple=True, type=click.Choice(EVENTS), help="Only this (repeatable).")
@click.option("--run", "run_id", metavar="RUN", help="Only what this run did.")
@click.option("--since", metavar="TIME", help="Only from this time on: 2026-01-02, 2026-01-02T03:04, or 7d.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest N of them.")
@workspace_option
@json_option
def show_log(
    events: tuple[str, ...],
    run_id: str | None,
    since: str | None,
    limit: int | None,
    workspace: Path,
    as_json: bool,
) -> int:
    """Show the changes of the routing, oldest first. An age is in minutes, hours, days or weeks: 90m, 12h."""
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        entries = place.log.entries()
        start = moment(since, place.clock.now()) if since else None
    chosen = [
        entry
        for entry in entries
        if (not events or entry.event in events)
        and run_id in {None, entry.run_id}
        and (start is None or entry.time >= start)
    ]
    shown = tuple(chosen[-limit:] if limit else chosen)
    if run_id and run_id not in {entry.run_id for entry in entries}:
        say(f"No entry is of run {run_id}; of runs: {', '.join(_runs(entries)) or 'none'}")
    show(shown, _entries(shown), as_json=as_json)
    return 0


def moment(text: str, now: datetime) -> datetime:
    """Return the time that an option names: a date, a date with a time (UTC unless it says), or an age."""
    number, unit = text[:-1], text[-1:]
    if number.isdecimal() and unit in _UNITS:
        return now - int(number) * _UNITS[unit]
    try:
        named = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"--since {text}: no time; expected one like 2026-01-02 or 2026-01-02T03:04:05+01:00 (UTC unless "
            "it says), or an age like 90m, 12h, 7d, 2w"
        ) from None
    return named if named.tzinfo else named.replace(tzinfo=UTC)


def _runs(entries: Sequence[LogEntry]) -> Iterator[str]:
    yield from dict.fromkeys(entry.run_id for entry in entries if entry.run_id)


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
        stored = place.config.newest_stored()
        audit = verify(place.log.path, place.config.routing_sha256(), stored=stored)
        parts = len(place.log.parts())
    files = f" in {parts} files" if parts > 1 else ""
    lines = list(audit.problems) or [
        f"{audit.entries} entries{files}: the chain is whole and ends at the routing in force"
    ]
    show(audit, "\n".join(lines), as_json=as_json)
    if audit.problems:
        raise AuditError(f"{place.log.path}: {len(audit.problems)} problem(s); restore it from a backup")
    return 0


@log_command.command("rotate")
@workspace_option
@json_option
def rotate_log(workspace: Path, as_json: bool) -> int:
    """Finish the log's file and go on in a new one; the chain goes on over both.

    The finished file stays beside it as routing_decisions.FIRST-LAST.jsonl, and is read with it: keep it.
    """
    from harnesslib import routing_enforcer
    from harnesslib.workspace import Workspace

    os.environ["HARNESS_COMMAND"] = "harness log rotate"
    with Workspace(workspace) as place:
        effects = place.stores()
        routing_enforcer.recover(effects)
        with place.locks.hold(routing_enforcer.LOCK, wait_s=routing_enforcer.WAIT_S):
            finished = place.log.rotate()
        entries = place.log.entries()
    result = {"finished": str(finished), "entries": len(entries)}
    show(result, f"Finished {finished.name}; entry {len(entries) + 1} begins a new file", as_json=as_json)
    return 0
