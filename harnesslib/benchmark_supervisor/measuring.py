"""The measurements of a cycle: screen, confirmation, verification; all phases side by side."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from harnesslib.benchmark_supervisor.budget import Budget
from harnesslib.benchmark_supervisor.contests import Contest, most_requests
from harnesslib.benchmark_supervisor.field import Field
from harnesslib.benchmark_supervisor.layout import Arm, Block, assignments, cases_of
from harnesslib.benchmark_supervisor.routes import Route
from harnesslib.benchmark_supervisor.screening import PhaseScreen, screen_phase
from harnesslib.benchmark_supervisor.sessions import (
    SessionPlan,
    measure_sessions,
    session_plans,
)
from harnesslib.errors import InputError
from harnesslib.executors.bench import Bench, opened
from harnesslib.executors.local import complete, run_all
from harnesslib.ports import Effects
from harnesslib.records import Assignment, Confirmed, Plan, Sample, Selection, Spec

T = TypeVar("T")
FALLBACK_SWEEPS = 3
"""Calls per holdout case that prove a denied model's fallback."""


def screen(plan: Plan, effects: Effects) -> tuple[PhaseScreen, ...]:
    """Screen every phase; see `screening`."""
    specs = [spec for phase in plan.phases for spec in (phase.baseline, *phase.candidates)]

    async def measure(field: Field) -> tuple[PhaseScreen, ...]:
        field.budget.kept_back = sum(most_requests(phase.phase, field) for phase in plan.phases)
        return await _together([partial(screen_phase, phase, field) for phase in plan.phases])

    return _measured(measure, specs, effects, plan, "screen")


def confirm(plan: Plan, selection: Selection, effects: Effects) -> tuple[Confirmed, ...]:
    """Measure each phase's leader beside its baseline, and sessions of suspected models.

    Sessions are done beside the contests unless their model has a part in one, for they unload it.
    """
    pairs = [
        (selection.leaders[one.phase], one.baseline) for one in plan.phases if one.phase in selection.leaders
    ]
    sessions = session_plans(
        plan.seed, selection.suspects, effects.config.harness(), effects.suites, stage="sessions"
    )

    async def measure(field: Field) -> tuple[Confirmed, ...]:
        contests = [Contest("confirm", Arm(new, new.model), old, field) for new, old in pairs]
        field.budget.kept_back = sum(most_requests(new.phase, field) for new, _ in pairs)
        return await _contests(contests, sessions, field)

    specs = [spec for pair in pairs for spec in pair]
    return _measured(measure, [*specs, *(one.spec for one in sessions)], effects, plan, "confirm")


def verify(
    plan: Plan, routes: Sequence[Route], woken: Sequence[Spec], effects: Effects
) -> tuple[Confirmed, ...]:
    """Measure what was applied again, on the holdout: new beside old, fallbacks, and warm-ups."""
    sessions = session_plans(
        plan.seed, woken, effects.config.harness(), effects.suites, stage="verify_sessions"
    )

    async def measure(field: Field) -> tuple[Confirmed, ...]:
        contests = [
            Contest("verify", Arm(route.new, route.requested_model), route.old, field)
            for route in routes
            if route.old
        ]
        await _prove_fallbacks([route for route in routes if route.old is None], field)
        return await _contests(contests, sessions, field)

    specs = [spec for route in routes for spec in (route.new, route.old) if spec]
    return _measured(measure, [*specs, *(one.spec for one in sessions)], effects, plan, "verify")


def measure(jobs: Sequence[Assignment], effects: Effects, *, run_id: str, state: str) -> tuple[Sample, ...]:
    """Take what the run's journal does not hold yet, in order, and return all of it.

    Parameters
    ----------
    jobs
        In the order in which they are to be started. Each endpoint works on as many as it may.
    effects
        Clients, clock, stores.
    run_id
        The run.
    state
        What the run is doing, for progress events.

    Raises
    ------
    EndpointError
        An endpoint fails the same way again and again. All samples taken are in the journal.
    LockedError
        Another process measures one of the endpoints.
    """
    specs = tuple({job.spec.id: job.spec for job in jobs}.values())
    held = {sample.key: sample for sample in effects.runs.samples(run_id)}
    if all(job.key in held for job in jobs):
        return tuple(held[job.key] for job in jobs)
    with opened(specs, effects, run_id=run_id, state=state) as bench:
        bench.expect(jobs)
        complete(_connected(bench, partial(bench.take_all, jobs)))
    bench.check()
    return bench.samples(jobs)


def _measured(
    measure: Callable[[Field], Coroutine[Any, Any, T]],
    specs: Iterable[Spec],
    effects: Effects,
    plan: Plan,
    state: str,
) -> T:
    """Run a measurement on a bench of its own, and return what it returns."""
    _require_same_suites(plan, effects)
    config, manifest = effects.config.harness(), effects.runs.manifest(plan.run_id)
    distinct = {spec.id: spec for spec in specs}
    with opened(tuple(distinct.values()), effects, run_id=plan.run_id, state=state) as bench:
        budget = Budget(config.budget, manifest.started_at, effects.clock)
        field = Field(bench, config, effects.suites, budget, plan.seed)
        found = complete(_connected(bench, partial(measure, field)))
    bench.check()
    return found


def _require_same_suites(plan: Plan, effects: Effects) -> None:
    """Refuse to go on with other cases: it would compare what was never measured beside each other."""
    phases = effects.config.harness().phases
    for phase in plan.phases:
        now = effects.suites.get(phases[phase.phase].suite) if phase.phase in phases else None
        if now is None or now.content_hash != phase.suite_hash:
            raise InputError(
                f"cycle {plan.run_id}: the suite of {phase.phase} has changed since it was planned; "
                "put the old one back, or begin anew: harness cycle --new"
            )


async def _connected(bench: Bench, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    async with bench.connected():
        return await work()


async def _contests(
    contests: Sequence[Contest], sessions: Sequence[SessionPlan], field: Field
) -> tuple[Confirmed, ...]:
    busy = {arm.spec.model for contest in contests for arm in contest.arms}
    beside = [plan for plan in sessions if plan.spec.model not in busy]
    after = [plan for plan in sessions if plan.spec.model in busy]
    found: list[Confirmed] = []

    async def one(contest: Contest) -> None:
        ended = await contest.run()
        found.append(ended)
        if ended.ended != "crossed":
            field.budget.kept_back -= min(field.budget.kept_back, most_requests(ended.phase, field))

    jobs = [partial(one, contest) for contest in contests]
    await _together([*jobs, partial(_sessions, beside, field)])
    await _sessions(after, field)
    return tuple(sorted(found, key=lambda ended: ended.phase))


async def _sessions(plans: Sequence[SessionPlan], field: Field) -> None:
    """Do sessions, of one model after another, as far as the budget goes."""
    of_model: dict[tuple[str, str], list[SessionPlan]] = {}
    for plan in plans:
        of_model.setdefault((plan.spec.phase, plan.spec.model), []).append(plan)
    granted: list[SessionPlan] = []
    requests = 0
    for (phase, model), mine in of_model.items():
        jobs = [job for plan in mine for job in plan.assignments]
        cases = {case.id: case for case in field.suites[field.config.phases[phase].suite].cases}
        needed = sum(cases[job.case_id].requests for job in field.bench.missing(jobs))
        refused = field.budget.grant(needed, field.bench.taken)
        if refused:
            field.bench.progress.say(f"no sessions of {model}: {refused}")
            continue
        field.bench.expect(jobs)
        granted += mine
        requests += needed
    await measure_sessions(field.bench, granted)
    field.budget.settle(requests)


async def _prove_fallbacks(routes: Sequence[Route], field: Field) -> None:
    """Ask for denied models on the holdout; a fallback of several of them is asked once."""
    first: Mapping[str, Route] = {route.new.id: route for route in reversed(routes)}
    for route in first.values():
        cases = cases_of(route.new.phase, "holdout", field.config, field.suites)
        arm = Arm(route.new, route.requested_model)
        blocks = [Block(case, repeat, (arm,)) for case in cases for repeat in range(FALLBACK_SWEEPS)]
        jobs = assignments(blocks, seed=field.seed, stage="verify_fallback")
        await field.take(jobs, [block.case for block in blocks])


async def _together(jobs: Sequence[Callable[[], Coroutine[Any, Any, T]]]) -> tuple[T, ...]:
    return await run_all(jobs, lambda job: job(), limit=max(1, len(jobs)))
