"""Does what serves a phase still do what it did when it was measured first? Counts in, a verdict out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from harnesslib.records import Estimate, PhaseCheck, PhasePlan, Reference, Summary
from harnesslib.records.regression import CheckState
from harnesslib.stats.intervals import difference, unmeasured

FALSE_ALARM = 0.01
"""Risk, per cycle, of calling a regression what is none; shared out over the phases."""

Counts = Mapping[str, tuple[int, int]]
"""Case id -> (passes, valid samples)."""


def counted(summary: Summary, spec_id: str, stages: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return how often a spec passed each case in these stages; infrastructure errors don't count."""
    passes: Counter[str] = Counter()
    valid: Counter[str] = Counter()
    for measured in summary.specs:
        if measured.spec.id == spec_id and measured.stage in stages:
            for case in measured.cases:
                passes[case.case_id] += case.passes
                valid[case.case_id] += case.valid
    return {case: (passes[case], valid[case]) for case in valid if valid[case]}


def infra_share(summary: Summary, spec_id: str, stages: Sequence[str]) -> float:
    """Return the share of a spec's samples that failed through no fault of the model; 0 without samples."""
    found = [each for each in summary.specs if each.spec.id == spec_id and each.stage in stages]
    samples = sum(each.samples for each in found)
    lost = sum(each.outcomes.get("infra_error", 0) for each in found)
    return lost / samples if samples else 0.0


def check_phase(
    plan: PhasePlan, now: Counts, reference: Reference | None, *, phases: int, lost: float, most_lost: float
) -> PhaseCheck:
    """Compare what serves a phase with what it was.

    Parameters
    ----------
    plan
        The phase as this cycle measured it.
    now
        The baseline's counts in this cycle.
    reference
        Its counts when it was taken into service, or first measured; none when this is the first time.
    phases
        How many phases are checked: each gets its part of `FALSE_ALARM`.
    lost, most_lost
        The share of infrastructure errors, and the largest at which anything is concluded.

    Returns
    -------
    State "worse" when the loss of served accuracy is proven, "held" when it is not, "unknown" when this
    cycle can't tell, "first" when there is nothing to compare with.

    Notes
    -----
    *Source*: Newcombe's interval, see `stats.intervals.difference`, on the cases that both sides measured;
    one-sided at `FALSE_ALARM` / `phases`, each case with the same weight. *Assumes* independent samples given
    the case, and that when a cycle stops measuring hardly depends on the baseline alone; cases of unequal
    difficulty make the interval wider than it need be.
    """
    if reference is None:
        return _open(plan, "first", "this is the first time that it is measured here")
    if lost > most_lost:
        return _open(plan, "unknown", f"{lost:.0%} of its samples are infrastructure errors", reference)
    both = sorted(now.keys() & reference.cases.keys())
    if not both:
        return _open(plan, "unknown", "no case was measured both then and now", reference)
    sides = (_evenly(now, both), _evenly(reference.cases, both))
    effect = difference(*sides[0], *sides[1], level=1 - 2 * FALSE_ALARM / phases)
    return _verdict(plan, effect, reference)


def _evenly(counts: Counts, cases: Sequence[str]) -> tuple[float, int]:
    """Return passes and samples as if every case had been asked as often as the rarest one.

    Otherwise a change of how often easy cases are asked would look like a change of the model.
    """
    least = min(counts[case][1] for case in cases)
    return least * sum(counts[case][0] / counts[case][1] for case in cases), least * len(cases)


def _open(plan: PhasePlan, state: CheckState, reason: str, reference: Reference | None = None) -> PhaseCheck:
    return PhaseCheck(
        phase=plan.phase,
        model=plan.baseline.model,
        state=state,
        effect=unmeasured("Newcombe, independent", reason),
        reason=reason,
        reference_run_id=reference.run_id if reference else "",
    )


def _verdict(plan: PhasePlan, effect: Estimate, reference: Reference) -> PhaseCheck:
    low, value, high = ((bound or 0.0) * 100 for bound in (effect.low, effect.value, effect.high))
    return PhaseCheck(
        phase=plan.phase,
        model=plan.baseline.model,
        state="worse" if high < 0 else "held",
        effect=effect,
        reason=f"{value:+.1f} points [{low:+.1f}, {high:+.1f}] since {reference.run_id}",
        reference_run_id=reference.run_id,
    )
