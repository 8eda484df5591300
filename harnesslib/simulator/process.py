"""The built-in model server as a child process, and as a program that runs until it is told to stop."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from harnesslib.errors import EndpointError, InputError
from harnesslib.records import SimulatedWorld, Suite

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHOWN_TAIL = 2000
"""Characters of the child's last words that an error shows."""


class Simulator:
    """The built-in server, running in a child process between ``with`` and its end.

    Parameters
    ----------
    world
        World file.
    suites_root
        Folder in which suites that are not packaged are found; none = the folder of `world`.
    ready_s, stop_s
        Seconds the child may take to start, and to end before it is killed.

    Notes
    -----
    The child ends when its standard input does, that is when this process is gone, however it went. That
    holds wherever pipes do, and unlike Linux's parent-death signal it isn't tied to the life of the
    thread that started the child.
    """

    def __init__(
        self,
        world: Path | str,
        suites_root: Path | str | None = None,
        *,
        ready_s: float = 20.0,
        stop_s: float = 3.0,
    ) -> None:
        self._world = Path(world).absolute()
        self._root = self._world.parent if suites_root is None else Path(suites_root).absolute()
        self._ready_s, self._stop_s = ready_s, stop_s
        self._child: subprocess.Popen[bytes] | None = None
        self._last_words: IO[bytes] | None = None
        self._base_url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """Where the server listens, without a path: ``http://127.0.0.1:PORT``."""
        if not self._base_url:
            raise EndpointError("model server: not running; cure: use it inside `with Simulator(...)`")
        return self._base_url

    @property
    def pid(self) -> int | None:
        """The child's process id, or none."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Start the child and wait until it serves; nothing happens when it runs.

        Raises
        ------
        EndpointError
            It ended or said nothing in time; the message holds its last words.
        """
        if self._child is not None:
            return
        program = (sys.executable, "-P", "-m", "harnesslib.simulator", "--lifeline", "--port", "0")
        files = ("--world", str(self._world), "--suites-root", str(self._root))
        self._last_words = tempfile.TemporaryFile()  # noqa: SIM115 - stop() closes it
        self._child = subprocess.Popen(  # noqa: S603 - this Python, with our own module
            [*program, *files],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._last_words,
            start_new_session=True,  # Ctrl-C is for the parent, which then stops the child
        )
        try:
            self._base_url = self._ready_line(self._child)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the child: ask, wait, kill. Nothing happens when none runs."""
        child, self._child, self._base_url = self._child, None, ""
        if child is not None:
            child.terminate()
            try:
                child.wait(self._stop_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
        if self._last_words is not None:
            self._last_words.close()
            self._last_words = None

    def _ready_line(self, child: subprocess.Popen[bytes]) -> str:
        says = child.stdout
        assert says is not None  # noqa: S101 - it was opened as a pipe
        line, deadline = b"", time.monotonic() + self._ready_s
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([says], [], [], left)[0]:
                raise EndpointError(self._failure(f"did not serve within {self._ready_s:g} s"))
            part = os.read(says.fileno(), 4096)
            if not part:
                raise EndpointError(self._failure(f"ended with exit code {child.wait()} before it served"))
            line += part
        try:
            return str(json.loads(line)["base_url"])
        except (ValueError, KeyError, TypeError) as error:
            raise EndpointError(self._failure(f"said {line[:200]!r} instead of where it serves")) from error

    def _failure(self, what: str) -> str:
        said = ""
        if self._last_words is not None:
            self._last_words.seek(0)
            said = self._last_words.read().decode("utf-8", "replace").strip()[-SHOWN_TAIL:]
        cure = "cure: correct what it names, or run `harness serve` to see it start"
        return f"model server for {self._world}: {what}; it said: {said or 'nothing'}; {cure}"


def serve(
    world: SimulatedWorld,
    suites: Mapping[str, Suite],
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], None] = lambda _base_url: None,
) -> None:
    """Serve in this process until SIGTERM or SIGINT; blocks.

    Parameters
    ----------
    world, suites
        Who answers, and what they know; `declared_suites` finds the suites of a world.
    host, port
        Where to listen: this machine only; port 0 = any free one.
    ready
        Called once with the base URL when connections are accepted.

    Raises
    ------
    InputError
        `host` is not this machine, or the suites can't be told apart.
    EndpointError
        The port is taken.
    """
    if host not in LOOPBACK:
        raise InputError(
            f"model server: host {host!r}: expected one of {', '.join(LOOPBACK)}; cure: use the first"
        )
    import asyncio

    from harnesslib.simulator.server import run
    from harnesslib.simulator.serving import ModelRoom

    asyncio.run(run(ModelRoom(world, suites), host, port, ready))


def declared_suites(world: SimulatedWorld, root: Path) -> dict[str, Suite]:
    """Load every suite that a model of the world declares something for, by name.

    A suite that is not packaged is looked for as ``NAME.toml`` or ``NAME.json`` in `root` and in its
    folder ``suites``.

    Raises
    ------
    InputError
        There is no such suite, or it is not sound.
    """
    from harnesslib.suites import load_suite, packaged

    found: dict[str, Suite] = {}
    for name in dict.fromkeys(name for model in world.models for name in model.phases):
        places = [f"{folder}{name}{ending}" for folder in ("", "suites/") for ending in (".toml", ".json")]
        place = next((place for place in places if (root / place).is_file()), name)
        found[name] = load_suite(name if name in packaged() else place, root=root)
        if found[name].name != name:
            cure = "cure: give the phase in the world file the suite's name"
            raise InputError(f"suite {place}: expected the name {name!r}, got {found[name].name!r}; {cure}")
    return found
