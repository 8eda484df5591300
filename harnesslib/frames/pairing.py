"""Two arms to compare: those that were named, or those of the newest decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

from harnesslib.errors import InputError
from harnesslib.frames.loading import load_cycles, load_decisions, load_samples
from harnesslib.frames.measures import arm

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Arms:
    """Two arms and what they are called; `samples` are both together, told apart by the column `arm`."""

    names: tuple[str, str]
    first: pd.DataFrame
    second: pd.DataFrame
    samples: pd.DataFrame

    def __repr__(self) -> str:
        counts = (len(self.first), len(self.second))
        first, second = (f"{name} ({n} samples)" for name, n in zip(self.names, counts, strict=True))
        return f"{second} against {first}"


def arms(
    workspace: str | PathLike[str] = ".", first: str = "", second: str = "", runs: Sequence[str] = ()
) -> Arms:
    """Return two arms: a model, a spec or a run each; "" are baseline and candidate of the newest promotion.

    Samples of sessions that were started on purpose are left out: they are about the start, not the model.

    Raises
    ------
    InputError
        No arm of that name, or nothing was decided yet and an arm is not named.
    """
    import pandas as pd

    run_id = ""
    if not first or not second:
        run_id, baseline, candidate = _newest(workspace, runs)
        first, second = first or baseline, second or candidate
    chosen = list(runs) or ([run_id] if run_id else None)
    samples = load_samples(workspace, chosen)
    samples = samples[samples["session"] == 0]
    ours, theirs = arm(samples, second), arm(samples, first)
    first, second = _names(theirs, ours) or (first, second)
    both = pd.concat([theirs.assign(arm=first), ours.assign(arm=second)], ignore_index=True)
    return Arms((first, second), theirs, ours, both)


def _names(first: pd.DataFrame, second: pd.DataFrame) -> tuple[str, str] | None:
    """Return the models where each arm is one and they differ: that is how people call them."""
    models = [set(samples["model"]) for samples in (first, second)]
    if [len(found) for found in models] != [1, 1] or models[0] == models[1]:
        return None
    return str(*models[0]), str(*models[1])


def _newest(workspace: str | PathLike[str], runs: Sequence[str]) -> tuple[str, str, str]:
    """Return run, baseline and candidate of the newest promotion, else of the newest decision."""
    decisions = load_decisions(workspace, list(runs) or None)
    decisions = decisions[decisions["action"] == "promote"]
    if decisions.empty:
        raise InputError("no cycle has compared two models yet; name two arms, or run a cycle: harness cycle")
    promoted = decisions[decisions["verdict"] == "PROMOTE"]
    decision = (promoted if len(promoted) else decisions).iloc[-1]
    cycle = load_cycles(workspace, str(decision["run_id"]))
    baseline = cycle[cycle["phase"] == decision["phase"]].iloc[0]
    return str(decision["run_id"]), str(baseline["baseline_spec_id"]), str(decision["spec_id"])
