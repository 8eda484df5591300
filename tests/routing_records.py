"""Decisions, measurements and verdicts as the tests of the routing need them. Tests load it by its path."""

from __future__ import annotations

from typing import Any

from harnesslib.records import (
    Decision,
    Estimate,
    Recommendation,
    Settings,
    Spec,
    SpecSummary,
    Summary,
    Verification,
)


def estimate(value: float | None, n: int = 30) -> Estimate:
    """Return a number without doubt."""
    return Estimate(value=value, low=value, high=value, level=0.95, n=n, method="Wilson")


def spec(model: str, phase: str = "atomic", **settings: Any) -> Spec:
    """Return what is measured."""
    return Spec(model=model, phase=phase, settings=Settings(**settings))


def decision(
    action: str,
    model: str,
    phase: str = "atomic",
    *,
    run: str = "run",
    verdict: str = "PROMOTE",
    fallback: str | None = None,
    **settings: Any,
) -> Decision:
    """Return a decision about a model in a phase, with no gate."""
    recommendation = Recommendation(
        id=f"{phase}-{action}-{model}",
        action=action,
        phase=phase,
        spec=spec(model, phase, **settings),
        hypothesis=f"{action} {model}",
        fallback_model=fallback,
    )
    return Decision(
        id=f"{run}:{recommendation.id}",
        recommendation=recommendation,
        verdict=verdict,
        gates=(),
        reason=f"{action} {model}",
        effect=estimate(0.2),
    )


def measured(of: Spec, served: float = 0.9, n: int = 30) -> SpecSummary:
    """Return the confirmed numbers of a spec, which never failed."""
    passes = round(served * n)
    return SpecSummary(
        spec=of,
        stage="confirm",
        samples=n,
        outcomes={"pass": passes, "wrong": n - passes},
        served=estimate(served, n),
        skill=estimate(served, n),
        restraint=estimate(0.98, n),
        latency_p50_s=estimate(0.02, n),
        latency_p95_s=estimate(0.04, n),
        infra_share=0.0,
        requests=n,
        input_tokens=None,
        output_tokens=None,
        cost=None,
        cases=(),
    )


def summary(*specs: Spec, run: str = "run", served: float = 0.9, n: int = 30) -> Summary:
    """Return a summary in which these specs were measured."""
    found = tuple(measured(each, served, n) for each in specs)
    return Summary(run_id=run, specs=found, comparisons=(), sessions=(), leaders={})


def verdict(made: Decision, *, kept: bool) -> Verification:
    """Return what fresh samples said of a decision."""
    return Verification(decision_id=made.id, kept=kept, effect=estimate(0.1), p_value=0.01, reason="r")
