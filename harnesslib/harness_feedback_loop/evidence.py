"""What every diagnosis looks at: the samples of one model in one phase."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from harnesslib.records import CaseResult, PolicyConfig, Sample, SessionComparison

ORDINARY = ("run", "screen", "probe", "confirm")
"""Stages in which a model is asked as an application would ask it, not provoked by unloading it."""

LEVEL = 0.95


class Evidence(NamedTuple):
    """One model in one phase. `samples` are in the order in which they were started, stage by stage.

    `hopeless` are the cases of the phase that no model measured beside it ever passed.
    """

    phase: str
    model: str
    samples: tuple[Sample, ...]
    sessions: SessionComparison | None
    hopeless: frozenset[str]
    floor: float
    policy: PolicyConfig

    @property
    def answered(self) -> tuple[Sample, ...]:
        """Samples that say something about the model itself: no timeout, no infrastructure error.

        In the screen's later rounds cases are asked because the baseline failed them: a share of those says
        nothing about the suite.
        """
        fair = (sample for sample in self.samples if sample.stage != "screen" or sample.round == 0)
        return tuple(sample for sample in fair if sample.outcome not in {"timeout", "infra_error"})

    @property
    def stages(self) -> tuple[tuple[Sample, ...], ...]:
        """The samples of each stage, in order."""
        parts = (tuple(s for s in self.samples if s.stage == stage) for stage in ORDINARY)
        return tuple(part for part in parts if part)


def by_model(samples: Sequence[Sample]) -> dict[tuple[str, str], tuple[Sample, ...]]:
    """Return ordinary samples by (phase, model), in the order in which they were started."""
    found: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda s: s.position):
        if sample.stage in ORDINARY:
            found[sample.phase, sample.model].append(sample)
    return {key: tuple(sorted(found[key], key=lambda s: ORDINARY.index(s.stage))) for key in sorted(found)}


def by_case(samples: Sequence[Sample]) -> tuple[CaseResult, ...]:
    """Return the outcomes of each case, cases by name."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.case_id].append(sample)
    return tuple(
        CaseResult(
            case_id=case_id,
            skill=found[case_id][0].skill,
            wants_call=found[case_id][0].wants_call,
            outcomes=tuple(sample.outcome for sample in found[case_id]),
        )
        for case_id in sorted(found)
    )
