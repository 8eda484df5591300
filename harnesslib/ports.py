"""The effects that flows need, as protocols: what a flow may do to the world stands here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from harnesslib.records import (
    ChatRequest,
    EndpointConfig,
    Failure,
    HarnessConfig,
    LockOwner,
    LogEntry,
    Manifest,
    ModelInfo,
    ProposalVerdict,
    Reply,
    RoutingConfig,
    Sample,
    SimulatedWorld,
    Submitted,
    Suite,
)

T = TypeVar("T")


class Clock(Protocol):
    """Time, and waiting."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never jump."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Client(Protocol):
    """One endpoint. It makes one attempt per call; retries and deadlines belong to the runner."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    async def chat(self, request: ChatRequest, timeout_s: float) -> Reply | Failure:
        """Ask once, for at most `timeout_s` seconds."""

    async def models(self) -> tuple[ModelInfo, ...]:
        """List the models without loading any; EndpointError when the endpoint can't be used."""

    async def unload(self, model: str) -> bool:
        """Unload a model; false where the endpoint has no way to do so."""

    async def capabilities(self, model: str) -> tuple[str, ...] | None:
        """Return what a model can do, such as "tools", without loading it; none = the endpoint can't tell."""


class Journal(Protocol):
    """Where samples go as they end."""

    def append(self, sample: Sample) -> None:
        """Add one line; it is on disk when the journal is closed, and in the file at once."""


class RunStore(Protocol):
    """Run directories. Records are written once."""

    def create(self, manifest: Manifest) -> None:
        """Make the directory of a new run."""

    def manifest(self, run_id: str) -> Manifest:
        """Return a run's manifest."""

    def manifests(self) -> tuple[Manifest, ...]:
        """Return all manifests, oldest first."""

    def save_manifest(self, manifest: Manifest) -> None:
        """Replace a run's manifest; refused once the run is sealed."""

    def put(self, run_id: str, name: str, record: object) -> None:
        """Write ``<name>.json``; DataError when it exists with other content."""

    def load(self, run_id: str, name: str, type_: type[T]) -> T | None:
        """Read ``<name>.json``; none when it does not exist."""

    def journal(self, run_id: str) -> AbstractContextManager[Journal]:
        """Open the journal for appending; a torn last line is cut off first."""

    def samples(self, run_id: str) -> tuple[Sample, ...]:
        """Return all finished samples of a run."""

    def seal(self, manifest: Manifest) -> Manifest:
        """Write ``samples.parquet``, hash every file into the manifest, and close the run for good."""


class ConfigStore(Protocol):
    """``harness.toml`` and ``routing_config.json``."""

    def harness(self) -> HarnessConfig:
        """Read ``harness.toml``."""

    def routing(self) -> RoutingConfig:
        """Read the generation in force."""

    def routing_sha256(self) -> str:
        """Return the hash of the file in force."""

    def generation(self, generation: int) -> RoutingConfig:
        """Read a stored generation."""

    def next_generation(self) -> int:
        """Return a number no generation ever had."""

    def save(self, config: RoutingConfig, *, expected_generation: int) -> str:
        """Write a new generation and return its hash; ConflictError when another one is in force."""

    def restore(self, generation: int, *, expected_generation: int) -> str:
        """Put a stored generation in force, byte for byte, and return its hash."""


class DecisionLog(Protocol):
    """``routing_decisions.jsonl``."""

    def append(self, entry: LogEntry) -> LogEntry:
        """Chain, write and fsync one entry; returns it with its hashes."""

    def entries(self) -> tuple[LogEntry, ...]:
        """Return all entries; AuditError when the chain is broken."""

    def repair(self) -> None:
        """Cut off a torn last line: what a stopped append left, and nobody was told of."""


class Locks(Protocol):
    """Named locks of a workspace."""

    def hold(self, name: str, *, wait_s: float) -> AbstractContextManager[None]:
        """Hold a lock; LockedError naming the owner after `wait_s`."""

    def owner(self, name: str) -> LockOwner | None:
        """Return who holds a lock, or none."""


class ProposalStore(Protocol):
    """What was dropped into ``proposals/``, and the answers."""

    def submitted(self) -> tuple[Submitted, ...]:
        """Return the files, by name; what can't be read is one with a problem."""

    def verdict(self, name: str) -> ProposalVerdict | None:
        """Return the answer to a proposal, or none."""

    def answer(self, verdict: ProposalVerdict) -> None:
        """Write the answer to a proposal."""

    def submit(self, name: str, text: str) -> None:
        """Add a proposal."""


class NoProposals:
    """Nobody proposes anything."""

    def submitted(self) -> tuple[Submitted, ...]:
        """Return nothing."""
        return ()

    def verdict(self, name: str) -> ProposalVerdict | None:
        """Return none."""

    def answer(self, verdict: ProposalVerdict) -> None:
        """Tell nobody."""

    def submit(self, name: str, text: str) -> None:
        """Forget it."""


class Events(Protocol):
    """Progress for whoever watches."""

    def emit(self, state: str, message: str, done: int = 0, total: int = 0, **facts: Any) -> None:  # noqa: ANN401
        """Say something; `facts` are further fields of the Event record."""


@dataclass(frozen=True)
class Effects:
    """Everything a flow may touch. `clients` maps an endpoint's name to its client.

    `endpoints` and `folder` are what a process of its own needs to make such a client: the endpoints with
    the address that they are reached at, and where programs are started. `machine_locks` hold for all
    workspaces on this machine; none where nobody else is about.
    """

    clock: Clock
    clients: Mapping[str, Client]
    config: ConfigStore
    runs: RunStore
    log: DecisionLog
    locks: Locks
    events: Events
    suites: Mapping[str, Suite]
    world: SimulatedWorld | None = None
    endpoints: Mapping[str, EndpointConfig] = field(default_factory=dict)
    folder: str = "."
    proposals: ProposalStore = field(default_factory=NoProposals)
    machine_locks: Locks | None = None
