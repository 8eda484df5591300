"""The rows of the forest plot: every candidate's effect in the stage that judged it."""

from __future__ import annotations

from dataclasses import dataclass

from harnesslib.records import CycleRecords, Estimate
from harnesslib.report.view.arms import baseline_of, comparisons, phases, screened
from harnesslib.report.view.control import Control, controls

_SUPPORT = {"verify": 0, "confirm": 1, "screen": 2}


@dataclass(frozen=True)
class EffectRow:
    """One effect with its interval, as shares. `verdict` is "" where nothing was decided."""

    label: str
    stage: str
    value: float
    low: float | None
    high: float | None
    verdict: str


@dataclass(frozen=True)
class Forest:
    """The effects of a phase. `zone` is the smallest effect the plan set out to find, as a share.

    `control` is the baseline beside itself: the picture of no effect.
    """

    phase: str
    baseline: str
    rows: tuple[EffectRow, ...]
    zone: float | None
    unknown: tuple[str, ...]
    control: Control | None = None


def forests(records: CycleRecords) -> tuple[Forest, ...]:
    """Return one forest for each phase with at least one known effect."""
    made = (_forest(records, phase) for phase in phases(records))
    return tuple(forest for forest in made if forest is not None)


def _forest(records: CycleRecords, phase: str) -> Forest | None:
    found = [c for c in comparisons(records) if c.phase == phase and c.stage in ("screen", "confirm")]
    baseline = baseline_of(records, phase)
    if baseline is None:
        return None
    verdicts = _verdicts(records, phase)
    rows, unknown = [], []
    for item in sorted(found, key=lambda c: (-_value(c.effect), c.candidate.model, _SUPPORT[c.stage])):
        if item.effect.value is None:
            unknown.append(f"{item.candidate.model} ({item.effect.reason or 'not enough data'})")
            continue
        effect = item.effect
        verdict = verdicts.get(item.candidate.model, "")
        rows.append(
            EffectRow(item.candidate.model, item.stage, item.effect.value, effect.low, effect.high, verdict)
        )
    for row in screened(records, phase):
        if row.gain is None:
            unknown.append(f"{row.spec.model} ({row.reason or 'not asked'})")
        else:
            verdict = verdicts.get(row.spec.model, "")
            rows.append(EffectRow(row.spec.model, "screen", row.gain, None, None, verdict))
    rows.extend(_verified_rows(records, phase))
    zone = next(
        (p.smallest_effect for p in (records.plan.phases if records.plan else ()) if p.phase == phase), None
    )
    if not rows:
        return None
    control = next((item for item in controls(records) if item.phase == phase), None)
    return Forest(phase, baseline.model, tuple(_grouped(rows)), zone, tuple(unknown), control)


def _grouped(rows: list[EffectRow]) -> list[EffectRow]:
    """Put all stages of a model together, models by their best-supported effect."""
    support: dict[str, EffectRow] = {}
    for row in rows:
        known = support.get(row.label)
        if known is None or _SUPPORT[row.stage] < _SUPPORT[known.stage]:
            support[row.label] = row
    return sorted(rows, key=lambda row: (-support[row.label].value, row.label, -_SUPPORT[row.stage]))


def _verified_rows(records: CycleRecords, phase: str) -> list[EffectRow]:
    if records.verifications is None or records.decisions is None:
        return []
    decisions = {d.id: d for d in records.decisions.decisions}
    rows = []
    for item in records.verifications.verifications:
        decision = decisions.get(item.decision_id)
        if decision is None or item.effect.value is None:
            continue
        recommendation = decision.recommendation
        if (recommendation.action, recommendation.phase) == ("promote", phase):
            model, effect = recommendation.spec.model, item.effect
            rows.append(
                EffectRow(model, "verify", item.effect.value, effect.low, effect.high, decision.verdict)
            )
    return rows


def _verdicts(records: CycleRecords, phase: str) -> dict[str, str]:
    made = records.decisions.decisions if records.decisions else ()
    return {
        d.recommendation.spec.model: d.verdict
        for d in made
        if (d.recommendation.phase, d.recommendation.action) == (phase, "promote")
    }


def _value(effect: Estimate) -> float:
    return effect.value if effect.value is not None else -2.0
