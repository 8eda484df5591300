"""A frame as people read it: whole texts, few digits, and unknown said as such."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from harnesslib.report.html import Column, Safe, framed

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = "n/a"


@dataclass(frozen=True)
class Table:
    """A frame to look at; `frame` is the frame itself."""

    frame: pd.DataFrame
    digits: int

    def _repr_html_(self) -> Safe:
        kinds = zip(self.frame.columns, self.frame.dtypes, strict=True)
        columns = [Column(str(name).replace("_", " "), numeric=kind.kind in "if") for name, kind in kinds]
        rows = ([_said(value, self.digits) for value in row] for row in self.frame.itertuples(index=False))
        return framed("Table", columns, rows)

    def __repr__(self) -> str:
        said = self.frame.map(lambda value: _said(value, self.digits))
        return str(said.to_string(index=False))


def table(frame: pd.DataFrame, digits: int = 3) -> Table:
    """Return a frame to look at, numbers rounded to `digits`; a named index becomes columns."""
    named = any(name is not None for name in frame.index.names)
    return Table(frame.reset_index() if named else frame, digits)


def _said(value: Any, digits: int) -> str:  # noqa: ANN401 - what a frame holds
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return UNKNOWN
    if isinstance(value, float):
        return f"{value:.{digits}f}".replace("-", "\u2212") if value else "0"
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)
