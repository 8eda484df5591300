"""A disk fails under a cycle, at every call in turn: it is told, nothing is torn, the cycle goes on later.

The whole of a cycle's files: journal, records, events, manifest, routing, log, seal and report. A call fails
once, or from then on until the disk is repaired; a failing write has written half.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from harnesslib.cli import main
from harnesslib.cli.cycles import render
from harnesslib.cycle_history import load_records
from harnesslib.errors import DataError
from harnesslib.meta_harness_loop import Cycle
from harnesslib.records import Manifest, encode_pretty
from harnesslib.run_seal import SEAL
from harnesslib.testing import FakeClient, tiny_suite
from harnesslib.workspace import Workspace

PATH = Path(__file__).resolve().parents[1] / "finished_cycle.py"
CALLS = ("fsync", "ftruncate", "mkdir", "open", "rename", "replace", "unlink", "write")
NUMBERS = (errno.ENOSPC, errno.EIO, errno.EROFS)
IN_CI = 14
FILE_LIMIT = 4096
IN_PASSING = re.compile(r"/\.locks/|/\.(report\.html|index\.html|seal\.json|heartbeat\.json)\.")
"""Whose temporary files may be left where even their removal failed: others may be writing them."""


def load_fixture():
    spec = importlib.util.spec_from_file_location("finished_cycle", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fixture = load_fixture()


@contextmanager
def failing(step: int, number: int, *, for_good: bool) -> Iterator[list[str]]:
    """Let the calls on a disk fail at a step, or from it on; yields every call that was made or failed."""
    calls: list[str] = []

    def breaking(call: str, real: Callable) -> Callable:
        def called(*args, **kwargs):
            calls.append(call)
            if len(calls) - 1 == step or (for_good and len(calls) > step >= 0):
                if call == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                raise OSError(number, os.strerror(number))
            return real(*args, **kwargs)

        return called

    with pytest.MonkeyPatch.context() as patch:
        for call in CALLS:
            patch.setattr(os, call, breaking(call, getattr(os, call)))
        yield calls


def go_on(root: Path, run_id: str) -> None:
    """Run a cycle, or go on with it, to its sealed report."""
    with Workspace(root) as place:
        effects = replace(
            place.stores(),
            clients={"local": FakeClient(fixture.answer, models=fixture.MODELS)},
            suites={"atomic-quick": tiny_suite("atomic-quick", cases=12)},
            events=place.runs.event_log(run_id),
        )
        Cycle(effects, run_id).run()
        if not (place.runs.path(run_id) / "cycle.ipynb").exists():
            fixture.execute(place, load_records(place.stores(), run_id))
        render(place, run_id)


def taken(root: Path, run_id: str) -> dict:
    with Workspace(root) as place:
        samples = place.runs.samples(run_id)
    found = {sample.key: sample for sample in samples}
    assert len(found) == len(samples)
    return found


class Case:
    """A workspace with a cycle that has not begun, and what it comes to on a good disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before = folder / "before"
        with Workspace(self.before) as place:
            place.initialise(fixture.TOML, {})
            self.run_id = place.new_cycle()
        root = self.again(-1)
        with failing(-1, 0, for_good=False) as calls:
            go_on(root, self.run_id)
        self.steps = len(calls)
        self.end = self.ended(root)

    def again(self, step: int) -> Path:
        root = self.folder / f"try-{step}"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.before, root)
        return root

    def ended(self, root: Path) -> tuple[object, ...]:
        with Workspace(root) as place:
            assert "done" == place.runs.manifest(self.run_id).status
            assert () == place.runs.check(self.run_id)
            assert (place.runs.path(self.run_id) / SEAL).exists()
            serves = place.config.routing().baselines["atomic"].spec
        assert 0 == main(["log", "verify", "-w", str(root)])
        assert [] == [path for path in root.rglob(".*.tmp") if not IN_PASSING.search(str(path))]
        samples = taken(root, self.run_id).items()
        return sorted((key, sample.seed, sample.outcome) for key, sample in samples), serves

    def survive(self, step: int, number: int, *, for_good: bool) -> bool:
        """Let the disk fail at a step, then go on; returns whether the failure was told."""
        root, told = self.again(step), ""
        with failing(step, number, for_good=for_good):
            try:
                go_on(root, self.run_id)
            except DataError as error:
                told = str(error)
        if told:
            assert os.strerror(number) in told
            assert "; cure: " in told
        before = taken(root, self.run_id)
        go_on(root, self.run_id)
        after = taken(root, self.run_id)
        assert before == {key: after[key] for key in before}
        assert self.end == self.ended(root)
        shutil.rmtree(root)
        return bool(told)


@pytest.fixture(scope="module")
def case():
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as made:
        yield Case(Path(made))


def faults(case: Case, steps) -> tuple[int, int]:
    """Inject a fault at each step, all kinds in turn; returns how many, and how many were told."""
    told = [case.survive(step, NUMBERS[n % 3], for_good=n % 2 == 0) for n, step in enumerate(steps)]
    return len(told), sum(told)


def test_a_cycle_on_a_failing_disk_tells_it_and_goes_on_once_the_disk_is_well(case, capsys):
    stride = case.steps // IN_CI
    injected, told = faults(case, range(stride // 2, case.steps, stride))
    assert injected >= IN_CI
    assert told > injected / 2  # what can't be removed does not matter, and is not told
    with capsys.disabled():
        print(f"\n{injected} of {case.steps} calls failed, {told} were told, all survived")  # noqa: T201


@pytest.mark.exhaustive
@pytest.mark.timeout(2 * 3600)
def test_a_cycle_survives_a_failure_at_every_call(case, capsys):
    injected, told = faults(case, range(case.steps))
    with capsys.disabled():
        print(f"\n{injected} of {case.steps} calls failed, {told} were told, all survived")  # noqa: T201


def test_a_disk_that_takes_a_few_bytes_at_a_time_gets_everything(case, monkeypatch):
    root, real = case.again(-2), os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:50]))
        go_on(root, case.run_id)
    assert case.end == case.ended(root)


def test_a_file_that_can_not_grow_is_told_also_where_another_library_writes_it(case):
    root = case.again(-3)
    go_on(root, case.run_id)
    with Workspace(root) as place:
        folder, manifest = place.runs.path(case.run_id), place.runs.manifest(case.run_id)
        (folder / "samples.parquet").unlink()
        opened = reopened(folder, manifest)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_LIMIT, limits[1]))
        try:
            with pytest.raises(DataError, match=r"samples\.parquet.*can't write .*free space"):
                place.runs.seal(opened)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert not (folder / "samples.parquet").exists()
        place.runs.seal(opened)
        assert () == place.runs.check(case.run_id)


def reopened(folder: Path, sealed: Manifest) -> Manifest:
    """Put a sealed run's folder back to where it was just before its seal."""
    before = msgspec.structs.replace(sealed, files={})
    (folder / "manifest.json").write_bytes(encode_pretty(before))
    return before
