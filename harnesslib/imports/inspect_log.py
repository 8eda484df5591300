"""A log of Inspect AI (version 2) -> rows: one per score and metric."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from harnesslib.errors import DataError
from harnesslib.imports.numbers import Plain, count, number, table, time, unknown
from harnesslib.records import ImportedRow

VERSION = 2
_ERRORS = ("stderr", "bootstrap_stderr")


def inspect_rows(log: Plain, where: str) -> tuple[ImportedRow, ...]:
    """Return what a log says, standard errors beside what they belong to.

    Raises
    ------
    DataError
        It is no such log, or one without results.
    """
    content = table(log)
    if content.get("version") != VERSION or "eval" not in content:
        raise DataError(f"{where}: no log of Inspect AI in version 2; cure: name an .eval or .json log")
    rows = tuple(_rows(content))
    if not rows:
        state = content.get("status", "unknown")
        raise DataError(f"{where}: has no results (status '{state}'); cure: finish or score it in Inspect")
    return rows


def inspect_facts(log: Plain) -> tuple[datetime | None, str]:
    """Return when a log was begun, and the version of Inspect."""
    about = table(table(log).get("eval"))
    return time(about.get("created")), str(table(about.get("packages")).get("inspect_ai", ""))


def _rows(log: dict[str, Plain]) -> Iterator[ImportedRow]:
    about, results = table(log["eval"]), table(log.get("results"))
    scores = results.get("scores")
    for score in scores if isinstance(scores, list) else ():
        metrics = table(table(score).get("metrics"))
        errors = [table(metrics[name]).get("value") for name in _ERRORS if name in metrics]
        samples = count(table(score).get("scored_samples"))
        for name, metric in metrics.items():
            if name not in _ERRORS:
                value = table(metric).get("value")
                yield ImportedRow(
                    model=str(about.get("model", "unknown")),
                    task=str(about.get("task", "unknown")),
                    metric=f"{table(score).get('name', 'score')}/{name}",
                    value=number(value),
                    standard_error=number(errors[0]) if errors else None,
                    samples=count(results.get("completed_samples")) if samples is None else samples,
                    reason=unknown(value),
                )
