"""What a cycle may still spend: asked before every round, so that it stops between rounds, never in one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from harnesslib.ports import Clock
from harnesslib.records import BudgetConfig, Sample


class Budget:
    """The limits of one cycle, and what is kept back to verify what it may apply.

    Parameters
    ----------
    limits
        The budget of ``harness.toml``.
    started_at
        When the cycle began; a pause before it was resumed counts.
    clock
        Tells the time.
    """

    def __init__(self, limits: BudgetConfig, started_at: datetime, clock: Clock) -> None:
        self.limits = limits
        self.kept_back = 0
        self._started_at = started_at
        self._clock = clock
        self._granted = 0

    def grant(self, requests: int, samples: Iterable[Sample]) -> str:
        """Take note of a round of so many requests; returns why it must not begin, "" when it may.

        Parameters
        ----------
        requests
            What the round takes if nothing has to be asked again.
        samples
            All of the run so far: what a request costs, and how long it takes, is seen from them.
        """
        taken = tuple(samples)
        used = max(1, sum(sample.requests for sample in taken))
        wanted = self._granted + requests + self.kept_back
        cost = sum(sample.cost or 0.0 for sample in taken)
        minutes = (self._clock.now() - self._started_at).total_seconds() / 60
        limits = self.limits
        for name, limit, spent in (
            ("max_calls", limits.max_calls, float(used if taken else 0)),
            ("max_cost", limits.max_cost, cost),
            ("max_minutes", limits.max_minutes, minutes),
        ):
            each = 1.0 if name == "max_calls" else spent / used
            if limit and spent + each * wanted > limit:
                return (
                    f"budget.{name} is {limit:g}: {spent:.4g} spent, the next round needs {each * wanted:.4g}"
                )
        self._granted += requests
        return ""

    def settle(self, requests: int) -> None:
        """Take note that a granted round has been measured: its samples now speak for it."""
        self._granted -= requests
