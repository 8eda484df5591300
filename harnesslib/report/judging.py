"""The sections that judge the cycle itself: can it be believed, and what did it teach."""

from __future__ import annotations

from collections.abc import Sequence

from harnesslib.records import CycleRecords
from harnesslib.report.html import (
    Column,
    Safe,
    Section,
    figure,
    framed,
    gap,
    join,
    paragraph,
    pill,
    section,
    tag,
)
from harnesslib.report.view import checks as checked
from harnesslib.report.view.gaps import missing, uncompared
from harnesslib.report.view.learnings import learnings as learned
from harnesslib.report.view.learnings import optimism
from harnesslib.report.view.looks import Contest, ScreenRow, contests, look_rows, screen_rows
from harnesslib.report.view.measured import STAGE_NAMES

_PILLS = {
    "good": ("good", "✓", "pass"),
    "look": ("warn", "!", "look"),
    "bad": ("bad", "✕", "fail"),
    "unknown": ("info", "?", "n/a"),
}

_LEAST = 2
"""Looks that could have ended a contest, below which a drawing shows nothing."""


def checks(records: CycleRecords) -> Section:
    """Return what to look at before the result is believed; a failed check demotes the verdict."""
    title = "Checks before believing it"
    rows = checked.checks(records)
    if not rows:
        return section("checks", title, gap(missing(records, "a sample")))
    intro = (
        "Each check asks whether the measurement itself is sound. One that fails puts the verdict above in "
        f"doubt (p below {checked.FAIL_P:g}, or a share above its limit); “look” is a nudge "
        f"(p below {checked.LOOK_P:g})."
    )
    columns = (Column("check"), Column("result"), Column("finding"))
    cells = ((r.name, pill(*_PILLS[r.state]), join((r.finding, tag("small", r.meaning)), " ")) for r in rows)
    return section("checks", title, paragraph(intro), framed("Checks", columns, cells))


def confirmation(records: CycleRecords) -> Section:
    """Return how the rounds went: who was left out in the screen, and each look against its boundary."""
    title = "How the rounds went"
    rows, found = screen_rows(records), contests(records)
    if not rows and not found:
        return section("confirmation", title, gap(uncompared(records)))
    intro = paragraph(
        "Candidates are first asked only what the baseline fails. The most promising one of a phase is then "
        "measured beside the baseline on fresh calls, round by round; after each round a look decides "
        "whether it is proven, hopeless, or goes on. All looks share one chance of error, so looking often "
        "is no cheat. Passes are weighted by their round; planned is the share of the most it may take."
    )
    looked = tag("div", join((_contest(item) for item in found), "\n"), class_="grid")
    return section("confirmation", title, intro, _screen(rows), looked)


def _screen(rows: Sequence[ScreenRow]) -> Safe:
    if not rows:
        return Safe("")
    columns = (
        Column("model"),
        Column("phase"),
        Column("asked", numeric=True),
        Column("right", numeric=True),
        Column("promised gain, points", numeric=True),
        Column("what became of it"),
    )
    cells = ((r.model, r.phase, r.asked, r.right, r.promise, r.reason) for r in rows)
    heading = tag("h3", "Screen: on the cases that the baseline failed")
    return join((heading, framed("Screen", columns, cells)))


def _contest(item: Contest) -> Safe:
    from harnesslib.report.scatter import boundary

    names = ("look", "calls", "planned", "effect, points", "passes", "needed")
    columns = (*(Column(name, numeric=True) for name in names), Column("result"))
    cells = (
        (r.number, r.calls, r.share, r.effect, r.statistic, r.critical, r.result) for r in look_rows(item)
    )
    stage = STAGE_NAMES[item.stage]
    heading = tag("h3", f"{item.phase}, {stage}: {item.candidate} beside {item.baseline}")
    told = paragraph(join((pill(*item.state), f" {item.reason}.")))
    looked = framed(f"Looks at {item.candidate} in {item.phase}, {stage}", columns, cells)
    if sum(look.critical is not None for look in item.looks) < _LEAST:
        return tag("div", join((heading, told, looked)))
    note = "Above the dashed line it is proven; filled: reached."
    picture = figure(f"{item.phase}: looks of the {stage}", note, boundary(item))
    return tag("div", join((heading, told, picture, looked)))


def learnings(records: CycleRecords) -> Section:
    """Return what was expected, what each stage saw, and what follows."""
    title = "What this cycle taught"
    rows = learned(records)
    if not rows:
        nothing = "Nothing was tried, so nothing was learned." if records.decisions else ""
        return section("learnings", title, gap(nothing or missing(records, "decisions")))
    columns = (
        Column("model"),
        Column("change"),
        Column("screen, points", numeric=True),
        Column("confirmed, points", numeric=True),
        Column("on fresh cases, points", numeric=True),
        Column("what follows"),
    )
    cells = ((r.model, r.change, r.screen, r.confirmed, r.verified, r.lesson) for r in rows)
    gap_said = optimism(records)
    intro = join(
        (
            paragraph(
                "What each stage saw of a change, and what follows: it is served, it waits for its review, "
                "or it stays open."
            ),
            paragraph(gap_said) if gap_said else Safe(""),
        )
    )
    return section("learnings", title, tag("div", intro), framed("Learnings", columns, cells))
