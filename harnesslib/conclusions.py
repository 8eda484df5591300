"""What a cycle comes to: its headline, and, for simulated models, its conclusions beside the truth."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from harnesslib.records import (
    Baseline,
    CycleOutcome,
    Decision,
    Decisions,
    Drift,
    HarnessConfig,
    Held,
    RoutingConfig,
    SimulatedModel,
    SimulatedPhase,
    SimulatedWorld,
    Suite,
    TruthRow,
    Verifications,
)

Status = Literal["promoted", "rolled_back", "partly_kept", "unchanged", "undecided", "proposed"]
FLOOR_MARGIN = 0.05
"""A declared accuracy this far below a phase's floor is hopeless, not merely low."""


def conclude(
    decisions: Decisions,
    verifications: Verifications | None,
    routing: RoutingConfig,
    *,
    phases: Collection[str],
    ended_at: datetime,
    truth: tuple[TruthRow, ...] = (),
    halted: Mapping[str, str] | None = None,
) -> CycleOutcome:
    """Return how a cycle ended, in one sentence and a few numbers.

    Parameters
    ----------
    decisions, verifications
        What was decided, and how that held; none = nothing was applied.
    routing
        What is in force now.
    phases
        Those the cycle looked at.
    ended_at
        When it ended.
    truth
        For simulated models.
    halted
        Phases whose measurement had to stop, for want of sound calls or of budget, and why.
    """
    baselines = {phase: routing.baselines[phase] for phase in sorted(phases)}
    kept = {item.decision_id for item in verifications.verifications if item.kept} if verifications else set()
    promoted = decisions.promoted
    stopped = halted or {}
    status = _status(decisions, len(promoted), len(kept), stopped)
    before = verifications.generation_before if verifications else routing.generation
    return CycleOutcome(
        run_id=decisions.run_id,
        ended_at=ended_at,
        headline=_headline(decisions, verifications, baselines, stopped),
        status=status,
        generation_before=before,
        generation=routing.generation,
        baselines={phase: baseline.spec.model for phase, baseline in baselines.items()},
        accuracy={phase: baseline.accuracy.value for phase, baseline in baselines.items()},
        intervals={phase: baseline.accuracy for phase, baseline in baselines.items()},
        truth=truth,
    )


def amended(
    outcome: CycleOutcome, decisions: Decisions, held: Sequence[Held], drift: Drift | None
) -> CycleOutcome:
    """Return the outcome with what was held back and which baselines moved: both are said first.

    Parameters
    ----------
    outcome
        What became of the changes that were put in force.
    decisions
        All decisions of the cycle.
    held
        Promoted decisions that were not put in force.
    drift
        The baselines beside those of earlier runs.
    """
    moved = [each for each in drift.phases if each.frozen] if drift else []
    if not held and not moved:
        return outcome
    waiting = {one.decision_id: one for one in held}
    sentences = [
        f"Drift in {each.phase}: {each.headline}; nothing is applied there by itself." for each in moved
    ]
    sentences += [
        f"Not applied ({waiting[one.id].because}): {_would(one)}."
        for one in decisions.decisions
        if one.id in waiting
    ]
    if any(one.because != "off" for one in held):
        sentences.append(f"To take it: harness apply {outcome.run_id}.")
    changed = outcome.status in {"promoted", "partly_kept", "rolled_back"}
    said = [*sentences, outcome.headline] if changed or not held else sentences
    status: Status = outcome.status if changed or not held else "proposed"
    return msgspec.structs.replace(outcome, headline=" ".join(said), status=status)


def _status(decisions: Decisions, promoted: int, kept: int, halted: Mapping[str, str]) -> Status:
    if promoted == 0:
        return "undecided" if halted or any(map(_undecided, decisions.decisions)) else "unchanged"
    if kept == promoted:
        return "promoted"
    return "partly_kept" if kept else "rolled_back"


def _undecided(decision: Decision) -> bool:
    """Whether a gate could not be judged for want of sound samples (not: nothing better was found)."""
    blocking, proposed = {"infra_share", "coverage"}, decision.recommendation
    return proposed.action != "promote" and any(
        gate.name in blocking and gate.verdict != "pass" for gate in decision.gates
    )


def _headline(
    decisions: Decisions,
    verifications: Verifications | None,
    baselines: Mapping[str, Baseline],
    halted: Mapping[str, str],
) -> str:
    if not decisions.promoted:
        return _nothing_changed(decisions, baselines, halted)
    proven = {item.decision_id: item for item in verifications.verifications} if verifications else {}
    sentence = "; ".join(
        _change(decision, proven[decision.id].effect.value)
        if decision.id in proven and proven[decision.id].kept
        else f"{decision.recommendation.id} was applied, not confirmed on fresh cases, and rolled back"
        for decision in decisions.promoted
    )
    return f"{sentence[0].upper()}{sentence[1:]}."


def _nothing_changed(
    decisions: Decisions, baselines: Mapping[str, Baseline], halted: Mapping[str, str]
) -> str:
    serving = " and ".join(f"{baseline.spec.model} in {phase}" for phase, baseline in baselines.items())
    if halted:
        why = "; ".join(f"{phase}: {reason}" for phase, reason in sorted(halted.items()))
        return f"Undecided ({why}); {serving} keep serving."
    if not decisions.decisions:
        return f"Nothing was due: every candidate has been tried against {serving}."
    if any(map(_undecided, decisions.decisions)):
        return f"Undecided: too few sound samples to judge every candidate; {serving} keep serving."
    return f"Nothing left to improve: no candidate beats {serving}."


def _change(decision: Decision, gain: float | None) -> str:
    recommendation = decision.recommendation
    model, phase = recommendation.spec.model, recommendation.phase
    if recommendation.action == "deny":
        return f"{model} no longer serves {phase} ({recommendation.fallback_model} does)"
    if recommendation.action == "allow":
        return f"{model} serves requests for it in {phase} again"
    if recommendation.action == "enable_warmup":
        return f"{model} is warmed up before {phase}{_points(gain, ' for its first calls')}"
    return f"{phase} is now served by {recommendation.serving}{_points(gain, ' on fresh cases')}"


def _would(decision: Decision) -> str:
    proposed, gain = decision.recommendation, decision.effect.value
    if proposed.action == "deny":
        return f"{proposed.serving} would no longer serve {proposed.phase}"
    if proposed.action == "allow":
        return f"{proposed.serving} would serve requests for it in {proposed.phase} again"
    if proposed.action == "enable_warmup":
        return f"{proposed.serving} would be warmed up before {proposed.phase}"
    return f"{proposed.serving} would serve {proposed.phase}{_points(gain, ' on fresh calls')}"


def _points(gain: float | None, where: str) -> str:
    return "" if gain is None else f" ({100 * gain:+.0f} points{where})".replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True)
class Trial:
    """What was declared and what was concluded: everything a comparison needs."""

    world: SimulatedWorld
    config: HarnessConfig
    suites: Mapping[str, Suite]
    routing: RoutingConfig
    decisions: Decisions


def compare_with_truth(trial: Trial) -> tuple[TruthRow, ...]:
    """Return one row per simulated model and phase: declared, concluded, and whether they agree.

    What must be concluded follows from the declared numbers alone: the best model that is quick enough and
    shows restraint serves; a hopeless one is denied; one that loads longer than its timeout is warmed up;
    nobody else may have replaced the baseline.
    """
    return tuple(
        _row(model, phase, _best(phase, trial), trial)
        for phase in trial.config.phases
        for model in _simulated(phase, trial)
    )


def _simulated(phase: str, trial: Trial) -> tuple[SimulatedModel, ...]:
    serving = {model.id for model in trial.config.models_of(phase)}
    suite = _whole(phase, trial)
    return tuple(model for model in trial.world.models if model.id in serving and suite in model.phases)


def _whole(phase: str, trial: Trial) -> str:
    """Return the suite that the truth is declared for: of a part, the whole."""
    suite = trial.suites[trial.config.phases[phase].suite]
    return suite.part_of or suite.name


def _truth(model: SimulatedModel, phase: str, trial: Trial) -> SimulatedPhase:
    return model.phases[_whole(phase, trial)]


def _served(model: SimulatedModel, phase: str, trial: Trial) -> float:
    """Return the declared accuracy over the search split: calls and restraint weighted by their cases."""
    cases = trial.suites[trial.config.phases[phase].suite].part("search")
    wanting = sum(case.wants_call for case in cases) / len(cases)
    truth = _truth(model, phase, trial)
    return wanting * truth.accuracy + (1 - wanting) * truth.restraint


def _best(phase: str, trial: Trial) -> str:
    """Return the model that must serve; the first baseline when nobody is better."""
    start = trial.config.phases[phase].baseline
    fit = [model for model in _simulated(phase, trial) if _fit(model, phase, trial)]
    return max(fit, key=lambda model: (_served(model, phase, trial), model.id == start)).id if fit else start


def _fit(model: SimulatedModel, phase: str, trial: Trial) -> bool:
    rules = trial.config.phases[phase]
    truth = _truth(model, phase, trial)
    start = next(m for m in trial.world.models if m.id == rules.baseline)
    return (
        not _hopeless(model, phase, trial)
        and truth.restraint >= trial.config.policy.restraint_floor
        and model.latency_s <= (1 + rules.max_slowdown) * start.latency_s
    )


def _hopeless(model: SimulatedModel, phase: str, trial: Trial) -> bool:
    return _truth(model, phase, trial).accuracy < trial.config.phases[phase].accuracy_floor - FLOOR_MARGIN


def _sleeps(model: SimulatedModel, phase: str, trial: Trial) -> bool:
    return model.load_s > trial.config.settings_of(model.id, phase).timeout_s


def _row(model: SimulatedModel, phase: str, best: str, trial: Trial) -> TruthRow:
    rule = trial.routing.rule(model.id, phase)
    serves = trial.routing.baselines[phase].spec.model == model.id
    allowed = rule is None or rule.allow
    if _hopeless(model, phase, trial):
        right = not allowed and not serves
    elif _sleeps(model, phase, trial):
        right = rule is not None and rule.enable_warmup and serves == (model.id == best)
    else:
        right = serves == (model.id == best) and allowed
    return TruthRow(
        model=model.id,
        phase=phase,
        declared=_declared(model, phase, best, trial),
        concluded=_concluded(model.id, phase, trial),
        right=right,
    )


def _declared(model: SimulatedModel, phase: str, best: str, trial: Trial) -> str:
    truth = _truth(model, phase, trial)
    parts = [
        f"accuracy {truth.accuracy:.2f}, restraint {truth.restraint:.2f}, {1000 * model.latency_s:.0f} ms"
    ]
    if model.like:
        parts.append(f"equal to {model.like}")
    if _sleeps(model, phase, trial):
        parts.append(f"loads for {model.load_s:g} s, longer than its timeout")
    if model.id == best:
        parts.append("the best that may serve")
    return "; ".join(parts)


def _concluded(model: str, phase: str, trial: Trial) -> str:
    rule = trial.routing.rule(model, phase)
    if trial.routing.baselines[phase].spec.model == model:
        return "serves"
    if rule and not rule.allow:
        return f"denied, served by {rule.fallback_model}"
    warm = "warmed up; " if rule and rule.enable_warmup else ""
    for decision in trial.decisions.decisions:
        proposed = decision.recommendation
        if (proposed.spec.model, proposed.phase, proposed.action) == (model, phase, "promote"):
            return f"{warm}does not serve: {decision.reason}"
    return f"{warm}does not serve"
