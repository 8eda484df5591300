"""Who is measured on what and in which order, and the measurement of a cycle itself.

The builders are pure. A block is one case in one repeat: its arms get the same seed and stand side by side,
in an order of its own. What is measured is journalled as it ends, so that nothing is measured twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

import msgspec

from harnesslib.executors.bench import Bench, opened
from harnesslib.executors.local import complete, run_all
from harnesslib.ports import Effects
from harnesslib.records import Assignment, Case, HarnessConfig, Plan, Sample, Spec, Split, Stage, Suite
from harnesslib.records.base import Record
from harnesslib.run_benchmark import sample_seed

SessionStage = Literal["sessions", "verify_sessions"]
Suites = Mapping[str, Suite]
"""Suites under the name that ``phases.<phase>.suite`` gives them."""


class Route(Record):
    """What is verified: `new` is what the routing gives to who asks for `requested_model`.

    `old` is what it replaced, and is measured beside it; none where a denied model's fallback is proved.
    """

    requested_model: str
    new: Spec
    old: Spec | None = None


class SessionPlan(Record):
    """One load of a model on purpose, and the cases that are started right after it, all at once.

    A `cold` one begins with the model unloaded, another one is warmed up first. Both of a pair have the same
    number, cases and seeds.
    """

    spec: Spec
    session: int
    cold: bool
    assignments: tuple[Assignment, ...]


class _Arm(NamedTuple):
    spec: Spec
    requested_model: str


class _Layout(NamedTuple):
    seed: int
    stage: Stage
    split: Split
    repeats: int


def cycle_seed(seed: int, number: int) -> int:
    """Return the seed of one cycle: `seed` is the workspace's, `number` counts its cycles."""
    return sample_seed(seed, "cycle", number)


def screen_assignments(plan: Plan, config: HarnessConfig, suites: Suites) -> tuple[Assignment, ...]:
    """Return the screen: the baseline and all candidates of every phase, on the search split."""
    layout = _Layout(plan.seed, "screen", "search", config.cycle.screen_repeats)
    arms = {phase.phase: _arms(phase.baseline, *phase.candidates) for phase in plan.phases}
    return _blocks(layout, arms, config, suites)


def confirm_assignments(
    plan: Plan, leaders: Mapping[str, Spec], config: HarnessConfig, suites: Suites
) -> tuple[Assignment, ...]:
    """Return the confirmation: each phase's leader beside its baseline, on the search split, fresh seeds."""
    layout = _Layout(plan.seed, "confirm", "search", config.cycle.confirm_repeats)
    arms = {
        phase.phase: _arms(phase.baseline, leaders[phase.phase])
        for phase in plan.phases
        if phase.phase in leaders
    }
    return _blocks(layout, arms, config, suites)


def verify_assignments(
    plan: Plan, routes: Sequence[Route], config: HarnessConfig, suites: Suites
) -> tuple[Assignment, ...]:
    """Return the verification: new beside old, and the fallbacks of denied models, on the holdout split.

    A spec that serves several denied models of a phase is measured once, for the first of them.
    """
    compared: dict[str, tuple[_Arm, ...]] = {}
    proved: dict[str, tuple[_Arm, ...]] = {}
    for route in routes:
        new, phase = _Arm(route.new, route.requested_model), route.new.phase
        if route.old is None:
            proved[phase] = _distinct((*proved.get(phase, ()), new))
        else:
            compared[phase] = _distinct((*compared.get(phase, ()), *_arms(route.old), new))
    repeats = config.cycle.verify_repeats
    return (
        *_blocks(_Layout(plan.seed, "verify", "holdout", repeats), compared, config, suites),
        *_blocks(_Layout(plan.seed, "verify_fallback", "holdout", repeats), proved, config, suites),
    )


def session_plans(
    seed: int, specs: Sequence[Spec], config: HarnessConfig, suites: Suites, *, stage: SessionStage
) -> tuple[SessionPlan, ...]:
    """Return the sessions of suspected models: cold and warm in pairs, which one is first left to chance.

    Parameters
    ----------
    seed
        The cycle's seed.
    specs
        The suspects; whether they are warmed up is decided here, arm by arm.
    config
        Gives the number of sessions, and of cases in each.
    suites
        Suites by name.
    stage
        "sessions" takes its cases from the search split, "verify_sessions" from the holdout.
    """
    verifying = stage == "verify_sessions"
    count = config.cycle.verify_sessions if verifying else config.cycle.sessions
    found: list[SessionPlan] = []
    for spec in specs:
        cases = _suite(spec.phase, config, suites).part("holdout" if verifying else "search")
        for session in range(1, count + 1):
            arms = [False, True]
            if sample_seed(seed, stage, spec.id, session) % 2:
                arms.reverse()
            chosen = _chosen(seed, stage, spec.phase, cases, session)[: config.cycle.session_cases]
            found += [_session(spec, stage, chosen, session, cold=cold) for cold in arms]
    return tuple(found)


def measure(
    assignments: Sequence[Assignment], effects: Effects, *, run_id: str, state: str
) -> tuple[Sample, ...]:
    """Take what is missing of `assignments`; see `measure_all`."""
    return measure_all(assignments, (), effects, run_id=run_id, state=state)


def measure_all(
    assignments: Sequence[Assignment],
    sessions: Sequence[SessionPlan],
    effects: Effects,
    *,
    run_id: str,
    state: str,
) -> tuple[Sample, ...]:
    """Take what the run's journal does not hold yet, and return all of it.

    Parameters
    ----------
    assignments
        In the order in which they are to be started. Each endpoint works on as many as it may.
    sessions
        Done beside `assignments`, one after another on each endpoint; those of a model that `assignments`
        use too are done afterwards, since they unload it.
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
    wanted = [*assignments, *(job for plan in sessions for job in plan.assignments)]
    held = {sample.key: sample for sample in effects.runs.samples(run_id)}
    if all(job.key in held for job in wanted):
        return tuple(held[job.key] for job in wanted)
    with opened(wanted, effects, run_id=run_id, state=state) as bench:
        complete(_measure(bench, assignments, sessions))
    bench.check()
    return bench.samples(wanted)


async def measure_sessions(bench: Bench, sessions: Sequence[SessionPlan]) -> None:
    """Do sessions in order: unload, warm up unless cold, then start all their cases at once.

    A model that can't be unloaded has no sessions: an event says so, and no sample is made up.
    """
    for plan in sessions:
        missing = bench.missing(plan.assignments)
        if not missing or bench.is_out(plan.spec):
            continue
        if not await bench.client(plan.spec).unload(plan.spec.model):
            bench.progress.say(f"no sessions of {plan.spec.model}: its endpoint can't unload it")
            return
        if not plan.cold:
            woken = await bench.warm(plan.spec)
            missing = tuple(msgspec.structs.replace(job, warmup_s=woken.seconds) for job in missing)
        await run_all(missing, bench.take_one, limit=len(missing))


async def _measure(bench: Bench, assignments: Sequence[Assignment], sessions: Sequence[SessionPlan]) -> None:
    busy = {job.spec.model for job in assignments}
    beside = [plan for plan in sessions if plan.spec.model not in busy]
    after = [plan for plan in sessions if plan.spec.model in busy]
    async with bench.connected():
        together = (partial(bench.take_all, assignments), partial(_by_endpoint, bench, beside))
        await run_all(together, lambda job: job(), limit=len(together))
        await _by_endpoint(bench, after)


async def _by_endpoint(bench: Bench, sessions: Sequence[SessionPlan]) -> None:
    """Do sessions of several endpoints at the same time; models of one endpoint would disturb each other."""
    by_model: dict[str, dict[str, list[SessionPlan]]] = {}
    for plan in sessions:
        models = by_model.setdefault(bench.endpoint(plan.spec), {})
        models.setdefault(plan.spec.model, []).append(plan)

    async def one_endpoint(models: dict[str, list[SessionPlan]]) -> None:
        for plans in models.values():
            await measure_sessions(bench, plans)

    await run_all(by_model.values(), one_endpoint, limit=max(1, len(by_model)))


def _arms(*specs: Spec) -> tuple[_Arm, ...]:
    return tuple(_Arm(spec, spec.model) for spec in specs)


def _distinct(arms: Sequence[_Arm]) -> tuple[_Arm, ...]:
    """Return the arms without those whose spec came before."""
    first: dict[str, _Arm] = {}
    for arm in arms:
        first.setdefault(arm.spec.id, arm)
    return tuple(first.values())


def _suite(phase: str, config: HarnessConfig, suites: Suites) -> Suite:
    return suites[config.phases[phase].suite]


def _blocks(
    layout: _Layout, arms: Mapping[str, Sequence[_Arm]], config: HarnessConfig, suites: Suites
) -> tuple[Assignment, ...]:
    """Return the blocks of all phases, mixed; repeat after repeat."""
    blocks = [
        (repeat, sample_seed(layout.seed, layout.stage, phase, case.id, repeat, 0), case, arms[phase])
        for repeat in range(layout.repeats)
        for phase in arms
        for case in _suite(phase, config, suites).part(layout.split)
    ]
    # Sorting by a hash is a shuffle that every machine repeats.
    blocks.sort(key=lambda block: (block[0], sample_seed(block[1], "order")))
    ordered = [
        (arm, case, repeat, seed)
        for repeat, seed, case, block in blocks
        for arm in sorted(block, key=lambda arm: sample_seed(seed, "arm", arm.spec.id))
    ]
    return tuple(
        Assignment(
            stage=layout.stage,
            spec=arm.spec,
            case_id=case.id,
            repeat=repeat,
            position=position,
            seed=seed,
            requested_model=arm.requested_model,
        )
        for position, (arm, case, repeat, seed) in enumerate(ordered)
    )


def _chosen(seed: int, stage: str, phase: str, cases: Sequence[Case], session: int) -> list[tuple[int, Case]]:
    """Return the cases of a session with their seeds, in the order in which they are drawn."""
    drawn = [(sample_seed(seed, stage, phase, case.id, 0, session), case) for case in cases]
    return sorted(drawn, key=lambda pair: sample_seed(pair[0], "order"))


def _session(
    spec: Spec, stage: SessionStage, chosen: Sequence[tuple[int, Case]], session: int, *, cold: bool
) -> SessionPlan:
    arm = msgspec.structs.replace(spec, settings=msgspec.structs.replace(spec.settings, warmup=not cold))
    jobs = tuple(
        Assignment(
            stage=stage,
            spec=arm,
            case_id=case.id,
            repeat=0,
            position=0,
            seed=seed,
            requested_model=arm.model,
            session=session,
            cold=cold,
        )
        for seed, case in chosen
    )
    return SessionPlan(spec=arm, session=session, cold=cold, assignments=jobs)
