"""A routing of version 1.0 -> one of version 2.0: its rules, with what that version did not know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from harnesslib.errors import DataError
from harnesslib.explain import did_you_mean, listed
from harnesslib.records import Baseline, HarnessConfig, Record, RoutingConfig, Rule
from harnesslib.routing.answers import initial
from harnesslib.routing.checks import allowed_from, check, with_prompts

LEGACY_VERSION = "1.0"


class LegacyRule(Record, frozen=True):
    """A rule of version 1.0."""

    model: str
    phase: str
    allow: bool = True
    enable_warmup: bool = False
    fallback_model: str | None = None
    reason: str = ""
    source: str = ""
    timestamp: datetime | None = None


class LegacyRouting(Record, frozen=True):
    """``routing_config.json`` of version 1.0.

    `baseline` is a model's name for all phases, or phase -> name, or phase -> an object with a "model". The
    numbers in such an object are not taken over: nobody can tell how they were measured.
    """

    version: Literal["1.0"]
    rules: tuple[LegacyRule, ...]
    timestamp: datetime | None = None
    baseline: str | dict[str, Any] | None = None


def migrate(legacy: LegacyRouting, harness: HarnessConfig, *, now: datetime, where: str) -> RoutingConfig:
    """Return generation 1 of version 2.0: the old rules, under the settings of ``harness.toml``.

    A pair that ``harness.toml`` lists and no rule speaks of is allowed; a baseline is the old file's, else
    the one of ``harness.toml``, and where a rule denies that one, its fallback. Everything is confirmed,
    nothing is measured.

    Raises
    ------
    DataError
        A rule that leads nowhere; every problem is named, with its rule.
    """
    problems = tuple(_problems(legacy, harness))
    if not problems:
        config = _migrated(legacy, harness, now)
        problems = check(config)
    if problems:
        told = "\n".join(f"{where} (version {LEGACY_VERSION}): {problem}" for problem in problems)
        raise DataError(
            f"{told}\ncure: correct what is named in that file or in harness.toml, then try again"
        )
    return config


def _problems(legacy: LegacyRouting, harness: HarnessConfig) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for index, rule in enumerate(legacy.rules):
        place, pair = f"rules[{index}]", (rule.model, rule.phase)
        if rule.phase not in harness.phases:
            hint = did_you_mean(rule.phase, harness.phases) or f"; expected one of {listed(harness.phases)}"
            yield f"{place}.phase: harness.toml has no phase '{rule.phase}'{hint}"
        if pair in seen:
            yield f"{place}: a second rule for '{rule.model}' in '{rule.phase}', expected one"
        seen.add(pair)
    for phase, model in _baselines(legacy, harness).items():
        if phase not in harness.phases:
            yield f"baseline.{phase}: harness.toml has no such phase{did_you_mean(phase, harness.phases)}"
        elif model not in {known.id for known in harness.models_of(phase)}:
            yield f"baseline.{phase}: harness.toml does not list '{model}' for this phase"


def _baselines(legacy: LegacyRouting, harness: HarnessConfig) -> dict[str, str]:
    if isinstance(legacy.baseline, str):
        return dict.fromkeys(harness.phases, legacy.baseline)
    named = legacy.baseline or {}
    return {
        phase: str(value.get("model", "")) if isinstance(value, dict) else str(value)
        for phase, value in named.items()
    }


def _migrated(legacy: LegacyRouting, harness: HarnessConfig, now: datetime) -> RoutingConfig:
    first = initial(harness, now=now)
    rules = {(rule.model, rule.phase): rule for rule in first.rules}
    for old in legacy.rules:
        rules[old.model, old.phase] = _rule(old, legacy, harness, now)
    config = msgspec.structs.replace(first, rules=tuple(rules.values()))
    baselines = {phase: base.spec.model for phase, base in first.baselines.items()}
    baselines |= _baselines(legacy, harness)
    served = {
        phase: _serving(config, phase, model, first.baselines[phase]) for phase, model in baselines.items()
    }
    return with_prompts(msgspec.structs.replace(config, baselines=served), harness.prompts)


def _rule(old: LegacyRule, legacy: LegacyRouting, harness: HarnessConfig, now: datetime) -> Rule:
    listed_here = old.model in {model.id for model in harness.models}
    settings = (
        harness.settings_of(old.model, old.phase) if listed_here else harness.phases[old.phase].settings
    )
    warm = old.enable_warmup or settings.warmup
    said_by = f" (source: {old.source})" if old.source else ""
    return Rule(
        model=old.model,
        phase=old.phase,
        allow=old.allow,
        settings=msgspec.structs.replace(settings, warmup=warm),
        reason=f"{old.reason or 'a rule of version 1.0'}{said_by}",
        source="person",
        timestamp=_in_utc(old.timestamp or legacy.timestamp or now),
        enable_warmup=warm,
        fallback_model=old.fallback_model,
    )


def _serving(config: RoutingConfig, phase: str, model: str, unmeasured: Baseline) -> Baseline:
    """Return the baseline of a phase: the model, or who stands in for it where a rule denies it."""
    allowed = allowed_from(config, model, phase) or (model,)
    rule = config.rule(allowed[0], phase)
    settings = rule.settings if rule else unmeasured.spec.settings
    spec = msgspec.structs.replace(unmeasured.spec, model=allowed[0], settings=settings)
    return msgspec.structs.replace(unmeasured, spec=spec)


def _in_utc(time: datetime) -> datetime:
    """Return a time in UTC; one without a zone is UTC already: version 1.0 did not say so."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
