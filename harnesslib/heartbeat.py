"""The sign of life of a process that measures: a small file, written anew every second."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import msgspec

from harnesslib import processes
from harnesslib.errors import DataError
from harnesslib.ports import Events
from harnesslib.records import Heartbeat, encode_pretty
from harnesslib.storage import write_atomic

FILE = "heartbeat.json"
INTERVAL_S = 1.0


class Beating:
    """Events that also leave signs of life, until the context ends; implements `ports.Events`.

    Parameters
    ----------
    events
        Where events go as well.
    folder
        The run's folder. Nothing is written as long as it does not exist.
    now
        The time of day in UTC.

    Notes
    -----
    The file names the process by pid and time of creation, and goes on being written while the process waits
    for an endpoint; `said_at` tells when it last got on. It is removed at an orderly end: what is left over
    was left by a crash.
    """

    def __init__(self, events: Events, folder: Path, now: Callable[[], datetime]) -> None:
        self._events = events
        self._path = folder / FILE
        self._now = now
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        begun = now()
        self._last = Heartbeat(
            run_id=folder.name,
            pid=os.getpid(),
            pid_started=processes.started(),
            boot_id=processes.boot_id(),
            started_at=begun,
            at=begun,
            state="start",
            message="starting",
            done=0,
            total=0,
            said_at=begun,
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def emit(self, state: str, message: str, done: int = 0, total: int = 0, **facts: Any) -> None:  # noqa: ANN401
        """Say something."""
        self._last = msgspec.structs.replace(
            self._last, state=state, message=message, done=done, total=total, said_at=self._now()
        )
        self._events.emit(state, message, done, total, **facts)

    def _beat(self) -> None:
        while True:
            if self._path.parent.is_dir():
                self._write(msgspec.structs.replace(self._last, at=self._now()))
            if self._stop.wait(INTERVAL_S):
                return

    def _write(self, beat: Heartbeat) -> None:
        try:
            write_atomic(self._path, encode_pretty(beat), durable=False)
        except DataError:
            return  # a disk that is full stops the measurement by itself; a sign of life is no reason to
