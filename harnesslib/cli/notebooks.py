"""``harness notebook``: list the notebooks that come with the package, and run one."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from harnesslib.cli.cycles import notebook_folder, notebook_path
from harnesslib.cli.output import json_option, quiet_option, say, show, table, workspace_option
from harnesslib.errors import HarnessError, InputError
from harnesslib.records.base import Record


class NotebookResult(Record):
    """What ``harness notebook run`` prints with --json."""

    notebook: str
    page: str


@click.group("notebook")
def notebook_command() -> None:
    """List and run the notebooks that come with harnesslib."""


@notebook_command.command("list")
@json_option
def list_notebooks(as_json: bool) -> int:
    """List the notebooks, the question that each answers, and its parameters."""
    found = [_described(path) for path in sorted(notebook_folder().glob("*.ipynb"))]
    rows = [(each["name"], each["question"], ", ".join(each["parameters"])) for each in found]
    lines = [table(("notebook", "question", "parameters"), rows), "", f"They lie in {notebook_folder()}"]
    show(found, "\n".join(lines), as_json=as_json)
    return 0


@notebook_command.command("run")
@click.argument("name")
@workspace_option
@click.option("-p", "--parameter", "given", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Default: runs/notebooks/TIME-NAME."
)
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=1), help="Stop after so many seconds.")
@quiet_option
@json_option
def run_command(
    name: str,
    workspace: Path,
    given: tuple[str, ...],
    out: Path | None,
    timeout_s: float | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run the notebook NAME; leaves the executed copy and a page of it.

    A folder without a finished run gives the example. `cycle` is run by `harness cycle`.
    """
    from harnesslib.notebook_runner import run_notebook
    from harnesslib.report.notebook_page import render_notebook

    if name == "cycle":
        raise InputError("notebook 'cycle': it changes the routing; run it with `harness cycle`")
    source = notebook_path(name)
    parameters = {"workspace": str(workspace.resolve()), **_parsed(source, given)}
    label = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}"
    folder = (out or workspace / "runs" / "notebooks" / label).resolve()
    executed, page = folder / f"{name}.ipynb", folder / f"{name}.html"
    if not quiet:
        say(f"running {name} on {workspace.resolve()}")
    try:
        run_notebook(
            source,
            executed,
            parameters,
            run_id=f"{label}-{os.getpid()}",
            timeout_s=timeout_s,
            log_dir=folder,
        )
    except HarnessError:
        if executed.is_file():
            render_notebook(executed, page)
            say(f"What there is of it: {page}")
        raise
    render_notebook(executed, page)
    result = NotebookResult(notebook=str(executed), page=str(page))
    show(result, f"Notebook: {result.notebook}\nPage: {result.page}", as_json=as_json)
    return 0


def _parsed(source: Path, given: tuple[str, ...]) -> dict[str, Any]:
    """Return the parameters with the types that the notebook declares: text stays text."""
    declared = _described(source)["parameters"]
    found: dict[str, Any] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InputError(f"--parameter {pair}: expected NAME=VALUE")
        found[name] = text if declared.get(name, "str").startswith("str") else _value(text)
    return found


def _value(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads({"True": "true", "False": "false", "None": "null"}.get(text, text))
    except ValueError:
        return text  # the runner says what was expected


def _described(path: Path) -> dict[str, Any]:
    from harnesslib.notebook_runner.parameters import declared

    cells = json.loads(path.read_text("utf-8"))["cells"]
    tagged = (cell for cell in cells if "parameters" in cell["metadata"].get("tags", []))
    parameters = declared("".join(next(tagged)["source"]))
    question = "".join(cells[0]["source"]).partition("\n")[0].lstrip("# ")
    return {"name": path.stem, "question": question, "parameters": parameters}
