"""Drawings as inline SVG: themable, described in words, and the same bytes for the same numbers."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harnesslib.report.html import Safe, escape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, FIRST, SECOND, GRID, CARD, GOOD, BAD = (f"#0{n}0{n}0{n}" for n in range(1, 9))
# Drawn in colours nobody else uses, which then become CSS variables: one drawing serves light, dark and
# print. The fallbacks are for a notebook, which has no style sheet of ours.
_VARIABLES = {
    INK: "var(--ink,#1b1f24)",
    MUTED: "var(--mut,#59626d)",
    FIRST: "var(--a,#0b62a8)",
    SECOND: "var(--b,#a34a00)",
    GRID: "var(--grid,#e4e7eb)",
    CARD: "var(--card,#fff)",
    GOOD: "var(--good,#0a6b3b)",
    BAD: "var(--bad,#a8201a)",
}
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
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: Any = {**_STYLE, "svg.hashsalt": name}
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        drawing = Figure(figsize=(WIDTH, height))
        FigureCanvasSVG(drawing)
        left, right = sides
        edges = (left / WIDTH, 0.55 / height, 1 - (left + right) / WIDTH, 1 - 0.75 / height)
        paint(drawing.add_axes(edges))
        buffer = io.StringIO()
        drawing.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return _themed(buffer.getvalue(), name, description)


def shortened(label: str, length: int = 22) -> str:
    """Return a label that fits: the middle of a long one is left out, its ends tell models apart."""
    if len(label) <= length:
        return label
    head = length // 2
    return f"{label[:head]}…{label[head + 1 - length :]}"


def _themed(svg: str, name: str, description: str) -> Safe:
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<defs>\s*</defs>", "", body)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r" font-family: 'DejaVu Sans'[^;\"]*;?", "", body)
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r'\s(?:width|height)="[\d.]+pt"', "", body)
    opening = f'<svg role="img" aria-labelledby="{name}-t" style="{_ROOT}" '
    title = f'<title id="{name}-t">{escape(description)}</title>'
    body = body.replace("<svg ", opening, 1)
    end = body.index(">") + 1
    return Safe(re.sub(r"\n\s*", "\n", body[:end] + title + body[end:]))
