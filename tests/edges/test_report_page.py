"""The page: one file, no script, the same bytes, and nothing that a model said becomes markup."""

from __future__ import annotations

import importlib.util
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import pytest

from harnesslib import report
from harnesslib.errors import DataError
from harnesslib.records import CycleRecords
from harnesslib.report.page import render
from harnesslib.report.scatter import boundary
from harnesslib.report.view.looks import contests


def _fixture() -> Any:
    path = Path(__file__).resolve().parents[1] / "report_fixture.py"
    spec = importlib.util.spec_from_file_location("report_fixture", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FIXTURE = _fixture()
RECORDS = FIXTURE.demo_records()
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&$"


class Outline(HTMLParser):
    """Collects what a page consists of, and whether its elements are closed in order."""

    VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def executed(tmp_path: Path, records: CycleRecords, *, upto: int | None = None, **metadata: Any) -> Path:
    """Write a notebook as papermill leaves it, its cells in the order in which a cycle computes."""
    cells = [nbformat.v4.new_markdown_cell("## Look\nProse.", id="prose")]
    for number, make in enumerate(reversed(report.SECTIONS)):
        cell = nbformat.v4.new_code_cell(f"hl.report.{make.__name__}(records)", id=f"c{number}")
        if upto is None or number < upto:
            part = make(records)
            data = {"text/html": part.html, "text/plain": repr(part)}
            cell.outputs = [nbformat.v4.new_output("execute_result", data=data, execution_count=number + 1)]
            cell.execution_count = number + 1
        cells.append(cell)
    path = tmp_path / "cycle.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def rendered(tmp_path: Path, records: CycleRecords, **options: Any) -> str:
    render(executed(tmp_path, records, **options), tmp_path / "report.html")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return rendered(tmp_path_factory.mktemp("page"), RECORDS)


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    return parser


def test_the_page_loads_nothing_and_runs_nothing(page):
    tags = outline(page).tags
    policy = [a["content"] for t, a in tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert [True] == ["default-src 'none'" in content and "script-src" not in content for content in policy]
    assert not [t for t, _ in tags if t in {"script", "iframe", "object", "embed", "form", "base"}]
    loads = [a.get("src") or a.get("href") or "" for t, a in tags if t in {"img", "link", "image", "source"}]
    assert ["data:,"] == loads
    assert not re.findall(r"url\((?!#)", page)
    assert not [name for _, a in tags for name in a if name.startswith("on")]


def test_the_elements_of_the_page_are_well_nested_and_ids_unique(page):
    parser = outline(page)
    ids = [a["id"] for _, a in parser.tags if "id" in a]
    assert ([], []) == (parser.open, parser.wrong)
    assert sorted(set(ids)) == sorted(ids)


def test_links_lead_to_sections_or_to_files_beside_the_page(page):
    parser = outline(page)
    ids = {a["id"] for _, a in parser.tags if "id" in a}
    links = [a["href"] for t, a in parser.tags if t == "a"]
    assert {link[1:] for link in links if link.startswith("#")} <= ids
    assert all(link.startswith(("#", "./", "../")) for link in links)
    earlier = RECORDS.history[-1].run_id
    assert {"./cycle.ipynb", "../index.html", f"../{earlier}/report.html"} <= set(links)


def test_the_verdict_comes_first_though_it_is_computed_last(page):
    places = [page.index(f' id="{make.__name__}"') for make in report.SECTIONS]
    assert sorted(places) == places
    assert "<title>Atomic is now served by sprinter and extended is now served by better</title>" in page
    assert page.index("<h1") < page.index("<h2")


def test_every_drawing_is_described(page):
    drawings = re.findall(r"<svg [^>]*>", page)
    assert len(drawings) == page.count('role="img"') >= 5
    for drawing in drawings:
        label = re.search(r'aria-labelledby="([^"]+)"', drawing)[1]
        assert f'<title id="{label}">' in page


def test_drawings_take_their_colours_from_the_page(page):
    drawn = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    named = set(re.findall(r"(?:fill|stroke): (#\w+|black|white)", drawn))
    assert set() == named


def test_rendering_again_gives_the_same_bytes(tmp_path):
    source = executed(tmp_path, RECORDS)
    render(source, tmp_path / "one.html")
    render(source, tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_computing_again_gives_the_same_drawings(page, tmp_path):
    assert page == rendered(tmp_path, FIXTURE.demo_records())


def test_the_page_is_small(page):
    assert len(page.encode()) < 400_000


def test_the_notebook_of_a_cycle_shows_every_section():
    notebook = Path(__file__).resolve().parents[2] / "notebooks" / "cycle.ipynb"
    shown = set(re.findall(r"hl\.report\.([a-z]+)\(", notebook.read_text("utf-8")))
    assert {make.__name__ for make in report.SECTIONS} == shown


def test_looks_are_drawn_against_their_boundary():
    drawn = boundary(contests(RECORDS)[0])
    assert "look 2: 27 of 27 weighted passes; look 3: 41 of 38 weighted passes" in drawn
    assert set() == set(re.findall(r"(?:fill|stroke): (#\w+|black|white)", drawn))


def large_records() -> CycleRecords:
    """Make up a cycle of 100 cases, 8 specs and 10 repeats of each."""
    large = _fixture()
    more = {(f"candidate-{n}", "atomic"): (0.8, 0.9, 0.03) for n in (1, 2)}
    large.TRUTH |= more
    large.CASES["atomic"] = (75, 25)
    large.REPEATS = {"screen": 10, "confirm": 10, "verify": 10}
    return large.demo_records()


def test_the_page_of_a_large_cycle_is_below_two_megabytes(tmp_path):
    records = large_records()
    screened = [s for s in records.samples if (s.stage, s.phase) == ("screen", "atomic")]
    assert 100 * 8 * 10 == len(screened)
    page = rendered(tmp_path, records)
    assert len(page.encode()) < 2_000_000
    assert page.count('<td class="c ') > 500


def evil_records() -> CycleRecords:
    """Put markup wherever a model, a person or an endpoint can put text."""
    text = msgspec.json.encode(RECORDS).decode()
    names = ("sprinter", "steady", "ato-03", "parallel", "At most 9 % of the extended cases can pass.")
    for name in (*names, "All gates passed.", "The gain holds on 16 fresh cases.", "3.11.7"):
        text = text.replace(name, name + msgspec.json.encode(EVIL).decode()[1:-1])
    return msgspec.json.decode(text, type=CycleRecords)


def test_markup_in_names_cases_and_reasons_is_shown_as_text(tmp_path):
    page = rendered(tmp_path, evil_records())
    tags = outline(page).tags
    assert not [t for t, a in tags if t == "script" or "onerror" in a or t == "img"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_failed_notebook_gives_a_page_that_says_so(tmp_path):
    problem = "endpoint 'local': connection refused <b>"
    page = rendered(tmp_path, RECORDS, upto=9, harness={"problem": problem})
    assert (
        "This cycle did not finish.</strong> endpoint &#39;local&#39;: connection refused &lt;b&gt;" in page
    )
    assert (
        "Not reached: learnings, causes, checks, verification, confirmation, effects, decisions, verdict."
        in page
    )
    assert "<h1>This cycle stopped before its end</h1>" in page
    assert ' id="models"' in page


def test_what_is_known_of_a_stopped_cycle_is_shown_whichever_cells_ran(tmp_path):
    cut = msgspec.structs.replace(
        RECORDS, manifest=FIXTURE.manifest("failed"), decisions=None, verifications=None, outcome=None
    )
    path = executed(tmp_path, cut, upto=3, harness={"problem": "stopped by SIGTERM"})
    render(path, tmp_path / "report.html", [make(cut) for make in report.SECTIONS])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    places = [page.index(f' id="{make.__name__}"') for make in report.SECTIONS]
    assert sorted(places) == places
    assert "This cycle did not finish.</strong> stopped by SIGTERM" in page
    assert ">This cycle stopped before its end</h1>" in page
    assert "Nothing below is a verdict." in page
    assert f"To go on: harness cycle --resume {FIXTURE.RUN}" in page
    assert "Not reached" not in page
    assert "changed and proven" not in page


def test_an_error_in_a_cell_is_told_even_where_nobody_wrote_down_the_problem(tmp_path):
    path = executed(tmp_path, RECORDS, upto=0)
    notebook = nbformat.read(path, 4)
    notebook.cells[1].outputs = [
        nbformat.v4.new_output(
            "error", ename="ValueError", evalue=EVIL, traceback=["\x1b[31mValueError\x1b[0m"]
        )
    ]
    nbformat.write(notebook, path)
    render(path, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "ValueError: &lt;script&gt;" in page
    assert "\x1b" not in page
    assert "<script>" not in page


def test_a_section_shown_twice_stands_once_in_its_last_form(tmp_path):
    path = executed(tmp_path, RECORDS)
    notebook = nbformat.read(path, 4)
    early = report.decisions(msgspec.structs.replace(RECORDS, verifications=None))
    data = {"text/html": early.html, "text/plain": repr(early)}
    notebook.cells[1].outputs.append(nbformat.v4.new_output("execute_result", data=data, execution_count=1))
    nbformat.write(notebook, path)
    render(path, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 1 == page.count('id="decisions"')
    assert "not verified" not in page


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"cells": 3}'])
def test_what_is_no_notebook_is_refused_with_a_name(tmp_path, content):
    path = tmp_path / "cycle.ipynb"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cycle\.ipynb"):
        render(path, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
