"""Latency curves and first calls after a load: the points behind the two speed figures."""

from __future__ import annotations

from dataclasses import dataclass

from harnesslib.records import CycleRecords, Sample, SessionComparison, Spec
from harnesslib.report.view.arms import Arms, arms


@dataclass(frozen=True)
class Curve:
    """Sorted latencies of one arm, seconds, with two percentiles."""

    label: str
    seconds: tuple[float, ...]
    p50: float
    p95: float


@dataclass(frozen=True)
class LatencyFigure:
    """Both arms of a phase."""

    arms: Arms
    candidate: Curve
    baseline: Curve


@dataclass(frozen=True)
class FirstCall:
    """One of the first calls of a session. `place` counts from 1 in the order of starting."""

    warm: bool
    place: int
    elapsed_s: float
    outcome: str


@dataclass(frozen=True)
class ColdFigure:
    """First calls of one model, with and without warm-up; `deadline_s` is the limit of a case."""

    comparison: SessionComparison
    calls: tuple[FirstCall, ...]
    deadline_s: float | None


def latency_figures(records: CycleRecords) -> tuple[LatencyFigure, ...]:
    """Return one figure for each phase whose two arms answered at least once."""
    figures = []
    for phase in dict.fromkeys(c.phase for c in (records.summary.comparisons if records.summary else ())):
        pair = arms(records, phase)
        if pair is None:
            continue
        left = _curve(records, pair, pair.candidate, pair.labels[0])
        right = _curve(records, pair, pair.baseline, pair.labels[1])
        if left is not None and right is not None:
            figures.append(LatencyFigure(pair, left, right))
    return tuple(figures)


def cold_figures(records: CycleRecords) -> tuple[ColdFigure, ...]:
    """Return one figure for each session comparison that has samples behind it."""
    if records.summary is None:
        return ()
    warm_ids = {item.spec.id for item in records.summary.specs if item.spec.settings.warmup}
    figures = []
    for comparison in records.summary.sessions:
        key = (comparison.stage, comparison.phase, comparison.model)
        found = [s for s in records.samples if (s.stage, s.phase, s.model) == key]
        if found:
            ids = {sample.spec_id for sample in found}
            limits = (item.spec.settings.timeout_s for item in records.summary.specs if item.spec.id in ids)
            figures.append(ColdFigure(comparison, _first_calls(found, warm_ids), next(limits, None)))
    return tuple(figures)


def quantile(ordered: tuple[float, ...], share: float) -> float:
    """Return a quantile of sorted values by linear interpolation (type 7 of Hyndman and Fan)."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def _curve(records: CycleRecords, pair: Arms, spec: Spec, label: str) -> Curve | None:
    values = tuple(
        sorted(
            sample.latency_s
            for sample in records.samples
            if sample.stage == pair.stage and sample.spec_id == spec.id and sample.latency_s is not None
        )
    )
    return Curve(label, values, quantile(values, 0.5), quantile(values, 0.95)) if values else None


def _first_calls(samples: list[Sample], warm_ids: set[str]) -> tuple[FirstCall, ...]:
    sessions: dict[tuple[bool, int], list[Sample]] = {}
    for sample in samples:
        sessions.setdefault((sample.spec_id in warm_ids, sample.session), []).append(sample)
    return tuple(
        FirstCall(warm, place, sample.elapsed_s, sample.outcome)
        for (warm, _), group in sorted(sessions.items())
        for place, sample in enumerate(sorted(group, key=lambda s: (s.position, s.case_id)), start=1)
    )
