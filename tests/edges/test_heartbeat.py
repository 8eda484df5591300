"""A sign of life says which process measures what, and is gone when it ended in order."""

from __future__ import annotations

import os
import threading

import msgspec
import pytest

from harnesslib import heartbeat, processes
from harnesslib.activity import SILENT_AFTER_S, activities
from harnesslib.cli.setting_up import init_demo
from harnesslib.records import Heartbeat, decode, encode_pretty
from harnesslib.testing import EPOCH, FakeClock, MemoryEvents
from harnesslib.workspace import Workspace


@pytest.fixture
def beats(tmp_path, monkeypatch):
    """Return a way to wait for the next sign of life that is written."""
    written = threading.Semaphore(0)
    real = heartbeat.write_atomic

    def noted(path, data, *, durable=True):
        real(path, data, durable=durable)
        written.release()

    monkeypatch.setattr(heartbeat, "write_atomic", noted)
    monkeypatch.setattr(heartbeat, "INTERVAL_S", 0.001)
    return written


def test_it_names_the_process_and_what_was_said_last(tmp_path, beats):
    events = MemoryEvents()
    with heartbeat.Beating(events, tmp_path, FakeClock().now) as beating:
        beating.emit("screen", "3 of 9 samples", 3, 9)
        found = None
        while found is None or found.state != "screen":
            assert beats.acquire(timeout=30)
            found = decode((tmp_path / heartbeat.FILE).read_bytes(), Heartbeat, "file")
    assert [("screen", "3 of 9 samples", 3, 9)] == events.said
    assert (os.getpid(), "screen", 3, 9) == (found.pid, found.state, found.done, found.total)
    assert processes.is_alive(found.pid, found.pid_started)
    assert not (tmp_path / heartbeat.FILE).exists()


def test_nothing_is_written_before_the_run_is_there(tmp_path):
    with heartbeat.Beating(MemoryEvents(), tmp_path / "run", FakeClock().now):
        pass
    assert not (tmp_path / "run").exists()


@pytest.fixture
def place(tmp_path):
    with Workspace(tmp_path) as opened:
        init_demo(opened)
        opened.clock = FakeClock()
        yield opened


def started(place, **beat):
    run_id = place.new_cycle()
    known = {
        "run_id": run_id,
        "pid": os.getpid(),
        "pid_started": processes.started(),
        "boot_id": processes.boot_id(),
        "started_at": EPOCH,
        "at": EPOCH,
        "state": "screen",
        "message": "3 of 9 samples",
        "done": 3,
        "total": 9,
        "said_at": EPOCH,
    }
    path = place.runs.path(run_id) / heartbeat.FILE
    path.write_bytes(encode_pretty(msgspec.convert(known | beat, Heartbeat)))
    return run_id


def test_a_run_whose_process_lives_works(place):
    run_id = started(place)
    [one] = activities(place)
    assert (run_id, "working", 3, 9) == (one.run_id, one.condition, one.done, one.total)


def test_a_process_that_lives_and_is_not_heard_of_is_silent(place):
    started(place)
    place.clock.advance(SILENT_AFTER_S + 1)
    [one] = activities(place)
    assert ("silent", "look at the process, or end it") == (one.condition, one.cure)


@pytest.mark.parametrize("beat", [{"pid_started": 1.0}, {"boot_id": "another"}])
def test_a_pid_of_another_time_is_gone(place, beat):
    started(place, **beat)
    [one] = activities(place)
    assert ("gone", "harness cycle goes on with it") == (one.condition, one.cure)


def test_a_failed_run_says_why_and_a_finished_one_is_not_listed(place):
    run_id = started(place)
    manifest = place.runs.manifest(run_id)
    place.runs.save_manifest(msgspec.structs.replace(manifest, status="failed", reason="no disk"))
    [one] = activities(place)
    assert ("failed", "no disk") == (one.condition, one.reason)
    place.runs.seal(msgspec.structs.replace(manifest, status="done"))
    assert () == activities(place)
    assert () == place.runs.check(run_id), "a sign of life is no data of the run"
