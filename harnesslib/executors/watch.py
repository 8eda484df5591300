"""What is watched while samples are taken: whether an endpoint is out, and how far the measurement is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harnesslib.ports import Clock, Events
from harnesslib.records import Sample, Standing

SAME_FAILURES = 10
PROGRESS_INTERVAL_S = 0.1
STANDINGS_INTERVAL_S = 1.0


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
    """Emits how far a measurement is, ten times a second at the most, and once a second how the arms stand.

    Parameters
    ----------
    events, clock
        Where it is said, and what time it is.
    state
        What the run is doing.
    taken
        All samples of the run from before: what they took is counted, too.
    """

    def __init__(self, events: Events, clock: Clock, *, state: str, taken: Iterable[Sample] = ()) -> None:
        self._events = events
        self._clock = clock
        self._state = state
        self._done = self._total = self._requests = 0
        self._cost: float | None = None
        self._last = self._told = float("-inf")
        self._arms: dict[str, Standing] = {}
        for sample in taken:
            self._spend(sample)

    def expect(self, total: int, held: Sequence[Sample] = ()) -> None:
        """Take note of more samples to come, of which `held` were taken before."""
        self._total += total
        for sample in held:
            self._count(sample)

    def step(self, sample: Sample) -> None:
        """Count one sample."""
        self._spend(sample)
        self._count(sample)
        now = self._clock.monotonic()
        if self._done >= self._total or now - self._last >= PROGRESS_INTERVAL_S:
            self._last = now
            self.say(f"{self._done} of {self._total} samples", standings=self._standings(now))

    def say(self, message: str, **facts: Any) -> None:  # noqa: ANN401 - fields of the Event record
        """Say something out of the ordinary."""
        spent = {"requests": self._requests, "cost": self._cost}
        self._events.emit(self._state, message, self._done, self._total, **spent, **facts)

    def _spend(self, sample: Sample) -> None:
        self._requests += sample.requests
        if sample.cost is not None:
            self._cost = (self._cost or 0.0) + sample.cost

    def _count(self, sample: Sample) -> None:
        self._done += 1
        if sample.session:
            return  # about the start of a model, not about how good it is
        before = self._arms.get(sample.spec_id)
        self._arms[sample.spec_id] = Standing(
            phase=sample.phase,
            model=sample.model,
            spec_id=sample.spec_id,
            passes=(before.passes if before else 0) + (sample.outcome == "pass"),
            calls=(before.calls if before else 0) + (sample.outcome != "infra_error"),
        )

    def _standings(self, now: float) -> tuple[Standing, ...]:
        if self._done < self._total and now - self._told < STANDINGS_INTERVAL_S:
            return ()
        self._told = now
        return tuple(self._arms.values())
