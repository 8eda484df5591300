"""The log of routing decisions: nothing is lost, and not one byte of it changes unseen."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harnesslib.errors import AuditError, DataError
from harnesslib.records import LogEntry, encode, sha256
from harnesslib.routing_log import RoutingLog, verify

NOW = datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)


def entry(event="applied", generation=1, **fields) -> LogEntry:
    known = {"seq": 0, "time": NOW, "config_sha256": sha256(str(generation).encode()), "summary": "grüße"}
    return LogEntry(event=event, generation=generation, **(known | fields))


@pytest.fixture
def log(tmp_path) -> RoutingLog:
    """A log of four entries: init, intent, applied, confirmed."""
    log = RoutingLog(tmp_path / "routing_decisions.jsonl")
    for made in (
        entry("init", 1),
        entry("intent", 2, run_id="run", decision_ids=("run:a", "run:b")),
        entry("applied", 2, run_id="run", decision_ids=("run:a", "run:b")),
        entry("confirmed", 3, run_id="run"),
    ):
        log.append(made)
    return log


def test_entries_are_numbered_and_chained(log):
    entries = log.entries()
    assert [1, 2, 3, 4] == [each.seq for each in entries]
    assert ["", *(each.sha256 for each in entries[:-1])] == [each.prev_sha256 for each in entries]
    for each in entries:
        assert sha256(encode(msgspec.structs.replace(each, sha256=""))) == each.sha256
    assert (4, ()) == (log.verify().entries, log.verify().problems)


def test_what_append_returns_is_what_stands_in_the_file(log):
    written = log.append(entry("rolled_back", 1))
    assert written == log.entries()[-1]
    assert encode(written) == log.path.read_bytes().splitlines()[-1]


def test_a_missing_log_has_no_entries(tmp_path):
    log = RoutingLog(tmp_path / "no" / "log.jsonl")
    assert ((), 0) == (log.entries(), log.verify().entries)
    log.append(entry("init"))
    assert 1 == len(log.entries())


def test_an_entry_is_on_disk_when_append_returns(log, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: (synced.append(os.fstat(descriptor).st_size), real(descriptor))
    )
    log.append(entry())
    assert log.path.stat().st_size in synced


# ---- torn lines


def test_a_line_torn_at_any_byte_is_left_out_named_and_cut_off_by_the_next_append(log):
    whole = log.path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(last, len(whole), 9):
        log.path.write_bytes(whole[:end])
        assert 3 == len(log.entries())
        assert (end > last) == any("last line: torn" in problem for problem in log.verify().problems)
        log.append(entry("undone", 2))
        assert [1, 2, 3, 4] == [each.seq for each in log.entries()]
        assert () == log.verify().problems


def test_zeros_that_a_power_cut_left_are_a_torn_line(log):
    with log.path.open("ab") as file:
        file.write(b"\0" * 512)
    log.append(entry())
    assert 5 == len(log.entries())


def test_a_full_disk_leaves_the_log_as_it_was(log, monkeypatch):
    before = log.entries()

    def full(descriptor, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(DataError, match="cure: free space"):
            log.append(entry())
    assert before == log.entries()


# ---- edits


IN_FORCE = entry("confirmed", 3)


@pytest.fixture
def small(tmp_path) -> RoutingLog:
    """A log of two entries, for tests that look at each byte."""
    log = RoutingLog(tmp_path / "small.jsonl")
    log.append(entry("init", 1, summary="ü"))
    log.append(IN_FORCE)
    return log


def problems_of(log: RoutingLog, data: bytes) -> tuple[str, ...]:
    log.path.write_bytes(data)
    return verify(log.path, IN_FORCE.config_sha256, IN_FORCE.generation).problems


def test_every_changed_byte_is_found(small):
    whole = small.path.read_bytes()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= (1, 32)[position % 2]
        assert problems_of(small, bytes(changed)), position


def test_every_dropped_byte_is_found(small):
    whole = small.path.read_bytes()
    for position in range(len(whole)):
        assert problems_of(small, whole[:position] + whole[position + 1 :]), position


def test_every_added_byte_is_found(small):
    whole = small.path.read_bytes()
    for position in range(len(whole) + 1):
        byte = (b" ", b"\n", b"0")[position % 3]
        assert problems_of(small, whole[:position] + byte + whole[position:]), position


def test_every_pair_of_swapped_neighbours_is_found(small):
    whole = small.path.read_bytes()
    for position in range(len(whole) - 1):
        pair = whole[position : position + 2]
        if pair[0] != pair[1]:
            swapped = whole[:position] + pair[::-1] + whole[position + 2 :]
            assert problems_of(small, swapped), position


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.data())
def test_any_other_order_or_choice_of_lines_is_found(tmp_path, data):
    log = RoutingLog(tmp_path / "log.jsonl")
    log.path.unlink(missing_ok=True)
    for number in range(1, 5):
        log.append(entry("applied", number))
    lines = log.path.read_bytes().splitlines(keepends=True)
    drawn = data.draw(st.lists(st.sampled_from(lines), max_size=6))
    last = log.entries()[-1]
    log.path.write_bytes(b"".join(drawn))
    found = verify(log.path, last.config_sha256, last.generation).problems
    assert (drawn == lines) == (found == ())


def test_a_forged_line_with_a_right_hash_of_its_own_breaks_the_chain(log):
    lines = log.path.read_bytes().splitlines()
    forged = msgspec.structs.replace(log.entries()[1], summary="nothing to see", sha256="")
    lines[1] = encode(msgspec.structs.replace(forged, sha256=sha256(encode(forged))))
    log.path.write_bytes(b"\n".join(lines) + b"\n")
    found = verify(log.path).problems
    assert "line 3: follows hash" in found[0]
    assert "expected" in found[0]


@pytest.mark.parametrize("dropped", [1, 2, 3, 4])
def test_lines_cut_off_from_the_end_are_found_with_the_config_in_force(log, dropped):
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[:-dropped]))
    assert () == verify(log.path).problems
    found = " ".join(verify(log.path, IN_FORCE.config_sha256, IN_FORCE.generation).problems)
    assert "in force" in found


def test_a_config_that_the_log_does_not_know_is_named_with_both_sides(log):
    found = log.verify("f" * 64, 9).problems
    assert f"{log.path}: line 4 (confirmed): says generation 3, in force is 9" == found[0]
    assert f"says config hash {sha256(b'3')[:12]}, in force is ffffffffffff" in found[1]


def test_an_intent_without_its_end_is_named(log):
    intent = log.append(entry("intent", 4))
    reached = log.verify(intent.config_sha256, 4).problems
    assert 1 == len(reached)
    assert "line 5: an intent without its end" in reached[0]
    assert 1 == len(log.verify(IN_FORCE.config_sha256, 3).problems)
    assert 2 < len(log.verify("f" * 64, 9).problems)


def test_an_edited_line_is_named_with_its_number_and_nothing_is_built_on_it(log):
    data = log.path.read_bytes().replace(b"run:a", b"run:x", 1)
    log.path.write_bytes(data)
    with pytest.raises(AuditError, match=r"line 2: was edited: hash \w{12}, expected \w{12}; cure: restore"):
        log.entries()
    with pytest.raises(AuditError):
        log.append(entry())
    assert data == log.path.read_bytes()
    assert 1 == log.verify().entries


def test_a_line_with_other_spaces_is_found_though_it_means_the_same(log):
    log.path.write_bytes(log.path.read_bytes().replace(b'"seq":1', b'"seq": 1'))
    assert "not written as this program writes it" in log.verify().problems[0]


def test_a_dropped_line_is_named_by_its_number(log):
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[1:]))
    assert "line 1: is entry 2, expected 1: lines were dropped" in log.verify().problems[0]
