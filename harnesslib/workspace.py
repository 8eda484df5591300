"""Where the program meets this machine: a folder becomes the effects that flows work with."""

from __future__ import annotations

import atexit
import os
import platform
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import msgspec

from harnesslib import machine_locks, processes, routing
from harnesslib.config_manager import ConfigManager
from harnesslib.errors import AuditError, InputError
from harnesslib.heartbeat import Beating
from harnesslib.lock_manager import LockManager
from harnesslib.ports import Client, Clock, Effects, Events
from harnesslib.proposal_store import ProposalFolder
from harnesslib.records import (
    EndpointConfig,
    HarnessConfig,
    LogEntry,
    Manifest,
    RoutingConfig,
    RunKind,
    SimulatedWorld,
    Suite,
)
from harnesslib.routing_log import RoutingLog
from harnesslib.run_store import RunStore
from harnesslib.storage import write_atomic
from harnesslib.suites import load_suite
from harnesslib.system_clock import SystemClock

if TYPE_CHECKING:
    from harnesslib.meta_harness_loop import Cycle

HARNESS_FILE = "harness.toml"


class Workspace:
    """A folder with ``harness.toml``: its stores, and on demand its endpoints.

    Parameters
    ----------
    root
        The folder. It need not be a workspace yet.

    Notes
    -----
    A context manager: leaving it stops the built-in servers that `effects` started.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()
        self.config = ConfigManager(self.root)
        self.runs = RunStore(self.root / "runs")
        self.log = RoutingLog(self.root / "routing_decisions.jsonl")
        self.locks = LockManager(self.root / ".locks", command=_command())
        self.clock: Clock = SystemClock()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop what was started."""
        self._open.close()

    def suites(self, config: HarnessConfig) -> dict[str, Suite]:
        """Load the suites that the phases name."""
        return {phase.suite: load_suite(phase.suite, root=self.root) for phase in config.phases.values()}

    def effects(self, run_id: str = "", *, endpoints: bool = True) -> Effects:
        """Return the effects of flows; `endpoints` also starts built-in servers and makes clients.

        Raises
        ------
        InputError
            `root` is no workspace, or its files are wrong.
        """
        self.require()
        config = self.config.harness()
        reached = self._endpoints(config) if endpoints else {}
        clients = {
            name: self.client(name, endpoint, [model.id for model in config.models if model.endpoint == name])
            for name, endpoint in reached.items()
        }
        return Effects(
            clock=self.clock,
            clients=clients,
            config=self.config,
            runs=self.runs,
            log=self.log,
            locks=self.locks,
            events=self._events(run_id, beating=endpoints),
            suites=self.suites(config),
            world=self._world(config),
            endpoints=reached,
            folder=str(self.root),
            proposals=ProposalFolder(self.root / "proposals"),
            machine_locks=self.machine_locks() if endpoints else None,
        )

    def _events(self, run_id: str, *, beating: bool) -> Events:
        if not run_id:
            return NoEvents()
        log = self.runs.event_log(run_id)
        if not beating:
            return log
        return self._open.enter_context(Beating(log, self.runs.path(run_id), self.clock.now))

    def stores(self) -> Effects:
        """Return the effects without endpoints and suites, which need no ``harness.toml`` that is right."""
        self.require()
        return Effects(
            clock=self.clock,
            clients={},
            config=self.config,
            runs=self.runs,
            log=self.log,
            locks=self.locks,
            events=NoEvents(),
            suites={},
        )

    def machine_locks(self) -> LockManager:
        """Return the locks that hold for all workspaces of this user on this machine."""
        return LockManager(machine_locks.folder(), command=_command())

    def exists(self) -> bool:
        """Whether the folder is a workspace."""
        return (self.root / HARNESS_FILE).is_file()

    def initialise(self, harness_toml: str, files: Mapping[str, str]) -> HarnessConfig:
        """Make the workspace: ``harness.toml``, further files, generation 1, the first log entry.

        Parameters
        ----------
        harness_toml
            The text; it is checked once written. It is the last of the files: who finds it can `finish`.
        files
            Name -> text of what it refers to.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in ("runs", "proposals"):
            (self.root / folder).mkdir(exist_ok=True)
        for name, text in {**files, HARNESS_FILE: harness_toml}.items():
            write_atomic(self.root / name, text.encode())
        return self.finish()

    def is_unfinished(self) -> bool:
        """Whether `initialise` was stopped after ``harness.toml``, or that file was written by hand."""
        stored, in_force = self.config.newest_stored(), self.config.routing_path.exists()
        fresh = stored == 1 or (stored == 0 and not in_force)
        return self.exists() and fresh and not self.log.entries()

    def finish(self) -> HarnessConfig:
        """Make what `initialise` makes of ``harness.toml``, where it is not there yet."""
        config = self.config.harness()
        self.suites(config)
        with self.locks.hold("routing", wait_s=30.0):
            if not self.config.routing_path.exists():
                self.config.initialise(routing.initial(config, now=self.clock.now()))
            self.log.repair()
            if not self.log.entries():
                first, digest = self.config.routing(), self.config.routing_sha256()
                self._log_first(first, digest, f"{len(config.models)} models, {len(config.phases)} phases")
        return config

    def migrate(self) -> tuple[RoutingConfig, Path]:
        """Bring a ``routing_config.json`` of version 1.0 to the present one, as the log's first entry.

        Stopped half way, it is made again, or its entry is written by the next change.

        Returns
        -------
        The generation in force, and where the old file lies now.

        Raises
        ------
        AuditError
            The log knows a generation of the present version: the old file was put over it.
        """
        with self.locks.hold("routing", wait_s=30.0):
            first = self.config.migrated(self.clock.now())
            self.log.repair()
            known = self.log.entries()
            if known:
                raise AuditError(
                    f"{self.config.routing_path}: is of version 1.0, and the log has {len(known)} entries of "
                    "a later one; cure: copy the generation that the log names last back from generations/"
                )
            digest, kept = self.config.migrate(first)
            self._log_first(first, digest, f"from version 1.0, which lies in {kept.relative_to(self.root)}")
        return first, kept

    def _log_first(self, first: RoutingConfig, digest: str, summary: str) -> None:
        self.log.append(
            LogEntry(
                seq=1,
                time=first.timestamp,
                event="init",
                generation=1,
                config_sha256=digest,
                summary=summary,
            )
        )

    def require(self) -> None:
        """Raise InputError when the folder is no workspace."""
        if not self.exists():
            raise InputError(
                f"{self.root}: no {HARNESS_FILE} here; make a workspace with `harness init` "
                "(or `harness init --demo` to try it with simulated models), or name one with --workspace"
            )

    def new_cycle(self, parameters: Mapping[str, Any] | None = None) -> str:
        """Make the run directory of a new cycle and return its id."""
        manifest = self.new_manifest("cycle", parameters or {})
        self.runs.create(manifest)
        return manifest.run_id

    def new_manifest(self, kind: RunKind, parameters: Mapping[str, Any]) -> Manifest:
        """Return the manifest of a run that begins now, in this process; nothing is written."""
        now = self.clock.now()
        config = self.config.harness()
        return Manifest(
            run_id=self.runs.new_run_id(now, kind),
            kind=kind,
            status="running",
            started_at=now,
            parameters=dict(parameters),
            environment=environment(),
            simulated=any(endpoint.simulator for endpoint in config.endpoints.values()),
            pid=os.getpid(),
            pid_started=processes.started(),
        )

    def _endpoints(self, config: HarnessConfig) -> dict[str, EndpointConfig]:
        """Start the built-in servers; returns the endpoints as a client needs them, addresses filled in."""
        served: dict[str, str] = {}
        found = dict(config.endpoints)
        for name, endpoint in config.endpoints.items():
            file = endpoint.simulator
            if file:
                served[file] = served.get(file) or self._serve(file)
                found[name] = msgspec.structs.replace(endpoint, base_url=served[file], simulator="")
        return found

    def _serve(self, simulator: str) -> str:
        from harnesslib.simulator.process import Simulator

        return self._open.enter_context(Simulator(self.root / simulator, self.root)).base_url

    def client(self, name: str, endpoint: EndpointConfig, models: Sequence[str] = ()) -> Client:
        """Make the client of an endpoint; nothing is connected yet."""
        from harnesslib.clients.opening import client_of

        return client_of(name, endpoint, clock=self.clock, folder=self.root, models=models)

    def _world(self, config: HarnessConfig) -> SimulatedWorld | None:
        from harnesslib.simulator.truth import load_world

        files = {endpoint.simulator for endpoint in config.endpoints.values() if endpoint.simulator}
        worlds = [load_world(self.root / file) for file in sorted(files)]
        if not worlds:
            return None
        models = tuple(model for world in worlds for model in world.models)
        return SimulatedWorld(version=worlds[0].version, models=models, seed=worlds[0].seed)


class NoEvents:
    """Nobody watches."""

    def emit(self, state: str, message: str, done: int = 0, total: int = 0, **facts: Any) -> None:  # noqa: ANN401
        """Say nothing."""


def _command() -> str:
    """Say what this process is, for lock notes: never its arguments, which could hold anything."""
    return os.environ.get("HARNESS_COMMAND", "python")


def environment() -> dict[str, str]:
    """Return the versions and the machine that a run depends on."""
    names = (
        "harnesslib",
        "papermill",
        "pandas",
        "scipy",
        "numpy",
        "matplotlib",
        "aiohttp",
        "duckdb",
        "msgspec",
    )
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        **{name: version(name) for name in names},
    }


def nearest(folder: Path | str) -> Path:
    """Return the workspace that `folder` is, or lies in; `folder` itself when there is none."""
    start = Path(folder).resolve()
    found = (place for place in (start, *start.parents) if (place / HARNESS_FILE).is_file())
    return next(found, start)


def open_workspace(root: Path | str = ".", run_id: str = "") -> Effects:
    """Open a workspace for as long as this process lives; its built-in servers stop with it.

    Examples
    --------
    >>> effects = open_workspace("demo")  # doctest: +SKIP
    """
    workspace = Workspace(nearest(root))
    atexit.register(workspace.close)
    return workspace.effects(run_id)


def open_cycle(root: Path | str = ".", run_id: str = "") -> Cycle:
    """Open a cycle for the life of this process, under the workspace's ``cycle`` lock.

    Parameters
    ----------
    root
        The workspace, or a folder inside it: a notebook's own folder will do.
    run_id
        A cycle to go on with, or to look at again (then nothing is locked or started); "" begins a new one.

    Raises
    ------
    LockedError
        Another cycle works in this workspace.
    """
    workspace = Workspace(nearest(root))
    workspace.require()
    if run_id and workspace.runs.manifest(run_id).status == "done":
        return _cycle(workspace.effects(endpoints=False), run_id)
    keep = ExitStack()
    atexit.register(keep.close)
    keep.enter_context(workspace.locks.hold("cycle", wait_s=0.5))
    keep.callback(workspace.close)
    run_id = run_id or workspace.new_cycle()
    with ThreadPoolExecutor(1) as beside:
        # The built-in server takes as long to start as the statistics take to load.
        effects = beside.submit(workspace.effects, run_id)
        import_module("harnesslib.meta_harness_loop")
        return _cycle(effects.result(), run_id)


def _cycle(effects: Effects, run_id: str) -> Cycle:
    from harnesslib.meta_harness_loop import Cycle

    return Cycle(effects, run_id)
