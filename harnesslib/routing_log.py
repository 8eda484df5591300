"""``routing_decisions.jsonl``: append-only, each line chained to the one before by its hash.

A line counts once its newline is there. A torn last line was acknowledged to nobody: readers leave it
out, the next append cuts it off, and `verify` names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from harnesslib.errors import AuditError, DataError
from harnesslib.records import LogEntry, Record, decode, encode, sha256
from harnesslib.records.routing import IN_FORCE
from harnesslib.storage import LineFile, make_folder, read_if_there, whole_lines

_CURE = "restore the log from a backup; until then no change is applied"


class Audit(Record, frozen=True):
    """What a check of the log found. No problem = nobody touched a byte."""

    entries: int
    problems: tuple[str, ...]


class RoutingLog:
    """The log of one workspace; implements `ports.DecisionLog`.

    Notes
    -----
    Reading needs no lock. Whoever appends holds the lock "routing".
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, entry: LogEntry) -> LogEntry:
        """Chain, write and fsync one entry; its `seq`, `prev_sha256` and `sha256` are set here.

        Raises
        ------
        AuditError
            The log as it stands is broken: nothing is built on it.
        DataError
            It can't be written.
        """
        earlier = self.entries()
        previous = earlier[-1].sha256 if earlier else ""
        chained = msgspec.structs.replace(entry, seq=len(earlier) + 1, prev_sha256=previous, sha256="")
        chained = msgspec.structs.replace(chained, sha256=sha256(encode(chained)))
        make_folder(self.path.parent)
        with LineFile(self.path) as file:
            file.append(encode(chained))
            file.sync()
        return chained

    def entries(self) -> tuple[LogEntry, ...]:
        """Return all entries; AuditError naming the first line that does not fit the chain."""
        entries, problems, _ = _walk(read_if_there(self.path) or b"", str(self.path))
        if problems:
            raise AuditError(f"{problems[0]}; cure: {_CURE}")
        return entries

    def repair(self) -> None:
        """Cut off a torn last line; `append` does so by itself. The caller holds the lock "routing"."""
        if whole_lines(read_if_there(self.path) or b"")[1]:
            with LineFile(self.path) as file:
                file.sync()

    def verify(self, config_sha256: str | None = None, generation: int | None = None) -> Audit:
        """Check every byte; see the function `verify`."""
        return verify(self.path, config_sha256, generation)


def verify(path: Path, config_sha256: str | None = None, generation: int | None = None) -> Audit:
    """Check every byte of a log, and that it ends with the routing config in force.

    Parameters
    ----------
    path
        The log; a missing one has no entries.
    config_sha256, generation
        Hash and number of the config in force. Lines cut off from the end leave a chain that is whole:
        only the config tells that they are missing.

    Returns
    -------
    The number of good entries, and each problem with its line, what was found and what was expected.
    """
    entries, problems, torn = _walk(read_if_there(path) or b"", str(path))
    if torn:
        what = f"torn: {len(torn)} bytes without a newline, expected nothing"
        problems = (*problems, f"{path}: last line: {what}; the next append cuts them off")
    return Audit(
        entries=len(entries),
        problems=(*problems, *_config_problems(entries, str(path), config_sha256, generation)),
    )


def _config_problems(
    entries: tuple[LogEntry, ...], where: str, config_sha256: str | None, generation: int | None
) -> Iterator[str]:
    if config_sha256 is None and generation is None:
        return
    last = next((entry for entry in reversed(entries) if entry.event in IN_FORCE), None)
    if entries and entries[-1].event == "intent":
        what = "an intent without its end; the next change finishes or undoes it"
        yield f"{where}: line {len(entries)}: {what}"
        if config_sha256 == entries[-1].config_sha256:
            return
    if last is None:
        yield f"{where}: no entry put a config in force, expected one for the config that is"
        return
    place = f"{where}: line {last.seq} ({last.event})"
    if generation not in {None, last.generation}:
        yield f"{place}: says generation {last.generation}, in force is {generation}"
    if config_sha256 not in {None, last.config_sha256}:
        yield f"{place}: says config hash {last.config_sha256[:12]}, in force is {str(config_sha256)[:12]}"


def _walk(data: bytes, where: str) -> tuple[tuple[LogEntry, ...], tuple[str, ...], bytes]:
    """Return the good entries up to the first bad line, what is wrong with each line, and the torn rest."""
    lines, torn = whole_lines(data)
    entries: list[LogEntry] = []
    problems: list[str] = []
    previous = ""
    for number, line in enumerate(lines, start=1):
        entry, problem = _read_line(line, number, previous)
        if problem:
            problems.append(f"{where}: line {number}: {problem}")
        if entry is not None:
            previous = entry.sha256
            if not problems:
                entries.append(entry)
    return tuple(entries), tuple(problems), torn


def _read_line(line: bytes, number: int, previous: str) -> tuple[LogEntry | None, str]:
    try:
        entry = decode(line, LogEntry, "entry")
    except DataError as error:
        return None, f"can't be read ({str(error).partition('; cure')[0]})"
    own = sha256(encode(msgspec.structs.replace(entry, sha256="")))
    if entry.sha256 != own:
        return entry, f"was edited: hash {entry.sha256[:12]}, expected {own[:12]}"
    if encode(entry) != line:
        return entry, "was edited: not written as this program writes it (spaces, order or spelling)"
    if entry.seq != number:
        return entry, f"is entry {entry.seq}, expected {number}: lines were dropped, added or swapped"
    if entry.prev_sha256 != previous:
        found, expected = entry.prev_sha256[:12] or "none", previous[:12] or "none"
        return entry, f"follows hash {found}, expected {expected}: the line before was replaced"
    return entry, ""
