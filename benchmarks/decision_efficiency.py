"""What a promotion costs under several rules, how often each errs, and how far each is from the possible.

    python benchmarks/decision_efficiency.py [--replicates 2000] [--sizes 12 30 80 160] [--figure FILE]

Simulated cycles with six candidates (and with one, for the distance to the fewest calls possible): all equal
to the baseline, all moved sideways, or one of them better. Prints tables, and writes their numbers as JSON to
benchmarks/results/. Nothing is asked of a model.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from harnesslib.stats import designs, worlds
from harnesslib.stats.floor import fewest_calls, fewest_calls_to_stop
from harnesslib.stats.intervals import proportion
from harnesslib.stats.sequential import likely_spread
from harnesslib.stats.simulated import Cycles, Laws, Rule, World, run_cycles, run_test

ALPHA, VERIFY_ALPHA, GAIN = 0.05, 0.2, 0.10
RUNS, MOST_VARIANCE = 7, 0.0025
WORLDS = ("equal", "sideways", "+5", "+10", "+20")
LOOKS = {12: (3, 4, 5, 6, 8, 10, 12, 14, 16), 30: (3, 4, 5, 6, 7, 8), 80: (3, 4, 5), 160: (3, 4)}
FIXED = {12: 15, 30: 7, 80: 4, 160: 3}
CELLS = 300_000
FOLDER = Path(__file__).resolve().parent / "results"

Chosen: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Per replicate: who is promoted (-1: nobody), and the calls."""
Decide: TypeAlias = Callable[[World, np.random.Generator], Chosen]


@dataclass(frozen=True)
class Row:
    """One rule in one kind of world. Shares are per cent of cycles; `error` is 95 % of Monte Carlo."""

    cases: int
    candidates: int
    rule: str
    world: str
    replicates: int
    wrong: float
    wrong_error: float
    found: float | None
    found_error: float | None
    calls: float
    calls_error: float


def seven_runs(world: World, rng: np.random.Generator) -> Chosen:
    """Seven runs each: the best median above the baseline's, if its variance is at most .0025."""
    replicates, candidates, cases = world.candidates.shape
    theirs = _runs(world.baseline[:, None], rng)
    mine = _runs(world.candidates, rng)
    middle = np.median(mine, axis=2)
    fit = (middle > np.median(theirs, axis=2)) & (mine.var(axis=2, ddof=1) <= MOST_VARIANCE + 1e-12)
    best = np.argmax(np.where(fit, middle, -1.0), axis=1)
    return np.where(fit.any(axis=1), best, -1), np.full(replicates, (candidates + 1) * RUNS * cases)


def _runs(chances: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the accuracy of each of seven runs."""
    return np.stack([rng.binomial(1, chances).mean(axis=-1) for _ in range(RUNS)], axis=-1)


def all_arms(world: World, rng: np.random.Generator, *, looks: Sequence[int], stop_futile: bool) -> Chosen:
    """Give every candidate an exact test at alpha / candidates, against one baseline; the first one wins."""
    replicates, candidates, cases = world.candidates.shape
    of, who = (each.ravel() for each in np.indices((replicates, candidates)))
    laws = Laws(of.size, ALPHA / candidates, 1.0)
    theirs, mine = np.zeros((replicates, cases), int), np.zeros((of.size, cases), int)
    chosen, calls, before = np.full(replicates, -1), np.zeros(replicates, int), 0
    for look in looks:
        more, before = look - before, look
        asked = np.bincount(of, minlength=replicates)
        calls += more * cases * (asked + (asked > 0))
        new = rng.binomial(more, world.baseline)
        got = rng.binomial(more, world.candidates[of, who])
        theirs, mine = theirs + new, mine + got
        laws.add(got, got + new[of], np.full(got.shape, more), np.ones(got.shape, int))
        crossed = laws.look(look / looks[-1])
        for pair in np.flatnonzero(crossed)[np.argsort(mine[crossed].sum(axis=1), kind="stable")]:
            chosen[of[pair]] = who[pair]
        stay = chosen[of] < 0
        if stop_futile:
            stay &= ~_hopeless(mine, theirs[of], look)
        of, who, mine = of[stay], who[stay], mine[stay]
        laws.keep(stay)
        if not of.size:
            break
    return chosen, calls


def _hopeless(mine: NDArray[np.int64], theirs: NDArray[np.int64], calls: int) -> NDArray[np.bool_]:
    gain = np.mean((mine - theirs) / calls, axis=1)
    spread = likely_spread(mine, np.full(mine.shape, calls)) + likely_spread(
        theirs, np.full(mine.shape, calls)
    )
    error = np.sqrt(np.sum(spread / calls, axis=1)) / mine.shape[1]
    hopeless: NDArray[np.bool_] = (gain < GAIN) & (special.ndtr((gain - GAIN) / error) < ALPHA)
    return hopeless


def ours(world: World, rng: np.random.Generator, *, verified: bool) -> Chosen:
    """Return what the rule in force promotes; `verified`: what it keeps, with the calls of both."""
    cycles = in_force(world, rng)
    if verified:
        return cycles.kept, cycles.calls + cycles.verify_calls
    return cycles.promoted, cycles.calls


def in_force(world: World, rng: np.random.Generator) -> Cycles:
    """Simulate the rule in force; the cases that verify are as many as those that were searched."""
    cases, candidates = world.baseline.shape[1], world.candidates.shape[1]
    rule = Rule(
        designs.confirm_design(cases, GAIN, candidates=candidates),
        ALPHA,
        designs.verify_design(cases),
        VERIFY_ALPHA,
    )
    return run_cycles(world, world, rule, rng)


def rules(cases: int) -> dict[str, Decide]:
    """Return the rules that are compared on suites of so many cases."""
    nearest = min(LOOKS, key=lambda size: abs(size - cases))
    return {
        "seven runs, median": seven_runs,
        f"fixed {FIXED[nearest]} sweeps, exact, Bonferroni": partial(
            all_arms, looks=(FIXED[nearest],), stop_futile=False
        ),
        "every arm sequential, alpha / K": partial(all_arms, looks=LOOKS[nearest], stop_futile=True),
        "screen, confirm": partial(ours, verified=False),
        "screen, confirm, verify": partial(ours, verified=True),
    }


def made(world: str, shape: tuple[int, int, int], rng: np.random.Generator) -> World:
    """Return worlds of one kind: replicates, candidates, cases. Candidate 0 is the better one, if any is."""
    replicates, candidates, cases = shape
    baseline = worlds.invented(replicates, cases, rng)
    learnt = max(1, cases // 12)
    arms = [
        worlds.sideways(baseline, learnt, 4 * learnt, rng) if world == "sideways" else baseline
        for _ in range(candidates)
    ]
    if world.startswith("+"):
        whole = np.arange(replicates) % 2 == 0
        arms[0] = worlds.lifted(baseline, int(world) / 100, rng, whole=whole)
    return World(baseline, np.stack(arms, axis=1))


def measured(decide: Decide, name: str, world: str, shape: tuple[int, int, int]) -> Row:
    """Simulate one rule in one kind of world."""
    replicates, candidates, cases = shape
    portion = max(1, CELLS // (candidates * cases))
    chosen, calls = [], []
    for number, start in enumerate(range(0, replicates, portion)):
        rng = np.random.default_rng([cases, candidates, WORLDS.index(world), number])
        drawn = made(world, (min(portion, replicates - start), candidates, cases), rng)
        who, asked = decide(drawn, rng)
        chosen.append(who)
        calls.append(asked)
    who, asked = np.concatenate(chosen), np.concatenate(calls)
    right = 0 if world.startswith("+") else -2
    wrong = share(np.sum((who >= 0) & (who != right)), replicates)
    found = share(np.sum(who == right), replicates) if right == 0 else (None, None)
    error = 1.96 * float(asked.std()) / replicates**0.5
    return Row(cases, candidates, name, world, replicates, *wrong, *found, float(asked.mean()), error)


def share(count: int, replicates: int) -> tuple[float, float]:
    """Return a share in per cent, and the larger side of its 95 % interval."""
    got = proportion(int(count), replicates)
    value, low, high = (100 * (each or 0.0) for each in (got.value, got.low, got.high))
    return value, max(high - value, value - low)


def comparison(cases: int, candidates: int, replicates: int) -> list[Row]:
    """Return all rules in all worlds."""
    return [
        measured(decide, name, world, (replicates, candidates, cases))
        for name, decide in rules(cases).items()
        for world in WORLDS
    ]


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield one Markdown table: a rule per line."""
    yield "| rule | equal: wrong / calls | sideways: wrong / calls | +5: found / calls | +10 | +20 |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name in dict.fromkeys(row.rule for row in rows):
        cells = [
            f"{row.wrong:.1f} ±{row.wrong_error:.1f} / {row.calls:.0f}"
            if row.found is None
            else f"{row.found:.0f} ±{row.found_error:.0f} ({row.wrong:.1f}) / {row.calls:.0f}"
            for row in rows
            if row.rule == name
        ]
        yield f"| {name} | " + " | ".join(cells) + " |"


@dataclass(frozen=True)
class Distance:
    """Mean calls of one candidate against the fewest possible: equal, with 10 points; the fewest for 5."""

    cases: int
    fewest_none: float
    calls_none: float
    fewest_gain: float
    fewest_gain_best: float
    fewest_half: float
    calls_gain: float
    found: float


def distance(cases: int, replicates: int) -> Distance:
    """Return how far the rule in force is from the fewest calls possible, with one candidate."""
    rng = np.random.default_rng([cases, 99])
    world = made("+10", (100, 1, cases), rng)
    better = world.candidates[:, 0]
    equal, best = fewest_calls(world.baseline, better, alpha=ALPHA, power=0.8)
    decide = partial(ours, verified=False)
    none = measured(decide, "screen, confirm", "equal", (replicates, 1, cases))
    gain = measured(decide, "screen, confirm", "+10", (replicates, 1, cases))
    five = made("+5", (100, 1, cases), rng)
    half = fewest_calls(five.baseline, five.candidates[:, 0], alpha=ALPHA, power=0.8)[0]
    without = fewest_calls_to_stop(world.baseline, GAIN, alpha=ALPHA, power=0.8)[0]
    return Distance(
        cases,
        float(without.mean()),
        none.calls,
        float(equal.mean()),
        float(best.mean()),
        float(half.mean()),
        gain.calls,
        gain.found or 0.0,
    )


def distances(rows: Sequence[Distance]) -> Iterator[str]:
    """Yield the Markdown table of the distances."""
    gained, equal = "+10: fewest possible (best shares)", "equal: fewest possible"
    yield f"| cases | {gained} | ours | ratio | found % | {equal} | ours | ratio | +5: fewest possible |"
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for row in rows:
        gain = f"{row.fewest_gain:.0f} ({row.fewest_gain_best:.0f}) | {row.calls_gain:.0f}"
        none = f"{row.fewest_none:.0f} | {row.calls_none:.0f} | {row.calls_none / row.fewest_none:.2f}"
        ratio = row.calls_gain / row.fewest_gain
        yield f"| {row.cases} | {gain} | {ratio:.2f} | {row.found:.0f} | {none} | {row.fewest_half:.0f} |"


@dataclass(frozen=True)
class Credit:
    """What verification keeps of a true gain, and by how many points the credited gain is too high."""

    cases: int
    gain: float
    kept: float
    bias: float
    error: float


def credits_of(cases: int, replicates: int) -> list[Credit]:
    """Return the bias of the credited gain, with one candidate that is better."""
    rows = []
    for world in WORLDS[2:]:
        rng = np.random.default_rng([cases, 98, int(world)])
        cycles = in_force(made(world, (replicates, 1, cases), rng), rng)
        kept = cycles.kept == 0
        wrong = 100 * (cycles.credited - cycles.true_gain)[kept]
        promoted = max(1, int(np.sum(cycles.promoted == 0)))
        rows.append(
            Credit(
                cases,
                int(world),
                100 * kept.sum() / promoted,
                wrong.mean(),
                1.96 * wrong.std() / kept.sum() ** 0.5,
            )
        )
    return rows


def credit_table(rows: Sequence[Credit]) -> Iterator[str]:
    """Yield the Markdown table of the credited gains."""
    yield "| cases | +5: promoted that are kept % / bias, points | +10 | +20 |"
    yield "|---:|---:|---:|---:|"
    for cases in dict.fromkeys(row.cases for row in rows):
        mine = [row for row in rows if row.cases == cases]
        yield (
            f"| {cases} | " + " | ".join(f"{r.kept:.0f} / {r.bias:+.1f} ±{r.error:.1f}" for r in mine) + " |"
        )


@dataclass(frozen=True)
class Deceit:
    """How often the confirmation alone promotes a move of the same mean that is built to deceive."""

    cases: int
    learnt: int
    donors: int
    flaky: int
    wrong: float
    error: float


def deceits_of(cases: int, replicates: int) -> list[Deceit]:
    """Return moves in which few cases are learned and many that always passed pay for it."""
    unit = max(1, cases // 12)
    rows = []
    for learnt, donors, flaky in (
        (1, cases // 3, 0),
        (1, 2 * cases // 3, 0),
        (1, cases - 2, 1),
        (1, cases - 1, 0),
        (2 * unit, 2 * cases // 3, 0),
        (2 * unit, 2 * cases // 3, 2 * unit),
    ):
        rng = np.random.default_rng([cases, learnt, donors, flaky])
        pair = (np.repeat(row, replicates, 0) for row in worlds.adversarial(cases, learnt, donors, flaky))
        crossed = run_test(*pair, designs.confirm_design(cases, GAIN), ALPHA, rng).crossed
        rows.append(Deceit(cases, learnt, donors, flaky, *share(crossed.sum(), replicates)))
    return rows


def deceit_table(rows: Sequence[Deceit]) -> Iterator[str]:
    """Yield the Markdown table of the deceits."""
    yield "| cases | learned / paying / flaky cases: wrong % |"
    yield "|---:|---|"
    for cases in dict.fromkeys(row.cases for row in rows):
        each = (
            f"{r.learnt} / {r.donors} / {r.flaky}: {r.wrong:.1f} ±{r.error:.1f}"
            for r in rows
            if r.cases == cases
        )
        yield f"| {cases} | " + "; ".join(each) + " |"


def draw(rows: Sequence[Row], file: Path) -> None:
    """Draw calls and wrong promotions of all rules over the size of the suite."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "decision_efficiency"
    from matplotlib import pyplot as plt

    kinds = {row.rule.split(" ", 2)[0]: row.rule for row in rows}
    names = {
        "seven": "seven runs",
        "fixed": "fixed, Bonferroni",
        "every": "every arm sequential",
        "screen,": "",
    }
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
    panels = (
        ("wrong promotions, nobody better (%)", "equal", lambda row: row.wrong),
        ("+10 found (%)", "+10", lambda row: row.found),
        ("calls of a cycle, one is +10", "+10", lambda row: row.calls),
    )
    for panel, (title, world, value) in zip(axes, panels, strict=True):
        for kind in [*kinds, "verify"]:
            mine = [row for row in rows if row.world == world and _kind(row.rule) == kind]
            points = sorted((row.cases, value(row)) for row in mine)
            label = names.get(kind) or {"screen,": "screen, confirm", "verify": "and verify"}[kind]
            panel.plot(*zip(*points, strict=True), marker="o", markersize=4, label=label)
        panel.set(title=title, xscale="log", xlabel="cases", ylim=(0, None))
        panel.set_xticks(
            sorted({row.cases for row in rows}), [str(n) for n in sorted({row.cases for row in rows})]
        )
        panel.minorticks_off()
        panel.spines[["top", "right"]].set_visible(False)
    axes[0].axhline(5, color="0.6", linewidth=0.8, linestyle="--")
    axes[1].legend(frameon=False, fontsize=8)
    figure.savefig(file, metadata={"Date": None})


def _kind(rule: str) -> str:
    return "verify" if rule.endswith("verify") else rule.split(" ", 1)[0]


def main() -> None:
    """Simulate, print, and keep the numbers."""
    parser = argparse.ArgumentParser(
        description="Compare what promotions cost, and how often they are wrong."
    )
    parser.add_argument("--replicates", type=int, default=2000, help="simulated cycles per rule and world")
    parser.add_argument("--sizes", type=int, nargs="+", default=[12, 30, 80, 160], help="cases of the suite")
    parser.add_argument("--candidates", type=int, default=6)
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw it as SVG or PNG")
    parser.add_argument("--results", type=Path, default=FOLDER, metavar="FOLDER", help="where the numbers go")
    options = parser.parse_args()
    rows, far, credited, deceived = [], [], [], []
    for cases in options.sizes:
        found = comparison(cases, options.candidates, options.replicates)
        print(f"\n{cases} cases, {options.candidates} candidates, {options.replicates} cycles per cell\n")
        print("\n".join(table(found)), flush=True)
        rows += found
        far.append(distance(cases, options.replicates))
        credited += credits_of(cases, options.replicates)
        deceived += deceits_of(cases, options.replicates)
    print("\nOne candidate, against the fewest calls possible\n")
    print("\n".join(distances(far)))
    print("\nWhat verification keeps and credits\n")
    print("\n".join(credit_table(credited)))
    print("\nSame accuracy, built to deceive: promoted by the confirmation alone\n")
    print("\n".join(deceit_table(deceived)))
    options.results.mkdir(parents=True, exist_ok=True)
    file = options.results / "decision_efficiency.json"
    parts = (("rules", rows), ("distance", far), ("credit", credited), ("deceit", deceived))
    content = {name: [asdict(each) for each in part] for name, part in parts}
    file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    print(f"\nwritten to {file}")
    if options.figure:
        draw(rows, options.figure)


if __name__ == "__main__":
    main()
