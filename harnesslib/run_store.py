"""Run directories: ``runs/<id>/`` with a manifest, records that are written once, a journal, and a seal.

A run's data are ``*.json``, ``*.jsonl`` and ``samples.parquet``: the seal holds their hashes. Pages made
from them (an executed notebook, a report) and what is for whoever watches (``events.jsonl``,
``heartbeat.json``) are not data.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

import msgspec

from harnesslib import processes, run_journal
from harnesslib.errors import DataError, InputError
from harnesslib.records import Event, Heartbeat, Manifest, Sample, decode, encode_pretty, sha256
from harnesslib.run_journal import EVENTS, JOURNAL, EventLog, SampleJournal
from harnesslib.run_seal import SEAL
from harnesslib.storage import (
    make_folder,
    read,
    read_if_there,
    replacing,
    speaking,
    sweep,
    sync_folder,
    whole_lines,
    write_atomic,
    write_once,
)

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

TABLE = "samples.parquet"
MANIFEST = "manifest.json"
HEARTBEAT = "heartbeat.json"
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_RECORD_NAME = re.compile(r"[a-z][a-z0-9_-]{0,59}")
_DATA_SUFFIXES = frozenset({".json", ".jsonl", ".parquet"})


def _utc_now() -> datetime:
    return datetime.now(UTC)


class RunStore:
    """All runs of one workspace; implements `ports.RunStore`.

    Parameters
    ----------
    folder
        ``runs/``; made when the first run is created.
    now
        The time of day in UTC, for events.
    """

    def __init__(self, folder: Path, *, now: Callable[[], datetime] = _utc_now) -> None:
        self.folder = folder
        self._now = now

    def new_run_id(self, now: datetime, name: str) -> str:
        """Return an id nobody has, like ``20260102T030405Z-cycle-7f3a``; later ids sort later."""
        words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "run"
        while True:
            run_id = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{words}-{secrets.token_hex(2)}"
            if not self.path(run_id).exists():
                return run_id

    def path(self, run_id: str) -> Path:
        """Return a run's directory; InputError for an id that could lead elsewhere."""
        if not _RUN_ID.fullmatch(run_id):
            raise InputError(f"run '{run_id}': no run id; expected one like 20260102T030405Z-cycle-7f3a")
        return self.folder / run_id

    def create(self, manifest: Manifest) -> None:
        """Make the directory of a new run; DataError when it exists."""
        path = self.path(manifest.run_id)
        make_folder(self.folder)
        with speaking(path, "make the run's folder"):
            try:
                path.mkdir()
            except FileExistsError:
                raise DataError(f"{path}: exists; cure: give the new run another id") from None
            sync_folder(self.folder)
        write_atomic(path / MANIFEST, encode_pretty(manifest))

    def manifest(self, run_id: str) -> Manifest:
        """Return a run's manifest; DataError when there is no such run."""
        path = self.path(run_id) / MANIFEST
        data = read_if_there(path)
        if data is None:
            raise DataError(
                f"{path}: there is no run '{run_id}'; cure: name one of the folders there, or 'last'"
            )
        return decode(data, Manifest, str(path))

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all runs, whatever state their files are in; an id begins with its time."""
        if not self.folder.exists():
            return ()
        with speaking(self.folder, "list"):
            names = [path.parent.name for path in self.folder.glob(f"*/{MANIFEST}")]
        return tuple(sorted(name for name in names if _RUN_ID.fullmatch(name)))

    def manifests(self) -> tuple[Manifest, ...]:
        """Return all manifests, oldest first."""
        found = [self.manifest(run_id) for run_id in self.ids()]
        return tuple(sorted(found, key=lambda manifest: (manifest.started_at, manifest.run_id)))

    def latest(self, kind: str | None = None, status: str | None = None) -> Manifest | None:
        """Return the newest run, of a kind and a status where given, or none."""
        chosen = (m for m in self.manifests() if kind in {None, m.kind} and status in {None, m.status})
        return max(chosen, key=lambda manifest: (manifest.started_at, manifest.run_id), default=None)

    def stale(self) -> tuple[Manifest, ...]:
        """Return the runs that say "running" and whose process is gone."""
        running = (manifest for manifest in self.manifests() if manifest.status == "running")
        return tuple(m for m in running if not processes.is_alive(m.pid, m.pid_started))

    def save_manifest(self, manifest: Manifest) -> None:
        """Replace a run's manifest; DataError once the run is sealed."""
        path = self._unsealed(manifest.run_id)
        write_atomic(path / MANIFEST, encode_pretty(manifest))

    def put(self, run_id: str, name: str, record: object) -> None:
        """Write ``<name>.json`` once; the same content again is fine.

        Raises
        ------
        DataError
            It exists with other content, or the run is sealed and has no such record.
        """
        data = encode_pretty(record)
        path = self._record(run_id, name)
        if read_if_there(path) is None:
            self._unsealed(run_id)
        write_once(path, data)

    def load(self, run_id: str, name: str, type_: type[T]) -> T | None:
        """Read ``<name>.json``; none when there is no such record."""
        path = self._record(run_id, name)
        data = read_if_there(path)
        return None if data is None else decode(data, type_, str(path))

    def journal(self, run_id: str) -> AbstractContextManager[SampleJournal]:
        """Open the journal for appending; a torn last line is cut off first, the end is a sync."""
        return run_journal.open_journal(self._unsealed(run_id) / JOURNAL)

    def samples(self, run_id: str) -> tuple[Sample, ...]:
        """Return all finished samples of a run, in the order in which they ended."""
        return run_journal.read_samples(self.path(run_id) / JOURNAL)

    def load_samples_frame(self, run_id: str) -> pd.DataFrame:
        """Return the samples as a frame: one row per sample, columns as in the Sample record."""
        from harnesslib import sample_table

        folder = self.path(run_id)
        if (folder / TABLE).exists():
            return sample_table.read_frame(folder / TABLE)
        with TemporaryDirectory() as temporary:
            # A copy of the whole lines: a running run's journal ends anywhere, and is not ours to repair.
            lines, _ = whole_lines(read_if_there(folder / JOURNAL) or b"")
            copy = Path(temporary) / JOURNAL
            copy.write_bytes(b"".join(line + b"\n" for line in lines))
            return sample_table.read_frame(copy)

    def load_sealed_frame(self, run_ids: Sequence[str], **equal: str) -> pd.DataFrame:
        """Return the samples of sealed runs as one frame, only those whose columns are `equal` to these."""
        from harnesslib import sample_table

        return sample_table.read_tables([self.path(run_id) / TABLE for run_id in run_ids], **equal)

    def event_log(self, run_id: str) -> EventLog:
        """Return the progress log of a run."""
        return EventLog(self.path(run_id) / EVENTS, self._now)

    def read_events(self, run_id: str, offset: int = 0) -> tuple[tuple[Event, ...], int]:
        """Return the events after `offset`, and the offset to go on from."""
        return run_journal.read_events(self.path(run_id) / EVENTS, offset)

    def heartbeat(self, run_id: str) -> Heartbeat | None:
        """Return the last sign of life of the process that measures a run, or none."""
        path = self.path(run_id) / HEARTBEAT
        data = read_if_there(path)
        return None if data is None else decode(data, Heartbeat, str(path))

    def seal(self, manifest: Manifest) -> Manifest:
        """Write ``samples.parquet``, hash the run's data into the manifest, and close the run for good.

        What killed writers of its data left behind is removed.

        Raises
        ------
        DataError
            The run is sealed already, a journal line is damaged, or a sample stands there twice.
        """
        from harnesslib import sample_table

        folder = self._unsealed(manifest.run_id)
        with self.journal(manifest.run_id):
            pass  # makes the file where nothing was measured, cuts off a torn line, and syncs
        samples = self.samples(manifest.run_id)
        run_journal.refuse_doubles(samples, folder / JOURNAL)
        with replacing(folder / TABLE) as temporary:
            rows = sample_table.write_parquet(folder / JOURNAL, temporary)
            if rows != len(samples):
                raise DataError(f"{folder / TABLE}: {rows} rows, expected {len(samples)}; cure: seal again")
        sealed = msgspec.structs.replace(manifest, files=_hashes(folder))
        for name in (*sealed.files, MANIFEST):
            sweep(folder, name)
        write_atomic(folder / MANIFEST, encode_pretty(sealed))
        return sealed

    def check(self, run_id: str) -> tuple[str, ...]:
        """Return what differs from the seal, one sentence per file; () = the run is as it was sealed."""
        manifest = self.manifest(run_id)
        if not manifest.files:
            return (f"run '{run_id}': is not sealed, so nothing tells whether it was changed",)
        there = _hashes(self.path(run_id))
        return (
            *(f"{name}: is missing" for name in sorted(set(manifest.files) - set(there))),
            *(f"{name}: was added after the seal" for name in sorted(set(there) - set(manifest.files))),
            *(
                f"{name}: was changed: hash {there[name][:12]}, sealed {digest[:12]}"
                for name, digest in sorted(manifest.files.items())
                if name in there and there[name] != digest
            ),
        )

    def _unsealed(self, run_id: str) -> Path:
        if self.manifest(run_id).files:
            raise DataError(f"run '{run_id}': is sealed, and never changes; cure: start a new run")
        return self.path(run_id)

    def _record(self, run_id: str, name: str) -> Path:
        if not _RECORD_NAME.fullmatch(name) or name == "manifest":
            raise InputError(f"run '{run_id}': '{name}' is no name for a record; expected one like 'plan'")
        return self.path(run_id) / f"{name}.json"


def _hashes(folder: Path) -> dict[str, str]:
    with speaking(folder, "list"):
        names = sorted(path.name for path in folder.iterdir() if path.suffix in _DATA_SUFFIXES)
    passing = {MANIFEST, EVENTS, HEARTBEAT, SEAL}
    data = (name for name in names if name not in passing and not name.startswith("."))
    return {name: sha256(read(folder / name)) for name in data}
