"""What an application is told, as something to measure."""

from __future__ import annotations

import msgspec

from harnesslib import routing
from harnesslib.records import AUTO, Decision, RoutingConfig, Spec
from harnesslib.records.base import Record


class Route(Record):
    """What is compared: `new` is what the routing gives to who asks for `requested_model`.

    `old` is what it replaces, and is measured beside it; none where a denied model's fallback is proved.
    """

    requested_model: str
    new: Spec
    old: Spec | None = None


def route_of(decision: Decision, before: RoutingConfig, after: RoutingConfig) -> Route:
    """Return what an application is told now, beside what it was told before the decision."""
    proposed = decision.recommendation
    asked = AUTO if proposed.action == "promote" else proposed.spec.model
    old = _told(before, asked, proposed.phase) if proposed.action == "promote" else None
    return Route(requested_model=asked, new=_told(after, asked, proposed.phase), old=old)


def warmed(spec: Spec) -> Spec:
    """Return a spec with a warm-up."""
    return _with_warmup(spec, warmup=True)


def cold(spec: Spec) -> Spec:
    """Return a spec without a warm-up."""
    return _with_warmup(spec, warmup=False)


def _told(config: RoutingConfig, model: str, phase: str) -> Spec:
    told = routing.resolve(config, model, phase)
    return _with_warmup(Spec(model=told.model, phase=phase, settings=told.settings), warmup=told.warmup)


def _with_warmup(spec: Spec, *, warmup: bool) -> Spec:
    return msgspec.structs.replace(spec, settings=msgspec.structs.replace(spec.settings, warmup=warmup))
