"""What it would take to decide what is undecided, in calls."""

from __future__ import annotations

import math

from harnesslib.records import Comparison, CycleRecords, Decision
from harnesslib.report.view.arms import promise, summary_of
from harnesslib.report.view.numbers import SPACE, count

_POWER_Z = 1.645 + 0.842  # one-sided 5 %, 80 % power
_FIRST_HELP = ("infra_share", "coverage")
_HOPELESS = 50


def settling(records: CycleRecords, decision: Decision) -> str:
    """Return what would settle a decision that is on hold, and what it costs; "" for all others.

    The price assumes that the true effect is the one observed: calls for both arms until that effect is found
    with 80 % power.
    """
    if decision.verdict != "HOLD":
        return ""
    open_gates = [gate for gate in decision.gates if gate.verdict == "unknown"]
    if not open_gates:
        return ""
    if decision.recommendation.action == "promote" and _comparison(records, decision) is None:
        return _price_of_a_confirmation(records, decision)
    first = min(open_gates, key=lambda gate: gate.name not in _FIRST_HELP)
    said = f"{first.settle[:1].upper()}{first.settle[1:]}." if first.settle else ""
    price = "" if first.name in _FIRST_HELP else _price(records, decision)
    return " ".join(part for part in (said, price) if part)


def _price(records: CycleRecords, decision: Decision) -> str:
    seen = _comparison(records, decision)
    if seen is None or seen.effect.value is None or not seen.standard_error or not seen.repeats:
        return ""
    if seen.effect.value <= 0:
        return "It did not look better, so no number of calls is worth it."
    factor = (_POWER_Z * seen.standard_error / seen.effect.value) ** 2
    # The screen's own calls may not count: whoever leads there is judged on fresh ones.
    repeats = math.ceil(seen.repeats * factor) - (seen.repeats if seen.stage == "confirm" else 0)
    if factor > _HOPELESS:
        return f"An effect this small takes more than {_HOPELESS} times the calls made."
    calls = 2 * max(1, repeats) * seen.cases
    requests = round(calls * _requests_per_sample(records, seen))
    return f"About {count(calls)}{SPACE}calls ({count(requests)}{SPACE}requests) if the effect is real."


def _price_of_a_confirmation(records: CycleRecords, decision: Decision) -> str:
    """Say what a confirmation would cost, going by the one that was made beside it."""
    promised = promise(records, decision.recommendation.spec)
    if promised is not None and promised <= 0:
        return "It did not look better, so no number of calls is worth it."
    phase = decision.recommendation.phase
    taken = [s for s in records.samples if (s.stage, s.phase) == ("confirm", phase)]
    if not taken:
        return "Fresh calls of its own, beside the baseline."
    requests = sum(sample.requests for sample in taken)
    return (
        f"A confirmation of its own: the one made here took {count(len(taken))}{SPACE}calls "
        f"({count(requests)}{SPACE}requests)."
    )


def _comparison(records: CycleRecords, decision: Decision) -> Comparison | None:
    summary = records.summary
    if summary is None or decision.recommendation.action != "promote":
        return None
    spec_id = decision.recommendation.spec.id
    return summary.comparison(spec_id, "confirm") or summary.comparison(spec_id, "screen")


def _requests_per_sample(records: CycleRecords, seen: Comparison) -> float:
    mine = summary_of(records, seen.candidate, seen.stage)
    return mine.requests / mine.samples if mine and mine.samples else 1.0
