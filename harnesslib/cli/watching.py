"""What is known of a running cycle, from its events alone: pure functions from events to what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from harnesslib.records import Event, Standing

_STEPS = {
    "selection": "screen",
    "summary": "decide",
    "findings": "decide",
    "decisions": "decide",
    "applied": "apply",
    "enforce": "apply",
    "verification": "verify",
    "outcome": "record",
}
"""State -> the step that it belongs to; any other state is a step of its own."""
_SOON = 5
_MINUTE_S = 60
_DROPS_SHOWN = 5


@dataclass(frozen=True)
class Watched:
    """Everything that the events of a run have said so far.

    `since` and `before` are when the present measurement began and what was done by then; `standings` are
    the arms by phase, best first.
    """

    steps: tuple[str, ...] = ()
    message: str = ""
    done: int = 0
    total: int = 0
    round: int = 0
    rounds: int = 0
    requests: int = 0
    cost: float = 0.0
    began: datetime | None = None
    now: datetime | None = None
    since: datetime | None = None
    before: int = 0
    standings: dict[str, tuple[Standing, ...]] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()


def follow(known: Watched, event: Event) -> Watched:
    """Return what is known after one more event."""
    step = _STEPS.get(event.state, event.state)
    new_step = step not in known.steps  # one that is gone through again, its record there, is no news
    steps = (*known.steps, step) if new_step else known.steps
    counted = bool(event.total)
    restart = counted and (new_step or event.total != known.total or event.done < known.done)
    said = f"{event.dropped}: {event.message}" if event.dropped else ""
    return replace(
        known,
        steps=steps,
        message=known.message if event.dropped or _is_count(event) else event.message,
        done=event.done if counted or new_step else known.done,
        total=event.total if counted or new_step else known.total,
        round=event.round or (0 if new_step else known.round),
        rounds=event.rounds or (0 if new_step else known.rounds),
        requests=known.requests if event.requests is None else event.requests,
        cost=known.cost if event.cost is None else event.cost,
        began=known.began or event.time,
        now=event.time,
        since=event.time if restart else known.since,
        before=event.done if restart else known.before,
        standings=_ordered(event.standings) or known.standings,
        dropped=(*known.dropped, said) if said and said not in known.dropped else known.dropped,
    )


def seconds_left(known: Watched) -> float | None:
    """Return how long the present measurement still takes at its pace; none while that can't be said."""
    if known.since is None or known.now is None or known.done - known.before < _SOON:
        return None
    passed = (known.now - known.since).total_seconds()
    return passed / (known.done - known.before) * (known.total - known.done)


def headline(known: Watched) -> str:
    """Return the steps, those that are done with a tick."""
    *past, present = known.steps or ("starting",)
    return "  ".join([*(f"{name} \N{CHECK MARK}" for name in past), f"{present} \N{HORIZONTAL ELLIPSIS}"])


def counts(known: Watched) -> str:
    """Return how much was measured, what it took and what it will take, in one line."""
    specs = sum(map(len, known.standings.values()))
    left = seconds_left(known)
    parts = [
        f"{specs} specs" if specs else "",
        f"round {known.round} of {known.rounds}" if known.rounds else "",
        f"{known.done:,} of {known.total:,} samples" if known.total else "",
        f"{known.requests:,} calls" if known.requests else "",
        f"cost {known.cost:.4f}" if known.cost else "",
        f"about {duration(left)} left" if left is not None and known.done < known.total else "",
    ]
    return ", ".join(part for part in parts if part)


def table_rows(known: Watched) -> tuple[tuple[str, str, str, str], ...]:
    """Return for each phase: its name, who is in front, how often that is right, and the next ones."""
    rows = []
    for phase, arms in known.standings.items():
        first, *others = arms
        beside = ", ".join(f"{arm.model} {_share(arm):.0%}" for arm in others)
        rows.append((phase, first.model, f"{_share(first):.0%} of {first.calls}", beside))
    return tuple(rows)


def drops(known: Watched) -> tuple[str, ...]:
    """Return what was dropped and why, the newest last; of many only the newest."""
    more = len(known.dropped) - _DROPS_SHOWN
    head = (f"{more} dropped earlier",) if more > 0 else ()
    return (*head, *known.dropped[-_DROPS_SHOWN:])


def duration(seconds: float) -> str:
    """Return a time as ``41 s`` or ``3 min 20 s``."""
    whole = round(seconds)
    return f"{whole} s" if whole < _MINUTE_S else f"{whole // 60} min {whole % 60:02d} s"


def plain_lines(before: Watched, after: Watched, event: Event) -> tuple[str, ...]:
    """Return what a log shows of an event: what is new in words, and the counts where a step ends."""
    lines = []
    if before.steps[-1:] != after.steps[-1:] and before.total:
        lines.append(f"{event.time:%H:%M:%S} {before.steps[-1]}: {counts(before)}")
        lines += [f"  {_in_front(row)}" for row in table_rows(before)]
    if len(after.dropped) > len(before.dropped):
        lines.append(f"{event.time:%H:%M:%S} {event.state}: dropped {after.dropped[-1]}")
    elif after.message != before.message and not _is_count(event):
        lines.append(f"{event.time:%H:%M:%S} {event.state}: {event.message}")
    return tuple(lines)


def _in_front(row: Sequence[str]) -> str:
    phase, first, share, beside = row
    return f"{phase}: {first} in front, {share}" + (f"; {beside}" if beside else "")


def _is_count(event: Event) -> bool:
    return bool(event.total) and event.message == f"{event.done} of {event.total} samples"


def _ordered(standings: Sequence[Standing]) -> dict[str, tuple[Standing, ...]]:
    phases = sorted({arm.phase for arm in standings})
    best_first = sorted(standings, key=lambda arm: (-_share(arm), arm.model))
    return {phase: tuple(arm for arm in best_first if arm.phase == phase) for phase in phases}


def _share(arm: Standing) -> float:
    return arm.passes / arm.calls if arm.calls else 0.0
