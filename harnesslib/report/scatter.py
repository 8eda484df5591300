"""Drawings of single points: every run of both arms, cost beside accuracy, the looks of a confirmation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harnesslib.report.charts import slug
from harnesslib.report.figures import CARD, FIRST, GOOD, GRID, INK, MUTED, SECOND, draw, shortened
from harnesslib.report.html import Safe
from harnesslib.report.view.looks import Contest
from harnesslib.report.view.numbers import count, percent, signed
from harnesslib.report.view.runs import ArmRuns, RunsFigure
from harnesslib.report.view.tradeoff import Offer, Tradeoff

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEP = 0.085
_HIGHEST = 0.38
_EDGE = 0.3
_ROLE_MARKS = {"baseline": ("o", MUTED), "leader": ("^", FIRST)}


def runs(item: RunsFigure) -> Safe:
    """Return every run of both arms, one mark each: equal runs are stacked, the tick below is the mean."""

    def paint(axes: Axes) -> None:
        for height, arm, colour, mark in ((1, item.candidate, FIRST, "^"), (0, item.baseline, MUTED, "o")):
            _arm(axes, arm, height, colour, mark)
        found = [100 * run.accuracy for arm in (item.candidate, item.baseline) for run in arm.runs]
        room = max(1.0, 0.1 * (max(found) - min(found)))
        axes.set_xlim(min(found) - room, max(found) + room)
        for height, arm in ((1, item.candidate), (0, item.baseline)):
            _mean(axes, arm, height)
        axes.set_ylim(-0.42, 1.5)
        axes.set_yticks([1, 0], [shortened(arm.label, 13) for arm in (item.candidate, item.baseline)])
        axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=10.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("accuracy of one run, %")

    said = "; ".join(_said(arm) for arm in (item.candidate, item.baseline))
    name = slug(f"runs-{item.arms.phase}")
    return draw(name, f"Every run in {item.arms.phase}. {said}.", paint, height=2.35, sides=(1.35, 0.3))


def tradeoff(item: Tradeoff) -> Safe:
    """Return cost against accuracy; the line joins those that nobody beats on both."""
    best = [offer for offer in item.offers if offer.best]

    def paint(axes: Axes) -> None:
        corners = [(offer.cost, 100 * offer.accuracy) for offer in best]
        axes.step(*zip(*corners, strict=True), where="post", color=GOOD, linewidth=1.4, linestyle="--")
        for offer in item.offers:
            _offer(axes, offer)
        lowest = min(100 * (offer.low if offer.low is not None else offer.accuracy) for offer in item.offers)
        floor = max(0.0, lowest - 6)
        _label(axes, item.offers, floor)
        axes.set_xlim(0, 1.3 * max(offer.cost for offer in item.offers) or 1)
        axes.set_ylim(floor, 104)
        axes.set_xlabel(item.unit)
        axes.set_ylabel("served accuracy, %")

    named = ", ".join(f"{o.label} {percent(o.accuracy)} at {o.cost:.3g}" for o in item.offers)
    said = f"Served accuracy against {item.unit} in {item.phase}: {named}. "
    said += f"Nobody beats {', '.join(offer.label for offer in best)} on both."
    return draw(slug(f"tradeoff-{item.phase}"), said, paint, height=3.1)


def boundary(item: Contest) -> Safe:
    """Return the looks of a contest beside what each had to reach, as distance from it in passes."""
    found = item.looks
    asked = [look for look in found if look.critical is not None]

    def paint(axes: Axes) -> None:
        axes.axhline(0, color=SECOND, linestyle="--", linewidth=1.4)
        at = [100 * look.fraction for look in asked]
        missing = [look.statistic - (look.critical or 0) for look in asked]
        axes.plot(at, missing, "-", color=FIRST, linewidth=1.4)
        for place, distance, look in zip(at, missing, asked, strict=True):
            filled = FIRST if look.crossed else CARD
            axes.plot(place, distance, "o", color=FIRST, markerfacecolor=filled, markersize=7)
        axes.set_xlim(0, 106)
        axes.set_xlabel("% of the planned information")
        axes.set_ylabel("passes above the boundary")
        axes.locator_params(axis="y", integer=True)
        axes.yaxis.set_major_formatter(lambda value, _: signed(value, 0))

    said = "; ".join(
        f"look {look.round + 1}: {look.statistic} of {look.critical} weighted passes" for look in asked
    )
    name = slug(f"looks-{item.stage}-{item.phase}-{item.candidate}")
    who = f"{item.candidate} against {item.baseline} in {item.phase}"
    return draw(name, f"Looks at {who}. {said or 'No look could end it'}.", paint, height=2.6)


def _arm(axes: Axes, arm: ArmRuns, height: int, colour: str, mark: str) -> None:
    columns: dict[float, int] = {}
    tallest = max(
        [1, *(sum(round(r.accuracy, 4) == round(run.accuracy, 4) for r in arm.runs) for run in arm.runs)]
    )
    step = min(_STEP, _HIGHEST / tallest)
    for run in arm.runs:
        place = round(run.accuracy, 4)
        stacked = columns[place] = columns.get(place, 0) + 1
        filled = colour if run.whole else CARD
        axes.plot(
            100 * run.accuracy,
            height + (stacked - 1) * step,
            mark,
            color=colour,
            markerfacecolor=filled,
            markersize=7,
            markeredgecolor=CARD if run.whole else colour,
        )


def _mean(axes: Axes, arm: ArmRuns, height: int) -> None:
    """Mark the mean; its words lean inwards where the edge is near."""
    place = 100 * arm.mean
    axes.plot([place] * 2, [height - 0.16, height - 0.08], color=INK, linewidth=2)
    spread = "" if arm.spread is None else f" · SD {100 * arm.spread:.1f}"
    low, high = axes.get_xlim()
    share = (place - low) / (high - low)
    side = "left" if share < _EDGE else "right" if share > 1 - _EDGE else "center"
    axes.text(place, height - 0.2, f"mean {place:.1f}{spread}", ha=side, va="top", fontsize=10)


def _said(arm: ArmRuns) -> str:
    spread = "" if arm.spread is None else f", standard deviation {100 * arm.spread:.1f} points"
    return f"{arm.label}: {count(len(arm.runs))} runs, mean {percent(arm.mean)}{spread}"


def _offer(axes: Axes, offer: Offer) -> None:
    mark, colour = _ROLE_MARKS.get(offer.role, ("s", SECOND))
    if offer.low is not None and offer.high is not None:
        axes.plot([offer.cost] * 2, [100 * offer.low, 100 * offer.high], color=GRID, linewidth=3, zorder=1)
    axes.plot(
        offer.cost,
        100 * offer.accuracy,
        mark,
        color=colour,
        markerfacecolor=colour if offer.best else CARD,
        markersize=8,
        markeredgewidth=1.6,
    )


def _label(axes: Axes, offers: Sequence[Offer], floor: float) -> None:
    """Write the names beside their marks, pushed down where another name would be in the way."""
    widest = max(offer.cost for offer in offers)
    line = (104 - floor) / 14
    written: list[tuple[float, float]] = []
    for offer in sorted(offers, key=lambda each: -each.accuracy):
        height = 100 * offer.accuracy
        for across, used in written:
            if abs(across - offer.cost) < 0.4 * widest and height > used - line:
                height = used - line
        written.append((offer.cost, height))
        name = shortened(offer.label, 16)
        plate = {"facecolor": CARD, "edgecolor": "none", "pad": 0.8}
        place = offer.cost + 0.04 * widest
        axes.text(place, height, name, fontsize=9.5, color=INK, va="center", bbox=plate)
