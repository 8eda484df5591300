"""An executed notebook becomes a page as it is read: prose, results, code folded. No script, no network."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from harnesslib.errors import DataError
from harnesslib.report.html import Safe, details, escape, join, scroller, tag
from harnesslib.storage import read, write_atomic

_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_ANCHOR = re.compile(r'<a class="anchor-link".*?</a>')
_OF_PANDAS = re.compile(r' border="1"| style="text-align: right;"|<style scoped>.*?</style>', re.DOTALL)


def render_notebook(executed: Path, target: Path) -> None:
    """Write the page of an executed notebook of this package.

    Parameters
    ----------
    executed
        The notebook; one that failed gives a page that says so, with everything before.
    target
        The HTML file, replaced as a whole.

    Raises
    ------
    DataError
        `executed` is missing or no notebook.

    Notes
    -----
    Results that are HTML are taken as they are: they were made, and escaped, by this package and by pandas.
    Everything else is escaped here, and the page's policy lets no script run.
    """
    notebook = _read(executed)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = _TITLE.search(prose)
    folder = files("harnesslib.report") / "template"
    text = Template((folder / "notebook.html").read_text("utf-8")).substitute(
        title=escape(found.group(1) if found else executed.stem),
        style=(folder / "harness" / "static" / "report.css").read_text("utf-8"),
        body=join((_problem(notebook), *_cells(notebook)), "\n"),
    )
    write_atomic(target, text.encode())


def _read(executed: Path) -> Any:  # noqa: ANN401 - a NotebookNode has no types
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type] # 2 s of a grammar nobody uses
    import nbformat

    parse: Any = nbformat.reads
    try:
        return parse(read(executed).decode(), as_version=4)
    except (ValueError, AttributeError, KeyError) as error:
        raise DataError(f"{executed}: no notebook: {error}; cure: run the notebook again") from error


def _problem(notebook: Any) -> Safe:  # noqa: ANN401 - as above
    problem = notebook.metadata.get("harness", {}).get("problem", "")
    words = join((tag("strong", "This notebook did not finish."), " ", problem))
    return tag("section", words, class_="banner bad", role="alert") if problem else Safe("")


def _cells(notebook: Any) -> Iterator[Safe]:  # noqa: ANN401 - as above
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    for cell in notebook.cells:
        added = "papermill-error-cell-tag" in cell.metadata.get("tags", [])
        if cell.cell_type == "markdown" and not added:
            yield Safe(_ANCHOR.sub("", markdown2html_mistune(cell.source)))
        elif cell.cell_type == "code":
            shown = join((_output(output) for output in cell.outputs), "\n")
            yield details("Code", tag("pre", cell.source))
            yield tag("div", shown, class_="out")


def _output(output: Any) -> Safe:  # noqa: ANN401 - as above
    data = output.get("data", {})
    if "text/html" in data:
        html = Safe(_OF_PANDAS.sub("", data["text/html"]))
        return scroller(html, "Table") if html.lstrip().startswith("<div>") else html
    if output.output_type == "error":
        return tag("pre", f"{output.ename}: {output.evalue}")
    words = output.get("text") or data.get("text/plain", "")
    return tag("pre", words) if words else Safe("")
