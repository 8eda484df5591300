"""The control: what serves now, compared with itself. Where that shows a gain, no gain can be believed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from harnesslib.records import CycleRecords, Estimate, Sample, Spec
from harnesslib.report.view.arms import arms, baseline_of, phases
from harnesslib.report.view.measured import STAGE_NAMES
from harnesslib.stats import paired

_LEAST = 2


@dataclass(frozen=True)
class Control:
    """The baseline's own calls of one stage in two halves. `p_value` is two-sided, none without cases."""

    phase: str
    model: str
    how: str
    cases: int
    effect: Estimate
    p_value: float | None


def controls(records: CycleRecords) -> tuple[Control, ...]:
    """Return one A/A comparison for each phase whose baseline answered a case at least twice.

    Every second call of a case stands against the others: both halves were asked at the same time, by the
    same rules, and only chance can tell them apart.
    """
    found = (_halves(records, phase, by_time=False) for phase in phases(records))
    return tuple(control for control in found if control is not None)


def drifts(records: CycleRecords) -> tuple[Control, ...]:
    """Return, for each phase, the later half of the baseline's calls of each case beside the earlier half."""
    found = (_halves(records, phase, by_time=True) for phase in phases(records))
    return tuple(control for control in found if control is not None)


def _halves(records: CycleRecords, phase: str, *, by_time: bool) -> Control | None:
    baseline = baseline_of(records, phase)
    if baseline is None:
        return None
    pair = arms(records, phase)
    for stage in dict.fromkeys((pair.stage if pair else "screen", "screen")):
        cases = [calls for calls in _calls(records, baseline, stage) if len(calls) >= _LEAST]
        if cases:
            return _control(baseline, stage, cases, by_time=by_time)
    return None


def _calls(records: CycleRecords, spec: Spec, stage: str) -> list[list[Sample]]:
    """Return the valid calls of each case, oldest first."""
    cases: dict[str, list[Sample]] = defaultdict(list)
    for sample in records.samples:
        if (sample.stage, sample.spec_id) == (stage, spec.id) and sample.outcome != "infra_error":
            cases[sample.case_id].append(sample)
    return [sorted(calls, key=lambda s: (s.repeat, s.position)) for _, calls in sorted(cases.items())]


def _control(spec: Spec, stage: str, cases: Sequence[Sequence[Sample]], *, by_time: bool) -> Control:
    counts = [_counts(calls, place, by_time=by_time) for place, calls in enumerate(cases)]
    mine, theirs, my_calls, their_calls = (list(column) for column in zip(*counts, strict=True))
    sides = (mine, theirs, my_calls, their_calls)
    both = 2 * min(paired.exact_p(*sides, "better"), paired.exact_p(*sides, "worse"))
    return Control(
        phase=spec.phase,
        model=spec.model,
        how=f"{'later calls beside earlier ones' if by_time else 'every second call beside the others'}, "
        f"{STAGE_NAMES[stage]}",
        cases=len(cases),
        effect=paired.effect(*sides),
        p_value=min(1.0, both),
    )


def _counts(calls: Sequence[Sample], place: int, *, by_time: bool) -> tuple[int, int, int, int]:
    """Return passes and calls of both halves; of an odd number the larger half changes from case to case."""
    if by_time:
        middle = (len(calls) + place % 2) // 2
        second, first = calls[middle:], calls[:middle]
    else:
        second, first = calls[place % 2 :: 2], calls[1 - place % 2 :: 2]
    return _passes(second), _passes(first), len(second), len(first)


def _passes(calls: Sequence[Sample]) -> int:
    return sum(sample.outcome == "pass" for sample in calls)
