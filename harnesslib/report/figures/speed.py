"""How long it takes: latency curves, and first calls after a load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harnesslib.report.figures.accuracy import WIDE, nothing
from harnesslib.report.figures.drawing import (
    BAD,
    CARD,
    FIRST,
    GOOD,
    MUTED,
    SECOND,
    look,
    sheet,
    shortened,
)
from harnesslib.report.view.numbers import listed, percent, seconds

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = (FIRST, SECOND, GOOD, MUTED, BAD)
_LINES = ("-", "--", "-.", ":")


def latency(samples: pd.DataFrame, by: str = "model") -> Figure:
    """Return the cumulative curve of answer times for each value of `by`; the marks are p50 and p95.

    Samples without an answer, and those during which the model may have been loading, are left out.
    """
    answered = samples[(samples["latency_s"] > 0) & ~samples["cold"]]
    if answered.empty:
        return nothing("latency", "No latency is known: no sample was answered.")
    times = {str(name): group.sort_values() for name, group in answered.groupby(by)["latency_s"]}
    scale, unit = (1000.0, "ms") if max(t.quantile(0.95) for t in times.values()) < 1 else (1.0, "s")
    said = (
        f"{name} median {seconds(t.median())}, p95 {seconds(float(t.quantile(0.95)))}"
        for name, t in times.items()
    )
    with look("latency"):
        drawing = sheet("latency", f"Latencies: {'; '.join(said)}.", width=WIDE, height=3.4)
        axes = drawing.axes[0]
        for place, (name, values) in enumerate(times.items()):
            _curve(axes, scale * values, name, place)
        axes.set_xlim(0, 1.25 * scale * float(max(t.quantile(0.95) for t in times.values())))
        axes.set_ylim(0, 101)
        axes.set_xlabel(f"latency of one case, {unit}")
        axes.set_ylabel("% of cases answered")
        axes.legend(loc="lower right", frameon=False, fontsize=9.5)
    return drawing


def _curve(axes: Axes, values: pd.Series[float], name: str, place: int) -> None:
    colour, line = _COLOURS[place % len(_COLOURS)], _LINES[place % len(_LINES)]
    shares = [0.0, *(100 * (n + 1) / len(values) for n in range(len(values)))]
    curve = values.to_numpy()
    label = shortened(name)
    axes.step([curve[0], *curve], shares, line, color=colour, linewidth=1.8, where="post", label=label)
    for share in (0.5, 0.95):
        at = (float(values.quantile(share)), 100 * share)
        axes.plot(*at, "o", color=colour, markersize=5, markeredgecolor=CARD)


def cold(samples: pd.DataFrame) -> Figure:
    """Return the first calls after a load on purpose: without warm-up left, with warm-up right, by model.

    `samples` is as from `load_samples`; only those of sessions (`session` above 0) are drawn.
    """
    started = samples[samples["session"] > 0]
    if started.empty:
        return nothing(
            "cold", "No model was unloaded and started again on purpose, so nothing tells cold from warm."
        )
    warm = started["warmup_s"].notna()
    keys = started["model"] + ", " + started["phase"]
    names = sorted(set(keys))
    said = tuple(
        f"{name}: {percent(_mean(started, (keys == name) & ~warm))} cold, "
        f"{percent(_mean(started, (keys == name) & warm))} warm"
        for name in names
    )
    with look("cold"):
        drawing = sheet("cold", f"First calls right, {listed(said)}.", width=WIDE, height=3.2, panels=1)
        axes = drawing.axes[0]
        for place, name in enumerate(names):
            for is_warm in (False, True):
                _first_calls(axes, started[(keys == name) & (warm == is_warm)], place, warm=is_warm)
        axes.set_xticks(range(len(names)), [shortened(name) for name in names])
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("waited, s")
        axes.set_xlabel("▲ without warm-up, ● with warm-up, ✕ not right")
        axes.grid(visible=False, axis="x")
    return drawing


def _first_calls(axes: Axes, calls: pd.DataFrame, place: int, *, warm: bool) -> None:
    """Mark calls beside each other, evenly and without chance; those that are not right are crosses."""
    at, colour, mark = (place + 0.2, FIRST, "o") if warm else (place - 0.2, SECOND, "^")
    ordered = calls.sort_values(["session", "position", "case_id"])
    across = [at + 0.02 * (n % 9 - 4) for n in range(len(ordered))]
    passed = list(ordered["outcome"] == "pass")
    for right, shape in ((True, mark), (False, "x")):
        chosen = [n for n, is_right in enumerate(passed) if is_right is right]
        waited = ordered["elapsed_s"].iloc[chosen]
        axes.plot([across[n] for n in chosen], waited, shape, color=colour, markersize=6, alpha=0.85)


def _mean(samples: pd.DataFrame, chosen: pd.Series) -> float | None:
    found = samples[chosen]["served"].mean()
    return None if found != found else float(found)  # noqa: PLR0124 - NaN
