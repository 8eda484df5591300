"""`harness cycle` when something is in the way: killed, stopped, locked, out of time, endpoint gone."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest

from harnesslib.cli import main
from harnesslib.lock_manager import LockManager
from harnesslib.workspace import Workspace

pytestmark = pytest.mark.timeout(120)

SMALL = """
version = 1
[endpoints.demo]
simulator = "simulated_models.toml"
concurrency = 8
[phases.atomic]
suite = "atomic"
baseline = "steady"
[phases.atomic.settings]
timeout_s = 5.0
[[models]]
id = "steady"
endpoint = "demo"
[[models]]
id = "eager"
endpoint = "demo"
"""


@pytest.fixture
def folder(tmp_path):
    assert main(["init", "--demo", str(tmp_path)]) == 0
    (tmp_path / "harness.toml").write_text(SMALL)
    return tmp_path


def slow_down(folder: Path) -> None:
    """Make every answer take a while, so that a cycle can be caught in the middle."""
    world = folder / "simulated_models.toml"
    world.write_text(world.read_text().replace('id = "steady"', 'id = "steady"\nlatency_s = 0.4', 1))


def started(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harnesslib", "cycle"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_samples(folder: Path, process: subprocess.Popen[str], count: int) -> None:
    descriptor = [process.stdout]
    while process.poll() is None:
        journals = list((folder / "runs").glob("*/journal.jsonl"))
        if journals and journals[0].read_bytes().count(b"\n") >= count:
            return
        select.select(descriptor, [], [], 0.05)
    raise AssertionError(process.communicate()[1])


def left_running(folder: Path) -> list[str]:
    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [command for command in commands if str(folder) in command]


def test_a_killed_cycle_goes_on_where_it_was(folder, capsys):
    slow_down(folder)
    process = started(folder)
    wait_for_samples(folder, process, 20)
    process.kill()
    process.wait()
    process.communicate()
    capsys.readouterr()
    assert main(["doctor", "-w", str(folder), "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["runs"]["state"] == "look"
    assert "harness cycle --resume" in checks["runs"]["cure"]
    with Workspace(folder) as place:
        stale = place.runs.stale()
        before = {sample.key for sample in place.runs.samples(stale[0].run_id)}
    assert len(before) >= 20
    assert main(["cycle", "-w", str(folder), "--resume", "last", "--quiet", "--json"]) == 0
    with Workspace(folder) as place:
        samples = place.runs.samples(stale[0].run_id)
        assert place.runs.manifest(stale[0].run_id).status == "done"
    assert before <= {sample.key for sample in samples}
    assert set(Counter(sample.key for sample in samples).values()) == {1}
    assert left_running(folder) == []


def test_a_stopped_cycle_says_so_and_leaves_a_report_and_nothing_running(folder):
    slow_down(folder)
    process = started(folder)
    wait_for_samples(folder, process, 5)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM" in said
    assert "Go on with it: harness cycle --resume" in said
    assert "Traceback" not in said
    run = next((folder / "runs").glob("*-cycle-*"))
    manifest = json.loads((run / "manifest.json").read_text())
    assert (manifest["status"], manifest["exit_code"]) == ("failed", 143)
    assert "stopped" in (run / "report.html").read_text()
    assert left_running(folder) == []


def test_the_time_limit_has_its_own_exit_code(folder, capsys):
    slow_down(folder)
    assert main(["cycle", "-w", str(folder), "--timeout", "4", "--quiet"]) == 124
    assert "time limit of 4 s" in capsys.readouterr().err


def test_an_endpoint_that_is_gone_is_exit_6_with_one_sentence(folder, capsys):
    toml = folder / "harness.toml"
    toml.write_text(
        SMALL.replace('simulator = "simulated_models.toml"', 'base_url = "http://127.0.0.1:9/v1"')
    )
    assert main(["cycle", "-w", str(folder), "--quiet"]) == 6
    said = capsys.readouterr().err
    assert "127.0.0.1:9" in said
    assert "Traceback" not in said
    assert main(["doctor", "-w", str(folder)]) == 6


def test_who_works_in_the_workspace_is_named(folder, capsys):
    with LockManager(folder / ".locks", command="somebody").hold("cycle", wait_s=1):
        assert main(["cycle", "-w", str(folder), "--quiet"]) == 75
    assert "a cycle is running here" in capsys.readouterr().err
    assert list((folder / "runs").glob("*-cycle-*")) == []


def test_nothing_promoted_is_exit_3_when_that_was_required(folder, capsys):
    assert main(["cycle", "-w", str(folder), "--require-promote", "--quiet"]) == 3
    assert "Nothing left to improve: no candidate beats steady in atomic." in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["report"], ["cycle", "--resume", "last"], ["cycle", "--resume", "x"]])
def test_what_is_not_there_is_said(arguments, folder, capsys):
    assert main([*arguments, "-w", str(folder)]) == 2
    assert "Traceback" not in capsys.readouterr().err
