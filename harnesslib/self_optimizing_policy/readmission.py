"""The gates of allowing a denied model again, and the proof that it may."""

from __future__ import annotations

from dataclasses import dataclass

from harnesslib.records import Decision, PhaseConfig, PolicyConfig, Recommendation, SpecSummary, Summary
from harnesslib.self_optimizing_policy.checks import (
    above_floor,
    enough_calls,
    enough_calls_gate,
    few_errors,
    few_errors_gate,
)
from harnesslib.self_optimizing_policy.counts import ORDINARY, Counts, counts
from harnesslib.self_optimizing_policy.gate import Check, Gate


@dataclass(frozen=True)
class ReadmissionEvidence:
    """What was measured of the denied model, also on cases that were chosen because the baseline failed them.

    Who passes these can't be hopeless; the proof on the holdout asks for the whole suite.
    """

    arms: tuple[SpecSummary, ...]
    policy: PolicyConfig
    phase: PhaseConfig

    @property
    def calls(self) -> Counts:
        """Calls where one is wanted."""
        return counts(self.arms, wants_call=True)


def readmission_evidence(
    recommendation: Recommendation, summary: Summary, policy: PolicyConfig, phase: PhaseConfig
) -> ReadmissionEvidence:
    """Collect what readmission is judged on."""
    spec = recommendation.spec
    arms = tuple(item for item in summary.specs if item.spec.id == spec.id and item.stage in ORDINARY)
    return ReadmissionEvidence(arms=arms, policy=policy, phase=phase)


def readmitted(decision: Decision, summary: Summary, phase: PhaseConfig) -> tuple[Counts, bool]:
    """Return the calls on the holdout that want a call, and whether they prove the model able."""
    spec = decision.recommendation.spec
    key = ("verify_fallback", spec.phase, spec.model)
    arms = [item for item in summary.specs if (item.stage, item.spec.phase, item.spec.model) == key]
    seen = counts(arms, wants_call=True)
    return seen, bool(seen.calls) and seen.low >= phase.accuracy_floor


def _infra_share(evidence: ReadmissionEvidence) -> Check:
    return few_errors(evidence.arms, evidence.policy)


def _enough_calls(evidence: ReadmissionEvidence) -> Check:
    return enough_calls(evidence.calls, "wait for the next cycle, or add cases")


def _able(evidence: ReadmissionEvidence) -> Check:
    floor = evidence.phase.accuracy_floor
    return above_floor(evidence.calls, floor, measure="measure it", settle="more calls")


READMISSION_GATES: tuple[Gate[ReadmissionEvidence], ...] = (
    few_errors_gate(_infra_share),
    enough_calls_gate(_enough_calls),
    Gate(
        name="accuracy_floor",
        meaning="What it was denied for is gone: even the lower bound of its accuracy lies above the floor.",
        failing="its accuracy is below the floor",
        unknown="its accuracy is not proven to be above the floor",
        check=_able,
    ),
)
