"""What is watched while samples are taken: whether an endpoint is out, and how far the measurement is."""

from __future__ import annotations

from harnesslib.ports import Clock, Events
from harnesslib.records import Sample

SAME_FAILURES = 10
PROGRESS_INTERVAL_S = 0.1


class Breaker:
    """Tells an endpoint's outage from samples.

    Infrastructure failures of the same kind in a row are held back. When another result follows they were
    samples, and may be journalled; when `limit` is reached they were the outage, and will be taken again.
    """

    def __init__(self, limit: int = SAME_FAILURES) -> None:
        self.limit = limit
        self.held: list[Sample] = []

    @property
    def tripped(self) -> bool:
        """Whether the endpoint is out."""
        return len(self.held) >= self.limit

    def admit(self, sample: Sample) -> list[Sample]:
        """Take note of a sample; returns the samples that may be journalled now."""
        if sample.outcome != "infra_error":
            return [*self.release(), sample]
        released = [] if self._continues(sample) else self.release()
        self.held.append(sample)
        return released

    def release(self) -> list[Sample]:
        """Return what was held back; nothing of an outage."""
        if self.tripped:
            return []
        released, self.held = self.held, []
        return released

    def _continues(self, sample: Sample) -> bool:
        """Whether a failure is of the kind of those held; the part after the colon differs by request."""
        kinds = {held.detail.partition(":")[0] for held in self.held}
        return self.tripped or kinds <= {sample.detail.partition(":")[0]}


class Progress:
    """Emits how far a measurement is, ten times a second at the most."""

    def __init__(self, events: Events, clock: Clock, *, state: str, done: int, total: int) -> None:
        self._events = events
        self._clock = clock
        self._state = state
        self._done = done
        self._total = total
        self._last = float("-inf")

    def step(self) -> None:
        """Count one sample."""
        self._done += 1
        now = self._clock.monotonic()
        if self._done >= self._total or now - self._last >= PROGRESS_INTERVAL_S:
            self._last = now
            self.say(f"{self._done} of {self._total} samples")

    def say(self, message: str) -> None:
        """Say something out of the ordinary."""
        self._events.emit(self._state, message, self._done, self._total)
