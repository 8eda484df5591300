"""The rounds of a cycle: who was left out in the screen, and what each look at a leader saw."""

from __future__ import annotations

from dataclasses import dataclass

from harnesslib.records import Comparison, CycleRecords, LookResult
from harnesslib.report.view.arms import comparisons, phases, screened
from harnesslib.report.view.numbers import DASH, UNKNOWN, count, percent, plural, points

_ENDINGS = {
    "crossed": ("good", "✓", "proven"),
    "completed": ("warn", "?", "not proven"),
    "futile": ("info", "=", "given up"),
    "harm": ("bad", "✕", "worse"),
    "infrastructure": ("warn", "!", "stopped"),
    "budget": ("warn", "!", "out of budget"),
}


@dataclass(frozen=True)
class ScreenRow:
    """One candidate of the screen: what it was asked, what that promises, and why it went no further."""

    model: str
    phase: str
    asked: str
    right: str
    promise: str
    reason: str


@dataclass(frozen=True)
class LookRow:
    """One look, in words."""

    number: str
    calls: str
    share: str
    effect: str
    statistic: str
    critical: str
    result: str


@dataclass(frozen=True)
class Contest:
    """How the measurement of one leader beside the baseline went. `state`: tone, glyph, word."""

    phase: str
    stage: str
    candidate: str
    baseline: str
    state: tuple[str, str, str]
    reason: str
    looks: tuple[LookResult, ...]


def screen_rows(records: CycleRecords) -> tuple[ScreenRow, ...]:
    """Return every candidate of the screen, phase by phase, the most promising first."""
    rows = []
    for phase in phases(records):
        found = sorted(screened(records, phase), key=lambda row: 2.0 if row.gain is None else -row.gain)
        rows += [
            ScreenRow(
                model=row.spec.model,
                phase=phase,
                asked=plural(row.calls, "call"),
                right=percent(row.passes / row.calls, 0) if row.calls else UNKNOWN,
                promise=points(row.gain),
                reason=row.reason or "goes on: it leads",
            )
            for row in found
        ]
    return tuple(rows)


def contests(records: CycleRecords) -> tuple[Contest, ...]:
    """Return every comparison that was measured in rounds: confirmations, then verifications."""
    evidence = records.verifications.evidence if records.verifications else None
    found = [c for c in comparisons(records) if c.stage == "confirm"]
    found += [c for c in (evidence.comparisons if evidence else ()) if c.stage == "verify"]
    return tuple(_contest(records, item) for item in found if item.looks)


def look_rows(item: Contest) -> tuple[LookRow, ...]:
    """Return the looks of a contest as a table."""
    return tuple(
        LookRow(
            number=str(look.round + 1),
            calls=count(look.calls),
            share=percent(look.fraction, 0),
            effect=points(look.effect),
            statistic=count(look.statistic),
            critical=DASH if look.critical is None else count(look.critical),
            result="reached" if look.crossed else "hopeless" if look.futile else "open",
        )
        for look in item.looks
    )


def _contest(records: CycleRecords, item: Comparison) -> Contest:
    known = records.confirmation.of(item.candidate) if records.confirmation else None
    last = item.looks[-1]
    if item.stage == "confirm" and known is not None:
        state, reason = _ENDINGS[known.ended], known.reason
    else:
        state = _ENDINGS["crossed" if last.crossed else "completed"]
        reason = f"{plural(len(item.looks), 'look')}, {count(last.calls)} calls"
    return Contest(
        phase=item.phase,
        stage=item.stage,
        candidate=item.candidate.model,
        baseline=item.baseline.model,
        state=state,
        reason=reason,
        looks=item.looks,
    )
