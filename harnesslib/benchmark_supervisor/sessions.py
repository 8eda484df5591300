"""Loads of a model on purpose: first calls with and without a warm-up, in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from harnesslib.benchmark_supervisor.layout import Suites, cases_of
from harnesslib.executors.bench import Bench
from harnesslib.executors.local import run_all
from harnesslib.records import Assignment, Case, HarnessConfig, Spec
from harnesslib.records.base import Record
from harnesslib.run_benchmark import sample_seed

SessionStage = Literal["sessions", "verify_sessions"]


class SessionPlan(Record):
    """One load of a model on purpose, and the cases that are started right after it, all at once.

    A `cold` one begins with the model unloaded, another one is warmed up first. Both of a pair have the same
    number, cases and seeds.
    """

    spec: Spec
    session: int
    cold: bool
    assignments: tuple[Assignment, ...]


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
        cases = cases_of(spec.phase, "holdout" if verifying else "search", config, suites)
        for session in range(1, count + 1):
            arms = [False, True]
            if sample_seed(seed, stage, spec.id, session) % 2:
                arms.reverse()
            chosen = _chosen(seed, stage, spec.phase, cases, session)[: config.cycle.session_cases]
            found += [_session(spec, stage, chosen, session, cold=cold) for cold in arms]
    return tuple(found)


async def measure_sessions(bench: Bench, sessions: Sequence[SessionPlan]) -> None:
    """Do sessions of several endpoints at the same time; models of one endpoint would disturb each other.

    Each unloads its model, warms it up unless cold, then starts all its cases at once. A model that can't be
    unloaded has no sessions: an event says so, and no sample is made up.
    """
    by_model: dict[str, dict[str, list[SessionPlan]]] = {}
    for plan in sessions:
        models = by_model.setdefault(bench.endpoint(plan.spec), {})
        models.setdefault(plan.spec.model, []).append(plan)

    async def one_endpoint(models: dict[str, list[SessionPlan]]) -> None:
        for plans in models.values():
            await _one_model(bench, plans)

    await run_all(by_model.values(), one_endpoint, limit=max(1, len(by_model)))


async def _one_model(bench: Bench, sessions: Sequence[SessionPlan]) -> None:
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
