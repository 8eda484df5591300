"""The first thing a reader sees: what the cycle changed, how sure that is, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harnesslib.records import CycleOutcome, CycleRecords, Decision, Estimate, Verification
from harnesslib.report.view.arms import phases
from harnesslib.report.view.checks import demoting
from harnesslib.report.view.numbers import (
    SPACE,
    count,
    duration,
    listed,
    moment,
    percent,
    plural,
    points,
    span,
)

_TONES = {
    "promoted": ("good", "changed and proven"),
    "partly_kept": ("warn", "partly kept"),
    "rolled_back": ("bad", "rolled back"),
    "unchanged": ("info", "unchanged"),
    "undecided": ("warn", "undecided"),
    "proposed": ("warn", "waiting for a person"),
}
_STOPPED = {"running": ("info", "running"), "failed": ("bad", "failed"), "lost": ("bad", "lost")}


@dataclass(frozen=True)
class Fact:
    """A key number with what it is. `key` and `exact` are for machines: what is claimed, unrounded."""

    value: str
    label: str
    key: str
    exact: str


@dataclass(frozen=True)
class Verdict:
    """Title, one sentence, some more, and the key numbers; `doubts` are the checks that failed."""

    run_id: str
    tone: str
    word: str
    title: str
    lead: str
    lines: tuple[str, ...]
    facts: tuple[Fact, ...]
    meta: tuple[str, ...]
    simulated: bool
    doubts: tuple[str, ...] = ()


def verdict(records: CycleRecords) -> Verdict:
    """Return what the top of the page says, whatever the cycle came to."""
    manifest = records.manifest
    if records.outcome is not None:
        tone, word = _TONES[records.outcome.status]
        lead = records.outcome.headline
    else:
        tone, word = _STOPPED.get(manifest.status, ("warn", "no outcome"))
        lead = _unfinished(records)
    doubts = tuple(row.name for row in demoting(records))
    if doubts and records.outcome is not None:
        tone, word = "bad", f"in doubt: {word}"
    return Verdict(
        run_id=manifest.run_id,
        tone=tone,
        word=word,
        title=_title(records),
        lead=lead,
        lines=_lines(records),
        facts=(*_baseline_facts(records), *_gain_facts(records), *_effort_facts(records)),
        meta=_meta(records),
        simulated=manifest.simulated,
        doubts=doubts,
    )


def verified(records: CycleRecords) -> tuple[tuple[Decision, Verification], ...]:
    """Return each decision that was measured again, with its verification."""
    if records.verifications is None or records.decisions is None:
        return ()
    by_id = {decision.id: decision for decision in records.decisions.decisions}
    pairs = ((by_id.get(item.decision_id), item) for item in records.verifications.verifications)
    return tuple((decision, item) for decision, item in pairs if decision is not None)


def _title(records: CycleRecords) -> str:
    if records.outcome is None:
        ends = {"running": "This cycle is still running", "done": "This cycle ended without an outcome"}
        return ends.get(records.manifest.status, "This cycle stopped before its end")
    before, after = records.routing_before, records.routing_after
    if before is None or after is None:
        return "What the cycle concluded"
    served = {phase: item.spec.model for phase, item in after.baselines.items()}
    moved = [
        f"{phase} is now served by {served[phase]}"
        for phase, item in before.baselines.items()
        if phase in served and item.spec.model != served[phase]
    ]
    if moved:
        sentence = listed(tuple(moved))
        return f"{sentence[0].upper()}{sentence[1:]}"
    if before.rules != after.rules or before.baselines != after.baselines:
        return "The same models serve, under new rules"
    kept = listed(tuple(dict.fromkeys(f"{model} keeps {phase}" for phase, model in served.items())))
    return f"No change: {kept}" if kept else "No change"


def _unfinished(records: CycleRecords) -> str:
    manifest = records.manifest
    if manifest.status == "running":
        return "The cycle has not come to an outcome yet; what is known so far follows."
    reason = manifest.reason or "no reason was recorded"
    return f"The cycle did not come to an outcome: {reason}. Nothing below is a verdict."


def _lines(records: CycleRecords) -> tuple[str, ...]:
    lines = []
    if records.outcome is None and records.manifest.status in {"failed", "lost"}:
        again = f"harness cycle --resume {records.manifest.run_id}"
        lines.append(f"What was measured is kept, and not measured again. To go on: {again}")
    if records.decisions is not None:
        made = records.decisions.decisions
        tally = [(sum(d.verdict == name for d in made), name) for name in ("PROMOTE", "HOLD", "REJECT")]
        words = {"PROMOTE": "promoted", "HOLD": "put on hold", "REJECT": "rejected"}
        said = tuple(f"{number} {words[name]}" for number, name in tally if number)
        number = plural(len(made), "proposed change")
        lines.append(f"{number}: {listed(said)}." if made else "No change was proposed.")
    checked = verified(records)
    if checked:
        kept = sum(item.kept for _, item in checked)
        lost = len(checked) - kept
        undone = f"; {lost} rolled back" if lost else "; nothing had to be rolled back"
        lines.append(f"Measured again on fresh cases, {kept} of {len(checked)} held{undone}.")
    return tuple(lines)


def _baseline_facts(records: CycleRecords) -> tuple[Fact, ...]:
    before, after = records.routing_before, records.routing_after
    if before is None or after is None or records.outcome is None:
        return ()
    facts = []
    for phase in phases(records):
        old, new = before.baselines.get(phase), after.baselines.get(phase)
        if old is None or new is None:
            continue
        served, key = new.spec.model, f"serves.{phase}"
        if old.spec == new.spec:
            facts.append(Fact(served, f"still serves {phase}", key, served))
        else:
            facts.append(Fact(f"{old.spec.model} → {served}", f"serves {phase}", key, served))
    return tuple(facts)


def _gain_facts(records: CycleRecords) -> tuple[Fact, ...]:
    facts = []
    for decision, item in verified(records):
        if decision.recommendation.action != "promote" or item.effect.value is None:
            continue
        phase = decision.recommendation.phase
        state = "credited gain" if item.kept else "seen when measured again, so rolled back"
        label = f"{phase}, {state}; {span(item.effect)}"
        exact = _exact(item.effect)
        key = f"gain.{decision.recommendation.id}"
        facts.append(Fact(f"{points(item.effect.value)} points", label, key, exact))
    if facts or records.outcome is None:
        return tuple(facts)
    return tuple(_accuracy_facts(records.outcome))


def _accuracy_facts(outcome: CycleOutcome) -> Iterator[Fact]:
    for phase, value in outcome.accuracy.items():
        if value is None:
            continue
        known = outcome.intervals.get(phase)
        label = f"served accuracy, {phase}"
        if known is not None and known.low is not None and known.high is not None:
            level = f"{100 * known.level:.0f}{SPACE}% interval"
            label += f"; {level} {100 * known.low:.1f} to {percent(known.high)}"
        exact = _exact(known) if known is not None else repr(value)
        yield Fact(percent(value), label, f"accuracy.{phase}", exact)


def _exact(estimate: Estimate) -> str:
    return " ".join("none" if v is None else repr(v) for v in (estimate.value, estimate.low, estimate.high))


def _effort_facts(records: CycleRecords) -> tuple[Fact, ...]:
    if not records.samples:
        return ()
    requests = sum(sample.requests for sample in records.samples)
    ended = records.outcome.ended_at if records.outcome else records.manifest.ended_at
    took = f" in {duration((ended - records.manifest.started_at).total_seconds())}" if ended else ""
    number = len(records.samples)
    label = f"samples, {count(requests)} requests{took}"
    return (Fact(count(number), label, "samples", f"{number} {requests}"),)


def _meta(records: CycleRecords) -> tuple[str, ...]:
    parts = [moment(records.manifest.started_at)]
    if records.outcome is not None:
        outcome = records.outcome
        if outcome.generation == outcome.generation_before:
            parts.append(f"routing generation {outcome.generation}")
        else:
            parts.append(f"routing generation {outcome.generation_before} → {outcome.generation}")
    return tuple(parts)
