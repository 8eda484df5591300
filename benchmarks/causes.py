"""Inject every cause into simulated models, measure them, and see which cause the diagnosis names.

    python benchmarks/causes.py [--cells 20] [--null 2000] [--wrong]

Each cell is a model with one trouble (or none), of another strength, on another number of cases, with other
repeats, settings and seeds. It is measured in one to eleven runs; the last one is diagnosed with the earlier
ones beside it, as `harness diagnose` does. A cell counts as right if that cause is named and no other. The
second part asks of arrays without a cold start how often one is seen.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
from in_process import Laboratory

from harnesslib.errors import EndpointError
from harnesslib.harness_feedback_loop import diagnose
from harnesslib.harness_feedback_loop.evidence import SIGNIFICANT
from harnesslib.harness_feedback_loop.startup import slow_calls, start_of
from harnesslib.records import (
    Finding,
    PhaseConfig,
    PolicyConfig,
    Settings,
    SimulatedModel,
    SimulatedPhase,
    SimulatedTrouble,
    SimulatedWorld,
    Spec,
    Suite,
)
from harnesslib.simulator.truth import probabilities, uniforms
from harnesslib.suites import load_suite
from harnesslib.summarize import summarize

CLEAN = "clean"
CAUSES = (
    "cold_start",
    "capability_limit",
    "flaky",
    "timeout_bound",
    "format_mismatch",
    "infrastructure",
    "over_calling",
    "concurrency_dependent",
    "cached_replicates",
    "drift",
)
CLASSES = (*CAUSES, CLEAN)
SHORT = ("cold", "capab", "flaky", "timeo", "format", "infra", "overc", "concur", "cached", "drift", CLEAN)
CELLS = 20
BUSY, CALM = 8, 2
DAY_S = 86400.0
MODEL = "m"
TRIES = 300
"""Truths that are drawn until one is taken in which no case passes only at times."""


@dataclass(frozen=True)
class Cell:
    """One experiment: who is measured, how, and what is wrong with it. `loads` are those of its runs."""

    cause: str
    number: int
    suite: Suite
    model: SimulatedModel
    settings: tuple[Settings, ...]
    loads: tuple[int, ...]
    repeats: int
    seed: int

    @property
    def name(self) -> str:
        """Cause and number."""
        return f"{self.cause} {self.number}"


@dataclass
class Draw:
    """What a cell is drawn from. The same name and place give the same value."""

    cause: str
    number: int
    attempt: int = 0
    trouble: dict[str, object] = field(default_factory=dict)
    fields: dict[str, object] = field(default_factory=dict)
    variants: tuple[str, ...] = ("native",)
    retries: int = 1

    def share(self, what: str, low: float = 0.0, high: float = 1.0) -> float:
        """Return a number between two."""
        return low + (high - low) * uniforms(1, "causes", self.cause, self.number, self.attempt, what)[0]

    def pick(self, what: str, *choices: int) -> int:
        """Return one of these."""
        return choices[int(self.share(what) * len(choices))]


def cell(cause: str, number: int, attempt: int = 0) -> Cell:
    """Return one cell; the first ones of a cause are as varied as the later ones."""
    draw = Draw(cause, number, attempt)
    suite = part(draw.pick("cases", 12, 24, 36, 48), draw.pick("from", 0, 20, 40))
    latency_s = draw.share("latency", 0.05, 0.5)
    timeout_s = 10 * latency_s
    repeats = draw.pick("repeats", 4, 5, 7, 7)
    earlier = draw.pick("earlier", 0, 3, 5)
    loads: tuple[int, ...] = (BUSY,) * (earlier + 1)
    if draw.pick("loads", 1, 0, 0):
        loads = _alternating(earlier + 1)
    truth = steady(suite, draw, accuracy=(0.75, 0.99))
    temperature = 0.7 * draw.pick("temperature", 0, 1)
    truth, temperature, timeout_s, loads = INJECT.get(cause, _nothing)(
        draw, Plain(suite, truth, temperature, timeout_s, loads, latency_s)
    )
    model = SimulatedModel(
        id=MODEL,
        phases={suite.name: truth},
        latency_s=latency_s,
        latency_spread=draw.share("spread", 0.15, 0.35),
        trouble=msgspec.convert(draw.trouble, SimulatedTrouble),
        **draw.fields,
    )
    settings = tuple(
        Settings(variant=variant, temperature=temperature, timeout_s=timeout_s, retries=draw.retries)
        for variant in draw.variants
    )
    return Cell(cause, number, suite, model, settings, loads, repeats, seed=1000 * number + 7)


class Plain(msgspec.Struct):
    """A cell before anything is wrong with it."""

    suite: Suite
    truth: SimulatedPhase
    temperature: float
    timeout_s: float
    loads: tuple[int, ...]
    latency_s: float


Changed = tuple[SimulatedPhase, float, float, tuple[int, ...]]


def _with(plain: Plain, **changes: object) -> Changed:
    made = {name: changes.get(name, getattr(plain, name)) for name in Plain.__struct_fields__}
    return made["truth"], made["temperature"], made["timeout_s"], made["loads"]  # type: ignore[return-value]


def _nothing(draw: Draw, plain: Plain) -> Changed:  # noqa: ARG001 - the others need it
    return _with(plain)


def _cold_start(draw: Draw, plain: Plain) -> Changed:
    times = draw.share("load", 1.2, 4.0) if draw.number % 4 else draw.share("load", 0.4, 0.9)
    draw.fields |= {"load_s": times * plain.timeout_s, "loading": ("block", "refuse")[draw.number % 2]}
    return _with(plain)


def _capability_limit(draw: Draw, plain: Plain) -> Changed:
    return _with(plain, truth=steady(plain.suite, draw, accuracy=(0.01, 0.2)))


def _flaky(draw: Draw, plain: Plain) -> Changed:
    share = draw.share("flaky", 0.15, 0.5)
    return _with(plain, truth=SimulatedPhase(accuracy=0.75, restraint=0.99, flaky_share=share))


def _timeout_bound(draw: Draw, plain: Plain) -> Changed:
    if draw.number % 3 == 0:  # slow all over, instead of on some cases
        return _with(plain, timeout_s=plain.latency_s * draw.share("tight", 1.0, 2.0))
    draw.trouble |= {
        "slow_share": draw.share("share", 0.12, 0.5),
        "slow_s": plain.timeout_s * draw.share("slow", 1.0, 3.0),
    }
    return _with(plain)


def _format_mismatch(draw: Draw, plain: Plain) -> Changed:
    draw.trouble |= {"unreadable_share": draw.share("share", 0.2, 1.0)}
    if draw.number % 2:
        draw.trouble |= {"unreadable_in": ("native",)}
        draw.variants = ("native", "json")
    return _with(plain)


def _infrastructure(draw: Draw, plain: Plain) -> Changed:
    single = draw.number % 3 == 0
    draw.retries = draw.number % 2
    low = 0.5 if draw.retries else 0.2
    draw.trouble |= {
        "fault": ("error", "reset")[draw.pick("fault", 0, 1)],
        "fault_share": draw.share("share", low, low + 0.2),
        "fault_burst": 1 if single else draw.pick("burst", 3, 5, 8),
    }
    return _with(plain)


def _over_calling(draw: Draw, plain: Plain) -> Changed:
    return _with(plain, truth=steady(plain.suite, draw, accuracy=(0.75, 0.99), restraint=(0.0, 0.5)))


def _concurrency_dependent(draw: Draw, plain: Plain) -> Changed:
    overload = ("wrong", "error", "slow")[draw.number % 3]
    draw.trouble |= {
        "most_at_once": draw.pick("most", 3, 4, 5),
        "overload": overload,
        "overload_share": draw.share("share", 0.4, 0.7 if overload == "error" else 1.0),
    }
    runs = draw.pick("runs", 3, 5)
    loads = tuple(CALM if place % 2 else BUSY for place in range(runs))
    timeout_s = 1.6 * plain.latency_s if overload == "slow" else plain.timeout_s
    return _with(plain, loads=loads, timeout_s=timeout_s)


def _cached_replicates(draw: Draw, plain: Plain) -> Changed:
    draw.trouble |= {
        "cached_share": draw.share("share", 0.5, 1.0),
        "cached_s": plain.latency_s / draw.share("quick", 5.0, 50.0),
    }
    return _with(plain, temperature=0.7)


def _drift(draw: Draw, plain: Plain) -> Changed:
    earlier, since = draw.pick("runs", 4, 6, 8), draw.pick("since", 0, 1, 2)
    draw.trouble |= {
        "drift_loss": draw.share("loss", 0.2, 0.6),
        "drift_after_s": (earlier - since - 0.5) * DAY_S,
    }
    loads = (BUSY,) * (earlier + 1) if draw.number % 3 else _alternating(earlier + 1)
    return _with(plain, loads=loads)


def _alternating(runs: int) -> tuple[int, ...]:
    return tuple(CALM if place % 2 else BUSY for place in range(runs - 1, -1, -1))


INJECT = {
    "cold_start": _cold_start,
    "capability_limit": _capability_limit,
    "flaky": _flaky,
    "timeout_bound": _timeout_bound,
    "format_mismatch": _format_mismatch,
    "infrastructure": _infrastructure,
    "over_calling": _over_calling,
    "concurrency_dependent": _concurrency_dependent,
    "cached_replicates": _cached_replicates,
    "drift": _drift,
}


@cache
def part(cases: int, skipped: int) -> Suite:
    """Return a suite of so many of the packaged cases."""
    suite = load_suite("atomic", root=Path())
    return msgspec.structs.replace(suite, cases=suite.part("search")[skipped : skipped + cases])


def steady(
    suite: Suite, draw: Draw, *, accuracy: tuple[float, float], restraint: tuple[float, float] = (0.99, 0.99)
) -> SimulatedPhase:
    """Return a truth in these ranges with which every case passes nearly always or nearly never."""
    best, furthest = SimulatedPhase(accuracy=0.99, restraint=0.99, flaky_share=0.0), 1.0
    for attempt in range(TRIES):
        phase = SimulatedPhase(
            accuracy=draw.share(f"accuracy {attempt}", *accuracy),
            restraint=draw.share(f"restraint {attempt}", *restraint),
            flaky_share=0.0,
        )
        world = SimulatedWorld(version=1, models=(SimulatedModel(id=MODEL, phases={suite.name: phase}),))
        far = max(min(chance, 1 - chance) for chance in probabilities(world, MODEL, suite).values())
        if far < furthest:
            best, furthest = phase, far
    return best


def measured(made: Cell) -> tuple[Finding, ...]:
    """Measure a cell and return what the diagnosis finds."""
    world = SimulatedWorld(version=1, models=(made.model,), seed=made.seed)
    laboratory = Laboratory(world, made.suite)
    specs = [Spec(model=MODEL, phase=made.suite.name, settings=settings) for settings in made.settings]
    runs = [
        laboratory.run(
            specs, run_id=f"run-{place}", repeats=made.repeats, concurrency=load, seed=made.seed + place
        )
        for place, load in enumerate(made.loads)
    ]
    policy = PolicyConfig()
    known = {spec.id: spec for spec in specs}
    summary = summarize(runs[-1], known, (), run_id=f"run-{len(runs) - 1}", leaders={}, policy=policy)
    phases = {made.suite.name: PhaseConfig(suite=made.suite.name, baseline=MODEL)}
    earlier = [sample for run in runs[:-1] for sample in run]
    return diagnose(summary, runs[-1], policy=policy, phases=phases, earlier=earlier)


@dataclass(frozen=True)
class Result:
    """What was injected, and what was named."""

    cell: Cell
    findings: tuple[Finding, ...]

    @property
    def named(self) -> tuple[str, ...]:
        """The causes that were named, or "clean"."""
        return tuple(finding.cause for finding in self.findings) or (CLEAN,)


def result(cause: str, number: int) -> Result:
    """Measure and diagnose a cell; it is drawn again where the bench gave the endpoint up."""
    for attempt in itertools.count():
        made = cell(cause, number, attempt)
        try:
            return Result(made, measured(made))
        except EndpointError:
            continue
    raise AssertionError


def results(cells: int = CELLS, causes: Sequence[str] = CLASSES, *, first: int = 0) -> Iterator[Result]:
    """Measure and diagnose so many cells of every cause."""
    for cause in causes:
        for number in range(first, first + cells):
            yield result(cause, number)


def scores(found: Iterable[Result]) -> Mapping[str, tuple[float, float, float]]:
    """Return precision, recall and F1 of every class. A cell may be named several causes: each one counts."""
    named: Counter[str] = Counter()
    right: Counter[str] = Counter()
    cells: Counter[str] = Counter()
    for result in found:
        cells[result.cell.cause] += 1
        named.update(result.named)
        right[result.cell.cause] += result.cell.cause in result.named
    return {
        cause: (
            right[cause] / named[cause] if named[cause] else 0.0,
            right[cause] / cells[cause],
            2 * right[cause] / (named[cause] + cells[cause]),
        )
        for cause in CLASSES
        if cells[cause]
    }


def macro_f1(found: Sequence[Result]) -> float:
    """Return the mean F1 over all classes, the clean one included."""
    return float(np.mean([f1 for _, _, f1 in scores(found).values()]))


def confusion(found: Sequence[Result]) -> Iterator[str]:
    """Yield the lines of a Markdown table: injected (rows) against named (columns)."""
    yield "| injected | " + " | ".join(SHORT) + " | precision | recall | F1 |"
    yield "|---|" + "---:|" * (len(SHORT) + 3)
    counts = Counter((result.cell.cause, name) for result in found for name in result.named)
    for cause, numbers in scores(found).items():
        row = " | ".join(str(counts[cause, other] or "") for other in CLASSES)
        yield f"| {cause} | {row} | " + " | ".join(f"{number:.2f}" for number in numbers) + " |"


def null_starts(cells: int) -> int:
    """Return in how many cells without a cold start one is seen: on arrays, drawn as a healthy session is."""
    seen = 0
    for number in range(cells):
        rng = np.random.default_rng(number)
        cases, runs = int(rng.choice([12, 24, 36, 48])), int(rng.choice([3, 4, 5, 7, 10]))
        flaky = rng.uniform(size=cases) < rng.choice([0.0, 0.15, 0.4])
        steady_ones = rng.choice([0.99, 0.01], cases, p=(0.85, 0.15))
        chances = np.where(flaky, rng.uniform(0.2, 0.8, cases), steady_ones)
        passed = (rng.uniform(size=(cases, runs)) < chances[:, None]).astype(float)
        late = rng.uniform(size=(cases, runs)) < rng.choice([0.0, 0.1]) * flaky[:, None]
        waited = np.exp(rng.normal(0, rng.uniform(0.1, 0.6), (cases, runs)) + rng.normal(0, 0.3, (cases, 1)))
        passed[late], waited[late] = 0.0, np.nan
        bad = late | slow_calls(waited)
        order = np.concatenate([bad[rng.permutation(cases), run] for run in range(runs)])
        start = start_of(passed, waited, order.tolist())
        seen += start.p_value <= SIGNIFICANT and start.shows
    return seen


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description="Inject causes, and see which ones are named.")
    parser.add_argument("--cells", type=int, default=CELLS, help="cells of every cause")
    parser.add_argument("--first", type=int, default=0, help="number of the first cell")
    parser.add_argument("--null", type=int, default=2000, help="cells without a cold start")
    parser.add_argument("--wrong", action="store_true", help="also list the cells that were not named right")
    options = parser.parse_args()
    found = list(results(options.cells, first=options.first))
    print("\n".join(confusion(found)))
    right = sum(result.named == (result.cell.cause,) for result in found)
    print(f"\nmacro-F1 {macro_f1(found):.3f}; {right} of {len(found)} cells named right, and nothing else")
    if options.wrong:
        for result in found:
            if result.named != (result.cell.cause,):
                print(f"{result.cell.name}: {', '.join(result.named)}")
    if options.null:
        seen = null_starts(options.null)
        share = f"{100 * seen / options.null:.2f} %"
        print(f"cold start seen in {seen} of {options.null} cells without one ({share})")


if __name__ == "__main__":
    main()
