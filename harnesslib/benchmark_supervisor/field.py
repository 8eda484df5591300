"""What the rounds of a cycle are measured with: its bench, its plan, its budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harnesslib.benchmark_supervisor.budget import Budget
from harnesslib.benchmark_supervisor.layout import Suites
from harnesslib.executors.bench import Bench
from harnesslib.records import Assignment, Case, HarnessConfig, Sample, Stage


class Field(NamedTuple):
    """Everything that a phase needs to be measured in rounds. Phases share it, and run side by side."""

    bench: Bench
    config: HarnessConfig
    suites: Suites
    budget: Budget
    seed: int

    async def take(self, jobs: Sequence[Assignment], cases: Sequence[Case]) -> str:
        """Take what is missing of a round; returns why it was not begun, "" when it was measured.

        `cases` has one entry per case that an arm is asked, to predict the requests.

        Raises
        ------
        EndpointError
            An endpoint fails the same way again and again.
        """
        self.bench.expect(jobs)
        missing = self.bench.missing(jobs)
        if not missing:
            return ""
        share = len(missing) / len(jobs)
        requests = round(share * sum(case.requests for case in cases))
        refused = self.budget.grant(requests, self.bench.taken)
        if refused:
            return refused
        await self.bench.take_all(jobs)
        self.budget.settle(requests)
        self.bench.check()
        return ""

    def samples(self, phase: str, *stages: Stage) -> tuple[Sample, ...]:
        """Return what was taken of a phase in these stages, in the order in which it was started."""
        found = (s for s in self.bench.taken if s.phase == phase and s.stage in stages)
        return tuple(sorted(found, key=lambda sample: (stages.index(sample.stage), sample.position)))
