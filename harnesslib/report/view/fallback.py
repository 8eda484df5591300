"""How good the answers are that a fallback gives in the place of a denied model."""

from __future__ import annotations

from dataclasses import dataclass

from harnesslib.records import CycleRecords, Decision, SpecSummary
from harnesslib.report.view.numbers import UNKNOWN, percent_interval, plural
from harnesslib.report.view.verdict import verified

_OWN = ("confirm", "probe", "screen", "run")


@dataclass(frozen=True)
class FallbackRow:
    """One denied model: who answers for it, how well, and how well it did itself."""

    denied: str
    phase: str
    fallback: str
    own: str
    served: str
    restraint: str
    asked: str
    result: str
    reason: str


def fallbacks(records: CycleRecords) -> tuple[FallbackRow, ...]:
    """Return one row for each denial that was applied and measured again."""
    rows = []
    for decision, item in verified(records):
        if decision.recommendation.action != "deny":
            continue
        behind = _behind(records, decision)
        own = _own(records, decision)
        rows.append(
            FallbackRow(
                denied=decision.recommendation.spec.model,
                phase=decision.recommendation.phase,
                fallback=decision.recommendation.fallback_model or UNKNOWN,
                own=percent_interval(own.served) if own else UNKNOWN,
                served=percent_interval(behind.served) if behind else UNKNOWN,
                restraint=percent_interval(behind.restraint) if behind else UNKNOWN,
                asked=plural(behind.samples, "call") if behind else "not asked",
                result="kept" if item.kept else "rolled back",
                reason=item.reason,
            )
        )
    return tuple(rows)


def _behind(records: CycleRecords, decision: Decision) -> SpecSummary | None:
    evidence = records.verifications.evidence if records.verifications else None
    wanted = (decision.recommendation.phase, decision.recommendation.fallback_model)
    found = (
        item
        for item in (evidence.specs if evidence else ())
        if item.stage == "verify_fallback" and (item.spec.phase, item.spec.model) == wanted
    )
    return next(found, None)


def _own(records: CycleRecords, decision: Decision) -> SpecSummary | None:
    found = (
        item
        for stage in _OWN
        for item in (records.summary.specs if records.summary else ())
        if (item.stage, item.spec.id) == (stage, decision.recommendation.spec.id) and not item.selected
    )
    return next(found, None)
