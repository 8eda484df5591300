"""The screen: one sweep of the baseline, then candidates on the cases it failed, fewer of them each round.

A gain can come from nowhere else. It needs no error control: it costs or saves calls, and whom it chooses is
judged on fresh ones. Candidates that look hopeless are asked cases drawn by lot, for the cases that the
baseline failed say nothing about a model by themselves.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from harnesslib import self_optimizing_policy as policy
from harnesslib.benchmark_supervisor.field import Field
from harnesslib.benchmark_supervisor.layout import Block, arms, assignments, by_lot, cases_of
from harnesslib.harness_feedback_loop import cold_calls
from harnesslib.records import Case, Estimate, PhasePlan, Sample, Screened, Spec
from harnesslib.records.naming import label
from harnesslib.stats import designs, latency
from harnesslib.summarize import rounds

PROBE = (6, 24)
"""Calls of a candidate that looks hopeless: a first few, and if at most one passes, so many in all."""

PROMISING = 2
"""Passes in a first probe that clear a candidate of being hopeless."""


class PhaseScreen(NamedTuple):
    """What the screen of one phase found. `leader` is none where nobody is worth a confirmation."""

    phase: str
    leader: Spec | None
    headroom: tuple[str, ...]
    screened: tuple[Screened, ...]


async def screen_phase(plan: PhasePlan, field: Field) -> PhaseScreen:
    """Screen one phase, and probe whom it leaves behind."""
    screen = _Screen(plan, field)
    await screen.sweep_baseline()
    leader = await screen.choose()
    for spec in plan.candidates:
        if spec != leader:
            await screen.probe(spec)
    return PhaseScreen(plan.phase, leader, screen.headroom, screen.rows())


class _Screen:
    def __init__(self, plan: PhasePlan, field: Field) -> None:
        self.plan = plan
        self.field = field
        self.every = cases_of(plan.phase, "search", field.config, field.suites)
        self.design = designs.confirm_design(
            len(self.every), field.config.policy.smallest_gain, candidates=len(plan.candidates)
        )
        drawn = by_lot(self.every, field.seed, "screen", plan.phase)[: self.design.screen_cases]
        self.cases = self.every if len(drawn) == len(self.every) else tuple(drawn)
        self.headroom: tuple[str, ...] = ()
        self.reasons: dict[str, str] = {}
        self.halted = False
        self.reached = 0
        self.broken: set[str] = set()
        self.passed_over: set[str] = set()

    async def sweep_baseline(self) -> None:
        """Ask the baseline every case of the screen once, and note which it failed.

        A single candidate of a small suite is confirmed at once: a screen would cost more than it saves.
        """
        if not self.design.screen_rounds:
            return
        refused = await self._ask((self.plan.baseline,), self.cases, number=0, calls=1)
        passes, calls = self._counts(self.plan.baseline)
        chosen = designs.headroom(passes, calls)
        self.headroom = tuple(case.id for case, has in zip(self.cases, chosen, strict=True) if has)
        self.halted = bool(refused) or not calls.any()
        unsound = "" if calls.any() else f"no sound call of {self.plan.baseline.model}"
        ceiling = "" if self.headroom else f"{self.plan.baseline.model} passed every case: nothing to gain"
        reason = refused or unsound or ceiling
        self.reasons |= {spec.id: reason for spec in self.plan.candidates if reason}

    async def choose(self) -> Spec | None:
        """Ask candidates the headroom, drop the weaker ones after each round; returns who is left."""
        asked = [case for case in self.cases if case.id in self.headroom]
        for index, calls in enumerate(self.design.screen_rounds):
            alive = [spec for spec in self.plan.candidates if spec.id not in self.reasons]
            if not alive:
                return None
            refused = await self._ask(alive, asked, number=index + 1, calls=calls)
            if refused:
                self.halted = True
                self.reasons |= {spec.id: refused for spec in alive}
                return None
            self._drop(alive, index)
        left = [spec for spec in self.plan.candidates if spec.id not in self.reasons]
        return left[0] if left else None

    def _drop(self, alive: Sequence[Spec], index: int) -> None:
        """Note why candidates go no further after a round."""
        self.reasons |= {spec.id: reason for spec in alive if (reason := self._unfit(spec))}
        fit = [spec for spec in alive if spec.id not in self.reasons]
        gains = [self._gain(spec) for spec in fit]
        staying = {fit[place].id for place in self.design.survivors(index, gains)}
        for spec, gain in zip(fit, gains, strict=True):
            if spec.id not in staying:
                self.reasons[spec.id] = policy.why_dropped(gain, max(gains), self.design.go)
                if 0 < gain < max(gains):
                    self.passed_over.add(spec.id)
        for spec in alive:
            if spec.id in self.reasons:
                dropped = f"{label(spec, self.plan.baseline)} in {self.plan.phase}"
                self.field.bench.progress.say(self.reasons[spec.id], dropped=dropped)

    def _unfit(self, spec: Spec) -> str:
        mine, theirs = self._samples(spec), self._samples(self.plan.baseline)
        limits = self.field.config.policy
        share = sum(sample.outcome == "infra_error" for sample in mine) / len(mine) if mine else 0.0
        if share > limits.max_infra_share:
            self.broken.add(spec.id)
        elif not self._sound(spec):
            self.passed_over.add(spec.id)
            return "it has not answered yet: it may have been loading"
        return policy.unfit(
            share,
            _latency_ratio(mine, theirs, limits.alpha),
            policy=limits,
            phase=self.field.config.phases[self.plan.phase],
        )

    async def probe(self, spec: Spec) -> None:
        """Ask a candidate cases that want a call, drawn by lot, unless it has shown that it can."""
        if spec.model == self.plan.baseline.model or self._can(self._samples(spec)):
            return
        wanting = [case for case in self.every if case.wants_call]
        drawn = [
            Block(case, repeat, arms(spec))
            for repeat in range(math.ceil(PROBE[1] / max(1, len(wanting))))
            for case in by_lot(wanting, self.field.seed, "probe", spec.id, repeat)
        ]
        for number, batch in enumerate((drawn[: PROBE[0]], drawn[PROBE[0] : PROBE[1]])):
            jobs = assignments(batch, seed=self.field.seed, stage="probe", number=number)
            refused = await self.field.take(jobs, [block.case for block in batch]) if jobs else ""
            taken = (s for s in self.field.samples(self.plan.phase, "probe") if s.spec_id == spec.id)
            passed = sum(sample.outcome == "pass" for sample in taken if sample.round <= number)
            if refused or passed >= PROMISING:
                return

    def _can(self, samples: Iterable[Sample]) -> bool:
        """Whether even on the cases that the baseline failed it passes as many as it must."""
        answered = [s for s in samples if s.wants_call and s.outcome != "infra_error"]
        floor = self.field.config.phases[self.plan.phase].accuracy_floor
        passed = sum(sample.outcome == "pass" for sample in answered)
        return passed >= PROMISING and passed >= floor * len(answered)

    def rows(self) -> tuple[Screened, ...]:
        """Return how every candidate did."""
        return tuple(self._row(spec) for spec in self.plan.candidates)

    def _row(self, spec: Spec) -> Screened:
        passes, calls = self._counts(spec)
        return Screened(
            phase=self.plan.phase,
            spec=spec,
            passes=int(passes.sum()),
            calls=int(calls.sum()),
            gain=self._gain(spec) if calls.any() else None,
            reason=self.reasons.get(spec.id, ""),
            halted=bool(self.reasons.get(spec.id)) and (self.halted or spec.id in self.broken),
            passed_over=spec.id in self.passed_over,
        )

    def _gain(self, spec: Spec) -> float:
        return designs.screen_gain(*self._counts(spec), *self._counts(self.plan.baseline))

    def _samples(self, spec: Spec) -> tuple[Sample, ...]:
        """Return a spec's samples of the screen, those taken while its model was loading left out.

        A screen that is gone on with may hold a part of a later round; that has not been looked at yet.
        """
        screened = self.field.samples(self.plan.phase, "screen")
        taken = tuple(sample for sample in screened if sample.round <= self.reached)
        loading = cold_calls(taken)
        return tuple(s for s in taken if s.spec_id == spec.id and s.key not in loading)

    def _sound(self, spec: Spec) -> tuple[Sample, ...]:
        return tuple(sample for sample in self._samples(spec) if sample.outcome != "infra_error")

    def _counts(self, spec: Spec) -> tuple[rounds.Counts, rounds.Counts]:
        """Return passes and valid calls of a spec, one entry per case."""
        asked = Counter(sample.case_id for sample in self._sound(spec))
        passed = Counter(sample.case_id for sample in self._sound(spec) if sample.outcome == "pass")
        return np.array([passed[c.id] for c in self.cases]), np.array([asked[c.id] for c in self.cases])

    async def _ask(self, specs: Sequence[Spec], cases: Sequence[Case], *, number: int, calls: int) -> str:
        """Ask every spec every case so often; what was lost to faults or loading is asked once more."""
        self.reached = number
        earlier = (s.repeat for s in self.field.samples(self.plan.phase, "screen") if s.round < number)
        first = 1 + max(earlier, default=-1)
        asked = arms(*specs)
        blocks = [Block(case, first + more, asked) for case in cases for more in range(calls)]
        refused = await self._take(blocks, number)
        if refused:
            return refused
        return await self._take(self._lost(blocks, number, calls), number)

    def _lost(self, blocks: Sequence[Block], number: int, calls: int) -> list[Block]:
        """Return blocks that ask again, under new seeds, what gave no sound sample.

        A model that has not answered at all yet may have been loading.
        """
        answers = [
            sample for arm in blocks[0].arms for sample in self._sound(arm.spec) if sample.round == number
        ]
        awake = {sample.spec_id for sample in answers if sample.outcome != "timeout"}
        sound = {(s.spec_id, s.case_id, s.repeat) for s in answers if s.spec_id in awake}
        return [
            Block(block.case, block.repeat + calls, (arm,))
            for block in blocks
            for arm in block.arms
            if (arm.spec.id, block.case.id, block.repeat) not in sound
        ]

    async def _take(self, blocks: Sequence[Block], number: int) -> str:
        if not blocks:
            return ""
        jobs = assignments(blocks, seed=self.field.seed, stage="screen", number=number)
        return await self.field.take(jobs, [block.case for block in blocks for _ in block.arms])


def _latency_ratio(mine: Sequence[Sample], theirs: Sequence[Sample], alpha: float) -> Estimate:
    """Return how much longer an answer takes, over the cases that both answered."""
    times = [_times(mine), _times(theirs)]
    shared = sorted(times[0].keys() & times[1].keys())
    return latency.ratio([times[0][case] - times[1][case] for case in shared], level=1 - 2 * alpha)


def _times(samples: Iterable[Sample]) -> dict[str, float]:
    """Return the mean logarithm of a case's answer times."""
    found: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        if sample.latency_s:
            found[sample.case_id].append(math.log(sample.latency_s))
    return {case_id: math.fsum(logs) / len(logs) for case_id, logs in found.items()}
