"""``harness export``: a run in the forms that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harnesslib.cli.output import json_option, show, workspace_option
from harnesslib.errors import InputError
from harnesslib.records.base import Record, encode_pretty

if TYPE_CHECKING:
    from harnesslib.exports.bundle import Bundle
    from harnesslib.workspace import Workspace


class Exported(Record):
    """What was written, and from which run."""

    run_id: str
    files: tuple[str, ...]


folder_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write to (default: a new one beside the workspace's runs, under exports/).",
)
file_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write (default: under exports/ of the workspace).",
)
run_argument = click.argument("run", default="last")


@click.group("export")
def export_command() -> None:
    """Write a run in a form that another tool reads (RUN: an id, or 'last')."""


@export_command.command("inspect")
@run_argument
@folder_option
@workspace_option
@json_option
def export_inspect(run: str, output: Path | None, workspace: Path, as_json: bool) -> int:
    """Write logs of Inspect AI (JSON, version 2), one per model, phase and stage, for `inspect view`."""
    from harnesslib.exports.inspect_log import inspect_logs
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        bundle = _bundle(place, run)
        folder = output or _place(place, bundle, "inspect")
    return _write(bundle, folder, inspect_logs(bundle), as_json=as_json)


@export_command.command("every-eval-ever")
@run_argument
@folder_option
@click.option("--organisation", default="unknown", show_default=True, help="Who measured.")
@workspace_option
@json_option
def export_every_eval_ever(
    run: str, output: Path | None, organisation: str, workspace: Path, as_json: bool
) -> int:
    """Write one document per model in the schema of Every Eval Ever, with every interval."""
    from harnesslib.exports.every_eval_ever import every_eval_ever
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        bundle = _bundle(place, run)
        folder = output or _place(place, bundle, "every-eval-ever")
    return _write(bundle, folder, every_eval_ever(bundle, organisation=organisation), as_json=as_json)


@export_command.command("junit")
@run_argument
@file_option
@workspace_option
@json_option
def export_junit(run: str, output: Path | None, workspace: Path, as_json: bool) -> int:
    """Write a cycle's gates as JUnit XML: a failed gate is a failed test, an open one is skipped."""
    from harnesslib.exports.junit import junit
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        bundle = _bundle(place, run)
        if bundle.records.decisions is None:
            raise InputError(f"run {bundle.run_id}: has no decisions, so there is no gate to show")
        file = output or _place(place, bundle, "junit.xml")
    return _write_one(bundle, file, junit(bundle.records).encode(), as_json=as_json)


@export_command.command("csv")
@run_argument
@file_option
@workspace_option
@json_option
def export_csv(run: str, output: Path | None, workspace: Path, as_json: bool) -> int:
    """Write the samples as CSV; texts that a spreadsheet could run as formulas get an apostrophe in front."""
    from harnesslib.exports.csv_table import samples_csv
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        bundle = _bundle(place, run)
        file = output or _place(place, bundle, "samples.csv")
    # Excel takes a file without the mark for one of its own code page.
    return _write_one(bundle, file, samples_csv(bundle.records.samples).encode("utf-8-sig"), as_json=as_json)


@export_command.command("parquet")
@run_argument
@file_option
@workspace_option
@json_option
def export_parquet(run: str, output: Path | None, workspace: Path, as_json: bool) -> int:
    """Write the samples of a sealed run as parquet, byte for byte as they were sealed."""
    from harnesslib.run_store import TABLE
    from harnesslib.storage import read_if_there
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        bundle = _bundle(place, run)
        data = read_if_there(place.runs.path(bundle.run_id) / TABLE)
        if data is None:
            raise InputError(
                f"run {bundle.run_id}: is not sealed, so it has no {TABLE} yet; finish it with "
                f"`harness cycle --resume {bundle.run_id}`, or take `harness export csv`"
            )
        file = output or _place(place, bundle, "samples.parquet")
    return _write_one(bundle, file, data, as_json=as_json)


@export_command.command("mlflow")
@run_argument
@click.option(
    "--tracking-uri",
    envvar="MLFLOW_TRACKING_URI",
    required=True,
    help="A server's address, or a store like sqlite:////path/mlflow.db (default: MLFLOW_TRACKING_URI).",
)
@click.option("--experiment", default="harnesslib", show_default=True, help="The experiment's name.")
@workspace_option
@json_option
def export_mlflow(run: str, tracking_uri: str, experiment: str, workspace: Path, as_json: bool) -> int:
    """Log a run's numbers and files to MLflow, once: exported again, it is only named again."""
    from harnesslib.exports.mlflow_store import log_to_mlflow
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        bundle = _bundle(place, run)
        folder = place.runs.path(bundle.run_id)
        logged = log_to_mlflow(bundle, folder, tracking_uri=tracking_uri, experiment=experiment)
    told = (
        f"Logged {logged.metrics} metrics and {len(logged.artifacts)} files"
        if logged.metrics
        else "It stands there already"
    )
    show(logged, f"{told}: experiment {logged.experiment}, run {logged.mlflow_run_id}", as_json=as_json)
    return 0


def _bundle(place: Workspace, run: str) -> Bundle:
    from harnesslib.cycle_history import load_records
    from harnesslib.exports.bundle import bundle

    place.require()
    newest = place.runs.latest() if run == "last" else place.runs.manifest(run)
    if newest is None:
        raise InputError(f"{place.root}: nothing has been run yet; run a cycle with `harness cycle`")
    config = place.config.harness()
    suites = place.suites(config)
    by_phase = {name: suites[phase.suite] for name, phase in config.phases.items()}
    return bundle(load_records(place.stores(), newest.run_id), by_phase)


def _place(place: Workspace, bundle: Bundle, name: str) -> Path:
    return place.root / "exports" / bundle.run_id / name


def _write(bundle: Bundle, folder: Path, documents: dict[str, dict[str, object]], *, as_json: bool) -> int:
    from harnesslib.storage import make_folder, write_atomic

    if not documents:
        raise InputError(f"run {bundle.run_id}: has no samples to export")
    for name, document in documents.items():
        make_folder((folder / name).parent)
        write_atomic(folder / name, encode_pretty(document), durable=False)
    files = tuple(str(folder / name) for name in documents)
    text = f"Wrote {len(files)} files to {folder}"
    show(Exported(run_id=bundle.run_id, files=files), text, as_json=as_json)
    return 0


def _write_one(bundle: Bundle, file: Path, data: bytes, *, as_json: bool) -> int:
    from harnesslib.storage import make_folder, write_atomic

    make_folder(file.parent)
    write_atomic(file, data, durable=False)
    show(Exported(run_id=bundle.run_id, files=(str(file),)), f"Wrote {file}", as_json=as_json)
    return 0
