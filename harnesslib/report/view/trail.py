"""Where everything is and what it took: budget, audit trail, environment, history."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harnesslib.records import CycleRecords
from harnesslib.report.view.measured import STAGE_NAMES
from harnesslib.report.view.numbers import UNKNOWN, count, duration, short, signed

_ALWAYS = ("manifest.json", "journal.jsonl")


@dataclass(frozen=True)
class BudgetRow:
    """What one stage used. Times are the sum of what the samples waited, seconds."""

    stage: str
    samples: str
    requests: str
    tokens: str
    cost: str
    waited: str


@dataclass(frozen=True)
class LogRow:
    """One entry of the decision log."""

    seq: str
    time: str
    event: str
    summary: str
    generation: str
    digest: str


@dataclass(frozen=True)
class FileRow:
    """A file of the run directory; `link` is its name relative to the report."""

    link: str
    digest: str


@dataclass(frozen=True)
class Item:
    """A name and its value; `code` where the value is to be copied or compared."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True)
class Series:
    """Served accuracy of one phase over the cycles, as shares; none where it is unknown."""

    phase: str
    values: tuple[float | None, ...]
    models: tuple[str, ...]


def budget(records: CycleRecords) -> tuple[BudgetRow, ...]:
    """Return what each stage used, and the sum."""
    stages = [stage for stage in STAGE_NAMES if any(s.stage == stage for s in records.samples)]
    rows = [_budget_row(records, STAGE_NAMES[stage], (stage,)) for stage in stages]
    return (*rows, _budget_row(records, "together", tuple(stages))) if rows else ()


def predicted(records: CycleRecords) -> str:
    """Return the plan's prediction in words; "" without a plan."""
    plan = records.plan
    if plan is None:
        return ""
    return (
        f"The plan foresaw {count(plan.predicted_samples)} samples and "
        f"{count(plan.predicted_requests)} requests."
    )


def log_rows(records: CycleRecords) -> tuple[LogRow, ...]:
    """Return the decision log's entries about this cycle, oldest first."""
    return tuple(
        LogRow(
            seq=str(entry.seq),
            time=f"{entry.time:%H:%M:%S}",
            event=entry.event.replace("_", " "),
            summary=entry.summary,
            generation=str(entry.generation),
            digest=short(entry.sha256),
        )
        for entry in records.log
    )


def files(records: CycleRecords) -> tuple[FileRow, ...]:
    """Return the run's files: all that are sealed, else those that every run has."""
    sealed = records.manifest.files
    if sealed:
        return (
            FileRow("manifest.json", ""),
            *(FileRow(name, short(sealed[name])) for name in sorted(sealed)),
        )
    return tuple(FileRow(name, "") for name in _ALWAYS if name != "journal.jsonl" or records.samples)


def environment(records: CycleRecords) -> tuple[Item, ...]:
    """Return versions, seeds, suites and the command that shows the same numbers again."""
    manifest, plan = records.manifest, records.plan
    items = [Item("Same question again", "harness cycle", code=True)]
    items.append(Item("This report again", f"harness report {manifest.run_id}", code=True))
    if plan is not None:
        items.append(Item("Seed", str(plan.seed), code=True))
        items.extend(
            Item(f"Suite of {p.phase}", f"{p.suite} {p.suite_version} · sha256 {p.suite_hash}", code=True)
            for p in plan.phases
        )
        items.extend(Item(f"Digest of {model}", d, code=True) for model, d in plan.digests.items() if d)
    machine = ("python", "machine", "harnesslib")
    items.extend(Item(name, manifest.environment[name]) for name in machine if name in manifest.environment)
    others = [f"{name} {value}" for name, value in manifest.environment.items() if name not in machine]
    items.extend([Item("packages", " · ".join(others))] if others else [])
    given = " ".join(f"{name}={value!r}" for name, value in manifest.parameters.items())
    items.append(Item("Parameters", given or "none", code=True))
    return tuple(items)


def history(records: CycleRecords) -> tuple[Series, ...]:
    """Return accuracy over the cycles, this one last; nothing where there is only one."""
    outcomes = list(records.history)
    if records.outcome is not None and records.outcome.run_id not in {o.run_id for o in outcomes}:
        outcomes.append(records.outcome)
    if len(outcomes) < 2:  # noqa: PLR2004
        return ()
    names = dict.fromkeys(phase for outcome in outcomes for phase in outcome.accuracy)
    return tuple(
        Series(
            phase,
            tuple(outcome.accuracy.get(phase) for outcome in outcomes),
            tuple(outcome.baselines.get(phase, "") for outcome in outcomes),
        )
        for phase in names
    )


def drift(series: Series) -> str:
    """Return how far the accuracy of a phase has come since the first cycle that knows it."""
    known = [value for value in series.values if value is not None]
    return f"{signed(100 * (known[-1] - known[0]))} points" if known else UNKNOWN


def _budget_row(records: CycleRecords, name: str, stages: tuple[str, ...]) -> BudgetRow:
    found = [sample for sample in records.samples if sample.stage in stages]
    tokens = [
        sample.input_tokens + sample.output_tokens
        for sample in found
        if sample.input_tokens is not None and sample.output_tokens is not None
    ]
    costs = [sample.cost for sample in found if sample.cost is not None]
    return BudgetRow(
        stage=name,
        samples=count(len(found)),
        requests=count(sum(sample.requests for sample in found)),
        tokens=_known(count(sum(tokens)), len(tokens), len(found)),
        cost=_known(f"{math.fsum(costs):.4f}", len(costs), len(found)),
        waited=duration(sum(sample.elapsed_s for sample in found)),
    )


def _known(total: str, known: int, samples: int) -> str:
    """Return a sum with the number of samples behind it, where that is not all of them."""
    if known == samples:
        return total
    return f"{total} ({count(known)} of {count(samples)})" if known else UNKNOWN
