"""Where everything is and what it took: budget, audit trail, environment, history."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harnesslib.records import BudgetConfig, CycleOutcome, CycleRecords, Estimate, Plan
from harnesslib.report.view.measured import STAGE_NAMES
from harnesslib.report.view.numbers import UNKNOWN, count, duration, listed, percent, short, signed

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
    """Served accuracy of one phase over the cycles, as shares; none where it is unknown.

    `bands` are the intervals; `adopted` tells at which cycles another model came into service.
    """

    phase: str
    values: tuple[float | None, ...]
    models: tuple[str, ...]
    bands: tuple[tuple[float, float] | None, ...] = ()
    adopted: tuple[int, ...] = ()


def budget(records: CycleRecords) -> tuple[BudgetRow, ...]:
    """Return what each stage used, and the sum."""
    used: set[str] = {sample.stage for sample in records.samples}
    stages = [*(stage for stage in STAGE_NAMES if stage in used), *sorted(used - STAGE_NAMES.keys())]
    rows = [_budget_row(records, STAGE_NAMES.get(stage, stage), (stage,)) for stage in stages]
    return (*rows, _budget_row(records, "together", tuple(stages))) if rows else ()


def predicted(records: CycleRecords) -> str:
    """Return the plan's prediction in words; "" without a plan."""
    plan = records.plan
    if plan is None:
        return ""
    foreseen = (
        f"The plan foresaw {count(plan.predicted_samples)} samples and "
        f"{count(plan.predicted_requests)} requests."
    )
    return f"{foreseen} {_left(records, plan)}"


def _left(records: CycleRecords, plan: Plan) -> str:
    used = sum(sample.requests for sample in records.samples)
    share = f", {percent(used / plan.predicted_requests, 0)} of them" if plan.predicted_requests else ""
    said = f"{count(used)} requests were made{share}."
    limits = list(_limits(records, plan.budget)) if plan.budget else []
    return f"{said} Of the budget's {listed(tuple(limits))} left." if limits else f"{said} No limit was set."


def _limits(records: CycleRecords, budget: BudgetConfig) -> Iterator[str]:
    """Say of every limit that was set what is left of it."""
    samples = records.samples
    if budget.max_calls:
        left = max(0, budget.max_calls - sum(sample.requests for sample in samples))
        yield f"{count(budget.max_calls)} calls {count(left)} are"
    if budget.max_cost:
        costs = [sample.cost for sample in samples if sample.cost is not None]
        unknown = "" if len(costs) == len(samples) else " (going by the calls whose cost is known)"
        yield f"{budget.max_cost:g} of cost{unknown} {max(0.0, budget.max_cost - math.fsum(costs)):.4g} is"
    ended = records.outcome.ended_at if records.outcome else records.manifest.ended_at
    if budget.max_minutes and ended:
        minutes = (ended - records.manifest.started_at).total_seconds() / 60
        yield f"{budget.max_minutes:g} minutes {max(0.0, budget.max_minutes - minutes):.1f} are"


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


def ways(records: CycleRecords) -> tuple[Item, ...]:
    """Return what lies around the report: what it is, and the way to it from the report's folder."""
    found = [Item("the executed notebook", "./cycle.ipynb"), Item("all cycles", "../index.html")]
    earlier = [outcome.run_id for outcome in records.history if outcome.run_id < records.manifest.run_id]
    if earlier:
        found.append(Item("the cycle before", f"../{earlier[-1]}/report.html"))
    found.append(Item("the decision log", "../../routing_decisions.jsonl"))
    found.append(Item("the routing in force", "../../routing_config.json"))
    return tuple(found)


def environment(records: CycleRecords) -> tuple[Item, ...]:
    """Return versions, seeds, suites and the command that shows the same numbers again."""
    manifest, plan = records.manifest, records.plan
    items = [Item("Same question again", "harness cycle", code=True)]
    items.append(Item("This report again", f"harness report {manifest.run_id}", code=True))
    items.append(Item("Every number checked", f"harness verify {manifest.run_id}", code=True))
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
    return series(outcomes)


def series(outcomes: Sequence[CycleOutcome]) -> tuple[Series, ...]:
    """Return the accuracy of each phase over `outcomes`, oldest first."""
    names = dict.fromkeys(phase for outcome in outcomes for phase in outcome.accuracy)
    return tuple(_series(phase, outcomes) for phase in names)


def _series(phase: str, outcomes: Sequence[CycleOutcome]) -> Series:
    models = tuple(outcome.baselines.get(phase, "") for outcome in outcomes)
    known = [(place, model) for place, model in enumerate(models) if model]
    return Series(
        phase=phase,
        values=tuple(outcome.accuracy.get(phase) for outcome in outcomes),
        models=models,
        bands=tuple(_band(outcome.intervals.get(phase)) for outcome in outcomes),
        adopted=tuple(place for (_, before), (place, now) in pairwise(known) if now != before),
    )


def _band(known: Estimate | None) -> tuple[float, float] | None:
    if known is None or known.low is None or known.high is None:
        return None
    return known.low, known.high


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
