"""A log in parts is one chain: nothing can be taken out of it, and no reader notices a rotation."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from harnesslib import routing_log
from harnesslib.errors import AuditError, InputError
from harnesslib.records import LogEntry, sha256
from harnesslib.routing_log import RoutingLog, verify

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def entry(generation: int, event="applied") -> LogEntry:
    digest = sha256(str(generation).encode())
    return LogEntry(
        seq=0, time=NOW, event=event, generation=generation, config_sha256=digest, summary="grüße"
    )


@pytest.fixture
def log(tmp_path) -> RoutingLog:
    """Three parts: entries 1 to 3, 4 and 5, and 6 in the file that grows."""
    log = RoutingLog(tmp_path / "routing_decisions.jsonl")
    for generation in range(1, 7):
        log.append(entry(generation))
        if generation in {3, 5}:
            log.rotate()
    return log


def names(log: RoutingLog) -> list[str]:
    return [part.name for part in log.parts()]


def test_a_finished_part_is_named_after_its_entries(log):
    assert [
        "routing_decisions.1-3.jsonl",
        "routing_decisions.4-5.jsonl",
        "routing_decisions.jsonl",
    ] == names(log)


def test_all_parts_are_read_as_one_chain_and_the_next_entry_goes_on_with_it(log):
    log.append(entry(7))
    entries = log.entries()
    assert list(range(1, 8)) == [each.seq for each in entries]
    assert ["", *(each.sha256 for each in entries[:-1])] == [each.prev_sha256 for each in entries]
    assert (7, ()) == (log.verify(sha256(b"7"), 7).entries, log.verify(sha256(b"7"), 7).problems)


def test_the_order_of_parts_is_that_of_their_numbers_and_not_of_their_names(tmp_path):
    log = RoutingLog(tmp_path / "routing_decisions.jsonl")
    for generation in range(1, 13):
        log.append(entry(generation))
        log.rotate()
    assert list(range(1, 13)) == [each.generation for each in log.entries()]


def test_after_a_rotation_the_log_ends_where_it_ended(log):
    before = log.entries()
    log.rotate()
    assert not log.path.exists()
    assert before == log.entries()
    assert () == log.verify(sha256(b"6"), 6).problems


def test_there_is_nothing_to_rotate_in_an_empty_file(log, tmp_path):
    log.rotate()
    with pytest.raises(InputError, match="there is nothing to rotate"):
        log.rotate()
    with pytest.raises(InputError, match="there is nothing to rotate"):
        RoutingLog(tmp_path / "none" / "log.jsonl").rotate()


def test_a_torn_last_line_is_cut_off_before_the_file_is_finished(log):
    with log.path.open("ab") as file:
        file.write(b'{"seq":7,')
    log.rotate()
    assert (6, ()) == (log.verify().entries, log.verify().problems)


def test_a_broken_log_is_not_rotated(log):
    log.path.write_bytes(log.path.read_bytes().replace(b"applied", b"rollled"))
    before = names(log)
    with pytest.raises(AuditError, match="line 1"):
        log.rotate()
    assert before == names(log)


@pytest.mark.parametrize("taken", range(3))
def test_a_part_that_was_taken_away_is_found(log, taken):
    log.parts()[taken].unlink()
    found = verify(log.path, sha256(b"6"), 6).problems
    assert found
    if taken < 2:
        with pytest.raises(AuditError, match=r"a part is missing|lines were dropped"):
            log.entries()


def test_a_part_under_another_name_is_found(log):
    first = log.parts()[0]
    first.rename(first.with_name("routing_decisions.1-4.jsonl"))
    assert "holds 3 entries from 1 on, expected 1 to 4" in log.verify().problems[0]


def test_a_finished_part_can_not_be_torn(log):
    first = log.parts()[0]
    first.write_bytes(first.read_bytes()[:-5])
    found = log.verify().problems
    assert "expected 1 to 3: a part is missing, or lines were cut off" in found[0]
    assert f"{first}: last line: torn" in found[1]
    with pytest.raises(AuditError):
        log.append(entry(7))


def test_every_changed_byte_of_a_finished_part_is_found(log):
    part = log.parts()[1]
    whole = part.read_bytes()
    for position in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[position] ^= (1, 32)[position % 2]
        part.write_bytes(bytes(changed))
        assert verify(log.path, sha256(b"6"), 6).problems, position


def test_an_edited_line_is_named_with_its_part(log):
    part = log.parts()[1]
    part.write_bytes(part.read_bytes().replace("grüße".encode(), "grüsse".encode(), 1))
    assert log.verify().problems[0].startswith(f"{part}: line 1: was edited")


def test_the_place_of_what_does_not_fit_the_config_is_its_part(log):
    log.rotate()
    place = log.parts()[-1]
    assert f"{place}: line 1 (applied): says generation 6, in force is 9" in log.verify(None, 9).problems


def test_other_files_beside_the_log_are_no_parts(log, tmp_path):
    for name in ("routing_decisions.0-3.jsonl", "routing_decisions.1-3.jsonl.bak", "other.1-3.jsonl"):
        (tmp_path / name).write_text("nonsense\n")
    assert 6 == log.verify().entries
    assert () == log.verify().problems


def test_a_rotation_while_somebody_reads_hides_nothing(log, monkeypatch):
    real, rotated = routing_log.read_if_there, threading.Event()

    def rotating(path):
        if path == log.path and not rotated.is_set():
            rotated.set()
            path.rename(path.with_name("routing_decisions.6-6.jsonl"))
        return real(path)

    monkeypatch.setattr(routing_log, "read_if_there", rotating)
    assert 6 == len(log.entries())
    assert rotated.is_set()
