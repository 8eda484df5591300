"""Many cycles in one workspace: one after another nothing grows; started all at once, one works."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from harnesslib.cli import main
from harnesslib.errors import EXIT_LOCKED
from harnesslib.workspace import Workspace

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("chaos"),
    pytest.mark.skipif(sys.platform != "linux", reason="counts open files in /proc"),
]
PATH = Path(__file__).resolve().parents[1] / "chaos_fixture.py"
STARTS = 20
MOST_BYTES_PER_CYCLE = 2_000_000
FIRST = 2
"""Cycles after which everything that is loaded once has been loaded."""


def load_fixture():
    spec = importlib.util.spec_from_file_location("chaos_fixture", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["chaos_fixture"] = module
    spec.loader.exec_module(module)
    return module


chaos = load_fixture()


class Held(NamedTuple):
    """What this process and this machine hold after a cycle."""

    files: int
    threads: int
    children: int
    scratch: int
    temporary: int
    disk: int
    memory: int


def held(folder: Path, scratch: Path) -> Held:
    own = psutil.Process()
    names = [path for path in folder.rglob("*") if path.is_file()]
    return Held(
        files=own.num_fds(),
        threads=own.num_threads(),
        children=len([child for child in own.children(recursive=True) if child.status() != "zombie"]),
        scratch=len(list(scratch.iterdir())),
        temporary=sum(re.fullmatch(r"\..*\.tmp", path.name) is not None for path in names),
        disk=sum(path.stat().st_size for path in names),
        memory=own.memory_info().rss,
    )


def soak(folder: Path, cycles: int, monkeypatch) -> list[Held]:
    """Run cycles in this process, each through its notebook, and weigh what is held after each one."""
    chaos.make_workspace(folder)
    scratch = folder.parent / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    found = []
    for _ in range(cycles):
        assert 0 == main(["cycle", "--new", "--quiet", "-w", str(folder)])
        found.append(held(folder, scratch))
    return found


@pytest.mark.parametrize(
    "cycles",
    [
        pytest.param(5, id="a few"),
        pytest.param(200, id="many", marks=[pytest.mark.exhaustive, pytest.mark.timeout(4 * 3600)]),
    ],
)
def test_nothing_grows_with_the_cycles_but_their_runs(cycles, tmp_path, monkeypatch, capsys):
    found = soak(tmp_path / "soak", cycles, monkeypatch)
    first, last = found[FIRST - 1], found[-1]
    assert (first.files, first.children, first.scratch, first.temporary) == (
        last.files,
        last.children,
        last.scratch,
        last.temporary,
    )
    assert (0, 0) == (last.children, last.temporary)
    assert last.threads <= first.threads
    assert (last.disk - first.disk) / (cycles - FIRST) < MOST_BYTES_PER_CYCLE
    assert last.memory - first.memory < 50e6
    chaos.assert_nothing_runs(tmp_path / "soak")
    with Workspace(tmp_path / "soak") as place:
        assert Counter({"done": cycles}) == Counter(manifest.status for manifest in place.runs.manifests())
    assert 0 == main(["log", "verify", "-w", str(tmp_path / "soak")])
    with capsys.disabled():
        print(f"\n{cycles} cycles; after number {FIRST}: {first}; at the end: {last}")  # noqa: T201


def test_of_many_starts_at_once_one_works_and_the_others_are_told(tmp_path):
    folder = chaos.make_workspace(tmp_path / "crowd")
    command = [sys.executable, "-m", "harnesslib", "cycle", "--quiet"]
    gate_read, gate_write = os.pipe()
    wait = "import os, sys; os.read(int(sys.argv[1]), 1); os.execv(sys.executable, sys.argv[2:])"
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", wait, str(gate_read), *command],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[gate_read],
            text=True,
        )
        for _ in range(STARTS)
    ]
    os.close(gate_write)
    os.close(gate_read)
    said = [process.communicate(timeout=300)[1] for process in crowd]
    codes = Counter(process.returncode for process in crowd)
    assert {0: 1, EXIT_LOCKED: STARTS - 1} == codes, said
    refused = [text for text, process in zip(said, crowd, strict=True) if process.returncode]
    assert all("a cycle is running here (pid " in text for text in refused)
    with Workspace(folder) as place:
        assert ["done"] == [manifest.status for manifest in place.runs.manifests()]
    chaos.assert_nothing_runs(folder)
    chaos.assert_ended_like(folder, chaos.end_of(folder))
