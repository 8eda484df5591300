"""What a cycle will measure: one-factor candidates of each phase's baseline, and what that costs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from math import ceil

from harnesslib.candidates import Candidate, candidates, prompts_of
from harnesslib.errors import InputError
from harnesslib.records import (
    Case,
    Feedback,
    HarnessConfig,
    PhasePlan,
    Plan,
    PlannedProposal,
    Prompt,
    RoutingConfig,
    Skipped,
    Spec,
    Suite,
)
from harnesslib.records.base import Record
from harnesslib.records.naming import ordinary
from harnesslib.stats.designs import Design, confirm_design, verify_design
from harnesslib.stats.power import smallest_effect

TYPICAL_ACCURACY = 0.8
"""Of a baseline that has not been measured yet."""

PROPOSALS_AT_ONCE = 5
"""Proposals of one phase that a cycle measures at the most."""


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
    """Everything a plan depends on.

    `feedback` is that of the last finished cycle; `submitted` are candidates from `proposals`.
    """

    run_id: str
    config: HarnessConfig
    routing: RoutingConfig
    suites: dict[str, Suite]
    tried: tuple[Tried, ...]
    digests: dict[str, str]
    now: datetime
    seed: int
    feedback: Feedback | None = None
    submitted: tuple[Candidate, ...] = ()
    proposals: tuple[PlannedProposal, ...] = ()


def make_plan(inputs: PlanInputs) -> Plan:
    """Return what the next cycle measures.

    `candidates` says who is one. Left out, with the reason: a denied pair whose review is not due, and what
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
        least_requests=_least(phases, inputs),
        digests=inputs.digests,
        prompts=_prompts(phases, inputs),
        proposals=inputs.proposals,
        policy=inputs.config.policy,
        budget=inputs.config.budget,
    )


def _prompts(phases: Sequence[PhasePlan], inputs: PlanInputs) -> dict[str, Prompt]:
    known = prompts_of(inputs.submitted, inputs.config, inputs.routing)
    used = {spec.settings.variant for phase in phases for spec in (phase.baseline, *phase.candidates)}
    return {name: prompt for name, prompt in known.items() if name in used}


def _phase_plan(phase: str, inputs: PlanInputs) -> PhasePlan:
    suite = inputs.suites[inputs.config.phases[phase].suite]
    baseline = inputs.routing.baselines[phase].spec
    due: list[Candidate] = []
    skipped: list[Skipped] = []
    for one in _candidates(phase, inputs):
        reason = _not_due(one.spec, baseline, suite.content_hash, inputs) or _one_too_many(one, due)
        if reason:
            skipped.append(Skipped(spec=one.spec, reason=reason))
        else:
            due.append(one)
    search, holdout = suite.part("search"), suite.part("holdout")
    if not search or not holdout:
        raise InputError(
            f"harness.toml: phase '{phase}': suite '{suite.name}' has {len(search)} search cases and "
            f"{len(holdout)} holdout cases; a cycle decides on the first and proves it on the others; "
            "cure: name another suite"
        )
    accuracy = inputs.routing.baselines[phase].accuracy.value
    confirming = confirm_design(len(search), inputs.config.policy.smallest_gain)
    return PhasePlan(
        phase=phase,
        suite=suite.name,
        suite_version=suite.version,
        suite_hash=suite.content_hash,
        baseline=baseline,
        candidates=tuple(one.spec for one in due),
        origins={one.spec.id: one.origin for one in due},
        denied=_denied(phase, due, inputs),
        skipped=tuple(skipped),
        search_cases=len(search),
        holdout_cases=len(holdout),
        smallest_effect=smallest_effect(
            len(search),
            confirming.first + confirming.ratio * confirming.stages,
            TYPICAL_ACCURACY if accuracy is None else accuracy,
            inputs.config.policy.alpha,
        ),
    )


def _denied(phase: str, due: Sequence[Candidate], inputs: PlanInputs) -> tuple[str, ...]:
    models = dict.fromkeys(one.spec.model for one in due)
    rules = {model: inputs.routing.rule(model, phase) for model in models}
    return tuple(model for model, rule in rules.items() if rule and not rule.allow)


def _one_too_many(one: Candidate, due: Sequence[Candidate]) -> str:
    """Say that a proposal has to wait for others; "" when it need not."""
    ahead = sum(other.origin.startswith("proposal:") for other in due)
    if not one.origin.startswith("proposal:") or ahead < PROPOSALS_AT_ONCE:
        return ""
    return f"{ahead} other proposals are measured first; it waits for the next cycle"


def _candidates(phase: str, inputs: PlanInputs) -> tuple[Candidate, ...]:
    findings = inputs.feedback.findings if inputs.feedback else ()
    return candidates(phase, inputs.config, inputs.routing, findings, inputs.submitted)


def usual_specs(plan: Plan) -> tuple[Spec, ...]:
    """Return one spec per phase and model: what is said of a model is said of it as it is usually asked."""
    return tuple(spec for phase in plan.phases for spec in ordinary(phase.baseline, phase.candidates))


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
    """Return how many samples and requests it takes if everything is measured to its last round.

    Every phase then confirms and verifies a leader, every model is suspected of a cold start, and a denied
    model's fallback is proven. Answers are taken to be as long as the suite expects.
    """
    samples = requests = 0
    for plan in phases:
        for cases, calls in _parts(plan, inputs):
            samples += ceil(calls)
            requests += ceil(calls / len(cases) * _requests(cases))
    return samples, requests


def _least(phases: Sequence[PhasePlan], inputs: PlanInputs) -> int:
    """Return the fewest requests with which a candidate of any phase could be promoted and verified."""
    found = []
    for plan in phases:
        search, holdout = _cases(plan, inputs)
        confirming, verifying = _designs(plan, inputs)
        asked = 1 + len(plan.candidates) * sum(confirming.screen_rounds[:1]) * _headroom(plan, inputs)
        screened = asked * _screened_share(plan, confirming)
        found.append(
            ceil((screened + 2 * confirming.first) * _requests(search))
            + 2 * verifying.first * _requests(holdout)
        )
    return min(found, default=0)


def _parts(plan: PhasePlan, inputs: PlanInputs) -> Iterator[tuple[tuple[Case, ...], float]]:
    """Yield cases, and how many calls of them are taken at the most, for each part of a phase's cycle."""
    (search, holdout), cycle = _cases(plan, inputs), inputs.config.cycle
    confirming, verifying = _designs(plan, inputs)
    arms, tries = len(plan.candidates) + 1, bool(plan.candidates)
    unsettled = _headroom(plan, inputs)
    alive, screened = float(len(plan.candidates)), 1.0
    for calls, keep in zip(confirming.screen_rounds, confirming.screen_keep, strict=True):
        screened += alive * calls * unsettled
        alive = max(1.0, ceil(keep * alive))
    screened *= _screened_share(plan, confirming)
    for cases, design, passes, pairs in (
        (search, confirming, screened, cycle.sessions),
        (holdout, verifying, float(verifying.first * tries), cycle.verify_sessions),
    ):
        later = design.stages * (1 + (design.ratio - 1) * unsettled)
        sweeps = passes + 2 * tries * (design.first + later)
        yield cases, sweeps * len(cases) + 2 * arms * pairs * min(cycle.session_cases, len(cases))


def _screened_share(plan: PhasePlan, design: Design) -> float:
    return min(1.0, design.screen_cases / plan.search_cases) if design.screen_rounds else 0.0


def _cases(plan: PhasePlan, inputs: PlanInputs) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    suite = inputs.suites[inputs.config.phases[plan.phase].suite]
    return suite.part("search"), suite.part("holdout")


def _designs(plan: PhasePlan, inputs: PlanInputs) -> tuple[Design, Design]:
    confirming = confirm_design(
        plan.search_cases, inputs.config.policy.smallest_gain, candidates=len(plan.candidates)
    )
    return confirming, verify_design(plan.holdout_cases)


def _headroom(plan: PhasePlan, inputs: PlanInputs) -> float:
    """Return the share of cases that the baseline may fail: what its accuracy leaves, at the least."""
    low = inputs.routing.baselines[plan.phase].accuracy.low
    return 1 - (TYPICAL_ACCURACY if low is None else low)


def _requests(cases: Sequence[Case]) -> int:
    return sum(case.requests for case in cases)


def tried_in(plan: Plan, decided: Collection[str], when: datetime) -> tuple[Tried, ...]:
    """Return what a finished cycle tried.

    Parameters
    ----------
    plan
        The finished cycle's plan.
    decided
        Ids of the specs whose promotion was decided.
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
        if spec.id in decided
    )
