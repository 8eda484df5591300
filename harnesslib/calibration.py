"""How often the policy in force errs, what it finds and what that costs: simulated on the user's suites."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from harnesslib.ports import Effects
from harnesslib.records import Case, Estimate, PolicyConfig, Sample, Spec
from harnesslib.records.base import Record
from harnesslib.stats import designs, intervals, worlds
from harnesslib.stats.paired import Floats
from harnesslib.stats.simulated import Cycles, Rule, World, run_cycles

EQUAL, SIDEWAYS = "equal", "sideways"
GAINS = (0.05, 0.10, 0.20)
CELLS = 400_000
"""So many chances are drawn at a time: replicates x candidates x cases."""
RUNS_BACK = 20
"""The history that is looked at: so many of the newest runs."""
EQUAL_STAGES = frozenset({"run", "confirm", "verify"})
"""Stages that ask all cases alike; a screen asks mostly what was failed."""


class SimulatedCell(Record):
    """What cycles do in one kind of world.

    `world` is "equal", "sideways" (the same accuracy on other cases) or a gain like "+10": one candidate is
    better by so many points, the others are equal. `wrong` and `wrong_kept` are shares of cycles that promote
    a candidate that is not better, and that keep it; `found` and `found_kept` are those of the better one.
    `calls` are requests of screen and confirmation, `verify_calls` those of the verification per promotion,
    `cost` is of one cycle with both. `credited_bias` is how much too high the credited gain is (0.01 = a
    point).
    """

    world: str
    wrong: Estimate
    wrong_kept: Estimate
    found: Estimate
    found_kept: Estimate
    calls: Estimate
    verify_calls: Estimate
    cost: Estimate
    credited_bias: Estimate


class PhaseCalibration(Record):
    """The policy on one phase. `seen_calls` are the calls of the baseline that its chances are drawn from."""

    phase: str
    search_cases: int
    holdout_cases: int
    candidates: int
    seen_calls: int
    basis: str
    cells: tuple[SimulatedCell, ...]


class Calibration(Record):
    """What ``harness calibrate`` prints. `replicates` is the number of simulated cycles per world."""

    alpha: float
    verify_alpha: float
    smallest_gain: float
    replicates: int
    seed: int
    phases: tuple[PhaseCalibration, ...]


class Part(NamedTuple):
    """Passes and valid calls of the baseline on a part of the suite, one entry per case."""

    passes: Floats
    calls: Floats

    def baselines(self, replicates: int, rng: np.random.Generator) -> Floats:
        """Return chances drawn from what was seen, or those of a typical suite where too little was."""
        cases = self.calls.size
        if cases and self.seen:
            return worlds.learned(self.passes, self.calls, replicates, rng)
        return worlds.invented(replicates, cases, rng)

    @property
    def seen(self) -> bool:
        """Whether every case was asked at least once."""
        return bool(np.all(self.calls > 0))


class PhaseFacts(NamedTuple):
    """What the simulation of a phase starts from. `call_cost` is none where no call's cost is known."""

    phase: str
    search: Part
    holdout: Part
    candidates: int
    call_cost: float | None


def calibrate(
    facts: Sequence[PhaseFacts],
    policy: PolicyConfig,
    *,
    replicates: int,
    seed: int,
    say: Callable[[str], None],
) -> Calibration:
    """Simulate the policy on every phase; `say` is told what is done next."""
    phases = []
    for fact in facts:
        say(f"{fact.phase}: {replicates} cycles in each of {len(GAINS) + 2} worlds")
        phases.append(_phase(fact, policy, replicates=replicates, seed=seed))
    return Calibration(
        alpha=policy.alpha,
        verify_alpha=policy.verify_alpha,
        smallest_gain=policy.smallest_gain,
        replicates=replicates,
        seed=seed,
        phases=tuple(phases),
    )


def facts_of(phase: str, effects: Effects) -> PhaseFacts:
    """Gather a phase's suite, its candidates, and what the newest runs say of its baseline."""
    config = effects.config.harness()
    suite = effects.suites[config.phases[phase].suite]
    baseline = effects.config.routing().baselines[phase].spec
    newest = sorted(effects.runs.manifests(), key=lambda each: each.started_at)[-RUNS_BACK:]
    samples = [s for each in newest for s in effects.runs.samples(each.run_id) if s.phase == phase]
    costs = [s.cost for s in samples if s.cost is not None]
    mine = tuple(_usable(samples, baseline))
    models = config.models_of(phase)
    return PhaseFacts(
        phase=phase,
        search=_part(suite.part("search"), mine),
        holdout=_part(suite.part("holdout"), mine),
        candidates=max(1, sum(model.id != baseline.model for model in models)),
        call_cost=float(np.mean(costs)) if costs else None,
    )


def _usable(samples: Iterable[Sample], spec: Spec) -> Iterable[Sample]:
    return (
        s for s in samples if s.spec_id == spec.id and s.stage in EQUAL_STAGES and s.outcome != "infra_error"
    )


def _part(cases: Sequence[Case], samples: Iterable[Sample]) -> Part:
    counted: Mapping[str, list[int]] = defaultdict(lambda: [0, 0])
    for sample in samples:
        counted[sample.case_id][0] += sample.outcome == "pass"
        counted[sample.case_id][1] += 1
    table = np.array([counted[case.id] for case in cases], dtype=float).reshape(-1, 2)
    return Part(table[:, 0], table[:, 1])


def _phase(fact: PhaseFacts, policy: PolicyConfig, *, replicates: int, seed: int) -> PhaseCalibration:
    cases = fact.search.calls.size
    rule = Rule(
        designs.confirm_design(cases, policy.smallest_gain, candidates=fact.candidates),
        policy.alpha,
        designs.verify_design(fact.holdout.calls.size),
        policy.verify_alpha,
    )
    learned = [name for name in ("search", "holdout") if getattr(fact, name).seen]
    known = " and ".join(learned)
    invented = "70 % solid, 15 % flaky, 15 % hopeless cases"
    cells = []
    every: tuple[str | float, ...] = (EQUAL, SIDEWAYS, *GAINS)
    for place, world in enumerate(every):
        rng = np.random.default_rng([seed, place])
        cycles = [
            _cycles(fact, rule, count, world=world, rng=rng)
            for count in _portions(replicates, fact.candidates * cases)
        ]
        name = f"+{100 * world:.0f}" if isinstance(world, float) else world
        cells.append(_cell(name, _joined(cycles), found=isinstance(world, float), cost=fact.call_cost))
    return PhaseCalibration(
        phase=fact.phase,
        search_cases=cases,
        holdout_cases=fact.holdout.calls.size,
        candidates=fact.candidates,
        seen_calls=int(fact.search.calls.sum() + fact.holdout.calls.sum()),
        basis=f"the baseline's calls on {known} cases" if len(learned) == 2 else invented,  # noqa: PLR2004 - both
        cells=tuple(cells),
    )


def _portions(replicates: int, size: int) -> list[int]:
    """Return how many replicates to draw at a time."""
    most = max(1, CELLS // max(1, size))
    return [min(most, replicates - done) for done in range(0, replicates, most)]


def _cycles(
    fact: PhaseFacts, rule: Rule, replicates: int, *, world: str | float, rng: np.random.Generator
) -> Cycles:
    both = fact.search.seen and fact.holdout.seen
    whole = rng.random(replicates) < 0.5  # noqa: PLR2004 - half learn whole cases, half get better everywhere
    made = []
    for part in (fact.search, fact.holdout):
        cases = part.calls.size
        baseline = part.baselines(replicates, rng) if both else worlds.invented(replicates, cases, rng)
        learnt = max(1, cases // 12)
        arms = [
            worlds.sideways(baseline, learnt, 4 * learnt, rng) if world == SIDEWAYS else baseline
            for _ in range(fact.candidates)
        ]
        if isinstance(world, float):
            arms[0] = worlds.lifted(baseline, world, rng, whole=whole)
        made.append(World(baseline, np.stack(arms, axis=1)))
    return run_cycles(made[0], made[1], rule, rng)


def _joined(cycles: Sequence[Cycles]) -> Cycles:
    return Cycles(*(np.concatenate(column) for column in zip(*cycles, strict=True)))


def _cell(world: str, cycles: Cycles, *, found: bool, cost: float | None) -> SimulatedCell:
    replicates = cycles.calls.size
    right = 0 if found else -2

    def share(chosen: Floats) -> Estimate:
        return intervals.proportion(float(np.sum(chosen)), replicates)

    def found_share(chosen: Floats) -> Estimate:
        return share(chosen) if found else intervals.unmeasured("Wilson", "nobody is better in this world")

    kept = cycles.kept == right
    everything = (cycles.calls + cycles.verify_calls).astype(float)
    return SimulatedCell(
        world=world,
        wrong=share((cycles.promoted >= 0) & (cycles.promoted != right)),
        wrong_kept=share((cycles.kept >= 0) & (cycles.kept != right)),
        found=found_share(cycles.promoted == right),
        found_kept=found_share(kept),
        calls=_mean(cycles.calls.astype(float), "no cycle"),
        verify_calls=_mean(cycles.verify_calls[cycles.promoted >= 0].astype(float), "nothing was promoted"),
        cost=_mean(everything * cost, "")
        if cost is not None
        else intervals.unmeasured("mean", "no call's cost is known"),
        credited_bias=_mean((cycles.credited - cycles.true_gain)[kept], "nothing was kept rightly"),
    )


def _mean(values: Floats, reason: str) -> Estimate:
    """Return a mean with its Monte Carlo error as interval."""
    method = "mean of simulated cycles"
    if values.size < 2:  # noqa: PLR2004 - a spread needs two
        return intervals.unmeasured(method, reason or "too few cycles", n=values.size)
    value = float(values.mean())
    half = intervals.normal_quantile(intervals.LEVEL) * float(values.std(ddof=1)) / values.size**0.5
    return Estimate(
        value=value, low=value - half, high=value + half, level=intervals.LEVEL, n=values.size, method=method
    )
