"""All cycles as rows and trends, whatever state each of them is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from harnesslib.records import RunLine
from harnesslib.report.view.numbers import percent, plural
from harnesslib.report.view.trail import series

STATES = {
    "promoted": ("good", "▲", "changed and proven"),
    "partly_kept": ("warn", "▲", "partly kept"),
    "rolled_back": ("bad", "↩", "rolled back"),
    "unchanged": ("info", "=", "unchanged"),
    "undecided": ("warn", "?", "undecided"),
    "proposed": ("warn", "…", "waiting for a person"),
    "running": ("info", "…", "running"),
    "done": ("warn", "?", "no outcome"),
    "failed": ("bad", "✕", "failed"),
    "lost": ("bad", "✕", "lost"),
    "damaged": ("bad", "!", "damaged"),
}
"""Status of an outcome, or of a run that has none: tone, glyph, words."""


@dataclass(frozen=True)
class CycleRow:
    """One cycle: how it ended, and what serves since. `served`: phase, accuracy as a share, model."""

    run_id: str
    started_at: datetime | None
    tone: str
    glyph: str
    state: str
    verdict: str
    generation: str
    served: tuple[tuple[str, float | None, str], ...]
    report: bool


@dataclass(frozen=True)
class Trend:
    """Accuracy of one phase over the finished cycles, as shares; `scale` is that of all phases."""

    phase: str
    values: tuple[float | None, ...]
    bands: tuple[tuple[float, float] | None, ...]
    adopted: tuple[int, ...]
    scale: tuple[float, float]
    said: str


def cycles(lines: Sequence[RunLine]) -> tuple[CycleRow, ...]:
    """Return the cycles, newest first; a run whose manifest can't be read is taken for one."""
    return tuple(_row(line) for line in reversed(lines) if line.kind in {"cycle", ""})


def others(lines: Sequence[RunLine]) -> int:
    """Return how many runs are no cycles."""
    return sum(line.kind not in {"cycle", ""} for line in lines)


def trends(lines: Sequence[RunLine]) -> tuple[Trend, ...]:
    """Return one trend per phase, all on one scale; nothing before two cycles have ended."""
    outcomes = [line.outcome for line in lines if line.outcome is not None and line.status == "done"]
    found = [item for item in series(outcomes) if any(value is not None for value in item.values)]
    if len(outcomes) < 2:  # noqa: PLR2004 - one point is no trend
        return ()
    lows = [value for item in found for value in item.values if value is not None]
    lows += [band[0] for item in found for band in item.bands if band is not None]
    # Whole tenths, and never so narrow that chance looks like a landslide.
    scale = (min(0.8, int(10 * min(lows)) / 10), 1.0) if lows else (0.0, 1.0)
    return tuple(
        Trend(item.phase, item.values, item.bands, item.adopted, scale, _said(item.values, item.models))
        for item in found
    )


def _said(values: Sequence[float | None], models: Sequence[str]) -> str:
    known = [value for value in values if value is not None]
    serving = models[-1] or "unknown"
    return f"{percent(known[0])} to {percent(known[-1])} over {plural(len(values), 'cycle')}; now {serving}"


def _row(line: RunLine) -> CycleRow:
    outcome = line.outcome
    known = outcome.status if outcome and line.status == "done" else line.status
    tone, glyph, state = STATES.get(known, ("warn", "?", known))
    before = f"{outcome.generation_before} → " if outcome and _moved(line) else ""
    return CycleRow(
        run_id=line.run_id,
        started_at=line.started_at,
        tone=tone,
        glyph=glyph,
        state=state,
        verdict=line.problem or (outcome.headline if outcome else line.reason),
        generation=f"{before}{outcome.generation}" if outcome else "",
        served=_served(line),
        report=line.report,
    )


def _moved(line: RunLine) -> bool:
    return line.outcome is not None and line.outcome.generation != line.outcome.generation_before


def _served(line: RunLine) -> tuple[tuple[str, float | None, str], ...]:
    if line.outcome is None:
        return ()
    return tuple(
        (phase, line.outcome.accuracy.get(phase), model) for phase, model in line.outcome.baselines.items()
    )
