"""The first routing, and what a routing answers to an application."""

from __future__ import annotations

from datetime import datetime

import msgspec

from harnesslib.errors import DataError, InputError
from harnesslib.explain import did_you_mean, listed
from harnesslib.records import (
    AUTO,
    Baseline,
    Estimate,
    HarnessConfig,
    Resolution,
    RoutingConfig,
    Rule,
    Spec,
)
from harnesslib.routing.checks import allowed_from, with_prompts


def initial(config: HarnessConfig, *, now: datetime) -> RoutingConfig:
    """Return generation 1: every model allowed in its phases, the configured baselines, nothing measured."""
    rules = tuple(
        _first_rule(config, model.id, phase, now)
        for phase in config.phases
        for model in config.models_of(phase)
    )
    baselines = {
        name: _unmeasured(
            Spec(model=phase.baseline, phase=name, settings=config.settings_of(phase.baseline, name))
        )
        for name, phase in config.phases.items()
    }
    first = RoutingConfig(generation=1, parent_sha256="", timestamp=now, rules=rules, baselines=baselines)
    return with_prompts(first, config.prompts)


def resolve(config: RoutingConfig, model: str, phase: str) -> Resolution:
    """Return which model serves a request for `model` (or "auto") in `phase`, and how.

    Raises
    ------
    InputError
        An unknown phase, or a model without a rule in it.
    DataError
        A denied model whose chain reaches no allowed one (`check` finds that before a config is in force).
    """
    rule = _asked(config, model, phase)
    served = allowed_from(config, rule.model, phase)
    serving = config.rule(served[0], phase) if served else None
    if serving is None:
        what = f"'{rule.model}' is denied in '{phase}' and its chain has no allowed model"
        raise DataError(f"routing_config.json: {what}; cure: name an allowed fallback_model")
    warmup = serving.enable_warmup or serving.settings.warmup
    prompt = config.prompts.get(serving.settings.variant)
    return Resolution(
        requested_model=model,
        phase=phase,
        model=serving.model,
        settings=msgspec.structs.replace(serving.settings, warmup=warmup),
        warmup=warmup,
        fallbacks=served[1:],
        generation=config.generation,
        reason=_why(model, rule, serving),
        call_format=prompt.format if prompt else serving.settings.variant,
        system_prompt=prompt.system_prompt if prompt else "",
    )


def _asked(config: RoutingConfig, model: str, phase: str) -> Rule:
    if phase not in config.baselines:
        hint = did_you_mean(phase, config.baselines) or f"; expected one of {listed(config.baselines)}"
        raise InputError(f"routing_config.json: there is no phase '{phase}'{hint}")
    name = config.baselines[phase].spec.model if model == AUTO else model
    rule = config.rule(name, phase)
    if rule is None:
        known = [other.model for other in config.rules if other.phase == phase]
        hint = did_you_mean(name, known) or f"; expected '{AUTO}' or one of {listed(known)}"
        raise InputError(f"routing_config.json: '{name}' has no rule in phase '{phase}'{hint}")
    return rule


def _why(requested: str, rule: Rule, serving: Rule) -> str:
    if not rule.allow:
        return f"'{rule.model}' is denied ({rule.reason}); '{serving.model}' is its fallback"
    return f"baseline of '{rule.phase}'" if requested == AUTO else f"allowed ({rule.reason})"


def _first_rule(config: HarnessConfig, model: str, phase: str, now: datetime) -> Rule:
    settings = config.settings_of(model, phase)
    return Rule(
        model=model,
        phase=phase,
        allow=True,
        settings=settings,
        reason="listed in harness.toml",
        source="init",
        timestamp=now,
        enable_warmup=settings.warmup,
    )


def _unmeasured(spec: Spec) -> Baseline:
    nothing = Estimate(
        value=None, low=None, high=None, level=0.95, n=0, method="none", reason="not measured yet"
    )
    return Baseline(spec=spec, accuracy=nothing, restraint=nothing)
