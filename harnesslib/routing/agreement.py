"""Where the routing and ``harness.toml`` differ: what people wrote, and what machines made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from harnesslib.records import HarnessConfig, Record, RoutingConfig, Rule, Settings

Kind = Literal[
    "phase_without_baseline",
    "baseline_without_model",
    "phase_unlisted",
    "model_without_rule",
    "rule_without_model",
    "settings_differ",
]
UNUSABLE: frozenset[Kind] = frozenset({"phase_without_baseline", "baseline_without_model"})
"""Kinds with which no cycle can run; the others are choices that a person may have made."""


class Mismatch(Record, frozen=True):
    """One place where the two differ, in words, and what can be done about it."""

    kind: Kind
    phase: str
    model: str
    what: str
    cure: str


def mismatches(config: RoutingConfig, harness: HarnessConfig) -> tuple[Mismatch, ...]:
    """Return where a routing and a ``harness.toml`` differ; () = nowhere."""
    return (
        *_phases(config, harness),
        *_baselines(config, harness),
        *_pairs(config, harness),
        *_settings(config, harness),
    )


def _phases(config: RoutingConfig, harness: HarnessConfig) -> Iterator[Mismatch]:
    for phase in harness.phases:
        if phase not in config.baselines:
            yield Mismatch(
                kind="phase_without_baseline",
                phase=phase,
                model=harness.phases[phase].baseline,
                what=f"harness.toml has the phase '{phase}', and the routing has no baseline for it",
                cure="`harness config sync` adds it with that baseline; or take the phase out",
            )
    for phase in config.baselines:
        if phase not in harness.phases:
            yield Mismatch(
                kind="phase_unlisted",
                phase=phase,
                model=config.baselines[phase].spec.model,
                what=f"the routing serves the phase '{phase}', which harness.toml does not have",
                cure=f"none is needed: it is served as before and measured no more; or add [phases.{phase}]",
            )


def _baselines(config: RoutingConfig, harness: HarnessConfig) -> Iterator[Mismatch]:
    for phase in harness.phases:
        serving = config.baselines.get(phase)
        if serving and serving.spec.model not in {model.id for model in harness.models_of(phase)}:
            name = serving.spec.model
            yield Mismatch(
                kind="baseline_without_model",
                phase=phase,
                model=name,
                what=f"'{name}' serves '{phase}', and harness.toml does not list it there",
                cure=f"add '{name}' to [[models]] with this phase: what serves is what others have to beat",
            )


def _pairs(config: RoutingConfig, harness: HarnessConfig) -> Iterator[Mismatch]:
    ruled = {(rule.model, rule.phase) for rule in config.rules}
    listed = {(model.id, phase) for phase in harness.phases for model in harness.models_of(phase)}
    for model, phase in sorted(listed - ruled):
        if phase in config.baselines:
            yield Mismatch(
                kind="model_without_rule",
                phase=phase,
                model=model,
                what=f"harness.toml lists '{model}' for '{phase}', and the routing has no rule for it",
                cure="none is needed: it is a candidate of the next cycle; `harness config sync` adds a rule",
            )
    for model, phase in sorted(ruled - listed):
        if phase in harness.phases and config.baselines[phase].spec.model != model:
            yield Mismatch(
                kind="rule_without_model",
                phase=phase,
                model=model,
                what=f"the routing has a rule for '{model}' in '{phase}', and harness.toml does not list it",
                cure=f"add '{model}' to [[models]] with this phase if it is to be measured; the rule holds",
            )


def _settings(config: RoutingConfig, harness: HarnessConfig) -> Iterator[Mismatch]:
    listed = {(model.id, phase) for phase in harness.phases for model in harness.models_of(phase)}
    for rule in config.rules:
        if (rule.model, rule.phase) not in listed:
            continue
        differing = _differing(rule, harness.settings_of(rule.model, rule.phase))
        if differing:
            yield Mismatch(
                kind="settings_differ",
                phase=rule.phase,
                model=rule.model,
                what=f"'{rule.model}' in '{rule.phase}': {differing}",
                cure=_settings_cure(rule),
            )


def _settings_cure(rule: Rule) -> str:
    if rule.source == "init":
        return "`harness config sync` takes them over; until then the rule's settings hold"
    return f"none is needed: the rule's settings were learned and hold (it says: {rule.reason})"


def _differing(rule: Rule, written: Settings) -> str:
    pairs = (
        (name, getattr(written, name), getattr(rule.settings, name)) for name in written.__struct_fields__
    )
    return ", ".join(
        f"{name} is {here} in harness.toml and {there} in the rule"
        for name, here, there in pairs
        if here != there
    )
