"""What a cycle will measure: one-factor candidates of each phase's baseline, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil

from harnesslib.records import (
    Case,
    HarnessConfig,
    PhasePlan,
    Plan,
    RoutingConfig,
    Skipped,
    Spec,
    Suite,
)
from harnesslib.records.base import Record
from harnesslib.stats.power import smallest_effect


class Tried(Record):
    """A candidate that an earlier cycle decided on, under these very conditions.

    `digests` are those of the candidate's and the baseline's model, "" where the endpoint has none.
    """

    phase: str
    suite_hash: str
    baseline_id: str
    candidate_id: str
    digests: tuple[str, str]
    when: datetime


class PlanInputs(Record):
    """Everything a plan depends on."""

    run_id: str
    config: HarnessConfig
    routing: RoutingConfig
    suites: dict[str, Suite]
    tried: tuple[Tried, ...]
    digests: dict[str, str]
    now: datetime
    seed: int


def make_plan(inputs: PlanInputs) -> Plan:
    """Return what the next cycle measures.

    A candidate differs from the baseline in one factor, here the model (which brings its own settings from
    ``harness.toml`` or its rule). Left out, with the reason: a denied pair whose review is not due, and what
    was tried against the same baseline on the same suite and model digests within the review time.
    """
    phases = tuple(_phase_plan(phase, inputs) for phase in inputs.config.phases)
    samples, requests = _most(phases, inputs)
    return Plan(
        run_id=inputs.run_id,
        seed=inputs.seed,
        generation=inputs.routing.generation,
        phases=phases,
        predicted_samples=samples,
        predicted_requests=requests,
        digests=inputs.digests,
        max_calls=inputs.config.budget.max_calls,
    )


def _phase_plan(phase: str, inputs: PlanInputs) -> PhasePlan:
    suite = inputs.suites[inputs.config.phases[phase].suite]
    baseline = inputs.routing.baselines[phase].spec
    candidates: list[Spec] = []
    skipped: list[Skipped] = []
    for model in inputs.config.models_of(phase):
        if model.id == baseline.model:
            continue
        spec = candidate(model.id, phase, inputs.config, inputs.routing)
        reason = _not_due(spec, baseline, suite.content_hash, inputs)
        if reason:
            skipped.append(Skipped(spec=spec, reason=reason))
        else:
            candidates.append(spec)
    search = suite.part("search")
    accuracy = inputs.routing.baselines[phase].accuracy.value
    return PhasePlan(
        phase=phase,
        suite=suite.name,
        suite_version=suite.version,
        suite_hash=suite.content_hash,
        baseline=baseline,
        candidates=tuple(candidates),
        skipped=tuple(skipped),
        search_cases=len(search),
        holdout_cases=len(suite.part("holdout")),
        smallest_effect=smallest_effect(
            len(search),
            inputs.config.cycle.confirm_repeats,
            0.8 if accuracy is None else accuracy,
            inputs.config.policy.alpha,
        ),
    )


def candidate(model: str, phase: str, config: HarnessConfig, routing: RoutingConfig) -> Spec:
    """Return what is measured of a model in a phase: under its rule's settings, or those of the file."""
    rule = routing.rule(model, phase)
    settings = rule.settings if rule else config.settings_of(model, phase)
    return Spec(model=model, phase=phase, settings=settings)


def waiting(
    spec: Spec,
    baseline: Spec,
    tried: Sequence[Tried],
    *,
    suite_hash: str,
    digests: tuple[str, str] | None,
    since: datetime,
) -> Tried | None:
    """Return the newest trial of a candidate against a baseline that is not older than `since`, or none.

    Parameters
    ----------
    spec, baseline
        Both as they would be measured now: other settings are another candidate.
    tried
        What earlier cycles decided on. A change that was applied and rolled back was decided on as well: it
        waits like any other, so that a route does not flap.
    suite_hash
        Of the suite as it is now.
    digests
        Of both models as they are now; none = not known, any digest counts.
    since
        What was tried before counts no more.
    """
    wanted = (spec.phase, suite_hash, baseline.id, spec.id)
    same = (
        one
        for one in tried
        if (one.phase, one.suite_hash, one.baseline_id, one.candidate_id) == wanted
        and digests in {None, one.digests}
        and one.when > since
    )
    return max(same, key=lambda one: one.when, default=None)


def _not_due(spec: Spec, baseline: Spec, suite_hash: str, inputs: PlanInputs) -> str:
    """Say why a candidate is not measured this time; "" when it is."""
    rule = inputs.routing.rule(spec.model, spec.phase)
    if rule and not rule.allow and rule.review_after and inputs.now < rule.review_after:
        return (
            f"denied since {rule.timestamp:%Y-%m-%d}; to be looked at again on {rule.review_after:%Y-%m-%d}"
        )
    wait = timedelta(days=inputs.config.policy.review_days)
    digests = (inputs.digests.get(spec.model, ""), inputs.digests.get(baseline.model, ""))
    since = inputs.now - wait
    trial = waiting(spec, baseline, inputs.tried, suite_hash=suite_hash, digests=digests, since=since)
    if trial is None:
        return ""
    due = trial.when + wait
    return f"tried against {baseline.model} on {trial.when:%Y-%m-%d}; due again on {due:%Y-%m-%d}"


def _most(phases: Sequence[PhasePlan], inputs: PlanInputs) -> tuple[int, int]:
    """Return the largest number of samples, and their requests if answered as the suite expects.

    The most is measured when every phase confirms and verifies a leader, every model is suspected of a cold
    start, and a denied model's fallback is proven.
    """
    samples = requests = 0
    cycle = inputs.config.cycle
    for plan in phases:
        suite = inputs.suites[inputs.config.phases[plan.phase].suite]
        arms, tries = len(plan.candidates) + 1, bool(plan.candidates)
        on_search = arms * cycle.screen_repeats + 2 * cycle.confirm_repeats * tries
        on_holdout = 3 * cycle.verify_repeats * tries
        for cases, passes, pairs in (
            (suite.part("search"), on_search, cycle.sessions),
            (suite.part("holdout"), on_holdout, cycle.verify_sessions),
        ):
            in_sessions = 2 * arms * pairs * min(cycle.session_cases, len(cases))
            samples += passes * len(cases) + in_sessions
            requests += ceil((passes + in_sessions / len(cases)) * _requests(cases))
    return samples, requests


def _requests(cases: Sequence[Case]) -> int:
    """Return how many requests one perfect pass over the cases takes."""
    return sum(1 + any(turn.accept and turn.accept[0]) for case in cases for turn in case.turns)


def tried_in(plan: Plan, decided: Mapping[str, str], when: datetime) -> tuple[Tried, ...]:
    """Return what a finished cycle tried.

    Parameters
    ----------
    plan
        The finished cycle's plan.
    decided
        Recommendation id -> verdict.
    when
        When that cycle ended.
    """
    return tuple(
        Tried(
            phase=phase.phase,
            suite_hash=phase.suite_hash,
            baseline_id=phase.baseline.id,
            candidate_id=spec.id,
            digests=(plan.digests.get(spec.model, ""), plan.digests.get(phase.baseline.model, "")),
            when=when,
        )
        for phase in plan.phases
        for spec in phase.candidates
        if f"{phase.phase}-promote-{spec.model}" in decided
    )
