"""On this machine: a coroutine run to its end from synchronous code, and many jobs done by a few workers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

from harnesslib.errors import InputError

T = TypeVar("T")
Job = TypeVar("Job")


def complete(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and return its result.

    It runs in a thread of its own with its own event loop, so that this also works where a loop already
    runs, as in a Jupyter kernel. When the waiting thread is interrupted (Ctrl-C), the coroutine is cancelled,
    and what it holds is released before the interrupt goes on.
    """
    with _loop_in_thread() as loop:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


async def run_all(jobs: Iterable[Job], worker: Callable[[Job], Awaitable[T]], limit: int) -> tuple[T, ...]:
    """Do jobs in their order, at most `limit` at a time; returns the results in the order of the jobs.

    Jobs that stand side by side also start side by side: a free worker takes the next one.

    Raises
    ------
    InputError
        `limit` is below 1.
    Exception
        The first error of a worker; the other jobs are then cancelled.
    """
    if limit < 1:
        raise InputError(
            f"run_all: limit; got {limit}, expected at least 1; correct the endpoint's concurrency"
        )
    waiting = enumerate(jobs)
    results: dict[int, T] = {}

    async def work() -> None:
        for index, job in waiting:
            results[index] = await worker(job)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(limit):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        # Callers deal with harnesslib's errors, not with groups; the first one is the cause.
        raise errors.exceptions[0] from None
    return tuple(results[index] for index in sorted(results))


@contextmanager
def _loop_in_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """Yield a running loop; on leaving, its tasks are cancelled and awaited, and its thread ends."""
    started: Future[asyncio.AbstractEventLoop] = Future()

    def serve() -> None:
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            loop.call_soon(started.set_result, loop)
            loop.run_forever()

    thread = threading.Thread(target=serve, name="harnesslib-loop")
    thread.start()
    loop = started.result()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
