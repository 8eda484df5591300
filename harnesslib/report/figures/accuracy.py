"""Who is right how often: effects, accuracies, outcomes, cases, and what accuracy costs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any

from harnesslib.records import OUTCOMES
from harnesslib.report.figures.drawing import (
    CARD,
    FIRST,
    GOOD,
    GRID,
    INK,
    MUTED,
    OUTCOME_COLOURS,
    SECOND,
    look,
    sheet,
    shortened,
)
from harnesslib.report.view.measured import GLYPHS
from harnesslib.report.view.numbers import listed, percent, plural, points, signed

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE = 6.6
_MOST_PANELS = 4
_MOST_CASES = 60
_ROW = 0.27
_GLYPH: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.5, "color": INK}
_VERDICT_COLOURS = {"PROMOTE": GOOD, "REJECT": SECOND}


def nothing(name: str, words: str) -> Figure:
    """Return a drawing that only says why there is nothing to draw."""
    with look(name):
        drawing = sheet(name, words, width=WIDE, height=1.2)
        drawing.axes[0].set_axis_off()
        drawing.text(0.02, 0.5, words, color=MUTED, va="center")
    return drawing


def forest(
    effects: pd.DataFrame, title: str = "change of served accuracy", zone: float | None = None
) -> Figure:
    """Return effects with their intervals, one row each, in the order of the frame.

    Parameters
    ----------
    effects
        Columns `label`, `value`, `low`, `high` (shares; unknown bounds leave the point alone); optional
        `phase` (in front of the label where there are several) and `verdict` (gives the colour).
    title
        What the effects are, for the axis.
    zone
        Half the width of what is too small to matter, as a share: shaded.
    """
    known = effects[effects["value"].notna()]
    if known.empty:
        return nothing("forest", "No effect is known: nothing was measured in both arms.")
    rows = known.to_dict("records")
    phases = {row.get("phase", "") for row in rows}
    labels = [shortened(_labelled(row, many=len(phases) > 1), 28) for row in rows]
    said = _first(f"{label} {points(row['value'])}" for label, row in zip(labels, rows, strict=True))
    with look("forest"):
        height = 1.05 + _ROW * len(rows)
        drawing = sheet("forest", f"Effects in points: {said}.", width=WIDE, height=height, sides=(2.3, 0.6))
        axes = drawing.axes[0]
        if zone is not None:
            axes.axvspan(-100 * zone, 100 * zone, color=GRID, alpha=0.7, linewidth=0)
        axes.axvline(0, color=MUTED, linewidth=1)
        for place, row in enumerate(rows):
            _interval(axes, row, len(rows) - 1 - place, _VERDICT_COLOURS.get(str(row.get("verdict")), FIRST))
        _rows_on(axes, labels)
        axes.set_xlabel(f"{title}, points")
        axes.xaxis.set_major_formatter(lambda value, _: signed(value, 0))
    return drawing


def accuracy(rates: pd.DataFrame) -> Figure:
    """Return served accuracy with its interval, best first in each phase.

    `rates` is as from `harnesslib.rates`: `phase`, `model`, `served`, `served_low`, `served_high`,
    `restraint`. The small cross is restraint: what is right where no call is wanted.
    """
    known = rates[rates["served"].notna()].sort_values(["phase", "served"], ascending=[True, False])
    if known.empty:
        return nothing("accuracy", "No accuracy is known: no sample counts.")
    rows = known.to_dict("records")
    many = len(set(known["phase"])) > 1
    labels = [shortened(f"{row['phase']}: {row['model']}" if many else row["model"], 28) for row in rows]
    said = _first(f"{label} {percent(row['served'])}" for label, row in zip(labels, rows, strict=True))
    with look("accuracy"):
        height = 1.05 + _ROW * len(rows)
        drawing = sheet("accuracy", f"Served accuracy: {said}.", width=WIDE, height=height, sides=(2.3, 0.6))
        axes = drawing.axes[0]
        for place, row in enumerate(rows):
            at = len(rows) - 1 - place
            axes.plot(
                [100 * row["served_low"], 100 * row["served_high"]], [at, at], color=FIRST, linewidth=2.2
            )
            axes.plot(100 * row["served"], at, "o", color=FIRST, markersize=7, markeredgecolor=CARD)
            axes.plot(
                100 * (row["restraint"] if row["restraint"] is not None else float("nan")),
                at,
                "x",
                color=MUTED,
            )
            _beside(axes, at, f"{100 * row['served']:.0f}")
        _rows_on(axes, labels)
        axes.set_xlim(0, 101)
        axes.set_xlabel("● served accuracy with 95 % interval, ✕ restraint, %")
    return drawing


def outcomes(samples: pd.DataFrame, by: str = "model") -> Figure:
    """Return the mix of the seven outcomes for each value of `by`, most passes first."""
    if samples.empty:
        return nothing("outcomes", "There is no sample.")
    counts = samples.pivot_table(index=by, columns="outcome", values="seed", aggfunc="count", fill_value=0)
    shares = counts.div(counts.sum(axis=1), axis=0)
    shares = shares.reindex(columns=list(OUTCOMES), fill_value=0.0).sort_values("pass", kind="stable")
    seen = [name for name in OUTCOMES if (shares[name] > 0).any()]
    said = ", ".join(f"{name} {percent(value)} pass" for name, value in shares["pass"].iloc[::-1].items())
    with look("outcomes"):
        height = 1.5 + _ROW * len(shares)
        drawing = sheet(
            "outcomes", f"Outcomes: {said}.", width=WIDE, height=height, sides=(1.9, 0.3), above=0.65
        )
        axes = drawing.axes[0]
        left = 0 * shares["pass"]
        for name in seen:
            axes.barh(
                range(len(shares)),
                100 * shares[name],
                left=100 * left,
                height=0.68,
                color=OUTCOME_COLOURS[name],
                edgecolor=CARD,
                linewidth=1,
                label=name.replace("_", " "),
            )
            left = left + shares[name]
        axes.set_yticks(range(len(shares)), [shortened(str(name), 20) for name in shares.index])
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(visible=False, axis="y")
        axes.set_xlim(0, 100)
        axes.set_ylim(-0.6, len(shares) - 0.4)
        axes.set_xlabel("% of samples")
        axes.legend(loc="lower left", bbox_to_anchor=(-0.3, 1.0), ncols=4, frameon=False, fontsize=9.5)
    return drawing


def cases(samples: pd.DataFrame, by: str = "model", most: int = _MOST_CASES) -> Figure:
    """Return cases by repeats, a square for each answer, the case that fails most often first.

    Parameters
    ----------
    samples
        As from `load_samples`. Cases may have been repeated a different number of times.
    by
        Makes the panels, four at the most.
    most
        How many cases are shown.
    """
    arms = list(dict.fromkeys(samples[by]))[:_MOST_PANELS]
    shown = samples[samples[by].isin(arms)]
    order = shown.groupby("case_id")["served"].mean().sort_values(kind="stable").index[:most]
    if not len(order):
        return nothing("cases", "There is no sample.")
    of = listed(tuple(map(str, arms)))
    description = f"{plural(len(order), 'case')} by repeats for {of}, worst first: {order[0]}."
    with look("cases"):
        height = 1.2 + 0.17 * len(order)
        drawing = sheet(
            "cases",
            description,
            width=WIDE + 0.5,
            height=height,
            sides=(2.7, 0.1),
            panels=len(arms),
            above=0.35,
        )
        for axes, name in zip(drawing.axes, arms, strict=True):
            _panel(axes, shown[shown[by] == name], {case: place for place, case in enumerate(order)})
            axes.set_title(shortened(str(name), 16), fontsize=10.5, color=INK)
        labels = [shortened(str(name).partition(".")[2] or str(name), 36) for name in order]
        drawing.axes[0].set_yticks(range(len(order)), labels)
        drawing.axes[0].tick_params(axis="y", labelsize=8.5, labelcolor=INK)
    return drawing


def frontier(rates: pd.DataFrame) -> Figure:
    """Return served accuracy against what a case costs, and the models that nobody beats in both.

    `rates` is as from `harnesslib.rates`. Where no prices are known, tokens stand for cost.
    """
    known = rates[rates["served"].notna()]
    if known.empty:
        return nothing("frontier", "No accuracy is known: no sample counts.")
    priced = bool((known["cost_per_case"] > 0).any())
    column, scale = ("cost_per_case", 1000.0) if priced else ("tokens_per_case", 1.0)
    rows = sorted(known.to_dict("records"), key=lambda row: (row[column], -row["served"]))
    best = _frontier(rows)
    said = listed(tuple(f"{row['model']} ({percent(row['served'])})" for row in best))
    with look("frontier"):
        drawing = sheet("frontier", f"On the frontier: {said}.", width=WIDE, height=3.6, sides=(0.75, 0.9))
        axes = drawing.axes[0]
        axes.step(
            [scale * r[column] for r in best],
            [100 * r["served"] for r in best],
            color=GOOD,
            where="post",
            linewidth=1.4,
        )
        for row in rows:
            _named(axes, row, (scale * row[column], 100 * row["served"]), best=row in best)
        axes.margins(x=0.12, y=0.15)
        axes.set_ylabel("served accuracy, %")
        axes.set_xlabel("cost of 1000 cases" if priced else "tokens of one case (no prices are known)")
    return drawing


def _named(axes: Axes, row: dict[Hashable, Any], at: tuple[float, float], *, best: bool) -> None:
    mark, colour = ("o", GOOD) if best else ("D", MUTED)
    axes.plot(*at, mark, color=colour, markersize=7, markeredgecolor=CARD)
    beside: Any = {"xytext": (7, 5), "textcoords": "offset points", "annotation_clip": False}
    axes.annotate(shortened(str(row["model"]), 18), at, fontsize=10, color=INK, **beside)


def _frontier(rows: list[dict[Hashable, Any]]) -> list[dict[Hashable, Any]]:
    """Return those of the rows, cheapest first, that are better than all cheaper ones."""
    found: list[dict[Hashable, Any]] = []
    for row in rows:
        if not found or row["served"] > found[-1]["served"]:
            found.append(row)
    return found


def _panel(axes: Axes, samples: pd.DataFrame, place: dict[Any, int]) -> None:
    from matplotlib.collections import PolyCollection

    nth = samples.groupby("case_id").cumcount()
    squares: dict[str, list[list[tuple[float, float]]]] = {}
    for case, column, outcome in zip(samples["case_id"], nth, samples["outcome"], strict=True):
        if case in place:
            squares.setdefault(outcome, []).append(_square(column, place[case]))
            if GLYPHS[outcome][0]:
                axes.text(column, place[case] + 0.03, GLYPHS[outcome][0], **_GLYPH)
    for outcome, corners in squares.items():
        axes.add_collection(PolyCollection(corners, facecolors=OUTCOME_COLOURS[outcome], linewidths=0))
    axes.set_xlim(-0.6, max(int(nth.max()) + 0.6, 2.6))
    axes.set_ylim(len(place) - 0.4, -0.6)
    axes.set_yticks([])
    axes.set_xticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xlabel("repeats")


def _square(column: int, row: int) -> list[tuple[float, float]]:
    left, right, top, bottom = column - 0.44, column + 0.44, row - 0.42, row + 0.42
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _first(parts: Iterable[str], most: int = 8) -> str:
    """Return the first parts, and how many there are besides: a description is listened to."""
    said = list(parts)
    more = len(said) - most
    return ", ".join(said[:most]) + (f", and {more} more" if more > 0 else "")


def _labelled(row: dict[Any, Any], *, many: bool) -> str:
    return f"{row['phase']}: {row['label']}" if many else str(row["label"])


def _interval(axes: Axes, row: dict[Any, Any], at: int, colour: str) -> None:
    axes.plot([100 * row["low"], 100 * row["high"]], [at, at], color=colour, linewidth=2.2)
    axes.plot(100 * row["value"], at, "s", color=colour, markersize=6.5, markeredgecolor=CARD)
    _beside(axes, at, points(row["value"]))


def _rows_on(axes: Axes, labels: list[str]) -> None:
    axes.set_yticks(range(len(labels) - 1, -1, -1), labels)
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=10.5)
    axes.grid(visible=False, axis="y")
    axes.set_ylim(-0.6, len(labels) - 0.4)


def _beside(axes: Axes, at: int, text: str) -> None:
    where: Any = axes.get_yaxis_transform()
    axes.text(1.02, at, text, va="center", fontsize=10, color=INK, clip_on=False, transform=where)
