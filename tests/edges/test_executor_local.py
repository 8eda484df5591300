"""Coroutines from synchronous code, also inside a running loop, and jobs done by few workers."""

from __future__ import annotations

import asyncio
import signal
import threading

import pytest

from harnesslib.errors import EndpointError, InputError
from harnesslib.executors.local import complete, run_all


async def answer(value):
    await asyncio.sleep(0)
    return value


def test_a_coroutine_is_completed():
    assert 42 == complete(answer(42))


def test_it_works_where_a_loop_already_runs():
    async def notebook_cell():
        return complete(answer(42))

    assert 42 == asyncio.run(notebook_cell())


def test_an_error_arrives_as_it_is():
    async def fail():
        raise EndpointError("endpoint 'x': down")

    with pytest.raises(EndpointError, match="endpoint 'x': down"):
        complete(fail())


def test_no_thread_stays_behind():
    before = threading.active_count()
    complete(answer(1))
    assert before == threading.active_count()


def test_an_interrupt_cancels_the_coroutine_and_waits_for_its_end():
    said = []

    async def work():
        try:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            said.append("released")

    with pytest.raises(KeyboardInterrupt):
        complete(work())
    assert ["released"] == said


def test_results_are_in_the_order_of_the_jobs():
    async def main():
        last = asyncio.Event()

        async def worker(job):
            if job == 0:
                await last.wait()
            if job == 4:
                last.set()
            return job * 10

        return await run_all(range(5), worker, limit=2)

    assert (0, 10, 20, 30, 40) == complete(main())


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_no_more_than_the_limit_work_at_a_time_and_neighbours_start_together(limit):
    running, most, started = set(), [], []

    async def worker(job):
        started.append(job)
        running.add(job)
        most.append(len(running))
        await asyncio.sleep(0)
        running.remove(job)

    complete(run_all(range(10), worker, limit=limit))
    assert min(limit, 10) == max(most)
    assert list(range(10)) == started


def test_the_first_error_cancels_the_others():
    cancelled = []

    async def worker(job):
        if job == 1:
            raise EndpointError("down")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(job)
            raise

    with pytest.raises(EndpointError, match="down"):
        complete(run_all(range(9), worker, limit=3))
    assert {0} <= set(cancelled) <= {0, 2}


def test_nothing_to_do_is_nothing():
    assert () == complete(run_all([], answer, limit=4))


def test_a_limit_below_one_is_refused():
    with pytest.raises(InputError, match="expected at least 1"):
        complete(run_all([1], answer, limit=0))
