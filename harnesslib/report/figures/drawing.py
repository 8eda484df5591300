"""Drawings as inline SVG: themable, described in words, and the same bytes for the same numbers."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harnesslib.report.html import Safe, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from harnesslib.report.figures.canvas import Drawing

INK, MUTED, FIRST, SECOND = "#1b1f24", "#59626d", "#0b62a8", "#a34a00"
GRID, CARD, GOOD, BAD = "#e4e7eb", "#fefefe", "#0a6b3b", "#a8201a"
OUTCOME_COLOURS = {
    "pass": "#cfe3f3",
    "wrong": "#e0813f",
    "abstained": "#c9a227",
    "overcalled": "#b5532a",
    "malformed": "#8d5fa8",
    "timeout": "#6b7683",
    "infra_error": "#b9c0c8",
}
# The light colours of the report's style sheet. In an SVG each becomes its CSS variable, so that one drawing
# serves light, dark and print; the fallbacks are for a notebook, which has no style sheet of ours.
_VARIABLES = {
    INK: f"var(--ink,{INK})",
    MUTED: f"var(--mut,{MUTED})",
    FIRST: f"var(--a,{FIRST})",
    SECOND: f"var(--b,{SECOND})",
    GRID: f"var(--grid,{GRID})",
    CARD: "var(--card,#fff)",
    GOOD: f"var(--good,{GOOD})",
    BAD: f"var(--bad,{BAD})",
    OUTCOME_COLOURS["pass"]: f"var(--pass,{OUTCOME_COLOURS['pass']})",
    OUTCOME_COLOURS["infra_error"]: f"var(--o-infra,{OUTCOME_COLOURS['infra_error']})",
    **{
        OUTCOME_COLOURS[name]: f"var(--o-{name},{OUTCOME_COLOURS[name]})"
        for name in ("wrong", "abstained", "overcalled", "malformed", "timeout")
    },
}
_COLOUR = re.compile("|".join(_VARIABLES))
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a model's name may hold a dollar sign
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "path.simplify": True,
}
_ROOT = (
    "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Arial,'DejaVu Sans',sans-serif;"
    "stroke-linejoin:round;stroke-linecap:butt"
)
_BETWEEN = 0.25
WIDTH = 4.9
"""Inches of every drawing: 11 px of type on a phone 400 px wide, and two side by side on a desk."""


def draw(
    name: str,
    description: str,
    paint: Callable[[Axes], None],
    *,
    height: float = 3.0,
    sides: tuple[float, float] = (0.75, 0.2),
) -> Safe:
    """Return a drawing.

    Parameters
    ----------
    name
        Unique on the page; the SVG's ids start with it.
    description
        The finding in words: the title of the image for whoever can't see it.
    paint
        Draws into the given axes, in the colours of this module.
    height
        Height of the drawing, inches.
    sides
        Left and right margin, inches.
    """
    with look(name):
        drawing = sheet(name, description, height=height, sides=sides)
        paint(drawing.axes[0])
    return drawing.themed()


@contextmanager
def look(name: str) -> Iterator[None]:
    """Draw in the look of the report while the block runs; the same `name` gives the same bytes."""
    import matplotlib as mpl

    settings: Any = {**_STYLE, "svg.hashsalt": name}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def sheet(
    name: str,
    description: str,
    *,
    width: float = WIDTH,
    height: float = 3.0,
    sides: tuple[float, float] = (0.75, 0.2),
    panels: int = 1,
    above: float = 0.2,
) -> Drawing:
    """Return an empty drawing with `panels` axes side by side; sizes are in inches, as in `draw`."""
    from harnesslib.report.figures.canvas import Drawing

    drawing = Drawing(name, description, (width, height))
    left, right = sides
    bottom, top = 0.55 / height, 1 - (0.55 + above) / height
    step = (width - left - right + _BETWEEN) / panels
    for place in range(panels):
        edges = ((left + place * step) / width, bottom, (step - _BETWEEN) / width, top)
        drawing.add_axes(edges)
    return drawing


def shortened(label: str, length: int = 22) -> str:
    """Return a label that fits: the middle of a long one is left out, its ends tell models apart."""
    if len(label) <= length:
        return label
    head = length // 2
    return f"{label[:head]}…{label[head + 1 - length :]}"


def themed(svg: str, name: str, description: str) -> Safe:
    """Return an SVG of matplotlib as it stands in a page: small, themable, its ids its own."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<defs>\s*</defs>", "", body)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r" font-family: 'DejaVu Sans'[^;\"]*;?", "", body)
    body = _COLOUR.sub(lambda found: _VARIABLES[found.group()], body)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", body)
    opening = f'<svg role="img" aria-labelledby="{name}-t" style="{_ROOT}" '
    title = f'<title id="{name}-t">{escape(description)}</title>'
    body = body.replace("<svg ", opening, 1)
    end = body.index(">") + 1
    return Safe(re.sub(r"\n\s*", "\n", body[:end] + title + body[end:]))
