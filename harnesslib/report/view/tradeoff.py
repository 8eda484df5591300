"""What a case costs beside how often it is right: who is worth the money, and who never is."""

from __future__ import annotations

from dataclasses import dataclass

from harnesslib.records import CycleRecords, SpecSummary
from harnesslib.report.view.arms import baseline_of, phases, promise
from harnesslib.report.view.measured import STAGE_NAMES

_STAGES = ("confirm", "screen", "run")


@dataclass(frozen=True)
class Offer:
    """One spec: what a case costs, its served accuracy as shares, and whether nobody beats it on both."""

    label: str
    role: str
    stage: str
    cost: float
    accuracy: float
    low: float | None
    high: float | None
    best: bool


@dataclass(frozen=True)
class Tradeoff:
    """The offers of a phase. `unit` names the cost: money where prices are known, else the typical wait."""

    phase: str
    unit: str
    offers: tuple[Offer, ...]


def tradeoffs(records: CycleRecords) -> tuple[Tradeoff, ...]:
    """Return one figure for each phase in which at least two specs were measured."""
    made = (_tradeoff(records, phase) for phase in phases(records))
    return tuple(item for item in made if item is not None)


def _tradeoff(records: CycleRecords, phase: str) -> Tradeoff | None:
    known = _latest(records, phase)
    priced = any(item.cost for item in known) and all(item.cost is not None for item in known)
    baseline = baseline_of(records, phase)
    leader = records.summary.leaders.get(phase, "") if records.summary else ""
    found = []
    for item in known:
        cost = _price(item) if priced else item.latency_p50_s.value
        accuracy = _accuracy(records, item, known)
        if cost is None or accuracy is None:
            continue
        role = "baseline" if baseline and item.spec.id == baseline.id else ""
        role = "leader" if item.spec.id == leader else role
        found.append((item, float(cost), accuracy, role))
    if len(found) < 2:  # noqa: PLR2004 - one offer is no choice
        return None
    offers = tuple(
        Offer(
            label=_label(item, [other for other, *_ in found]),
            role=role,
            stage=_stage(item),
            cost=cost,
            accuracy=accuracy,
            low=None if item.selected else item.served.low,
            high=None if item.selected else item.served.high,
            best=not any(c <= cost and a >= accuracy and (c, a) != (cost, accuracy) for _, c, a, _ in found),
        )
        for item, cost, accuracy, role in found
    )
    unit = "money per 1,000 cases" if priced else "median wait of one case, s"
    return Tradeoff(phase, unit, tuple(sorted(offers, key=lambda offer: (offer.cost, -offer.accuracy))))


def _price(item: SpecSummary) -> float | None:
    """Return the money of 1,000 cases, going by those whose cost is known."""
    number = item.samples if item.cost_samples is None else item.cost_samples
    return None if item.cost is None or not number else 1000 * item.cost / number


def _accuracy(records: CycleRecords, item: SpecSummary, known: list[SpecSummary]) -> float | None:
    """Return the served accuracy; of who was asked hard cases only, the baseline's and the promised gain."""
    if not item.selected:
        return item.served.value
    baseline, promised = baseline_of(records, item.spec.phase), promise(records, item.spec)
    base = next((one.served.value for one in known if baseline and one.spec.id == baseline.id), None)
    return None if base is None or promised is None else min(1.0, max(0.0, base + promised))


def _stage(item: SpecSummary) -> str:
    return "promise of the screen" if item.selected else STAGE_NAMES.get(item.stage, item.stage)


def _latest(records: CycleRecords, phase: str) -> list[SpecSummary]:
    """Return each spec in the best-supported stage that has it."""
    found: dict[str, SpecSummary] = {}
    for stage in _STAGES:
        for item in records.summary.specs if records.summary else ():
            if (item.stage, item.spec.phase) == (stage, phase):
                found.setdefault(item.spec.id, item)
    return list(found.values())


def _label(item: SpecSummary, others: list[SpecSummary]) -> str:
    namesakes = sum(other.spec.model == item.spec.model for other in others)
    return item.spec.model if namesakes == 1 else item.spec.id
