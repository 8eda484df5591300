"""Programs: started without a shell, fed, read up to a bound, and ended with all that they started."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harnesslib.ports import Clock

MAX_OUTPUT_BYTES = 8 * 1024 * 1024
LAST_WORDS_BYTES = 2000
"""How much of what a program last wrote to standard error is kept."""

_CHUNK_BYTES = 65536


_NEEDED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME")
"""What any program needs; everything else, keys above all, has to be named."""


@dataclass(slots=True)
class Ended:
    """A process that has ended: what it wrote, and when the first of it came."""

    code: int
    body: bytes
    last_words: str
    too_long: bool
    seconds: float
    first_byte_s: float | None


async def run(
    command: Sequence[str],
    request: bytes,
    *,
    folder: Path,
    clock: Clock,
    heard: Callable[[], None] = lambda: None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program to its end.

    Parameters
    ----------
    command
        The program and its arguments.
    request
        What it is given on standard input. A program may answer without having read it.
    folder
        Where it is started.
    clock
        Measures how long it takes.
    heard
        Called when the first byte of its output has come.
    environment
        All the variables that it sees; none: those of this process.

    Raises
    ------
    OSError
        It can't be started.

    Notes
    -----
    It leads a process group of its own. That group is killed when the program has ended, when it writes
    more than the bound, and when the caller gives up.
    """
    started = clock.monotonic()
    process = await _started(command, folder, environment)
    try:
        work = (_feed(process, request), _output(process, clock, heard), _last_words(process))
        _, (body, first_byte), last_words = await asyncio.gather(*work)
        code = await process.wait()
    finally:
        await _end(process)
    return Ended(
        code=code,
        body=body,
        last_words=last_words,
        too_long=len(body) > MAX_OUTPUT_BYTES,
        seconds=clock.monotonic() - started,
        first_byte_s=None if first_byte is None else first_byte - started,
    )


def environment_of(names: Iterable[str]) -> dict[str, str]:
    """Return what a program that is not ours may see: what any program needs, and the variables named."""
    seen = {*_NEEDED, *names}
    return {name: value for name, value in os.environ.items() if name in seen}


def ending(code: int) -> str:
    """Return how a program ended, in words: "ended with exit code 3", "was ended by SIGSEGV"."""
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


async def _started(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None) -> Process:
    """Start the program. Given up meanwhile, it is ended with its whole group, once it is known."""
    starting = asyncio.create_task(
        asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with suppress(OSError):
            await _end(await starting)
        raise


async def _output(process: Process, clock: Clock, heard: Callable[[], None]) -> tuple[bytes, float | None]:
    """Read standard output up to the bound, and note when the first byte came."""
    parts, size, first_byte = [], 0, None
    while part := await _of(process.stdout).read(_CHUNK_BYTES):
        if first_byte is None:
            first_byte = clock.monotonic()
            heard()
        if size > MAX_OUTPUT_BYTES:
            continue  # what a killed program leaves in the pipe
        parts.append(part)
        size += len(part)
        if size > MAX_OUTPUT_BYTES:
            _kill(process)
    return b"".join(parts), first_byte


async def _feed(process: Process, request: bytes) -> None:
    """Write the request; a program may answer without having read it."""
    pipe = _of(process.stdin)
    try:
        pipe.write(request)
        await pipe.drain()
        pipe.close()
    except ConnectionError:
        return


async def _last_words(process: Process) -> str:
    """Read standard error to its end, and keep its tail."""
    kept = b""
    while part := await _of(process.stderr).read(_CHUNK_BYTES):
        kept = (kept + part)[-LAST_WORDS_BYTES:]
    return kept.decode("utf-8", "replace").strip()


async def _end(process: Process) -> None:
    """Kill what is left of a program, and let its pipes go even where a process that fled holds them."""
    _kill(process)
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio has no public way
    await process.wait()


def _kill(process: Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _of(pipe: Any) -> Any:  # noqa: ANN401 - asyncio types a pipe as one that may not be there
    assert pipe is not None  # noqa: S101 - it was asked for
    return pipe
