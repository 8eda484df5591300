"""``harness diagnose``: causes of real runs against the built-in server, whose troubles are declared."""

from __future__ import annotations

import json

import msgspec
import pytest

from harnesslib.cli import main
from harnesslib.records import Feedback, Finding, Sample
from harnesslib.run_diagnosis import earlier_samples
from harnesslib.simulator import Simulator
from harnesslib.workspace import Workspace

HARNESS = """
version = 1
[endpoints.local]
simulator = "world.toml"
concurrency = 8
[phases.atomic]
suite = "atomic-quick"
baseline = "healthy"
[phases.atomic.settings]
timeout_s = 1.0
temperature = 0.7
"""
WORLD = "version = 1\nseed = 3\n"
TROUBLES = {
    "healthy": "",
    "torn": "unreadable_share = 0.8",
    "broken": 'fault_share = 0.4\nfault_burst = 4\nfault = "reset"',
    "failing": "fault_share = 0.5",
    "late": "slow_share = 0.15\nslow_s = 1.2",
    "copied": "cached_share = 1.0\ncached_s = 0.001",
}
DRIFT_AFTER = 345
"""Requests: three runs of two repeats make 348."""

EXPECTED = {
    "healthy": set(),
    "torn": {"format_mismatch"},
    "broken": {"infrastructure"},
    "failing": {"infrastructure"},
    "late": {"timeout_bound"},
    "copied": {"cached_replicates"},
}


def a_model(name: str, trouble: str) -> str:
    return (
        f'[[models]]\nid = "{name}"\nlatency_s = 0.03\n[models.phases.atomic]\naccuracy = 0.99\n'
        f"restraint = 0.99\nflaky_share = 0.0\n[models.trouble]\n{trouble}\n"
    )


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("troubles")
    harness, world = HARNESS, WORLD
    for name, trouble in TROUBLES.items():
        harness += f'[[models]]\nid = "{name}"\nendpoint = "local"\n'
        world += a_model(name, trouble)
    harness += '[[models]]\nid = "asleep"\nendpoint = "local"\nsettings = { timeout_s = 0.2 }\n'
    world += a_model("asleep", "").replace("latency_s", "load_s = 0.3\nlatency_s", 1)
    Workspace(folder).initialise(harness, {"world.toml": world})
    return str(folder)


def run(workspace: str, model: str, *more: str) -> int:
    return main(["run", model, "atomic", "--quiet", "-w", workspace, *more])


def diagnosed(workspace: str, capsys) -> Feedback:
    capsys.readouterr()
    assert 0 == main(["diagnose", "--json", "-w", workspace])
    return msgspec.convert(json.loads(capsys.readouterr().out), Feedback)


@pytest.mark.parametrize("model", [*EXPECTED, "asleep"])
def test_a_declared_trouble_is_named_after_a_run_over_http(model, workspace, capsys):
    assert 0 == run(workspace, model, "--repeats", "4")
    said = capsys.readouterr().out
    feedback = diagnosed(workspace, capsys)
    named = {finding.cause for finding in feedback.findings}
    # The server was started just now: on a busy machine its first answers may really be slow.
    assert EXPECTED.get(model, {"cold_start"}) == named - ({"cold_start"} if model in EXPECTED else set())
    for finding in feedback.findings:
        assert f"{finding.certainty} {finding.cause}: {finding.headline}" in said
        assert feedback.run_id == finding.run_id


def test_drift_is_named_beside_earlier_runs_and_in_words(tmp_path, capsys):
    world = tmp_path / "world.toml"
    trouble = f"drift_loss = 0.6\ndrift_after = {DRIFT_AFTER}"
    world.write_text(WORLD + a_model("drifting", trouble))
    with Simulator(world, tmp_path) as server:
        harness = HARNESS.replace('simulator = "world.toml"', f'base_url = "{server.base_url}"')
        harness = (
            harness.replace('"healthy"', '"drifting"') + '[[models]]\nid = "drifting"\nendpoint = "local"\n'
        )
        Workspace(tmp_path / "place").initialise(harness, {})
        place = str(tmp_path / "place")
        for seed in ("1", "2", "3", "4"):
            assert 0 == run(place, "drifting", "--repeats", "2", "--seed", seed)
    feedback = diagnosed(place, capsys)
    assert ["drift"] == [finding.cause for finding in feedback.findings]
    assert 0 == main(["diagnose", feedback.run_id, "-w", place])
    said = capsys.readouterr().out
    assert "drifting is not what it was" in said
    assert "would refute it: Measure it again" in said


def test_only_runs_of_the_same_model_settings_suite_and_digest_stand_beside_a_run(workspace):
    little = ("--repeats", "1", "--limit", "6")
    assert 0 == run(workspace, "healthy", *little)
    assert 0 == run(workspace, "torn", *little)
    assert 0 == run(workspace, "healthy", "--seed", "9", *little)
    with Workspace(workspace) as place:
        effects = place.effects(endpoints=False)
        last = place.runs.latest()
        beside = earlier_samples(effects, last.run_id)
    assert {"healthy"} == {sample.model for sample in beside}
    assert last.run_id not in {sample.run_id for sample in beside}
    assert all(isinstance(sample, Sample) for sample in beside)


def test_a_workspace_without_a_run_has_nothing_to_diagnose(tmp_path, capsys):
    assert 0 == main(["init", "--demo", str(tmp_path)])
    assert 2 == main(["diagnose", "-w", str(tmp_path)])
    assert "nothing has been measured yet; do so with `harness run`" in capsys.readouterr().err


def test_a_run_that_was_not_finished_is_refused_with_its_status(workspace, capsys):
    with Workspace(workspace) as place:
        manifest = place.new_manifest("run", {})
        place.runs.create(manifest)
    assert 2 == main(["diagnose", manifest.run_id, "-w", workspace])
    assert "it holds no summary (running)" in capsys.readouterr().err


def test_what_a_cycle_found_is_shown_as_it_was_stored(workspace, capsys):
    finding = Finding(
        cause="flaky",
        phase="atomic",
        model="healthy",
        certainty="probable",
        headline="healthy passes 1 case only at times",
        evidence=("1 of 2.",),
        refute="Ask again.",
        posterior=0.93,
    )
    with Workspace(workspace) as place:
        manifest = place.new_manifest("cycle", {})
        place.runs.create(manifest)
        stored = Feedback(run_id=manifest.run_id, findings=(finding,), recommendations=())
        place.runs.put(manifest.run_id, "findings", stored)
    assert 0 == main(["diagnose", manifest.run_id, "-w", workspace])
    assert "probable flaky: healthy passes 1 case only at times" in capsys.readouterr().out
