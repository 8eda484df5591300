"""``runs/index.html``: all cycles of a workspace on one page, newest first, without a script."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from urllib.parse import quote

from harnesslib.records import RunLine
from harnesslib.report.html import Column, Safe, escape, framed, gap, join, paragraph, pill, tag
from harnesslib.report.view.numbers import count, moment, percent, plural
from harnesslib.report.view.overview import CycleRow, Trend, cycles, others, trends

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_WIDTH, _HEIGHT, _EDGE = 260.0, 76.0, 8.0


def index_page(lines: Sequence[RunLine]) -> bytes:
    """Return the page; the same runs give the same bytes.

    Parameters
    ----------
    lines
        All runs, oldest first, damaged ones too.
    """
    rows = cycles(lines)
    known = trends(lines)
    title = f"Cycles: {plural(len(rows), 'run')}"
    style = (files("harnesslib.report") / "template" / "harness" / "static" / "report.css").read_text("utf-8")
    head = (
        '<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="generator" content="harnesslib">\n<title>{escape(title)}</title>\n'
        f'<link rel="icon" href="data:,">\n<style>{style}</style>'
    )
    body = join((_header(rows), _trends(known), _table(rows), _others(lines)), "\n")
    main = tag("main", body, id_="main")
    page = f'<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{main}\n</body>\n</html>'
    return f"<!DOCTYPE html>\n{page}\n".encode()


def _header(rows: Sequence[CycleRow]) -> Safe:
    if not rows:
        return join((tag("h1", "Cycles"), gap("No cycle has been run yet; run one with harness cycle.")))
    newest = rows[0]
    lead = f"The newest: {newest.verdict}" if newest.verdict else f"The newest: {newest.state}."
    bad = sum(row.tone == "bad" for row in rows)
    told = (
        f"{plural(len(rows), 'cycle')}; {count(bad)} did not end well." if bad else plural(len(rows), "cycle")
    )
    return join((tag("p", told, class_="meta"), tag("h1", "Cycles of this workspace"), paragraph(lead)), "\n")


def _trends(found: Sequence[Trend]) -> Safe:
    if not found:
        return Safe("")
    heading = tag("h2", "Served accuracy over the cycles", id_="trend-title")
    intro = paragraph(
        "One picture per phase, all on the same scale: what served it at the end of each finished cycle, "
        "with its 95\u00a0% interval. A ring marks a cycle that put another model in service.",
        "note",
    )
    drawn = join((_figure(trend, number) for number, trend in enumerate(found)), "\n")
    parts = join((heading, intro, tag("div", drawn, class_="grid small")), "\n")
    return tag("section", parts, class_="part", aria_labelledby="trend-title")


def _figure(trend: Trend, number: int) -> Safe:
    caption = tag("figcaption", join((tag("b", trend.phase), tag("span", trend.said))))
    return tag("figure", join((caption, _drawing(trend, number))))


def _drawing(trend: Trend, number: int) -> Safe:
    """Draw a phase's line by hand: three elements are all it takes, and thousands of cycles stay quick."""
    lowest = trend.scale[0]
    last = max(1, len(trend.values) - 1)

    def place(n: int, value: float) -> tuple[float, float]:
        across = _EDGE + (_WIDTH - 2 * _EDGE) * n / last
        down = _EDGE + (_HEIGHT - 2 * _EDGE) * (1 - (value - lowest) / (trend.scale[1] - lowest))
        return round(across, 1), round(down, 1)

    known = [(n, value) for n, value in enumerate(trend.values) if value is not None]
    bands = [(n, band) for n, band in enumerate(trend.bands) if band is not None]
    outline = [place(n, band[1]) for n, band in bands] + [place(n, band[0]) for n, band in reversed(bands)]
    points = [place(n, value) for n, value in known]
    rings = "".join(
        f'<circle cx="{place(n, value)[0]}" cy="{place(n, value)[1]}" r="4.5" fill="none" stroke="var(--b)" '
        'stroke-width="2"/>'
        for n, value in known
        if n in trend.adopted
    )
    area = f'<polygon points="{_path(outline)}" fill="var(--a)" opacity="0.15"/>' if len(bands) > 1 else ""
    end = points[-1]
    label = f"trend-{number}"
    return Safe(
        f'<svg role="img" aria-labelledby="{label}" viewBox="0 0 {_WIDTH + 40:g} {_HEIGHT:g}">'
        f'<title id="{label}">{escape(f"{trend.phase}: {trend.said}")}</title>{_scale(trend)}{area}'
        f'<polyline points="{_path(points)}" fill="none" stroke="var(--a)" stroke-width="2"/>{rings}'
        f'<circle cx="{end[0]}" cy="{end[1]}" r="3" fill="var(--a)"/></svg>'
    )


def _scale(trend: Trend) -> str:
    """Draw the two ends of the scale."""
    lines = []
    for value, down in ((trend.scale[1], _EDGE), (trend.scale[0], _HEIGHT - _EDGE)):
        lines.append(f'<path d="M0 {down:g}H{_WIDTH:g}" stroke="var(--line)"/>')
        lines.append(
            f'<text x="{_WIDTH + 4:g}" y="{down + 3.5:g}" font-size="10" fill="var(--mut)">'
            f"{percent(value, 0)}</text>"
        )
    return "".join(lines)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{across:g},{down:g}" for across, down in points)


def _table(rows: Sequence[CycleRow]) -> Safe:
    if not rows:
        return Safe("")
    columns = (
        Column("cycle"),
        Column("result"),
        Column("what it came to"),
        Column("served accuracy"),
        Column("generation", numeric=True),
    )
    cells = (
        (
            _link(row),
            pill(row.tone, row.glyph, row.state),
            row.verdict,
            _accuracies(row),
            row.generation,
        )
        for row in rows
    )
    heading = tag("h2", "All cycles, newest first", id_="cycles-title")
    parts = join((heading, framed("All cycles", columns, cells)), "\n")
    return tag("section", parts, class_="part", aria_labelledby="cycles-title")


def _link(row: CycleRow) -> Safe:
    began = moment(row.started_at) if row.started_at else "time unknown"
    shown = escape(began)
    if row.report:
        shown = Safe(f'<a href="./{quote(row.run_id, safe="")}/report.html">{shown}</a>')
    return tag("span", join((shown, tag("small", row.run_id, class_="mono")), " "), class_="cycle")


def _accuracies(row: CycleRow) -> Safe:
    lines = (f"{phase}\u00a0{percent(value)}, {model}" for phase, value, model in row.served)
    return join((tag("span", line, class_="line") for line in lines), " ")


def _others(lines: Sequence[RunLine]) -> Safe:
    number = others(lines)
    said = f"{plural(number, 'single run')} (harness run) not listed." if number else ""
    return paragraph(said, "note") if said else Safe("")
