"""How a benchmark row is taken: a call of ours and a bare reference in turn, many times, and their medians.

Both are timed in the same run, in alternating blocks, so that a busy machine slows both. The ratio of the
medians is the result to compare between machines; the times themselves say more about the disk.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BLOCK = 10
"""Blocks of so many timings alternate between ours and the reference."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    `batch` calls are timed together where one is too short for the clock; `timings` is how many such timings
    are taken of each side.
    """

    name: str
    ours: Callable[[], object]
    reference_name: str
    reference: Callable[[], object]
    timings: int
    batch: int = 1


@dataclass(frozen=True)
class Timing:
    """Seconds per call: the median, and the value that one in twenty exceeds."""

    median_s: float
    p95_s: float
    calls: int


@dataclass(frozen=True)
class Result:
    """A row as it was measured."""

    name: str
    ours: Timing
    reference_name: str
    reference: Timing

    @property
    def ratio(self) -> float:
        """How many times the reference's median ours is."""
        return self.ours.median_s / self.reference.median_s


def measure(row: Row, *, quick: bool = False) -> Result:
    """Time a row; `quick` takes a few timings only, to see that it works."""
    timings = BLOCK if quick else row.timings
    ours: list[float] = []
    reference: list[float] = []
    for call in (row.ours, row.reference):
        call()  # the first call imports, makes files and fills caches
    gc.collect()
    gc.disable()
    try:
        while len(ours) < timings:
            ours += _block(row.ours, row.batch)
            reference += _block(row.reference, row.batch)
    finally:
        gc.enable()
    return Result(
        name=row.name,
        ours=_timing(ours, row.batch),
        reference_name=row.reference_name,
        reference=_timing(reference, row.batch),
    )


def _block(call: Callable[[], object], batch: int) -> Iterator[float]:
    for _ in range(BLOCK):
        began = time.perf_counter_ns()
        for _ in range(batch):
            call()
        yield (time.perf_counter_ns() - began) / batch / 1e9


def _timing(seconds: list[float], batch: int) -> Timing:
    return Timing(
        median_s=statistics.median(seconds),
        p95_s=statistics.quantiles(seconds, n=20)[-1],
        calls=len(seconds) * batch,
    )
