"""Drawings of a report. Each takes rows of the view and returns one SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harnesslib.report.figures import (
    BAD,
    CARD,
    FIRST,
    GOOD,
    GRID,
    INK,
    MUTED,
    SECOND,
    draw,
    shortened,
)
from harnesslib.report.html import Safe
from harnesslib.report.view.effects import EffectRow, Forest
from harnesslib.report.view.measured import STAGE_NAMES
from harnesslib.report.view.numbers import listed, percent, points, seconds, signed
from harnesslib.report.view.speed import ColdFigure, Curve, FirstCall, LatencyFigure
from harnesslib.report.view.trail import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_VERDICT_COLOURS = {"PROMOTE": GOOD, "REJECT": SECOND}
_STAGE_MARKS = {"screen": "o", "confirm": "s", "verify": "D", "control": "x"}
_LINES = ("-", "--", ":", "-.")
_STEPS = 200  # of a latency curve: more can't be seen, and only make the page heavier


def forest(item: Forest) -> Safe:
    """Return the forest plot of a phase: effects with intervals, and the zone too small to find."""
    rows = [*item.rows, *_control_rows(item)]

    def paint(axes: Axes) -> None:
        if item.zone is not None:
            axes.axvspan(-100 * item.zone, 100 * item.zone, color=GRID, alpha=0.7, linewidth=0)
        axes.axvline(0, color=MUTED, linewidth=1)
        for place, row in enumerate(rows):
            _effect(axes, row, len(rows) - 1 - place, first=place == 0 or rows[place - 1].label != row.label)
        heights = range(len(rows) - 1, -1, -1)
        axes.set_yticks(list(heights), [_tick(rows, place) for place in range(len(rows))])
        axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=10.5)
        axes.grid(visible=False, axis="y")
        axes.set_ylim(-0.6, len(rows) - 0.4)
        _beside(axes, len(rows) - 0.25, "points", MUTED)
        axes.set_xlabel("change of served accuracy, points")
        axes.xaxis.set_major_formatter(lambda value, _: signed(value, 0))

    text = ". ".join(f"{row.label}, {_stage(row)}: {_said(row)}" for row in rows)
    description = f"Effects in {item.phase} against {item.baseline}. {text}."
    height = 1.15 + 0.27 * len(rows)
    return draw(f"forest-{slug(item.phase)}", description, paint, height=height, sides=(1.85, 0.6))


def latency(item: LatencyFigure) -> Safe:
    """Return the cumulative latency curves of both arms of a phase, with median and 95th percentile."""
    ours, theirs = item.candidate, item.baseline
    unit, scale = ("ms", 1000.0) if max(ours.p95, theirs.p95) < 1 else ("s", 1.0)
    limit = 1.25 * scale * max(ours.p95, theirs.p95)

    def paint(axes: Axes) -> None:
        for curve, colour, line in ((theirs, MUTED, "--"), (ours, FIRST, "-")):
            _curve(axes, curve, colour, line, scale)
        for share, left, right in ((50, ours.p50, theirs.p50), (95, ours.p95, theirs.p95)):
            axes.plot([scale * left, scale * right], [share, share], color=INK, linewidth=1)
            axes.plot([scale * left], [share], "^", color=FIRST, markersize=7, markeredgecolor=CARD)
            axes.plot([scale * right], [share], "o", color=MUTED, markersize=6, markeredgecolor=CARD)
        axes.set_xlim(0, limit)
        axes.set_ylim(0, 101)
        axes.set_xlabel(f"latency of one case, {unit}")
        axes.set_ylabel("% of cases answered")
        key: Any = {"transform": axes.transAxes, "fontsize": 10, "ha": "right"}
        axes.text(0.99, 0.2, f"▲ solid: {shortened(ours.label)}", color=FIRST, **key)
        axes.text(0.99, 0.09, f"● dashed: {shortened(theirs.label)}", color=MUTED, **key)

    description = (
        f"Cumulative latencies in {item.arms.phase}. Median {seconds(ours.p50)} for {ours.label} against "
        f"{seconds(theirs.p50)} for {theirs.label}; 95th percentile {seconds(ours.p95)} against "
        f"{seconds(theirs.p95)}."
    )
    return draw(f"latency-{slug(item.arms.phase)}", description, paint)


def cold(item: ColdFigure) -> Safe:
    """Return the first calls after a load, one mark each: without warm-up left, with warm-up right."""
    comparison = item.comparison
    places = sorted({call.place for call in item.calls})

    def paint(axes: Axes) -> None:
        for warm, colour, mark in ((False, SECOND, "^"), (True, FIRST, "o")):
            good = _column([c for c in item.calls if c.warm is warm and c.outcome == "pass"])
            poor = _column([c for c in item.calls if c.warm is warm and c.outcome != "pass"])
            axes.plot(*good, mark, color=colour, markersize=6, alpha=0.85, markeredgecolor=CARD)
            axes.plot(*poor, "x", color=colour, markersize=6, markeredgewidth=1.6)
        if item.deadline_s is not None:
            axes.axhline(item.deadline_s, color=BAD, linestyle=":", linewidth=1.3)
            axes.text(
                0.99,
                1.03 * item.deadline_s,
                "deadline",
                color=BAD,
                fontsize=9.5,
                ha="right",
                va="bottom",
                transform=axes.get_yaxis_transform(),
            )
        axes.set_xticks(places)
        axes.set_xlim(0.5, max(places) + 0.5)
        axes.set_ylim(0, 1.18 * max([*(c.elapsed_s for c in item.calls), item.deadline_s or 0.0]))
        axes.set_xlabel("call number after the load")
        axes.set_ylabel("waited, s")
        axes.grid(visible=False, axis="x")

    description = (
        f"First calls of {comparison.model} in {comparison.phase} after a load: "
        f"{percent(comparison.cold.value, 0)} pass without warm-up, {percent(comparison.warm.value, 0)} with."
    )
    name = f"cold-{comparison.stage}-{comparison.phase}-{comparison.model}"
    return draw(slug(name), description, paint)


def history(series: Sequence[Series]) -> Safe:
    """Return the served accuracy of each phase over the cycles."""
    cycles = max(len(item.values) for item in series)

    def paint(axes: Axes) -> None:
        for place, item in enumerate(series):
            _phase_line(axes, item, place)
        axes.set_xlim(0.5, cycles + 0.5)
        axes.set_xticks(range(1, cycles + 1, max(1, cycles // 10)))
        axes.set_xlabel("cycle")
        axes.set_ylabel("served accuracy, %")

    ends = listed(tuple(f"{s.phase} {percent(s.values[0])} to {percent(s.values[-1])}" for s in series))
    return draw("history", f"Served accuracy over {cycles} cycles: {ends}.", paint, sides=(0.75, 0.95))


def _phase_line(axes: Axes, item: Series, place: int) -> None:
    known = [(n + 1, 100 * value) for n, value in enumerate(item.values) if value is not None]
    if not known:
        return
    colour = (FIRST, SECOND, MUTED, GOOD)[place % 4]
    band = [(n + 1, 100 * b[0], 100 * b[1]) for n, b in enumerate(item.bands) if b is not None]
    if band:
        at, low, high = (list(column) for column in zip(*band, strict=True))
        axes.fill_between(at, low, high, color=colour, alpha=0.14, linewidth=0)
    mark = "os^D"[place % 4]
    axes.plot(*zip(*known, strict=True), _LINES[place % 4], color=colour, marker=mark, markersize=5)
    for number, value in known:
        if number - 1 in item.adopted:
            axes.plot(number, value, "*", color=colour, markersize=14, markeredgecolor=CARD)
    axes.annotate(
        shortened(item.phase, 12),
        known[-1],
        xytext=(9, -3),
        textcoords="offset points",
        fontsize=10,
        color=colour,
        annotation_clip=False,
    )


def _effect(axes: Axes, row: EffectRow, height: int, *, first: bool) -> None:
    colour = _VERDICT_COLOURS.get(row.verdict, MUTED)
    if row.low is not None and row.high is not None:
        axes.plot([100 * row.low, 100 * row.high], [height, height], color=colour, linewidth=2.2)
    filled = colour if row.stage != "screen" else CARD
    axes.plot(
        100 * row.value,
        height,
        _STAGE_MARKS[row.stage],
        color=colour,
        markersize=7,
        markerfacecolor=filled,
        markeredgewidth=1.6,
    )
    _beside(axes, height, points(row.value), INK)
    if first:
        axes.axhline(height + 0.5, color=GRID, linewidth=0.8)


def _beside(axes: Axes, height: float, text: str, colour: str) -> None:
    axes.text(
        1.02,
        height,
        text,
        va="center",
        fontsize=10,
        color=colour,
        clip_on=False,
        transform=axes.get_yaxis_transform(),
    )


def _tick(rows: Sequence[EffectRow], place: int) -> str:
    row = rows[place]
    same = place > 0 and rows[place - 1].label == row.label
    return _stage(row) if same else f"{shortened(row.label, 13)} · {_stage(row)}"


def _stage(row: EffectRow) -> str:
    return "itself (A/A)" if row.stage == "control" else STAGE_NAMES[row.stage]


def _control_rows(item: Forest) -> list[EffectRow]:
    known = item.control
    if known is None or known.effect.value is None:
        return []
    effect = known.effect
    return [EffectRow(known.model, "control", known.effect.value, effect.low, effect.high, "")]


def _said(row: EffectRow) -> str:
    known = row.low is not None and row.high is not None
    return f"{points(row.value)} points" + (f", {points(row.low)} to {points(row.high)}" if known else "")


def _curve(axes: Axes, curve: Curve, colour: str, line: str, scale: float) -> None:
    number = len(curve.seconds)
    kept = sorted({round(n * (number - 1) / _STEPS) for n in range(_STEPS + 1)})
    shares = [100 * (place + 1) / number for place in kept]
    values = [scale * curve.seconds[place] for place in kept]
    axes.step([values[0], *values], [0.0, *shares], color=colour, linestyle=line, linewidth=2, where="post")


def _column(calls: Sequence[FirstCall]) -> tuple[list[float], list[float]]:
    """Spread marks of the same call sideways, evenly and without chance."""
    seen: dict[tuple[bool, int], int] = {}
    across = []
    for call in calls:
        nth = seen[call.warm, call.place] = seen.get((call.warm, call.place), 0) + 1
        across.append(call.place + (0.16 if call.warm else -0.16) + 0.035 * ((nth % 5) - 2))
    return across, [call.elapsed_s for call in calls]


def slug(text: str) -> str:
    """Return a name for an SVG's ids: letters and digits only, and another one for every text."""
    safe = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text.lower())
    return f"{safe}-{sum(ord(c) * (n + 1) for n, c in enumerate(text)) % 9973}"
