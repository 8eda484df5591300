"""The sections about evidence: models, cases, speed, history, budget, audit trail, environment."""

from __future__ import annotations

from urllib.parse import quote

from harnesslib.records import OUTCOMES, CycleRecords
from harnesslib.report.html import (
    Column,
    Safe,
    Section,
    definitions,
    details,
    escape,
    figure,
    framed,
    gap,
    join,
    paragraph,
    scroller,
    section,
    spoken,
    table,
    tag,
)
from harnesslib.report.view import measured, trail
from harnesslib.report.view.arms import phases
from harnesslib.report.view.gaps import missing, uncompared
from harnesslib.report.view.measured import GLYPHS, CaseGrid, CaseRow, ModelRow
from harnesslib.report.view.numbers import TIMES, percent, plural, probability, seconds
from harnesslib.report.view.speed import ColdFigure, LatencyFigure, cold_figures, latency_figures
from harnesslib.report.view.tradeoff import Tradeoff, tradeoffs

_CASES = f"Cases {TIMES} repeats"
_LONG = 160
_HOW_SUMMED = (
    "Time waited is summed over samples that ran side by side. "
    "Tokens are known where the endpoint states them, costs where harness.toml states prices, too; "
    '"(8 of 10)" = known of 8 samples of 10.'
)
_CSS = {"pass": "p", "infra_error": "m", "missing": "m"}


def models(records: CycleRecords) -> Section:
    """Return the outcomes of every model in every phase and stage."""
    tables = [
        join((tag("h3", phase), _models_table(records, phase)))
        for phase in phases(records)
        if measured.models(records, phase)
    ]
    if not tables:
        return section("models", "Models", gap(missing(records, "a summary of the samples")))
    intro = (
        "Served accuracy is what a user of the model gets: a timeout counts as a failure. Skill "
        "leaves timeouts out. Restraint is the share of cases that need no call and get none. "
        "Intervals are 95\u00a0%."
    )
    return section("models", "Models", paragraph(intro), *tables, _tradeoffs(records))


def cases(records: CycleRecords) -> Section:
    """Return cases by repeats of the best candidate and the baseline, worst first."""
    grids = [grid for grid in (measured.case_grid(records, phase) for phase in phases(records)) if grid]
    if not grids:
        return section("cases", _CASES, gap(uncompared(records)))
    intro = "Worst cases of the candidate first. A square is one answer; an empty one is right."
    return section("cases", _CASES, paragraph(intro), _key(grids), *(_grid(grid) for grid in grids))


def speed(records: CycleRecords) -> Section:
    """Return latency curves of both arms, and first calls after a load with and without warm-up."""
    title = "Speed and cold start"
    curves, sessions = latency_figures(records), cold_figures(records)
    if not curves and not sessions:
        return section("speed", title, gap(uncompared(records)))
    from harnesslib.report import charts

    drawn = [figure(_latency_title(c), _latency_note(c), charts.latency(c)) for c in curves]
    drawn += [figure(_cold_title(c), _cold_note(c), charts.cold(c)) for c in sessions]
    none = (
        "" if sessions else "No model was suspected of a cold start, so none was unloaded and started again."
    )
    return section(
        "speed", title, tag("div", join(drawn, "\n"), class_="grid"), gap(none) if none else Safe("")
    )


def history(records: CycleRecords) -> Section:
    """Return the baselines' accuracy over the cycles."""
    series = tuple(s for s in trail.history(records) if any(value is not None for value in s.values))
    if not series:
        said = "This is the first cycle with a result; the next one will show a line here."
        return section("history", "Over the cycles", gap(said))
    from harnesslib.report.charts import history as draw_history

    columns = (Column("phase"), Column("served now by"), Column("since the first cycle", numeric=True))
    cells = [(item.phase, item.models[-1] or "n/a", trail.drift(item)) for item in series]
    picture = figure(
        "Has the baseline really moved?",
        "Served accuracy of whatever served each phase at the end of a cycle, with its 95\u00a0% interval; "
        "★ another model came into service.",
        draw_history(series),
    )
    beside = tag("div", framed("Accuracy over the cycles", columns, cells))
    return section("history", "Over the cycles", tag("div", join((picture, beside)), class_="grid"))


def budget(records: CycleRecords) -> Section:
    """Return what the cycle used, stage by stage, beside what was foreseen."""
    rows = trail.budget(records)
    foreseen = trail.predicted(records)
    if not rows:
        return section(
            "budget", "Budget", gap(missing(records, "a sample") + (f" {foreseen}" if foreseen else ""))
        )
    columns = (
        Column("stage"),
        Column("samples", numeric=True),
        Column("requests", numeric=True),
        Column("tokens", numeric=True),
        Column("cost", numeric=True),
        Column("time waited", numeric=True),
    )
    cells = ((r.stage, r.samples, r.requests, r.tokens, r.cost, r.waited) for r in rows)
    intro = paragraph(f"{foreseen} {_HOW_SUMMED}".strip())
    return section("budget", "Budget", intro, framed("Budget", columns, cells))


def audit(records: CycleRecords) -> Section:
    """Return the decision log's entries about this cycle and the files of the run."""
    columns = (
        Column("entry"),
        Column("time, UTC"),
        Column("event"),
        Column("what"),
        Column("generation", numeric=True),
        Column("sha256", code=True),
    )
    rows = trail.log_rows(records)
    cells = ((r.seq, r.time, r.event, _folded(r.summary), r.generation, r.digest) for r in rows)
    log = (
        framed("Decision log", columns, cells, head=2)
        if rows
        else gap("Nothing was written to the decision log.")
    )
    command = tag("code", "harness log verify")
    intro = paragraph(
        join(("Each entry carries the hash of the one before; ", command, " finds any edited byte."))
    )
    links = tag("ul", join((_file(row) for row in trail.files(records)), "\n"), class_="files")
    around = tag("ul", join(_way(item) for item in trail.ways(records)), class_="files")
    headings = (tag("h3", "Files of this run"), tag("h3", "Around it"))
    return section("audit", "Audit trail", intro, log, headings[0], links, headings[1], around)


def environment(records: CycleRecords) -> Section:
    """Return versions, seeds, suites, and how to get the numbers again."""
    items = ((item.name, item.value, item.code) for item in trail.environment(records))
    return section("environment", "Environment and how to ask again", definitions(items))


def _folded(text: str) -> Safe:
    """Show the beginning of a long text, and all of it when asked."""
    if len(text) <= _LONG:
        return escape(text)
    return details(f"{text[: _LONG - 40]}…", paragraph(text))


def _tradeoffs(records: CycleRecords) -> Safe:
    found = tradeoffs(records)
    if not found:
        return Safe("")
    from harnesslib.report.scatter import tradeoff

    note = (
        "Up and to the left is better. Filled: nobody is at least as right for at most as much; the dashed "
        "line joins them. ▲ leader, ● baseline. Grey: 95\u00a0% intervals."
    )
    drawn = (figure(f"{t.phase}: accuracy against {_cost(t)}", note, tradeoff(t), _offers(t)) for t in found)
    heading = tag("h3", "What accuracy costs")
    return join((heading, tag("div", join(drawn, "\n"), class_="grid")), "\n")


def _cost(item: Tradeoff) -> str:
    return "cost" if item.unit.startswith("money") else "time (no prices are known)"


def _offers(item: Tradeoff) -> Safe:
    columns = (Column("model"), Column("stage"), Column(item.unit, numeric=True), Column("right"))
    cells = ((o.label, o.stage, f"{o.cost:.3g}", percent(o.accuracy)) for o in item.offers)
    return scroller(table(columns, cells, css=""), f"accuracy and cost in {item.phase}")


def _models_table(records: CycleRecords, phase: str) -> Safe:
    columns = (
        Column("model"),
        Column("stage"),
        Column("samples", numeric=True),
        Column("served accuracy"),
        Column("skill", numeric=True),
        Column("restraint"),
        Column("p50 / p95", numeric=True),
        Column("outcomes"),
    )
    cells = (
        (_named(r), r.stage, r.samples, r.served, r.skill, r.restraint, r.waits, _mix(r))
        for r in measured.models(records, phase)
    )
    return framed(f"Models in {phase}", columns, cells)


def _named(row: ModelRow) -> Safe:
    return join((row.model, tag("small", row.role, class_="role")), " ") if row.role else join((row.model,))


def _mix(row: ModelRow) -> Safe:
    total = sum(number for _, number in row.mix) or 1
    bars = join(
        Safe(f'<i class="o-{name}" style="flex-grow:{number / total:.4f}"></i>') for name, number in row.mix
    )
    words = " · ".join(f"{name.replace('_', ' ')}\u00a0{number}" for name, number in row.mix)
    return join((Safe(f'<span class="mix" aria-hidden="true">{bars}</span>'), tag("small", words)))


def _key(grids: list[CaseGrid]) -> Safe:
    used = {o for grid in grids for row in grid.rows for o in (*row.candidate, *row.baseline)}
    marks = (
        tag("span", join((tag("i", GLYPHS[o][0] or "\u00a0", class_=f"c {_CSS.get(o, 'f')}"), GLYPHS[o][1])))
        for o in (*OUTCOMES, "missing")
        if o in used
    )
    return tag(
        "div",
        join((*marks, tag("span", "⚑ flaky: right in more than 20 and less than 80\u00a0% of the repeats"))),
        class_="key",
    )


def _grid(grid: CaseGrid) -> Safe:
    ours, theirs = grid.arms.labels
    stage = measured.STAGE_NAMES[grid.arms.stage]
    heading = tag("h3", f"{grid.arms.phase}, {stage}: {ours} beside {theirs}")
    left_out = f"{plural(grid.flawless, 'case')} that both models always got right left out."
    if not grid.rows:
        return join((heading, gap(f"Nothing to show: {left_out}")))
    note = paragraph(left_out if grid.flawless else "No case was right in every repeat of both.", "note")
    body = tag("tbody", join((_grid_row(row) for row in grid.rows), "\n"))
    head = _grid_head(ours, theirs, grid.repeats)
    grid_table = tag("table", join((head, body)), class_="heat")
    return join((heading, note, scroller(grid_table, f"Questions by repeats, {grid.arms.phase}")))


def _grid_head(ours: str, theirs: str, repeats: int) -> Safe:
    empty, wide = tag("td"), Safe('<td class="gap"></td>')
    arms = [tag("th", name, colspan=str(repeats), scope="colgroup") for name in (ours, theirs)]
    top = tag("tr", join((empty, empty, empty, arms[0], empty, wide, arms[1], empty)))
    named = join(tag("th", name, scope="col") for name in ("case", "right", "change"))
    numbers = join(tag("th", n, scope="col") for n in range(1, repeats + 1))
    return tag("thead", join((top, tag("tr", join((named, numbers, empty, wide, numbers, empty))))))


def _grid_row(row: CaseRow) -> Safe:
    head = tag("th", join((row.label, " ", tag("small", row.note))), scope="row")
    parts = (head, tag("td", row.rate, class_="n"), tag("td", row.change, class_="n"))
    ours, theirs = (join(_square(o) for o in side) for side in (row.candidate, row.baseline))
    flags = [tag("td", spoken("⚑", "flaky") if flaky else "") for flaky in row.flaky]
    return tag("tr", join((*parts, ours, flags[0], Safe('<td class="gap"></td>'), theirs, flags[1])))


def _square(outcome: str) -> Safe:
    glyph, words = GLYPHS[outcome]
    return tag("td", spoken(glyph, words), class_=f"c {_CSS.get(outcome, 'f')}")


def _latency_title(item: LatencyFigure) -> str:
    return f"{item.arms.phase}: how long a case takes"


def _latency_note(item: LatencyFigure) -> str:
    ours, theirs = item.candidate, item.baseline
    return (
        f"p50 {seconds(ours.p50)} against {seconds(theirs.p50)}, p95 {seconds(ours.p95)} against "
        f"{seconds(theirs.p95)}; further left is better."
    )


def _cold_title(item: ColdFigure) -> str:
    stage = measured.STAGE_NAMES.get(item.comparison.stage, item.comparison.stage)
    return f"{item.comparison.model}, {item.comparison.phase}: first calls after a load ({stage})"


def _cold_note(item: ColdFigure) -> str:
    comparison = item.comparison
    waited = comparison.warmup_s
    load = "" if waited is None else f" A warm-up takes {seconds(waited)}."
    return (
        f"▲ without warm-up: {percent(comparison.cold.value, 0)} right; ● with: "
        f"{percent(comparison.warm.value, 0)}; ✕ not right. "
        f"{plural(comparison.sessions, 'session pair')}, {probability(comparison.p_value)}.{load}"
    )


def _way(item: trail.Item) -> Safe:
    return tag("li", Safe(f'<a href="{quote(item.value, safe="/.")}">{escape(item.name)}</a>'))


def _file(row: trail.FileRow) -> Safe:
    link = Safe(f'<a href="./{quote(row.link, safe="")}">')
    digest = tag("span", row.digest, class_="mono note") if row.digest else Safe("")
    return tag("li", join((link, row.link, Safe("</a> "), digest)))
