"""Against the built-in server, ``harness run`` finds what was declared of every simulated model."""

from __future__ import annotations

import json
import re
import tomllib
from collections import defaultdict
from importlib.resources import files

import msgspec
import pytest
from msgspec import structs

from harnesslib import variants
from harnesslib.benchmark_supervisor import measure
from harnesslib.cli import main
from harnesslib.records import Assignment, Spec, Summary
from harnesslib.run_benchmark import sample_seed
from harnesslib.simulator import DEMO_WORLD, load_world
from harnesslib.stats.intervals import proportion
from harnesslib.workspace import Workspace

TRUTH = {model.id: model.phases for model in load_world(DEMO_WORLD).models}
SERVES = {
    entry["id"]: entry.get("phases", ("atomic", "extended"))
    for entry in tomllib.loads(files("harnesslib.cli").joinpath("demo_harness.toml").read_text())["models"]
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Return the demo's workspace, its models in a hurry and the sleepy one woken up first."""
    folder = tmp_path_factory.mktemp("demo")
    world = re.sub(r"latency_s = .*\n", "", DEMO_WORLD.read_text())
    world = re.sub(r'(id = ".*"\n)', r"\1latency_s = 0.004\n", world)
    toml = files("harnesslib.cli").joinpath("demo_harness.toml").read_text()
    assert "{ timeout_s = 0.3 }" in toml
    toml = toml.replace("{ timeout_s = 0.3 }", "{ timeout_s = 5.0, warmup = true }")
    Workspace(folder).initialise(toml, {"simulated_models.toml": world})
    return folder


@pytest.mark.parametrize(("model", "phase"), [(model, phase) for model in SERVES for phase in SERVES[model]])
def test_the_declared_truth_lies_in_the_interval_of_what_was_measured(model, phase, workspace, capsys):
    asked = ["run", model, phase, "--repeats", "2", "--seed", "5", "--quiet", "--json", "-w", str(workspace)]
    assert 0 == main(asked)
    summary = msgspec.convert(json.loads(capsys.readouterr().out), Summary)
    cases = summary.specs[0].cases
    for wants_call, declared in (
        (True, TRUTH[model][phase].accuracy),
        (False, TRUTH[model][phase].restraint),
    ):
        chosen = [case for case in cases if case.wants_call is wants_call]
        passes, taken = sum(case.passes for case in chosen), sum(case.valid for case in chosen)
        found = proportion(passes, taken, level=0.99)
        assert 2 * len(chosen) == taken
        assert found.low <= declared <= found.high, (wants_call, passes, taken)


@pytest.mark.parametrize("model", ["steady", "sleepy"])
def test_asked_in_words_a_simulated_model_solves_the_same_cases_as_with_the_field_for_tools(model, workspace):
    with Workspace(workspace) as place:
        manifest = place.new_manifest("run", {})
        place.runs.create(manifest)
        effects = place.effects(manifest.run_id)
        settings = effects.config.harness().settings_of(model, "atomic")
        jobs = [
            Assignment(
                stage="run",
                spec=Spec(
                    model=model,
                    phase="atomic",
                    settings=structs.replace(settings, variant=variant, timeout_s=30.0),
                ),
                case_id=case.id,
                repeat=0,
                position=0,
                seed=sample_seed("words", case.id),
                requested_model=model,
            )
            for case in effects.suites["atomic-quick"].part("search")[::4]
            for variant in variants.NAMES
        ]
        samples = measure(jobs, effects, run_id=manifest.run_id, state="run")
    solved = defaultdict(set)
    for job, sample in zip(jobs, samples, strict=True):
        solved[job.spec.settings.variant] |= {(sample.case_id, sample.outcome == "pass")}
    assert set(variants.NAMES) == set(solved)
    assert {True, False} == {passed for _, passed in solved[variants.NATIVE]}
    assert all(found == solved[variants.NATIVE] for found in solved.values())
