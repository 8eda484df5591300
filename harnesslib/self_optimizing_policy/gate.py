"""What a gate is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec

from harnesslib.records import GateResult
from harnesslib.records.evidence import Verdict

E = TypeVar("E")
State = Literal["pass", "fail", "unknown"]

AT_MOST = "\N{LESS-THAN OR EQUAL TO}"
AT_LEAST = "\N{GREATER-THAN OR EQUAL TO}"
NOT_MEASURED = "not measured"
SOUNDNESS = "infra_share"
"""The gate without which no other one counts."""

LEVEL = 0.95
"""Confidence of every one-sided bound that a gate asks for."""


class Check(NamedTuple):
    """Answer of a gate, in words for people; `settle` says what would turn an unknown into an answer."""

    state: State
    observed: str
    threshold: str
    settle: str = ""


@dataclass(frozen=True)
class Gate(Generic[E]):
    """One gate: its meaning, and how a failure and an unknown read after "it" in a reason."""

    name: str
    meaning: str
    failing: str
    unknown: str
    check: Callable[[E], Check]

    def ask(self, evidence: E) -> GateResult:
        """Return the gate's answer; advice is kept only for an unknown."""
        state, observed, threshold, settle = self.check(evidence)
        advice = settle if state == "unknown" else ""
        return GateResult(
            name=self.name, verdict=state, observed=observed, threshold=threshold, settle=advice
        )


def ask_all(gates: Sequence[Gate[E]], evidence: E) -> tuple[GateResult, ...]:
    """Return every gate's answer; with too many infrastructure errors nothing else can be judged either."""
    results = tuple(gate.ask(evidence) for gate in gates)
    blocking = next((result for result in results if result.name == SOUNDNESS), None)
    if blocking is None or blocking.verdict == "pass":
        return results
    return tuple(
        msgspec.structs.replace(result, verdict="unknown", settle=result.settle or blocking.settle)
        for result in results
    )


def verdict_of(results: Sequence[GateResult]) -> Verdict:
    """Return REJECT if any gate fails, else HOLD if any is unknown, else PROMOTE."""
    states = {result.verdict for result in results}
    if "fail" in states:
        return "REJECT"
    return "HOLD" if "unknown" in states else "PROMOTE"


def state_of(*, passed: bool, failed: bool) -> State:
    """Return the state for two conditions, of which passing goes first."""
    if passed:
        return "pass"
    return "fail" if failed else "unknown"
