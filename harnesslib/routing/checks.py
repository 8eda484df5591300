"""What a routing config may not say, and the order in which a chain of fallbacks is followed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from harnesslib.explain import did_you_mean, listed
from harnesslib.records import AUTO, Baseline, Prompt, RoutingConfig, Rule

_SHA256 = re.compile(r"(?:[0-9a-f]{64})?")


def chain_of(rule: Rule) -> tuple[str, ...]:
    """Return the fallbacks of a rule, in order."""
    first = (rule.fallback_model,) if rule.fallback_model else ()
    return first + rule.fallbacks


def allowed_from(config: RoutingConfig, model: str, phase: str) -> tuple[str, ...]:
    """Return the models that may serve a request for `model`, in order; () when the chain ends nowhere.

    A denied model stands for its own chain. The model that serves brings its chain along, as a last resort.
    A model that was visited is not visited again, so a loop ends.
    """
    found: list[str] = []
    seen: set[str] = set()
    _follow(config, (model,), phase, found, seen)
    serving = config.rule(found[0], phase) if found else None
    if serving:
        _follow(config, chain_of(serving), phase, found, seen)
    return tuple(found)


def _follow(
    config: RoutingConfig, names: tuple[str, ...], phase: str, found: list[str], seen: set[str]
) -> None:
    for name in names:
        rule = config.rule(name, phase)
        if rule is None or name in seen:
            continue
        seen.add(name)
        if rule.allow:
            found.append(name)
        else:
            _follow(config, chain_of(rule), phase, found, seen)


def with_prompts(config: RoutingConfig, known: Mapping[str, Prompt]) -> RoutingConfig:
    """Return a routing with the texts of the prompt variants that its rules name, and no other."""
    used = {rule.settings.variant for rule in config.rules}
    texts = {name: prompt for name, prompt in sorted(known.items()) if name in used}
    return msgspec.structs.replace(config, variants=texts or msgspec.UNSET)


def check(config: RoutingConfig) -> tuple[str, ...]:
    """Return what is wrong with a routing config, one sentence each; () = nothing.

    Every fallback has a rule in the same phase and is another model; a denied model's chain reaches an
    allowed one before it ends or comes back to itself; a baseline is an allowed rule with the same settings;
    a pair has one rule. Two allowed models may stand in for each other.
    """
    return (
        *_head_problems(config),
        *_duplicates(config),
        *(problem for rule in config.rules for problem in _rule_problems(rule, config)),
        *(problem for phase, base in config.baselines.items() for problem in _baseline(phase, base, config)),
    )


def _head_problems(config: RoutingConfig) -> Iterator[str]:
    if config.generation < 1:
        yield f"generation: got {config.generation}, expected 1 or more"
    if not _SHA256.fullmatch(config.parent_sha256):
        yield f"parent_sha256: got '{config.parent_sha256}', expected 64 hex digits, or nothing for the first"
    for phase in sorted({rule.phase for rule in config.rules} - set(config.baselines)):
        yield f"baselines.{phase}: is missing, though rules of this phase exist"


def _duplicates(config: RoutingConfig) -> Iterator[str]:
    pairs = [(rule.model, rule.phase) for rule in config.rules]
    for model, phase in sorted({pair for pair in pairs if pairs.count(pair) > 1}):
        yield f"rules: {_pair(model, phase)} has {pairs.count((model, phase))} rules, expected one"


def _rule_problems(rule: Rule, config: RoutingConfig) -> Iterator[str]:
    place = f"rules: {_pair(rule.model, rule.phase)}"
    if rule.model in {"", AUTO}:
        yield f"{place}: '{rule.model}' is no model's name"
    known = {other.model for other in config.rules if other.phase == rule.phase} - {rule.model}
    variant = rule.settings.variant
    pinned = config.prompts.get(variant)
    if "@" in variant and (pinned is None or pinned.pinned(variant.rpartition("@")[0]) != variant):
        yield f"{place}: variants holds no text with the hash of '{variant}'"
    for name in chain_of(rule):
        if name == rule.model:
            yield f"{place}: falls back to itself"
        elif name not in known:
            hint = did_you_mean(name, known) or f"; expected one of {listed(known)}"
            yield f"{place}: fallback '{name}' has no rule in this phase{hint}"
    if not rule.allow and not allowed_from(config, rule.model, rule.phase):
        yield f"{place}: {_dead_end(rule, config)}; cure: name an allowed model as fallback_model"


def _dead_end(rule: Rule, config: RoutingConfig) -> str:
    trail = [rule.model]
    following: Rule | None = rule
    while following and chain_of(following):
        trail.append(chain_of(following)[0])
        if trail[-1] in trail[:-1]:
            return f"is denied, and its fallbacks go in a circle ({' -> '.join(trail)})"
        following = config.rule(trail[-1], rule.phase)
    if len(trail) == 1:
        return "is denied and has no fallback"
    return f"is denied, and its fallbacks end without an allowed model ({' -> '.join(trail)})"


def _baseline(phase: str, baseline: Baseline, config: RoutingConfig) -> Iterator[str]:
    place = f"baselines.{phase}"
    spec = baseline.spec
    rule = config.rule(spec.model, phase)
    if spec.phase != phase:
        yield f"{place}: its spec is of phase '{spec.phase}'"
    elif rule is None:
        models = [other.model for other in config.rules if other.phase == phase]
        yield f"{place}: '{spec.model}' has no rule in this phase{did_you_mean(spec.model, models)}"
    elif not rule.allow:
        yield f"{place}: '{spec.model}' is denied by its rule"
    elif rule.settings != spec.settings:
        yield f"{place}: its settings differ from those of the rule for '{spec.model}'"


def _pair(model: str, phase: str) -> str:
    return f"'{model}' in '{phase}'"
