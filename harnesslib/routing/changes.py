"""The next routing: decisions applied on probation, then what verification made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from harnesslib.errors import DataError
from harnesslib.records import (
    Baseline,
    Decision,
    Record,
    RoutingConfig,
    Rule,
    Spec,
    Summary,
    Verification,
)
from harnesslib.routing.checks import chain_of, with_prompts

Rules = dict[tuple[str, str], Rule]
Baselines = dict[str, Baseline]


class Stamp(Record, frozen=True):
    """What every new generation carries: its number, the hash of the file it replaces, the time."""

    generation: int
    parent_sha256: str
    now: datetime


def apply(
    config: RoutingConfig,
    decisions: Sequence[Decision],
    summary: Summary,
    *,
    stamp: Stamp,
    review_days: int,
) -> RoutingConfig:
    """Return the next generation: each promoted decision as a rule on probation, all other rules as they are.

    Raises
    ------
    DataError
        A promotion without confirmed numbers in `summary`.

    Notes
    -----
    A denied model falls back to the model that was proposed with it, unless that one was itself up for
    promotion and not promoted: then to the phase's baseline.
    """
    rules = _by_pair(config)
    baselines = dict(config.baselines)
    promotions = _promoted(decisions, "promote")
    for decision in promotions:
        spec = decision.recommendation.spec
        rules[spec.model, spec.phase] = _promotion(decision, rules, stamp)
        baselines[spec.phase] = _measured(spec, summary)
    for decision in _promoted(decisions, "enable_warmup"):
        spec = decision.recommendation.spec
        promoted_too = any(other.recommendation.spec.model == spec.model for other in promotions)
        rules[spec.model, spec.phase] = _warmed(decision, rules, stamp, promoted_too=promoted_too)
    for decision in _promoted(decisions, "deny"):
        spec = decision.recommendation.spec
        fallback = _fallback(decision, decisions, baselines)
        rule = _denied(decision, rules, stamp, fallback)
        review_after = stamp.now + timedelta(days=review_days)
        rules[spec.model, spec.phase] = msgspec.structs.replace(rule, review_after=review_after)
    for decision in _promoted(decisions, "allow"):
        spec = decision.recommendation.spec
        rule = _changed(decision, rules, stamp)
        rules[spec.model, spec.phase] = msgspec.structs.replace(rule, allow=True, review_after=None)
    proposed = (decision.recommendation for decision in promotions)
    prompts = {one.spec.settings.variant: one.prompt for one in proposed if one.prompt}
    return with_prompts(_generation(rules, baselines, stamp), config.prompts | prompts)


def settle(
    before: RoutingConfig, applied: RoutingConfig, verifications: Iterable[Verification], *, stamp: Stamp
) -> RoutingConfig | None:
    """Return the generation after verification: what was kept is confirmed, the rest is as in `before`.

    Returns
    -------
    None when nothing was kept: `before` is then restored byte for byte.

    Notes
    -----
    A model that becomes the baseline again, because its successor was not kept, is allowed again with it.
    """
    kept = {verification.decision_id for verification in verifications if verification.kept}
    rules = _by_pair(before)
    baselines = dict(before.baselines)
    for pair, rule in _by_pair(applied).items():
        settled = rule if rule == rules.get(pair) else _settled(rules.get(pair), rule, kept)
        if settled is not None:
            rules[pair] = settled
        promoted = applied.baselines.get(rule.phase)
        if rule.decision_id in kept and promoted and promoted.spec.model == rule.model:
            baselines[rule.phase] = promoted
    for phase, baseline in baselines.items():
        pair = (baseline.spec.model, phase)
        if not rules[pair].allow:
            rules[pair] = _by_pair(before)[pair]
    if rules == _by_pair(before) and baselines == before.baselines:
        return None
    return with_prompts(_generation(rules, baselines, stamp), before.prompts | applied.prompts)


def _settled(previous: Rule | None, rule: Rule, kept: set[str]) -> Rule | None:
    """Return what becomes of a changed rule; two decisions on one rule are kept each by itself."""
    id_before = previous.warmup_decision_id if previous else None
    both = rule.warmup_decision_id not in {id_before, rule.decision_id}
    confirmed = msgspec.structs.replace(rule, status="confirmed")
    rule_kept, warmup_kept = rule.decision_id in kept, rule.warmup_decision_id in kept
    if both and rule_kept and not warmup_kept:
        return msgspec.structs.replace(_with_warmup(confirmed, on=False), warmup_decision_id=id_before)
    if both and warmup_kept and not rule_kept:
        warmed = _with_warmup(previous or confirmed, on=True)
        return msgspec.structs.replace(warmed, warmup_decision_id=rule.warmup_decision_id)
    return confirmed if rule_kept else previous


def _promoted(decisions: Iterable[Decision], action: str) -> tuple[Decision, ...]:
    chosen = (decision for decision in decisions if decision.verdict == "PROMOTE")
    return tuple(decision for decision in chosen if decision.recommendation.action == action)


def _promotion(decision: Decision, rules: Rules, stamp: Stamp) -> Rule:
    settings = decision.recommendation.spec.settings
    return msgspec.structs.replace(
        _changed(decision, rules, stamp),
        allow=True,
        settings=settings,
        enable_warmup=settings.warmup,
        review_after=None,
    )


def _warmed(decision: Decision, rules: Rules, stamp: Stamp, *, promoted_too: bool) -> Rule:
    spec = decision.recommendation.spec
    rule = rules[spec.model, spec.phase] if promoted_too else _changed(decision, rules, stamp)
    return msgspec.structs.replace(_with_warmup(rule, on=True), warmup_decision_id=decision.id)


def _fallback(denial: Decision, decisions: Sequence[Decision], baselines: Baselines) -> str:
    proposed, phase = denial.recommendation.fallback_model, denial.recommendation.phase
    turned_down = {
        decision.recommendation.spec.model
        for decision in decisions
        if decision.recommendation.action == "promote"
        and decision.recommendation.phase == phase
        and decision.verdict != "PROMOTE"
    }
    return proposed if proposed and proposed not in turned_down else baselines[phase].spec.model


def _denied(decision: Decision, rules: Rules, stamp: Stamp, fallback: str) -> Rule:
    rule = _changed(decision, rules, stamp)
    others = tuple(name for name in chain_of(rule) if name not in {fallback, rule.model})
    return msgspec.structs.replace(rule, allow=False, fallback_model=fallback, fallbacks=others)


def _changed(decision: Decision, rules: Rules, stamp: Stamp) -> Rule:
    """Return the rule of a decision's pair, marked as changed by it; a new one for a new pair."""
    spec = decision.recommendation.spec
    rule = rules.get((spec.model, spec.phase)) or _new_rule(decision, stamp)
    return msgspec.structs.replace(
        rule,
        reason=decision.reason,
        source="cycle",
        timestamp=stamp.now,
        decision_id=decision.id,
        status="probation",
    )


def _new_rule(decision: Decision, stamp: Stamp) -> Rule:
    spec = decision.recommendation.spec
    return Rule(
        model=spec.model,
        phase=spec.phase,
        allow=True,
        settings=spec.settings,
        reason=decision.reason,
        source="cycle",
        timestamp=stamp.now,
        enable_warmup=spec.settings.warmup,
    )


def _with_warmup(rule: Rule, *, on: bool) -> Rule:
    settings = msgspec.structs.replace(rule.settings, warmup=on)
    return msgspec.structs.replace(rule, enable_warmup=on, settings=settings)


def _measured(spec: Spec, summary: Summary) -> Baseline:
    found = summary.spec(spec.id, "confirm")
    if found is None:
        raise DataError(f"run {summary.run_id}: '{spec.id}' is promoted but has no confirmed numbers")
    return Baseline(spec=spec, accuracy=found.served, restraint=found.restraint, run_ids=(summary.run_id,))


def _by_pair(config: RoutingConfig) -> Rules:
    return {(rule.model, rule.phase): rule for rule in config.rules}


def _generation(rules: Rules, baselines: Baselines, stamp: Stamp) -> RoutingConfig:
    return RoutingConfig(
        generation=stamp.generation,
        parent_sha256=stamp.parent_sha256,
        timestamp=stamp.now,
        rules=tuple(rules.values()),
        baselines={phase: _in_step(baseline, rules) for phase, baseline in baselines.items()},
    )


def _in_step(baseline: Baseline, rules: Rules) -> Baseline:
    """Return the baseline with the settings of its rule: what is measured is what is served."""
    rule = rules.get((baseline.spec.model, baseline.spec.phase))
    settings = rule.settings if rule else baseline.spec.settings
    spec = msgspec.structs.replace(baseline.spec, settings=settings)
    return msgspec.structs.replace(baseline, spec=spec)
