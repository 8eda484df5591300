"""What a plan would take: requests, time and money, from what requests took before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from harnesslib.records import (
    CandidateForecast,
    Forecast,
    HarnessConfig,
    PhaseForecast,
    PhasePlan,
    Plan,
    Rate,
    Sample,
    Spec,
    Suite,
)
from harnesslib.records.naming import label


def rates_of(samples: Iterable[Sample]) -> tuple[Rate, ...]:
    """Return what a request to each model took on average, over samples that were answered."""
    by_model: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        if sample.latency_s is not None and sample.requests:
            by_model[sample.model].append(sample)
    return tuple(_rate(model, group) for model, group in sorted(by_model.items()))


def forecast(
    plan: Plan,
    config: HarnessConfig,
    suites: Mapping[str, Suite],
    rates: Sequence[Rate],
    based_on: Sequence[str] = (),
) -> Forecast:
    """Return what a plan would take at the most.

    Parameters
    ----------
    plan
        Its `predicted_requests` are the upper bound that time and cost are worked out for.
    config
        The endpoints of the models, and their concurrency.
    suites
        Suites by the name that the plan gives them.
    rates
        What requests took before.
    based_on
        The runs that they come from.

    Notes
    -----
    The requests are spread over the specs as one sweep of each would be: who gets more of them is decided
    while it is measured. Endpoints work at the same time, each with its concurrency.
    """
    known = {rate.model: rate for rate in rates}
    sweeps = [
        (spec, sum(case.requests for case in suites[phase.suite].part("search")))
        for phase in plan.phases
        for spec in (phase.baseline, *phase.candidates)
    ]
    unknown = sorted({spec.model for spec, _ in sweeps} - known.keys())
    return Forecast(
        generation=plan.generation,
        phases=tuple(_phase(phase, suites[phase.suite], known) for phase in plan.phases),
        samples=plan.predicted_samples,
        requests=plan.predicted_requests,
        seconds=None if unknown else _seconds(plan, sweeps, config, known),
        cost=None if unknown else _cost(plan, sweeps, known),
        rates=tuple(known[spec.model] for spec in _distinct(sweeps) if spec.model in known),
        based_on=tuple(based_on),
        unknown_models=tuple(unknown),
        proposals=plan.proposals,
    )


def _rate(model: str, group: Sequence[Sample]) -> Rate:
    requests = sum(sample.requests for sample in group)
    costs = [sample.cost for sample in group if sample.cost is not None]
    priced = sum(sample.requests for sample in group if sample.cost is not None)
    return Rate(
        model=model,
        seconds=sum(sample.latency_s or 0.0 for sample in group) / requests,
        cost=sum(costs) / priced if priced else None,
        requests=requests,
    )


def _phase(plan: PhasePlan, suite: Suite, known: Mapping[str, Rate]) -> PhaseForecast:
    requests = sum(case.requests for case in suite.part("search"))
    return PhaseForecast(
        phase=plan.phase,
        baseline=plan.baseline.model,
        search_cases=plan.search_cases,
        smallest_effect=plan.smallest_effect,
        candidates=tuple(_candidate(spec, plan, requests, known.get(spec.model)) for spec in plan.candidates),
        skipped=tuple(f"{label(one.spec, plan.baseline)}: {one.reason}" for one in plan.skipped),
    )


def _candidate(spec: Spec, plan: PhasePlan, requests: int, rate: Rate | None) -> CandidateForecast:
    return CandidateForecast(
        spec_id=spec.id,
        model=spec.model,
        label=label(spec, plan.baseline),
        origin=plan.origins.get(spec.id, "model"),
        requests=requests,
        seconds=rate.seconds * requests if rate else None,
        cost=rate.cost * requests if rate and rate.cost is not None else None,
    )


def _seconds(
    plan: Plan, sweeps: Sequence[tuple[Spec, int]], config: HarnessConfig, known: Mapping[str, Rate]
) -> float:
    of_all = sum(requests for _, requests in sweeps)
    busy: dict[str, float] = defaultdict(float)
    for spec, requests in sweeps:
        endpoint = config.model(spec.model).endpoint
        share = plan.predicted_requests * requests / of_all
        busy[endpoint] += share * known[spec.model].seconds / config.endpoints[endpoint].concurrency
    return max(busy.values(), default=0.0)


def _cost(plan: Plan, sweeps: Sequence[tuple[Spec, int]], known: Mapping[str, Rate]) -> float | None:
    of_all = sum(requests for _, requests in sweeps)
    total = 0.0
    for spec, requests in sweeps:
        each = known[spec.model].cost
        if each is None:
            return None
        total += plan.predicted_requests * requests / of_all * each
    return total


def _distinct(sweeps: Sequence[tuple[Spec, int]]) -> tuple[Spec, ...]:
    return tuple({spec.model: spec for spec, _ in sweeps}.values())
