"""What is watched while samples are taken: whether an endpoint is out, and how far the measurement is."""

from __future__ import annotations

from harnesslib.ports import Clock, Events
from harnesslib.records import Sample

SAME_FAILURES = 10
PROGRESS_INTERVAL_S = 0.1


class Breaker:
    """Tells an endpoint's outage from samples.

    Infrastructure failures of the same kind in a row are held back. When another result follows, or the round
    ends, they were samples and may be journalled; when `limit` is reached they were the outage, and will be
    taken again.
    """

    def __init__(self, limit: int = SAME_FAILURES) -> None:
        self.limit = limit
        self._held: list[Sample] = []
        self._row: list[tuple[str, str]] = []

    @property
    def tripped(self) -> bool:
        """Whether the endpoint is out."""
        return len(self._row) >= self.limit

    @property
    def models(self) -> frozenset[str]:
        """The models that failed in a row."""
        return frozenset(model for model, _ in self._row)

    @property
    def detail(self) -> str:
        """The last failure, in words; "" without one."""
        return self._row[-1][1] if self._row else ""

    def admit(self, sample: Sample) -> list[Sample]:
        """Take note of a sample; returns the samples that may be journalled now."""
        if sample.outcome != "infra_error":
            return [*self.pardon(), sample]
        released = [] if self._continues(sample) else self.pardon()
        self._held.append(sample)
        self._row.append((sample.model, sample.detail))
        return released

    def pardon(self) -> list[Sample]:
        """Return what was held back as samples, and begin anew."""
        self._row = []
        return self.release()

    def release(self) -> list[Sample]:
        """Return what was held back so far, and go on counting; nothing of an outage."""
        if self.tripped:
            return []
        released, self._held = self._held, []
        return released

    def _continues(self, sample: Sample) -> bool:
        """Whether a failure is of the kind of those before; the part after the colon differs by request."""
        kinds = {detail.partition(":")[0] for _, detail in self._row}
        return self.tripped or kinds <= {sample.detail.partition(":")[0]}


class Progress:
    """Emits how far a measurement is, ten times a second at the most."""

    def __init__(self, events: Events, clock: Clock, *, state: str) -> None:
        self._events = events
        self._clock = clock
        self._state = state
        self._done = 0
        self._total = 0
        self._last = float("-inf")

    def expect(self, total: int, done: int) -> None:
        """Take note of more samples to come, of which `done` were taken before."""
        self._total += total
        self._done += done

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
