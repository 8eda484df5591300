"""Named locks of a workspace: the kernel's lock decides, a note beside it says who holds it.

A dead holder never blocks anybody, because the kernel frees its lock; a live one is never robbed, because
nobody else can free it. The lock file stays after a release: removing it would let two processes hold
locks on two files of the same name.
"""

from __future__ import annotations

import fcntl
import math
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from filelock import BaseFileLock, FileLock, Timeout

from harnesslib import processes
from harnesslib.errors import DataError, InputError, LockedError
from harnesslib.records import LockOwner, Record, decode, encode_pretty
from harnesslib.storage import make_folder, read_if_there, speaking, write_atomic

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LOCK_FILE = re.compile(r"(?P<name>.+)(\.lock|\.owner\.json)")
_POLL_S = 0.05

_guard = threading.Lock()
# A child forked while another thread has the guard would wait for a thread that it does not have.
os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_guard.release)
_held_here: dict[Path, tuple[int, str]] = {}
"""Lock file -> (pid, thread) that holds it: a second take in this process would wait for itself."""


class LockState(Record, frozen=True):
    """One lock as it is now. A `stale` note was left by a process that died, and blocks nobody."""

    name: str
    state: Literal["free", "held", "stale"]
    owner: LockOwner | None = None


class LockManager:
    """Locks of one workspace; implements `ports.Locks`.

    Parameters
    ----------
    folder
        Where lock files and notes stand; made when the first lock is taken.
    command
        What this process is, for the note.
    """

    def __init__(self, folder: Path, *, command: str) -> None:
        self._folder = folder
        self._command = command

    @contextmanager
    def hold(self, name: str, *, wait_s: float) -> Iterator[None]:
        """Hold a lock for the block.

        Parameters
        ----------
        name
            Letters, digits, ``.``, ``_`` and ``-``.
        wait_s
            How long to wait for it, in seconds; 0 = not at all. There is no waiting without a limit.

        Raises
        ------
        LockedError
            Somebody else holds it, and is alive; the message says who, since when.
        InputError
            A name or limit that can't be one, or a lock that this process holds already: locks are not
            re-entrant.
        """
        if not (math.isfinite(wait_s) and wait_s >= 0):
            raise InputError(f"lock '{name}': can't wait {wait_s} s; cure: give a limit of 0 or more seconds")
        path = self._path(name)
        make_folder(self._folder)
        with _only_once(path, name):
            lock = FileLock(path, thread_local=False, fallback_to_soft=False)
            with speaking(path, "lock"):
                try:
                    # Who does not wait looks twice all the same: `owner` may have it for an instant.
                    lock.acquire(timeout=max(wait_s, _POLL_S), poll_interval=_POLL_S / 2)
                except Timeout:
                    raise LockedError(self._busy(name, wait_s)) from None
            holder = os.getpid()
            try:
                # After a power cut nobody holds anything: a note need not outlast one.
                write_atomic(self._note(name), encode_pretty(self._owner()), durable=False)
                yield
            finally:
                if os.getpid() == holder:  # a child that was forked in the block leaves it as well
                    self._free(lock, name)

    def owner(self, name: str) -> LockOwner | None:
        """Return who holds a lock; none when nobody does, or the holder left no note (yet)."""
        note = self._alive_note(name)
        return note if note is not None and _is_locked(self._path(name)) else None

    def states(self) -> tuple[LockState, ...]:
        """Return every lock that was ever taken here, by name."""
        if not self._folder.exists():
            return ()
        with speaking(self._folder, "list"):
            files = [_LOCK_FILE.fullmatch(path.name) for path in self._folder.iterdir()]
        names = {file["name"] for file in files if file and _NAME.fullmatch(file["name"])}
        return tuple(self.state(name) for name in sorted(names))

    def state(self, name: str) -> LockState:
        """Return whether a lock is held, by whom, or what a dead holder left of it."""
        if _is_locked(self._path(name)):
            return LockState(name=name, state="held", owner=self._alive_note(name))
        left = read_if_there(self._note(name)) is not None
        return LockState(name=name, state="stale" if left else "free")

    def clear(self, name: str) -> bool:
        """Remove the note of a holder that died; returns whether there was one.

        Raises
        ------
        LockedError
            The holder is alive; the message says who it is. Nothing is removed.
        """
        path, note = self._path(name), self._note(name)
        if not path.exists() and read_if_there(note) is None:
            return False
        lock = FileLock(path, thread_local=False, fallback_to_soft=False)
        with _only_once(path, name), speaking(note, "remove"):
            try:
                lock.acquire(timeout=_POLL_S, poll_interval=_POLL_S / 2)
            except Timeout:
                raise LockedError(self._busy(name, 0.0)) from None
            try:
                there = note.exists()
                note.unlink(missing_ok=True)
            finally:
                lock.release()
        return there

    def _free(self, lock: BaseFileLock, name: str) -> None:
        # The note goes first: once the lock is free, a note belongs to the next holder.
        with suppress(OSError):
            self._note(name).unlink(missing_ok=True)
        lock.release()

    def _owner(self) -> LockOwner:
        return LockOwner(
            pid=os.getpid(),
            pid_started=processes.started(),
            boot_id=processes.boot_id(),
            host=processes.host(),
            command=self._command,
            since=datetime.now(UTC),
        )

    def _alive_note(self, name: str) -> LockOwner | None:
        """Return the note, unless its writer is known to be gone."""
        path = self._note(name)
        data = read_if_there(path)
        if data is None:
            return None
        try:
            note = decode(data, LockOwner, str(path))
        except DataError:
            return None  # the kernel's lock is the truth; a note only decorates it
        if note.host != processes.host():
            return note
        here = note.boot_id == processes.boot_id() and processes.is_alive(note.pid, note.pid_started)
        return note if here else None

    def _busy(self, name: str, wait_s: float) -> str:
        note = self._alive_note(name)
        if note is None:
            who = f"a process that left no note (`fuser {self._path(name)}` names it)"
        else:
            who = (
                f"pid {note.pid} on {note.host} (since {note.since:%Y-%m-%d %H:%M:%S} UTC, `{note.command}`)"
            )
        cure = "try again when it is done, or wait longer"
        return f"lock '{name}' is held by {who}; waited {wait_s:g} s; cure: {cure}"

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise InputError(f"lock '{name}': expected a name of letters, digits, '.', '_' and '-'")
        return (self._folder / f"{name}.lock").absolute()

    def _note(self, name: str) -> Path:
        return self._folder / f"{name}.owner.json"


@contextmanager
def _only_once(path: Path, name: str) -> Iterator[None]:
    """Refuse a lock that this process holds: it would wait for itself, to the limit and in vain."""
    me = (os.getpid(), threading.current_thread().name)
    with _guard:
        holder = _held_here.get(path)
        if holder and holder[0] == me[0]:
            raise LockedError(
                f"lock '{name}' is held by this very process (pid {me[0]}, thread {holder[1]}), and is not "
                "re-entrant; cure: hold it once, around everything that needs it"
            )
        _held_here[path] = me
    try:
        yield
    finally:
        with _guard:
            _held_here.pop(path, None)


def _is_locked(path: Path) -> bool:
    """Ask the kernel. Called only where a live note says so: it takes the lock for a moment if it is free."""
    with speaking(path, "probe"):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False
