"""What the samples say about models and cases: outcome mixes and the case-by-repeat grid."""

from __future__ import annotations

from dataclasses import dataclass

from harnesslib.records import OUTCOMES, CaseResult, CycleRecords, SpecSummary
from harnesslib.report.view.arms import Arms, arms, baseline_of, summary_of
from harnesslib.report.view.numbers import DASH, UNKNOWN, percent, percent_interval, plural, seconds, signed

GLYPHS = {
    "pass": ("", "pass"),
    "wrong": ("✕", "wrong call"),
    "abstained": ("○", "no call though one was needed"),
    "overcalled": ("+", "a call where none was wanted"),
    "malformed": ("#", "a call that can't be read"),
    "timeout": ("T", "timeout"),
    "infra_error": ("!", "infrastructure error, not counted"),
    "missing": (DASH, "not measured"),
}
STAGE_NAMES = {
    "run": "run",
    "screen": "screen",
    "probe": "probe",
    "confirm": "confirmation",
    "guard": "guards",
    "sessions": "session starts",
    "verify": "verification",
    "verify_sessions": "verified session starts",
    "verify_fallback": "verified fallback",
}
_FLAKY = (0.2, 0.8)


@dataclass(frozen=True)
class ModelRow:
    """One spec in one stage. `mix` holds (outcome, number) for every outcome that occurred."""

    model: str
    stage: str
    role: str
    samples: int
    served: str
    skill: str
    restraint: str
    waits: str
    mix: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class CaseRow:
    """One case under both arms. `label` is its id without the phase; `flaky`: candidate, then baseline."""

    case_id: str
    label: str
    note: str
    rate: str
    change: str
    candidate: tuple[str, ...]
    baseline: tuple[str, ...]
    flaky: tuple[bool, bool]


@dataclass(frozen=True)
class CaseGrid:
    """All cases of a phase that failed at least once, worst of the candidate first."""

    arms: Arms
    repeats: int
    rows: tuple[CaseRow, ...]
    flawless: int


def models(records: CycleRecords, phase: str) -> tuple[ModelRow, ...]:
    """Return the screen's rows (baseline first, then by accuracy), then later stages of the same phase."""
    if records.summary is None:
        return ()
    baseline = baseline_of(records, phase)
    leader = records.summary.leaders.get(phase, "")
    rank = {stage: place for place, stage in enumerate(STAGE_NAMES)}
    found = [item for item in records.summary.specs if item.spec.phase == phase]
    found.sort(
        key=lambda item: (
            rank.get(item.stage, len(rank)),
            baseline is None or item.spec.id != baseline.id,
            -(item.served.value or 0.0),
            item.spec.id,
        )
    )
    return tuple(_model_row(item, baseline.id if baseline else "", leader) for item in found)


def case_grid(records: CycleRecords, phase: str) -> CaseGrid | None:
    """Return cases by repeats of the two arms of `phase`, or none where nothing was compared."""
    pair = arms(records, phase)
    if pair is None:
        return None
    candidate = summary_of(records, pair.candidate, pair.stage)
    baseline = summary_of(records, pair.baseline, pair.stage)
    if candidate is None or baseline is None:
        return None
    theirs = {case.case_id: case for case in baseline.cases}
    ours = {case.case_id: case for case in candidate.cases}
    repeats = max((len(case.outcomes) for case in (*ours.values(), *theirs.values())), default=0)
    everything = [(ours.get(case_id), theirs.get(case_id)) for case_id in {**ours, **theirs}]
    shown = [both for both in everything if not all(_flawless(case) for case in both)]
    shown.sort(key=lambda both: (_rate(both[0]), _rate(both[1]), _some(both).case_id))
    rows = tuple(_case_row(phase, left, right, repeats) for left, right in shown)
    return CaseGrid(pair, repeats, rows, len(everything) - len(shown))


def _model_row(item: SpecSummary, baseline_id: str, leader_id: str) -> ModelRow:
    roles = {leader_id: "leader", baseline_id: "baseline"}
    return ModelRow(
        model=item.spec.model,
        stage=STAGE_NAMES.get(item.stage, item.stage),
        role=roles.get(item.spec.id, "warm-up" if item.spec.settings.warmup else ""),
        samples=item.samples,
        served=_served(item),
        skill=UNKNOWN if item.selected else percent(item.skill.value),
        restraint=percent_interval(item.restraint),
        waits=_waits(item.latency_p50_s.value, item.latency_p95_s.value),
        mix=tuple((name, item.outcomes[name]) for name in OUTCOMES if item.outcomes.get(name)),
    )


def _served(item: SpecSummary) -> str:
    """Say how often it was right; on cases chosen for their difficulty a share would mislead."""
    if not item.selected:
        return percent_interval(item.served)
    valid = item.samples - item.outcomes.get("infra_error", 0)
    return f"{item.outcomes.get('pass', 0)} of {plural(valid, 'call')} that the baseline fails"


def _case_row(phase: str, left: CaseResult | None, right: CaseResult | None, repeats: int) -> CaseRow:
    case = _some((left, right))
    both = left is not None and right is not None and left.valid and right.valid
    return CaseRow(
        case_id=case.case_id,
        label=case.case_id.removeprefix(f"{phase}."),
        note=_note(case),
        rate=percent(_rate(left), 0) if left is not None and left.valid else "n/a",
        change=signed(100 * (_rate(left) - _rate(right)), 0) if both else "n/a",
        candidate=_padded(left, repeats),
        baseline=_padded(right, repeats),
        flaky=(_is_flaky(left), _is_flaky(right)),
    )


def _note(case: CaseResult) -> str:
    skill = "" if case.skill in case.case_id else case.skill
    return ", ".join(word for word in (skill, "" if case.wants_call else "no call wanted") if word)


def _waits(p50: float | None, p95: float | None) -> str:
    return UNKNOWN if p50 is None and p95 is None else f"{seconds(p50)} / {seconds(p95)}"


def _is_flaky(case: CaseResult | None) -> bool:
    return case is not None and case.valid > 0 and _FLAKY[0] < _rate(case) < _FLAKY[1]


def _some(both: tuple[CaseResult | None, CaseResult | None]) -> CaseResult:
    return next(case for case in both if case is not None)


def _padded(case: CaseResult | None, repeats: int) -> tuple[str, ...]:
    outcomes: tuple[str, ...] = case.outcomes if case is not None else ()
    return (*outcomes, *("missing",) * (repeats - len(outcomes)))


def _flawless(case: CaseResult | None) -> bool:
    return case is not None and case.passes == len(case.outcomes)


def _rate(case: CaseResult | None) -> float:
    return case.passes / case.valid if case is not None and case.valid else 0.0
