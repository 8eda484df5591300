"""Looking ahead, several cycles, what runs, the daily check, taking what was proposed: as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from harnesslib import heartbeat, processes
from harnesslib.cli import main
from harnesslib.records import Heartbeat, encode_pretty
from harnesslib.workspace import Workspace

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("loop")]

SMALL = """
version = 1
[endpoints.demo]
simulator = "simulated_models.toml"
concurrency = 16
[phases.atomic]
suite = "atomic-quick"
baseline = "steady"
[phases.atomic.settings]
timeout_s = 5.0
[[models]]
id = "steady"
endpoint = "demo"
[[models]]
id = "sprinter"
endpoint = "demo"
"""


def run(folder, *arguments, capsys, code=0):
    assert code == main([*arguments, "-w", str(folder), "--json"]), capsys.readouterr().err
    said = capsys.readouterr()
    return json.loads(said.out), said.err


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("loop") / "demo"
    assert 0 == main(["init", "--demo", str(made)])
    (made / "harness.toml").write_text(SMALL)
    return made


def everything(folder):
    files = (path for path in folder.rglob("*") if path.is_file() and ".locks" not in path.parts)
    return {path: path.read_bytes() for path in files}


@pytest.mark.parametrize("arguments", [["plan"], ["cycle", "--dry-run"]])
def test_a_plan_shows_what_may_come_and_changes_nothing(folder, arguments, capsys):
    before = everything(folder)
    made, _ = run(folder, *arguments, capsys=capsys)
    assert before == everything(folder)
    [phase] = made["phases"]
    assert ["sprinter"] == [one["model"] for one in phase["candidates"]]
    assert 0 < phase["smallest_effect"] < 1
    assert made["requests"] > 0
    assert (None, ["sprinter", "steady"]) == (made["seconds"], made["unknown_models"])
    assert 0 == main([*arguments, "-w", str(folder)])
    assert "Never measured, so time and cost are unknown: sprinter, steady." in capsys.readouterr().out


def test_commands_that_exclude_each_other_are_refused(folder, capsys):
    assert 2 == main(["cycle", "--new", "--sentinel", "-w", str(folder)])
    assert "at most one of" in capsys.readouterr().err


@pytest.fixture(scope="module")
def cycled(folder):
    """Two cycles have run: the first went on with a run that somebody left unfinished."""
    with Workspace(folder) as place:
        left = place.new_cycle()
    command = [sys.executable, "-m", "harnesslib", "cycle", "--cycles", "3", "-q", "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert 0 == done.returncode, done.stderr
    result = json.loads(done.stdout)
    return folder, left, result


def test_several_cycles_end_when_nothing_is_due_and_go_on_with_an_unfinished_one(cycled):
    folder, left, result = cycled
    first, second = (one["outcome"] for one in result["cycles"])
    assert left == first["run_id"]
    assert ("promoted", {"atomic": "sprinter"}) == (first["status"], first["baselines"])
    assert ("unchanged", {"atomic": "sprinter"}) == (second["status"], second["baselines"])
    assert "nothing is due: every candidate has been tried" == result["stopped"]
    with Workspace(folder) as place:
        assert {"done"} == {manifest.status for manifest in place.runs.manifests()}


def test_time_and_cost_come_from_what_was_measured(cycled, capsys):
    made, _ = run(cycled[0], "plan", capsys=capsys)
    assert [] == made["unknown_models"]
    [skipped] = made["phases"][0]["skipped"]
    assert skipped.startswith("steady: tried against sprinter on ")
    assert made["seconds"] >= 0
    assert 2 == len(made["based_on"])


def test_nothing_runs_and_a_run_that_is_at_work_is_shown(cycled, capsys):
    folder = cycled[0]
    assert {"activities": [], "locks": []} == run(folder, "status", capsys=capsys)[0]
    with Workspace(folder) as place:
        run_id = place.new_cycle()
        now = place.clock.now()
        beat = Heartbeat(
            run_id=run_id,
            pid=os.getpid(),
            pid_started=processes.started(),
            boot_id=processes.boot_id(),
            started_at=now,
            at=now,
            state="screen",
            message="3 of 9 samples",
            done=3,
            total=9,
            said_at=now,
        )
        (place.runs.path(run_id) / heartbeat.FILE).write_bytes(encode_pretty(beat))
        [one] = run(folder, "status", capsys=capsys)[0]["activities"]
        assert ("working", 3, os.getpid()) == (one["condition"], one["done"], one["pid"])
        assert 0 == main(["status", "-w", str(folder)])
        assert f"{run_id}: working (pid {os.getpid()}), screen: 3 of 9" in capsys.readouterr().out
        for path in place.runs.path(run_id).iterdir():
            path.unlink()
        place.runs.path(run_id).rmdir()


def test_the_sentinel_exits_with_9_when_a_model_was_swapped(cycled, capsys):
    folder = cycled[0]
    stands, _ = run(folder, "cycle", "--sentinel", "-q", capsys=capsys)
    assert [] == stands["moved"]
    world = folder / "simulated_models.toml"
    declared = world.read_text()
    before = (folder / "routing_config.json").read_bytes()
    world.write_text(declared.replace("accuracy = 0.97", "accuracy = 0.5"))
    try:
        moved, _ = run(folder, "cycle", "--sentinel", "-q", capsys=capsys, code=9)
    finally:
        world.write_text(declared)
    [phase] = moved["drift"]["phases"]
    assert ["atomic"] == moved["moved"]
    assert phase["digest_changed"]
    assert "harness routes rollback --to 1 puts steady back" in phase["way_back"]
    assert before == (folder / "routing_config.json").read_bytes()


def test_nothing_is_offered_where_all_was_applied(cycled, capsys):
    folder, left, _ = cycled
    change, _ = run(folder, "apply", left, capsys=capsys)
    assert ([], False) == (change["diff"], change["applied"])


def test_a_proposed_change_is_taken_and_proven_by_the_next_cycle(cycled, capsys):
    folder = cycled[0]
    toml = folder / "harness.toml"
    toml.write_text(SMALL.replace('baseline = "steady"', 'baseline = "steady"\nauto_apply = "propose"'))
    assert 0 == main(["routes", "rollback", "--to", "1", "-w", str(folder)])
    (folder / "proposals").mkdir(exist_ok=True)
    proposal = {"name": "quick", "phase": "atomic", "hypothesis": "h", "model": "sprinter"}
    proposal["patch"] = {"timeout_s": 4.0}
    (folder / "proposals" / "quick.json").write_text(json.dumps(proposal))
    capsys.readouterr()
    result, _ = run(folder, "cycle", "-q", capsys=capsys)
    assert "proposed" == result["outcome"]["status"]
    answer = json.loads((folder / "proposals" / "quick.verdict.json").read_text())
    assert "proposed" == answer["status"]
    dry, _ = run(folder, "apply", "--dry-run", capsys=capsys)
    assert (False, 1) == (dry["applied"], dry["generation"])
    taken, _ = run(folder, "apply", capsys=capsys)
    assert taken["applied"]
    proven, said = run(folder, "cycle", "-q", capsys=capsys)
    assert taken["continued_by"] == proven["outcome"]["run_id"]
    assert "is gone on with" in said
    assert ("promoted", {"atomic": "sprinter"}) == (
        proven["outcome"]["status"],
        proven["outcome"]["baselines"],
    )
    assert 0 == main(["log", "verify", "-w", str(folder)])
    again = json.loads((folder / "proposals" / "quick.verdict.json").read_text())
    assert "kept" == again["status"]
