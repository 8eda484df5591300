"""The part for applications: which model serves this now? It follows the file, and never goes blind."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import NamedTuple
from weakref import WeakSet

from harnesslib.errors import DataError
from harnesslib.records import AUTO, Resolution, RoutingConfig
from harnesslib.routing import resolve
from harnesslib.routing_file import parse

_SETTLED_NS = 100_000_000  # a file younger than the clock's grain could change once more and look the same

Signature = tuple[int, int, int]


class _Seen(NamedTuple):
    """What was read: `signature` is none as long as the file is too young to tell two contents apart."""

    signature: Signature | None
    config: RoutingConfig
    problem: str


class Router:
    """Answers from ``routing_config.json``; safe to share between threads, and with forked children.

    Parameters
    ----------
    path
        The file. It is read at once, and again whenever it changes.

    Raises
    ------
    DataError
        The first read fails: there is nothing to answer from.

    Examples
    --------
    >>> Router("routing_config.json").resolve(phase="atomic").model  # doctest: +SKIP
    'sprinter'
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._reloading = threading.Lock()
        signature, config = self._load()
        self._seen = _Seen(signature, config, "")
        _routers.add(self)

    @property
    def problem(self) -> str:
        """Why the file as it is now can't be used and an older generation answers; "" when all is well."""
        return self._fresh().problem

    @property
    def config(self) -> RoutingConfig:
        """The generation that answers now."""
        return self._fresh().config

    def resolve(self, model: str = AUTO, phase: str = "") -> Resolution:
        """Return which model to call for `model` in `phase`, under which settings, and what to try next.

        Parameters
        ----------
        model
            A model that the routing knows, or "auto": whatever serves the phase best now.
        phase
            The class of work; it has no default, because a guess would route silently wrong.

        Raises
        ------
        InputError
            An unknown phase or model; the message lists the known ones.
        """
        return resolve(self.config, model, phase)

    def _fresh(self) -> _Seen:
        seen = self._seen
        if seen.signature is not None and seen.signature == self._signature():
            return seen
        # One thread reads; the others go on answering from what is known.
        if self._reloading.acquire(blocking=False):
            try:
                self._seen = self._look_again()
            finally:
                self._reloading.release()
        return self._seen

    def _look_again(self) -> _Seen:
        before = self._signature(settled=True)
        try:
            signature, config = self._load()
        except DataError as error:
            problem = f"{error} (generation {self._seen.config.generation} answers meanwhile)"
            return _Seen(before, self._seen.config, problem)
        return _Seen(signature, config, "")

    def _signature(self, *, settled: bool = False) -> Signature | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return _settled(status) if settled else _signature(status)

    def _load(self) -> tuple[Signature | None, RoutingConfig]:
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                data = file.read()
        except OSError as error:
            cure = "check the path; `harness init` makes a workspace with this file"
            raise DataError(f"{self._path}: can't read: {error.strerror}; cure: {cure}") from error
        return _settled(status), parse(data, str(self._path))


_routers: WeakSet[Router] = WeakSet()


def _free_in_child() -> None:
    """Let a forked child read: the thread that may have been reading in its parent is not there to end."""
    for router in _routers:
        router._reloading = threading.Lock()  # noqa: SLF001 - this module's own


os.register_at_fork(after_in_child=_free_in_child)


def _signature(status: os.stat_result) -> Signature:
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _settled(status: os.stat_result) -> Signature | None:
    return _signature(status) if time.time_ns() - status.st_mtime_ns > _SETTLED_NS else None
