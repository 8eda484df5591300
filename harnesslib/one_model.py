"""One model on one suite, as a frame of samples: measured now, or what was measured before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from harnesslib.errors import InputError
from harnesslib.frames import find_runs, load_samples
from harnesslib.run_benchmark import RunOptions, run
from harnesslib.workspace import Workspace, nearest

if TYPE_CHECKING:
    import pandas as pd


def benchmark(
    workspace: str | Path = ".", model: str = "", phase: str = "", *, repeats: int = 0, seed: int = 1
) -> pd.DataFrame:
    """Return the samples of one model in one phase.

    Parameters
    ----------
    workspace
        A workspace, or a folder inside it. To look at earlier results, one without any is the example.
    model, phase
        What is measured, or looked up; "" when looking up takes those of the newest run.
    repeats
        Samples per case to take now, as ``harness run`` does; 0 takes none and looks up the newest run.
    seed
        For samples taken now: the same seed asks the same way.

    Raises
    ------
    InputError
        Nothing to measure or to look up by these names.
    """
    if repeats:
        return _measured(workspace, model, phase, RunOptions(repeats=repeats, seed=seed))
    place = find_runs(workspace)
    wanted = {"model": model or None, "phase": phase or None}
    samples = load_samples(place, **wanted, damaged="leave_out")
    if samples.empty:
        raise InputError(
            f"{place.root}: no sample of model '{model}' in phase '{phase}'; correct the names, or measure "
            f"it with repeats=3 or `harness run {model or 'MODEL'} {phase or 'PHASE'}`"
        )
    single = samples[samples["stage"] == "run"]
    newest = (single if len(single) else samples).iloc[-1]
    same = (samples["run_id"] == newest["run_id"]) & (samples["spec_id"] == newest["spec_id"])
    chosen: pd.DataFrame = samples[same & (samples["session"] == 0)]
    return chosen.reset_index(drop=True)


def _measured(workspace: str | Path, model: str, phase: str, options: RunOptions) -> pd.DataFrame:
    with Workspace(nearest(workspace)) as place:
        place.require()
        asked = {"model": model, "phase": phase}
        manifest = place.new_manifest("run", msgspec.to_builtins(options) | asked)
        run(model, phase, place.effects(manifest.run_id), options, manifest)
        return load_samples(place.root, manifest.run_id)
