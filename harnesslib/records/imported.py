"""Results of other tools, kept for comparison only: no sample of ours, and nothing is decided on them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from harnesslib.records.base import Record


class ImportedRow(Record):
    """One metric of one model on one task, as the other tool states it.

    `value` is none where the file has no number, and `reason` then says what stands there. `samples` is how
    many it counts.
    """

    model: str
    task: str
    metric: str
    value: float | None
    standard_error: float | None = None
    samples: int | None = None
    reason: str = ""


class ImportedFile(Record):
    """A file that was imported: ``imported/<first 16 digits of its hash>.json``."""

    tool: Literal["inspect", "lm-eval"]
    source: str
    sha256: str
    measured_at: datetime | None
    imported_at: datetime
    tool_version: str
    rows: tuple[ImportedRow, ...]
    schema_version: int = 1
