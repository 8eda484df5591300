"""The notebooks that look at results: they run as they are, on what is there, and leave a page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import harnesslib as hl
from harnesslib.cli import main
from harnesslib.explorer import panel
from harnesslib.report.notebook_page import render_notebook

ROOT = Path(__file__).resolve().parents[2]
LOOKING = ("benchmark", "compare", "explore", "history")
GOLDEN = ROOT / "docs" / "example" / "history.ipynb"
EXAMPLE = hl.find_runs("example")


@pytest.mark.parametrize("name", LOOKING)
def test_it_runs_in_an_empty_folder_and_leaves_a_page(name, tmp_path, capsys):
    assert 0 == main(["notebook", "run", name, "-w", str(tmp_path), "--quiet", "--json"])
    result = json.loads(capsys.readouterr().out)
    executed = nbformat.read(result["notebook"], 4)
    assert tmp_path / "runs" / "notebooks" in Path(result["notebook"]).parents
    cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    silent = [cell.id for cell in cells if not cell.outputs and not cell.metadata.tags]
    assert [] == silent
    assert [] == [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"]
    page = Path(result["page"]).read_text("utf-8")
    assert "example" in page or name == "benchmark"
    assert [] == re.findall(r"<script|https?://(?!www\.w3\.org)", page)
    assert "default-src 'none'" in page
    assert "\u00b6" not in page


def test_a_notebook_looks_at_the_runs_of_its_workspace(tmp_path, capsys):
    place = shutil.copytree(EXAMPLE, tmp_path / "mine")
    run = min(place.glob("runs/*-cycle-*"))
    (run / "decisions.json").write_text("{}")
    assert 4 == main(["notebook", "run", "history", "-w", str(place), "--out", str(tmp_path / "out"), "-q"])
    said = capsys.readouterr().err
    assert f"run '{run.name}' is damaged: decisions.json: was changed" in said
    assert "This notebook did not finish" in (tmp_path / "out" / "history.html").read_text("utf-8")
    options = ["-w", str(place), "--out", str(tmp_path / "out"), "-p", "damaged=leave_out", "-q"]
    assert 0 == main(["notebook", "run", "history", *options])
    assert run.name in (tmp_path / "out" / "history.html").read_text("utf-8")


def test_a_model_is_measured_when_that_is_asked_for(tmp_path):
    assert 0 == main(["init", "--demo", str(tmp_path)])
    samples = hl.benchmark(tmp_path, "steady", "extended", repeats=1)
    assert ({"steady"}, {"run"}) == (set(samples["model"]), set(samples["stage"]))
    assert set(hl.benchmark(tmp_path)["run_id"]) == set(samples["run_id"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cycle"], "run it with `harness cycle`"),
        (["nothing"], "there are: benchmark, compare, cycle, explore, history"),
        (["history", "-p", "damaged"], "expected NAME=VALUE"),
        (["history", "-p", "phasee=x"], "did you mean 'phase'"),
        (["benchmark", "-p", "repeats=many"], "got 'many', expected int"),
    ],
)
def test_what_can_not_be_run_is_said(arguments, said, tmp_path, capsys):
    assert 2 == main(["notebook", "run", *arguments, "-w", str(tmp_path)])
    assert said in capsys.readouterr().err


def test_the_list_names_question_and_parameters(capsys):
    assert 0 == main(["notebook", "list", "--json"])
    found = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert {*LOOKING, "cycle"} == set(found)
    assert "What happened over the cycles?" == found["history"]["question"]
    assert {"workspace": "str", "phase": "str", "damaged": "str"} == found["history"]["parameters"]


def compared(golden: Path) -> subprocess.CompletedProcess[str]:
    """Run nbval on a notebook, as a person would: it compares the cells that say so."""
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "-q", str(golden)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_golden_notebook_says_what_it_said():
    done = compared(GOLDEN)
    assert 0 == done.returncode, done.stdout


def test_the_golden_notebook_is_the_one_that_is_shipped():
    golden = {cell.id: cell.source for cell in nbformat.read(GOLDEN, 4).cells}
    shipped = {cell.id: cell.source for cell in nbformat.read(ROOT / "notebooks" / "history.ipynb", 4).cells}
    assert shipped == {name: source for name, source in golden.items() if name in shipped}


def test_another_number_in_the_golden_notebook_would_be_found(tmp_path):
    notebook = nbformat.read(GOLDEN, 4)
    shown = next(cell for cell in notebook.cells if cell.id == "cycles").outputs[0].data
    shown["text/plain"], changes = re.subn(r"(0\.\d\d)\d", r"\1x", shown["text/plain"], count=1)
    assert 1 == changes
    nbformat.write(notebook, tmp_path / "history.ipynb")
    assert 1 == compared(tmp_path / "history.ipynb").returncode


def test_what_a_model_said_is_no_markup_in_a_conversation():
    explorer = hl.explore(EXAMPLE)
    row = explorer.samples.iloc[0].to_dict() | {"text": "<script>evil()</script>", "detail": "<b>"}
    from harnesslib.explorer.conversation import conversation

    shown = conversation(row, None).html
    assert "&lt;script&gt;evil()" in shown
    assert "<script" not in shown
    assert "no longer holds this case" in shown


def test_the_way_down_ends_at_a_conversation_that_failed():
    explorer = hl.explore(EXAMPLE, hl.load_cycles(EXAMPLE)["run_id"].iloc[0])
    assert "PROMOTE" == explorer.decision["verdict"]
    assert explorer.cases["change"].abs().is_monotonic_decreasing
    assert 0.0 == explorer.samples["served"].iloc[0]
    shown = explorer.conversation.html
    assert "<b>asked: </b>" in shown
    assert "<b>right: </b>" in shown
    assert "<b>did: </b>" in shown


def test_a_suite_that_has_changed_since_is_said(tmp_path):
    place = shutil.copytree(EXAMPLE, tmp_path / "mine")
    harness = (place / "harness.toml").read_text("utf-8")
    (place / "harness.toml").write_text(harness.replace("atomic-quick", "atomic"), "utf-8")
    assert "The suite has changed since" in hl.explore(place).conversation.html
    assert "The suite has changed since" not in hl.explore(EXAMPLE).conversation.html


def test_a_decision_and_a_case_can_be_chosen_and_what_is_not_there_is_said():
    explorer = hl.explore(EXAMPLE, hl.load_cycles(EXAMPLE)["run_id"].iloc[0])
    explorer.choose("atomic-promote-eager", explorer.cases["case_id"].iloc[3], sample=99)
    assert "eager" == explorer.decision["model"]
    assert explorer.sample == len(explorer.samples) - 1
    with pytest.raises(hl.HarnessError, match="decision 'nothing': not in run"):
        explorer.choose("nothing")
    with pytest.raises(hl.HarnessError, match="it decided nothing"):
        hl.explore(EXAMPLE, hl.load_runs(EXAMPLE)["run_id"].iloc[-1])


def test_without_widgets_the_panel_is_the_present_choice(monkeypatch):
    monkeypatch.setattr(panel, "find_spec", lambda _: None)
    explorer = hl.explore(EXAMPLE)
    assert explorer.panel().html == panel.state(explorer).html
    assert explorer.gates["gate"].iloc[-1] in explorer.panel().html


def test_the_panel_follows_a_person_and_shows_its_choice_on_paper():
    pytest.importorskip("ipywidgets")
    explorer = hl.explore(EXAMPLE, hl.load_cycles(EXAMPLE)["run_id"].iloc[0])
    shown = explorer.panel()
    verdict, decision, case, sample, text = shown.children
    verdict.value = "HOLD"
    assert "HOLD" == explorer.decision["verdict"]
    assert explorer.decision["decision_id"] == decision.value
    case.value = case.options[2][1]
    assert explorer.case == case.value
    sample.value = 1
    assert (1, panel.state(explorer).html) == (explorer.sample, text.value)
    bundle = shown._repr_mimebundle_()
    assert text.value == bundle["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_a_page_of_no_notebook_is_an_error(tmp_path):
    (tmp_path / "x.ipynb").write_text("{")
    with pytest.raises(hl.HarnessError, match="no notebook"):
        render_notebook(tmp_path / "x.ipynb", tmp_path / "x.html")
