"""Passes and valid calls behind a spec's summaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harnesslib.records import SpecSummary, Summary
from harnesslib.self_optimizing_policy.gate import LEVEL
from harnesslib.stats import intervals
from harnesslib.stats.wording import percent

ORDINARY = ("run", "screen", "probe", "confirm")
"""Stages in which a model is asked as an application would ask it, not provoked by unloading it."""


class Counts(NamedTuple):
    """Passes of valid calls."""

    passes: int
    calls: int

    @property
    def low(self) -> float:
        """One-sided exact lower bound of the share; 0 without a call."""
        return intervals.clopper_pearson(self.passes, self.calls, level=LEVEL, side="lower").low or 0.0

    @property
    def high(self) -> float:
        """One-sided exact upper bound of the share; 1 without a call."""
        if not self.calls:
            return 1.0
        return intervals.clopper_pearson(self.passes, self.calls, level=LEVEL, side="upper").high or 0.0

    def said(self) -> str:
        """Return the share with both bounds and its counts: "97.8 % [89.9, 99.9] (44 of 45)"."""
        if not self.calls:
            return "not measured"
        bounds = f"[{100 * self.low:.1f}, {100 * self.high:.1f}]"
        return f"{percent(self.passes / self.calls)} {bounds} ({self.passes} of {self.calls})"


def counts(summaries: Sequence[SpecSummary], *, wants_call: bool) -> Counts:
    """Add up the cases that want (or don't want) a call. A timeout counts as a failure."""
    cases = [case for item in summaries for case in item.cases if case.wants_call == wants_call]
    return Counts(sum(case.passes for case in cases), sum(case.valid for case in cases))


def summaries_of(summary: Summary, model: str, phase: str) -> tuple[SpecSummary, ...]:
    """Return what was measured of a model in a phase, in ordinary use, on cases that stand for the suite."""
    return tuple(
        item
        for item in summary.specs
        if (item.spec.model, item.spec.phase) == (model, phase)
        and item.stage in ORDINARY
        and not item.selected
    )


def infra_share(summaries: Sequence[SpecSummary]) -> float | None:
    """Return the share of infrastructure errors; none without a sample."""
    total = sum(item.samples for item in summaries)
    broken = sum(item.outcomes.get("infra_error", 0) for item in summaries)
    return broken / total if total else None
