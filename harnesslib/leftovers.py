"""What earlier crashes left: runs that still say "running", and processes of runs that are over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from harnesslib.notebook_runner.processes import end_processes, marked, remove_scratch
from harnesslib.processes import is_alive
from harnesslib.records import Manifest
from harnesslib.records.base import Record

if TYPE_CHECKING:
    from harnesslib.workspace import Workspace


class Leftovers(Record):
    """Run ids that nobody works on any more, and the pids that carry the mark of a run that is over."""

    stale: tuple[str, ...]
    orphans: dict[str, tuple[int, ...]]

    @property
    def pids(self) -> tuple[int, ...]:
        """All orphaned processes."""
        return tuple(sorted(pid for pids in self.orphans.values() for pid in pids))


def find_leftovers(place: Workspace) -> Leftovers:
    """Look for what crashes left in this workspace; nothing is changed."""
    known = {manifest.run_id: manifest for manifest in place.runs.manifests()}
    orphans = {
        run_id: pids
        for run_id, pids in marked().items()
        if run_id in known and not _is_worked_on(known[run_id])
    }
    return Leftovers(stale=tuple(manifest.run_id for manifest in place.runs.stale()), orphans=orphans)


def clear_leftovers(place: Workspace) -> Leftovers:
    """End orphaned processes, and close stale runs as "lost"; a lost cycle can still be gone on with.

    Raises
    ------
    LockedError
        A cycle is running here.
    """
    with place.locks.hold("cycle", wait_s=0.5):
        found = find_leftovers(place)
        for run_id in found.orphans:
            end_processes(run_id)
        for run_id in found.stale:
            remove_scratch(run_id)
            place.runs.save_manifest(
                msgspec.structs.replace(
                    place.runs.manifest(run_id),
                    status="lost",
                    ended_at=place.clock.now(),
                    reason="its process was gone; closed by `harness doctor --fix`",
                )
            )
    return found


def _is_worked_on(manifest: Manifest) -> bool:
    return manifest.status == "running" and is_alive(manifest.pid, manifest.pid_started)
