"""Every run of both arms: the spread that stands behind an interval."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import mean, stdev

from harnesslib.records import CycleRecords, Sample, Spec
from harnesslib.report.view.arms import Arms, arms, phases

_LEAST = 2


@dataclass(frozen=True)
class Run:
    """One repeat of one arm: its accuracy as a share, over `cases`; `whole` where it asked all of them."""

    accuracy: float
    cases: int
    whole: bool


@dataclass(frozen=True)
class ArmRuns:
    """The runs of one arm. `mean` and `spread` (standard deviation) are those of whole runs, as shares."""

    label: str
    runs: tuple[Run, ...]
    mean: float
    spread: float | None


@dataclass(frozen=True)
class RunsFigure:
    """Both arms of a phase, in the stage that judged them."""

    arms: Arms
    candidate: ArmRuns
    baseline: ArmRuns


def runs_figures(records: CycleRecords) -> tuple[RunsFigure, ...]:
    """Return one figure for each phase whose arms were asked more than once."""
    figures = []
    for phase in phases(records):
        pair = arms(records, phase)
        if pair is None:
            continue
        ours = _arm(records, pair, pair.candidate, pair.labels[0])
        theirs = _arm(records, pair, pair.baseline, pair.labels[1])
        if ours and theirs and max(len(ours.runs), len(theirs.runs)) >= _LEAST:
            figures.append(RunsFigure(pair, ours, theirs))
    return tuple(figures)


def _arm(records: CycleRecords, pair: Arms, spec: Spec, label: str) -> ArmRuns | None:
    repeats: dict[int, list[Sample]] = defaultdict(list)
    for sample in records.samples:
        if (sample.stage, sample.spec_id) == (pair.stage, spec.id) and sample.outcome != "infra_error":
            repeats[sample.repeat].append(sample)
    if not repeats:
        return None
    most = max(map(len, repeats.values()))
    runs = tuple(_run(repeats[number], most) for number in sorted(repeats))
    # Later repeats of an adaptive design ask the open cases only: another question, so no part of the mean.
    whole = [run.accuracy for run in runs if run.whole]
    return ArmRuns(label, runs, mean(whole), stdev(whole) if len(whole) >= _LEAST else None)


def _run(samples: list[Sample], most: int) -> Run:
    passed = sum(sample.outcome == "pass" for sample in samples)
    # A call lost to the infrastructure does not make a run another question.
    return Run(passed / len(samples), len(samples), len(samples) >= 0.9 * most)
