"""Samples in a frame -> estimates in a frame, by the statistics of the harness."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harnesslib.errors import InputError
from harnesslib.stats import intervals, paired
from harnesslib.stats.drift import LIMIT, REFERENCE, SINGLE_LIMIT, cusum, shift

if TYPE_CHECKING:
    import pandas as pd

_NAMES = ("run_id", "spec_id", "model", "requested_model")
_PROVING = ("verify", "sessions")


def rates(samples: pd.DataFrame, by: Sequence[str] = ("phase", "model")) -> pd.DataFrame:
    """Return accuracy, restraint, time and price of each group of samples, one row each.

    Parameters
    ----------
    samples
        As from `load_samples`.
    by
        Columns whose values make a group.

    Notes
    -----
    Accuracies are means over cases, so that a case that was asked more often does not weigh more; with as
    many repeats of each they are shares of samples. Intervals: `stats.intervals.proportion`, 95 %.
    """
    import pandas as pd

    rows = [
        dict(zip(by, key if isinstance(key, tuple) else (key,), strict=True)) | _rate(group)
        for key, group in samples.groupby(list(by), sort=True)
    ]
    return pd.DataFrame(rows, columns=[*by, *_RATES])


_RATES = (
    "samples",
    "cases",
    "served",
    "served_low",
    "served_high",
    "skilled",
    "restraint",
    "restraint_low",
    "restraint_high",
    "latency_p50_s",
    "latency_p95_s",
    "infra_share",
    "tokens_per_case",
    "cost_per_case",
)


def _rate(group: pd.DataFrame) -> dict[str, Any]:
    quiet = group[~group["wants_call"]]
    answered = group[(~group["cold"]) & (group["latency_s"] > 0)]["latency_s"]
    tokens = (group["input_tokens"] + group["output_tokens"]).dropna().astype(float)
    return {
        "samples": len(group),
        "cases": group["case_id"].nunique(),
        **_share(group, "served"),
        "skilled": group.groupby("case_id")["skilled"].mean().mean(),
        **_share(quiet, "served", name="restraint"),
        "latency_p50_s": answered.quantile(0.5),
        "latency_p95_s": answered.quantile(0.95),
        "infra_share": (group["outcome"] == "infra_error").mean(),
        "tokens_per_case": tokens.mean(),
        "cost_per_case": group["cost"].mean(),
    }


def _share(group: pd.DataFrame, column: str, *, name: str = "") -> dict[str, float | None]:
    valid = int(group[column].notna().sum())
    mean = group.groupby("case_id")[column].mean().mean() if valid else 0.0
    found = intervals.proportion(mean * valid, valid)
    name = name or column
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def arm(samples: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the samples of a run, a spec or a model, by its name; InputError when there are none."""
    for column in _NAMES:
        found = samples[samples[column] == name]
        if len(found):
            return found
    known = sorted({str(value) for column in _NAMES for value in samples[column].unique()})
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise InputError(f"arm '{name}': no run, spec or model of that name; {hint}There are: {', '.join(known)}")


def pairs(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return the cases that both arms answered, one row each, the largest loss of the second arm first.

    `first` and `second` are their shares of passes, `change` is the second minus the first. Repeats may
    differ from case to case.
    """
    theirs, ours = _by_case(first), _by_case(second)
    theirs = theirs.rename(columns={"passes": "passes_first", "calls": "calls_first"})
    ours = ours.rename(columns={"passes": "passes_second", "calls": "calls_second"})
    both = theirs.join(ours[["passes_second", "calls_second"]], how="inner")
    both = both[(both["calls_first"] > 0) & (both["calls_second"] > 0)]
    both["first"] = both["passes_first"] / both["calls_first"]
    both["second"] = both["passes_second"] / both["calls_second"]
    both["change"] = both["second"] - both["first"]
    return both.reset_index().sort_values(["change", "case_id"], ignore_index=True)


def _by_case(samples: pd.DataFrame) -> pd.DataFrame:
    grouped = samples.groupby(["phase", "case_id"])
    return grouped.agg(
        skill=("skill", "first"),
        wants_call=("wants_call", "first"),
        passes=("served", "sum"),
        calls=("served", "count"),
    )


def effects(both: pd.DataFrame, by: str = "skill", label: str = "") -> pd.DataFrame:
    """Return what the second arm changes, over all cases of each phase and for each group of them.

    Parameters
    ----------
    both
        As from `pairs`.
    by
        The column that makes the groups.
    label
        What the row over all cases is called; "" = "all cases".

    Notes
    -----
    Intervals: `stats.paired.effect` on the very cases that were asked, 95 %. They are for looking: whether a
    change is made is decided by gates, on calls of both arms that alternate in time.
    """
    import pandas as pd

    rows = list(_effect_rows(both, by, label or "all cases"))
    return pd.DataFrame(rows, columns=["phase", "label", "cases", "value", "low", "high"])


def _effect_rows(both: pd.DataFrame, by: str, label: str) -> Iterator[dict[str, Any]]:
    for phase, cases in both.groupby("phase", sort=True):
        groups = [(label, cases), *sorted(cases.groupby(by), key=lambda pair: str(pair[0]))]
        for name, group in groups:
            found = paired.effect(
                group["passes_second"], group["passes_first"], group["calls_second"], group["calls_first"]
            )
            numbers = {"value": found.value, "low": found.low, "high": found.high}
            yield {"phase": phase, "label": str(name), "cases": len(group), **numbers}


def drift(cycles: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Return how far each cycle's baseline lies from what it was, and the cumulative sums of that.

    Parameters
    ----------
    cycles
        As from `load_cycles`.
    samples
        The samples of these cycles, as from `load_samples`.

    Returns
    -------
    DataFrame
        One row per cycle and phase: `reference_cycles` are those that it is compared with, the first ones
        (eight at the most) since this baseline began on this suite; `z`, the sums `worse` and `better`, and
        `alarm` where one of them is above its limit, or this cycle alone is far
        out. `z` is NaN in the first cycle of a baseline.
    """
    import pandas as pd

    measured = samples[~samples["stage"].str.startswith(_PROVING)]
    grouped = measured.groupby(["run_id", "spec_id", "case_id"])["served"].agg(["sum", "count"])
    counted = {key: group.droplevel([0, 1]) for key, group in grouped.groupby(level=[0, 1])}
    rows: list[dict[str, Any]] = []
    for _, series in cycles.sort_values("cycle").groupby("phase", sort=True):
        new = series[["baseline_spec_id", "suite_hash"]] != series[["baseline_spec_id", "suite_hash"]].shift()
        for _, stretch in series.groupby(new.any(axis=1).cumsum()):
            rows += _stretch(stretch, counted)
    kept = ["run_id", "cycle", "phase", "started_at", "baseline_model"]
    return pd.DataFrame(rows, columns=[*kept, "reference_cycles", "z", "worse", "better", "alarm"])


def _stretch(stretch: pd.DataFrame, counted: Mapping[Any, pd.DataFrame]) -> list[dict[str, Any]]:
    """Return the rows of the cycles in which one baseline served on one suite."""
    earlier: list[pd.DataFrame] = []
    scores: list[float | None] = []
    rows = []
    for row in stretch.itertuples():
        now = counted.get((row.run_id, row.baseline_spec_id))
        score, far = _score(now, earlier)
        scores.append(score)
        sums = cusum([0.0 if score is None else score for score in scores])
        worse, better = sums.lower[-1], sums.upper[-1]
        rows.append(
            {
                **{name: getattr(row, name) for name in ("run_id", "cycle", "phase", "started_at")},
                "baseline_model": row.baseline_model,
                "reference_cycles": len(earlier),
                "z": float("nan") if score is None else score,
                "worse": worse,
                "better": better,
                "alarm": far or max(worse, better) > LIMIT,
            }
        )
        if now is not None and len(earlier) < REFERENCE:
            earlier.append(now)
    return rows


def _score(now: pd.DataFrame | None, earlier: Sequence[pd.DataFrame]) -> tuple[float | None, bool]:
    """Return the score of a cycle, and whether it is an alarm by itself."""
    import pandas as pd

    if now is None or not earlier:
        return None, False
    reference = pd.concat(earlier).groupby(level=0).sum().add_suffix("_then")
    both = now.join(reference, how="inner")
    both = both[(both["count"] > 0) & (both["count_then"] > 0)]
    counts = (both["sum"], both["count"], both["sum_then"], both["count_then"])
    worse, better = shift(*counts, "worse"), shift(*counts, "better")
    far = any(one.p_value is not None and one.p_value <= SINGLE_LIMIT for one in (worse, better))
    return worse.statistic, far
