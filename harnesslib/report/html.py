"""Rows as HTML. Everything that is not made here is escaped: model output is data, never markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harnesslib.untrusted import visible

_UNIT = re.compile(r"(?<=\d) (?=%)")


class Safe(str):
    """Markup made by this package: not escaped again."""

    __slots__ = ()


@dataclass(frozen=True)
class Column:
    """A table column. `numeric` is aligned right, `code` is set in a fixed width."""

    title: str
    numeric: bool = False
    code: bool = False

    @property
    def css(self) -> str:
        """The class of its cells."""
        return "n" if self.numeric else "mono" if self.code else ""


@dataclass(frozen=True)
class Section:
    """A part of the report: shown by a notebook as it is, and put into the page by its template.

    `empty` where all it has to say is what is missing.
    """

    name: str
    html: str
    empty: bool = False

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"<report section: {self.name}>"

    def __add__(self, other: Section) -> Section:
        return Section(f"{self.name}, {other.name}", f"{self.html}\n{other.html}")


def escape(text: object) -> Safe:
    """Return text that no browser reads as markup; control and direction characters are made visible."""
    if isinstance(text, Safe):
        return text
    return Safe(html.escape(_UNIT.sub("\u00a0", visible(str(text)))))  # a number keeps its unit


def tag(name: str, content: object = "", **attributes: str) -> Safe:
    """Return one element; a trailing underscore of an attribute's name is dropped, others become hyphens."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value
    )
    return Safe(f"<{name}{given}>{escape(content)}</{name}>")


def join(parts: Iterable[object], separator: str = "") -> Safe:
    """Return the parts one after another, each escaped unless it is safe."""
    return Safe(separator.join(escape(part) for part in parts))


def section(name: str, title: str, *parts: object) -> Section:
    """Return a section with its heading."""
    heading = tag("h2", title, id_=f"{name}-title")
    body = join((heading, *parts), "\n")
    empty = all(str(part).startswith('<p class="gap">') for part in parts)
    html = tag("section", body, class_="part", id_=name, aria_labelledby=f"{name}-title")
    return Section(name, html, empty)


def paragraph(text: object, css: str = "") -> Safe:
    """Return a paragraph."""
    return tag("p", text, class_=css)


def gap(text: str) -> Safe:
    """Return the sentence that stands where something is missing."""
    return paragraph(text, "gap")


def pill(tone: str, glyph: str, word: str) -> Safe:
    """Return a state as glyph, word and colour: never the colour alone."""
    mark = Safe(f'<span aria-hidden="true">{escape(glyph)}</span>')
    return tag("span", join((mark, word)), class_=f"pill {tone}")


def details(summary: object, body: object, css: str = "") -> Safe:
    """Return something folded."""
    return tag("details", join((tag("summary", summary), body)), class_=css)


def scroller(body: object, label: str) -> Safe:
    """Return a region that scrolls sideways, by keyboard too."""
    name = f"Table: {label}"  # a section may have the label itself, and landmarks need names of their own
    return tag("div", body, class_="scroll", tabindex="0", role="region", aria_label=name)


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[object]], *, head: int = 0, css: str = "stack"
) -> Safe:
    """Return a table whose rows become cards on a phone.

    Parameters
    ----------
    columns
        One for each cell of a row.
    rows
        Cells; text is escaped, `Safe` markup is not.
    head
        Index of the cell that names its row.
    css
        Class of the table; ``stack`` turns rows into cards on narrow screens.
    """
    titles = join(tag("th", column.title, scope="col", class_=column.css) for column in columns)
    lines = (_line(columns, row, head) for row in rows)
    body = tag("tbody", join(lines, "\n"))
    return tag("table", join((tag("thead", tag("tr", titles)), body)), class_=css)


def framed(label: str, columns: Sequence[Column], rows: Iterable[Sequence[object]], *, head: int = 0) -> Safe:
    """Return a table inside a frame that scrolls sideways where it must."""
    return scroller(table(columns, rows, head=head), label)


def figure(title: str, note: str, drawing: Safe, numbers: Safe | None = None) -> Safe:
    """Return a drawing with its caption and, folded, the numbers behind it."""
    caption = tag("figcaption", join((tag("b", title), tag("span", note))))
    folded = details("Numbers behind this figure", numbers, "noprint") if numbers is not None else Safe("")
    return tag("figure", join((caption, drawing, folded), "\n"))


def definitions(items: Iterable[tuple[str, object, bool]]) -> Safe:
    """Return names with their values; the flag sets a value in a fixed width."""
    lines = (join((tag("dt", n), tag("dd", v, class_="mono" if code else ""))) for n, v, code in items)
    return tag("dl", join(lines, "\n"), class_="env")


def spoken(glyph: str, words: str) -> Safe:
    """Return a glyph for the eye and words for the ear."""
    seen = f'<span aria-hidden="true">{escape(glyph)}</span>' if glyph else ""
    return Safe(f'{seen}<span class="sr">{escape(words)}</span>')


def _line(columns: Sequence[Column], row: Sequence[object], head: int) -> Safe:
    cells = []
    for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
        if place == head:
            cells.append(tag("th", cell, scope="row", class_=column.css))
        else:
            inner = tag("span", cell)
            cells.append(tag("td", inner, data_l=column.title, class_=column.css))
    return tag("tr", join(cells))
