"""All runs at a glance, also where some of them are damaged: a list of runs must never fail as a whole."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from harnesslib import processes
from harnesslib.errors import DataError
from harnesslib.records import CycleOutcome, Manifest, RunLine, decode
from harnesslib.storage import read_if_there, speaking

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_DAMAGED = "damaged"


def survey(folder: Path) -> tuple[RunLine, ...]:
    """Return one line per run of ``runs/``, oldest first; only manifests and outcomes are read.

    A run that can't be read has the status "damaged" and says why. One that says "running" and whose process
    is gone is "lost".
    """
    if not folder.exists():
        return ()
    with speaking(folder, "list"):
        names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    return tuple(_line(folder / name) for name in names if _RUN_ID.fullmatch(name))


def _line(run: Path) -> RunLine:
    try:
        data = read_if_there(run / "manifest.json")
        if data is None:
            return RunLine(run_id=run.name, status=_DAMAGED, problem="manifest.json is missing")
        manifest = decode(data, Manifest, "manifest.json")
    except DataError as error:
        return RunLine(run_id=run.name, status=_DAMAGED, problem=_short(error))
    line = RunLine(
        run_id=run.name,
        kind=manifest.kind,
        status=_status(manifest),
        started_at=manifest.started_at,
        reason=manifest.reason,
        simulated=manifest.simulated,
        report=(run / "report.html").is_file(),
    )
    if manifest.run_id != run.name:
        problem = f"its manifest is of run '{manifest.run_id}'"
        return msgspec.structs.replace(line, status=_DAMAGED, problem=problem)
    try:
        outcome = read_if_there(run / "outcome.json")
        known = decode(outcome, CycleOutcome, "outcome.json") if outcome else None
    except DataError as error:
        return msgspec.structs.replace(line, status=_DAMAGED, problem=_short(error))
    return msgspec.structs.replace(line, outcome=known)


def _status(manifest: Manifest) -> str:
    if manifest.status == "running" and not processes.is_alive(manifest.pid, manifest.pid_started):
        return "lost"
    return manifest.status


def _short(error: DataError) -> str:
    return str(error).partition("; cure")[0]
