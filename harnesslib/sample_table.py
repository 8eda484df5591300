"""Samples as a table: journal -> parquet -> frame. Loads DuckDB; import it where it is needed."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import duckdb
import msgspec

from harnesslib.errors import DataError
from harnesslib.records import Sample

if TYPE_CHECKING:
    import pandas as pd

TypeForm: TypeAlias = Any  # a type as an annotation writes it
_KINDS = {
    str: "VARCHAR",
    bool: "BOOLEAN",
    int: "BIGINT",
    int | None: "BIGINT",
    float: "DOUBLE",
    float | None: "DOUBLE",
    datetime: "TIMESTAMPTZ",
}


def _kind(annotation: TypeForm) -> str:
    if all(isinstance(option, str) for option in get_args(annotation) or (None,)):
        return "VARCHAR"  # one of some words
    return _KINDS.get(annotation, "JSON")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _literal(value: object) -> str:
    if isinstance(value, bool | int | float):
        return str(value)
    return _text(value if isinstance(value, str) else msgspec.json.encode(value).decode())


COLUMNS = {field.name: _kind(field.type) for field in msgspec.structs.fields(Sample)}
"""Column -> SQL type, from the Sample record; letting DuckDB guess would change types with the data."""

DEFAULTS = {
    field.name: _literal(field.default)
    for field in msgspec.structs.fields(Sample)
    if field.default not in {None, msgspec.NODEFAULT}
}
"""Column -> SQL for what the record says where nothing was written."""

UNSURE_COUNTS = tuple(f.name for f in msgspec.structs.fields(Sample) if f.type == int | None)
"""Whole numbers that may be unknown: pandas would make floats of them where one is."""

_LARGEST_LINE_BYTES = 256 * 1024 * 1024


def write_parquet(journal: Path, target: Path) -> int:
    """Write the journal's samples as parquet and return how many there are.

    Raises
    ------
    DataError
        A line is no JSON object of these columns, or `target` can't be written.
    """
    with _connect(journal) as connection:
        copy = f"COPY (FROM {_read_journal(journal)}) TO {_text(str(target))} (FORMAT parquet)"
        try:
            connection.execute(copy)
        except duckdb.IOException as error:
            cure = "free space on the disk, or check it; no file was left half written"
            raise DataError(f"{target}: can't write the table: {error}; cure: {cure}") from error
        written = f"SELECT count(*) FROM read_parquet({_pattern(target)})"  # noqa: S608 - own, quoted paths
        row = connection.execute(written).fetchone()
    return int(row[0]) if row else 0


def read_frame(path: Path) -> pd.DataFrame:
    """Return a journal or its parquet as a frame: one row per sample, columns as in the Sample record."""
    if path.suffix != ".jsonl":
        return read_tables((path,))
    with _connect(path) as connection:
        return _frame(connection, _read_journal(path), {})


def read_tables(tables: Sequence[Path], **equal: str) -> pd.DataFrame:
    """Return the samples of many parquet files as one frame, in one query.

    Parameters
    ----------
    tables
        Files, whose rows follow each other in this order; at least one.
    equal
        Column -> the value that it must have.

    Notes
    -----
    A file written before a column existed gives the record's default there.
    """
    names = ", ".join(_pattern(table) for table in tables)
    with _connect(tables[0].parent.parent if len(tables) > 1 else tables[0]) as connection:
        return _frame(connection, f"read_parquet([{names}], union_by_name = true)", equal)


def _frame(connection: duckdb.DuckDBPyConnection, source: str, equal: Mapping[str, str]) -> pd.DataFrame:
    import pandas as pd

    rows = connection.execute(f"DESCRIBE FROM {source}").fetchall()
    there = {str(row[0]) for row in rows}
    chosen = ", ".join(_column(name, there) for name in COLUMNS)
    where = " AND ".join(f'"{name}" = ${name}' for name in equal) or "true"
    query = f"SELECT {chosen} FROM {source} WHERE {where}"  # noqa: S608 - own names, values are bound
    found = connection.execute(query, dict(equal)).fetchnumpy()
    frame = pd.DataFrame(found, columns=list(COLUMNS))
    frame = frame.astype(dict.fromkeys(UNSURE_COUNTS, "Int64"))
    frame["started_at"] = pd.to_datetime(frame["started_at"]).dt.tz_localize("UTC")
    return frame


def _column(name: str, there: Container[str]) -> str:
    """Return how a column is selected: with the record's default where a file lacks it."""
    default = DEFAULTS.get(name)
    known = f'"{name}"' if name in there else f"CAST(NULL AS {COLUMNS[name]})"
    return f'{known} AS "{name}"' if default is None else f'coalesce({known}, {default}) AS "{name}"'


def _read_journal(path: Path) -> str:
    columns = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in COLUMNS.items())
    options = f"format = 'newline_delimited', maximum_object_size = {_LARGEST_LINE_BYTES}"
    return f"read_json({_pattern(path)}, columns = {{{columns}}}, {options})"


class _connect:  # noqa: N801 - used as a verb
    """An in-memory database; DuckDB's errors become DataErrors that name the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        self._connection = duckdb.connect(":memory:")
        return self._connection

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._connection.close()
        if isinstance(error, duckdb.Error):
            cure = "see the line it names, or restore the run folder from a backup"
            raise DataError(f"{self._path}: {error}; cure: {cure}") from error


def _pattern(path: Path) -> str:
    """Return a path as DuckDB reads it: it takes `*`, `?` and `[` for patterns."""
    return _text("".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path)))
