"""The one base of every record, and the one way records become bytes and come back."""

from __future__ import annotations

import hashlib
from typing import TypeVar, dataclass_transform

import msgspec

from harnesslib.errors import DataError

SCHEMA_VERSION = 1
T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Immutable, keyword-only, strict. Units stand in field names (``latency_s``)."""


def encode(value: object) -> bytes:
    """Encode a record as compact JSON, keys of mappings sorted: the same record gives the same bytes."""
    return msgspec.json.encode(value, order="deterministic")


def encode_pretty(value: object) -> bytes:
    """Encode a record as indented JSON that ends with a newline: for files that people read."""
    return msgspec.json.format(encode(value), indent=2) + b"\n"


def decode(data: bytes | str, type_: type[T], where: str) -> T:
    """Decode JSON strictly.

    Parameters
    ----------
    data
        One JSON document.
    type_
        Record type, or any type msgspec can decode.
    where
        Name of the source (a path), for the message.

    Raises
    ------
    DataError
        Torn, not JSON, an unknown field, a missing field or a wrong type.
    """
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        cure = "restore the file from a backup or a generation; it is not read as empty"
        raise DataError(f"{where}: {error}; cure: {cure}") from error


def sha256(data: bytes) -> str:
    """Return the hex SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()
