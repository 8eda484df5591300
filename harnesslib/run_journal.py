"""The two growing files of a run: ``journal.jsonl`` (samples as they end) and ``events.jsonl`` (progress)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from harnesslib.errors import DataError
from harnesslib.records import Event, Sample, SampleKey, decode, encode
from harnesslib.storage import LineFile, read_if_there, whole_lines

JOURNAL = "journal.jsonl"
EVENTS = "events.jsonl"
_SYNC_EVERY_S = 0.5


class SampleJournal:
    """An open journal; implements `ports.Journal`. Threads may share it."""

    def __init__(self, file: LineFile) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._synced = time.monotonic()

    def append(self, sample: Sample) -> None:
        """Add one line: in the file at once, on disk within half a second of further samples."""
        line = encode(sample)
        with self._lock:
            self._file.append(line)
            if time.monotonic() - self._synced > _SYNC_EVERY_S:
                self._file.sync()
                self._synced = time.monotonic()


class EventLog:
    """Progress lines of a run; implements `ports.Events`. The file is made by the first event."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        self._file: LineFile | None = None

    def emit(self, state: str, message: str, done: int = 0, total: int = 0, **facts: Any) -> None:  # noqa: ANN401
        """Append one event; `facts` are further fields of the Event record."""
        event = Event(time=self._now(), state=state, message=message, done=done, total=total, **facts)
        with self._lock:
            if self._file is None:
                self._file = LineFile(self._path)
            self._file.append(encode(event))


@contextmanager
def open_journal(path: Path) -> Iterator[SampleJournal]:
    """Open a journal for appending; a torn last line is cut off first, the end is a sync."""
    with LineFile(path) as file:
        try:
            yield SampleJournal(file)
        finally:
            file.sync()


def read_samples(path: Path) -> tuple[Sample, ...]:
    """Return the samples of a journal in the order in which they ended; a torn last line is left out.

    Raises
    ------
    DataError
        A line that is whole can't be read; the message names it.
    """
    lines, _ = whole_lines(read_if_there(path) or b"")
    return tuple(decode(line, Sample, f"{path}: line {n}") for n, line in enumerate(lines, start=1))


def read_events(path: Path, offset: int) -> tuple[tuple[Event, ...], int]:
    """Return the events from byte `offset` on, and the offset to go on from."""
    data = (read_if_there(path) or b"")[offset:]
    lines, torn = whole_lines(data)
    return tuple(decode(line, Event, str(path)) for line in lines), offset + len(data) - len(torn)


def refuse_doubles(samples: tuple[Sample, ...], path: Path) -> None:
    """Raise DataError where one sample stands twice: it would count twice."""
    seen: set[SampleKey] = set()
    for number, sample in enumerate(samples, start=1):
        if sample.key in seen:
            raise DataError(f"{path}: line {number}: sample {sample.key} stands there twice; cure: a new run")
        seen.add(sample.key)
