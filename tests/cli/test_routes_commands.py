"""``harness routes``: why a route is as it is, what it was before, and the way back."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest

from harnesslib.cli import main
from harnesslib.records import Decisions, LogEntry, RoutingConfig, decode, encode_pretty
from harnesslib.route_explanation import Explanation
from harnesslib.routing_history import Step
from harnesslib.workspace import Workspace


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    path = Path(__file__).resolve().parents[1] / "workspace_fixture.py"
    spec = importlib.util.spec_from_file_location("workspace_fixture", path)
    fixture = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixture)
    return fixture.changed_workspace(tmp_path_factory.mktemp("workspace") / "demo")


@pytest.fixture
def root(template, tmp_path) -> Path:
    shutil.copytree(template, tmp_path / "demo")
    return tmp_path / "demo"


@pytest.fixture
def harness(root, capsys):
    """Run a command in the workspace; returns its exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*arguments, "--workspace", str(root)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def in_force(root: Path) -> bytes:
    return (root / "routing_config.json").read_bytes()


def generation(root: Path, number: int) -> bytes:
    return (root / "generations" / f"{number:06d}.json").read_bytes()


# ---- explain


def test_what_serves_is_explained_with_its_decision_its_gates_and_its_proof(harness):
    code, said, _ = harness("routes", "explain", "auto", "atomic")
    assert 0 == code
    for words in (
        "sprinter serves the phase ('auto' is sprinter)",
        "UTC, generation 2",
        "a cycle, decision ",
        ":atomic-promote-sprinter; confirmed",
        "another model must be measurably better in atomic (p at most 0.05",
        "harness routes rollback (generation 1 comes back)",
        "in every cycle that has a candidate",
        "effect when it was decided: +17.5 points [+9.8, +25.2]",
        "measured again: +17.5 points [+9.8, +25.2], kept: It holds on fresh cases.",
        "pass  accuracy_gain",
    ):
        assert words in said


def test_a_denial_is_explained_with_its_fallback_and_its_review(harness, root):
    said = harness("routes", "explain", "sprinter", "extended")[1]
    assert "sprinter is denied; steady serves its requests" in said
    assert "sprinter must be measured again, and beat steady" in said
    due = decode(in_force(root), RoutingConfig, "x").rule("sprinter", "extended").review_after
    assert f"it is measured again in the first cycle after {due:%Y-%m-%d %H:%M} UTC, and not before" in said


def test_a_denial_whose_review_is_due_says_so(harness, root, monkeypatch):
    due = decode(in_force(root), RoutingConfig, "x").rule("sprinter", "extended").review_after
    monkeypatch.setattr("harnesslib.workspace.SystemClock.now", lambda _self: due)
    said = harness("routes", "explain", "sprinter", "extended")[1]
    assert "in the next cycle: the review of its denial is due" in said


def test_a_change_that_was_rolled_back_is_the_newest_trial_and_waits_for_its_review(harness):
    said = harness("routes", "explain", "better", "extended")[1]
    assert "better is allowed, and not the best" in said
    assert "The newest trial: PROMOTE" in said
    assert "rolled back: Not better on fresh cases." in said
    assert "tried against steady on " in said
    assert "; again in the first cycle after " in said


def test_a_model_that_was_turned_down_is_explained_with_the_gate_that_failed(harness):
    said = harness("routes", "explain", "twin", "atomic")[1]
    assert "The newest trial: REJECT" in said
    assert "fail  latency  x2.20     at most x1.20" in said


def test_a_run_that_is_gone_is_said_and_everything_else_is_told(harness, root):
    run = next((root / "runs").glob("*-cycle-*"))
    shutil.rmtree(run)
    said = harness("routes", "explain", "auto", "atomic")[1]
    assert f"Its run can't be shown: runs/{run.name}: its decisions are not here any more" in said
    assert "sprinter serves the phase" in said


def test_a_damaged_run_is_no_reason_to_say_nothing(harness, root):
    next((root / "runs").glob("*/decisions.json")).write_text("{torn")
    next((root / "runs").glob("*/manifest.json")).unlink()
    said = harness("routes", "explain", "auto", "atomic")[1]
    assert "Its run can't be shown: " in said
    assert "decisions.json" in said


def test_an_explanation_is_json_for_programs(harness, root):
    code, said, _ = harness("routes", "explain", "sprinter", "extended", "--json")
    told = decode(said, Explanation, "stdout")
    assert (0, "sprinter", "steady", 3, 2) == (
        code,
        told.model,
        told.answer.model,
        told.generation,
        told.since_generation,
    )
    assert told.evidence[0].decision.verdict == "PROMOTE"
    assert told.evidence[0].verification.kept
    stored = next((root / "runs").glob("*/decisions.json")).read_bytes()
    assert told.evidence[0].decision in decode(stored, Decisions, "x").decisions


@pytest.mark.parametrize(("model", "phase"), [("sprintr", "atomic"), ("auto", "atomc")])
def test_an_unknown_route_is_not_explained_and_the_nearest_is_named(harness, model, phase):
    code, _, error = harness("routes", "explain", model, phase)
    assert (2, True) == (code, "did you mean" in error)


# ---- history and diff


def test_the_history_names_every_generation_its_run_and_what_changed(harness, root):
    code, said, _ = harness("routes", "history", "--json")
    steps = decode(said, tuple[Step, ...], "stdout")
    assert (0, [1, 2, 3]) == (code, [step.generation for step in steps])
    assert ["init", "applied", "confirmed"] == [step.event for step in steps]
    assert [False, False, True] == [step.in_force for step in steps]
    assert (root / "runs" / steps[1].run_id).is_dir()
    assert any("atomic: baseline steady" in change for change in steps[1].changes)
    text = harness("routes", "history")[1]
    assert "generation 3: confirmed by " in text
    assert "(in force)" in text


def test_a_generation_that_is_gone_leaves_the_rest_of_the_history(harness, root):
    (root / "generations" / "000002.json").unlink()
    said = harness("routes", "history")[1]
    assert 2 == said.count("! what changed can't be told: ")
    assert "generation 1: init" in said


def test_a_difference_is_told_against_the_one_in_force_or_any_other(harness):
    code, said, _ = harness("routes", "diff", "1")
    assert 0 == code
    assert "to 3 (" in said
    assert "- atomic: baseline steady (accuracy n/a: not measured yet) -> sprinter" in said
    told = json.loads(harness("routes", "diff", "3", "2", "--json")[1])
    assert (3, 2) == (told["before"], told["after"])
    assert any("extended: baseline steady" in change for change in told["changes"])
    assert "No difference: both route alike." in harness("routes", "diff", "3", "3")[1]


def test_a_difference_to_a_generation_that_is_not_there_is_an_error(harness):
    code, _, error = harness("routes", "diff", "1", "9")
    assert (4, True) == (code, "000009.json" in error)


# ---- rollback


def test_the_last_change_is_undone_byte_for_byte_and_logged(harness, root):
    code, said, _ = harness("routes", "rollback", "--reason", "complaints")
    assert 0 == code
    assert "Generation 1 is in force again, byte for byte" in said
    assert "- atomic: baseline sprinter" in said
    assert "To take this back: harness routes rollback --to 3" in said
    assert generation(root, 1) == in_force(root)
    last = json.loads(harness("log", "show", "--json")[1])[-1]
    assert ("rolled_back", 1) == (last["event"], last["generation"])
    assert "from generation 3 back to 1: complaints" == last["summary"]
    assert 0 == harness("log", "verify")[0]


def test_a_rollback_is_taken_back_and_goes_back_again(harness, root):
    harness("routes", "rollback")
    told = json.loads(harness("routes", "rollback", "--to", "3", "--json")[1])
    assert (1, 3) == (told["generation_before"], told["generation"])
    assert generation(root, 3) == in_force(root)
    assert 0 == harness("routes", "rollback")[0]
    assert generation(root, 1) == in_force(root)


def test_there_is_nothing_before_the_first_generation(harness, root):
    harness("routes", "rollback")
    code, _, error = harness("routes", "rollback")
    assert 2 == code
    assert "generation 1 is the first one: nothing was in force before it" in error
    assert generation(root, 1) == in_force(root)


def test_what_is_in_force_already_is_left_as_it_is(harness, root):
    before = (root / "routing_decisions.jsonl").read_bytes()
    code, said, _ = harness("routes", "rollback", "--to", "3")
    assert (0, True) == (code, "there was nothing to undo" in said)
    assert before == (root / "routing_decisions.jsonl").read_bytes()


def test_a_generation_that_never_was_is_refused_with_those_that_were(harness):
    code, _, error = harness("routes", "rollback", "--to", "7")
    assert (2, True) == (code, "expected one of 1, 2, 3" in error)


def test_an_edit_by_hand_is_undone_first(harness, root):
    edited = in_force(root).replace(b'"timeout_s": 3.0', b'"timeout_s": 9.0')
    (root / "routing_config.json").write_bytes(edited)
    code, said, _ = harness("routes", "rollback")
    assert (0, True) == (code, "Generation 3 is in force again" in said)
    assert generation(root, 3) == in_force(root)


def test_a_rollback_works_where_harness_toml_is_broken(harness, root):
    (root / "harness.toml").write_text("nonsense")
    assert 0 == harness("routes", "rollback")[0]
    assert generation(root, 1) == in_force(root)


def test_a_rollback_waits_for_nobody_who_is_dead_and_names_who_is_alive(harness, root, monkeypatch):
    monkeypatch.setattr("harnesslib.routing_enforcer.rollback.__kwdefaults__", {"wait_s": 0.1})
    with Workspace(root) as place, place.locks.hold("routing", wait_s=0):
        code, _, error = harness("routes", "rollback")
    assert (75, True) == (code, "lock 'routing' is held by" in error)
    assert generation(root, 3) == in_force(root)


# ---- the log's filters


def shown(harness, *options: str) -> list[LogEntry]:
    code, said, _ = harness("log", "show", "--json", *options)
    assert 0 == code
    return list(decode(said, tuple[LogEntry, ...], "stdout"))


def test_the_log_is_filtered_by_event_run_and_number(harness):
    everything = shown(harness)
    run = everything[-1].run_id
    assert ["init", "confirmed"] == [
        entry.event for entry in shown(harness, "--event", "init", "--event", "confirmed")
    ]
    assert {run} == {entry.run_id for entry in shown(harness, "--run", run)}
    assert everything[-2:] == shown(harness, "--limit", "2")
    assert everything == shown(harness, "--limit", "99")


def test_the_log_is_filtered_by_time(harness):
    everything = shown(harness)
    second = everything[1].time
    assert everything[1:] == shown(harness, "--since", second.isoformat())
    assert everything[1:] == shown(harness, "--since", second.replace(tzinfo=None).isoformat())
    assert everything == shown(harness, "--since", "1h")
    assert [] == shown(harness, "--since", "2999-01-01")


@pytest.mark.parametrize("text", ["yesterday", "7", "d", "1.5h", "2026-13-01", "-1d"])
def test_a_time_that_is_none_is_refused_with_examples(harness, text):
    code, _, error = harness("log", "show", f"--since={text}")
    assert (2, True) == (code, "expected one like 2026-01-02" in error)


def test_a_run_without_entries_is_said_with_those_that_have_some(harness):
    code, _, error = harness("log", "show", "--run", "nobody")
    assert (0, True) == (code, "No entry is of run nobody; of runs: 20" in error)


# ---- rotation


def test_a_rotated_log_is_shown_verified_and_continued_as_one(harness, root):
    before = shown(harness)
    code, said, _ = harness("log", "rotate")
    assert (0, True) == (code, f"entry {len(before) + 1} begins a new file" in said)
    assert before == shown(harness)
    harness("routes", "rollback")
    assert (root / f"routing_decisions.1-{len(before)}.jsonl").exists()
    assert "in 2 files: the chain is whole" in harness("log", "verify")[1]
    assert before == shown(harness)[: len(before)]
    assert 0 == harness("routes", "explain", "auto", "atomic")[0]


def test_a_part_that_is_missing_is_found_by_the_commands(harness, root):
    harness("log", "rotate")
    next(root.glob("routing_decisions.*-*.jsonl")).unlink()
    assert 5 == harness("log", "verify")[0]
    assert 5 == harness("routes", "rollback", "--to", "1")[0]


def test_there_is_nothing_to_rotate_twice(harness):
    harness("log", "rotate")
    code, _, error = harness("log", "rotate")
    assert (2, True) == (code, "there is nothing to rotate" in error)


# ---- locks


def test_locks_are_shown_and_a_live_holder_is_never_cleared(harness, root):
    with Workspace(root) as place, place.locks.hold("routing", wait_s=0):
        told = json.loads(harness("lock", "status", "--json")[1])
        code, _, error = harness("lock", "clear", "routing")
    assert [("routing", "held")] == [(state["name"], state["state"]) for state in told]
    assert (75, True) == (code, "lock 'routing' is held by" in error)
    assert "free" in harness("lock", "status")[1]


def test_a_stale_note_is_shown_with_its_cure_and_cleared(harness, root):
    (root / ".locks" / "routing.owner.json").write_bytes(encode_pretty({"torn": True}))
    assert "`harness lock clear routing` removes it" in harness("lock", "status")[1]
    assert "Cleared: routing" in harness("lock", "clear")[1]
    assert "Nothing to clear" in harness("lock", "clear", "routing")[1]


def test_an_unknown_lock_is_refused_with_the_nearest(harness):
    code, _, error = harness("lock", "clear", "routng")
    assert (2, True) == (code, "did you mean 'routing'?" in error)
