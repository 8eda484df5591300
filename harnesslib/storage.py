"""The one way bytes reach the disk: whole files at once, or whole lines at the end.

A file is either the old one or the new one, never a part of one: a power cut, a full disk and a killed
process leave a file that was there before untouched. A line counts once its newline is there: what
stands behind the last newline was never acknowledged to anybody, and is cut off before the next line.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from harnesslib.errors import DataError

_log = logging.getLogger(__name__)
_FILE_MODE = 0o644  # the umask takes its share away
_CURES = {
    errno.ENOSPC: "free space on the disk; no file was left half written",
    errno.EDQUOT: "free space in your quota; no file was left half written",
    errno.EROFS: "the file system is read-only: mount it writable, or use a workspace elsewhere",
    errno.EACCES: "give this user write permission for the file and its folder",
    errno.EPERM: "give this user write permission for the file and its folder",
    errno.ENOENT: "create the folder, or check the path of the workspace",
    errno.ENOTDIR: "a part of the path is a file: check the path of the workspace",
    errno.EISDIR: "a folder stands where a file should be: move it away",
    errno.EIO: "the disk reports an error: check it, then restore the workspace from a backup",
}


@contextmanager
def speaking(path: Path, doing: str) -> Iterator[None]:
    """Turn an OSError into a DataError that names the file and the cure."""
    try:
        yield
    except OSError as error:
        cure = _CURES.get(error.errno or 0, "check the disk and the path, then try again")
        reason = error.strerror or str(error)
        raise DataError(f"{path}: can't {doing}: {reason}; cure: {cure}") from error


def read(path: Path) -> bytes:
    """Return the content of `path`; DataError when it can't be read."""
    with speaking(path, "read"):
        return path.read_bytes()


def read_if_there(path: Path) -> bytes | None:
    """Return the content of `path`, or none when there is no such file."""
    with speaking(path, "read"):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield the path of a temporary file in the same folder; it becomes `path` when the block ends well.

    Without `durable` readers still see the old file or the new one, but a power cut may leave an empty one.

    Raises
    ------
    DataError
        The disk is full, the file system read-only, the folder missing or forbidden. `path` is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with speaking(path, "write"):
            yield temporary
            if durable:
                _sync(temporary, os.O_RDONLY)
            os.replace(temporary, path)  # noqa: PTH105 - the tests stop the program at this very call
            if durable:
                sync_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Replace `path` by `data`, on disk before this returns; a reader sees the old file or the new one."""
    with replacing(path, durable=durable) as temporary:
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, _FILE_MODE)
        try:
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)


def write_once(path: Path, data: bytes) -> None:
    """Write a file that never changes; the same content again is fine.

    Raises
    ------
    DataError
        The file exists with other content.
    """
    there = read_if_there(path)
    if there is None:
        write_atomic(path, data)
    elif there != data:
        raise DataError(f"{path}: exists with other content, and is written once; cure: start a new run")


def make_folder(path: Path) -> None:
    """Make a folder and its parents where they are missing."""
    with speaking(path, "make the folder"):
        path.mkdir(parents=True, exist_ok=True)


def sync_folder(path: Path) -> None:
    """Bring a folder's names to the disk; some network file systems have no such thing, and need none."""
    try:
        _sync(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise


@contextmanager
def claiming(folder: Path) -> Iterator[bool]:
    """Claim a folder for the block; yields whether nobody else has it. The dead claim nothing."""
    with speaking(folder, "claim"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield _claim(descriptor)
    finally:
        os.close(descriptor)


def _claim(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # network file systems lock no folders: there the caller's own care has to do
    return True


def sweep(folder: Path, name: str) -> None:
    """Remove what killed writers of `name`, a pattern, left; only for who knows that nobody writes it now."""
    with suppress(OSError):
        for left in folder.glob(f".{name}.*.tmp"):
            left.unlink(missing_ok=True)


def whole_lines(data: bytes) -> tuple[list[bytes], bytes]:
    """Split into the lines that have their newline (without it), and the torn rest."""
    *lines, rest = data.split(b"\n")
    return lines, rest


class LineFile:
    """A file that only ever grows by whole lines. One writer at a time; any number of readers.

    Opening it cuts off a torn last line. Each line is in the file when `append` returns (a killed process
    loses nothing) and on disk when `sync` returns (a power cut loses nothing).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._torn = False
        self._descriptor = -1
        with speaking(path, "open"):
            existed = path.exists()
            self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, _FILE_MODE)
            try:
                self._cut_torn_line()
                if not existed:
                    sync_folder(path.parent)
            except BaseException:
                self.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def append(self, line: bytes) -> None:
        """Add one line; `line` has no newline of its own."""
        with speaking(self.path, "append to"):
            if self._torn:
                self._cut_torn_line()
            self._torn = True
            _write_all(self._descriptor, line + b"\n")
            self._torn = False

    def sync(self) -> None:
        """Bring everything to the disk."""
        with speaking(self.path, "sync"):
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close without a sync; closing twice is fine."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _cut_torn_line(self) -> None:
        size = os.fstat(self._descriptor).st_size
        whole = _end_of_last_line(self._descriptor, size)
        if whole < size:
            _log.warning("%s: cut off a torn last line of %d bytes", self.path, size - whole)
            os.ftruncate(self._descriptor, whole)


def _end_of_last_line(descriptor: int, size: int) -> int:
    end, block = size, 65536
    while end > 0:
        start = max(0, end - block)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
