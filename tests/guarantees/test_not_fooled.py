"""No model, cache, clock, edited suite or second cycle makes the statistics believe what is not so."""

from __future__ import annotations

import dataclasses
import random
from datetime import timedelta

import msgspec
import pytest

from harnesslib import routing
from harnesslib.cli import main
from harnesslib.errors import InputError
from harnesslib.meta_harness_loop import Cycle
from harnesslib.records import Call, Decisions, Manifest, PolicyConfig, sha256
from harnesslib.run_benchmark import RunOptions, run
from harnesslib.run_diagnosis import diagnosed
from harnesslib.testing import (
    EPOCH,
    FakeClient,
    FakeClock,
    memory_effects,
    reply,
    right_answer,
    tiny_harness,
    tiny_suite,
)
from harnesslib.workspace import Workspace

CASES = 24


class Dice:
    """Answers with chances of its own; `cached` says the same again, at once, for the same question."""

    def __init__(self, chances: dict[str, float], *, cached: tuple[str, ...] = (), seed: int = 1) -> None:
        self.chances = chances
        self.cached = cached
        self.seed = seed
        self.known: dict[str, object] = {}
        self.asked = 0

    def __call__(self, request):
        self.asked += 1
        question = sha256(f"{request.model} {request.messages}".encode())
        if request.model in self.cached and question in self.known:
            again = self.known[question]
            return msgspec.structs.replace(again, latency_s=0.001, ttfb_s=0.001)
        said = right_answer(request)
        dice = random.Random(f"{self.seed} {question} {request.seed}")  # noqa: S311 - the same every time
        if dice.random() >= self.chances[request.model]:
            said = reply(Call(name="double", arguments={"number": -self.asked}))
        slow = 0.5 * (1 + dice.random())
        self.known[question] = said = msgspec.structs.replace(said, latency_s=slow, ttfb_s=slow)
        return said


def effects_of(answer, *models, cases=CASES, clock=None, **settings):
    config = tiny_harness(*models, timeout_s=5.0, **settings)
    client = FakeClient(answer, models=models)
    suites = {"atomic": tiny_suite("atomic", cases=cases)}
    return memory_effects(config, routing.initial(config, now=EPOCH), {"local": client}, suites, clock)


def manifest(effects, run_id: str = "1", kind: str = "cycle") -> Manifest:
    return Manifest(
        run_id=run_id,
        kind=kind,
        status="running",
        started_at=effects.clock.now(),
        parameters={},
        environment={},
        simulated=False,
        pid=1,
        pid_started=0.0,
    )


def causes_of(effects, model: str) -> dict[str, object]:
    run(model, "atomic", effects, RunOptions(repeats=5), manifest(effects, "r", "run"))
    return {finding.cause: finding for finding in diagnosed(effects, "r").findings}


def test_a_cache_before_the_endpoint_is_a_finding_that_names_the_cases():
    effects = effects_of(Dice({"base": 0.7}, cached=("base",)), "base", temperature=0.7)
    found = causes_of(effects, "base")
    assert "cached_replicates" in found
    assert "each case counts once" in " ".join(found["cached_replicates"].evidence)


def test_an_endpoint_without_a_cache_is_not_said_to_have_one():
    effects = effects_of(Dice({"base": 0.7}), "base", temperature=0.7)
    assert "cached_replicates" not in causes_of(effects, "base")


def test_answers_from_memory_add_no_evidence_for_a_promotion():
    """Cases are the units: a twin whose answers are drawn once and then repeated wins no more often."""
    promoted = 0
    rounds = 20
    for seed in range(rounds):
        twins = Dice({"base": 0.6, "twin": 0.6}, cached=("base", "twin"), seed=seed)
        effects = effects_of(twins, "base", "twin", temperature=0.7)
        effects.runs.create(manifest(effects))
        cycle = Cycle(effects, "1")
        promoted += any(one.recommendation.action == "promote" for one in cycle.decide().promoted)
    # At most 5 % of such cycles may promote: 5 of 20 has a chance below 0.3 %.
    assert promoted < 5, f"{promoted} of {rounds}, asked for alpha {PolicyConfig().alpha}"


class JumpingClock(FakeClock):
    """A time of day that leaps by hours to and fro, as it does when somebody sets it."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        self.dice = random.Random(seed)  # noqa: S311 - the same leaps every time

    def now(self):
        return super().now() + timedelta(hours=self.dice.choice((-30, -1, 0, 0, 0, 1, 30)))


def test_a_clock_that_leaps_changes_no_measurement_and_no_verdict():
    said = []
    for clock in (FakeClock(), JumpingClock()):
        effects = effects_of(Dice({"base": 0.3, "good": 1.0}), "base", "good", clock=clock)
        effects.runs.create(manifest(effects))
        Cycle(effects, "1").run()
        samples = sorted(effects.runs.samples("1"), key=lambda each: each.key)
        assert all(0 <= sample.elapsed_s < 60 for sample in samples)
        assert all(0 <= sample.latency_s < 60 for sample in samples if sample.latency_s is not None)
        decisions = effects.runs.load("1", "decisions", Decisions).decisions
        verdicts = [(one.recommendation.id, one.verdict) for one in decisions]
        said.append(([(s.key, s.outcome) for s in samples], verdicts, effects.config.routing().baselines))
    assert said[0][:2] == said[1][:2]
    models = [{phase: one.spec.model for phase, one in each[2].items()} for each in said]
    assert models[0] == models[1] == {"atomic": "good"}


def test_a_suite_that_changed_in_the_middle_of_a_cycle_is_refused():
    effects = effects_of(Dice({"base": 0.3, "good": 1.0}), "base", "good")
    effects.runs.create(manifest(effects))
    Cycle(effects, "1").screen()
    taken = effects.runs.samples("1")
    other = tiny_suite("atomic", cases=CASES + 4)
    changed = dataclasses.replace(effects, suites={"atomic": other})
    with pytest.raises(InputError, match="suite of atomic has changed since"):
        Cycle(changed, "1").run()
    assert taken == effects.runs.samples("1")
    assert 1 == effects.config.routing().generation
    Cycle(effects, "1").run()
    assert "good" == effects.config.routing().baselines["atomic"].spec.model


def test_a_cycle_that_is_done_can_be_looked_at_whatever_became_of_its_suite():
    effects = effects_of(Dice({"base": 0.9}), "base")
    effects.runs.create(manifest(effects))
    Cycle(effects, "1").run()
    changed = dataclasses.replace(effects, suites={"atomic": tiny_suite("atomic", cases=4)})
    assert "1" == Cycle(changed, "1").decide().run_id


TOML = """
version = 1
[endpoints.local]
base_url = "http://127.0.0.1:9/v1"
[phases.atomic]
suite = "atomic-quick"
baseline = "steady"
[[models]]
id = "steady"
endpoint = "local"
"""


def test_a_second_cycle_in_a_workspace_is_sent_away(tmp_path, capsys):
    with Workspace(tmp_path / "a") as place:
        place.initialise(TOML, {})
        with place.locks.hold("cycle", wait_s=0.1):
            assert 75 == main(["cycle", "-q", "-w", str(tmp_path / "a")])
    assert "a cycle is running here" in capsys.readouterr().err
