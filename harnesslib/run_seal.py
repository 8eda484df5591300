"""``seal.json``: what a finished run's folder held when its report was written.

A run's data are sealed by its manifest, before the notebook that measured them has ended. The executed
notebook, the report, the logs and the manifest itself come later, and have their hashes here. Rendering a
report again renews the hash of the report and of nothing else: what was changed meanwhile stays found.
"""

from __future__ import annotations

from pathlib import Path

from harnesslib.errors import DataError
from harnesslib.records import ReportSeal, decode, encode_pretty, sha256
from harnesslib.storage import read, read_if_there, speaking, write_atomic

SEAL = "seal.json"
REPORT = "report.html"
_PASSING = frozenset({SEAL, "heartbeat.json"})


def seal_report(folder: Path, run_id: str) -> None:
    """Write the hashes of a run folder's files; a file that has one keeps it, but for the report."""
    known = _read(folder)
    old = known.files if known else {}
    files = {name: old.get(name) or sha256(read(folder / name)) for name in _names(folder)}
    files[REPORT] = sha256(read(folder / REPORT))
    write_atomic(folder / SEAL, encode_pretty(ReportSeal(run_id=run_id, files={**old, **files})))


def seal_problems(folder: Path, run_id: str) -> tuple[str, ...]:
    """Return what differs from the seal, one sentence per file; () = nothing was changed since."""
    data = read_if_there(folder / SEAL)
    if data is None:
        return (f"{SEAL}: is missing, so nothing tells whether report and notebook were changed",)
    try:
        seal = decode(data, ReportSeal, SEAL)
    except DataError as error:
        return (str(error),)
    found = [f"{SEAL}: is of run '{seal.run_id}'"] if seal.run_id != run_id else []
    if encode_pretty(seal) != data:
        found.append(f"{SEAL}: was edited: not written as this program writes it")
    for name, digest in sorted(seal.files.items()):
        there = read_if_there(folder / name)
        if there is None:
            found.append(f"{name}: is missing")
        elif sha256(there) != digest:
            found.append(f"{name}: was changed: hash {sha256(there)[:12]}, sealed {digest[:12]}")
    return tuple(found)


def _read(folder: Path) -> ReportSeal | None:
    data = read_if_there(folder / SEAL)
    return None if data is None else decode(data, ReportSeal, str(folder / SEAL))


def _names(folder: Path) -> list[str]:
    with speaking(folder, "list"):
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
    return [name for name in names if name not in _PASSING and not name.startswith(".")]
