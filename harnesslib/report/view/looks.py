"""The looks of a confirmation that may stop early: how far it was, what it saw, what it had to reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """One look. `fraction` of the calls were taken; `critical` is what the statistic has to reach."""

    fraction: float
    statistic: float
    critical: float

    @property
    def crossed(self) -> bool:
        """Whether the boundary was reached."""
        return self.statistic >= self.critical


def looks(found: Sequence[tuple[float, float, float]]) -> tuple[Look, ...]:
    """Return the looks in the order of time, from (fraction, statistic, critical value)."""
    return tuple(Look(*each) for each in sorted(found))


def outcome(found: Sequence[Look]) -> str:
    """Return in words how the looks ended."""
    if not found:
        return "Nothing was looked at."
    last = found[-1]
    share = f"{100 * last.fraction:.0f}\u00a0% of the calls"
    if last.crossed:
        return f"The boundary was crossed with {share}, at look {len(found)}."
    return f"The boundary was not reached with {share}, after {len(found)} looks."
