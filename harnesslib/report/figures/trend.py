"""What happens over the cycles: the baseline of each phase, and whether it drifts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harnesslib.report.figures.accuracy import WIDE, nothing
from harnesslib.report.figures.drawing import BAD, CARD, FIRST, GOOD, MUTED, SECOND, look, sheet, shortened
from harnesslib.report.view.numbers import percent
from harnesslib.stats.drift import LIMIT

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = (FIRST, SECOND, GOOD, MUTED)


def baseline(cycles: pd.DataFrame) -> Figure:
    """Return the accuracy of what served each phase, as every cycle measured it, with bands and steps.

    `cycles` is as from `load_cycles`. The band is the 95 % interval. A dotted line marks the first cycle
    after a change of what serves, with its name; the line is broken there, since another model is measured.
    """
    known = cycles[cycles["baseline_accuracy"].notna()].sort_values("cycle")
    if known.empty:
        return nothing("baseline", "No cycle has measured a baseline yet.")
    phases = sorted(known["phase"].unique())
    ends = (
        f"{p} {percent(g['baseline_accuracy'].iloc[0])} to {percent(g['baseline_accuracy'].iloc[-1])}"
        for p, g in known.groupby("phase")
    )
    with look("baseline"):
        drawing = sheet(
            "baseline",
            f"Baselines over the cycles: {', '.join(ends)}.",
            width=WIDE + 0.6,
            height=3.3,
            panels=len(phases),
            above=0.35,
        )
        for place, (axes, phase) in enumerate(zip(drawing.axes, phases, strict=True)):
            _series(axes, known[known["phase"] == phase], _COLOURS[place % len(_COLOURS)])
            axes.set_title(phase, fontsize=10.5)
            axes.set_ylim(0, 104)
            axes.set_xlim(known["cycle"].min() - 0.5, known["cycle"].max() + 0.5)
            _cycle_axis(axes, known)
            if place:
                axes.tick_params(axis="y", labelleft=False)
        drawing.axes[0].set_ylabel("served accuracy of the baseline, %")
    return drawing


def drift(scores: pd.DataFrame) -> Figure:
    """Return the score of each cycle and the cumulative sums of it, one panel per phase.

    `scores` is as from `harnesslib.drift`: `cycle`, `phase`, `z`, `worse`, `better`. The dashed lines are the
    limits of the sums. What has become worse is drawn downwards.
    """
    if scores.empty or scores["z"].isna().all():
        return nothing("drift", "Drift needs two cycles with the same baseline on the same suite.")
    phases = sorted(scores["phase"].unique())
    alarms = scores[scores["alarm"]]
    said = ", ".join(f"{row.phase} in cycle {row.cycle}" for row in alarms.itertuples()) or "none"
    with look("drift"):
        drawing = sheet(
            "drift", f"Drift alarms: {said}.", width=WIDE + 0.6, height=3.1, panels=len(phases), above=0.35
        )
        reach = 1.6 * max(LIMIT, scores[["worse", "better"]].max().max(), scores["z"].abs().max())
        for axes, phase in zip(drawing.axes, phases, strict=True):
            mine = scores[scores["phase"] == phase].sort_values("cycle")
            for limit in (-LIMIT, LIMIT):
                axes.axhline(limit, color=BAD, linestyle="--", linewidth=1.1)
            axes.axhline(0, color=MUTED, linewidth=1)
            _sums(axes, mine)
            axes.set_title(phase, fontsize=10.5)
            axes.set_ylim(-reach, reach)
            axes.set_xlim(scores["cycle"].min() - 0.5, scores["cycle"].max() + 0.5)
            _cycle_axis(axes, scores)
        drawing.axes[0].set_ylabel("standard deviations")
        drawing.axes[-1].legend(loc="upper left", frameon=False, fontsize=9)
    return drawing


def _sums(axes: Axes, series: pd.DataFrame) -> None:
    """Draw the sums of each baseline by themselves: they begin anew with it."""
    lines = (("worse", -1, SECOND, "-"), ("better", 1, FIRST, "-."))
    for place, (_, stretch) in enumerate(series.groupby((series["reference_cycles"] == 0).cumsum())):
        for name, sign, colour, line in lines:
            said = "_" if place else f"sum, {name}"
            axes.plot(stretch["cycle"], sign * stretch[name], line, color=colour, linewidth=2, label=said)
    axes.plot(
        series["cycle"], series["z"], "o", color=MUTED, markersize=5, markeredgecolor=CARD, label="score z"
    )


def _series(axes: Axes, series: pd.DataFrame, colour: str) -> None:
    new = series["baseline_spec_id"] != series["baseline_spec_id"].shift()
    for number, (_, stretch) in enumerate(series.groupby(new.cumsum())):
        at = stretch["cycle"]
        value, low, high = (100 * stretch[f"baseline_{name}"] for name in ("accuracy", "low", "high"))
        axes.fill_between(at, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.vlines(at, low, high, color=colour, linewidth=1, alpha=0.6)
        axes.plot(at, value, "-o", color=colour, markersize=5, markeredgecolor=CARD)
        if number:
            axes.axvline(at.iloc[0] - 0.5, color=MUTED, linestyle=":", linewidth=1.2)
        name: Any = {"fontsize": 9, "color": MUTED, "rotation": 90, "va": "bottom"}
        axes.text(at.iloc[0] - 0.35, 3, shortened(str(stretch["baseline_model"].iloc[0]), 14), **name)


def _cycle_axis(axes: Axes, frame: pd.DataFrame) -> None:
    first, last = int(frame["cycle"].min()), int(frame["cycle"].max())
    axes.set_xticks(range(first, last + 1, max(1, (last - first) // 8)))
    axes.set_xlabel("cycle")
