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
            colour, line = _COLOURS[place % len(_COLOURS)], _LINES[place % len(_LINES)]
            shares = [100 * (n + 1) / len(values) for n in range(len(values))]
            curve = scale * values.to_numpy()
            axes.step(
                [curve[0], *curve],
                [0.0, *shares],
                color=colour,
                linestyle=line,
                linewidth=1.8,
                where="post",
                label=shortened(name),
            )
            for share in (0.5, 0.95):
                axes.plot(
                    scale * values.quantile(share),
                    100 * share,
                    "o",
                    color=colour,
                    markersize=5,
                    markeredgecolor=CARD,
                )
        axes.set_xlim(0, 1.25 * scale * float(max(t.quantile(0.95) for t in times.values())))
        axes.set_ylim(0, 101)
        axes.set_xlabel(f"latency of one case, {unit}")
        axes.set_ylabel("% of cases answered")
        axes.legend(loc="lower right", frameon=False, fontsize=9.5)
    return drawing


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
            for side, (is_warm, colour, mark) in enumerate(((False, SECOND, "^"), (True, FIRST, "o"))):
                chosen = started[(keys == name) & (warm == is_warm)].sort_values(
                    ["session", "position", "case_id"]
                )
                spread = [place - 0.2 + 0.4 * side + 0.02 * (n % 9 - 4) for n in range(len(chosen))]
                for right, shape in ((True, mark), (False, "x")):
                    points = [
                        (x, y)
                        for x, y, o in zip(spread, chosen["elapsed_s"], chosen["outcome"], strict=True)
                        if (o == "pass") is right
                    ]
                    axes.plot(
                        [x for x, _ in points],
                        [y for _, y in points],
                        shape,
                        color=colour,
                        markersize=6,
                        alpha=0.85,
                    )
        axes.set_xticks(range(len(names)), [shortened(name) for name in names])
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("waited, s")
        axes.set_xlabel("▲ without warm-up, ● with warm-up, ✕ not right")
        axes.grid(visible=False, axis="x")
    return drawing


def _mean(samples: pd.DataFrame, chosen: pd.Series) -> float | None:
    found = samples[chosen]["served"].mean()
    return None if found != found else float(found)  # noqa: PLR0124 - NaN
