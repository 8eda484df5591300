"""What an export is made of: a run's records, and the cases as they were asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harnesslib.records import Case, CycleRecords, Sample, SpecSummary, Suite
from harnesslib.records.base import Record
from harnesslib.suites import instantiate


class Arm(Record):
    """All samples of one spec in one stage, in the order in which they were started.

    `summary` is none where nothing was computed: the run has not come so far.
    """

    stage: str
    spec_id: str
    model: str
    phase: str
    samples: tuple[Sample, ...]
    summary: SpecSummary | None


class Bundle(Record):
    """A run and the suites of its phases, where these are still what was asked."""

    records: CycleRecords
    suites: dict[str, Suite]

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.records.manifest.run_id

    def case(self, sample: Sample) -> Case | None:
        """Return the case as this sample asked it; none when its suite has changed since."""
        suite = self.suites.get(sample.phase)
        cases = (case for case in suite.cases if case.id == sample.case_id) if suite else iter(())
        found = next(cases, None)
        return None if found is None else instantiate(found, sample.seed)

    def arms(self) -> tuple[Arm, ...]:
        """Return the samples by stage and spec, in the order of their first samples."""
        groups: dict[tuple[str, str], list[Sample]] = {}
        for sample in sorted(self.records.samples, key=lambda each: each.started_at):
            groups.setdefault((sample.stage, sample.spec_id), []).append(sample)
        known = {(each.stage, each.spec.id): each for each in self._summaries()}
        return tuple(
            Arm(
                stage=stage,
                spec_id=spec_id,
                model=samples[0].model,
                phase=samples[0].phase,
                samples=tuple(samples),
                summary=known.get((stage, spec_id)),
            )
            for (stage, spec_id), samples in groups.items()
        )

    def _summaries(self) -> Iterator[SpecSummary]:
        verified = self.records.verifications
        for summary in (self.records.summary, verified.evidence if verified else None):
            yield from summary.specs if summary else ()


def bundle(records: CycleRecords, suites: Mapping[str, Suite]) -> Bundle:
    """Return what an export is made of.

    Parameters
    ----------
    records
        Of a cycle or a run.
    suites
        Phase -> its suite of today. One whose content differs from what the plan measured is left out: its
        texts would not be those that were asked.
    """
    plan = records.plan
    measured = {phase.phase: phase.suite_hash for phase in plan.phases} if plan else {}
    same = {
        phase: suite
        for phase, suite in suites.items()
        if not measured or measured.get(phase) == suite.content_hash
    }
    return Bundle(records=records, suites=same)
