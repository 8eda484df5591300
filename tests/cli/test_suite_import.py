"""``harness suite import`` writes a suite that the other commands take."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from harnesslib.cli import main


@pytest.fixture
def folder(tmp_path):
    spec = importlib.util.spec_from_file_location("bfcl_rows", Path(__file__).parents[1] / "bfcl_rows.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["bfcl_rows"] = module
    spec.loader.exec_module(module)
    files = tmp_path / "files"
    files.mkdir()
    return module.sample(files)


def test_a_folder_is_imported_checked_and_never_written_over(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["suite", "import", "bfcl", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "bfcl.json: 8 cases, 2 tools" in said
    assert "left out live_relevance_1-0-0: asks with the words of live_relevance_0-0-0" in said
    assert "not read BFCL_v4_multi_turn_base.json" in said
    assert main(["suite", "check", "bfcl.json"]) == 0
    assert main(["suite", "import", "bfcl", str(folder)]) == 2
    assert "bfcl.json: exists; cure: remove it" in capsys.readouterr().err


def test_one_file_is_imported_into_the_file_that_is_named(folder, tmp_path, capsys):
    target = tmp_path / "bells.json"
    file = folder / "BFCL_v4_simple_python.json"
    assert main(["suite", "import", "bfcl", str(file), "--output", str(target), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["file"], facts["cases"], facts["left_out"]) == (str(target), 3, [])
    assert json.loads(target.read_text())["name"] == "bfcl-simple_python"


def test_a_folder_that_can_not_be_written_to_is_an_error_with_a_cure(folder, tmp_path, capsys):
    target = tmp_path / "nowhere" / "bells.json"
    assert main(["suite", "import", "bfcl", str(folder), "--output", str(target)]) == 4
    assert "cure: create the folder" in capsys.readouterr().err
