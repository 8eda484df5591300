"""Many samples for one run: skips what the journal holds, takes the rest, journals each as it ends."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager

import msgspec

from harnesslib import scoring, variants
from harnesslib.errors import EndpointError, InputError
from harnesslib.executors.apart import Place, take_apart
from harnesslib.executors.attempt import Target, WarmUp, take, warm_up
from harnesslib.executors.local import run_all
from harnesslib.executors.pace import Gate
from harnesslib.executors.watch import Breaker, Progress
from harnesslib.ports import Client, Effects, Journal
from harnesslib.records import (
    Assignment,
    Case,
    HarnessConfig,
    Plan,
    Prompt,
    Sample,
    SampleKey,
    Spec,
    Suite,
)

LOCK_WAIT_S = 60.0
WARM_UP_BUDGET_S = 300.0
_NOT_IN_A_LOCK = re.compile(r"[^A-Za-z0-9.]+")
_LONGEST_SERVER = 80


class Bench:
    """Where the samples of one run are taken; made by `opened`.

    Parameters
    ----------
    specs
        Everything that may be measured here.
    effects
        Clients, clock, stores.
    journal
        Open journal of the run.
    run_id
        The run.
    state
        What the run is doing, for progress events.
    isolate
        Whether each sample is taken in a process of its own.
    """

    def __init__(
        self,
        specs: Sequence[Spec],
        effects: Effects,
        journal: Journal,
        *,
        run_id: str,
        state: str,
        isolate: bool = False,
    ) -> None:
        self.effects = effects
        self.run_id = run_id
        self._isolate = isolate
        self._journal = journal
        self._harness = effects.config.harness()
        self._prompts = known_prompts(effects, run_id)
        self._taken: dict[SampleKey, Sample] = {sample.key: sample for sample in effects.runs.samples(run_id)}
        self._positions = Counter(sample.stage for sample in self._taken.values())
        self._cases = _cases(specs, effects)
        self._endpoints = {spec.model: self._harness.model(spec.model).endpoint for spec in specs}
        self._breakers = {name: Breaker() for name in self._endpoints.values()}
        self._answered: dict[str, float] = {}
        self._working: Counter[str] = Counter()
        self._waiting: list[Sample] = []
        self._writing = asyncio.Lock()
        self.warm_ups: list[WarmUp] = []
        self.progress = Progress(effects.events, effects.clock, state=state, taken=self._taken.values())
        self._gates = {
            name: Gate(name, self._harness.endpoints[name].concurrency, effects.clock, self.progress.say)
            for name in self._breakers
        }

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Open the clients of all endpoints in use."""
        async with AsyncExitStack() as stack:
            for name in sorted(self._breakers):
                await stack.enter_async_context(self.effects.clients[name])
            yield

    def expect(self, assignments: Sequence[Assignment]) -> None:
        """Count samples that are to be taken into the progress that is shown."""
        held = (self._taken.get(job.key) for job in assignments)
        self.progress.expect(len(assignments), [sample for sample in held if sample])

    def missing(self, assignments: Iterable[Assignment]) -> tuple[Assignment, ...]:
        """Return the assignments that the journal does not hold yet."""
        return tuple(job for job in assignments if job.key not in self._taken)

    @property
    def taken(self) -> tuple[Sample, ...]:
        """All samples of the run, those of an earlier attempt included."""
        return tuple(self._taken.values())

    def endpoint(self, spec: Spec) -> str:
        """Return the name of the endpoint that serves a spec."""
        return self._endpoints[spec.model]

    def client(self, spec: Spec) -> Client:
        """Return the client of the endpoint that serves a spec."""
        return self.effects.clients[self.endpoint(spec)]

    def is_out(self, spec: Spec) -> bool:
        """Whether the spec's endpoint was given up."""
        return self._breakers[self.endpoint(spec)].tripped

    async def take_all(self, assignments: Sequence[Assignment]) -> None:
        """Take what is missing, in order; all endpoints at the same time, each with its concurrency."""
        queues: dict[str, list[Assignment]] = {}
        for job in self.missing(assignments):
            queues.setdefault(self.endpoint(job.spec), []).append(job)
        await run_all(queues.items(), self._take_queue, limit=max(1, len(queues)))
        async with self._writing:
            await asyncio.to_thread(self.release)

    async def take_one(self, assignment: Assignment) -> None:
        """Take one sample and journal it, unless its endpoint is out."""
        spec = assignment.spec
        name = self.endpoint(spec)
        if self.is_out(spec):
            return
        await self._gates[name].rest()
        position = self._positions[assignment.stage]
        self._positions[assignment.stage] += 1
        seen = {"position": position, "idle_s": self._idle(spec.model), "level": self._gates[name].pace.level}
        placed = msgspec.structs.replace(assignment, **seen)
        suite, case = self._cases[spec.phase, assignment.case_id]
        self._working[name] += 1
        try:
            sample = await self._take(placed, suite, case, self._target(spec, name))
        finally:
            self._working[name] -= 1
        if sample.latency_s is not None:
            self._answered[spec.model] = self.effects.clock.monotonic()
        self._waiting += self._breakers[name].admit(sample)
        if self._is_only(spec.model, name):
            self._waiting += self._breakers[name].pardon()
        async with self._writing:
            batch, self._waiting = self._waiting, []
            if batch:
                # In a thread: a slow disk must not stop the clock of the requests in flight.
                await asyncio.to_thread(self._write, batch)

    def _is_only(self, model: str, name: str) -> bool:
        """Whether an endpoint looks out for one model only, and has answered for another one before."""
        others = {other for other in self._answered if self._endpoints[other] == name} - {model}
        breaker = self._breakers[name]
        return breaker.tripped and breaker.models == {model} and bool(others)

    def _idle(self, model: str) -> float | None:
        """Return how long ago this bench last had an answer from a model, or none."""
        last = self._answered.get(model)
        return None if last is None else self.effects.clock.monotonic() - last

    async def _take(self, assignment: Assignment, suite: Suite, case: Case, target: Target) -> Sample:
        if not self._isolate:
            return await take(assignment, case, suite, target)
        name = self.endpoint(assignment.spec)
        place = Place(name, self.effects.endpoints[name], self.effects.folder)
        wave = self._gates[name].pace.wave
        sample = await take_apart(assignment, case, suite, target, place)
        self._gates[name].note_from(sample, wave)
        return sample

    async def warm(self, spec: Spec) -> WarmUp:
        """Warm a model up; the time it takes belongs to no sample."""
        clock = self.effects.clock
        result = await warm_up(self.client(spec), spec, clock=clock, budget_s=WARM_UP_BUDGET_S)
        self.warm_ups.append(result)
        how = "answered" if result.ok else f"did not answer ({result.detail})"
        self.progress.say(f"warm-up of {spec.model}: {how} after {result.seconds:.2f} s")
        return result

    async def digests(self) -> dict[str, str]:
        """Ask the endpoints in use which models these are; returns model -> digest, "" where none is told.

        An endpoint that can't list its models may answer all the same: an event says so, and no more.
        """
        found = dict.fromkeys(self._endpoints, "")
        for name in sorted(self._breakers):
            try:
                offered = {info.id: info.digest for info in await self.effects.clients[name].models()}
            except EndpointError as error:
                self.progress.say(f"no digests: {error}")
                continue
            served = {model for model, endpoint in self._endpoints.items() if endpoint == name}
            found |= {model: offered[model] for model in served & offered.keys()}
        return found

    def samples(self, assignments: Iterable[Assignment]) -> tuple[Sample, ...]:
        """Return the samples of `assignments`, those of an earlier attempt at this run included."""
        return tuple(self._taken[job.key] for job in assignments if job.key in self._taken)

    def release(self) -> None:
        """Journal what was held back and is no outage."""
        for breaker in self._breakers.values():
            self._waiting += breaker.release()
        self._write(self._waiting)
        self._waiting = []

    def check(self) -> None:
        """Raise EndpointError when an endpoint was given up."""
        for name, breaker in sorted(self._breakers.items()):
            if breaker.tripped:
                raise EndpointError(
                    f"endpoint '{name}': {breaker.limit} samples in a row failed the same way "
                    f"({breaker.detail}); it was given up, other samples are kept; "
                    "cure: start or repair it (`harness doctor` tells more), then resume the run"
                )

    async def _take_queue(self, queue: tuple[str, list[Assignment]]) -> None:
        name, assignments = queue
        asleep = {
            job.spec.model: job.spec
            for job in assignments
            if job.spec.settings.warmup and job.spec.model not in self._answered
        }
        for spec in asleep.values():
            await self.warm(spec)
        gate = self._gates[name]

        async def take_at_its_pace(job: Assignment) -> None:
            async with gate.passage():
                await self.take_one(job)

        await run_all(assignments, take_at_its_pace, gate.pace.most)

    def _target(self, spec: Spec, name: str) -> Target:
        model = self._harness.model(spec.model)
        return Target(
            client=self.effects.clients[name],
            clock=self.effects.clock,
            run_id=self.run_id,
            price=(model.price_input, model.price_output),
            concurrency=self._working[name],
            gate=self._gates[name],
            prompt=self._prompts.get(spec.settings.variant),
        )

    def _write(self, samples: Iterable[Sample]) -> None:
        for sample in samples:
            self._journal.append(sample)
            self._taken[sample.key] = sample
            self.progress.step(sample)


@contextmanager
def opened(
    specs: Sequence[Spec], effects: Effects, *, run_id: str, state: str, isolate: bool = False
) -> Iterator[Bench]:
    """Open a bench: its endpoints locked, its journal open; see `Bench` for what it is given.

    Raises
    ------
    InputError
        A spec names a model or a variant that does not exist.
    LockedError
        Another process measures one of the endpoints, in this workspace or another one of this machine.
    """
    # Scoring would load its library when it first needs it, and stall all requests in flight meanwhile.
    scoring.preload()
    _check(specs, effects, known_prompts(effects, run_id))
    harness = effects.config.harness()
    names = {harness.model(spec.model).endpoint for spec in specs}
    with ExitStack() as stack:
        for name in sorted(names):
            stack.enter_context(effects.locks.hold(f"endpoint-{name}", wait_s=LOCK_WAIT_S))
        if effects.machine_locks:
            for server in server_locks(names, harness):
                stack.enter_context(effects.machine_locks.hold(server, wait_s=LOCK_WAIT_S))
        journal = stack.enter_context(effects.runs.journal(run_id))
        bench = Bench(specs, effects, journal, run_id=run_id, state=state, isolate=isolate)
        try:
            yield bench
        finally:
            bench.release()


def server_locks(names: Iterable[str], harness: HarnessConfig) -> list[str]:
    """Return the locks of the servers behind endpoints: one per server, however many APIs it speaks.

    A program and a built-in server have no address: nobody else asks them.
    """
    servers = {harness.endpoints[name].server for name in names} - {""}
    return sorted(f"server-{_NOT_IN_A_LOCK.sub('-', server)[:_LONGEST_SERVER]}" for server in servers)


def known_prompts(effects: Effects, run_id: str) -> dict[str, Prompt]:
    """Return the texts of prompt variants: of ``harness.toml``, of the routing, and of the run's plan."""
    plan = effects.runs.load(run_id, "plan", Plan)
    planned = plan.prompts if plan else {}
    return effects.config.harness().prompts | effects.config.routing().prompts | planned


def _check(specs: Iterable[Spec], effects: Effects, prompts: Mapping[str, Prompt]) -> None:
    models = {model.id for model in effects.config.harness().models}
    for spec in specs:
        if spec.model not in models:
            raise InputError(
                f"harness.toml: model '{spec.model}' is to be measured in phase '{spec.phase}'; "
                f"got models {', '.join(sorted(models))}; add it to [[models]]"
            )
        if spec.settings.variant not in {*variants.NAMES, *prompts}:
            raise InputError(
                f"{spec.model}/{spec.phase}: variant; got '{spec.settings.variant}', expected one of "
                f"{', '.join((*variants.NAMES, *prompts))}; correct settings.variant in harness.toml"
            )


def _cases(specs: Iterable[Spec], effects: Effects) -> dict[tuple[str, str], tuple[Suite, Case]]:
    """Map (phase, case id) to the case and its suite, for all phases in use."""
    phases = effects.config.harness().phases
    found: dict[tuple[str, str], tuple[Suite, Case]] = {}
    for phase in {spec.phase for spec in specs}:
        suite = effects.suites[phases[phase].suite]
        found |= {(phase, case.id): (suite, case) for case in suite.cases}
    return found
