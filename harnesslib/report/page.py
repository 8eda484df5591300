"""An executed notebook becomes one HTML file: no script, no network, the same bytes each time."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from harnesslib.errors import DataError
from harnesslib.report import SECTIONS
from harnesslib.report.html import Section
from harnesslib.storage import read, write_atomic
from harnesslib.untrusted import visible

_MARK = "<report section: "
_TEMPLATE = "index.html.j2"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PART = re.compile(r'(?=<(?:section class="part"|header) id="([a-z]+)")')
_TITLE = re.compile(r"<h2[^>]*>(.*?)</h2>", re.DOTALL)
_HEADING = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
_CALLS = re.compile(r"\breport\.([a-z]+)\(")


@dataclass(frozen=True)
class Step:
    """A code cell in the appendix: the prose before it, how it went, what it printed."""

    title: str
    state: str
    prose: str
    source: str
    output: str


def render(executed: Path, target: Path, known: Sequence[Section] = ()) -> None:
    """Write the report of an executed notebook.

    Parameters
    ----------
    executed
        The notebook; one that failed gives a page that says so, with everything known before.
    target
        The HTML file, replaced as a whole.
    known
        Sections to be shown where no cell gave them: what is known of a cycle that did not finish.

    Raises
    ------
    DataError
        `executed` is missing or no notebook.

    Notes
    -----
    The page shows the sections that cells returned, in the order of `harnesslib.report.SECTIONS`, whatever
    the order of the cells: the verdict is computed last and read first. A section that was shown twice
    stands in its last form. Code, prose and printed text are folded into an appendix. Sections escape what
    models said; everything else is escaped here.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # 2 s of a grammar nobody uses
    from nbconvert.exporters.templateexporter import TemplateExporter

    notebook = _read(executed)
    resources = {"harness": _page(notebook, executed.name, known), "metadata": {"name": executed.stem}}
    with as_file(files("harnesslib.report") / "template") as templates:
        make: Any = TemplateExporter
        exporter = make(
            template_name="harness", template_file=_TEMPLATE, extra_template_basedirs=[str(templates)]
        )
        text, _ = exporter.from_notebook_node(notebook, resources=resources)
    write_atomic(target, text.strip().encode() + b"\n")


def _read(executed: Path) -> Any:  # noqa: ANN401 - a NotebookNode has no types
    import nbformat

    parse: Any = nbformat.reads
    try:
        text = read(executed).decode()
        if not _looks_right(json.loads(text)):
            raise DataError(f"{executed}: no notebook of format 4; cure: run the cycle again")
        return parse(text, as_version=4)
    except ValueError as error:
        raise DataError(f"{executed}: no notebook: {error}; cure: run the cycle again") from error


def _looks_right(found: object) -> bool:
    if not isinstance(found, dict) or found.get("nbformat") != 4:  # noqa: PLR2004 - the format's number
        return False
    cells = found.get("cells")
    return isinstance(cells, list) and all(isinstance(cell, dict) for cell in cells)


def _page(notebook: Any, name: str, known: Sequence[Section]) -> dict[str, Any]:  # noqa: ANN401 - as above
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    parts = _parts(cells, known)
    head = parts.pop("verdict", "")
    heading = _HEADING.search(head)
    problem = _problem(notebook, cells)
    failed = "This cycle stopped before its end" if problem else "Cycle report"
    return {
        "title": heading.group(1) if heading else failed,
        "has_heading": heading is not None,
        "head": head,
        "body": "\n".join(parts.values()),
        "contents": [(name, "".join(_TITLE.findall(html)[:1])) for name, html in parts.items()],
        "problem": problem,
        "not_reached": ", ".join(_not_reached(cells, known)) if problem else "",
        "notebook": name,
        "steps": list(_steps(notebook.cells)),
    }


def _parts(cells: Sequence[Any], known: Sequence[Section] = ()) -> dict[str, str]:
    """Return name -> HTML of all sections, in the order of the page."""
    found = {part.name: part.html for part in known}
    for cell in cells:
        for html in _sections(cell):
            # a capturing look-ahead: the names stand between the texts that they begin
            _, *rest = _PART.split(html)
            found.update(zip(rest[::2], rest[1::2], strict=True))
    places = [make.__name__ for make in SECTIONS]
    return {name: found[name] for name in sorted(found, key=lambda name: _place(name, places))}


def _place(name: str, places: Sequence[str]) -> int:
    return places.index(name) if name in places else len(places)


def _sections(cell: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    for output in cell.outputs:
        data = output.get("data", {})
        if "text/html" in data and data.get("text/plain", "").startswith(_MARK):
            yield data["text/html"]


def _problem(notebook: Any, cells: Sequence[Any]) -> str:  # noqa: ANN401 - as above
    stated = notebook.metadata.get("harness", {}).get("problem", "")
    if stated:
        return str(stated)
    for cell in cells:
        for output in cell.outputs:
            if output.output_type == "error":
                return f"{output.ename}: {output.evalue}"
    return "It stopped without saying why." if notebook.metadata.get("papermill", {}).get("exception") else ""


def _not_reached(cells: Sequence[Any], known: Sequence[Section]) -> Iterator[str]:
    reached = _parts(cells, known)
    wanted = dict.fromkeys(name for cell in cells for name in _CALLS.findall(cell.source))
    return (name for name in wanted if name not in reached)


def _steps(cells: Sequence[Any]) -> Iterator[Step]:
    prose = ""
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown" and "papermill-error-cell-tag" not in tags:
            prose = cell.source
        if cell.cell_type != "code":
            continue
        title, _, rest = prose.strip().partition("\n")
        first = (cell.source.splitlines() or [""])[0]
        yield Step(title.lstrip("# ") or first, _state(cell), rest.strip(), cell.source, _printed(cell))
        prose = ""


def _state(cell: Any) -> str:  # noqa: ANN401 - as above
    known = cell.metadata.get("papermill", {})
    seconds = known.get("duration")
    took = f"{seconds:.2f}\u00a0s" if seconds is not None else ""
    status = known.get("status", "completed" if cell.execution_count else "not run")
    return took if status == "completed" else " ".join(part for part in (status, took) if part)


def _printed(cell: Any) -> str:  # noqa: ANN401 - as above
    lines = []
    for output in cell.outputs:
        if output.output_type == "stream":
            lines.append(output.text)
        elif output.output_type == "error":
            lines.append(_ANSI.sub("", "\n".join(output.traceback)))
    return visible("\n".join(lines))
