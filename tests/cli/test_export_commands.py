"""``harness export``: files where they were asked for, and one sentence where there is nothing to export."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harnesslib.cli import main
from harnesslib.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    path = ROOT / "tests" / "workspace_fixture.py"
    spec = importlib.util.spec_from_file_location("workspace_fixture", path)
    fixture = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixture)
    root = fixture.changed_workspace(tmp_path_factory.mktemp("workspace") / "demo")
    assert 0 == main(["run", "sprinter", "atomic", "--limit", "2", "--repeats", "1", "-q", "-w", str(root)])
    return root


@pytest.fixture
def workspace(template, tmp_path, monkeypatch) -> Path:
    root = tmp_path / "demo"
    shutil.copytree(template, root)
    monkeypatch.chdir(root)
    return root


def exported(capsys, *arguments: str) -> list[Path]:
    capsys.readouterr()
    assert 0 == main(["export", *arguments, "--json"])
    return [Path(name) for name in json.loads(capsys.readouterr().out)["files"]]


def cycle(root: Path) -> str:
    with Workspace(root) as place:
        return place.runs.latest(kind="cycle").run_id


def test_a_run_becomes_logs_of_inspect_with_the_questions_that_were_asked(workspace, capsys):
    [file] = exported(capsys, "inspect")
    log = json.loads(file.read_text())
    assert (2, "sprinter", 2) == (log["version"], log["eval"]["model"], len(log["samples"]))
    assert not any("has changed since" in sample["input"] for sample in log["samples"])
    assert workspace / "exports" in file.parents


def test_a_run_becomes_a_document_per_model(workspace, tmp_path, capsys):
    [file] = exported(capsys, "every-eval-ever", "-o", str(tmp_path / "eee"), "--organisation", "us")
    document = json.loads(file.read_text())
    assert "us" == document["source_metadata"]["source_organization_name"]
    assert {"simulated_models": "true"} == document["source_metadata"]["additional_details"]


def test_the_gates_of_a_cycle_become_test_cases(workspace, capsys):
    [file] = exported(capsys, "junit", cycle(workspace))
    root = ET.fromstring(file.read_text())  # noqa: S314 - written by the line above
    assert ("8", "2") == (root.get("tests"), root.get("failures"))


def test_samples_become_tables(workspace, tmp_path, capsys):
    [table] = exported(capsys, "csv", "-o", str(tmp_path / "samples.csv"))
    assert 2 == len(list(csv.DictReader(table.read_text("utf-8-sig").splitlines())))
    [sealed] = exported(capsys, "parquet", "-o", str(tmp_path / "samples.parquet"))
    assert any(sealed.read_bytes() == path.read_bytes() for path in workspace.glob("runs/*/samples.parquet"))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["junit"], 2, "has no decisions"),
        (["junit", "nonsense"], 4, "there is no run 'nonsense'"),
        (["mlflow"], 2, "--tracking-uri"),
    ],
)
def test_what_can_not_be_exported_is_one_sentence(workspace, capsys, arguments, code, said):
    assert code == main(["export", *arguments])
    assert said in capsys.readouterr().err


def test_a_workspace_without_runs_says_so(tmp_path, capsys):
    assert 0 == main(["init", "--demo", str(tmp_path)])
    assert 2 == main(["export", "csv", "-w", str(tmp_path)])
    assert "nothing has been run yet" in capsys.readouterr().err


def test_an_unsealed_run_has_no_parquet_and_the_cure_is_named(tmp_path, capsys):
    assert 0 == main(["init", "--demo", str(tmp_path)])
    with Workspace(tmp_path) as place:
        place.new_cycle()
    assert 2 == main(["export", "parquet", "-w", str(tmp_path)])
    assert "harness cycle --resume" in capsys.readouterr().err
