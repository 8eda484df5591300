"""``imported/``: each file of another tool once, under the hash of its content."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from harnesslib.errors import DataError, InputError
from harnesslib.imports.archive import LARGEST_BYTES, member
from harnesslib.imports.inspect_log import inspect_facts, inspect_rows
from harnesslib.imports.lm_eval import lm_eval_facts, lm_eval_rows
from harnesslib.records import ImportedFile, ImportedRow, decode, encode_pretty, sha256
from harnesslib.storage import make_folder, read, read_if_there, write_once

Plain: TypeAlias = Any  # what JSON decodes to
Tool: TypeAlias = Literal["inspect", "lm-eval"]
Facts: TypeAlias = tuple[datetime | None, str]

_READERS: dict[Tool, tuple[Callable[[Plain, str], tuple[ImportedRow, ...]], Callable[[Plain], Facts]]] = {
    "inspect": (inspect_rows, inspect_facts),
    "lm-eval": (lm_eval_rows, lm_eval_facts),
}
_PATTERNS: dict[Tool, tuple[str, ...]] = {"inspect": ("*.eval", "*.json"), "lm-eval": ("results_*.json",)}
_HEADER = "header.json"


class ImportedResults:
    """What was imported into a workspace.

    Parameters
    ----------
    folder
        ``imported/``; made by the first import.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, tool: Tool, path: Path, *, now: datetime) -> ImportedFile:
        """Import one file; the same content again changes nothing, and comes back as it was first imported.

        Raises
        ------
        DataError
            The file can't be read, or is not of that tool.
        """
        size = _size(path)
        if size > LARGEST_BYTES:
            raise DataError(
                f"{path}: {size / 1e6:.0f} MB, at most {LARGEST_BYTES / 1e6:.0f} are read; split it"
            )
        data = read(path)
        digest = sha256(data)
        known = self._load(self._place(digest))
        if known is not None:
            return known
        content = _content(data, path)
        rows, facts = _READERS[tool]
        measured_at, version = facts(content)
        made = ImportedFile(
            tool=tool,
            source=path.name,
            sha256=digest,
            measured_at=measured_at,
            imported_at=now,
            tool_version=version,
            rows=rows(content, str(path)),
        )
        make_folder(self.folder)
        write_once(self._place(digest), _encoded(made, path))
        return made

    def files(self) -> tuple[ImportedFile, ...]:
        """Return all that was imported, oldest measurement first."""
        found = [self._load(path) for path in sorted(self.folder.glob("*.json"))]
        return tuple(
            sorted((f for f in found if f), key=lambda f: ((f.measured_at or f.imported_at), f.sha256))
        )

    def _place(self, digest: str) -> Path:
        return self.folder / f"{digest[:16]}.json"

    def _load(self, path: Path) -> ImportedFile | None:
        data = read_if_there(path)
        return None if data is None else decode(data, ImportedFile, str(path))


def files_of(tool: Tool, path: Path) -> tuple[Path, ...]:
    """Return the files to import: the one that is named, or all of a folder and below that look like it.

    Raises
    ------
    InputError
        There is none.
    """
    if path.is_file():
        return (path,)
    found = {file for pattern in _PATTERNS[tool] for file in path.rglob(pattern) if file.is_file()}
    if not found:
        wanted = " or ".join(_PATTERNS[tool])
        raise InputError(f"{path}: no such file, and no folder with {wanted}; check the path")
    return tuple(sorted(found))


def _encoded(made: ImportedFile, path: Path) -> bytes:
    try:
        return encode_pretty(made)
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: a name is broken Unicode: {error.reason}; cure: copy it again") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; check the path") from error


def _content(data: bytes, path: Path) -> Plain:
    text = member(path, _HEADER) if data[:2] == b"PK" else data
    try:
        # The other tools write NaN and Infinity, which are no JSON; this reader takes them.
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: no JSON: {error}; cure: copy it again") from error
