"""Not one byte of the decision log changes unseen: edits at every position of a log of seven entries.

The log is that of real changes: a promotion, its confirmation, and a person's rollback, after which the first
generation is in force again. So the file in force alone does not tell that the last lines are missing.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from harnesslib.errors import AuditError
from harnesslib.routing_enforcer import recover
from harnesslib.routing_log import verify

BYTES = range(256)
LINES = 7


def load_fixture():
    path = Path(__file__).resolve().parents[1] / "routing_fixture.py"
    spec = importlib.util.spec_from_file_location("routing_fixture", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fixture = load_fixture()


class Written:
    """A workspace with its log, and the check of any other bytes in the log's place."""

    def __init__(self, root: Path) -> None:
        self.effects = fixture.workspace(root)
        for change in (fixture.enforce, fixture.confirm, fixture.roll_back):
            change(self.effects)
        self.path = self.effects.log.path
        self.whole = self.path.read_bytes()
        self.in_force = self.effects.config.routing_sha256()
        self.stored = self.effects.config.newest_stored()

    def unseen(self, edits: Iterable[tuple[object, bytes]]) -> list[object]:
        """Return the names of the edits that the check does not find."""
        return [name for name, data in edits if data != self.whole and not self.problems(data)]

    def problems(self, data: bytes) -> tuple[str, ...]:
        self.path.write_bytes(data)
        return verify(self.path, self.in_force, stored=self.stored).problems

    def refuses(self, data: bytes) -> bool:
        """Return whether every change is refused while the log is so."""
        self.path.write_bytes(data)
        try:
            recover(self.effects)
        except AuditError as error:
            return "cure: " in str(error)
        return False

    def lines(self) -> list[bytes]:
        return self.whole.splitlines(keepends=True)


@pytest.fixture(scope="module")
def log():
    """Thousands of small files are written: in memory, where there is such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Written(Path(folder))


def some(position: int, byte: int) -> tuple[int, ...]:
    """Return three bytes for a place: the smallest change, another case, and one from all over the range."""
    return (byte ^ 1, byte ^ 32, (7 * byte + 31 * position) % 256)


def changed(whole: bytes, choices) -> Iterable[tuple[object, bytes]]:
    for position, byte in enumerate(whole):
        for other in choices(position, byte):
            yield (position, other), whole[:position] + bytes([other]) + whole[position + 1 :]


def added(whole: bytes, choices) -> Iterable[tuple[object, bytes]]:
    for position in range(len(whole) + 1):
        for other in choices(position, whole[position - 1]):
            yield (position, other), whole[:position] + bytes([other]) + whole[position:]


def test_the_log_is_whole_before_it_is_edited(log):
    assert (LINES, ()) == (len(log.lines()), log.problems(log.whole))
    assert (1, 3) == (log.effects.config.routing().generation, log.stored)
    assert not log.refuses(log.whole)


def test_every_changed_byte_is_found(log):
    assert [] == log.unseen(changed(log.whole, some))


def test_every_added_byte_is_found(log):
    assert [] == log.unseen(added(log.whole, lambda position, byte: (*some(position, byte)[2:], 10)))


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("edits", [changed, added])
def test_every_byte_changed_to_or_followed_by_every_other_is_found(log, edits):
    assert [] == log.unseen(edits(log.whole, lambda *_: BYTES))


def test_every_dropped_byte_is_found(log):
    whole = log.whole
    assert [] == log.unseen((at, whole[:at] + whole[at + 1 :]) for at in range(len(whole)))


def test_every_pair_of_swapped_neighbours_is_found(log):
    whole = log.whole
    swaps = ((at, whole[:at] + whole[at : at + 2][::-1] + whole[at + 2 :]) for at in range(len(whole) - 1))
    assert [] == log.unseen(swaps)


def test_every_cut_at_any_byte_is_found(log):
    assert [] == log.unseen((at, log.whole[:at]) for at in range(len(log.whole)))
    assert [] == log.unseen((at, log.whole[at:]) for at in range(1, len(log.whole)))


def test_every_pair_of_swapped_lines_is_found(log):
    for first, second in itertools.combinations(range(LINES), 2):
        lines = log.lines()
        lines[first], lines[second] = lines[second], lines[first]
        assert log.problems(b"".join(lines)), (first, second)
        assert log.refuses(b"".join(lines)), (first, second)


def test_every_duplicated_line_is_found_wherever_it_stands(log):
    for source, target in itertools.product(range(LINES), range(LINES + 1)):
        lines = log.lines()
        lines.insert(target, lines[source])
        assert log.problems(b"".join(lines)), (source, target)
        assert log.refuses(b"".join(lines)), (source, target)


def test_every_choice_of_removed_lines_is_found_also_the_last_ones(log):
    for count in range(LINES):
        for kept in itertools.combinations(log.lines(), count):
            assert log.problems(b"".join(kept)), kept
    for count in range(LINES):
        refused = log.refuses(b"".join(log.lines()[:count]))
        # An intent without its end is no forgery: it is what a killed process leaves, and it is finished.
        assert refused or count == LINES - 1, count


def test_a_log_that_ends_before_a_stored_generation_is_told_as_that(log):
    cut = log.lines()[0]
    expected = "ends with generation 1, and generation 3 is stored: lines were cut off"
    assert (f"{log.path}: {expected}",) == log.problems(cut)
    for data in (cut, b""):
        log.path.write_bytes(data)
        with pytest.raises(AuditError, match=r"is stored, whose .* were cut off; cure: restore the log"):
            recover(log.effects)
        assert data == log.path.read_bytes()
