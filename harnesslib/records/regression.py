"""Whether what serves a phase still does what it did."""

from __future__ import annotations

from typing import Literal, TypeAlias

from harnesslib.records.base import Record
from harnesslib.records.evidence import Estimate

CheckState: TypeAlias = Literal["held", "worse", "unknown", "first"]


class Reference(Record):
    """How a spec did in an earlier run: by case, its passes and its valid samples."""

    run_id: str
    cases: dict[str, tuple[int, int]]


class PhaseCheck(Record):
    """One phase's baseline beside its reference; `effect` is the change of served accuracy."""

    phase: str
    model: str
    state: CheckState
    effect: Estimate
    reason: str
    reference_run_id: str = ""

    @property
    def blocks(self) -> bool:
        """Whether a pipeline has to stop: a proven loss, or a route that could not be measured."""
        return self.state in {"worse", "unknown"}
