"""The sections that judge the cycle itself: can it be believed, and what did it teach."""

from __future__ import annotations

from harnesslib.records import CycleRecords
from harnesslib.report.html import Column, Safe, Section, framed, gap, join, paragraph, pill, section, tag
from harnesslib.report.view import checks as checked
from harnesslib.report.view.gaps import missing
from harnesslib.report.view.learnings import learnings as learned
from harnesslib.report.view.learnings import optimism

_PILLS = {
    "good": ("good", "✓", "pass"),
    "look": ("warn", "!", "look"),
    "bad": ("bad", "✕", "fail"),
    "unknown": ("info", "?", "n/a"),
}


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
