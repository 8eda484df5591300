"""All cycles on one page and in the terminal: quick, whole, and not to be stopped by a damaged run."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harnesslib import processes
from harnesslib.cli import main
from harnesslib.cli.reports import publish_index
from harnesslib.records import CycleOutcome, Estimate, Manifest, encode_pretty
from harnesslib.report.index import index_page
from harnesslib.run_survey import survey
from harnesslib.workspace import Workspace

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVIL = "<script>alert(1)</script>"


def run_id(number: int, kind: str = "cycle") -> str:
    return f"{START + timedelta(days=number):%Y%m%dT%H%M%SZ}-{kind}-{number:04x}"


def make(
    folder: Path, number: int, *, status: str = "done", kind: str = "cycle", ended: str = "unchanged"
) -> str:
    name = run_id(number, kind)
    run = folder / name
    run.mkdir(parents=True)
    manifest = Manifest(
        run_id=name,
        kind=kind,
        status=status,
        started_at=START + timedelta(days=number),
        parameters={},
        environment={},
        simulated=True,
        pid=1 if status != "running" else os.getpid(),
        pid_started=0.0 if status != "running" else processes.started(),
        reason="the endpoint went away" if status == "failed" else "",
    )
    (run / "manifest.json").write_bytes(encode_pretty(manifest))
    if status == "done" and kind == "cycle":
        (run / "outcome.json").write_bytes(encode_pretty(outcome(name, number, ended)))
        (run / "report.html").write_text("page")
    return name


def outcome(name: str, number: int, ended: str) -> CycleOutcome:
    value = 0.7 + 0.02 * number % 0.25
    known = Estimate(value=value, low=value - 0.05, high=value + 0.04, level=0.95, n=100, method="Wilson")
    return CycleOutcome(
        run_id=name,
        ended_at=START + timedelta(days=number),
        headline=f"Cycle {number} {EVIL}.",
        status=ended,
        generation_before=number,
        generation=number + (ended == "promoted"),
        baselines={"atomic": "steady" if number < 3 else "sprinter", "extended": "better"},
        accuracy={"atomic": value, "extended": None if number == 1 else 0.9},
        intervals={"atomic": known},
    )


@pytest.fixture
def runs(tmp_path) -> Path:
    folder = tmp_path / "runs"
    for number in range(4):
        make(folder, number, ended="promoted" if number == 3 else "unchanged")
    make(folder, 4, status="failed")
    make(folder, 5, status="running")
    make(folder, 6, kind="run")
    return folder


def damage(runs: Path) -> None:
    (runs / run_id(0) / "manifest.json").write_text("{")
    (runs / run_id(1) / "outcome.json").write_text('{"run_id": 3}')
    (runs / "20260103T000000Z-cycle-dead").mkdir()
    (runs / run_id(2)).rename(runs / "20260105T030405Z-cycle-beef")


def test_the_page_lists_all_cycles_newest_first(runs):
    page = index_page(survey(runs)).decode()
    names = [run_id(number) for number in (5, 4, 3, 2, 1, 0)]
    places = [page.index(f'class="mono">{name}<') for name in names]
    assert sorted(places) == places
    for state in ("running", "failed", "changed and proven", "unchanged"):
        assert f"</span>{state}</span>" in page
    assert "the endpoint went away" in page
    assert f'href="./{run_id(3)}/report.html"' in page
    assert f'href="./{run_id(4)}/report.html"' not in page
    assert "1 single run (harness run) not listed." in page


def test_the_page_loads_nothing_runs_nothing_and_escapes_what_it_is_told(runs):
    page = index_page(survey(runs)).decode()
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert [] == re.findall(r'(?:src|href)="(?!\./|data:,|#)', page)


def test_there_is_one_trend_per_phase_described_in_words(runs):
    page = index_page(survey(runs)).decode()
    assert 2 == page.count('role="img"')
    assert "atomic: 70.0\u00a0% to 76.0\u00a0% over 4 cycles; now sprinter" in page
    assert 2 == page.count(">60\u00a0%</text>") == page.count(">100\u00a0%</text>")
    assert 1 == page.count('fill="none" stroke="var(--b)"')


def test_the_same_runs_give_the_same_bytes(runs):
    assert index_page(survey(runs)) == index_page(survey(runs))


def test_no_run_at_all_is_a_page_too(tmp_path):
    assert b"No cycle has been run yet" in index_page(survey(tmp_path / "runs"))


def test_damaged_runs_are_named_and_get_in_nobodys_way(runs):
    damage(runs)
    lines = {line.run_id: line for line in survey(runs)}
    assert "manifest.json: Input data was truncated" in lines[run_id(0)].problem
    assert "outcome.json: " in lines[run_id(1)].problem
    assert "manifest.json is missing" == lines["20260103T000000Z-cycle-dead"].problem
    assert "its manifest is of run" in lines["20260105T030405Z-cycle-beef"].problem
    assert "done" == lines[run_id(3)].status
    page = index_page(survey(runs)).decode()
    assert 4 == page.count("</span>damaged</span>")
    assert "changed and proven" in page


def test_a_cycle_whose_process_is_gone_is_lost(runs):
    path = runs / run_id(5) / "manifest.json"
    path.write_text(path.read_text().replace(f'"pid": {os.getpid()}', '"pid": 1'))
    assert "lost" == {line.run_id: line.status for line in survey(runs)}[run_id(5)]


def test_the_terminal_shows_the_same(runs, capsys):
    assert 0 == main(["init", "--demo", str(runs.parent)])
    damage(runs)
    capsys.readouterr()
    assert 0 == main(["history", "-w", str(runs.parent)])
    said = capsys.readouterr().out.splitlines()
    assert [run_id(0), run_id(5)] == [said[2].split()[1], said[-1].split()[2]]
    assert "damaged" in said[2]
    assert 0 == main(["history", "-w", str(runs.parent), "--limit", "2", "--json"])
    assert [run_id(4), run_id(5)] == [line["run_id"] for line in json.loads(capsys.readouterr().out)]


def test_the_page_is_replaced_as_a_whole(runs):
    assert 0 == main(["init", "--demo", str(runs.parent)])
    with Workspace(runs.parent) as place:
        assert runs / "index.html" == publish_index(place)
        before = (runs / "index.html").read_bytes()
        make(runs, 9)
        publish_index(place)
    assert before != (runs / "index.html").read_bytes()
    assert [] == list(runs.glob(".index.html*"))
