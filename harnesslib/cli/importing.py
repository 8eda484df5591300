"""``harness import``: results of other tools beside the own ones, for comparison only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harnesslib.cli.output import json_option, show, table, workspace_option
from harnesslib.records import ImportedFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harnesslib.imports.store import ImportedResults, Tool
    from harnesslib.workspace import Workspace

paths_argument = click.argument(
    "paths", metavar="PATH …", nargs=-1, required=True, type=click.Path(path_type=Path)
)


@click.group("import")
def import_command() -> None:
    """Keep results of other tools beside your own. Nothing is ever decided on them."""


@import_command.command("inspect")
@paths_argument
@workspace_option
@json_option
def import_inspect(paths: tuple[Path, ...], workspace: Path, as_json: bool) -> int:
    """Import logs of Inspect AI (.eval or .json, or folders of them)."""
    return _import("inspect", paths, workspace, as_json=as_json)


@import_command.command("lm-eval")
@paths_argument
@workspace_option
@json_option
def import_lm_eval(paths: tuple[Path, ...], workspace: Path, as_json: bool) -> int:
    """Import results_*.json of the Language Model Evaluation Harness, or folders of them."""
    return _import("lm-eval", paths, workspace, as_json=as_json)


@import_command.command("list")
@workspace_option
@json_option
def list_imported(workspace: Path, as_json: bool) -> int:
    """List what was imported, oldest measurement first."""
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        files = _store(place).files()
    show(files, in_words(files) if files else "nothing was imported yet", as_json=as_json)
    return 0


def in_words(files: Sequence[ImportedFile]) -> str:
    """Return imported results as a table for people."""
    rows = [
        (
            f"{file.measured_at or file.imported_at:%Y-%m-%d %H:%M}",
            file.tool,
            row.model,
            row.task,
            row.metric,
            _value(row.value, row.standard_error, row.reason),
            "" if row.samples is None else str(row.samples),
        )
        for file in files
        for row in file.rows
    ]
    return table(("measured", "tool", "model", "task", "metric", "value", "samples"), rows)


def _value(value: float | None, error: float | None, reason: str) -> str:
    if value is None:
        return f"n/a ({reason})"
    return f"{value:.4g}" if error is None else f"{value:.4g} (se {error:.2g})"


def _import(tool: Tool, paths: tuple[Path, ...], workspace: Path, *, as_json: bool) -> int:
    from harnesslib.imports.store import files_of
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        found = [file for path in paths for file in files_of(tool, path)]
        files = [_store(place).add(tool, file, now=place.clock.now()) for file in found]
    show(files, in_words(files), as_json=as_json)
    return 0


def _store(place: Workspace) -> ImportedResults:
    from harnesslib.imports.store import ImportedResults

    return ImportedResults(place.root / "imported")
