"""Who was compared with whom in a phase, and in which stage: the question most sections start from."""

from __future__ import annotations

from dataclasses import dataclass

from harnesslib.records import Comparison, CycleRecords, Screened, Spec, SpecSummary


@dataclass(frozen=True)
class Arms:
    """The two specs that a phase is judged by, in the latest stage that holds both."""

    phase: str
    stage: str
    candidate: Spec
    baseline: Spec

    @property
    def labels(self) -> tuple[str, str]:
        """Names of candidate and baseline; the settings' digits are added where the model is the same."""
        if self.candidate.model == self.baseline.model:
            return self.candidate.id, self.baseline.id
        return self.candidate.model, self.baseline.model


def phases(records: CycleRecords) -> tuple[str, ...]:
    """Return the phases of a cycle: in the plan's order, else as the summary has them."""
    if records.plan is not None:
        return tuple(item.phase for item in records.plan.phases)
    if records.summary is not None:
        return tuple(dict.fromkeys(item.spec.phase for item in records.summary.specs))
    return tuple(dict.fromkeys(sample.phase for sample in records.samples))


def baseline_of(records: CycleRecords, phase: str) -> Spec | None:
    """Return the spec that served `phase` when the cycle began."""
    for item in records.plan.phases if records.plan else ():
        if item.phase == phase:
            return item.baseline
    found = [c.baseline for c in comparisons(records) if c.phase == phase]
    return found[0] if found else None


def comparisons(records: CycleRecords) -> tuple[Comparison, ...]:
    """Return all comparisons, or none without a summary."""
    return records.summary.comparisons if records.summary else ()


def screened(records: CycleRecords, phase: str) -> tuple[Screened, ...]:
    """Return how the candidates of `phase` did on the cases that its baseline failed."""
    rows = records.selection.screened if records.selection else ()
    return tuple(row for row in rows if row.phase == phase)


def promise(records: CycleRecords, spec: Spec) -> float | None:
    """Return the gain that the screen promised for a candidate, as a share; none where it gave no number."""
    for row in screened(records, spec.phase):
        if row.spec == spec:
            return row.gain
    known = records.summary.comparison(spec.id, "screen") if records.summary else None
    return known.effect.value if known else None


def arms(records: CycleRecords, phase: str) -> Arms | None:
    """Return the arms of `phase`: those confirmed, else the best of the screen."""
    for stage in ("confirm", "screen"):
        found = [c for c in comparisons(records) if (c.phase, c.stage) == (phase, stage)]
        if found:
            best = max(found, key=lambda c: c.effect.value if c.effect.value is not None else -2.0)
            return Arms(phase, stage, best.candidate, best.baseline)
    return None


def summary_of(records: CycleRecords, spec: Spec, stage: str) -> SpecSummary | None:
    """Return a spec's summary in a stage, or none."""
    return records.summary.spec(spec.id, stage) if records.summary else None
