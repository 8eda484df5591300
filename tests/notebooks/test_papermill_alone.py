"""The cycle's notebook under plain papermill, and under ``papermill --engine harness``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harnesslib.cli import main

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(180)
SMALL = f"""
version = 1
[endpoints.demo]
simulator = "simulated_models.toml"
[phases.atomic]
suite = "atomic-quick"
baseline = "steady"
[[models]]
id = "steady"
endpoint = "demo"
[[models]]
id = "eager"
endpoint = "demo"
[cycle]


[[on_event]]
events = ["held", "promoted", "failed"]
command = [{json.dumps(sys.executable)}, "-c", "import sys; open('told.json', 'w').write(sys.stdin.read())"]
"""
WITH_ENGINE = (
    "import sys; from papermill.engines import papermill_engines as known;"
    "from harnesslib.papermill_engine import HarnessEngine; known.register('harness', HarnessEngine);"
    "from papermill.cli import papermill; papermill()"
)


@pytest.fixture
def workspace(tmp_path) -> Path:
    root = tmp_path / "work"
    assert 0 == main(["init", "--demo", str(root)])
    (root / "harness.toml").write_text(SMALL)
    return root


def papermill(start: list[str], output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    notebook = str(ROOT / "notebooks" / "cycle.ipynb")
    # The kernel is named by the environment's own spec, as for everybody who calls papermill.
    command = [sys.executable, *start, notebook, str(output), "--no-progress-bar", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JUPYTER_PREFER_ENV_PATH": "1"}
    return subprocess.run(
        command, cwd=output.parent, env=environment, capture_output=True, text=True, check=False
    )


def test_plain_papermill_runs_a_whole_cycle(workspace, tmp_path):
    done = papermill(["-m", "papermill"], tmp_path / "out.ipynb", "-p", "workspace", str(workspace))
    assert 0 == done.returncode, done.stderr
    [outcome] = workspace.glob("runs/*/outcome.json")
    assert json.loads(outcome.with_name("manifest.json").read_text())["status"] == "done"
    assert json.loads(outcome.read_text())["headline"] in (tmp_path / "out.ipynb").read_text()


def test_the_engine_adds_the_report_and_tells_the_hooks(workspace, tmp_path):
    arguments = ("--engine", "harness", "-p", "workspace", str(workspace))
    done = papermill(["-c", WITH_ENGINE], tmp_path / "out.ipynb", *arguments)
    assert 0 == done.returncode, done.stderr
    [report] = workspace.glob("runs/*/report.html")
    assert report.with_name("cycle.ipynb").is_file()
    told = json.loads((workspace / "told.json").read_text())
    assert (str(report), "held") == (told["report"], told["event"])


def test_the_engine_closes_a_cycle_whose_notebook_failed(workspace, tmp_path):
    world = workspace / "simulated_models.toml"
    (workspace / "harness.toml").write_text(SMALL.replace('id = "eager"', 'id = "nobody"'))
    assert world.exists()
    arguments = ("--engine", "harness", "-p", "workspace", str(workspace))
    done = papermill(["-c", WITH_ENGINE], tmp_path / "out.ipynb", *arguments)
    assert 0 != done.returncode
    assert "nobody" in done.stderr
    [manifest] = workspace.glob("runs/*/manifest.json")
    assert "failed" == json.loads(manifest.read_text())["status"]
    assert "failed" == json.loads((workspace / "told.json").read_text())["event"]


def test_the_package_offers_the_engine_to_papermill():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    offered = project["entry-points"]["papermill.engine"]
    assert {"harness": "harnesslib.papermill_engine:HarnessEngine"} == offered
