"""What to look at before a result is believed. A check that fails demotes the verdict of the whole page."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harnesslib.records import AUTO, Comparison, CycleRecords, Decision, GateResult
from harnesslib.report.view.arms import arms, comparisons, phases
from harnesslib.report.view.control import Control, controls, drifts
from harnesslib.report.view.numbers import (
    count,
    listed,
    percent,
    plural,
    points_interval,
    probability,
)
from harnesslib.stats import intervals

State = Literal["good", "look", "bad", "unknown"]

LOOK_P, FAIL_P = 0.01, 0.001
"""Below the first a check asks for a look, below the second it fails: some ten checks, and one cycle in a
hundred that is demoted for nothing."""
_LOST = (0.01, 0.05)
_RETRIED = (0.05, 0.25)
_BROKEN = 0.01


@dataclass(frozen=True)
class CheckRow:
    """One check: its result, what was seen, and what it would mean if it failed."""

    state: State
    name: str
    finding: str
    meaning: str


def checks(records: CycleRecords) -> tuple[CheckRow, ...]:
    """Return every check that this cycle's samples allow; nothing where no sample was taken."""
    if not records.samples:
        return ()
    rows = [
        *(_control(control) for control in controls(records)),
        *(_drift(control) for control in drifts(records)),
        *_order(records),
        *_lost(records),
        _infrastructure(records),
        *_alike(records),
        _retries(records),
        _served(records),
        *_fresh(records),
    ]
    return tuple(rows)


def demoting(records: CycleRecords) -> tuple[CheckRow, ...]:
    """Return the checks that failed: with one of them no verdict can be taken at its word."""
    return tuple(row for row in checks(records) if row.state == "bad")


def _of_p(value: float | None) -> State:
    if value is None:
        return "unknown"
    return "bad" if value < FAIL_P else "look" if value < LOOK_P else "good"


def _of_share(value: float, limits: tuple[float, float]) -> State:
    return "bad" if value > limits[1] else "look" if value > limits[0] else "good"


def _control(control: Control) -> CheckRow:
    return CheckRow(
        _of_p(control.p_value),
        f"A/A control ({control.phase})",
        f"{control.model} beside itself ({control.how}): {points_interval(control.effect)} points on "
        f"{plural(control.cases, 'case')}, {probability(control.p_value)}.",
        "If one model differs from itself, the setup makes differences that are none.",
    )


def _drift(control: Control) -> CheckRow:
    return CheckRow(
        _of_p(control.p_value),
        f"No drift ({control.phase})",
        f"{control.model}, {control.how}: {points_interval(control.effect)} points, "
        f"{probability(control.p_value)}.",
        "If the baseline changes while it is measured, the endpoint or the machine changed under it.",
    )


def _order(records: CycleRecords) -> Iterator[CheckRow]:
    for phase in phases(records):
        pair = arms(records, phase)
        if pair is None:
            continue
        wanted = (pair.candidate.id, pair.baseline.id)
        blocks: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
        for sample in records.samples:
            if sample.stage == pair.stage and sample.spec_id in wanted:
                blocks[sample.case_id, sample.repeat][sample.spec_id] = sample.position
        whole = [block for block in blocks.values() if len(block) == len(wanted)]
        if not whole:
            continue
        first = sum(block[wanted[0]] < block[wanted[1]] for block in whole)
        yield CheckRow(
            _even(first, len(whole)),
            f"Order balanced ({phase})",
            f"{pair.labels[0]} was asked first in {count(first)} of {plural(len(whole), 'pair')}.",
            "If one arm always comes first, it takes every cold start and every warm cache.",
        )


def _even(first: int, pairs: int) -> State:
    """Judge a share that is one half where either arm comes first by the toss of a coin."""
    for state, p_value in (("bad", FAIL_P), ("look", LOOK_P)):
        known = intervals.clopper_pearson(first, pairs, level=1 - p_value)
        if not (known.low or 0.0) <= 1 / 2 <= (1.0 if known.high is None else known.high):
            return "bad" if state == "bad" else "look"
    return "good"


def _judging(records: CycleRecords) -> Iterator[Comparison]:
    for phase in phases(records):
        pair = arms(records, phase)
        found = (c for c in comparisons(records) if pair and c.candidate.id == pair.candidate.id)
        yield from (c for c in found if pair and c.stage == pair.stage)


def _lost(records: CycleRecords) -> Iterator[CheckRow]:
    judged = list(_judging(records))
    if not judged:
        return
    pairs: Counter[str] = Counter()
    for item in judged:
        specs = (item.candidate.id, item.baseline.id)
        asked = {
            (s.case_id, s.repeat, s.session)
            for s in records.samples
            if s.stage == item.stage and s.spec_id in specs
        }
        pairs["asked"] += len(asked)
        pairs["lost"] += item.dropped_blocks
    share = pairs["lost"] / max(1, pairs["asked"])
    yield CheckRow(
        _of_share(share, _LOST),
        "Missing answers",
        f"{count(pairs['lost'])} of {plural(pairs['asked'], 'pair')} of calls could not be compared "
        f"({percent(share)}); the limit is {percent(_LOST[1], 0)}.",
        "If many pairs are lost, those that are left may be the easy ones.",
    )


def _infrastructure(records: CycleRecords) -> CheckRow:
    number = sum(sample.outcome == "infra_error" for sample in records.samples)
    share = number / len(records.samples)
    made = records.decisions.decisions if records.decisions else ()
    asked = [d for d in made if d.recommendation.action != "promote" or _compared(records, d)]
    blocked = {d.recommendation.spec.model for d in asked for g in d.gates if _blocks(g)}
    state: State = "bad" if blocked else "look" if share > _BROKEN else "good"
    whom = f"; too many to judge {listed(tuple(sorted(blocked)))}" if blocked else ""
    return CheckRow(
        state,
        "Infrastructure",
        f"{count(number)} of {plural(len(records.samples), 'sample')} ended in an infrastructure error "
        f"({percent(share)}){whom}.",
        "Refused and broken calls are nobody's wrong answer; with too many of them nothing can be decided.",
    )


def _compared(records: CycleRecords, decision: Decision) -> bool:
    """Whether a candidate was measured beside the baseline: nobody else's gates say anything."""
    return any(c.candidate.id == decision.recommendation.spec.id for c in comparisons(records))


def _blocks(gate: GateResult) -> bool:
    return gate.name == "infra_share" and gate.verdict != "pass"


def _alike(records: CycleRecords) -> Iterator[CheckRow]:
    for item in _judging(records):
        yield CheckRow(
            _of_p(item.overdispersion_p),
            f"Runs alike ({item.phase})",
            f"Runs of {item.candidate.model} and {item.baseline.model} differ as chance lets them: "
            f"{probability(item.overdispersion_p)}."
            if item.overdispersion_p is not None
            else "Too few whole runs to tell.",
            "If some runs are worse as a whole, a fault came and went, and intervals are too narrow.",
        )


def _retries(records: CycleRecords) -> CheckRow:
    again = sum(sample.attempts > 1 for sample in records.samples)
    share = again / len(records.samples)
    return CheckRow(
        _of_share(share, _RETRIED),
        "Retries",
        f"{count(again)} of {plural(len(records.samples), 'sample')} took more than one attempt "
        f"({percent(share)}).",
        "If much is asked twice, the endpoint is overloaded, and times tell more about it than about models.",
    )


def _served(records: CycleRecords) -> CheckRow:
    names: dict[str, set[str]] = defaultdict(set)
    for sample in records.samples:
        if sample.served_model and sample.requested_model != AUTO:
            names[sample.model].add(sample.served_model)
    mixed = tuple(f"{model} ({', '.join(sorted(n))})" for model, n in sorted(names.items()) if len(n) > 1)
    finding = f"Answered under more than one name: {listed(mixed)}." if mixed else "Each name is one model."
    meaning = "If an endpoint swaps the model while it is measured, the numbers are those of a mixture."
    return CheckRow("look" if mixed else "good", "Same model throughout", finding, meaning)


def _fresh(records: CycleRecords) -> Iterator[CheckRow]:
    stages: dict[str, set[tuple[str, str, int]]] = defaultdict(set)
    cases: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for sample in records.samples:
        stages[sample.stage].add((sample.spec_id, sample.case_id, sample.seed))
        cases[sample.stage].add((sample.phase, sample.case_id))
    if not stages["confirm"] and not stages["verify"]:
        return
    used = len((stages["screen"] | stages["probe"]) & (stages["confirm"] | stages["guard"]))
    tuned = len(cases["verify"] & (cases["screen"] | cases["probe"] | cases["confirm"] | cases["guard"]))
    verified = f" {_none(tuned, 'holdout case')} had been used before." if cases["verify"] else ""
    yield CheckRow(
        "bad" if used or tuned else "good",
        "Fresh calls, fresh cases",
        f"{_none(used, 'call')} of the screen came again in the confirmation.{verified}",
        "The best of many looks better than it is: only calls that had no part in choosing it count.",
    )


def _none(number: int, what: str) -> str:
    return plural(number, what) if number else f"No {what}"
