"""What runs in a workspace now, and what was left unfinished: from signs of life, not from memory."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from harnesslib import processes
from harnesslib.records import Activity, Heartbeat, Manifest
from harnesslib.workspace import Workspace

SILENT_AFTER_S = 10.0


def activities(place: Workspace) -> tuple[Activity, ...]:
    """Return every run that is not finished, oldest first."""
    now = place.clock.now()
    unfinished = (manifest for manifest in place.runs.manifests() if manifest.status != "done")
    return tuple(_activity(manifest, place.runs.heartbeat(manifest.run_id), now) for manifest in unfinished)


def _activity(manifest: Manifest, beat: Heartbeat | None, now: datetime) -> Activity:
    known = Activity(
        run_id=manifest.run_id,
        kind=manifest.kind,
        condition="working",
        state="",
        message="",
        done=0,
        total=0,
        pid=manifest.pid,
        started_at=manifest.started_at,
        at=None,
        said_at=None,
    )
    pid_started, boot_id = manifest.pid_started, processes.boot_id()
    if beat is not None:
        taken = ("state", "message", "done", "total", "pid", "at", "said_at")
        known = msgspec.structs.replace(known, **{name: getattr(beat, name) for name in taken})
        pid_started, boot_id = beat.pid_started, beat.boot_id
    alive = boot_id == processes.boot_id() and processes.is_alive(known.pid, pid_started)
    return msgspec.structs.replace(known, **_condition(manifest, beat, now, alive=alive))


def _condition(manifest: Manifest, beat: Heartbeat | None, now: datetime, *, alive: bool) -> dict[str, Any]:
    go_on = "harness cycle goes on with it" if manifest.kind == "cycle" else "run it again"
    if manifest.status == "failed":
        return {"condition": "failed", "reason": manifest.reason, "cure": go_on}
    if not alive:
        return {"condition": "gone", "reason": "its process is gone: killed, or out of memory", "cure": go_on}
    silent_s = (now - beat.at).total_seconds() if beat else 0.0
    if silent_s > SILENT_AFTER_S:
        reason = f"no sign of life for {silent_s:.0f} s: it is stopped, or its disk is full"
        return {"condition": "silent", "reason": reason, "cure": "look at the process, or end it"}
    return {}
