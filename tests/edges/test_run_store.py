"""Run directories: written once, never torn, whole after a crash, closed by a seal that shows every edit."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from harnesslib import processes, sample_table
from harnesslib.errors import DataError, InputError
from harnesslib.records import Applied, Call, Manifest, Sample, encode
from harnesslib.run_store import RunStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = "20260102T030405Z-cycle-7f3a"


def manifest(run_id: str = RUN, **fields) -> Manifest:
    known = {
        "run_id": run_id,
        "kind": "cycle",
        "status": "running",
        "started_at": NOW,
        "parameters": {"cycles": 1},
        "environment": {"python": "3.11"},
        "simulated": True,
        "pid": os.getpid(),
        "pid_started": processes.started(),
    }
    return Manifest(**(known | fields))


def plan(generation: int = 2) -> Applied:
    """Return a record to store under any name."""
    return Applied(run_id=RUN, generation_before=1, generation=generation)


def sample(repeat: int = 0, **fields) -> Sample:
    known = {
        "run_id": RUN,
        "stage": "screen",
        "spec_id": "steady/atomic/abc123",
        "model": "steady",
        "requested_model": "steady",
        "served_model": "steady",
        "phase": "atomic",
        "case_id": "a-1",
        "skill": "one call",
        "wants_call": True,
        "repeat": repeat,
        "seed": 2**63 - 1,
        "position": repeat,
        "started_at": NOW + timedelta(microseconds=1),
        "outcome": "pass",
        "detail": "line\nbreak, 'quote', ünïcode, \u2028",
    }
    return Sample(**(known | fields))


@pytest.fixture
def store(tmp_path) -> RunStore:
    store = RunStore(tmp_path / "runs", now=lambda: NOW)
    store.create(manifest())
    return store


def measured(store: RunStore, *samples: Sample) -> None:
    with store.journal(RUN) as journal:
        for each in samples:
            journal.append(each)


# ---- ids and manifests


def test_an_id_says_when_and_what_and_sorts_by_time(store):
    names = [store.new_run_id(NOW + timedelta(seconds=n), "My cycle: 1/2") for n in range(3)]
    assert sorted(names) == names
    assert names[0].startswith("20260102T030405Z-my-cycle-1-2-")
    assert store.new_run_id(NOW, "…").startswith("20260102T030405Z-run-")
    shifted = NOW.astimezone(datetime.fromisoformat("2026-01-02T00:00:00+05:00").tzinfo)
    assert store.new_run_id(shifted, "x").startswith("20260102T030405Z")


def test_an_id_that_is_taken_is_not_given_again(store, monkeypatch):
    tokens = iter(["7f3a", "7f3a", "0001"])
    monkeypatch.setattr("harnesslib.run_store.secrets.token_hex", lambda _: next(tokens))
    assert "20260102T030405Z-cycle-0001" == store.new_run_id(NOW, "cycle")


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", "../x", "a/b", "/etc", "a\\b/..", "a\n", ".hidden", "a" * 121, "ä"]
)
def test_an_id_leads_nowhere_else(store, run_id):
    doors = (
        store.path,
        store.manifest,
        store.samples,
        store.journal,
        store.event_log,
        store.read_events,
        store.check,
        store.load_samples_frame,
        lambda bad: store.create(manifest(bad)),
        lambda bad: store.put(bad, "plan", plan()),
        lambda bad: store.load(bad, "plan", Applied),
    )
    for door in doors:
        with pytest.raises(InputError, match="no run id"):
            door(run_id)


def test_a_manifest_is_written_first_and_replaced_while_the_run_goes_on(store):
    assert manifest() == store.manifest(RUN)
    store.save_manifest(manifest(status="failed", reason="why"))
    assert "failed" == store.manifest(RUN).status


def test_a_run_is_created_once_and_an_unknown_one_is_named(store):
    with pytest.raises(DataError, match="exists; cure: give the new run another id"):
        store.create(manifest())
    with pytest.raises(DataError, match="there is no run 'other'"):
        store.manifest("other")
    with pytest.raises(DataError, match="there is no run 'other'"):
        store.put("other", "plan", plan())


def test_manifests_come_oldest_first_and_the_latest_can_be_chosen(store):
    store.create(manifest("b", started_at=NOW + timedelta(hours=2), kind="run", status="done"))
    store.create(manifest("c", started_at=NOW + timedelta(hours=1)))
    (store.folder / "no run").mkdir()
    (store.folder / "index.html").touch()
    assert [RUN, "c", "b"] == [each.run_id for each in store.manifests()]
    assert "b" == store.latest().run_id
    assert "c" == store.latest(kind="cycle").run_id
    assert "b" == store.latest(status="done").run_id
    assert store.latest(kind="run", status="running") is None


def test_a_workspace_without_runs_has_none(tmp_path):
    store = RunStore(tmp_path / "runs")
    assert ((), None, ()) == (store.manifests(), store.latest(), store.stale())


def test_a_run_whose_process_is_gone_is_stale(store):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    began = processes.started(child.pid)
    store.create(manifest("of-child", pid=child.pid, pid_started=began))
    store.create(manifest("reused-pid", pid_started=1.0))
    store.create(manifest("done", status="done", pid_started=1.0))
    assert ["reused-pid"] == [each.run_id for each in store.stale()]
    child.communicate()
    assert {"of-child", "reused-pid"} == {each.run_id for each in store.stale()}


# ---- records


def test_a_record_is_written_once_and_read_back(store):
    assert store.load(RUN, "plan", Applied) is None
    store.put(RUN, "plan", plan())
    store.put(RUN, "plan", plan())
    assert plan() == store.load(RUN, "plan", Applied)
    with pytest.raises(DataError, match=r"plan.json: exists with other content"):
        store.put(RUN, "plan", plan(generation=3))
    assert plan() == store.load(RUN, "plan", Applied)


@pytest.mark.parametrize("name", ["", "manifest", "../manifest", "a/b", "Plan", "plan.json"])
def test_a_record_name_leads_nowhere_else(store, name):
    with pytest.raises(InputError, match="no name for a record"):
        store.put(RUN, name, plan())
    with pytest.raises(InputError, match="no name for a record"):
        store.load(RUN, name, Applied)


@pytest.mark.parametrize("content", [b"", b"{", b'{"run_id": "x"}', b'{"runid": 1}'])
def test_a_damaged_record_is_an_error_and_not_a_missing_one(store, content):
    (store.path(RUN) / "plan.json").write_bytes(content)
    with pytest.raises(DataError, match=r"plan.json: "):
        store.load(RUN, "plan", Applied)


# ---- the journal


def test_a_sample_is_in_the_file_as_soon_as_it_ended(store):
    with store.journal(RUN) as journal:
        assert () == store.samples(RUN)
        journal.append(sample(0))
        assert (sample(0),) == store.samples(RUN)
        journal.append(sample(1))
        assert (sample(0), sample(1)) == store.samples(RUN)


def test_a_journal_cut_off_at_any_byte_keeps_its_whole_lines_and_goes_on(store):
    measured(store, sample(0), sample(1))
    path = store.path(RUN) / "journal.jsonl"
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole), 7):
        path.write_bytes(whole[:end])
        assert (sample(0),) == store.samples(RUN)
        measured(store, sample(2))
        assert (sample(0), sample(2)) == store.samples(RUN)


def test_a_damaged_line_in_the_middle_is_named(store):
    path = store.path(RUN) / "journal.jsonl"
    path.write_bytes(encode(sample(0)) + b"\n{]\n" + encode(sample(1)) + b"\n")
    with pytest.raises(DataError, match=r"journal.jsonl: line 2: "):
        store.samples(RUN)


def test_many_threads_share_a_journal(store):
    with store.journal(RUN) as journal:
        threads = [
            threading.Thread(target=lambda n=n: [journal.append(sample(n * 50 + i)) for i in range(50)])
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(range(200)) == {each.repeat for each in store.samples(RUN)}


def test_a_journal_is_on_disk_when_it_is_closed_and_about_twice_a_second(store, monkeypatch):
    synced, real = [], os.fsync
    ticks = iter([0.0, 0.1, 0.6, 0.6, 0.7])
    monkeypatch.setattr("harnesslib.run_journal.time.monotonic", lambda: next(ticks))
    with store.journal(RUN) as journal:
        monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(fd), real(fd)))
        journal.append(sample(0))
        assert 0 == len(synced)
        journal.append(sample(1))
        assert 1 == len(synced)
        journal.append(sample(2))
        assert 1 == len(synced)
    assert 2 == len(synced)


def test_a_reader_never_sees_a_torn_sample_of_a_running_run(store):
    done, reading, seen = threading.Event(), threading.Event(), []

    def watch() -> None:
        while not done.is_set():
            seen.append([each.repeat for each in store.samples(RUN)])
            reading.set()

    reader = threading.Thread(target=watch)
    reader.start()
    assert reading.wait(10)
    measured(store, *(sample(n, text="x" * 9_000) for n in range(100)))
    done.set()
    reader.join()
    assert all(list(range(len(each))) == each for each in seen)


# ---- events


def test_events_are_read_from_where_one_stopped(store):
    events = store.event_log(RUN)
    assert ((), 0) == store.read_events(RUN)
    events.emit("screen", "ünder way", 1, 9)
    first, offset = store.read_events(RUN)
    assert [("screen", "ünder way", 1, 9, NOW)] == [
        (e.state, e.message, e.done, e.total, e.time) for e in first
    ]
    assert ((), offset) == store.read_events(RUN, offset)
    events.emit("confirm", "on")
    with (store.path(RUN) / "events.jsonl").open("ab") as file:
        file.write(b'{"torn')
    second, end = store.read_events(RUN, offset)
    assert ["confirm"] == [event.state for event in second]
    assert (store.path(RUN) / "events.jsonl").stat().st_size - len(b'{"torn') == end


def test_an_event_has_the_time_of_day_in_utc(store):
    store = RunStore(store.folder)
    before = datetime.now(UTC)
    store.event_log(RUN).emit("plan", "…")
    (event,), _ = store.read_events(RUN)
    assert before <= event.time <= datetime.now(UTC)


# ---- the seal


def test_a_sealed_run_has_a_table_and_hashes_and_never_changes(store):
    store.put(RUN, "plan", plan())
    measured(store, sample(0), sample(1))
    store.event_log(RUN).emit("done", "done")
    sealed = store.seal(manifest(status="done", verdict="promoted"))
    assert sealed == store.manifest(RUN)
    assert {"plan.json", "journal.jsonl", "samples.parquet"} == set(sealed.files)
    assert () == store.check(RUN)
    assert sealed.files.keys() | {"manifest.json", "events.jsonl"} == {
        p.name for p in store.path(RUN).iterdir()
    }
    for change in (
        lambda: store.save_manifest(manifest()),
        lambda: store.put(RUN, "summary", plan()),
        lambda: measured(store, sample(2)),
        lambda: store.seal(manifest(status="done")),
    ):
        with pytest.raises(DataError, match="is sealed, and never changes"):
            change()
    store.put(RUN, "plan", plan())
    assert (sample(0), sample(1)) == store.samples(RUN)


def test_pages_and_progress_may_follow_the_seal(store):
    store.seal(manifest(status="done"))
    (store.path(RUN) / "report.html").touch()
    (store.path(RUN) / "cycle.ipynb").touch()
    store.event_log(RUN).emit("report", "rendered")
    assert () == store.check(RUN)


@pytest.mark.parametrize("name", ["plan.json", "journal.jsonl", "samples.parquet"])
def test_an_edit_after_the_seal_is_named_by_its_file(store, name):
    store.put(RUN, "plan", plan())
    measured(store, sample())
    store.seal(manifest(status="done"))
    path = store.path(RUN) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert 1 == len(store.check(RUN))
    assert f"{name}: was changed: hash " in store.check(RUN)[0]
    path.unlink()
    (store.path(RUN) / "extra.json").touch()
    assert (f"{name}: is missing", "extra.json: was added after the seal") == store.check(RUN)


def test_a_run_without_a_seal_can_not_be_checked(store):
    assert "is not sealed" in store.check(RUN)[0]


def test_a_run_without_samples_can_be_sealed_and_read(store):
    store.seal(manifest(status="failed"))
    frame = store.load_samples_frame(RUN)
    assert (0, list(sample_table.COLUMNS)) == (len(frame), list(frame.columns))


def test_a_torn_line_does_not_keep_a_run_from_being_sealed(store):
    measured(store, sample(0))
    with (store.path(RUN) / "journal.jsonl").open("ab") as file:
        file.write(b'{"run_id":"x')
    store.seal(manifest(status="lost"))
    assert ((sample(0),), 1) == (store.samples(RUN), len(store.load_samples_frame(RUN)))


def test_a_sample_that_stands_twice_is_refused(store):
    measured(store, sample(0), sample(1), sample(0))
    with pytest.raises(DataError, match=r"line 3: sample .* stands there twice"):
        store.seal(manifest(status="done"))
    assert {} == store.manifest(RUN).files


def test_a_table_that_lacks_a_row_is_refused(store, monkeypatch):
    measured(store, sample(0))
    real = sample_table.write_parquet
    monkeypatch.setattr(sample_table, "write_parquet", lambda *args: real(*args) - 1)
    with pytest.raises(DataError, match="0 rows, expected 1"):
        store.seal(manifest(status="done"))
    assert not (store.path(RUN) / "samples.parquet").exists()


@pytest.mark.parametrize("sealed", [True, False])
def test_the_frame_has_a_row_per_sample_with_the_types_of_the_record(store, sealed):
    calls = ((Call(name="f", arguments={"x": 1.5, "y": "ü"}),),)
    measured(
        store,
        sample(0, turns=calls, latency_s=0.25, cold=True, input_tokens=12),
        sample(1, load_s=1.0, cost=0.0),
    )
    if sealed:
        store.seal(manifest(status="done"))
    else:
        with (store.path(RUN) / "journal.jsonl").open("ab") as file:
            file.write(b'{"torn')
    frame = store.load_samples_frame(RUN)
    assert list(Sample.__struct_fields__) == list(frame.columns)
    first, second = frame.to_dict("records")
    assert (2**63 - 1, True, 0.25, True) == (
        first["seed"],
        first["cold"],
        first["latency_s"],
        first["wants_call"],
    )
    assert sample().detail == first["detail"]
    assert NOW + timedelta(microseconds=1) == first["started_at"]
    assert calls == msgspec.json.decode(first["turns"], type=tuple[tuple[Call, ...], ...])
    assert second["latency_s"] != second["latency_s"]
    assert 1.0 == second["load_s"]
    assert ("Int64", "Int64") == (frame["input_tokens"].dtype, frame["output_tokens"].dtype)
    assert [12] == frame["input_tokens"].dropna().tolist()
    assert [0.0] == frame["cost"].dropna().tolist()


def test_a_workspace_may_have_any_name(tmp_path):
    store = RunStore(tmp_path / "it's [a] *strange* name?" / "runs")
    store.create(manifest())
    measured(store, sample(0))
    store.seal(manifest(status="done"))
    assert 1 == len(store.load_samples_frame(RUN))


def test_a_damaged_table_is_an_error_that_names_it(store):
    (store.path(RUN) / "samples.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match=r"samples.parquet: "):
        store.load_samples_frame(RUN)


def test_the_table_has_the_columns_of_the_record_with_fixed_types():
    kinds = sample_table.COLUMNS
    assert list(Sample.__struct_fields__) == list(kinds)
    expected = {
        "stage": "VARCHAR",
        "outcome": "VARCHAR",
        "cold": "BOOLEAN",
        "seed": "BIGINT",
        "started_at": "TIMESTAMPTZ",
        "turns": "JSON",
        "latency_s": "DOUBLE",
        "cost": "DOUBLE",
        "input_tokens": "BIGINT",
    }
    assert expected == {name: kinds[name] for name in expected}
