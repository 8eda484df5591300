"""Numbers as other tools write them: NaN, "N/A" and nothing at all are unknown, and never 0."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, TypeAlias

Plain: TypeAlias = Any  # what JSON decodes to


def number(value: Plain) -> float | None:
    """Return a finite number, or none for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer beyond any float
        return None


def unknown(value: Plain) -> str:
    """Return why there is no number; "" when there is one."""
    if number(value) is not None:
        return ""
    return "the file has no value" if value is None else f"the file says {str(value)[:40]!r}"


def count(value: Plain) -> int | None:
    """Return a count, or none for anything else."""
    found = number(value)
    return int(found) if found is not None and found >= 0 and found == int(found) else None


def time(value: Plain) -> datetime | None:
    """Return a time given as text of ISO 8601 or in seconds since 1970, or none."""
    seconds = number(value)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(seconds, UTC)
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def table(value: Plain) -> dict[str, Plain]:
    """Return a mapping as it is, and an empty one for anything else."""
    return value if isinstance(value, dict) else {}
