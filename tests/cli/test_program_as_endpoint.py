"""The program of the how-to, measured as the how-to says."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from harnesslib.cli import main
from harnesslib.workspace import Workspace

GUIDE = (Path(__file__).resolve().parents[2] / "docs/how-to/program-as-endpoint.md").read_text()
PHASE = '\n[phases.atomic]\nsuite = "atomic"\nbaseline = "my-model"\n'


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL).group(1)


@pytest.fixture
def workspace(tmp_path):
    """Return a workspace made of what stands in the guide."""
    toml = block("toml").replace('"python3"', json.dumps(sys.executable))
    Workspace(tmp_path).initialise(f"version = 1\n{toml}{PHASE}", {"my_model.py": block("python")})
    return tmp_path


def test_the_program_of_the_guide_is_measured(workspace, capsys):
    asked = ["run", "my-model", "atomic", "--repeats", "1", "--limit", "4", "--quiet", "--json"]
    assert 0 == main([*asked, "-w", str(workspace)])
    spec = json.loads(capsys.readouterr().out)["specs"][0]
    assert (4, 0.0) == (spec["samples"], spec["infra_share"])
    assert {"wrong", "overcalled", "pass"} >= {name for name, count in spec["outcomes"].items() if count}


def test_the_doctor_finds_the_program_or_says_that_it_is_not_there(workspace, capsys):
    assert 0 == main(["doctor", "-w", str(workspace)])
    assert "my_model.py: all 1 models are offered" in " ".join(capsys.readouterr().out.split())
    toml = workspace / "harness.toml"
    toml.write_text(toml.read_text().replace(json.dumps(sys.executable), '"./gone"'))
    assert 6 == main(["doctor", "-w", str(workspace)])
    assert "no such program" in capsys.readouterr().out
