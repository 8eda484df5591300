"""Bytes on the disk: a reader never sees a part of a file, and a failure leaves what was there."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from harnesslib.errors import DataError
from harnesslib.storage import (
    LineFile,
    make_folder,
    read,
    read_if_there,
    sync_folder,
    write_atomic,
    write_once,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def failing(number: int):
    def fail(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    return fail


def test_a_file_is_replaced_and_no_other_file_stays(tmp_path):
    path = tmp_path / "a.json"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert (b"two", ["a.json"]) == (path.read_bytes(), names(tmp_path))


def test_a_file_is_readable_for_others_as_far_as_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert 0o640 == stat.S_IMODE((tmp_path / "a").stat().st_mode)


def test_short_writes_are_continued(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, bytes(data)[:2]))
    write_atomic(tmp_path / "a", b"0123456789")
    assert b"0123456789" == read(tmp_path / "a")


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "free space on the disk"),
        (errno.EROFS, "mount it writable"),
        (errno.EACCES, "write permission"),
        (errno.EIO, "the disk reports an error"),
        (errno.ENAMETOOLONG, "check the disk and the path"),
    ],
)
@pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
def test_a_failure_at_any_step_leaves_the_old_file_and_names_file_and_cure(
    tmp_path, monkeypatch, step, number, cure
):
    path = tmp_path / "a.json"
    write_atomic(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, step, failing(number))
        with pytest.raises(DataError) as caught:
            write_atomic(path, b"new")
    assert str(path) in str(caught.value)
    assert cure in str(caught.value)
    assert (b"old", ["a.json"]) == (path.read_bytes(), names(tmp_path))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="create the folder"):
        write_atomic(tmp_path / "no" / "a", b"")
    with pytest.raises(DataError, match="can't read"):
        read(tmp_path / "no")
    assert read_if_there(tmp_path / "no") is None


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="cure: a folder stands where a file should be"):
        write_atomic(tmp_path / "a", b"")
    with pytest.raises(DataError, match="a part of the path is a file"):
        make_folder(tmp_path / "file" / "b")


def test_a_file_system_without_folder_syncs_is_fine_and_a_broken_disk_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    sync_folder(tmp_path)
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        sync_folder(tmp_path)


def test_what_is_written_once_never_changes(tmp_path):
    write_once(tmp_path / "a", b"x")
    write_once(tmp_path / "a", b"x")
    with pytest.raises(DataError, match="exists with other content"):
        write_once(tmp_path / "a", b"y")
    assert b"x" == read(tmp_path / "a")


def test_a_reader_sees_the_old_file_or_the_new_one_and_never_a_part(tmp_path):
    path = tmp_path / "a"
    contents = [bytes([65 + number]) * 20_000 for number in range(26)]
    write_atomic(path, contents[0])
    done, reading = threading.Event(), threading.Event()
    seen: set[bytes] = set()

    def watch() -> None:
        while not done.is_set():
            seen.add(path.read_bytes())
            reading.set()

    reader = threading.Thread(target=watch)
    reader.start()
    assert reading.wait(10)
    for number in range(300):
        write_atomic(path, contents[number % 26])
    done.set()
    reader.join()
    assert seen <= set(contents)


# ---- growing files


def test_a_torn_last_line_is_cut_off_before_the_next_one(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b'{"a":1}\n{"b":2')
    with LineFile(path) as file:
        file.append(b'{"c":3}')
        file.sync()
    assert b'{"a":1}\n{"c":3}\n' == path.read_bytes()


@pytest.mark.parametrize("size", [1, 65535, 65536, 65537, 200_000])
def test_a_torn_line_of_any_length_is_cut_off(tmp_path, size):
    path = tmp_path / "log"
    path.write_bytes(b"good\n" + b"x" * size)
    LineFile(path).close()
    assert b"good\n" == path.read_bytes()
    path.write_bytes(b"x" * size)
    LineFile(path).close()
    assert b"" == path.read_bytes()


def test_a_line_that_was_torn_by_a_full_disk_does_not_swallow_the_next(tmp_path, monkeypatch):
    path, real = tmp_path / "log", os.write
    calls = []

    def half_then_full(descriptor, data):
        calls.append(len(data))
        if len(calls) == 1:
            return real(descriptor, bytes(data)[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    with LineFile(path) as file:
        file.append(b"first")
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", half_then_full)
            with pytest.raises(DataError, match="can't append to: No space left"):
                file.append(b"second")
        file.append(b"third")
    assert b"first\nthird\n" == path.read_bytes()


def test_a_file_that_can_not_be_opened_is_named_and_closing_twice_is_fine(tmp_path):
    with pytest.raises(DataError, match="can't open"):
        LineFile(tmp_path / "no" / "log")
    file = LineFile(tmp_path / "log")
    file.close()
    file.close()


def test_a_failure_while_a_torn_line_is_cut_closes_the_file(tmp_path, monkeypatch):
    (tmp_path / "log").write_bytes(b"torn")
    monkeypatch.setattr(os, "ftruncate", failing(errno.EIO))
    before = len(names(Path("/proc/self/fd")))
    with pytest.raises(DataError):
        LineFile(tmp_path / "log")
    assert before == len(names(Path("/proc/self/fd")))
