"""A rule with `enable_warmup` makes the harness warm the model up, before anything is measured."""

from __future__ import annotations

import msgspec
import pytest

from harnesslib import routing
from harnesslib.benchmark_supervisor import measure
from harnesslib.executors.attempt import WARM_UP_MESSAGE
from harnesslib.records import Assignment, Failure, Manifest, Settings, Spec
from harnesslib.run_benchmark import RunOptions, run
from harnesslib.testing import (
    EPOCH,
    FakeClient,
    FakeClock,
    memory_effects,
    right_answer,
    tiny_harness,
    tiny_suite,
)

LOAD_S = 3.0
SUITE = tiny_suite("atomic")


class SlowStart:
    """A model that loads for three seconds at its first request; its cases have two."""

    def __init__(self, *, enable_warmup: bool, broken: bool = False) -> None:
        self.clock = FakeClock()
        self.client = FakeClient(self.answer)
        self.loaded = False
        self.broken = broken
        harness = tiny_harness("sleepy", timeout_s=2.0)
        config = routing.initial(harness, now=EPOCH)
        rules = tuple(msgspec.structs.replace(rule, enable_warmup=enable_warmup) for rule in config.rules)
        config = msgspec.structs.replace(config, rules=rules)
        self.effects = memory_effects(harness, config, {"local": self.client}, {"atomic": SUITE}, self.clock)

    def answer(self, request):
        if self.broken and self.is_warm_up(request):
            return Failure(kind="infra_error", detail="HTTP 500: out of memory", status=500)
        wait = 0.0 if self.loaded else LOAD_S
        self.loaded = True
        left = self.client.timeouts[-1]
        self.clock.advance(min(wait, left))
        return Failure(kind="timeout", detail="no answer") if wait > left else right_answer(request)

    @staticmethod
    def is_warm_up(request) -> bool:
        return request.messages[0]["content"] == WARM_UP_MESSAGE

    def run(self):
        manifest = Manifest(
            run_id="r", kind="run", status="running", started_at=EPOCH, parameters={}, environment={},
            simulated=False, pid=1, pid_started=0.0,
        )  # fmt: skip
        return run("sleepy", "atomic", self.effects, RunOptions(), manifest)


def test_with_the_rule_the_first_request_is_the_warm_up_and_no_sample_waits_for_the_load():
    place = SlowStart(enable_warmup=True)
    result = place.run()
    asked = [place.is_warm_up(request) for request in place.client.requests]
    assert (True, 1) == (asked[0], sum(asked))
    assert {"pass"} == {sample.outcome for sample in result.samples}
    assert all(sample.elapsed_s < 1.0 for sample in result.samples)


def test_the_warm_up_is_timed_apart_and_its_success_is_recorded():
    place = SlowStart(enable_warmup=True)
    result = place.run()
    assert [("sleepy", True, LOAD_S)] == [(w.model, w.ok, w.seconds) for w in result.warm_ups]
    assert any("warm-up of sleepy: answered after 3.00 s" in event[1] for event in place.effects.events.said)


def test_without_the_rule_the_first_sample_pays():
    place = SlowStart(enable_warmup=False)
    result = place.run()
    assert not any(map(place.is_warm_up, place.client.requests))
    assert "timeout" in {sample.outcome for sample in result.samples}


def test_a_warm_up_that_fails_is_said_and_the_samples_are_taken_all_the_same():
    place = SlowStart(enable_warmup=True, broken=True)
    result = place.run()
    assert [(False, "HTTP 500: out of memory")] == [(w.ok, w.detail) for w in result.warm_ups]
    assert len(SUITE.part("search")) == len(result.samples)


@pytest.mark.parametrize("warmup", [True, False])
def test_a_cycle_warms_up_what_is_measured_with_warm_up(warmup):
    place = SlowStart(enable_warmup=False)
    spec = Spec(model="sleepy", phase="atomic", settings=Settings(timeout_s=2.0, warmup=warmup))
    jobs = [
        Assignment(
            stage="screen", spec=spec, case_id=case.id, repeat=0, position=0, seed=1, requested_model="sleepy"
        )
        for case in SUITE.part("search")
    ]
    samples = measure(jobs, place.effects, run_id="r", state="screen")
    assert warmup == place.is_warm_up(place.client.requests[0])
    assert warmup == ("timeout" not in {sample.outcome for sample in samples})
