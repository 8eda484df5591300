"""Locks: one holder, a clear word to the others, no dead holder that blocks, no live one that is robbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from harnesslib import lock_manager, processes
from harnesslib.errors import DataError, InputError, LockedError
from harnesslib.lock_manager import LockManager
from harnesslib.records import LockOwner, encode_pretty

HOLDER = """
import sys
from pathlib import Path
from harnesslib.lock_manager import LockManager
with LockManager(Path(sys.argv[1]), command="harness cycle").hold("routing", wait_s=0):
    print("held", flush=True)
    sys.stdin.read()
"""
CONTENDER = """
import sys
from pathlib import Path
from harnesslib.errors import LockedError
from harnesslib.lock_manager import LockManager
sys.stdin.readline()
try:
    with LockManager(Path(sys.argv[1]), command="contender").hold("routing", wait_s=0):
        print("won", flush=True)
        sys.stdin.readline()
except LockedError:
    print("lost", flush=True)
"""


def start(script: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    process.stdin.close()
    process.wait()
    process.stdout.close()


@pytest.fixture
def holder(tmp_path):
    process = start(HOLDER, tmp_path)
    assert "held\n" == process.stdout.readline()
    yield process
    finish(process)


def note(folder: Path, **fields) -> None:
    mine = {
        "pid": os.getpid(),
        "pid_started": processes.started(),
        "boot_id": processes.boot_id(),
        "host": processes.host(),
        "command": "harness run",
        "since": datetime.now(UTC),
    }
    (folder / "routing.owner.json").write_bytes(encode_pretty(LockOwner(**(mine | fields))))


@pytest.fixture
def locks(tmp_path) -> LockManager:
    return LockManager(tmp_path, command="pytest")


def test_a_holder_is_known_while_it_holds_and_leaves_the_lock_file_but_no_note(locks, tmp_path):
    assert locks.owner("routing") is None
    with locks.hold("routing", wait_s=0):
        owner = locks.owner("routing")
        assert (os.getpid(), "pytest", processes.host()) == (owner.pid, owner.command, owner.host)
    assert locks.owner("routing") is None
    assert ["routing.lock"] == [path.name for path in tmp_path.iterdir()]


def test_the_folder_is_made_when_it_is_needed(tmp_path):
    locks = LockManager(tmp_path / "a" / "b", command="pytest")
    assert locks.owner("routing") is None
    with locks.hold("routing", wait_s=0):
        assert (tmp_path / "a" / "b" / "routing.lock").exists()


def test_a_lock_is_free_again_after_an_error(locks):
    with pytest.raises(RuntimeError), locks.hold("routing", wait_s=0):
        raise RuntimeError
    with locks.hold("routing", wait_s=0):
        pass


def test_a_live_holder_is_never_robbed_and_is_named(locks, holder):
    with pytest.raises(LockedError) as caught, locks.hold("routing", wait_s=0.1):
        pass
    words = str(caught.value)
    assert f"pid {holder.pid} on {processes.host()} (since " in words
    assert "`harness cycle`" in words
    assert "waited 0.1 s" in words
    assert holder.pid == locks.owner("routing").pid


def test_a_killed_holder_blocks_nobody_though_its_note_is_still_there(locks, holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "routing.owner.json").exists()
    assert locks.owner("routing") is None
    with locks.hold("routing", wait_s=0):
        assert os.getpid() == locks.owner("routing").pid


def test_who_waits_gets_the_lock_when_the_holder_goes(locks, holder):
    threading.Timer(0.05, holder.stdin.close).start()
    with locks.hold("routing", wait_s=30):
        assert os.getpid() == locks.owner("routing").pid


@pytest.mark.parametrize(
    "fields",
    [
        {"pid": 2**22 + 1},  # above the kernel's largest pid
        {"pid_started": 1.0},  # the pid is used again by another process
        {"boot_id": "an earlier boot"},
        {},  # alive, but it holds nothing: the kernel knows
        {"host": "another host"},
    ],
)
def test_a_note_without_a_lock_means_nobody(locks, tmp_path, fields):
    note(tmp_path, **fields)
    assert locks.owner("routing") is None
    (tmp_path / "routing.lock").touch()
    assert locks.owner("routing") is None
    with locks.hold("routing", wait_s=0):
        assert "pytest" == locks.owner("routing").command


def test_a_holder_on_another_host_is_named(locks, holder, tmp_path):
    note(tmp_path, host="another host", pid=7, command="harness run")
    with pytest.raises(LockedError, match="pid 7 on another host"), locks.hold("routing", wait_s=0):
        pass
    assert 7 == locks.owner("routing").pid


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid": "x"}', None])
def test_a_holder_without_a_readable_note_still_holds(locks, holder, tmp_path, content):
    path = tmp_path / "routing.owner.json"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(LockedError, match="left no note"), locks.hold("routing", wait_s=0):
        pass


def test_two_takers_of_a_dead_holders_lock_never_both_win(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    contenders = [start(CONTENDER, tmp_path) for _ in range(4)]
    for contender in contenders:
        contender.stdin.write("go\n")
        contender.stdin.flush()
    results = [contender.stdout.readline().strip() for contender in contenders]
    for contender in contenders:
        finish(contender)
    assert 1 == results.count("won")
    assert 3 == results.count("lost")


def test_a_second_take_in_the_same_process_is_refused_at_once(locks, tmp_path):
    with locks.hold("routing", wait_s=0):
        other = LockManager(tmp_path, command="another manager")
        with pytest.raises(LockedError, match="not re-entrant"), other.hold("routing", wait_s=3600):
            pass
        with locks.hold("another", wait_s=0):
            pass


def test_a_second_thread_is_refused_with_the_name_of_the_first(locks):
    caught: list[LockedError] = []

    def take() -> None:
        try:
            with locks.hold("routing", wait_s=3600):
                pass
        except LockedError as error:
            caught.append(error)

    with locks.hold("routing", wait_s=0):
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
    assert "thread MainThread" in str(caught[0])


def test_a_lock_whose_note_can_not_be_written_is_free_again(locks, monkeypatch):
    def full(*_args, **_options) -> None:
        raise DataError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(lock_manager, "write_atomic", full)
        with pytest.raises(DataError), locks.hold("routing", wait_s=0):
            pass
    with locks.hold("routing", wait_s=0):
        pass


@pytest.mark.parametrize("wait_s", [float("inf"), float("nan"), -1.0])
def test_there_is_no_waiting_without_a_limit(locks, wait_s):
    with pytest.raises(InputError, match="0 or more seconds"), locks.hold("routing", wait_s=wait_s):
        pass


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "a\n", ".hidden"])
def test_a_name_leads_nowhere_else(locks, name):
    with pytest.raises(InputError), locks.hold(name, wait_s=0):
        pass


def test_a_forked_child_knows_that_its_parent_holds(locks, holder):
    # The child of a process which holds a lock must wait for it like anybody else.
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from harnesslib.errors import LockedError\n"
        "from harnesslib.lock_manager import LockManager\n"
        "locks = LockManager(Path(sys.argv[1]), command='parent')\n"
        "with locks.hold('forked', wait_s=0):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        try:\n"
        "            with locks.hold('forked', wait_s=0): os._exit(1)\n"
        "        except LockedError as error:\n"
        "            os._exit(0 if f'pid {os.getppid()}' in str(error) else 2)\n"
        "    _, status = os.waitpid(child, 0)\n"
        "sys.exit(os.waitstatus_to_exitcode(status))\n"
    )
    folder = str(locks._folder)  # noqa: SLF001
    command = [sys.executable, "-c", script, folder]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)


# ---- which process is which


def test_a_process_is_known_by_its_pid_and_its_start():
    mine = processes.started()
    assert processes.is_alive(os.getpid(), mine)
    assert not processes.is_alive(os.getpid(), mine - 60)
    assert not processes.is_alive(2**22 + 1, mine)
    assert not processes.is_alive(-1, mine)


def test_a_process_that_may_not_be_looked_at_is_alive(monkeypatch):
    def denied(_pid):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "Process", denied)
    assert processes.is_alive(1, 0.0)


def test_a_zombie_is_dead():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = processes.started(child.pid)
    assert processes.is_alive(child.pid, began)
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not processes.is_alive(child.pid, began)
    child.wait()


def test_a_machine_without_boot_ids_is_named_by_its_boot_time(monkeypatch):
    assert processes.boot_id() == processes.boot_id()
    monkeypatch.setattr(processes, "_BOOT_ID", Path("/no/such/file"))
    assert processes.boot_id().startswith("boot-")
