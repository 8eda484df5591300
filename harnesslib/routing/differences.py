"""What changed between two routings, in lines that people read."""

from __future__ import annotations

from collections.abc import Iterator

from harnesslib.records import Baseline, Estimate, RoutingConfig, Rule, Settings


def diff(old: RoutingConfig, new: RoutingConfig) -> tuple[str, ...]:
    """Return one line per change from `old` to `new`; () when both route alike.

    Numbers, hashes and timestamps of the generations themselves are no change.
    """
    return (*_baseline_lines(old, new), *_rule_lines(old, new))


def _baseline_lines(old: RoutingConfig, new: RoutingConfig) -> Iterator[str]:
    for phase in sorted({*old.baselines, *new.baselines}):
        before, after = old.baselines.get(phase), new.baselines.get(phase)
        if before != after:
            yield f"{phase}: baseline {_served(before)} -> {_served(after)}"


def _served(baseline: Baseline | None) -> str:
    if baseline is None:
        return "nothing"
    return f"{baseline.spec.model} (accuracy {_number(baseline.accuracy)})"


def _number(estimate: Estimate) -> str:
    if estimate.value is None:
        return f"n/a: {estimate.reason}"
    return f"{estimate.value:.3f}, {estimate.method}, n={estimate.n}"


def _rule_lines(old: RoutingConfig, new: RoutingConfig) -> Iterator[str]:
    before = {(rule.phase, rule.model): rule for rule in old.rules}
    after = {(rule.phase, rule.model): rule for rule in new.rules}
    for pair in sorted({*before, *after}):
        place = f"{pair[0]}/{pair[1]}"
        if pair not in after:
            yield f"{place}: rule removed"
        elif pair not in before:
            yield f"{place}: rule added ({'allowed' if after[pair].allow else 'denied'})"
        elif changes := [*_field_changes(before[pair], after[pair])]:
            yield f"{place}: {', '.join(changes)} ({after[pair].reason})"


def _field_changes(old: Rule, new: Rule) -> Iterator[str]:
    if old.allow != new.allow:
        yield "allowed" if new.allow else "denied"
    if old.enable_warmup != new.enable_warmup:
        yield "warm-up on" if new.enable_warmup else "warm-up off"
    for name in ("fallback_model", "fallbacks", "status", "review_after", "decision_id"):
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            yield f"{name} {_word(was)} -> {_word(now)}"
    yield from _setting_changes(old.settings, new.settings)


def _setting_changes(old: Settings, new: Settings) -> Iterator[str]:
    for name in Settings.__struct_fields__:
        was, now = getattr(old, name), getattr(new, name)
        if was != now and name != "warmup":
            yield f"{name} {was} -> {now}"


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return "none" if value is None else str(value)
