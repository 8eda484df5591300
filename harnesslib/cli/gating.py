"""What a pipeline asks of a cycle: did a route get worse? And what its page and its test tab show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from harnesslib.cli.output import say
from harnesslib.errors import EXIT_DONE, EXIT_REGRESSION
from harnesslib.records import PhaseCheck

if TYPE_CHECKING:
    from harnesslib.workspace import Workspace

_JUNIT = {"held": "pass", "first": "pass", "worse": "fail", "unknown": "fail"}
_FILE = click.Path(path_type=Path, dir_okay=False)


class Asked(NamedTuple):
    """The options of a gate, as they were given."""

    require_no_regression: bool
    summary: Path | None
    junit: Path | None


def gate_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a gate to a command."""
    options = (
        click.option(
            "--require-no-regression",
            is_flag=True,
            help="Exit with 8 when what serves a phase is proven worse than it was, or can't be measured.",
        ),
        click.option("--summary", type=_FILE, help="Append a page of Markdown to this file."),
        click.option("--junit", type=_FILE, help="Write JUnit XML: regressions fail, other gates only show."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def judge(place: Workspace, run_id: str, asked: Asked) -> tuple[int, tuple[PhaseCheck, ...]]:
    """Compare a finished cycle with what its routes did before; returns the exit code and the checks."""
    if not any(asked):
        return EXIT_DONE, ()
    from harnesslib.cycle_history import load_records
    from harnesslib.reference_runs import regressions

    effects = place.stores()
    checks = regressions(effects, run_id)
    records = load_records(effects, run_id)
    if asked.summary:
        from harnesslib.exports.job_page import job_page
        from harnesslib.storage import speaking

        with (
            speaking(asked.summary, "append to"),
            asked.summary.open("a", encoding="utf-8") as page,
        ):
            page.write(job_page(records, checks))
    if asked.junit:
        from harnesslib.exports.junit import PlainCheck, junit
        from harnesslib.storage import write_atomic

        told = [
            PlainCheck(name=c.phase, verdict=_JUNIT[c.state], detail=f"{c.model}: {c.reason}") for c in checks
        ]
        text = junit(records, checks=told, rejected_is_failure=False)
        write_atomic(asked.junit, text.encode(), durable=False)
    for check in checks:
        if asked.require_no_regression and check.blocks:
            say(f"harness: {check.phase}, served by {check.model}: {check.reason}")
    blocked = asked.require_no_regression and any(check.blocks for check in checks)
    return EXIT_REGRESSION if blocked else EXIT_DONE, checks
