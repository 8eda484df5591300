"""Every proposed change, what was decided, and every gate it had to pass."""

from __future__ import annotations

from dataclasses import dataclass

from harnesslib.records import CycleRecords, Decision, Recommendation, Verification
from harnesslib.report.view.arms import screened
from harnesslib.report.view.numbers import SPACE, TIMES, UNKNOWN, plural, points_interval, probability
from harnesslib.report.view.settling import settling
from harnesslib.report.view.verdict import verified

PILLS = {
    "PROMOTE": ("good", "▲", "promote"),
    "HOLD": ("warn", "?", "hold"),
    "REJECT": ("bad", "✕", "reject"),
    "pass": ("good", "✓", "pass"),
    "fail": ("bad", "✕", "fail"),
    "unknown": ("warn", "?", "unknown"),
    "kept": ("good", "✓", "kept"),
    "rolled back": ("bad", "↩", "rolled back"),
    "not measured": ("warn", "?", "not verified"),
    "held": ("warn", "…", "waits for a person"),
}
_ORDER = {"PROMOTE": 0, "HOLD": 1, "REJECT": 2}
_GATES = {
    "infra_share": "infrastructure errors",
    "coverage": "same cases in both arms",
    "min_samples": "enough repeats",
    "accuracy_gain": "gain in accuracy",
    "variance": "even runs",
    "no_regression": "no harm elsewhere",
    "restraint": "restraint",
    "extended_accuracy": "accuracy floor",
    "accuracy_floor": "accuracy floor",
    "latency": "latency",
}


@dataclass(frozen=True)
class GateRow:
    """One gate of one decision."""

    name: str
    verdict: str
    observed: str
    threshold: str
    settle: str


@dataclass(frozen=True)
class DecisionRow:
    """One line of the decision table. `proof` is "" for a change that was not applied."""

    model: str
    change: str
    effect: str
    calls: str
    verdict: str
    proof: str
    reason: str
    hypothesis: str
    gates: tuple[GateRow, ...]
    settle: str = ""


@dataclass(frozen=True)
class VerificationRow:
    """One applied change, measured again."""

    model: str
    change: str
    effect: str
    p_value: str
    result: str
    reason: str


def change(recommendation: Recommendation) -> str:
    """Return a proposed change in words."""
    phase = recommendation.phase
    if recommendation.action == "promote":
        return f"serve {phase}"
    if recommendation.action == "enable_warmup":
        return f"warm up before {phase}"
    if recommendation.action == "allow":
        return f"allow in {phase} again"
    if recommendation.fallback_model:
        return f"deny {phase}; {recommendation.fallback_model} serves it"
    return f"deny {phase}"


def decisions(records: CycleRecords) -> tuple[DecisionRow, ...]:
    """Return all decisions: promoted ones first, then what is on hold, then what was rejected."""
    if records.decisions is None:
        return ()
    proofs = {decision.id: item for decision, item in verified(records)}
    rows = [_row(records, decision, proofs) for decision in records.decisions.decisions]
    return tuple(sorted(rows, key=lambda row: _ORDER[row.verdict]))


def held(records: CycleRecords, decision: Decision) -> bool:
    """Whether a promoted change was not put in force, and waits for a person."""
    waiting = records.proposed.held if records.proposed else ()
    return any(item.decision_id == decision.id for item in waiting)


def verifications(records: CycleRecords) -> tuple[VerificationRow, ...]:
    """Return the changes that were measured again, in the order in which they were decided."""
    return tuple(
        VerificationRow(
            model=decision.recommendation.spec.model,
            change=change(decision.recommendation),
            effect=points_interval(item.effect),
            p_value=probability(item.p_value),
            result="kept" if item.kept else "rolled back",
            reason=item.reason,
        )
        for decision, item in verified(records)
    )


def stages_behind(recommendation: Recommendation) -> tuple[str, ...]:
    """Return the stages that a kind of change is judged on, the decisive one first."""
    decisive = {"enable_warmup": ("sessions",), "deny": ("probe", "confirm", "screen")}
    return decisive.get(recommendation.action, ("confirm", "screen"))


def _row(records: CycleRecords, decision: Decision, proofs: dict[str, Verification]) -> DecisionRow:
    recommendation = decision.recommendation
    proof = ""
    if decision.verdict == "PROMOTE":
        item = proofs.get(decision.id)
        waiting = "held" if held(records, decision) else "not measured"
        proof = waiting if item is None else "kept" if item.kept else "rolled back"
    return DecisionRow(
        model=recommendation.spec.model,
        change=change(recommendation),
        effect=points_interval(decision.effect),
        calls=_calls(records, recommendation),
        verdict=decision.verdict,
        proof=proof,
        reason=decision.reason,
        hypothesis=recommendation.hypothesis,
        gates=tuple(
            GateRow(
                _GATES.get(g.name, g.name.replace("_", " ")), g.verdict, g.observed, g.threshold, g.settle
            )
            for g in decision.gates
        ),
        settle=settling(records, decision),
    )


def _calls(records: CycleRecords, recommendation: Recommendation) -> str:
    if records.summary is None:
        return UNKNOWN
    for stage in stages_behind(recommendation):
        if stage == "sessions":
            found = [
                s
                for s in records.summary.sessions
                if (s.stage, s.phase, s.model) == (stage, recommendation.phase, recommendation.spec.model)
            ]
            if found:
                return plural(found[0].sessions, "session pair")
            continue
        item = records.summary.comparison(recommendation.spec.id, stage)
        if item is not None:
            return f"{item.cases}{SPACE}{TIMES}{SPACE}{item.repeats}, {stage}"
    asked = sum(
        row.calls for row in screened(records, recommendation.phase) if row.spec == recommendation.spec
    )
    return f"{plural(asked, 'call')}, screen" if asked else UNKNOWN
