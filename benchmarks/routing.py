"""What routing costs: an answer, a saved generation, a logged decision, a lock."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from measuring import Row

from harnesslib import routing
from harnesslib.config_manager import ConfigManager
from harnesslib.lock_manager import LockManager
from harnesslib.records import LogEntry, RoutingConfig, encode_pretty, sha256
from harnesslib.router import Router
from harnesslib.routing_log import RoutingLog
from harnesslib.testing import tiny_harness

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MODELS = ("steady", "twin", "sprinter", "better", "sleepy", "eager")
PHASE = "atomic"


def rows(folder: Path) -> Iterator[Row]:
    """Return the rows; `folder` is where files are written, on the disk that is to be measured."""
    config = routing.initial(tiny_harness(*MODELS, phase=PHASE), now=NOW)
    yield _resolve(folder / "resolve", config)
    yield _save(folder / "save", config)
    yield _append(folder / "short", 10, timings=300)
    yield _append(folder / "long", 1000, timings=100)
    yield _lock(folder / "lock")


def _resolve(folder: Path, config: RoutingConfig) -> Row:
    folder.mkdir()
    path = folder / "routing_config.json"
    path.write_bytes(encode_pretty(config))
    hour_ago = time.time() - 3600  # a file younger than the clock's grain is read at every call
    os.utime(path, (hour_ago, hour_ago))
    router = Router(path)
    table = {(model, PHASE): model for model in ("auto", *MODELS)}
    return Row(
        name="Router.resolve",
        ours=lambda: router.resolve("auto", PHASE),
        reference_name="a dict lookup",
        reference=lambda: table["auto", PHASE],
        timings=1000,
        batch=100,
    )


def _save(folder: Path, first: RoutingConfig) -> Row:
    folder.mkdir()
    manager = ConfigManager(folder)
    manager.initialise(first)
    data = encode_pretty(first)

    def save() -> None:
        before = manager.routing()
        config = msgspec.structs.replace(
            before, generation=before.generation + 1, parent_sha256=manager.routing_sha256()
        )
        manager.save(config, expected_generation=before.generation)

    return Row(
        name="a generation: read, save, read back",
        ours=save,
        reference_name="open, write, fsync, rename",
        reference=lambda: _plain_write(folder / "plain.json", data),
        timings=300,
    )


def _append(folder: Path, entries: int, *, timings: int) -> Row:
    folder.mkdir()
    made = LogEntry(
        seq=0, time=NOW, event="applied", generation=1, config_sha256=sha256(b"x"), summary="a change"
    )
    grown = RoutingLog(folder / "grown.jsonl")
    text = _grow(grown, made, entries)

    def append() -> None:
        # The log is put back to its length first: each entry costs the reading of all before it.
        os.truncate(grown.path, len(text))
        grown.append(made)

    line = text[: text.index(b"\n") + 1]
    return Row(
        name=f"a log entry after {entries:,} others",
        ours=append,
        reference_name="append, fsync",
        reference=lambda: _plain_append(folder / "plain.jsonl", line),
        timings=timings,
    )


def _grow(log: RoutingLog, made: LogEntry, entries: int) -> bytes:
    """Write a chain of so many entries at once, as appending them one by one would, and return its bytes."""
    lines, previous = [], ""
    for number in range(1, entries + 1):
        entry = msgspec.structs.replace(made, seq=number, prev_sha256=previous, sha256="")
        previous = sha256(msgspec.json.encode(entry))
        lines.append(msgspec.json.encode(msgspec.structs.replace(entry, sha256=previous)) + b"\n")
    log.path.write_bytes(b"".join(lines))
    if log.verify().problems:
        raise ValueError(f"{log.path}: {log.verify().problems[0]}; the benchmark writes another form")
    return log.path.read_bytes()


def _lock(folder: Path) -> Row:
    locks = LockManager(folder, command="benchmark")

    def ours() -> None:
        with locks.hold("routing", wait_s=0):
            pass

    def reference() -> None:
        descriptor = os.open(folder / "plain.lock", os.O_CREAT | os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)

    return Row(
        name="a lock: take, name the owner, release",
        ours=ours,
        reference_name="open, flock, close",
        reference=reference,
        timings=300,
    )


def _plain_write(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, data)
    os.fsync(descriptor)
    os.close(descriptor)
    temporary.rename(path)


def _plain_append(path: Path, line: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, line)
    os.fsync(descriptor)
    os.close(descriptor)
