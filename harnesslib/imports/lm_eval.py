"""A results file of the Language Model Evaluation Harness -> rows: one per task and metric."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from harnesslib.errors import DataError
from harnesslib.imports.numbers import Plain, count, number, table, time, unknown
from harnesslib.records import ImportedRow

_ABOUT = frozenset({"alias", "name", "sample_len", "samples"})
_ERROR = "_stderr"


def lm_eval_rows(results: Plain, where: str) -> tuple[ImportedRow, ...]:
    """Return what a results file says; a standard error of "N/A" is unknown.

    Raises
    ------
    DataError
        It is no such file, or one without results.
    """
    content = table(results)
    tasks = table(content.get("results"))
    if not tasks or "configs" not in content:
        raise DataError(
            f"{where}: no results of lm-eval; cure: name a results_*.json that lm_eval --output_path wrote"
        )
    return tuple(row for task, found in tasks.items() for row in _rows(str(task), table(found), content))


def lm_eval_facts(results: Plain) -> tuple[datetime | None, str]:
    """Return when the tool ran, and its version."""
    content = table(results)
    return time(content.get("date")), str(content.get("lm_eval_version", ""))


def _rows(task: str, found: dict[str, Plain], content: dict[str, Plain]) -> Iterator[ImportedRow]:
    samples = table(table(content.get("n-samples")).get(task)).get("effective", found.get("sample_len"))
    for key, value in found.items():
        name, separator, by = key.partition(",")
        if key in _ABOUT or name.endswith(_ERROR):
            continue
        yield ImportedRow(
            model=_model(content),
            task=task,
            metric=f"{name}, {by}" if by not in {"", "none"} else name,
            value=number(value),
            standard_error=number(found.get(f"{name}{_ERROR}{separator}{by}")),
            samples=count(samples),
            reason=unknown(value),
        )


def _model(content: dict[str, Plain]) -> str:
    named = content.get("model_name") or table(content.get("config")).get("model_args")
    return str(named or content.get("model_source") or "unknown")
