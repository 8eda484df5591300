"""Which promoted changes a cycle may put in force by itself, and which wait for a person."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from harnesslib.records import Decisions, Drift, Held, PhaseConfig

_WAITS = {
    "off": "auto_apply is off in {phase}: it is decided and nothing more",
    "propose": "auto_apply is propose in {phase}: a person takes it with `harness apply {run}`",
    "drift": "the baseline of {phase} moved without a change of ours: nothing is applied there by itself",
}


def held_back(
    decisions: Decisions, phases: Mapping[str, PhaseConfig], drift: Drift | None
) -> tuple[Held, ...]:
    """Return the promoted decisions that are not put in force by the cycle, each with the reason.

    Drift comes first: also what may be applied by itself is not while the ground moves.
    """
    frozen = drift.frozen if drift else frozenset()
    found: list[Held] = []
    for decision in decisions.promoted:
        phase = decision.recommendation.phase
        setting = phases[phase].auto_apply
        if phase in frozen:
            because = "drift"
        elif setting != "on":
            because = setting
        else:
            continue
        reason = _WAITS[because].format(phase=phase, run=decisions.run_id)
        found.append(
            msgspec.convert(
                {"decision_id": decision.id, "phase": phase, "because": because, "reason": reason}, Held
            )
        )
    return tuple(found)


def without(decisions: Decisions, held: tuple[Held, ...]) -> Decisions:
    """Return the decisions without those that are held back."""
    waiting = {one.decision_id for one in held}
    kept = tuple(decision for decision in decisions.decisions if decision.id not in waiting)
    return msgspec.structs.replace(decisions, decisions=kept)
