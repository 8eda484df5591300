"""What every store promises: the ones on disk and the ones in memory that tests of flows run on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from harnesslib import routing
from harnesslib.config_manager import ConfigManager
from harnesslib.errors import ConflictError, DataError, LockedError
from harnesslib.lock_manager import LockManager
from harnesslib.ports import ConfigStore, DecisionLog, Locks, RunStore
from harnesslib.records import (
    Applied,
    LogEntry,
    Manifest,
    RoutingConfig,
    Sample,
    encode,
    encode_pretty,
    sha256,
)
from harnesslib.routing_log import RoutingLog
from harnesslib.run_store import RunStore as DiskRunStore
from harnesslib.testing import MemoryConfigStore, MemoryLocks, MemoryLog, MemoryRunStore, tiny_harness

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HARNESS = tiny_harness("steady", "better")
FIRST = routing.initial(HARNESS, now=NOW)


def manifest(run_id: str, **fields) -> Manifest:
    return Manifest(
        run_id=run_id,
        kind="cycle",
        status=fields.pop("status", "running"),
        started_at=fields.pop("started_at", NOW),
        parameters={},
        environment={},
        simulated=True,
        pid=1,
        pid_started=0.0,
    )


def record(generation: int) -> Applied:
    return Applied(run_id="a", generation_before=1, generation=generation)


def sample(repeat: int) -> Sample:
    return Sample(
        run_id="a",
        stage="screen",
        spec_id="steady/atomic/abc123",
        model="steady",
        requested_model="steady",
        served_model="steady",
        phase="atomic",
        case_id="a-1",
        skill="one call",
        wants_call=True,
        repeat=repeat,
        seed=1,
        position=repeat,
        started_at=NOW,
        outcome="pass",
        detail="",
    )


@pytest.fixture(params=["disk", "memory"])
def where(request) -> str:
    return request.param


@pytest.fixture
def runs(where, tmp_path) -> RunStore:
    store = DiskRunStore(tmp_path / "runs") if where == "disk" else MemoryRunStore()
    store.create(manifest("a"))
    return store


@pytest.fixture
def config(where, tmp_path) -> ConfigStore:
    if where == "memory":
        return MemoryConfigStore(HARNESS, FIRST)
    manager = ConfigManager(tmp_path)
    manager.initialise(FIRST)
    return manager


@pytest.fixture
def log(where, tmp_path) -> DecisionLog:
    return RoutingLog(tmp_path / "log.jsonl") if where == "disk" else MemoryLog()


@pytest.fixture
def locks(where, tmp_path) -> Locks:
    return LockManager(tmp_path, command="pytest") if where == "disk" else MemoryLocks()


def following(config: ConfigStore) -> RoutingConfig:
    return msgspec.structs.replace(
        config.routing(), generation=config.next_generation(), parent_sha256=config.routing_sha256()
    )


def test_a_run_is_created_once(runs):
    with pytest.raises(DataError):
        runs.create(manifest("a"))
    with pytest.raises(DataError):
        runs.manifest("b")


def test_manifests_come_oldest_first(runs):
    runs.create(manifest("b", started_at=NOW + timedelta(hours=1)))
    assert ["a", "b"] == [each.run_id for each in runs.manifests()]


def test_a_record_is_written_once(runs):
    assert runs.load("a", "applied", Applied) is None
    runs.put("a", "applied", record(2))
    runs.put("a", "applied", record(2))
    with pytest.raises(DataError):
        runs.put("a", "applied", record(3))
    assert record(2) == runs.load("a", "applied", Applied)


def test_samples_are_there_as_they_end_and_after_the_journal_is_opened_again(runs):
    assert () == runs.samples("a")
    with runs.journal("a") as journal:
        journal.append(sample(0))
        assert (sample(0),) == runs.samples("a")
    with runs.journal("a") as journal:
        journal.append(sample(1))
    assert (sample(0), sample(1)) == runs.samples("a")


def test_a_manifest_is_replaced_until_the_seal(runs):
    runs.save_manifest(manifest("a", status="failed"))
    assert "failed" == runs.manifest("a").status
    sealed = runs.seal(manifest("a", status="done"))
    assert sealed == runs.manifest("a")
    with pytest.raises(DataError):
        runs.save_manifest(manifest("a"))


def test_a_generation_is_saved_only_over_the_one_it_was_made_for(config):
    second = following(config)
    digest = config.save(second, expected_generation=1)
    assert second == config.routing()
    assert digest == config.routing_sha256() == sha256(encode_pretty(second))
    with pytest.raises(ConflictError):
        config.save(following(config), expected_generation=1)
    with pytest.raises(ConflictError):
        config.restore(1, expected_generation=1)


def test_every_generation_stays_and_no_number_comes_twice(config):
    first_hash = config.routing_sha256()
    config.save(following(config), expected_generation=1)
    config.save(following(config), expected_generation=2)
    assert first_hash == config.restore(1, expected_generation=3)
    assert (FIRST, 4) == (config.routing(), config.next_generation())
    assert [1, 2, 3] == [config.generation(number).generation for number in (1, 2, 3)]
    with pytest.raises(DataError):
        config.generation(4)


def test_log_entries_are_numbered_and_chained(log):
    assert () == log.entries()
    made = LogEntry(seq=9, time=NOW, event="init", generation=1, config_sha256="a" * 64, summary="s")
    first, second = log.append(made), log.append(made)
    log.repair()
    assert (first, second) == log.entries()
    assert (1, 2, "", first.sha256) == (first.seq, second.seq, first.prev_sha256, second.prev_sha256)
    assert sha256(encode(msgspec.structs.replace(first, sha256=""))) == first.sha256


def test_a_lock_has_one_holder_who_is_known(locks):
    assert locks.owner("routing") is None
    with locks.hold("routing", wait_s=0):
        assert locks.owner("routing") is not None
        with pytest.raises(LockedError), locks.hold("routing", wait_s=0):
            pass
        with locks.hold("cycle", wait_s=0):
            pass
    assert locks.owner("routing") is None
    with locks.hold("routing", wait_s=0):
        pass
