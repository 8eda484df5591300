"""``harness verify`` and ``history``: whether a report tells the truth, and all cycles at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harnesslib.cli.output import json_option, show, table, workspace_option
from harnesslib.errors import AuditError, InputError

if TYPE_CHECKING:
    from harnesslib.report.view.overview import CycleRow
    from harnesslib.run_audit import RunAudit
    from harnesslib.workspace import Workspace

_WIDE = 90


@click.command("verify")
@click.argument("what", metavar="[REPORT|RUN]", default="last")
@workspace_option
@json_option
def verify_command(what: str, workspace: Path, as_json: bool) -> int:
    """Recompute what a report claims, and check the chain from it to the routing.

    REPORT is a report.html (also a copy), RUN an id or 'last'. Samples are summarized again, verdicts follow
    from their gates again, and report, notebook, data, decisions, log and generations are compared with
    their hashes. Exits with 5 when a number or a byte is another one.
    """
    from harnesslib.run_audit import audit_run
    from harnesslib.workspace import Workspace

    page = Path(what) if what.endswith((".html", ".htm")) or Path(what).is_file() else None
    root = _workspace_of(page, workspace) if page else workspace
    with Workspace(root) as place:
        place.require()
        run_id = _run_id(place, what, page)
        audit = audit_run(place, run_id, page)
    show(audit, _told(audit), as_json=as_json)
    if audit.problems:
        raise AuditError(f"run '{run_id}': {len(audit.problems)} problem(s), named above")
    return 0


@click.command("history")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest N cycles.")
@workspace_option
@json_option
def history_command(limit: int | None, workspace: Path, as_json: bool) -> int:
    """Show all cycles: how each ended, what it came to, what served then; oldest first.

    A damaged run is named and does not get in the way. runs/index.html shows the same.
    """
    from harnesslib.report.view.overview import cycles
    from harnesslib.run_survey import survey
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        lines = [line for line in survey(place.runs.folder) if line.kind in {"cycle", ""}]
    chosen = lines[-limit:] if limit else lines
    rows = tuple(reversed(cycles(chosen)))
    show(chosen, _history(rows) if rows else "No cycle has been run yet.", as_json=as_json)
    return 0


def publish_index(place: Workspace) -> Path:
    """Write ``runs/index.html`` anew, as a whole; returns its path."""
    from harnesslib.report.index import index_page
    from harnesslib.run_survey import survey
    from harnesslib.storage import write_atomic

    target = place.runs.folder / "index.html"
    write_atomic(target, index_page(survey(place.runs.folder)))
    return target


def _workspace_of(report: Path, given: Path) -> Path:
    """Return the workspace in whose runs/ a report lies, else the one that was given."""
    if not report.is_file():
        raise InputError(f"{report}: no such report; check the path, or name a run's id")
    runs = report.resolve().parent.parent
    return runs.parent if runs.name == "runs" and (runs.parent / "harness.toml").is_file() else given


def _run_id(place: Workspace, what: str, page: Path | None) -> str:
    from harnesslib.run_audit import run_of_report

    if page is not None:
        return run_of_report(page)
    if what != "last":
        return what
    newest = place.runs.latest(kind="cycle", status="done")
    if newest is None:
        raise InputError(f"{place.root}: no cycle has been finished yet; run one with `harness cycle`")
    return newest.run_id


def _told(audit: RunAudit) -> str:
    lines = []
    for step in audit.steps:
        lines.append(f"{'✕' if step.problems else '✓'} {step.name}: {step.checked}")
        lines += [f"    {problem}" for problem in step.problems]
    good = f"Run {audit.run_id}: every number comes out again, and no byte was changed."
    return "\n".join((*lines, *([] if audit.problems else ["", good])))


def _history(rows: tuple[CycleRow, ...]) -> str:
    shown = [
        (
            f"{row.started_at:%Y-%m-%d %H:%M}" if row.started_at else "unknown",
            row.run_id,
            row.state,
            ", ".join(f"{phase} {_share(value)} {model}" for phase, value, model in row.served),
            row.verdict if len(row.verdict) <= _WIDE else f"{row.verdict[: _WIDE - 1]}…",
        )
        for row in rows
    ]
    return table(("began (UTC)", "cycle", "result", "served accuracy", "what it came to"), shown)


def _share(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.1%}"
