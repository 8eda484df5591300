"""One sample in a process of its own, so that a crash or a leak in it touches no other."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harnesslib.errors import DataError
from harnesslib.executors.attempt import Price, Target, lost
from harnesslib.ports import Clock
from harnesslib.programs import Ended, ending, run
from harnesslib.records import Assignment, Case, EndpointConfig, Prompt, Sample, Suite, decode, encode
from harnesslib.records.base import Record

PROGRAM = (sys.executable, "-P", "-m", "harnesslib.executors.isolated")
START_UP_S = 60.0
GRACE_S = 1.0
"""How much longer than its deadline a process may take before it is killed."""

_SHOWN = 160


class Job(Record):
    """What the process is told. Keys are not in it: it finds them in its environment.

    `suite` holds the one case that is asked. `folder` is where programs are started.
    """

    assignment: Assignment
    suite: Suite
    endpoint_name: str
    endpoint: EndpointConfig
    folder: str
    run_id: str
    price: Price
    concurrency: int
    prompt: Prompt | None = None


@dataclass(frozen=True)
class Place:
    """How a process of its own reaches an endpoint."""

    name: str
    endpoint: EndpointConfig
    folder: str


async def take_apart(
    assignment: Assignment, case: Case, suite: Suite, target: Target, place: Place
) -> Sample:
    """Take one sample as `take` does, in a new process.

    Returns
    -------
    Sample
        Always. A process that crashes, says what is no sample, or is still there 1 s after the deadline (it
        is killed then, with all that it started) makes an ``infra_error`` that says so.

    Notes
    -----
    The time that the process takes to start belongs to no sample: the deadline begins when it is ready.
    """
    started_at = target.clock.now()
    job = Job(
        assignment=assignment,
        suite=msgspec.structs.replace(suite, cases=(case,)),
        endpoint_name=place.name,
        endpoint=place.endpoint,
        folder=place.folder,
        run_id=target.run_id,
        price=target.price,
        concurrency=target.concurrency,
        prompt=target.prompt,
    )
    said = await _said(job, target.clock)
    if isinstance(said, Sample):
        return said
    return lost(assignment, case, suite, target, detail=said, started_at=started_at)


async def _said(job: Job, clock: Clock) -> Sample | str:
    """Return the sample, or why there is none."""
    timeout_s = job.assignment.spec.settings.timeout_s
    loop = asyncio.get_running_loop()
    ready = False
    try:
        async with asyncio.timeout(START_UP_S) as limit:

            def begin() -> None:
                nonlocal ready
                ready = True
                limit.reschedule(loop.time() + timeout_s + GRACE_S)

            ended = await run(PROGRAM, encode(job), folder=Path(), clock=clock, heard=begin)
    except TimeoutError:
        late = f"did not end by its deadline of {timeout_s:g} s" if ready else "was never ready"
        return f"isolated process was killed: it {late}"
    except OSError as error:
        return f"isolated process can't be started: {error.strerror}"
    return _read(ended, job)


def _read(ended: Ended, job: Job) -> Sample | str:
    if ended.code or ended.too_long:
        how = "wrote too much" if ended.too_long else ending(ended.code)
        return f"isolated process {how}: {' '.join(ended.last_words.split())[-_SHOWN:] or 'it said nothing'}"
    try:
        sample = decode(ended.body, Sample, "isolated process")
    except DataError as error:
        return f"isolated process said no sample: {error}"[: 2 * _SHOWN]
    if sample.key != job.assignment.key:
        return f"isolated process said another sample: of {sample.case_id}"
    return sample
