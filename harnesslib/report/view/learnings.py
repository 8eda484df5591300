"""What a cycle taught: what was expected of each change, what came, and what follows."""

from __future__ import annotations

from dataclasses import dataclass

from harnesslib.records import Comparison, CycleRecords, Decision
from harnesslib.report.view.arms import promise
from harnesslib.report.view.decisions import change, held
from harnesslib.report.view.numbers import UNKNOWN, margin, points, points_interval
from harnesslib.report.view.settling import settling
from harnesslib.report.view.verdict import verified


@dataclass(frozen=True)
class LearningRow:
    """One change that was tried: what each stage saw of it, and what follows."""

    model: str
    change: str
    screen: str
    confirmed: str
    verified: str
    lesson: str


def learnings(records: CycleRecords) -> tuple[LearningRow, ...]:
    """Return what was learned: proven changes first, then what was rejected, then what is open."""
    if records.decisions is None:
        return ()
    proofs = {decision.id: item for decision, item in verified(records)}
    order = {"PROMOTE": 0, "REJECT": 1, "HOLD": 2}
    rows = []
    for decision in sorted(records.decisions.decisions, key=lambda item: order[item.verdict]):
        screen, confirmed = _promised(records, decision), _seen(records, decision, "confirm")
        proof = proofs.get(decision.id)
        if decision.recommendation.action != "promote":
            confirmed = None
        rows.append(
            LearningRow(
                model=decision.recommendation.spec.model,
                change=change(decision.recommendation),
                screen=points(screen),
                confirmed=_judged(decision, confirmed),
                verified=points_interval(proof.effect) if proof else UNKNOWN,
                lesson=_lesson(records, decision, kept=proof.kept if proof else None),
            )
        )
    return tuple(rows)


def optimism(records: CycleRecords) -> str:
    """Return how much better the screen's choices looked than they proved to be; "" where none was proved."""
    gaps = []
    for decision, item in verified(records):
        screen = _promised(records, decision)
        if screen is not None and item.effect.value is not None:
            gaps.append(screen - item.effect.value)
    if not gaps:
        return ""
    mean = sum(gaps) / len(gaps)
    way = "better" if mean > 0 else "worse"
    return (
        f"What was chosen looked {margin(abs(mean))} points {way} in the screen than it proved to be on "
        "fresh cases. The best of many tends to look too good, so only the last number is credited."
    )


def _promised(records: CycleRecords, decision: Decision) -> float | None:
    promoted = decision.recommendation.action == "promote"
    return promise(records, decision.recommendation.spec) if promoted else None


def _seen(records: CycleRecords, decision: Decision, stage: str) -> Comparison | None:
    if records.summary is None or decision.recommendation.action != "promote":
        return None
    return records.summary.comparison(decision.recommendation.spec.id, stage)


def _judged(decision: Decision, confirmed: Comparison | None) -> str:
    if decision.recommendation.action != "promote":
        return points_interval(decision.effect)
    return points_interval(confirmed.effect) if confirmed else UNKNOWN


def _lesson(records: CycleRecords, decision: Decision, *, kept: bool | None) -> str:
    if kept:
        return "It held on fresh cases: in force."
    if kept is False:
        return "It did not hold on fresh cases: taken back, and not tried again before its review."
    if held(records, decision):
        return "Not put in force: it waits for a person."
    if decision.verdict == "REJECT":
        failed = [gate for gate in decision.gates if gate.verdict == "fail"]
        names = ", ".join(gate.name.replace("_", " ") for gate in failed)
        return f"Fails {names}: not tried again while suite and model stay the same, until its review."
    return settling(records, decision) or "Open."
