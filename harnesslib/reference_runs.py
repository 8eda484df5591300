"""Which earlier run says how good a route was, and whether it still is."""

from __future__ import annotations

from collections.abc import Iterator

from harnesslib.cycle_history import finished_cycles
from harnesslib.errors import DataError
from harnesslib.ports import Effects
from harnesslib.records import PhaseCheck, PhasePlan, Plan, Reference, Summary
from harnesslib.regression import check_phase, counted, infra_share

_AS_BASELINE = ("screen", "confirm")
_AS_CANDIDATE = ("confirm",)
"""A leader's screen is what it was chosen by, so it flatters: only fresh calls make a reference."""


def regressions(effects: Effects, run_id: str) -> tuple[PhaseCheck, ...]:
    """Compare what served each phase before a cycle with how it did when it was measured first.

    The reference of a phase is the cycle that promoted what serves it; where nothing was ever promoted, the
    oldest cycle that measured it. Only the same model under the same settings on the same suite is compared.

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
            counted(summary, phase.baseline.id, _AS_BASELINE),
            _reference(effects, run_id, phase),
            phases=len(plan.phases),
            lost=infra_share(summary, phase.baseline.id, _AS_BASELINE),
            most_lost=most_lost,
        )
        for phase in plan.phases
    )


def _reference(effects: Effects, run_id: str, phase: PhasePlan) -> Reference | None:
    found = list(_references(effects, run_id, phase))
    promoted = [reference for reference, as_baseline in found if not as_baseline]
    return promoted[-1] if promoted else next((reference for reference, _ in found), None)


def _references(effects: Effects, run_id: str, phase: PhasePlan) -> Iterator[tuple[Reference, bool]]:
    """Yield what earlier cycles measured of the phase's baseline, oldest first, and as what."""
    for manifest in finished_cycles(effects):
        if manifest.run_id == run_id:
            return
        plan = effects.runs.load(manifest.run_id, "plan", Plan)
        summary = effects.runs.load(manifest.run_id, "summary", Summary)
        same = [then for then in plan.phases if _same(then, phase)] if plan else []
        if same and summary:
            as_baseline = same[0].baseline.id == phase.baseline.id
            stages = _AS_BASELINE if as_baseline else _AS_CANDIDATE
            cases = counted(summary, phase.baseline.id, stages)
            if cases:
                yield Reference(run_id=manifest.run_id, cases=cases), as_baseline


def _same(then: PhasePlan, now: PhasePlan) -> bool:
    return (then.phase, then.suite_hash) == (now.phase, now.suite_hash)
