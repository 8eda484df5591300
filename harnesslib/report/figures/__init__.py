"""Figures: functions that take a tidy frame (``docs/frames.md``) and return a matplotlib Figure, in one look.

In a notebook a figure shows itself as SVG, with its finding in words; ``savefig`` writes any format. There is
no pyplot and no global state, and the same frame gives the same bytes. `drawing` is the look that the report
shares.
"""

from harnesslib.report.figures.accuracy import accuracy as accuracy
from harnesslib.report.figures.accuracy import cases as cases
from harnesslib.report.figures.accuracy import forest as forest
from harnesslib.report.figures.accuracy import frontier as frontier
from harnesslib.report.figures.accuracy import outcomes as outcomes
from harnesslib.report.figures.drawing import (
    BAD as BAD,
)
from harnesslib.report.figures.drawing import (
    CARD as CARD,
)
from harnesslib.report.figures.drawing import (
    FIRST as FIRST,
)
from harnesslib.report.figures.drawing import (
    GOOD as GOOD,
)
from harnesslib.report.figures.drawing import (
    GRID as GRID,
)
from harnesslib.report.figures.drawing import (
    INK as INK,
)
from harnesslib.report.figures.drawing import (
    MUTED as MUTED,
)
from harnesslib.report.figures.drawing import (
    SECOND as SECOND,
)
from harnesslib.report.figures.drawing import (
    draw as draw,
)
from harnesslib.report.figures.drawing import (
    shortened as shortened,
)
from harnesslib.report.figures.speed import cold as cold
from harnesslib.report.figures.speed import latency as latency
from harnesslib.report.figures.trend import baseline as baseline
from harnesslib.report.figures.trend import drift as drift
