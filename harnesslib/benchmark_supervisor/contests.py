"""Two arms on fresh calls, round by round, until the question is decided or can't be.

Three full sweeps come first; after that, cases that have both passed and failed get more calls than others.
Every round ends with a look: the chance of error is shared by all of them, so that looking costs nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, NamedTuple

from harnesslib import self_optimizing_policy as policy
from harnesslib.benchmark_supervisor.field import Field
from harnesslib.benchmark_supervisor.layout import Arm, Block, assignments, cases_of
from harnesslib.records import Case, Comparison, Confirmed, Ending, GateResult, Sample, Spec, Split, Stage
from harnesslib.records.naming import label
from harnesslib.stats.wording import points, signed
from harnesslib.summarize import rounds, summarize

GUARD_ROUNDS = 6
GUARD_SWEEPS = 2
"""More calls for a guard that is still open when a gain is proven: so many rounds, of so many sweeps each."""


ContestStage = Literal["confirm", "verify"]
SPLITS: dict[ContestStage, Split] = {"confirm": "search", "verify": "holdout"}


class Standing(NamedTuple):
    """How a contest stands after a round."""

    comparison: Comparison
    gates: dict[str, GateResult]


class Contest:
    """A candidate beside what it would replace, or has replaced.

    Parameters
    ----------
    stage
        "confirm" takes search cases and stops for harm; "verify" takes holdout cases, as an application asks.
    new
        The candidate, and the model that is asked for to get it.
    old
        What it would replace, or has replaced.
    field
        Where it is measured.
    """

    def __init__(self, stage: ContestStage, new: Arm, old: Spec, field: Field) -> None:
        self.stage = stage
        self.new = new.spec
        self.old = old
        self.field = field
        self.arms = (Arm(old, old.model), new)
        self.cases = cases_of(self.new.phase, SPLITS[stage], field.config, field.suites)
        self.design = rounds.design_of(stage, len(self.cases), field.config.policy)

    async def run(self) -> Confirmed:
        """Measure until it is decided; returns how it ended."""
        planned = self.design.first + self.design.stages
        for number in range(planned):
            refused = await self._round(number)
            if refused:
                return self._ended("budget", number, refused)
            standing = await asyncio.to_thread(self._standing, number + 1)
            ending = self._ending(standing)
            if ending == "crossed" and self.stage == "confirm":
                refused = await self._settle_guards(standing, number + 1)
                return self._ended(
                    "budget" if refused else "crossed", number + 1, refused or self._said(standing)
                )
            if ending:
                return self._ended(ending, number + 1, self._why(ending, standing))
            self._say(self._said(standing), number + 1)
        why = f"all planned calls are used and the gain is not proven ({self._said(standing)})"
        return self._ended("completed", planned, why)

    async def _round(self, number: int) -> str:
        """Ask what the round is due; a pair lost to infrastructure errors is asked once more."""
        earlier = [sample for sample in self._samples() if sample.round < number]
        due = self._due(earlier, number)
        repeats: dict[str, int] = defaultdict(int)
        for sample in earlier:
            repeats[sample.case_id] = max(repeats[sample.case_id], sample.repeat + 1)
        blocks = [
            Block(case, repeats[case.id] + more, self.arms)
            for case, calls in zip(self.cases, due, strict=True)
            for more in range(calls)
        ]
        refused = await self._take(blocks, self.stage, number)
        if refused:
            return refused
        broken = {(s.case_id, s.repeat) for s in self._samples() if s.outcome == "infra_error"}
        lost = [
            Block(block.case, block.repeat + due[self.cases.index(block.case)], self.arms)
            for block in blocks
            if (block.case.id, block.repeat) in broken
        ]
        return await self._take(lost, self.stage, number)

    def _due(self, earlier: Sequence[Sample], number: int) -> list[int]:
        """Return how often each case is asked in a round, per arm: seen from its totals, whoever passed."""
        if number < self.design.first:
            return [1] * len(self.cases)
        pairs = rounds.pairs(
            [s for s in earlier if s.spec_id == self.new.id], [s for s in earlier if s.spec_id == self.old.id]
        )
        totals = rounds.totals({case.id: pairs.get(case.id, []) for case in self.cases})
        calls, _ = self.design.calls_of_stage(*totals)
        return [int(each) for each in calls]

    async def _settle_guards(self, standing: Standing, rounds_done: int) -> str:
        """Take more calls while a guard that calls can settle is open; returns why that had to stop."""
        for number in range(GUARD_ROUNDS):
            cases = self._open_guards(standing)
            if not cases:
                return ""
            repeats = range(number * GUARD_SWEEPS, (number + 1) * GUARD_SWEEPS)
            blocks = [Block(case, repeat, self.arms) for case in cases for repeat in repeats]
            refused = await self._take(blocks, "guard", number)
            if refused:
                return refused
            standing = await asyncio.to_thread(self._standing, rounds_done, number + 1)
        return ""

    def _open_guards(self, standing: Standing) -> list[Case]:
        """Return the cases whose calls can settle a guard that is still open; none when all are settled."""
        error = standing.comparison.standard_error
        uncertain = error is not None and error**2 > self.field.config.policy.max_variance
        if uncertain or standing.gates["latency"].verdict == "unknown":
            return list(self.cases)
        if standing.gates["restraint"].verdict == "unknown":
            return [case for case in self.cases if not case.wants_call]
        return []

    async def _take(self, blocks: Sequence[Block], stage: Stage, number: int) -> str:
        if not blocks:
            return ""
        jobs = assignments(blocks, seed=self.field.seed, stage=stage, number=number)
        return await self.field.take(jobs, [block.case for block in blocks for _ in block.arms])

    def _samples(self, *stages: Stage) -> tuple[Sample, ...]:
        mine = (self.new.id, self.old.id)
        taken = self.field.samples(self.new.phase, *(stages or (self.stage,)))
        return tuple(sample for sample in taken if sample.spec_id in mine)

    def _standing(self, rounds_done: int, guards_done: int = 0) -> Standing:
        """Look at whole rounds only: a contest that is gone on with may hold a part of a later one."""
        config = self.field.config
        summary = summarize(
            tuple(
                sample
                for sample in self._samples(self.stage, "guard")
                if sample.round < (guards_done if sample.stage == "guard" else rounds_done)
            ),
            {self.new.id: self.new, self.old.id: self.old},
            [(self.stage, self.new.id, self.old.id)],
            run_id="",
            leaders={},
            policy=config.policy,
        )
        gates = policy.promotion_gates(
            summary, self.new, self.stage, policy=config.policy, phase=config.phases[self.new.phase]
        )
        return Standing(summary.comparisons[0], {gate.name: gate for gate in gates})

    def _ending(self, standing: Standing) -> Ending | None:
        if standing.gates["infra_share"].verdict == "unknown":
            return "infrastructure"
        last = standing.comparison.looks[-1] if standing.comparison.looks else None
        if last and last.crossed:
            return "crossed"
        if self.stage == "confirm" and any(gate.verdict == "fail" for gate in standing.gates.values()):
            return "harm"
        return "futile" if last and last.futile else None

    def _why(self, ending: Ending, standing: Standing) -> str:
        if ending == "infrastructure":
            return f"too many infrastructure errors ({standing.gates['infra_share'].observed})"
        if ending == "harm":
            failed = next(gate for gate in standing.gates.values() if gate.verdict == "fail")
            return f"it fails {failed.name} ({failed.observed}; asked for: {failed.threshold})"
        if ending == "futile":
            gain = signed(100 * self.design.smallest_gain)
            return f"a gain of {gain} points has become implausible ({self._said(standing)})"
        return self._said(standing)

    def _said(self, standing: Standing) -> str:
        seen = standing.comparison
        calls = seen.looks[-1].calls if seen.looks else 0
        return f"{self.new.model} {points(seen.effect)} beside {self.old.model} after {calls} calls"

    def _say(self, message: str, number: int, dropped: str = "") -> None:
        most = self.design.first + self.design.stages
        self.field.bench.progress.say(
            f"{self.new.phase}: {message}", round=number, rounds=most, dropped=dropped
        )

    def _ended(self, ending: Ending, number: int, reason: str) -> Confirmed:
        lost = "" if ending == "crossed" else f"{label(self.new, self.old)} in {self.new.phase}"
        self._say(f"{ending}: {reason}", number, dropped=lost)
        return Confirmed(
            phase=self.new.phase,
            candidate=self.new,
            baseline=self.old,
            ended=ending,
            rounds=number,
            reason=reason,
        )


def most_requests(phase: str, field: Field) -> int:
    """Return the most requests that verifying one promotion of a phase can take."""
    cases = cases_of(phase, "holdout", field.config, field.suites)
    design = rounds.design_of("verify", len(cases), field.config.policy)
    return design.most_calls(len(cases)) // len(cases) * sum(case.requests for case in cases)
