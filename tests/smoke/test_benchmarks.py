"""The benchmarks run, print their table and keep their numbers; how fast anything is, no test judges."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").exists(), reason="a source archive has none")


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), *arguments]
    variables = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables)


def test_every_row_is_measured_beside_its_reference(tmp_path):
    done = bench("--quick", "--results", str(tmp_path))
    assert (0, "") == (done.returncode, done.stderr)
    (path,) = tmp_path.iterdir()
    content = json.loads(path.read_text("utf-8"))
    names = [row["name"] for row in content["rows"]]
    assert "Router.resolve" in names
    for row in content["rows"]:
        assert 0 < row["ours"]["median_s"] <= row["ours"]["p95_s"]
        assert row["ratio"] == row["ours"]["median_s"] / row["reference"]["median_s"]
    printed = done.stdout.splitlines()
    assert names == [line.split(" | ")[0].removeprefix("| ") for line in printed[2 : 2 + len(names)]]
    assert f"written to {path}" == printed[-1]


def test_only_the_named_rows_are_measured_and_a_name_that_fits_none_is_told(tmp_path):
    done = bench("--quick", "--only", "LOCK", "--results", str(tmp_path))
    assert 1 == done.stdout.count("flock")
    assert "Router" not in done.stdout
    wrong = bench("--only", "clock", "--results", str(tmp_path))
    assert (2, "run bench: no row has 'clock' in its name\n") == (wrong.returncode, wrong.stderr)
