"""One holder at any time, whoever asks and whatever dies: crowds of real processes, full disks, forks.

The crowds are forked by a small process of their own, which has one thread and everything imported: fifty
interpreters would start one after another and hardly ever meet.
"""

from __future__ import annotations

import errno
import fcntl
import importlib.util
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harnesslib import processes
from harnesslib.errors import DataError, LockedError
from harnesslib.lock_manager import LockManager
from harnesslib.records import LockOwner, encode_pretty


def load_fixture():
    path = Path(__file__).resolve().parents[1] / "routing_fixture.py"
    spec = importlib.util.spec_from_file_location("routing_fixture", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fixture = load_fixture()
CONTENDERS = 50

CROWD = """
import os, signal, sys
from pathlib import Path
from harnesslib.errors import LockedError
from harnesslib.lock_manager import LockManager

folder, count, job = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
locks = LockManager(folder / "locks", command=job)
diary = os.open(folder / "diary", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
gate, opener = os.pipe()
over, ender = os.pipe()

def note(word, number):
    os.write(diary, f"{word} {number}\\n".encode())

def contend(number):
    for _ in range(3):
        with locks.hold("routing", wait_s=100):
            note("enter", number)
            note("leave", number)

def die(number):
    with locks.hold("routing", wait_s=100):
        note("enter", number)
        if number % 3 == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        note("leave", number)

def take(number):
    try:
        with locks.hold("routing", wait_s=0):
            note("won", number)
            os.write(1, b".")
            os.read(over, 1)
    except LockedError:
        note("lost", number)
        os.write(1, b".")

pids = []
for number in range(count):
    pid = os.fork()
    if pid == 0:
        os.close(opener)
        os.close(ender)
        os.read(gate, 1)
        {"contend": contend, "die": die, "take": take}[job](number)
        os._exit(0)
    pids.append(pid)
os.close(opener)
sys.stdin.read()
os.close(ender)
print(*[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids])
"""

FORKING = """
import os, sys
from pathlib import Path
from harnesslib.errors import LockedError
from harnesslib.lock_manager import LockManager

folder, way = Path(sys.argv[1]), sys.argv[2]
locks = LockManager(folder, command="parent")
asking, answering = os.pipe()
parent = os.getpid()
try:
    with locks.hold("routing", wait_s=0):
        child = os.fork()
        if child == 0:
            assert parent == locks.owner("routing").pid
            try:
                with locks.hold("routing", wait_s=0):
                    os._exit(1)
            except LockedError as error:
                assert f"pid {parent} on" in str(error)
            if way == "at once":
                os._exit(0)
            if way == "exit":
                sys.exit(0)
            if way == "error":
                raise RuntimeError
        else:
            assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            print("child is gone", flush=True)
            sys.stdin.read()
except RuntimeError:
    assert parent != os.getpid()
"""

ORPHAN = """
import os, subprocess, sys
from pathlib import Path
from harnesslib.lock_manager import LockManager

with LockManager(Path(sys.argv[1]), command="parent").hold("routing", wait_s=0):
    if sys.argv[2] == "fork":
        if os.fork() == 0:
            print(os.getpid(), flush=True)
            sys.stdin.read()
            os._exit(0)
    else:
        code = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
        subprocess.Popen([sys.executable, "-c", code], close_fds=False)
    os.read(os.pipe()[0], 1)
"""


@pytest.fixture
def start():
    """Return a function that starts a script; what it started ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(script: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def crowd(start, folder: Path, count: int, job: str) -> tuple[list[str], list[int]]:
    """Let processes loose on one lock; return what they noted, in order, and their exit codes."""
    process = start(CROWD, folder, count, job)
    if job == "take":  # whoever won holds on until everybody noted
        assert "." * count == process.stdout.read(count)
    output, errors = process.communicate()
    assert (0, "") == (process.returncode, errors)
    return (folder / "diary").read_text().splitlines(), [int(code) for code in output.split()]


def stale(folder: Path, **fields) -> None:
    """Leave the lock file and the note of a holder; by default of this process, which holds nothing."""
    mine = {
        "pid": os.getpid(),
        "pid_started": processes.started(),
        "boot_id": processes.boot_id(),
        "host": processes.host(),
        "command": "harness run",
        "since": datetime.now(UTC),
    }
    folder.mkdir(exist_ok=True)
    (folder / "routing.lock").touch()
    (folder / "routing.owner.json").write_bytes(encode_pretty(LockOwner(**(mine | fields))))


# ---- crowds


def test_of_fifty_contending_processes_exactly_one_is_in_at_any_time(tmp_path, start):
    diary, codes = crowd(start, tmp_path, CONTENDERS, "contend")
    assert [0] * CONTENDERS == codes
    assert 2 * 3 * CONTENDERS == len(diary)
    for entered, left in zip(diary[::2], diary[1::2], strict=True):
        assert ("enter", left.replace("leave", "enter")) == (entered.split()[0], entered)
    assert ["routing.lock"] == [path.name for path in (tmp_path / "locks").iterdir()]


def test_among_fifty_processes_the_killed_holders_stop_nobody(tmp_path, start):
    diary, codes = crowd(start, tmp_path, CONTENDERS, "die")
    assert [-9 if number % 3 == 0 else 0 for number in range(CONTENDERS)] == codes
    assert CONTENDERS == sum(line.startswith("enter") for line in diary)
    inside = ""
    for word, number in map(str.split, diary):
        if word == "leave":
            assert inside == number
            inside = ""
        else:
            assert inside == "" or int(inside) % 3 == 0, "somebody came in while the holder was alive"
            inside = number


@pytest.mark.parametrize(
    "fields",
    [
        {"pid": 2**22 + 1},
        {"pid_started": 1.0},
        {"boot_id": "an earlier boot"},
        {"host": "another host"},
        {},
    ],
    ids=["dead pid", "recycled pid", "earlier boot", "foreign host", "alive, but holds nothing"],
)
def test_of_the_takers_of_a_stale_lock_exactly_one_wins(tmp_path, start, fields):
    for attempt in range(2):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        stale(folder / "locks", **fields)
        diary, codes = crowd(start, folder, 8, "take")
        assert [0] * 8 == codes
        assert ["lost"] * 7 + ["won"] == sorted(line.split()[0] for line in diary)


# ---- no live holder is robbed, whatever its note says


@pytest.mark.parametrize(
    "fields",
    [
        {"pid": 2**22 + 1},
        {"pid_started": 1.0},
        {"boot_id": "an earlier boot"},
        {"host": "another host", "boot_id": "another boot"},
    ],
    ids=["dead pid", "recycled pid", "earlier boot", "foreign host"],
)
def test_a_lock_that_the_kernel_says_is_held_is_held_whatever_the_note_says(tmp_path, fields):
    stale(tmp_path, **fields)
    note = (tmp_path / "routing.owner.json").read_bytes()
    holder = os.open(tmp_path / "routing.lock", os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    locks = LockManager(tmp_path, command="pytest")
    try:
        with pytest.raises(LockedError), locks.hold("routing", wait_s=0):
            pass
        assert note == (tmp_path / "routing.owner.json").read_bytes()
    finally:
        os.close(holder)
    with locks.hold("routing", wait_s=0):
        assert os.getpid() == locks.owner("routing").pid


def test_who_only_asks_for_the_owner_keeps_nobody_out(tmp_path, monkeypatch):
    # To ask the kernel is to hold a free lock for an instant; the instant is played here.
    real, calls = fcntl.flock, []

    def flock(descriptor: int, operation: int) -> None:
        calls.append(operation)
        if len(calls) == 1:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with LockManager(tmp_path, command="pytest").hold("routing", wait_s=0):
        assert 2 == len(calls)


# ---- forks


@pytest.mark.parametrize("way", ["at once", "exit", "error"])
def test_a_forked_child_neither_holds_its_parents_lock_nor_frees_it(tmp_path, start, way):
    parent = start(FORKING, tmp_path, way)
    assert "child is gone\n" == parent.stdout.readline()
    locks = LockManager(tmp_path, command="pytest")
    assert parent.pid == locks.owner("routing").pid
    with pytest.raises(LockedError, match=f"pid {parent.pid} on"), locks.hold("routing", wait_s=0):
        pass
    _, errors = parent.communicate()
    assert (0, "") == (parent.returncode, errors)
    with locks.hold("routing", wait_s=0):
        pass


@pytest.mark.parametrize("way", ["fork", "exec"])
def test_a_child_that_outlives_a_killed_holder_blocks_nobody(tmp_path, start, way):
    parent = start(ORPHAN, tmp_path, way)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    with LockManager(tmp_path, command="pytest").hold("routing", wait_s=0):
        assert Path(f"/proc/{child}").exists() or sys.platform != "linux"
    assert ("", "") == parent.communicate()  # the child had the other ends, and is gone


# ---- disks


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    with fixture.small_disk(tmp_path / "disk") as problem:
        if problem:
            pytest.skip(f"can't mount: {problem}")
        yield tmp_path / "disk"


def test_a_full_disk_is_told_and_once_there_is_space_the_lock_is_free(disk):
    locks = LockManager(disk / "locks", command="pytest")
    with locks.hold("routing", wait_s=0):
        pass
    fixture.fill(disk / "big")
    words = r"owner.json: can't write: No space left on device; cure: free space"
    with pytest.raises(DataError, match=words), locks.hold("routing", wait_s=0):
        pytest.fail("nobody would know who holds it")
    (disk / "big").unlink()
    with locks.hold("routing", wait_s=0):
        assert os.getpid() == locks.owner("routing").pid


@pytest.mark.parametrize("known", [True, False], ids=["a lock file is there", "no lock file"])
def test_a_read_only_disk_is_told(disk, known):
    locks = LockManager(disk, command="pytest")
    if known:
        (disk / "routing.lock").touch()
    fixture.remount(disk, writable=False)
    words = r"routing.lock: can't lock: Read-only.*; cure: .* mount it writable"
    with pytest.raises(DataError, match=words), locks.hold("routing", wait_s=0):
        pass
    assert locks.owner("routing") is None
    fixture.remount(disk, writable=True)
    with locks.hold("routing", wait_s=0):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_told(tmp_path):
    locks = LockManager(tmp_path, command="pytest")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DataError, match="cure: give this user write"), locks.hold("routing", wait_s=0):
            pass
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.ENOLCK])
@pytest.mark.parametrize("call", ["open", "mkdir", "write", "replace", "flock"])
def test_a_failure_at_any_call_is_told_and_leaves_the_lock_free(tmp_path, monkeypatch, call, number):
    locks = LockManager(tmp_path / "locks", command="pytest")

    def fail(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    module = fcntl if call == "flock" else os
    with monkeypatch.context() as patch:
        patch.setattr(module, call, fail)
        with pytest.raises(DataError, match=r"locks.*: can't .*; cure: "), locks.hold("routing", wait_s=0):
            pass
    with locks.hold("routing", wait_s=0):
        assert os.getpid() == locks.owner("routing").pid
