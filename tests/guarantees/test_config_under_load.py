"""The routing config among processes: no reader sees a torn or older file, no successful save is lost."""

from __future__ import annotations

import errno
import importlib.util
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from harnesslib import routing, storage
from harnesslib.config_manager import ConfigManager
from harnesslib.errors import ConflictError, DataError
from harnesslib.records import encode_pretty, sha256
from harnesslib.testing import tiny_harness

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
READS, WRITES = 10_000, 500
WRITERS, SAVES = 4, 40

FOLLOWING = """
import os, sys
from pathlib import Path
import msgspec
from harnesslib.config_manager import ConfigManager
from harnesslib.errors import ConflictError

manager = ConfigManager(Path(sys.argv[1]))

def save():
    # Both come from the same bytes, as if this writer thought that it was alone.
    before = manager.routing()
    digest = manager.routing_sha256()
    if before.generation != manager.routing().generation:
        raise ConflictError("changed while it was read")
    words = f"by {os.getpid()}" + "x" * (before.generation % 997)
    rule = msgspec.structs.replace(before.rules[0], reason=words)
    config = msgspec.structs.replace(
        before,
        generation=manager.next_generation(),
        parent_sha256=digest,
        rules=(rule, *before.rules[1:]),
    )
    manager.save(config, expected_generation=before.generation)
    return config.generation
"""
WRITER = f"""{FOLLOWING}
for _ in range({WRITES}):
    sys.stdin.buffer.read(1)
    save()
"""
RIVALS = f"""{FOLLOWING}
gate, opener = os.pipe()
pids = []
for _ in range({WRITERS}):
    pid = os.fork()
    if pid == 0:
        os.close(opener)
        os.read(gate, 1)
        saved, refused = [], 0
        while len(saved) < {SAVES}:
            try:
                saved.append(save())
            except ConflictError:
                refused += 1
        os.write(1, f"{{refused}} {{' '.join(map(str, saved))}}\\n".encode())
        os._exit(0)
    pids.append(pid)
os.close(opener)
sys.exit(any([os.waitpid(pid, 0)[1] for pid in pids]))
"""


def load_fixture():
    path = Path(__file__).resolve().parents[1] / "routing_fixture.py"
    spec = importlib.util.spec_from_file_location("routing_fixture", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fixture = load_fixture()


@pytest.fixture
def manager():
    """A workspace in memory where there is such a place: what is tested here is not the disk's speed."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        manager = ConfigManager(Path(folder))
        manager.initialise(routing.initial(tiny_harness("steady", "sprinter"), now=NOW))
        yield manager


@pytest.fixture
def start(manager):
    """Return a function that starts a script on the workspace; what it started ends with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(script: str) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", script, str(manager.routing_path.parent)]
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def following(manager: ConfigManager, **fields):
    return msgspec.structs.replace(
        manager.routing(),
        generation=manager.next_generation(),
        parent_sha256=manager.routing_sha256(),
        **fields,
    )


def test_ten_thousand_reads_among_five_hundred_writes_see_whole_files_that_never_go_back(manager, start):
    writer, reads, last = start(WRITER), 0, 1
    # The writer gets its next turn after so many reads, so that it is never done before the reader.
    while last <= WRITES:
        if reads % (READS // WRITES) == 0 and reads < READS:
            writer.stdin.write(b"x")
        found = manager.routing().generation  # strict: DataError for a torn, empty or unsound file
        assert last <= found
        last = found
        reads += 1
        if reads % 1000 == 0 and writer.poll():
            pytest.fail(writer.stderr.read().decode())
    assert reads >= READS
    assert b"" == writer.communicate()[1]
    assert WRITES + 1 == manager.routing().generation
    assert list(range(1, WRITES + 2)) == sorted(int(path.stem) for path in manager.generations.iterdir())


def test_every_save_of_rival_processes_is_one_generation_and_none_is_lost(manager, start):
    output, errors = start(RIVALS).communicate()
    assert b"" == errors
    counts = [[int(word) for word in line.split()] for line in output.splitlines()]
    saved = sorted(generation for _, *generations in counts for generation in generations)
    assert WRITERS * SAVES == len(saved) == len(set(saved))
    assert sum(refused for refused, *_ in counts) > 0, "the writers never met"
    stored = {sha256(path.read_bytes()): int(path.stem) for path in manager.generations.iterdir()}
    chain = [manager.routing()]
    while chain[-1].parent_sha256:
        chain.append(manager.generation(stored[chain[-1].parent_sha256]))
    assert [1, *saved] == [config.generation for config in reversed(chain)]
    assert encode_pretty(chain[0]) == manager.routing_path.read_bytes()


def test_while_one_saves_another_is_refused_at_once(manager, monkeypatch):
    mine, others = following(manager), ConfigManager(manager.routing_path.parent)
    theirs, real, refusals = following(others, timestamp=NOW.replace(year=2027)), os.replace, []

    def replace(*args) -> None:
        for change in (
            lambda: others.save(theirs, expected_generation=1),
            lambda: others.restore(1, expected_generation=1),
        ):
            with pytest.raises(ConflictError, match="another process changes it at this moment; cure: hold"):
                change()
            refusals.append(change)
        real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        manager.save(mine, expected_generation=1)
    assert 4 == len(refusals)  # two files are written
    assert mine == manager.routing()
    assert ["000001.json", "000002.json"] == sorted(path.name for path in manager.generations.iterdir())


def test_where_folders_can_not_be_claimed_the_comparison_still_refuses(manager, monkeypatch):
    def unsupported(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")  # what NFS says of a folder

    monkeypatch.setattr(storage.fcntl, "flock", unsupported)
    config = following(manager)
    manager.save(config, expected_generation=1)
    with pytest.raises(ConflictError):
        manager.save(msgspec.structs.replace(config, generation=3), expected_generation=1)


def test_what_killed_writers_left_is_swept_away_by_the_next_save(manager):
    root = manager.routing_path.parent
    left = [root / ".routing_config.json.7-ab.tmp", manager.generations / ".000002.json.7-ab.tmp"]
    kept = [root / ".other.json.7-ab.tmp", root / "routing_config.json.tmp"]
    for path in (*left, *kept):
        path.touch()
    manager.save(following(manager), expected_generation=1)
    assert [False] * 2 + [True] * 2 == [path.exists() for path in (*left, *kept)]


def test_a_full_disk_keeps_the_generation_in_force_and_the_next_save_works_again(tmp_path):
    disk = tmp_path / "disk"
    with fixture.small_disk(disk) as problem:
        if problem:
            pytest.skip(f"can't mount: {problem}")
        root = fixture.workspace(disk / "workspace").config.routing_path.parent
        before = (root / "routing_config.json").read_bytes()
        fixture.fill(disk / "big")
        with pytest.raises(DataError, match=r"No space left on device; cure: free space"):
            fixture.enforce(fixture.effects_of(root))
        assert before == (root / "routing_config.json").read_bytes()
        (disk / "big").unlink()
        fixture.enforce(fixture.effects_of(root))
        fixture.assert_agreement(root)
        fixture.remount(disk, writable=False)
        with pytest.raises(DataError, match=r"Read-only file system; cure: .*mount it writable"):
            fixture.take_back(fixture.effects_of(root))
        fixture.assert_agreement(root)
        fixture.remount(disk, writable=True)
        assert 1 == fixture.take_back(fixture.effects_of(root)).generation
        fixture.assert_agreement(root)
