"""One member of a zip, read only after the archive was looked at.

Inspect packs with zstd, which ``zipfile`` can't unpack before Python 3.14; DuckDB can.
"""

from __future__ import annotations

import struct
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from harnesslib.errors import DataError

LARGEST_BYTES = 256 * 1024 * 1024
"""The most that is read of a file or of a member, once unpacked."""

MOST_MEMBERS = 200_000
_ZSTANDARD = 93
_KNOWN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, _ZSTANDARD)
_ENCRYPTED = 0x1
_DAMAGED = (
    zipfile.BadZipFile,
    NotImplementedError,
    struct.error,
    zlib.error,
    OSError,
    EOFError,
    ValueError,  # a name or a number in the list of members that can't be
    RuntimeError,  # the member's own header says that it is encrypted
)
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_MOST_LINES = 1_000_000
_NO_DELIMITER = "\x01"  # JSON can't hold it
_LINES = """
SELECT line FROM read_csv(
    ?, compression = 'zstd', columns = {'line': 'VARCHAR'}, delim = ?, quote = '', escape = '',
    header = false, auto_detect = false, max_line_size = ?, buffer_size = ?
) LIMIT ?
"""


def member(path: Path, name: str) -> bytes:
    """Return what a member of a zip holds; nothing is written where the archive could choose.

    Raises
    ------
    DataError
        No zip, one with suspicious names, without the member, or with one that is too large or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            info = _checked(archive, name, path)
            if info.compress_type == _ZSTANDARD:
                return _unpacked(_raw(file, info), info, path)
            with archive.open(info) as opened:
                return _bounded(opened.read(LARGEST_BYTES + 1), info, path)
    except _DAMAGED as error:
        raise DataError(f"{path}: no readable zip: {error}; cure: copy it again") from error


def _checked(archive: zipfile.ZipFile, name: str, path: Path) -> zipfile.ZipInfo:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise DataError(
            f"{path}: has {len(members)} members, at most {MOST_MEMBERS} are read; cure: split it"
        )
    for info in members:
        place = PurePosixPath(info.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts:
            raise DataError(
                f"{path}: a member is named {info.filename!r}, which leads out; cure: don't use it"
            )
    found = [info for info in members if info.filename == name]
    if len(found) != 1:
        raise DataError(
            f"{path}: has {len(found)} members '{name}', expected one; cure: name a log that was finished"
        )
    info = found[0]
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _KNOWN:
        raise DataError(f"{path}: '{name}' is packed in a way that can't be read; cure: pack it with deflate")
    _refuse_large(info.file_size, path)
    return info


def _refuse_large(size: int, path: Path) -> None:
    if size > LARGEST_BYTES:
        raise DataError(
            f"{path}: {size / 1e6:.0f} MB, at most {LARGEST_BYTES / 1e6:.0f} are read; cure: split it"
        )


def _bounded(data: bytes, info: zipfile.ZipInfo, path: Path) -> bytes:
    if len(data) != info.file_size:
        raise DataError(f"{path}: '{info.filename}' is not as long as it says; cure: copy it again")
    return data


def _raw(file: IO[bytes], info: zipfile.ZipInfo) -> bytes:
    _refuse_large(info.compress_size, Path(file.name))
    file.seek(info.header_offset)
    signature, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    if signature != b"PK\x03\x04":
        raise zipfile.BadZipFile(f"'{info.filename}' does not stand where the list says")
    file.seek(name_length + extra_length, 1)
    return file.read(info.compress_size)


def _unpacked(packed: bytes, info: zipfile.ZipInfo, path: Path) -> bytes:
    """Unpack zstd with DuckDB, which can, and stays within a limit of memory while it does."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder, duckdb.connect(":memory:") as connection:
        file = Path(folder) / "member.zst"
        file.write_bytes(packed)
        try:
            connection.execute("SET memory_limit = '1GB'; SET threads = 1; SET temp_directory = ''")
            rows = connection.execute(
                _LINES, [str(file), _NO_DELIMITER, LARGEST_BYTES, LARGEST_BYTES, _MOST_LINES]
            ).fetchall()
        except duckdb.Error as error:
            first = str(error).splitlines()[0]
            raise DataError(
                f"{path}: '{info.filename}' can't be unpacked: {first}; cure: copy it again"
            ) from error
    # The last line's end is gone with the lines.
    data = "\n".join(row[0] or "" for row in rows).encode()
    return data if info.file_size == len(data) + 1 else _bounded(data, info, path)
