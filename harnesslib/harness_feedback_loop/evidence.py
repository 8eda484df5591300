"""What every diagnosis looks at: the samples of one spec, and what they are to be compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from harnesslib.records import CaseResult, Finding, PolicyConfig, Sample, SampleKey, SessionComparison, Spec

ORDINARY = ("run", "screen", "probe", "confirm")
"""Stages in which a model is asked as an application would ask it, not provoked by unloading it."""

DRAWN = ("probe", "confirm")
"""Stages whose cases are all of the phase, or drawn from them by lot."""

LEVEL = 0.95
SIGNIFICANT = 0.01
"""Where a test alone speaks for a cause: ten are asked for, and 5 % would name one in every other run."""

Samples: TypeAlias = tuple[Sample, ...]
Mark: TypeAlias = tuple[str, SampleKey]
"""What makes a sample unique among all runs."""

Table: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


class Evidence(NamedTuple):
    """One spec in one run. Samples are in the order in which they were started, stage by stage.

    `others` are the samples of the same model in the same phase under other settings, by spec id. `earlier`
    holds the samples of this very spec in earlier runs, oldest run first. `hopeless` are the cases of the
    phase that no model measured beside it ever passed; `phase_cases` says of each case that any of them was
    asked whether it wants a call. `spec` is none where the summary does not know it. `taken` are all runs,
    this one last, with what `without` removes from the others.
    """

    phase: str
    model: str
    spec_id: str
    run_id: str
    samples: Samples
    others: Mapping[str, Samples]
    earlier: tuple[Samples, ...]
    sessions: SessionComparison | None
    spec: Spec | None
    hopeless: frozenset[str]
    phase_cases: Mapping[str, bool]
    floor: float
    policy: PolicyConfig
    taken: tuple[Samples, ...]

    @property
    def answered(self) -> Samples:
        """Samples that say something about the model itself: no timeout, no infrastructure error."""
        return answered(self.samples)

    @property
    def stages(self) -> tuple[Samples, ...]:
        """The samples of each stage, in order."""
        return stages(self.samples)

    @property
    def runs(self) -> tuple[Samples, ...]:
        """The earlier runs and this one, each without what its start may have spoiled."""
        return tuple(settled(run) for run in (*self.earlier, self.samples))

    def not_asked(self, *, wants_call: bool) -> int:
        """Return how many such cases of the phase this spec was never asked, where that says something.

        Cases that were drawn by lot, as a probe's, stand for those that were not.
        """
        if any(sample.stage in DRAWN for sample in self.taken[-1]):
            return 0
        asked = {sample.case_id for run in self.taken for sample in run}
        return sum(wants == wants_call and case not in asked for case, wants in self.phase_cases.items())

    def without(self, marks: Collection[Mark]) -> Evidence:
        """Return the evidence less some samples: a cause that was found explains them."""
        earlier = (_less(run, marks) for run in self.earlier)
        return self._replace(samples=_less(self.samples, marks), earlier=tuple(run for run in earlier if run))

    def finding(self, finding: Finding) -> Finding:
        """Return a finding that names what it is about."""
        return msgspec.structs.replace(finding, run_id=self.run_id, spec_id=self.spec_id)


class Found(NamedTuple):
    """A cause, and the samples that it explains: no later diagnosis looks at these."""

    finding: Finding
    explains: frozenset[Mark] = frozenset()


def mark(sample: Sample) -> Mark:
    """Return what makes a sample unique among all runs."""
    return sample.run_id, sample.key


def _less(samples: Samples, marks: Collection[Mark]) -> Samples:
    return tuple(sample for sample in samples if mark(sample) not in marks)


def fair(samples: Sequence[Sample]) -> Samples:
    """Return the samples whose cases were not chosen for being hard.

    In the screen's later rounds cases are asked because the baseline failed them: a share of those says
    nothing about the suite.
    """
    return tuple(s for s in samples if s.stage != "screen" or s.round == 0)


def answered(samples: Sequence[Sample]) -> Samples:
    """Return the samples with an answer: no timeout, no infrastructure error."""
    return tuple(s for s in samples if s.outcome not in {"timeout", "infra_error"})


def stages(samples: Sequence[Sample]) -> tuple[Samples, ...]:
    """Return the samples of each ordinary stage that has some, in order."""
    parts = (tuple(s for s in samples if s.stage == stage) for stage in ORDINARY)
    return tuple(part for part in parts if part)


def before_answer(samples: Sequence[Sample]) -> list[SampleKey]:
    """Return the samples that were started before the first answer came."""
    answers = [s.started_at + timedelta(seconds=s.elapsed_s) for s in samples if s.latency_s is not None]
    first = min(answers, default=None)
    return [sample.key for sample in samples if first is None or sample.started_at < first]


def settled(samples: Samples) -> Samples:
    """Return a run without what its start may have spoiled: the calls before its first answer."""
    if not any(sample.latency_s is not None for sample in samples):
        return samples
    cold = frozenset(before_answer(stages(samples)[0]))
    return tuple(sample for sample in samples if sample.key not in cold)


def in_order(samples: Sequence[Sample]) -> Samples:
    """Return ordinary samples in the order in which they were started, stage by stage."""
    ordinary = (s for s in samples if s.stage in ORDINARY)
    return tuple(sorted(ordinary, key=lambda s: (ORDINARY.index(s.stage), s.position)))


def by_spec(samples: Sequence[Sample]) -> dict[tuple[str, str, str], Samples]:
    """Return ordinary samples by (phase, model, spec id), in the order in which they were started."""
    found: dict[tuple[str, str, str], list[Sample]] = defaultdict(list)
    for sample in in_order(samples):
        found[sample.phase, sample.model, sample.spec_id].append(sample)
    return {key: tuple(found[key]) for key in sorted(found)}


def by_model(samples: Sequence[Sample]) -> dict[tuple[str, str], Samples]:
    """Return ordinary samples by (phase, model), in the order in which they were started."""
    found: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in in_order(samples):
        found[sample.phase, sample.model].append(sample)
    return {key: tuple(found[key]) for key in sorted(found)}


def by_run(samples: Sequence[Sample]) -> tuple[Samples, ...]:
    """Return ordinary samples of each run, the oldest run first."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.run_id].append(sample)
    began = {run_id: min(sample.started_at for sample in group) for run_id, group in found.items()}
    runs = (in_order(found[run_id]) for run_id in sorted(found, key=lambda run_id: (began[run_id], run_id)))
    return tuple(run for run in runs if run)


def grouped(samples: Sequence[Sample]) -> dict[str, Samples]:
    """Return samples by case, cases by name, each case's in the order given."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.case_id].append(sample)
    return {case_id: tuple(found[case_id]) for case_id in sorted(found)}


def by_case(samples: Sequence[Sample]) -> tuple[CaseResult, ...]:
    """Return the outcomes of each case, cases by name."""
    return tuple(
        CaseResult(
            case_id=case_id,
            skill=group[0].skill,
            wants_call=group[0].wants_call,
            outcomes=tuple(sample.outcome for sample in group),
        )
        for case_id, group in grouped(samples).items()
    )


def tables(samples: Sequence[Sample]) -> tuple[Table, Table]:
    """Return what one stage shows by case (rows) and repeat (columns), nan where there is nothing.

    Returns
    -------
    tuple
        1 for a pass and 0 for a failure, infrastructure errors left out; and the seconds that a user waited
        for an answer that needed no second attempt.
    """
    places = places_of(samples)
    shape = [1 + max((place[side] for place in places.values()), default=-1) for side in (0, 1)]
    passed = np.full(shape, np.nan)
    waited = passed.copy()
    for sample in samples:
        place = places[sample.key]
        if sample.outcome != "infra_error":
            passed[place] = sample.outcome == "pass"
        if sample.latency_s is not None and sample.attempts == 1:
            waited[place] = max(sample.elapsed_s, sample.latency_s, 1e-9)
    return passed, waited


def places_of(samples: Sequence[Sample]) -> dict[SampleKey, tuple[int, int]]:
    """Return row and column of each sample in such a table."""
    cases = {case_id: row for row, case_id in enumerate(sorted({s.case_id for s in samples}))}
    repeats = {repeat: column for column, repeat in enumerate(sorted({s.repeat for s in samples}))}
    return {sample.key: (cases[sample.case_id], repeats[sample.repeat]) for sample in samples}
