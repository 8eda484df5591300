"""``harness doctor`` sees what crashes left, and ``--fix`` clears it without touching what lives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta

import msgspec
import pytest

from harnesslib import doctor, processes
from harnesslib.cli import main
from harnesslib.cli.cycles import _reopened
from harnesslib.lock_manager import LockManager
from harnesslib.notebook_runner.processes import MARKER
from harnesslib.workspace import Workspace


@pytest.fixture
def place(tmp_path):
    assert 0 == main(["init", "--demo", str(tmp_path)])
    with Workspace(tmp_path) as opened:
        yield opened


def killed_cycle(place: Workspace) -> str:
    """Leave a run as a killed process leaves it: it says "running", and its pid is somebody else's."""
    run_id = place.new_cycle()
    manifest = place.runs.manifest(run_id)
    place.runs.save_manifest(msgspec.structs.replace(manifest, pid=os.getpid(), pid_started=1.0))
    return run_id


def looked_at(place: Workspace, *arguments: str, capsys) -> dict[str, dict[str, str]]:
    capsys.readouterr()
    main(["doctor", "--json", "-w", str(place.root), *arguments])
    return {check["name"]: check for check in json.loads(capsys.readouterr().out)}


@pytest.fixture
def child():
    """Start processes that carry a run's mark; they wait until their input is closed."""
    started = []

    def start(run_id: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {MARKER: run_id}
        code = "import sys; print('up', flush=True); sys.stdin.read()"
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        process.stdout.readline()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_killed_run_is_named_and_closed_as_lost_and_can_be_gone_on_with(place, capsys):
    run_id = killed_cycle(place)
    found = looked_at(place, capsys=capsys)["runs"]
    assert "look" == found["state"]
    assert run_id in found["finding"]
    assert "harness doctor --fix" in found["cure"]
    assert "good" == looked_at(place, "--fix", capsys=capsys)["runs"]["state"]
    closed = place.runs.manifest(run_id)
    assert "lost" == closed.status
    assert closed.ended_at is not None
    assert run_id == _reopened(place, "last")


def test_a_run_that_is_gone_on_with_belongs_to_the_process_that_does(place):
    run_id = killed_cycle(place)
    _reopened(place, run_id)
    manifest = place.runs.manifest(run_id)
    assert ("running", os.getpid()) == (manifest.status, manifest.pid)
    assert () == place.runs.stale()


def test_orphans_of_a_dead_run_are_ended_and_those_of_a_live_one_are_not(place, child, capsys):
    orphan, alive = child(killed_cycle(place)), child(place.new_cycle())
    found = looked_at(place, capsys=capsys)["processes"]
    assert str(orphan.pid) in found["finding"]
    assert str(alive.pid) not in found["finding"]
    started = processes.started(orphan.pid)
    looked_at(place, "--fix", capsys=capsys)
    assert not processes.is_alive(orphan.pid, started)
    assert alive.poll() is None


def test_processes_of_other_workspaces_are_left_alone(place, child, capsys):
    stranger = child("20260102T030405Z-cycle-7f3a")
    assert "good" == looked_at(place, "--fix", capsys=capsys)["processes"]["state"]
    assert stranger.poll() is None


def test_nothing_is_cleared_while_a_cycle_runs(place, capsys):
    run_id = killed_cycle(place)
    with LockManager(place.root / ".locks", command="harness cycle").hold("cycle", wait_s=1.0):
        assert 75 == main(["doctor", "--fix", "-w", str(place.root)])
    assert "running" == place.runs.manifest(run_id).status


def test_a_clock_that_went_back_is_seen(place, capsys):
    run_id = place.new_cycle()
    manifest = place.runs.manifest(run_id)
    later = place.clock.now() + timedelta(days=2)
    changes = {"started_at": later, "pid": os.getpid(), "pid_started": processes.started()}
    place.runs.save_manifest(msgspec.structs.replace(manifest, **changes))
    found = looked_at(place, capsys=capsys)["clock"]
    assert ("bad", 4) == (found["state"], found["exit_code"])
    assert "timedatectl" in found["cure"]


def test_a_model_that_serves_and_is_not_listed_any_more_is_bad(place, capsys):
    file = place.root / "harness.toml"
    file.write_text(file.read_text().replace('"steady"', '"other"'))
    assert "bad" in {check["state"] for check in looked_at(place, capsys=capsys).values()}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("LEAST_FREE_BYTES", 10**18, "GB free"), ("LEAST_FREE_FILES", 10**18, "more files fit")],
)
def test_a_full_disk_is_bad(place, capsys, monkeypatch, name, value, said):
    monkeypatch.setattr(doctor, name, value)
    found = looked_at(place, capsys=capsys)["disk"]
    assert "bad" == found["state"]
    assert said in found["finding"]
    assert found["cure"]


def test_a_kernel_that_can_not_load_is_bad(place, capsys, monkeypatch, tmp_path):
    broken = tmp_path / "broken"
    (broken / "ipykernel").mkdir(parents=True)
    (broken / "ipykernel" / "__init__.py").write_text("raise ImportError('torn')")
    monkeypatch.setenv("PYTHONPATH", f"{broken}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    found = looked_at(place, capsys=capsys)["notebooks"]
    assert ("bad", 7) == (found["state"], found["exit_code"])
    assert "torn" in found["finding"]


def test_everything_is_good_in_a_fresh_workspace(place, capsys):
    assert {"good"} == {check["state"] for check in looked_at(place, capsys=capsys).values()}
