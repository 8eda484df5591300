"""``harness plan``, ``status`` and the sentinel: what comes, what runs, and whether all stands as it did."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harnesslib.cli.output import json_option, progress, show, table, workspace_option
from harnesslib.errors import EXIT_DRIFT
from harnesslib.records import Activity, Drift, Forecast, LockOwner, Sample
from harnesslib.records.base import Record

if TYPE_CHECKING:
    from harnesslib.workspace import Workspace

LOOKED_AT = 5
"""Newest finished runs whose speed and cost a forecast comes from."""


class Lock(Record):
    """A lock that is held."""

    name: str
    owner: LockOwner


class Status(Record):
    """What ``harness status`` prints with --json."""

    activities: tuple[Activity, ...]
    locks: tuple[Lock, ...]


class SentinelResult(Record):
    """What ``harness cycle --sentinel`` prints with --json."""

    run_id: str
    drift: Drift
    moved: tuple[str, ...]


@click.command("plan")
@workspace_option
@json_option
def plan_command(workspace: Path, as_json: bool) -> int:
    """Show what the next cycle would measure, and what that may take. No model is asked anything.

    Endpoints list their models, and built-in servers are started for that. Time and cost come from the speed
    and the tokens of earlier runs.
    """
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        return show_plan(place, as_json=as_json)


def show_plan(place: Workspace, *, as_json: bool) -> int:
    """Print the forecast of the next cycle; nothing is changed."""
    made = forecast_of(place)
    show(made, _forecast_in_words(made), as_json=as_json)
    return 0


def forecast_of(place: Workspace) -> Forecast:
    """Plan the next cycle, and say what it may take."""
    from harnesslib.cycle_planning import plan_cycle
    from harnesslib.forecast import forecast, rates_of

    effects, config = place.effects(), place.config.harness()
    plan = plan_cycle(effects, config, "plan")
    finished = [manifest.run_id for manifest in place.runs.manifests() if manifest.status == "done"]
    looked_at = finished[-LOOKED_AT:]
    suites = {phase.suite: effects.suites[config.phases[phase.phase].suite] for phase in plan.phases}
    return forecast(plan, config, suites, rates_of(_samples(place, looked_at)), looked_at)


def _samples(place: Workspace, run_ids: list[str]) -> Iterator[Sample]:
    for run_id in run_ids:
        yield from place.runs.samples(run_id)


@click.command("status")
@workspace_option
@json_option
def status_command(workspace: Path, as_json: bool) -> int:
    """Show what runs here now and how far it is, who holds a lock, and what was left unfinished."""
    from harnesslib.activity import activities
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        names = ("cycle", "routing", *(f"endpoint-{name}" for name in place.config.harness().endpoints))
        owners = ((name, place.locks.owner(name)) for name in names)
        held = tuple(Lock(name=name, owner=owner) for name, owner in owners if owner)
        status = Status(activities=activities(place), locks=held)
    lines = [_activity_in_words(one) for one in status.activities]
    lines += [f"lock {lock.name}: pid {lock.owner.pid}, {lock.owner.command}" for lock in status.locks]
    show(status, "\n".join(lines) or "Nothing runs here.", as_json=as_json)
    return 0


def run_sentinel_here(place: Workspace, *, quiet: bool, as_json: bool) -> int:
    """Measure the baselines and compare them with earlier runs; 9 where one has moved."""
    from harnesslib.sentinel import run_sentinel

    manifest = place.new_manifest("sentinel", {})
    with place.locks.hold("cycle", wait_s=0.5):
        effects = place.effects(manifest.run_id)
        with progress(partial(place.runs.read_events, manifest.run_id), "asking the baselines", quiet=quiet):
            drift = run_sentinel(effects, manifest)
    result = SentinelResult(run_id=drift.run_id, drift=drift, moved=tuple(sorted(drift.frozen)))
    rows = [
        (each.phase, each.model, _share(each.reference_accuracy), _share(each.accuracy), each.headline)
        for each in drift.phases
    ]
    lines = [table(("phase", "served by", "before", "now", ""), rows)]
    lines += [f"\n{each.phase}: {each.way_back}" for each in drift.phases if each.way_back]
    show(result, "\n".join(lines), as_json=as_json)
    return EXIT_DRIFT if result.moved else 0


def _share(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.1%}"


def _forecast_in_words(made: Forecast) -> str:
    lines = []
    for phase in made.phases:
        found = "what serves leaves too little room for a gain to be found with 80 % power"
        if phase.smallest_effect is not None:
            found = f"a gain of {100 * phase.smallest_effect:.1f} points is found with 80 % power"
        lines += [f"{phase.phase}: {phase.baseline} serves; {phase.search_cases} cases; {found}", ""]
        rows = [
            (one.label, one.origin, str(one.requests), _time(one.seconds), _money(one.cost))
            for one in phase.candidates
        ]
        if rows:
            lines += [table(("candidate", "because", "requests of a sweep", "time", "cost"), rows)]
        lines += [f"not measured: {reason}" for reason in phase.skipped]
        lines += ["nothing is due"] if not rows else []
        lines += [""]
    lines += [f"proposal {one.name}: {one.problem}" for one in made.proposals if one.problem]
    lines += [
        f"In all at the most: {made.requests} requests, {_time(made.seconds)}, cost {_money(made.cost)}."
    ]
    if made.unknown_models:
        lines += [f"Never measured, so time and cost are unknown: {', '.join(made.unknown_models)}."]
    return "\n".join(lines)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"  # noqa: PLR2004 - two minutes


def _money(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:.4g}"


def _activity_in_words(one: Activity) -> str:
    said = f"{one.state}: {one.message}" if one.state else "nothing said yet"
    if one.condition == "working":
        return f"{one.run_id}: working (pid {one.pid}), {said}"
    return f"{one.run_id}: {one.condition}: {one.reason}; last {said}; {one.cure}"
