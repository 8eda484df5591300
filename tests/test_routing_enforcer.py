"""The enforcer: one transaction per change, stopped anywhere it recovers, and log and file always agree."""

from __future__ import annotations

import errno
import importlib.util
import itertools
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from harnesslib import routing, routing_enforcer
from harnesslib.config_manager import ConfigManager
from harnesslib.errors import AuditError, ConflictError, DataError, InputError, LockedError
from harnesslib.lock_manager import LockManager
from harnesslib.ports import Effects
from harnesslib.records import (
    Applied,
    Comparison,
    Decision,
    Decisions,
    LogEntry,
    PolicyConfig,
    RoutingConfig,
    Summary,
    Verification,
    sha256,
)
from harnesslib.routing_log import RoutingLog, verify
from harnesslib.testing import FakeClock, MemoryEvents, MemoryRunStore


def _load(name: str, path: Path) -> ModuleType:
    """Load a module that lies beside the tests' folders."""
    found = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


made_up = _load("routing_records", Path(__file__).resolve().parents[0] / "routing_records.py")
decision, estimate, spec, verdict = made_up.decision, made_up.estimate, made_up.spec, made_up.verdict

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
POLICY = PolicyConfig()
HARNESS = """
version = 1
[endpoints.local]
base_url = "http://127.0.0.1:1"
[[models]]
id = "steady"
endpoint = "local"
[[models]]
id = "better"
endpoint = "local"
[[models]]
id = "sprinter"
endpoint = "local"
[phases.atomic]
suite = "atomic"
baseline = "steady"
[phases.extended]
suite = "extended"
baseline = "steady"
"""


def make(root: Path) -> Effects:
    root.mkdir(exist_ok=True)
    (root / "harness.toml").write_text(HARNESS)
    config = ConfigManager(root)
    effects = Effects(
        clock=FakeClock(),
        clients={},
        config=config,
        runs=MemoryRunStore(),
        log=RoutingLog(root / "routing_decisions.jsonl"),
        locks=LockManager(root / ".locks", command="pytest"),
        events=MemoryEvents(),
        suites={},
    )
    if not config.routing_path.exists():
        config.initialise(routing.initial(config.harness(), now=NOW))
        routing_enforcer.recover(effects)
    return effects


@pytest.fixture
def effects(tmp_path) -> Effects:
    return make(tmp_path)


def decisions(*made: Decision, run: str = "run") -> Decisions:
    return Decisions(run_id=run, decisions=made)


PROMOTION = decision("promote", "better")
DENIAL = decision("deny", "sprinter", fallback="better")
BOTH = decisions(PROMOTION, DENIAL)


def summary(*, run: str = "run", baseline: str = "steady") -> Summary:
    compared = Comparison(
        stage="confirm",
        phase="atomic",
        candidate=spec("better"),
        baseline=spec(baseline),
        cases=10,
        repeats=3,
        effect=estimate(0.2),
        p_value=0.001,
        harm_p_value=1.0,
        generalisation=estimate(0.2),
        standard_error=0.05,
        latency_ratio=estimate(1.0),
        latency_p_value=None,
        restraint_effect=estimate(0.0),
        restraint_e=None,
        restraint_harm_p_value=None,
        overdispersion_p=None,
    )
    found = made_up.summary(*(spec(model) for model in ("better", "sprinter", "steady")), run=run)
    return msgspec.structs.replace(found, comparisons=(compared,))


def enforce(effects: Effects, made: Decisions = BOTH) -> RoutingConfig:
    return routing_enforcer.enforce(made, summary(run=made.run_id), effects, policy=POLICY)


def settle(effects: Effects, *verdicts: Verification, generation: int = 2) -> RoutingConfig:
    applied = Applied(run_id="run", generation_before=1, generation=generation)
    return routing_enforcer.settle(applied, verdicts, effects)


def events(effects: Effects) -> list[tuple[str, int]]:
    return [(entry.event, entry.generation) for entry in effects.log.entries()]


def assert_agreement(effects: Effects) -> None:
    """Log and file agree: the promise that every test here is about."""
    in_force = effects.config.routing()
    audit = verify(effects.log.path, effects.config.routing_sha256(), in_force.generation)
    assert () == audit.problems
    assert in_force == effects.config.generation(in_force.generation)


# ---- enforce


def test_promoted_decisions_become_one_generation_with_intent_and_end_in_the_log(effects):
    after = enforce(effects)
    assert after == effects.config.routing()
    assert [("init", 1), ("intent", 2), ("applied", 2)] == events(effects)
    intent, applied = effects.log.entries()[1:]
    assert {effects.config.routing_sha256()} == {intent.config_sha256, applied.config_sha256}
    assert ("run", (PROMOTION.id, DENIAL.id)) == (applied.run_id, applied.decision_ids)
    assert applied.summary == "atomic: served by better; atomic: sprinter denied, better instead"
    assert sha256(effects.config._path(1).read_bytes()) == after.parent_sha256  # noqa: SLF001
    assert_agreement(effects)


def test_rules_that_no_decision_speaks_of_stay_as_they_are(effects):
    person = msgspec.structs.replace(
        effects.config.routing().rule("steady", "extended"),
        source="person",
        reason="a person's wish",
        fallback_model="better",
    )
    current = effects.config.routing()
    rules = tuple(
        person if (rule.model, rule.phase) == ("steady", "extended") else rule for rule in current.rules
    )
    changed = msgspec.structs.replace(
        current, generation=2, parent_sha256=effects.config.routing_sha256(), rules=rules
    )
    digest = effects.config.save(changed, expected_generation=1)
    effects.log.append(
        LogEntry(seq=0, time=NOW, event="applied", generation=2, config_sha256=digest, summary="by hand")
    )
    after = enforce(effects)
    touched = {("better", "atomic"), ("sprinter", "atomic")}
    for rule in changed.rules:
        if (rule.model, rule.phase) not in touched:
            assert rule == after.rule(rule.model, rule.phase)
    assert person == after.rule("steady", "extended")


@pytest.mark.parametrize("verdict_word", ["HOLD", "REJECT"])
def test_without_promoted_decisions_nothing_is_written(effects, verdict_word):
    before = effects.config.routing_sha256()
    after = enforce(effects, decisions(decision("promote", "better", verdict=verdict_word)))
    assert (1, before, [("init", 1)]) == (after.generation, effects.config.routing_sha256(), events(effects))


def test_the_same_decisions_act_once(effects):
    first = enforce(effects)
    assert first == enforce(effects)
    assert [("init", 1), ("intent", 2), ("applied", 2)] == events(effects)
    settle(effects)
    assert 1 == enforce(effects).generation


def test_a_preview_says_what_would_change_and_changes_nothing(effects):
    before = effects.config.routing_sha256()
    lines = routing_enforcer.preview(BOTH, summary(), effects, policy=POLICY)
    assert any("atomic: baseline steady" in line for line in lines)
    assert (before, [("init", 1)]) == (effects.config.routing_sha256(), events(effects))
    enforce(effects)
    assert () == routing_enforcer.preview(BOTH, summary(), effects, policy=POLICY)


def test_a_promotion_measured_against_another_baseline_is_refused(effects):
    with pytest.raises(ConflictError, match=r"was measured against 'sprinter/atomic/.*cure: run a new cycle"):
        routing_enforcer.enforce(BOTH, summary(baseline="sprinter"), effects, policy=POLICY)
    assert [("init", 1)] == events(effects)


def test_decisions_that_make_no_sound_routing_are_refused_before_the_intent(effects):
    wrong = decisions(decision("deny", "steady", fallback="better"))
    with pytest.raises(DataError, match=r"make no sound routing: baselines.atomic: 'steady' is denied"):
        enforce(effects, wrong)
    assert [("init", 1)] == events(effects)
    assert_agreement(effects)


def test_a_second_writer_waits_and_is_told_who_holds_the_lock(effects):
    with effects.locks.hold("routing", wait_s=0):
        for change in (
            lambda: enforce(effects),
            lambda: settle(effects),
            lambda: routing_enforcer.recover(effects, wait_s=0),
            lambda: routing_enforcer.rollback(1, effects, reason="r"),
        ):
            with pytest.raises(LockedError, match="lock 'routing' is held by"):
                change()
    enforce(effects)


# ---- settle


def test_what_was_kept_is_confirmed_in_a_new_generation(effects):
    enforce(effects)
    final = settle(effects, verdict(PROMOTION, kept=True), verdict(DENIAL, kept=True))
    assert (3, {"confirmed"}) == (final.generation, {rule.status for rule in final.rules})
    assert [("intent", 3), ("confirmed", 3)] == events(effects)[-2:]
    assert (PROMOTION.id, DENIAL.id) == effects.log.entries()[-1].decision_ids
    assert_agreement(effects)


def test_when_nothing_was_kept_the_old_file_is_back_byte_for_byte(effects):
    before = effects.config.routing_path.read_bytes()
    enforce(effects)
    final = settle(effects, verdict(PROMOTION, kept=False), verdict(DENIAL, kept=False))
    assert (1, before) == (final.generation, effects.config.routing_path.read_bytes())
    assert [("intent", 1), ("rolled_back", 1)] == events(effects)[-2:]
    assert_agreement(effects)


def test_what_was_not_verified_is_taken_back(effects):
    enforce(effects)
    final = settle(effects, verdict(DENIAL, kept=True))
    assert "steady" == final.baselines["atomic"].spec.model
    assert not final.rule("sprinter", "atomic").allow
    last = effects.log.entries()[-1]
    assert (("confirmed", 3), (DENIAL.id,)) == ((last.event, last.generation), last.decision_ids)
    assert last.summary == "kept: atomic-deny-sprinter; taken back: atomic-promote-better"
    assert_agreement(effects)


@pytest.mark.parametrize("kept", [True, False])
def test_settling_twice_changes_nothing_more(effects, kept):
    enforce(effects)
    once = settle(effects, verdict(PROMOTION, kept=kept))
    before = events(effects)
    assert once == settle(effects, verdict(PROMOTION, kept=kept))
    assert before == events(effects)


def test_a_run_that_applied_nothing_has_nothing_to_settle(effects):
    assert 1 == settle(effects, generation=1).generation
    assert [("init", 1)] == events(effects)


def test_after_a_rollback_the_next_generation_has_a_new_number(effects):
    enforce(effects)
    settle(effects)
    again = decision("promote", "better", run="second")
    assert 3 == enforce(effects, decisions(again, run="second")).generation
    assert_agreement(effects)


def test_a_generation_that_somebody_else_replaced_is_not_settled(effects):
    enforce(effects)
    routing_enforcer.rollback(1, effects, reason="a person saw it fail")
    with pytest.raises(ConflictError, match="generation 2 is to be settled, in force is 1"):
        settle(effects, verdict(PROMOTION, kept=True))
    assert_agreement(effects)


def test_a_stored_generation_that_was_edited_is_never_restored(effects):
    enforce(effects)
    path = effects.config._path(1)  # noqa: SLF001
    path.write_bytes(path.read_bytes().replace(b"listed in", b"hidden in"))
    with pytest.raises(AuditError, match=r"000001.json: is not what generation 2 was made from"):
        settle(effects)
    with pytest.raises(AuditError, match=r"000001.json: hash \w+, the log says"):
        routing_enforcer.rollback(1, effects, reason="r")
    assert 2 == effects.config.routing().generation


# ---- rollback by a person


def test_a_person_puts_a_former_generation_in_force_again(effects):
    before = effects.config.routing_path.read_bytes()
    enforce(effects)
    assert 1 == routing_enforcer.rollback(1, effects, reason="too slow at noon").generation
    assert before == effects.config.routing_path.read_bytes()
    assert ("rolled_back", "too slow at noon") == (
        effects.log.entries()[-1].event,
        effects.log.entries()[-1].summary,
    )
    assert 1 == routing_enforcer.rollback(1, effects, reason="again").generation
    assert 5 == len(effects.log.entries())
    assert_agreement(effects)


def test_a_generation_that_never_was_in_force_is_refused(effects):
    with pytest.raises(InputError, match="generation 7 was never in force; expected one of 1"):
        routing_enforcer.rollback(7, effects, reason="r")


def test_a_rollback_undoes_an_edit_by_hand(effects):
    enforce(effects)
    path = effects.config.routing_path
    path.write_bytes(path.read_bytes().replace(b"promote better", b"my own words"))
    with pytest.raises(AuditError, match=r"hash \w+, the log's line 3 \(applied, generation 2\) says"):
        enforce(effects, decisions(decision("deny", "sprinter", "extended", run="next"), run="next"))
    assert 2 == routing_enforcer.rollback(2, effects, reason="undo the edit").generation
    assert_agreement(effects)


# ---- recover


def test_there_is_nothing_to_recover_after_a_whole_change(effects):
    enforce(effects)
    assert "" == routing_enforcer.recover(effects)


def test_a_first_generation_without_its_entry_gets_it(effects):
    effects.log.path.unlink()
    assert "the first generation was not logged" in routing_enforcer.recover(effects)
    assert [("init", 1)] == events(effects)


def test_a_log_that_is_gone_is_an_error_once_there_was_a_change(effects):
    enforce(effects)
    effects.log.path.unlink()
    with pytest.raises(AuditError, match="is empty or missing, and generation 2 is stored"):
        routing_enforcer.recover(effects)


def test_a_log_that_never_says_what_is_in_force_is_an_error(tmp_path, effects):
    effects.log.path.unlink()
    effects.log.append(
        LogEntry(seq=0, time=NOW, event="undone", generation=1, config_sha256="a" * 64, summary="s")
    )
    with pytest.raises(AuditError, match="no entry says which generation is in force"):
        routing_enforcer.recover(effects)


def test_a_file_that_is_neither_old_nor_new_is_left_to_a_person(effects):
    effects.log.append(
        LogEntry(seq=0, time=NOW, event="intent", generation=2, config_sha256="a" * 64, summary="s")
    )
    path = effects.config.routing_path
    path.write_bytes(path.read_bytes().replace(b"listed in", b"hidden in"))
    with pytest.raises(AuditError, match=r"hash \w+, expected \w+ \(generation 1\) or aaaaaaaaaaaa"):
        routing_enforcer.recover(effects)


def test_an_edited_log_stops_every_change(effects):
    enforce(effects)
    effects.log.path.write_bytes(effects.log.path.read_bytes().replace(b"applied", b"undone_"))
    with pytest.raises(AuditError, match="line 3: "):
        settle(effects)


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_is_the_error_that_is_told_and_the_old_generation_serves(effects, monkeypatch, step):
    before = effects.config.routing_sha256()
    config_writes = itertools.count()

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    real = effects.config.save

    def save(*args, **kwargs):
        next(config_writes)
        with monkeypatch.context() as patch:
            patch.setattr(os, step, full)
            return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(effects.config, "save", save)
        with pytest.raises(DataError, match="cure: free space on the disk"):
            enforce(effects)
    assert before == effects.config.routing_sha256()
    assert [("init", 1), ("intent", 2), ("undone", 1)] == events(effects)
    assert_agreement(effects)
    assert 3 == enforce(effects).generation
    assert_agreement(effects)


def test_a_failed_restore_is_undone(effects, monkeypatch):
    enforce(effects)

    def broken(*_args, **_kwargs):
        raise DataError("disk; cure: none")

    with monkeypatch.context() as patch:
        patch.setattr(effects.config, "restore", broken)
        with pytest.raises(DataError, match="disk"):
            settle(effects)
    assert ("undone", 2) == events(effects)[-1]
    settle(effects)
    assert_agreement(effects)


def test_a_file_that_another_program_overwrites_at_once_is_noticed(effects, monkeypatch):
    real = effects.config.save

    def save(config, *, expected_generation):
        real(config, expected_generation=expected_generation)
        effects.config.routing_path.write_bytes(b"{}")
        return "x"

    with monkeypatch.context() as patch:
        patch.setattr(effects.config, "save", save)
        with pytest.raises(AuditError, match="find out which other program writes it"):
            enforce(effects)


# ---- stopped anywhere


class Stopped(BaseException):
    """The process is killed here."""


def stop_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """Stop the process at a step: the `step`-th write (half of it done), fsync, replace or truncate."""
    left = [step]
    real = {name: getattr(os, name) for name in ("write", "fsync", "replace", "ftruncate")}

    def stopping(name):
        def call(*args):
            if left[0] == 0:
                if name == "write":
                    real["write"](args[0], bytes(args[1])[: len(args[1]) // 2])
                raise Stopped
            left[0] -= 1
            return real[name](*args)

        return call

    for name in real:
        patch.setattr(os, name, stopping(name))


def run_until_stopped(change, step: int) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, step)
        try:
            change()
        except Stopped:
            return True
    return False


CHANGES = {
    "enforce": (lambda effects: None, enforce),
    "confirm": (enforce, lambda effects: settle(effects, verdict(PROMOTION, kept=True))),
    "roll back": (enforce, settle),
    "a person's rollback": (
        enforce,
        lambda effects: routing_enforcer.rollback(1, effects, reason="r"),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_stopped_at_any_step_it_recovers_to_the_old_or_the_new_and_then_goes_on(tmp_path, name):
    prepare, change = CHANGES[name]
    expected = make(tmp_path / "expected")
    prepare(expected)
    old, old_bytes = expected.config.routing(), expected.config.routing_path.read_bytes()
    new = change(expected)
    results = set()
    for step in itertools.count():
        effects = make(tmp_path / str(step))
        prepare(effects)
        if not run_until_stopped(lambda effects=effects: change(effects), step):
            break
        again = make(tmp_path / str(step))
        done = routing_enforcer.recover(again)
        in_force = again.config.routing()
        assert in_force in (old, new)
        assert (in_force == old) == (again.config.routing_path.read_bytes() == old_bytes)
        assert_agreement(again)
        assert "" == routing_enforcer.recover(again)
        results.add((in_force == new, done != ""))
        final = change(again)
        assert same_routes(new, final)
        assert_agreement(again)
    assert step >= 10
    assert {(False, False), (False, True), (True, True)} <= results


def same_routes(expected: RoutingConfig, got: RoutingConfig) -> bool:
    """Whether both route alike; an undone try uses up a number, and the second one has its own time."""
    return () == routing.diff(expected, got)


def test_stopped_while_it_recovers_it_recovers_the_next_time(tmp_path):
    for first_stop in range(60):
        for second_stop in range(3):
            effects = make(tmp_path / f"{first_stop}-{second_stop}")
            if not run_until_stopped(lambda effects=effects: enforce(effects), first_stop):
                return
            run_until_stopped(lambda effects=effects: routing_enforcer.recover(effects), second_stop)
            routing_enforcer.recover(make(tmp_path / f"{first_stop}-{second_stop}"))
            assert_agreement(effects)
    pytest.fail("the change never came to its end")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "step"),
    [*(("write", n) for n in range(5)), *(("fsync", n) for n in range(6)), ("replace", 0), ("replace", 1)],
)
def test_killed_without_a_chance_to_tidy_up_the_next_process_recovers(tmp_path, name, step):
    effects = make(tmp_path)
    child = os.fork()
    if child == 0:
        left, real = [step], getattr(os, name)

        def killing(*args):
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return real(*args)

        setattr(os, name, killing)
        try:
            enforce(effects)
        finally:
            os._exit(1)  # this copy of the test process must never go on with the tests
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    routing_enforcer.recover(effects)
    assert_agreement(effects)
    assert "better" == enforce(effects).baselines["atomic"].spec.model
    assert_agreement(effects)


def test_time_in_the_log_is_the_flows_clock(effects):
    effects.clock.advance(60)
    enforce(effects)
    assert FakeClock().now() + timedelta(seconds=60) == effects.log.entries()[-1].time
