"""Stand-ins for every effect, in memory: tests of flows run on them, here and in code that builds on this.

They keep the promises of `harnesslib.ports` and nothing else: records are written once, a routing config is
saved only over the generation it was made for, a lock that is held can't be taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from harnesslib.errors import ConflictError, DataError, EndpointError, LockedError
from harnesslib.ports import Client, Effects
from harnesslib.records import (
    SPLITS,
    Call,
    Case,
    ChatRequest,
    EndpointConfig,
    ExpectedCall,
    Failure,
    HarnessConfig,
    LockOwner,
    LogEntry,
    Manifest,
    ModelConfig,
    ModelInfo,
    PhaseConfig,
    Reply,
    RoutingConfig,
    Sample,
    Settings,
    Split,
    Suite,
    Tool,
    Turn,
    encode,
    encode_pretty,
    sha256,
)
from harnesslib.variants import are_results

T = TypeVar("T")
EPOCH = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeClock:
    """Time that passes only when somebody waits, or when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return EPOCH + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Return seconds that never jump."""
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds

    async def sleep(self, seconds: float) -> None:
        """Let time pass, and let others work."""
        self.pauses.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)


USUAL_S = 0.01
"""How long an answer takes, if nothing else is said; a `FakeClient` varies it by the seed of the request."""


def reply(*calls: Call, text: str = "", **fields: Any) -> Reply:  # noqa: ANN401 - fields of a record
    """Return a reply with the usual fields, and others as given."""
    known = {"malformed": "", "served_model": "served", "latency_s": USUAL_S, "text": text, "calls": calls}
    return msgspec.convert(known | fields, Reply, from_attributes=True)


def tiny_suite(name: str, *, cases: int = 4) -> Suite:
    """Return a suite with one tool; each split has `cases` cases, of which every fourth wants no call.

    The user of case "search-1" says "search-1: 1", and the right call is ``double`` with ``{"number": 1}``.
    """
    tool = Tool(
        name="double",
        description="Double a number.",
        parameters={
            "type": "object",
            "properties": {"number": {"type": "integer"}},
            "required": ["number"],
        },
    )
    made = [
        _tiny_case(f"{split}-{number}", split, number, calls=number % 4 != 0)
        for split in SPLITS
        for number in range(1, cases + 1)
    ]
    return Suite(
        name=name, version="1", title=name, description="For tests.", tools=(tool,), cases=tuple(made)
    )


def _tiny_case(case_id: str, split: Split, number: int, *, calls: bool) -> Case:
    right = (ExpectedCall(name="double", arguments={"number": number}),) if calls else ()
    turn = Turn(user=f"{case_id}: {number}", accept=(right,))
    return Case(id=case_id, skill="doubling", split=split, turns=(turn,), tools=("double",), notes="")


def tiny_harness(*models: str, phase: str = "atomic", **settings: Any) -> HarnessConfig:  # noqa: ANN401
    """Return a harness of one phase and one endpoint "local"; the first model is the baseline."""
    return HarnessConfig(
        version=1,
        endpoints={"local": EndpointConfig(base_url="http://127.0.0.1:1", concurrency=2)},
        models=tuple(ModelConfig(id=model, endpoint="local") for model in models),
        phases={phase: PhaseConfig(suite=phase, baseline=models[0], settings=Settings(**settings))},
    )


def right_answer(request: ChatRequest) -> Reply:
    """Answer a request of `tiny_suite` as it should be answered."""
    asked = request.messages[-1]
    if asked["role"] != "user" or are_results(asked["content"]) or ": " not in asked["content"]:
        return reply(text="Done.")
    number = int(asked["content"].partition(": ")[2])
    return reply(Call(name="double", arguments={"number": number})) if number % 4 else reply(text="No.")


class FakeClient:
    """An endpoint that answers as a function says, and tells what its models can do if a test fills `can`.

    Parameters
    ----------
    answer
        What is said to a request; a timeout should advance the test's clock itself.
    models
        What is offered.
    can_unload
        Whether the endpoint can unload models.
    """

    def __init__(
        self,
        answer: Callable[[ChatRequest], Reply | Failure],
        *,
        models: tuple[str, ...] = (),
        can_unload: bool = True,
    ) -> None:
        self._answer = answer
        self._models = models
        self._can_unload = can_unload
        self.requests: list[ChatRequest] = []
        self.timeouts: list[float] = []
        self.history: list[tuple[str, str]] = []
        self.can: dict[str, tuple[str, ...]] = {}
        self.is_open = False

    async def __aenter__(self) -> Self:
        self.is_open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.is_open = False

    async def chat(self, request: ChatRequest, timeout_s: float) -> Reply | Failure:
        """Ask once."""
        if not self.is_open:
            raise EndpointError("FakeClient: not open; use it inside `async with`")
        self.requests.append(request)
        self.timeouts.append(timeout_s)
        self.history.append(("chat", request.model))
        await asyncio.sleep(0)
        answer = self._answer(request)
        if isinstance(answer, Reply) and answer.latency_s == USUAL_S:
            # Times that never differ are those of a cache.
            return msgspec.structs.replace(answer, latency_s=USUAL_S * (1 + request.seed % 997 / 997))
        return answer

    async def models(self) -> tuple[ModelInfo, ...]:
        """List the models."""
        return tuple(ModelInfo(id=model) for model in self._models)

    async def unload(self, model: str) -> bool:
        """Unload a model."""
        self.history.append(("unload", model))
        return self._can_unload

    async def capabilities(self, model: str) -> tuple[str, ...] | None:
        """Say what a model can do."""
        return self.can.get(model)


class _MemoryJournal:
    def __init__(self, lines: list[Sample]) -> None:
        self._lines = lines

    def append(self, sample: Sample) -> None:
        self._lines.append(sample)


class MemoryRunStore:
    """Runs that are gone with the process."""

    def __init__(self) -> None:
        self._manifests: dict[str, Manifest] = {}
        self._records: dict[tuple[str, str], bytes] = {}
        self._samples: dict[str, list[Sample]] = {}

    def create(self, manifest: Manifest) -> None:
        """Make a new run."""
        if manifest.run_id in self._manifests:
            raise DataError(f"run {manifest.run_id}: exists already; choose another id")
        self._manifests[manifest.run_id] = manifest
        self._samples[manifest.run_id] = []

    def manifest(self, run_id: str) -> Manifest:
        """Return a run's manifest."""
        if run_id not in self._manifests:
            raise DataError(f"run {run_id}: there is none; known: {', '.join(self._manifests) or 'none'}")
        return self._manifests[run_id]

    def manifests(self) -> tuple[Manifest, ...]:
        """Return all manifests, oldest first."""
        return tuple(self._manifests[run_id] for run_id in sorted(self._manifests))

    def save_manifest(self, manifest: Manifest) -> None:
        """Replace a run's manifest; refused once the run is sealed."""
        if self.manifest(manifest.run_id).status == "done":
            raise DataError(f"run {manifest.run_id}: is sealed; begin a new one")
        self._manifests[manifest.run_id] = manifest

    def put(self, run_id: str, name: str, record: object) -> None:
        """Write a record; DataError when it exists with other content."""
        data = encode(record)
        if self._records.setdefault((run_id, name), data) != data:
            raise DataError(f"run {run_id}: {name}.json exists with other content; begin a new run")

    def load(self, run_id: str, name: str, type_: type[T]) -> T | None:
        """Read a record; none when it does not exist."""
        data = self._records.get((run_id, name))
        return None if data is None else msgspec.json.decode(data, type=type_)

    @contextmanager
    def journal(self, run_id: str) -> Iterator[_MemoryJournal]:
        """Open the journal for appending."""
        yield _MemoryJournal(self._samples.setdefault(run_id, []))

    def samples(self, run_id: str) -> tuple[Sample, ...]:
        """Return all finished samples of a run."""
        return tuple(self._samples.get(run_id, ()))

    def seal(self, manifest: Manifest) -> Manifest:
        """Close the run for good."""
        self.save_manifest(manifest)
        return manifest


class MemoryConfigStore:
    """A ``harness.toml`` and a routing config with all its generations."""

    def __init__(self, harness: HarnessConfig, routing: RoutingConfig) -> None:
        self._harness = harness
        self._generations = {routing.generation: routing}
        self._current = routing.generation

    def harness(self) -> HarnessConfig:
        """Read ``harness.toml``."""
        return self._harness

    def routing(self) -> RoutingConfig:
        """Read the generation in force."""
        return self._generations[self._current]

    def routing_sha256(self) -> str:
        """Return the hash of the generation in force."""
        return sha256(encode_pretty(self.routing()))

    def generation(self, generation: int) -> RoutingConfig:
        """Read a stored generation."""
        if generation not in self._generations:
            raise DataError(f"generation {generation}: there is none; known: {sorted(self._generations)}")
        return self._generations[generation]

    def next_generation(self) -> int:
        """Return a number no generation ever had."""
        return max(self._generations) + 1

    def save(self, config: RoutingConfig, *, expected_generation: int) -> str:
        """Write a new generation and return its hash."""
        self._expect(expected_generation)
        self._generations[config.generation] = config
        self._current = config.generation
        return self.routing_sha256()

    def restore(self, generation: int, *, expected_generation: int) -> str:
        """Put a stored generation in force and return its hash."""
        self._expect(expected_generation)
        self._current = self.generation(generation).generation
        return self.routing_sha256()

    def _expect(self, generation: int) -> None:
        if generation != self._current:
            raise ConflictError(
                f"routing config: generation {self._current} is in force, expected {generation}; decide again"
            )


class MemoryLog:
    """Decisions, in order."""

    def __init__(self) -> None:
        self._entries: list[LogEntry] = []

    def append(self, entry: LogEntry) -> LogEntry:
        """Add one entry, numbered and chained."""
        previous = self._entries[-1].sha256 if self._entries else ""
        numbered = msgspec.structs.replace(entry, seq=len(self._entries) + 1, prev_sha256=previous, sha256="")
        self._entries.append(msgspec.structs.replace(numbered, sha256=sha256(encode(numbered))))
        return self._entries[-1]

    def entries(self) -> tuple[LogEntry, ...]:
        """Return all entries."""
        return tuple(self._entries)

    def repair(self) -> None:
        """Do nothing: no line is ever torn in memory."""


class MemoryLocks:
    """Locks of one process; `taken` lists all that were ever held, in order."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.taken: list[str] = []

    @contextmanager
    def hold(self, name: str, *, wait_s: float) -> Iterator[None]:
        """Hold a lock; LockedError at once when it is held."""
        if name in self.held:
            raise LockedError(f"lock '{name}' is held in this process; waited {wait_s:g} s; try again")
        self.held.add(name)
        self.taken.append(name)
        try:
            yield
        finally:
            self.held.remove(name)

    def owner(self, name: str) -> LockOwner | None:
        """Return who holds a lock, or none."""
        if name not in self.held:
            return None
        return LockOwner(pid=1, pid_started=0.0, boot_id="", host="", command="test", since=EPOCH)


class MemoryEvents:
    """What was said: (state, message, done, total), and in `facts` what came with it."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, int, int]] = []
        self.facts: list[dict[str, Any]] = []

    def emit(self, state: str, message: str, done: int = 0, total: int = 0, **facts: Any) -> None:  # noqa: ANN401
        """Say something."""
        self.said.append((state, message, done, total))
        self.facts.append(facts)


def memory_effects(
    harness: HarnessConfig,
    routing: RoutingConfig,
    clients: Mapping[str, Client],
    suites: Mapping[str, Suite],
    clock: FakeClock | None = None,
) -> Effects:
    """Return effects that leave no trace. The stand-ins are found again as its fields."""
    return Effects(
        clock=clock or FakeClock(),
        clients=clients,
        config=MemoryConfigStore(harness, routing),
        runs=MemoryRunStore(),
        log=MemoryLog(),
        locks=MemoryLocks(),
        events=MemoryEvents(),
        suites=suites,
    )
