"""The router of an application: it follows the file, and a broken file never takes its answer away."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime

import msgspec
import pytest

from harnesslib import router as module
from harnesslib import routing
from harnesslib.errors import DataError, InputError
from harnesslib.records import RoutingConfig, encode_pretty
from harnesslib.router import Router
from harnesslib.storage import write_atomic
from harnesslib.testing import tiny_harness

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def config(generation: int = 1, baseline: str = "steady") -> RoutingConfig:
    models = ("steady", "sprinter") if baseline == "steady" else ("sprinter", "steady")
    made = routing.initial(tiny_harness(*models), now=NOW)
    return msgspec.structs.replace(made, generation=generation)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "routing_config.json"
    write_atomic(path, encode_pretty(config()))
    return path


def age(path, seconds: float = 10.0) -> None:
    """Make the file old enough to be told apart from the next one by its times."""
    status = path.stat()
    old = status.st_mtime_ns - int(seconds * 1e9)
    os.utime(path, ns=(old, old))


def test_an_answer_comes_from_the_file(path):
    router = Router(str(path))
    assert "steady" == router.resolve(phase="atomic").model
    assert "sprinter" == router.resolve("sprinter", "atomic").model
    assert "steady" == router.resolve(model="auto", phase="atomic").model
    assert ("", 1) == (router.problem, router.config.generation)


def test_a_request_without_a_phase_is_refused_with_the_known_ones(path):
    with pytest.raises(InputError, match="there is no phase ''; expected one of 'atomic'"):
        Router(path).resolve("steady")


@pytest.mark.parametrize("content", [None, b"", b'{"version": "2.0"'])
def test_without_a_first_good_file_there_is_no_router(path, content):
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=r"routing_config.json: .*; cure: "):
        Router(path)


def test_a_new_generation_is_followed(path):
    router = Router(path)
    write_atomic(path, encode_pretty(config(2, "sprinter")))
    assert ("sprinter", 2) == (router.resolve(phase="atomic").model, router.config.generation)


def test_a_file_of_the_same_size_time_and_inode_is_still_noticed(path):
    # What a fast writer can do inside one tick of the file system's clock.
    router = Router(path)
    router.resolve(phase="atomic")
    before = path.stat()
    path.write_bytes(encode_pretty(config(2)))
    os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (before.st_size, before.st_ino, before.st_mtime_ns) == (
        after.st_size,
        after.st_ino,
        after.st_mtime_ns,
    )
    assert 2 == router.config.generation


def test_a_file_that_did_not_change_is_not_read_again(path, monkeypatch):
    age(path)
    router = Router(path)
    monkeypatch.setattr(module, "parse", lambda *_: pytest.fail("read again"))
    assert 1 == router.config.generation


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"version": "2.0"'])
@pytest.mark.parametrize("old", [True, False])
def test_a_broken_file_changes_no_answer_and_is_told(path, content, old):
    router = Router(path)
    path.unlink() if content is None else path.write_bytes(content)
    if old and content is not None:
        age(path)
    for _ in range(2):
        assert "steady" == router.resolve(phase="atomic").model
        assert "(generation 1 answers meanwhile)" in router.problem
        assert str(path) in router.problem
    write_atomic(path, encode_pretty(config(2, "sprinter")))
    assert ("sprinter", "") == (router.resolve(phase="atomic").model, router.problem)


def test_an_unsound_file_changes_no_answer(path):
    router = Router(path)
    unsound = msgspec.structs.replace(config(2), baselines={})
    write_atomic(path, encode_pretty(unsound))
    assert 1 == router.config.generation
    assert "baselines.atomic: is missing" in router.problem


def test_a_broken_old_file_is_read_once(path, monkeypatch):
    router = Router(path)
    path.write_bytes(b"{")
    age(path)
    assert router.problem
    monkeypatch.setattr(module, "parse", lambda *_: pytest.fail("read again"))
    assert router.problem


def test_many_threads_get_whole_answers_while_the_file_changes(path):
    router, problems, done = Router(path), [], threading.Event()
    expected = {1: "steady", 0: "sprinter"}

    def ask() -> None:
        while not done.is_set():
            answer = router.resolve(phase="atomic")
            if answer.model != expected[answer.generation % 2] or router.problem:
                problems.append((answer, router.problem))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for generation in range(2, 42):
        write_atomic(path, encode_pretty(config(generation, expected[generation % 2])))
    done.set()
    for thread in threads:
        thread.join()
    assert [] == problems
    assert 41 == router.config.generation


def test_while_one_thread_reads_the_others_answer_from_what_is_known(path, monkeypatch):
    router = Router(path)
    inside, go_on, real = threading.Event(), threading.Event(), module.parse

    def slow(*args):
        inside.set()
        go_on.wait(10)
        return real(*args)

    monkeypatch.setattr(module, "parse", slow)
    write_atomic(path, encode_pretty(config(2)))
    seen = []
    thread = threading.Thread(target=lambda: seen.append(router.config.generation))
    thread.start()
    assert inside.wait(10)
    assert 1 == router.config.generation
    go_on.set()
    thread.join()
    assert [2] == seen


def test_a_router_loads_nothing_heavy():
    heavy = ("aiohttp", "duckdb", "filelock", "matplotlib", "numpy", "pandas", "papermill", "psutil", "scipy")
    script = f"import sys, harnesslib.router; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert "[]\n" == done.stdout
