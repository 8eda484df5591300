"""An edited ``harness.toml`` taken over into the routing: what is new, and settings that nobody learned."""

from __future__ import annotations

import msgspec

from harnesslib.records import Baseline, HarnessConfig, RoutingConfig, Rule
from harnesslib.routing.answers import initial
from harnesslib.routing.changes import Stamp
from harnesslib.routing.checks import with_prompts

REASON = "settings edited in harness.toml"
UNMEASURED = "not measured yet with the settings edited in harness.toml"


def synced(config: RoutingConfig, harness: HarnessConfig, *, stamp: Stamp) -> RoutingConfig | None:
    """Return the generation that follows an edited ``harness.toml``; none when it changes nothing.

    Notes
    -----
    A phase without a baseline gets the one of ``harness.toml``, a listed pair without a rule its first rule.
    Edited settings go to rules that came from ``harness.toml`` alone: what a cycle or a person decided
    stays. A baseline whose settings change is unmeasured again. Nothing is taken away.
    """
    first = initial(harness, now=stamp.now)
    rules = {(rule.model, rule.phase): rule for rule in config.rules}
    edited = {pair: rule for rule in first.rules if (pair := (rule.model, rule.phase)) not in rules}
    edited |= {
        pair: _with_settings_of(rule, held)
        for rule in first.rules
        if (held := rules.get(pair := (rule.model, rule.phase))) and _is_outdated(held, rule)
    }
    rules |= edited
    baselines = first.baselines | config.baselines
    for phase, baseline in baselines.items():
        rule = edited.get((baseline.spec.model, phase))
        if rule and rule.settings != baseline.spec.settings:
            baselines[phase] = _unmeasured(baseline, rule)
    if not edited and baselines == config.baselines:
        return None
    changed = msgspec.structs.replace(
        config,
        generation=stamp.generation,
        parent_sha256=stamp.parent_sha256,
        timestamp=stamp.now,
        rules=tuple(rules.values()),
        baselines=baselines,
    )
    return with_prompts(changed, config.prompts | harness.prompts)


def _is_outdated(held: Rule, written: Rule) -> bool:
    return held.source == "init" and held.settings != written.settings


def _with_settings_of(written: Rule, held: Rule) -> Rule:
    return msgspec.structs.replace(
        held,
        settings=written.settings,
        enable_warmup=written.enable_warmup,
        timestamp=written.timestamp,
        reason=REASON,
    )


def _unmeasured(baseline: Baseline, rule: Rule) -> Baseline:
    spec = msgspec.structs.replace(baseline.spec, settings=rule.settings)
    numbers = {
        name: msgspec.structs.replace(
            getattr(baseline, name), value=None, low=None, high=None, n=0, method="none", reason=UNMEASURED
        )
        for name in ("accuracy", "restraint")
    }
    return Baseline(spec=spec, **numbers)
