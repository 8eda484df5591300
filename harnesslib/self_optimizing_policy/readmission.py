"""The gates of allowing a denied model again, and the proof that it may."""

from __future__ import annotations

from dataclasses import dataclass

from harnesslib.records import Decision, PhaseConfig, PolicyConfig, Recommendation, SpecSummary, Summary
from harnesslib.self_optimizing_policy.counts import ORDINARY, Counts, counts, infra_share
from harnesslib.self_optimizing_policy.gate import AT_LEAST, AT_MOST, Check, Gate, state_of
from harnesslib.stats.wording import count, percent

NOT_MEASURED = "not measured"
FEWEST_CALLS = 10
"""Calls without which nobody is allowed again: 10 of 10 bound a share by 74 %."""


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
    limit, seen = evidence.policy.max_infra_share, infra_share(evidence.arms)
    threshold, settle = f"{AT_MOST} {percent(limit)}", "mend the endpoint, then run the cycle again"
    if seen is None:
        return Check("unknown", NOT_MEASURED, threshold, settle)
    return Check(state_of(passed=seen <= limit, failed=False), percent(seen), threshold, settle)


def _enough_calls(evidence: ReadmissionEvidence) -> Check:
    seen = evidence.calls.calls
    threshold = f"{AT_LEAST} {FEWEST_CALLS} valid calls where one is wanted"
    state = state_of(passed=seen >= FEWEST_CALLS, failed=False)
    return Check(state, count(seen, "valid call"), threshold, "wait for the next cycle, or add cases")


def _able(evidence: ReadmissionEvidence) -> Check:
    floor, seen = evidence.phase.accuracy_floor, evidence.calls
    threshold = f"lower bound {AT_LEAST} {percent(floor)} where a call is wanted"
    if not seen.calls:
        return Check("unknown", NOT_MEASURED, threshold, "measure it")
    state = state_of(passed=seen.low >= floor, failed=seen.high < floor)
    return Check(state, seen.said(), threshold, "more calls")


READMISSION_GATES: tuple[Gate[ReadmissionEvidence], ...] = (
    Gate(
        name="infra_share",
        meaning="So few infrastructure errors that the rest can be judged.",
        failing="too many calls ended in infrastructure errors",
        unknown="too many calls ended in infrastructure errors",
        check=_infra_share,
    ),
    Gate(
        name="min_samples",
        meaning="Enough valid calls where a call is wanted.",
        failing="there are too few valid calls",
        unknown="there are too few valid calls",
        check=_enough_calls,
    ),
    Gate(
        name="accuracy_floor",
        meaning="What it was denied for is gone: even the lower bound of its accuracy lies above the floor.",
        failing="its accuracy is below the floor",
        unknown="its accuracy is not proven to be above the floor",
        check=_able,
    ),
)
