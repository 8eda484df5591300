"""The program of the how-to, measured as the how-to says."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from harnesslib.cli import main
from harnesslib.cli.measuring import NO_COST, NO_USAGE, of_repeats, total
from harnesslib.records import Estimate, Repeats, Significance
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


def test_what_the_program_does_not_state_is_said_to_be_unknown(workspace, capsys):
    asked = ["run", "my-model", "atomic", "--repeats", "1", "--limit", "2", "--quiet", "-w", str(workspace)]
    assert 0 == main(asked)
    said = " ".join(capsys.readouterr().out.split())
    assert f"tokens read n/a ({NO_USAGE}) tokens written n/a ({NO_USAGE}) cost n/a ({NO_COST})" in said


def test_repeats_are_summed_up_where_there_are_any(workspace, capsys):
    asked = ["run", "my-model", "atomic", "--limit", "3", "--quiet", "-w", str(workspace), "--repeats"]
    assert 0 == main([*asked, "3"])
    assert re.search(r"pass@3, pass\^3 +\S+ \[", capsys.readouterr().out)
    assert 0 == main([*asked, "1"])
    assert "pass@" not in capsys.readouterr().out


def test_variance_is_said_by_where_it_comes_from():
    share = Estimate(value=0.5, low=None, high=None, level=0.95, n=3, method="m")
    split = Repeats(
        k=3,
        pass_at_k=share,
        pass_hat_k=share,
        icc=share,
        case_variance=0.06,
        run_variance=0.0,
        call_variance=0.02,
        runs=Significance(p_value=1.0, statistic=0.0, n=3, method="Q", alternative="runs differ"),
    )
    assert [
        ("pass@3, pass^3", "0.5, 0.5"),
        ("variance from", "75 % cases, 0 % runs, 25 % single calls"),
    ] == of_repeats(split)
    assert [] == of_repeats(None)


def test_a_sum_tells_how_many_samples_it_knows():
    assert "1,200" == total(1200, 7, 7, NO_USAGE)
    assert "1,200" == total(1200, None, 7, NO_USAGE)
    assert "0.25 (known of 6 of 7 samples)" == total(0.25, 6, 7, NO_COST)


def test_the_doctor_finds_the_program_or_says_that_it_is_not_there(workspace, capsys):
    assert 0 == main(["doctor", "-w", str(workspace)])
    assert "my_model.py: all 1 models are offered" in " ".join(capsys.readouterr().out.split())
    toml = workspace / "harness.toml"
    toml.write_text(toml.read_text().replace(json.dumps(sys.executable), '"./gone"'))
    assert 6 == main(["doctor", "-w", str(workspace)])
    assert "no such program" in capsys.readouterr().out
