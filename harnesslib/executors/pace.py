"""How much is asked of an endpoint at once: less when it says "too many requests", slowly more after that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from harnesslib.ports import Clock
from harnesslib.records import Failure, Reply, Sample

TOO_MANY_REQUESTS = 429
CUT = 0.5
ANSWERS_TO_RISE = 20
LONGEST_REST_S = 300.0


class Pace:
    """The level: how many samples of an endpoint may be worked on, and when nothing may be asked at all.

    It starts at `most`. A refusal halves it, at least to 1; after every 20 answers without a refusal it goes
    up by 1, never beyond `most`.

    Parameters
    ----------
    most
        The configured concurrency.

    Notes
    -----
    Additive increase, multiplicative decrease, as in the congestion control of TCP (Chiu and Jain 1989).
    Requests that were under way when the level was cut were sent at the old level: their refusals, which
    come in a bunch, don't cut it again. `wave` counts the cuts to tell them apart.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.level = most
        self.wave = 0
        self._answers = 0
        self._rest_until = float("-inf")

    def answered(self) -> bool:
        """Take note of an answer; returns whether the level went up."""
        self._answers += 1
        if self.level >= self.most or self._answers < ANSWERS_TO_RISE:
            return False
        self._answers = 0
        self.level += 1
        return True

    def refused(self, wave: int, now: float, retry_after_s: float | None) -> bool:
        """Take note of a refusal to a request sent in `wave`; returns whether that changed anything.

        `retry_after_s` holds for the whole endpoint; more than 300 s are not waited for.
        """
        self._answers = 0
        until = now + min(retry_after_s or 0.0, LONGEST_REST_S)
        longer = until > max(self._rest_until, now)
        self._rest_until = max(self._rest_until, until)
        if wave != self.wave:
            return longer
        self.wave += 1
        self.level = max(1, int(self.level * CUT))
        return True

    def rest_s(self, now: float) -> float:
        """Return how long the endpoint wants to be left alone."""
        return max(0.0, self._rest_until - now)


class Gate:
    """Lets samples of one endpoint through at its pace.

    Parameters
    ----------
    name
        The endpoint.
    most
        Its configured concurrency.
    clock
        Tells when its rest is over, and waits for that.
    say
        Told when the pace changes.
    """

    def __init__(self, name: str, most: int, clock: Clock, say: Callable[[str], None]) -> None:
        self.pace = Pace(most)
        self._name = name
        self._clock = clock
        self._say = say
        self._inside = 0
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[None]:
        """Wait for a place, and hold it."""
        while self._inside >= self.pace.level:
            self._changed.clear()
            await self._changed.wait()
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._changed.set()

    async def rest(self, deadline: float = float("inf")) -> None:
        """Wait while the endpoint wants to be left alone; not at all where that lasts beyond `deadline`."""
        while 0 < (rest_s := self.pace.rest_s(now := self._clock.monotonic())) < deadline - now:
            await self._clock.sleep(rest_s)

    def note(self, answer: Reply | Failure, wave: int) -> None:
        """Take note of what came back for a request that was sent in `wave`."""
        if isinstance(answer, Reply):
            self._answered()
        elif answer.status == TOO_MANY_REQUESTS:
            self._refused(wave, answer.retry_after_s)

    def note_from(self, sample: Sample, wave: int) -> None:
        """Take note of a sample that was taken elsewhere: of its requests only the outcome is known."""
        if sample.outcome != "infra_error":
            self._answered()
        elif f" {TOO_MANY_REQUESTS}" in sample.detail.partition(":")[0]:
            self._refused(wave, None)

    def _answered(self) -> None:
        if self.pace.answered():
            self._changed.set()
            self._say(f"endpoint '{self._name}': {self._at_a_time()} again")

    def _refused(self, wave: int, retry_after_s: float | None) -> None:
        if self.pace.refused(wave, self._clock.monotonic(), retry_after_s):
            now_on = f"{self._at_a_time()}{self._rest()}"
            self._say(f"endpoint '{self._name}' says too many requests: {now_on}")

    def _at_a_time(self) -> str:
        return f"{self.pace.level} of {self.pace.most} samples at a time"

    def _rest(self) -> str:
        rest_s = self.pace.rest_s(self._clock.monotonic())
        return f", none for {rest_s:.3g} s" if rest_s else ""
