"""Which earlier run says how good a route was, and whether it still is."""

from __future__ import annotations

from harnesslib.cycle_history import finished_cycles
from harnesslib.errors import DataError
from harnesslib.ports import Effects
from harnesslib.records import PhaseCheck, PhasePlan, Plan, Reference, Summary
from harnesslib.regression import check_phase, counted, infra_share

_STAGES = ("screen", "confirm")
"""Where every case is asked alike: neither cases drawn for a reason, nor more of one kind."""


def regressions(effects: Effects, run_id: str) -> tuple[PhaseCheck, ...]:
    """Compare what served each phase before a cycle with how it did when it was measured first.

    The reference of a phase is the oldest cycle that measured what serves it while it served. The cycle that
    promoted it is none: a winner's own numbers flatter it. Only the same model under the same settings on the
    same suite is compared.

    Raises
    ------
    DataError
        The cycle has no plan or no summary yet.
    """
    plan = effects.runs.load(run_id, "plan", Plan)
    summary = effects.runs.load(run_id, "summary", Summary)
    if plan is None or summary is None:
        raise DataError(f"run {run_id}: nothing was summarized, so nothing can be compared; cure: finish it")
    most_lost = effects.config.harness().policy.max_infra_share
    return tuple(
        check_phase(
            phase,
            counted(summary, phase.baseline.id, _STAGES),
            _reference(effects, run_id, phase),
            phases=len(plan.phases),
            lost=infra_share(summary, phase.baseline.id, _STAGES),
            most_lost=most_lost,
        )
        for phase in plan.phases
    )


def _reference(effects: Effects, run_id: str, phase: PhasePlan) -> Reference | None:
    for manifest in finished_cycles(effects):
        if manifest.run_id == run_id:
            return None
        plan = effects.runs.load(manifest.run_id, "plan", Plan)
        summary = effects.runs.load(manifest.run_id, "summary", Summary)
        if plan and summary and any(_same(then, phase) for then in plan.phases):
            cases = counted(summary, phase.baseline.id, _STAGES)
            if cases:
                return Reference(run_id=manifest.run_id, cases=cases)
    return None


def _same(then: PhasePlan, now: PhasePlan) -> bool:
    return (then.phase, then.suite_hash, then.baseline.id) == (now.phase, now.suite_hash, now.baseline.id)
