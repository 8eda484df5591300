"""Take one sample and end: ``python -m harnesslib.executors.isolated``.

Reads one job as JSON on standard input (see `apart.Job`). Writes an empty line when it is ready to ask, and
then the sample as JSON. What else is printed goes to standard error. Keys come from the environment only.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from harnesslib import scoring
from harnesslib.clients.opening import client_of
from harnesslib.errors import HarnessError
from harnesslib.executors.apart import Job
from harnesslib.executors.attempt import Target, take
from harnesslib.ports import Client
from harnesslib.records import Sample, decode, encode
from harnesslib.system_clock import SystemClock


def main() -> int:
    """Take the sample; returns the exit code."""
    said, sys.stdout = sys.stdout, sys.stderr
    clock = SystemClock()
    try:
        job = decode(sys.stdin.buffer.read(), Job, "standard input")
        client = client_of(job.endpoint_name, job.endpoint, clock=clock, folder=Path(job.folder))
        target = Target(
            client, clock, job.run_id, price=job.price, concurrency=job.concurrency, prompt=job.prompt
        )
        if any(len(calls) > 1 for turn in job.suite.cases[0].turns for calls in turn.accept):
            # It takes long to load, is needed for several calls only, and must not count as waiting.
            scoring.preload()
        said.write("\n")
        said.flush()
        said.write(encode(asyncio.run(_taken(job, client, target))).decode())
        said.flush()
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


async def _taken(job: Job, client: Client, target: Target) -> Sample:
    async with client:
        return await take(job.assignment, job.suite.cases[0], job.suite, target)


if __name__ == "__main__":
    sys.exit(main())
