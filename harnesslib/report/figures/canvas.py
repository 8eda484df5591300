"""A matplotlib figure that shows itself in a notebook as the report's SVG. Loads matplotlib."""

from __future__ import annotations

import io

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from harnesslib.report.figures.drawing import look, themed
from harnesslib.report.html import Safe


class Drawing(Figure):
    """A figure with a name and its finding in words; ``savefig`` works as with any other figure.

    Parameters
    ----------
    name
        Unique on its page; the SVG's ids start with it.
    description
        The finding in words.
    size
        Width and height, inches.
    """

    def __init__(self, name: str, description: str, size: tuple[float, float]) -> None:
        super().__init__(figsize=size)
        FigureCanvasSVG(self)
        self.name = name
        self.description = description

    def themed(self) -> Safe:
        """Return the drawing as an SVG whose colours follow the page's style sheet."""
        buffer = io.StringIO()
        with look(self.name):
            self.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        return themed(buffer.getvalue(), self.name, self.description)

    def _repr_html_(self) -> str:
        width = f"max-width:{100 * self.get_figwidth():.0f}px"
        return f'<div class="drawing" style="{width};background:var(--card,#fff)">{self.themed()}</div>'

    def __repr__(self) -> str:
        return f"<figure: {self.description}>"
