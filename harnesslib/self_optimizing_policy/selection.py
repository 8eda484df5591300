"""Whom to confirm: the screen's leader."""

from __future__ import annotations

from harnesslib.records import Comparison, PhaseConfig, PhasePlan, PolicyConfig, Spec, SpecSummary, Summary
from harnesslib.self_optimizing_policy.counts import counts


def leader(screen: Summary, phase: PhasePlan, *, policy: PolicyConfig, config: PhaseConfig) -> Spec | None:
    """Return the candidate worth fresh calls, or none.

    It is the one with the largest gain among those that gained at all and whose point estimates pass the
    cheap guards (infrastructure, latency, restraint, accuracy floor); among equals the quicker one. The
    screen needs no error control: it costs or saves calls, and what it chooses is judged on fresh ones.
    """
    fit: list[tuple[float, float, Spec]] = []
    for candidate in phase.candidates:
        seen, mine = screen.comparison(candidate.id, "screen"), screen.spec(candidate.id, "screen")
        if seen is None or mine is None or not _fit(seen, mine, policy, config):
            continue
        fit.append((seen.effect.value or 0.0, -(seen.latency_ratio.value or 1.0), candidate))
    return max(fit, key=lambda entry: entry[:2])[2] if fit else None


def _fit(seen: Comparison, mine: SpecSummary, policy: PolicyConfig, config: PhaseConfig) -> bool:
    wanted, unwanted = counts([mine], wants_call=True), counts([mine], wants_call=False)
    ratio, restraint = seen.latency_ratio.value, seen.restraint_effect.value
    return all(
        (
            seen.effect.value is not None and seen.effect.value > 0,
            mine.infra_share <= policy.max_infra_share,
            ratio is None or ratio <= 1 + config.max_slowdown,
            restraint is None or restraint > -policy.restraint_margin,
            unwanted.passes >= policy.restraint_floor * unwanted.calls,
            wanted.passes >= config.accuracy_floor * wanted.calls,
        )
    )
