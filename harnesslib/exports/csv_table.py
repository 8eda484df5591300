"""Samples as CSV that a spreadsheet can open without running anything that a model wrote."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import StringIO
from typing import Any

from harnesslib.records import Sample, encode

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - full width counts
_MARK = "'"


def samples_csv(samples: Sequence[Sample]) -> str:
    r"""Return the table: one row per sample, columns as in the Sample record, lists as JSON.

    Notes
    -----
    A text that a spreadsheet could take for a formula (it begins with one of ``= + - @``, a tab or a line
    break, blanks before it not counted) gets an apostrophe in front, and so does a text that begins with one:
    whoever reads the table back takes one leading apostrophe off every text. *Source*: OWASP, CSV injection.
    """
    table = StringIO()
    writer = csv.writer(table, lineterminator="\r\n")
    names = Sample.__struct_fields__
    writer.writerow(names)
    writer.writerows([_cell(getattr(sample, name)) for name in names] for sample in samples)
    return table.getvalue()


def harmless(text: str) -> str:
    """Return the text as a spreadsheet shows it and never runs it."""
    first = text.lstrip(" \N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}")
    return f"{_MARK}{text}" if first.startswith((*_DANGEROUS, _MARK)) else text


def _cell(value: Any) -> object:  # noqa: ANN401 - any field of a sample
    if value is None or isinstance(value, bool | int | float):
        return "" if value is None else value
    if isinstance(value, str):
        return harmless(value)
    return value.isoformat() if hasattr(value, "isoformat") else harmless(encode(value).decode())
