"""A change of the routing is killed, loses power or gets an error at every call, and nothing is ever torn.

Afterwards the file in force is the old one or the new one, log and file agree, a second recovery finds
nothing to do, and the same change succeeds. Three kinds of misfortune:

- a process is killed at a call, in truth: what it wrote is there, and nothing of it is tidied up;
- the power is cut: of what was not synced, any part may be lost, the names or the contents or both. A disk
  that keeps a record of what was synced is played, and the worst that POSIX allows is built from it;
- a call fails: once, or from then on until the disk is repaired. A failing write has written half.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harnesslib import routing, routing_enforcer
from harnesslib.errors import DataError
from harnesslib.records import RoutingConfig

PATH = Path(__file__).resolve().parents[1] / "routing_fixture.py"
CALLS = ("fsync", "ftruncate", "mkdir", "open", "rename", "replace", "unlink", "write")
"""What is stopped: everything in `os` that the program changes a disk with, and the opening of files."""

KILLER = f"""
import importlib.util, os, shutil, signal, sys
from pathlib import Path

spec = importlib.util.spec_from_file_location("routing_fixture", sys.argv[1])
fixture = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fixture)
template, target, name = Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]

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

step = 0
while True:
    root = target / str(step)
    shutil.copytree(template, root)
    child = os.fork()
    if child == 0:
        effects = fixture.effects_of(root)
        die_at(step)
        try:
            fixture.CHANGES[name][1](effects)
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


def load_fixture():
    spec = importlib.util.spec_from_file_location("routing_fixture", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fixture = load_fixture()
Image = tuple[tuple[str, bytes | None], ...]
"""A folder as (path, content), sorted; a folder in it has no content.

Locks and temporary files are left out: nobody reads them; the killed processes show that they don't matter.
"""


@pytest.fixture
def folder():
    """Hundreds of workspaces are made: in memory, where there is such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as made:
        yield Path(made)


class Case:
    """One change: the workspace before it, and what it must come to."""

    def __init__(self, name: str, folder: Path) -> None:
        prepare, self.change = fixture.CHANGES[name]
        self.before = folder / "before"
        prepare(fixture.workspace(self.before))
        after = folder / "after"
        shutil.copytree(self.before, after)
        self.old = fixture.effects_of(after).config.routing()
        self.old_bytes = (after / "routing_config.json").read_bytes()
        self.new = self.change(fixture.effects_of(after))
        self.folder = folder
        self.made = 0

    def again(self) -> Path:
        """Return a workspace as it was before the change."""
        self.made += 1
        root = self.folder / f"try-{self.made}"
        shutil.copytree(self.before, root)
        return root

    def assert_recovers(self, root: Path) -> tuple[bool, bool]:
        """Return whether the change happened, and whether there was anything to recover."""
        effects = fixture.effects_of(root)
        done = routing_enforcer.recover(effects)
        happened = self.assert_old_or_new(root)
        log = effects.log.path.read_bytes()
        assert "" == routing_enforcer.recover(fixture.effects_of(root))
        assert log == effects.log.path.read_bytes()
        self.assert_goes_on(root)
        return happened, done != ""

    def assert_old_or_new(self, root: Path) -> bool:
        fixture.assert_agreement(root)
        if (root / "routing_config.json").read_bytes() == self.old_bytes:
            return False
        self.assert_new(fixture.effects_of(root).config.routing())
        return True

    def assert_new(self, config: RoutingConfig) -> None:
        # A second try has a number of its own where the first one used one up.
        assert () == routing.diff(config, self.new)

    def assert_goes_on(self, root: Path) -> None:
        """Make the change again, which does nothing where it happened, and find nothing left lying about."""
        self.assert_new(self.change(fixture.effects_of(root)))
        fixture.assert_agreement(root)
        assert [] == [path for path in root.rglob(".*.tmp") if path.parent.name != ".locks"]


@pytest.fixture(params=fixture.CHANGES)
def case(request, folder) -> Case:
    return Case(request.param, folder)


# ---- killed


@pytest.mark.parametrize("name", fixture.CHANGES)
def test_killed_at_every_call_the_next_process_finds_old_or_new_and_goes_on(folder, name):
    case = Case(name, folder)
    target = folder / "killed"
    target.mkdir()
    command = [sys.executable, "-c", KILLER, str(PATH), str(case.before), str(target), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    steps = int(done.stdout)
    results = {case.assert_recovers(target / str(step)) for step in range(steps)}
    # Nothing begun; begun and undone; in force and finished; finished already. Never undone once in force.
    assert {(False, False), (False, True), (True, True), (True, False)} == results
    assert steps >= 25


# ---- power cuts


class PoweredDisk:
    """A folder whose syncs are recorded, and what a power cut may leave of it at every call."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.real = {call: getattr(os, call) for call in (*CALLS, "dup", "close")}
        self.images: set[Image] = set()
        self.synced_names: dict[Path, dict[str, int]] = {}
        self.synced_bytes: dict[int, bytes] = {}
        self.held: list[int] = []
        for path in (root, *root.rglob("*")):
            self.hold(self.real["open"](path, os.O_RDONLY))
            self.sync(self.held[-1])

    def hold(self, descriptor: int) -> None:
        """Keep an inode, so that no other file gets its number."""
        self.held.append(descriptor)

    def sync(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            self.synced_names[path] = self.names(path)
        else:
            self.synced_bytes[os.fstat(descriptor).st_ino] = self.content(descriptor)

    @staticmethod
    def names(folder: Path) -> dict[str, int]:
        return {entry.name: entry.inode() for entry in os.scandir(folder)}

    @staticmethod
    def content(descriptor: int) -> bytes:
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)

    def cut(self) -> None:
        """Note what may be left now: names and contents, each as synced or as written."""
        held = {os.fstat(descriptor).st_ino: descriptor for descriptor in self.held}
        for written_names in (False, True):
            for written_bytes in (False, True):
                image: dict[str, bytes | None] = {}
                self.walk(self.root, image, held, written=(written_names, written_bytes))
                self.images.add(tuple(sorted(image.items())))

    def walk(self, folder: Path, image: dict, held: dict[int, int], *, written: tuple[bool, bool]) -> None:
        names = self.names(folder) if written[0] else self.synced_names.get(folder, {})
        for name, inode in names.items():
            if name == ".locks" or name.endswith(".tmp"):
                continue
            path, where = folder / name, str((folder / name).relative_to(self.root))
            if path.is_dir():
                image[where] = None
                self.walk(path, image, held, written=written)
            elif written[1]:
                image[where] = self.content(held[inode])
            else:
                image[where] = self.synced_bytes.get(inode, b"")

    @contextmanager
    def watched(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for call in CALLS:
                patch.setattr(os, call, getattr(self, call, None) or self.plain(call))
            try:
                yield
            finally:
                patch.undo()
                self.cut()
                for descriptor in self.held:
                    os.close(descriptor)

    def plain(self, call: str) -> Callable:
        def called(*args, **kwargs):
            self.cut()
            return self.real[call](*args, **kwargs)

        return called

    def open(self, path, flags: int, mode: int = 0o777, **kwargs) -> int:
        self.cut()
        descriptor = self.real["open"](path, flags, mode, **kwargs)
        self.hold(self.real["open"](f"/proc/self/fd/{descriptor}", os.O_RDONLY))
        return descriptor

    def write(self, descriptor: int, data) -> int:
        self.cut()
        half = len(data) // 2
        done = self.real["write"](descriptor, bytes(data)[:half]) if half else 0
        self.cut()
        return done or self.real["write"](descriptor, data)

    def fsync(self, descriptor: int) -> None:
        self.cut()
        self.sync(descriptor)


def build(image: Image, root: Path) -> Path:
    root.mkdir()
    for name, content in image:
        if content is None:
            (root / name).mkdir()
        else:
            (root / name).write_bytes(content)
    return root


def power_cuts(root: Path, change: Callable[[Path], object]) -> tuple[set[Image], Image]:
    """Return what may be left by a power cut during a change, and what must be left by one after it."""
    disk = PoweredDisk(root)
    with disk.watched():
        change(root)
    image: dict[str, bytes | None] = {}
    disk.walk(root, image, {}, written=(False, False))
    return disk.images, tuple(sorted(image.items()))


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the played disk reads /proc")


@on_linux
def test_a_power_cut_at_any_moment_leaves_old_or_new_and_after_the_end_it_leaves_the_new(case, folder):
    images, last = power_cuts(case.again(), lambda root: case.change(fixture.effects_of(root)))
    results = set()
    for number, image in enumerate(sorted(images, key=repr)):
        results.add(case.assert_recovers(build(image, folder / f"cut-{number}")))
    assert {(False, False), (False, True), (True, True), (True, False)} == results
    assert len(images) > 10
    final = build(last, folder / "final")
    assert case.assert_old_or_new(final)
    assert (True, False) == case.assert_recovers(final)


@on_linux
def test_a_power_cut_during_a_recovery_is_recovered_from(folder):
    case = Case("enforce", folder)
    images, _ = power_cuts(case.again(), lambda root: case.change(fixture.effects_of(root)))
    second: set[Image] = set()
    for number, image in enumerate(sorted(images, key=repr)):
        root = build(image, folder / f"cut-{number}")
        left, _ = power_cuts(root, lambda root: routing_enforcer.recover(fixture.effects_of(root)))
        second |= left
    fresh = sorted(second - images, key=repr)
    assert fresh
    for number, image in enumerate(fresh):
        case.assert_recovers(build(image, folder / f"again-{number}"))


@on_linux
def test_a_power_cut_while_a_workspace_is_made_leaves_one_that_serves_or_is_made_again(folder):
    (folder / "new").mkdir()
    images, last = power_cuts(folder / "new", fixture.workspace)
    served = set()
    for number, image in enumerate(sorted(images, key=repr)):
        root = build(image, folder / f"cut-{number}")
        served.add((root / "routing_config.json").exists())
        if (root / "routing_config.json").exists():
            routing_enforcer.recover(fixture.effects_of(root))
        else:
            fixture.workspace(root)
        fixture.assert_agreement(root)
    assert {True, False} == served
    fixture.assert_agreement(build(last, folder / "final"))


# ---- failing calls


@contextmanager
def failing(step: int, number: int, *, for_good: bool) -> Iterator[list[str]]:
    """Let the calls on a disk fail at a step, or from it on; yields what failed."""
    left, failed = [step], []

    def breaking(call: str, real: Callable) -> Callable:
        def called(*args, **kwargs):
            left[0] -= 1
            if left[0] == -1 or (for_good and left[0] < 0):
                failed.append(call)
                if call == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                raise OSError(number, os.strerror(number))
            return real(*args, **kwargs)

        return called

    with pytest.MonkeyPatch.context() as patch:
        for call in CALLS:
            patch.setattr(os, call, breaking(call, getattr(os, call)))
        yield failed


NUMBERS = (errno.ENOSPC, errno.EIO, errno.EROFS)


def fail_at(case: Case, step: int, number: int, *, for_good: bool) -> bool:
    """Return whether the change got as far as the step; assert that nothing is lost by its failure."""
    root, told = case.again(), ""
    with failing(step, number, for_good=for_good) as failed:
        try:
            case.assert_new(case.change(fixture.effects_of(root)))
        except DataError as error:
            told = str(error)
    if not failed:
        return False
    if told:
        assert os.strerror(number) in told
        assert "; cure: " in told
    else:  # it did not matter: what can't be removed is swept up later, and the folder was there already
        assert failed[0] in {"unlink", "mkdir"}
        assert case.assert_old_or_new(root)
    case.assert_recovers(root)
    return True


def test_a_failure_at_any_call_is_told_and_once_the_disk_is_well_the_change_succeeds(case):
    step = 0
    while fail_at(case, step, NUMBERS[step % 3], for_good=step % 2 == 0):
        step += 1
    assert step >= 25


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
@pytest.mark.parametrize("for_good", [True, False], ids=["for good", "once"])
def test_every_failure_at_any_call_is_told_and_leaves_nothing_behind(case, number, for_good):
    step = 0
    while fail_at(case, step, number, for_good=for_good):
        step += 1
    assert step >= 25


def test_a_disk_that_takes_a_byte_at_a_time_gets_everything(case, monkeypatch):
    root, real = case.again(), os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:1]))
        assert case.new == case.change(fixture.effects_of(root))
    fixture.assert_agreement(root)
