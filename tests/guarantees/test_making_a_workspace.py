"""Killed at any call while a workspace is made: making it again finishes it, and keeps what was written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harnesslib import routing_enforcer
from harnesslib.cli import main
from harnesslib.records import encode
from harnesslib.testing import tiny_suite
from harnesslib.workspace import Workspace

TOML = """
version = 1

[endpoints.local]
base_url = "http://127.0.0.1:9/v1"

[[models]]
id = "steady"
endpoint = "local"

[phases.atomic]
suite = "doubling.json"
baseline = "steady"
"""
FILES = {"doubling.json": encode(tiny_suite("doubling")).decode().replace('"notes":""', '"notes":"Twice."')}
CALLS = ("fsync", "ftruncate", "mkdir", "open", "rename", "replace", "unlink", "write")

KILLER = f"""
import os, signal, sys
from pathlib import Path
from harnesslib.workspace import Workspace

target, toml, files = Path(sys.argv[1]), {TOML!r}, {FILES!r}

def die_at(step):
    left = [step]

    def dying(call, real):
        def stopped(*args, **kwargs):
            if left[0] == 0:
                if call == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return real(*args, **kwargs)
        return stopped

    for call in {CALLS}:
        setattr(os, call, dying(call, getattr(os, call)))

Workspace(target / "warm").initialise(toml, files)  # whatever is imported late is imported now
step = 0
while True:
    child = os.fork()
    if child == 0:
        die_at(step)
        try:
            Workspace(target / str(step)).initialise(toml, files)
        except BaseException as error:
            os.write(2, repr(error).encode())
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == 0:
        break
    assert status == -signal.SIGKILL, status
    step += 1
print(step)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_killed_at_every_call_it_is_finished_or_made_again(tmp_path, capsys):
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(tmp_path)], check=False, capture_output=True, text=True
    )
    assert (0, "") == (done.returncode, done.stderr)
    steps = int(done.stdout)
    ways = [assert_made(tmp_path / str(step), capsys) for step in range(steps)]
    assert {"made again", "finished", "was ready"} == set(ways)
    assert steps >= 30


def assert_made(root: Path, capsys) -> str:
    """Make a workspace that was stopped, as `harness init` does; returns what was left to do."""
    place = Workspace(root)
    if not place.exists():
        place.initialise(TOML, FILES)
        way = "made again"
    else:
        ready = not place.is_unfinished()
        assert (2 if ready else 0) == main(["init", str(root), "--demo"])
        said = capsys.readouterr()
        assert (
            "there is a harness.toml already" if ready else "Finished the workspace"
        ) in said.err + said.out
        way = "was ready" if ready else "finished"
    assert TOML == (root / "harness.toml").read_text()
    assert "" == routing_enforcer.recover(place.stores())
    assert ["init"] == [entry.event for entry in place.log.entries()]
    assert () == place.log.verify(place.config.routing_sha256(), 1).problems
    assert place.config.routing() == place.config.generation(1)
    assert not place.is_unfinished()
    return way


def test_a_harness_file_written_by_hand_becomes_a_workspace(tmp_path, capsys):
    (tmp_path / "harness.toml").write_text(TOML)
    (tmp_path / "doubling.json").write_text(FILES["doubling.json"])
    assert 0 == main(["init", str(tmp_path)])
    assert (
        f"Finished the workspace of the harness.toml in {tmp_path} with 1 models" in capsys.readouterr().out
    )
    assert "steady" == Workspace(tmp_path).config.routing().baselines["atomic"].spec.model


def test_a_workspace_that_lost_its_routing_is_not_made_anew(tmp_path, capsys):
    place = Workspace(tmp_path)
    place.initialise(TOML, FILES)
    place.config.routing_path.unlink()
    assert 2 == main(["init", str(tmp_path), "--demo"])
    assert "there is a harness.toml already" in capsys.readouterr().err
