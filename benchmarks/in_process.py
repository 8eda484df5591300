"""Measure simulated models as a run does, without HTTP and without waiting: minutes pass in milliseconds.

The bench, the pace, the deadlines, the scoring and the simulated models are the real ones. What is replaced
is the line between them: an answer is written down and read as the OpenAI-compatible API has it, and time
jumps to the next thing that happens instead of passing.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from harnesslib import scoring
from harnesslib.executors.bench import Bench
from harnesslib.parsers import parse_native
from harnesslib.ports import Effects
from harnesslib.records import (
    Assignment,
    Baseline,
    ChatRequest,
    EndpointConfig,
    Estimate,
    Failure,
    HarnessConfig,
    ModelConfig,
    ModelInfo,
    PhaseConfig,
    Reply,
    RoutingConfig,
    Sample,
    SimulatedWorld,
    Spec,
    Suite,
)
from harnesslib.run_benchmark import sample_seed
from harnesslib.simulator import wire
from harnesslib.simulator.serving import ModelRoom, Question, StillLoadingError
from harnesslib.simulator.trouble import FaultError
from harnesslib.testing import memory_effects

T = TypeVar("T")
STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENDPOINT = "in_process"


class JumpingClock:
    """Time that jumps; the loop below moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        """Return the time of day."""
        return STARTED + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class _JumpingSelector(selectors.DefaultSelector):
    """Where a loop would wait for the next timer, let it be that time."""

    clock: JumpingClock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout:
            self.clock.seconds += timeout
        return ready


class _JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: JumpingClock) -> None:
        self._jumping = clock
        selector = _JumpingSelector()
        selector.clock = clock
        super().__init__(selector)

    def time(self) -> float:
        return self._jumping.seconds


class _AtOnce(ThreadPoolExecutor):
    """Does in the loop what a run does in a thread: writing into memory takes no time."""

    def submit(self, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:  # noqa: ANN401
        done: Future[T] = Future()
        done.set_result(work(*args, **kwargs))
        return done


def complete(coroutine: Coroutine[Any, Any, T], clock: JumpingClock) -> T:
    """Run a coroutine to its end in jumping time."""
    with asyncio.Runner(loop_factory=lambda: _JumpingLoop(clock)) as runner:
        runner.get_loop().set_default_executor(_AtOnce(1))
        return runner.run(coroutine)


class RoomClient:
    """The client of a room of simulated models, in this process."""

    def __init__(self, room: ModelRoom, clock: JumpingClock) -> None:
        self._room, self._clock = room, clock

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    async def chat(self, request: ChatRequest, timeout_s: float) -> Reply | Failure:
        """Ask once, for at most `timeout_s` seconds."""
        messages = msgspec.convert(request.messages, list[wire.ChatMessage])
        question = Question(messages, [tool.name for tool in request.tools], request.seed)
        asked = self._clock.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                served = await self._room.ask(request.model, question)
        except TimeoutError:
            return Failure(kind="timeout", detail=f"no answer within {timeout_s:.3g} s")
        except StillLoadingError:
            return Failure(kind="loading", detail="Loading model", status=503)
        except FaultError as fault:
            if fault.kind == "reset":
                return Failure(kind="infra_error", detail="connection broken: ServerDisconnectedError")
            return Failure(kind="infra_error", detail="HTTP 500: simulated fault", status=500)
        message = wire.openai_message(served.answer, served.conversation.length)
        calls, malformed = parse_native(message.get("tool_calls"))
        return Reply(
            calls=calls,
            text=message["content"] or "",
            malformed=malformed,
            served_model=request.model,
            latency_s=self._clock.monotonic() - asked,
            input_tokens=10,
            output_tokens=10,
        )

    async def models(self) -> tuple[ModelInfo, ...]:
        """List the models."""
        return tuple(ModelInfo(id=name, digest=digest) for name, digest in self._room.digests.items())

    async def unload(self, model: str) -> bool:
        """Unload a model."""
        self._room.move(model, 0)
        return True

    async def capabilities(self, model: str) -> tuple[str, ...] | None:  # noqa: ARG002 - the protocol's
        """Return none: it does not tell."""
        return None


class Laboratory:
    """One server with its models, measured in one run after another.

    Parameters
    ----------
    world
        Who is measured, and the truth about them.
    suite
        On what; its name is the phase's.
    """

    def __init__(self, world: SimulatedWorld, suite: Suite) -> None:
        scoring.preload()
        self.clock = JumpingClock()
        self._world, self._suite = world, suite
        self._room = ModelRoom(world, {suite.name: suite}, clock=self.clock.monotonic, sleep=self.clock.sleep)

    def run(
        self, specs: Sequence[Spec], *, run_id: str, repeats: int, concurrency: int, seed: int
    ) -> tuple[Sample, ...]:
        """Measure specs as `harness run` does, one beside the other; a day later than the run before.

        Raises
        ------
        EndpointError
            The bench gave the endpoint up.
        """
        effects = self._effects(specs, concurrency)
        jobs = self._jobs(specs, repeats, seed)
        with effects.runs.journal(run_id) as journal:
            bench = Bench(specs, effects, journal, run_id=run_id, state="run")
            bench.expect(jobs)
            complete(self._take(bench, jobs), self.clock)
            bench.release()
        bench.check()
        self.clock.seconds += 86400.0
        return effects.runs.samples(run_id)

    async def _take(self, bench: Bench, jobs: Sequence[Assignment]) -> None:
        async with bench.connected():
            await bench.take_all(jobs)

    def _jobs(self, specs: Sequence[Spec], repeats: int, seed: int) -> tuple[Assignment, ...]:
        jobs = [
            Assignment(
                stage="run",
                spec=spec,
                case_id=case.id,
                repeat=repeat,
                position=0,
                seed=sample_seed(seed, "run", spec.phase, case.id, repeat, 0),
                requested_model=spec.model,
            )
            for repeat in range(repeats)
            for case in self._suite.part("search")
            for spec in specs
        ]
        return tuple(sorted(jobs, key=lambda job: (job.repeat, sample_seed(job.seed, "order"))))

    def _effects(self, specs: Sequence[Spec], concurrency: int) -> Effects:
        models = tuple(ModelConfig(id=model.id, endpoint=ENDPOINT) for model in self._world.models)
        phase = PhaseConfig(suite=self._suite.name, baseline=models[0].id)
        harness = HarnessConfig(
            version=1,
            endpoints={ENDPOINT: EndpointConfig(base_url="http://127.0.0.1:1", concurrency=concurrency)},
            models=models,
            phases={self._suite.name: phase},
        )
        unknown = Estimate(value=None, low=None, high=None, level=0.95, n=0, method="none")
        baseline = Baseline(spec=specs[0], accuracy=unknown, restraint=unknown, run_ids=())
        routing = RoutingConfig(
            generation=1,
            parent_sha256="",
            timestamp=STARTED,
            rules=(),
            baselines={self._suite.name: baseline},
        )
        clients = {ENDPOINT: RoomClient(self._room, self.clock)}
        return memory_effects(harness, routing, clients, {self._suite.name: self._suite}, self.clock)  # type: ignore[arg-type]
