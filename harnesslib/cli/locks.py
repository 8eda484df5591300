"""``harness lock``: who works here, and what a process that died has left."""

from __future__ import annotations

from pathlib import Path

import click

from harnesslib.cli.output import json_option, show, table, workspace_option
from harnesslib.errors import InputError
from harnesslib.lock_manager import LockState


@click.group("lock")
def lock_command() -> None:
    """Show who holds the locks of a workspace, and clear what a dead holder left."""


@lock_command.command("status")
@workspace_option
@json_option
def lock_status(workspace: Path, as_json: bool) -> int:
    """Show every lock: free, held (by whom, since when), or with the stale note of a process that died.

    A server's lock, shown while it is held, is one for all workspaces of this user on this machine.
    """
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        servers = (state for state in place.machine_locks().states() if state.state == "held")
        states = (*place.locks.states(), *servers)
    rows = [(state.name, state.state, _said(state)) for state in states]
    text = table(("lock", "state", ""), rows) if rows else "No lock was ever taken here."
    show(states, text, as_json=as_json)
    return 0


def _said(state: LockState) -> str:
    owner = state.owner
    if state.state == "stale":
        return f"left by a process that died; it blocks nobody, `harness lock clear {state.name}` removes it"
    if owner is None:
        return "" if state.state == "free" else "by a process that left no note"
    return f"by pid {owner.pid} on {owner.host} since {owner.since:%Y-%m-%d %H:%M:%S} UTC (`{owner.command}`)"


@lock_command.command("clear")
@click.argument("name", required=False)
@workspace_option
@json_option
def clear_lock(name: str | None, workspace: Path, as_json: bool) -> int:
    """Remove the notes of holders that died: of the lock NAME, or of all.

    A holder that lives is never robbed: that exits with 75 and says who it is. A dead one blocks nobody even
    with its note there, because the system frees its lock.
    """
    from harnesslib.explain import did_you_mean, listed
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        known = {state.name: state.state for state in place.locks.states()}
        if name is not None and name not in known:
            hint = did_you_mean(name, known) or f"; expected one of {listed(known)}"
            raise InputError(f"lock '{name}': was never taken in {place.root}{hint}")
        names = [name] if name else [each for each, state in known.items() if state == "stale"]
        cleared = [each for each in names if place.locks.clear(each)]
    text = f"Cleared: {', '.join(cleared)}" if cleared else "Nothing to clear: no holder left a note."
    show({"cleared": cleared}, text, as_json=as_json)
    return 0
