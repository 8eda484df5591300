"""What stands about locks, and what may be cleared away: never anything of a holder that lives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from harnesslib.errors import LockedError
from harnesslib.lock_manager import LockManager

HOLDER = """
import sys
from pathlib import Path
from harnesslib.lock_manager import LockManager
with LockManager(Path(sys.argv[1]), command="harness cycle").hold("routing", wait_s=0):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def locks(tmp_path) -> LockManager:
    return LockManager(tmp_path, command="pytest")


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert "held\n" == process.stdout.readline()
        yield process
        process.stdin.close()


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_no_lock_was_ever_taken(locks, tmp_path):
    assert () == locks.states()
    assert () == LockManager(tmp_path / "none", command="pytest").states()
    assert not locks.clear("routing")
    assert [] == list(tmp_path.iterdir())


def test_every_lock_is_listed_with_its_state_and_holder(locks, holder):
    with locks.hold("cycle", wait_s=0):
        pass
    free, held = locks.states()
    assert ("cycle", "free", None) == (free.name, free.state, free.owner)
    assert ("routing", "held", holder.pid) == (held.name, held.state, held.owner.pid)


def test_what_a_dead_holder_left_is_stale_and_is_cleared_once(locks, holder, tmp_path):
    kill(holder)
    assert "stale" == locks.state("routing").state
    assert locks.clear("routing")
    assert "free" == locks.state("routing").state
    assert not locks.clear("routing")
    assert ["routing.lock"] == [path.name for path in tmp_path.iterdir()]


def test_a_note_without_a_lock_file_is_stale_too(locks, tmp_path):
    (tmp_path / "routing.owner.json").write_text("{torn")
    assert ["stale"] == [state.state for state in locks.states()]
    assert locks.clear("routing")


def test_the_note_of_a_live_holder_is_not_cleared_and_the_holder_is_named(locks, holder, tmp_path):
    with pytest.raises(LockedError, match=rf"pid {holder.pid} on .*`harness cycle`"):
        locks.clear("routing")
    assert (tmp_path / "routing.owner.json").exists()


def test_a_holder_whose_note_is_torn_still_holds(locks, holder, tmp_path):
    (tmp_path / "routing.owner.json").write_text("{torn")
    assert ("held", None) == (locks.state("routing").state, locks.state("routing").owner)
    with pytest.raises(LockedError, match="left no note"):
        locks.clear("routing")


def test_a_lock_of_this_process_is_not_cleared(locks):
    with locks.hold("routing", wait_s=0):
        with pytest.raises(LockedError, match=f"pid {os.getpid()}"):
            locks.clear("routing")
        assert os.getpid() == locks.owner("routing").pid


def test_a_cleared_lock_can_be_taken(locks, holder):
    kill(holder)
    locks.clear("routing")
    with locks.hold("routing", wait_s=0):
        assert os.getpid() == locks.owner("routing").pid
