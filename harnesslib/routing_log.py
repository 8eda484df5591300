"""``routing_decisions.jsonl``: append-only, each line chained to the one before by its hash.

A line counts once its newline is there. A torn last line was acknowledged to nobody: readers leave it
out, the next append cuts it off, and `verify` names it.

A log that grew long is rotated: the finished file is moved to ``routing_decisions.<first>-<last>.jsonl``,
named after its entries, and the next file goes on with the numbers and the chain. Whoever reads walks all
parts in order; a part that was taken away leaves a gap that is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from harnesslib.errors import AuditError, DataError, InputError
from harnesslib.records import LogEntry, Record, decode, encode, sha256
from harnesslib.records.routing import IN_FORCE
from harnesslib.storage import LineFile, make_folder, read_if_there, speaking, sync_folder, whole_lines

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
        walk = _walk(self.path)
        if walk.problems:
            raise AuditError(f"{walk.problems[0]}; cure: {_CURE}")
        return walk.entries

    def repair(self) -> None:
        """Cut off a torn last line; `append` does so by itself. The caller holds the lock "routing"."""
        if whole_lines(read_if_there(self.path) or b"")[1]:
            with LineFile(self.path) as file:
                file.sync()

    def parts(self) -> tuple[Path, ...]:
        """Return the files of the log in order; the last one is the one that grows, if it is there."""
        current = (self.path,) if self.path.exists() else ()
        return (*_finished(self.path), *current)

    def rotate(self) -> Path:
        """Finish the file that grows, and return where it lies now; the caller holds the lock "routing".

        Raises
        ------
        InputError
            It has no entry that a part could be named after.
        AuditError
            The log as it stands is broken: a break stays where it can be found.
        """
        self.repair()
        entries = self.entries()
        first = _next_seq(self.path, _finished(self.path))
        if len(entries) < first:
            raise InputError(f"{self.path}: has no entry; cure: none is needed, there is nothing to rotate")
        target = self.path.with_name(f"{self.path.stem}.{first}-{len(entries)}{self.path.suffix}")
        with speaking(target, "move the log there"):
            self.path.rename(target)
            sync_folder(self.path.parent)
        return target

    def verify(self, config_sha256: str | None = None, generation: int | None = None) -> Audit:
        """Check every byte; see the function `verify`."""
        return verify(self.path, config_sha256, generation)


def verify(
    path: Path, config_sha256: str | None = None, generation: int | None = None, *, stored: int = 0
) -> Audit:
    """Check every byte of a log, and that it ends with the routing config in force.

    Parameters
    ----------
    path
        The log; a missing one has no entries.
    config_sha256, generation
        Hash and number of the config in force. Lines cut off from the end leave a chain that is whole:
        only the config tells that they are missing.
    stored
        The highest generation that is stored: where a rollback put an old config in force again, this tells.

    Returns
    -------
    The number of good entries, and each problem with its line, what was found and what was expected.
    """
    walk = _walk(path)
    problems = walk.problems
    if walk.torn:
        what = f"torn: {len(walk.torn)} bytes without a newline, expected nothing"
        problems = (*problems, f"{path}: last line: {what}; the next append cuts them off")
    logged = max((entry.generation for entry in walk.entries), default=0)
    if stored > logged and not walk.problems:
        what = f"ends with generation {logged}, and generation {stored} is stored: lines were cut off"
        problems = (*problems, f"{path}: {what}")
    return Audit(
        entries=len(walk.entries),
        problems=(*problems, *_config_problems(walk, str(path), config_sha256, generation)),
    )


def _config_problems(
    walk: _Walk, where: str, config_sha256: str | None, generation: int | None
) -> Iterator[str]:
    if config_sha256 is None and generation is None:
        return
    entries = walk.entries
    last = next((entry for entry in reversed(entries) if entry.event in IN_FORCE), None)
    if entries and entries[-1].event == "intent":
        what = "an intent without its end; the next change finishes or undoes it"
        yield f"{walk.places[-1]}: {what}"
        if config_sha256 == entries[-1].config_sha256:
            return
    if last is None:
        yield f"{where}: no entry put a config in force, expected one for the config that is"
        return
    place = f"{walk.places[last.seq - 1]} ({last.event})"
    if generation not in {None, last.generation}:
        yield f"{place}: says generation {last.generation}, in force is {generation}"
    if config_sha256 not in {None, last.config_sha256}:
        yield f"{place}: says config hash {last.config_sha256[:12]}, in force is {str(config_sha256)[:12]}"


class _Walk(NamedTuple):
    """The good entries up to the first bad line, where each stands, what is wrong, and the torn rest."""

    entries: tuple[LogEntry, ...]
    places: tuple[str, ...]
    problems: tuple[str, ...]
    torn: bytes


def _walk(path: Path) -> _Walk:
    """Read all parts of a log as one chain."""
    entries: list[LogEntry] = []
    places: list[str] = []
    problems: list[str] = []
    torn, previous, seq = b"", "", 0
    for part, data in _read_parts(path):
        lines, torn = whole_lines(data)
        if part != path:
            problems += _part_problems(path, part, range(seq + 1, seq + len(lines) + 1), torn)
            torn = b""
        for number, line in enumerate(lines, start=1):
            seq += 1
            place = f"{part}: line {number}"
            entry, problem = _read_line(line, seq, previous)
            problems += [f"{place}: {problem}"] if problem else []
            previous = entry.sha256 if entry else previous
            if entry and not problems:
                entries.append(entry)
                places.append(place)
    return _Walk(tuple(entries), tuple(places), tuple(problems), torn)


def _read_parts(path: Path) -> list[tuple[Path, bytes]]:
    """Read the log's files as they are at one moment: a rotation meanwhile is noticed, and read again."""
    while True:
        finished = _finished(path)
        read = [(part, read_if_there(part)) for part in (*finished, path)]
        if finished == _finished(path):
            return [(part, data) for part, data in read if data is not None]


def _finished(path: Path) -> tuple[Path, ...]:
    """Return the parts that were rotated away, in order."""
    if not path.parent.exists():
        return ()
    with speaking(path.parent, "list"):
        found = [part for part in path.parent.iterdir() if _numbers(path, part)]
    return tuple(sorted(found, key=lambda part: _numbers(path, part) or (0, 0)))


def _numbers(path: Path, part: Path) -> tuple[int, int] | None:
    """Return the numbers of the first and the last entry in a part's name; none for any other file."""
    pattern = rf"{re.escape(path.stem)}\.([1-9]\d*)-([1-9]\d*){re.escape(path.suffix)}"
    named = re.fullmatch(pattern, part.name, re.ASCII)
    return (int(named[1]), int(named[2])) if named else None


def _part_problems(path: Path, part: Path, held: range, torn: bytes) -> Iterator[str]:
    """Say when a finished part does not hold, whole, the entries that its name says."""
    first, last = _numbers(path, part) or (0, 0)
    if held != range(first, last + 1):
        got = f"{len(held)} entries from {held.start} on"
        yield f"{part}: holds {got}, expected {first} to {last}: a part is missing, or lines were cut off"
    if torn:
        yield f"{part}: last line: torn: {len(torn)} bytes without a newline, in a part that was finished"


def _next_seq(path: Path, finished: Sequence[Path]) -> int:
    """Return the number of the first entry of the file that grows."""
    last = _numbers(path, finished[-1]) if finished else None
    return last[1] + 1 if last else 1


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
