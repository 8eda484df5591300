"""Who is told how a cycle ended: the programs of ``[[on_event]]``. None of them can harm a cycle."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harnesslib import programs
from harnesslib.errors import HarnessError
from harnesslib.records import CycleOutcome, HookConfig, HookEvent, Notice, encode
from harnesslib.reference_runs import regressions

if TYPE_CHECKING:
    from harnesslib.workspace import Workspace

_EVENTS: dict[str, tuple[HookEvent, ...]] = {
    "promoted": ("promoted",),
    "partly_kept": ("promoted", "rolled_back"),
    "rolled_back": ("rolled_back",),
    "unchanged": ("held",),
    "undecided": ("held",),
}


def tell_ended(place: Workspace, outcome: CycleOutcome, report: Path | None) -> tuple[str, ...]:
    """Tell the hooks how a cycle ended; returns what went wrong with them, one sentence each."""
    hooks = place.config.harness().on_event
    if not hooks:
        return ()
    notices = [
        Notice(
            event=event,
            time=place.clock.now(),
            workspace=str(place.root),
            run_id=outcome.run_id,
            headline=outcome.headline,
            generation_before=outcome.generation_before,
            generation=outcome.generation,
            baselines=outcome.baselines,
            report=str(report) if report else "",
        )
        for event in (*_EVENTS.get(outcome.status, ("held",)), *_drift(place, outcome.run_id))
    ]
    return _told(place, hooks, notices)


def tell_failed(place: Workspace, run_id: str, error: HarnessError, report: Path | None) -> tuple[str, ...]:
    """Tell the hooks that a cycle failed; returns what went wrong with them, one sentence each."""
    try:
        hooks = place.config.harness().on_event
    except HarnessError:
        return ()  # a harness.toml that can't be read names nobody to be told
    notice = Notice(
        event="failed",
        time=place.clock.now(),
        workspace=str(place.root),
        run_id=run_id,
        headline=str(error),
        report=str(report) if report else "",
        exit_code=error.exit_code,
    )
    return _told(place, hooks, [notice])


def _drift(place: Workspace, run_id: str) -> Iterator[HookEvent]:
    try:
        checks = regressions(place.stores(), run_id)
    except HarnessError:
        return  # the cycle has ended well: what can't be compared is no drift, and no failure
    if any(check.state == "worse" for check in checks):
        yield "drift"


def _told(place: Workspace, hooks: tuple[HookConfig, ...], notices: list[Notice]) -> tuple[str, ...]:
    problems = []
    for notice in notices:
        log = place.runs.event_log(notice.run_id)
        for number, hook in enumerate(hooks):
            if notice.event in hook.events:
                problem = asyncio.run(_tell(place, hook, notice))
                said = f"on_event[{number}] {hook.command[0]} ({notice.event})"
                log.emit("hook", f"{said}: {problem or 'told'}")
                problems += [f"{said}: {problem}"] if problem else []
    return tuple(problems)


async def _tell(place: Workspace, hook: HookConfig, notice: Notice) -> str:
    """Run one hook; returns what went wrong, and never what the program said: that may hold a secret."""
    run = programs.run(
        hook.command,
        encode(notice) + b"\n",
        folder=place.root,
        clock=place.clock,
        environment=programs.environment_of(hook.env),
    )
    try:
        ended = await asyncio.wait_for(run, hook.timeout_s)
    except TimeoutError:
        return f"took longer than its {hook.timeout_s:g} s, and was ended"
    except OSError as error:
        return f"can't be started: {error.strerror or error}"
    return programs.ending(ended.code) if ended.code else ""
