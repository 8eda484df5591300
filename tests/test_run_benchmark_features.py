"""``harness run`` asks the routing first: settings, denials with fallback, warm-up, --force-model."""

from __future__ import annotations

import msgspec
import pytest

from harnesslib import routing
from harnesslib.errors import EndpointError, InputError, LockedError
from harnesslib.records import AUTO, Failure, Manifest, ModelInfo, Resolution, Rule, Settings, Summary
from harnesslib.run_benchmark import RunOptions, RunResult, run, sample_seed
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

RUN_ID = "20260102T030405Z-run-0001"


class Bed:
    """A workspace of two models, `good` the baseline, whose rules a test changes."""

    def __init__(self, answer=right_answer, **rule_of_other) -> None:
        self.clock = FakeClock()
        self.client = FakeClient(answer)
        harness = tiny_harness("good", "other", timeout_s=5.0)
        config = routing.initial(harness, now=EPOCH)
        rules = tuple(self._changed(rule, rule_of_other) for rule in config.rules)
        config = msgspec.structs.replace(config, rules=rules)
        self.effects = memory_effects(
            harness, config, {"local": self.client}, {"atomic": tiny_suite("atomic")}, self.clock
        )

    @staticmethod
    def _changed(rule: Rule, changes) -> Rule:
        return msgspec.structs.replace(rule, **changes) if rule.model == "other" else rule

    def run(self, model: str = "other", phase: str = "atomic", **options) -> RunResult:
        manifest = Manifest(
            run_id=RUN_ID, kind="run", status="running", started_at=EPOCH, parameters={}, environment={},
            simulated=False, pid=1, pid_started=0.0,
        )  # fmt: skip
        return run(model, phase, self.effects, RunOptions(**options), manifest)

    @property
    def models_asked(self) -> set[str]:
        return {request.model for request in self.client.requests}


DENIED = {"allow": False, "fallback_model": "good", "reason": "too weak"}


def test_an_allowed_model_is_measured_with_the_settings_of_its_rule():
    bed = Bed(settings=Settings(temperature=0.7, timeout_s=9.0))
    result = bed.run()
    assert {"other"} == bed.models_asked
    assert {0.7} == {request.temperature for request in bed.client.requests}
    assert all(timeout <= 9.0 for timeout in bed.client.timeouts)
    assert max(bed.client.timeouts) > 5.0
    assert ["pass"] * 4 == [sample.outcome for sample in result.samples]


def test_a_denied_model_is_served_by_its_fallback_and_both_names_are_stored():
    result = Bed(**DENIED).run("other")
    assert {("other", "good", "served")} == {
        (sample.requested_model, sample.model, sample.served_model) for sample in result.samples
    }
    assert ("other", "good") == (result.resolution.requested_model, result.resolution.model)
    assert "too weak" in result.resolution.reason


def test_force_model_overrules_a_denial():
    bed = Bed(**DENIED)
    result = bed.run("other", force_model=True)
    assert {"other"} == bed.models_asked
    assert ("other", "other", "forced") == (
        result.resolution.requested_model,
        result.resolution.model,
        result.resolution.reason,
    )


def test_auto_is_the_baseline():
    result = Bed().run(AUTO)
    assert {("auto", "good")} == {(sample.requested_model, sample.model) for sample in result.samples}


def test_auto_cannot_be_forced():
    with pytest.raises(InputError, match="--force-model"):
        Bed().run(AUTO, force_model=True)


@pytest.mark.parametrize(
    ("model", "phase", "says"),
    [("othr", "atomic", "other"), ("other", "atomc", "atomic"), ("x", "y", "atomic")],
)
@pytest.mark.parametrize("force", [False, True])
def test_an_unknown_model_or_phase_is_named_before_a_run_is_made(model, phase, says, force):
    bed = Bed()
    with pytest.raises(InputError, match=says):
        bed.run(model, phase, force_model=force)
    assert () == bed.effects.runs.manifests()


def test_warm_up_is_done_when_the_rule_says_so():
    bed = Bed(enable_warmup=True)
    result = bed.run()
    assert () == bed.client.requests[0].tools
    assert [("other", True)] == [(warm_up.model, warm_up.ok) for warm_up in result.warm_ups]
    assert all(sample.requests == 2 for sample in result.samples if sample.wants_call)


def test_without_the_rule_nothing_is_warmed_up():
    bed = Bed()
    assert () == bed.run().warm_ups
    assert all(request.tools for request in bed.client.requests)


def test_repeats_split_and_limit_are_kept():
    result = Bed().run(repeats=3, split="holdout", limit=2)
    taken = sorted((sample.case_id, sample.repeat) for sample in result.samples)
    assert [(f"holdout-{case}", repeat) for case in (1, 2) for repeat in range(3)] == taken
    assert list(range(6)) == sorted(sample.position for sample in result.samples)


def test_seeds_are_fresh_per_repeat_and_the_same_in_every_run():
    seeds = {sample.key: sample.seed for sample in Bed().run(repeats=3).samples}
    assert 12 == len(set(seeds.values()))
    assert seeds == {sample.key: sample.seed for sample in Bed().run(repeats=3).samples}
    assert not set(seeds.values()) & {sample.seed for sample in Bed().run(repeats=3, seed=2).samples}


def test_seeds_never_change():
    assert 0 <= sample_seed("a", 1) < 2**63
    assert sample_seed("a", 1) != sample_seed("a1")
    assert 3007581143477169712 == sample_seed(1, "screen", "atomic", "case", 0, 0)


def test_the_run_is_sealed_with_its_records():
    bed = Bed()
    result = bed.run()
    runs = bed.effects.runs
    assert ("done", 0) == (result.manifest.status, result.manifest.exit_code)
    assert result.manifest == runs.manifest(RUN_ID)
    assert result.summary == runs.load(RUN_ID, "summary", Summary)
    assert result.resolution == runs.load(RUN_ID, "resolution", Resolution)
    by_key = {sample.key: sample for sample in runs.samples(RUN_ID)}
    assert {sample.key: sample for sample in result.samples} == by_key
    assert 1.0 == result.summary.specs[0].served.value
    assert ["endpoint-local"] == bed.effects.locks.taken
    assert not bed.client.is_open


def test_the_digest_of_the_model_is_kept_beside_the_samples():
    bed = Bed()
    bed.client.models = lambda: known(ModelInfo(id="other", digest="abc"), ModelInfo(id="more", digest="d"))
    assert {"other": "abc"} == bed.run().digests
    assert {"other": "abc"} == bed.effects.runs.load(RUN_ID, "digests", dict[str, str])


async def known(*models: ModelInfo) -> tuple[ModelInfo, ...]:
    return models


def test_a_model_whose_digest_is_not_told_is_measured_all_the_same():
    assert {"other": ""} == Bed().run().digests

    async def refuse():
        raise EndpointError("http://127.0.0.1:1/v1/models: HTTP 404")

    bed = Bed()
    bed.client.models = refuse
    result = bed.run()
    assert ({"other": ""}, 4) == (result.digests, len(result.samples))
    assert "no digests: http://127.0.0.1:1/v1/models: HTTP 404" == bed.effects.events.said[0][1]


def test_progress_is_told():
    bed = Bed()
    bed.run()
    assert ("run", "4 of 4 samples", 4, 4) == bed.effects.events.said[-1]


@pytest.mark.parametrize("options", [{"repeats": 0}, {"limit": -4}])
def test_nothing_to_measure_is_an_input_error(options):
    with pytest.raises(InputError, match="expected at least 1"):
        Bed().run(**options)


def test_a_busy_endpoint_is_not_measured_and_the_run_says_why():
    bed = Bed()
    with bed.effects.locks.hold("endpoint-local", wait_s=1), pytest.raises(LockedError):
        bed.run()
    manifest = bed.effects.runs.manifest(RUN_ID)
    assert ("failed", 75) == (manifest.status, manifest.exit_code)
    assert "endpoint-local" in manifest.reason


def test_a_dead_endpoint_fails_the_run_after_ten_samples():
    bed = Bed(lambda request: Failure(kind="infra_error", detail="HTTP 404: no such model", status=404))
    with pytest.raises(EndpointError, match=r"endpoint 'local'.*no such model"):
        bed.run(repeats=9)
    manifest = bed.effects.runs.manifest(RUN_ID)
    assert ("failed", 6, EPOCH) == (manifest.status, manifest.exit_code, manifest.ended_at)
    assert () == bed.effects.runs.samples(RUN_ID)
    assert len(bed.client.requests) < 9 * 4


def test_an_unknown_variant_is_refused():
    with pytest.raises(InputError, match="variant"):
        Bed(settings=Settings(variant="xml")).run()


def test_wrong_answers_are_counted_not_raised():
    result = Bed(lambda request: reply(text="I don't know")).run()
    assert {"abstained": 3, "pass": 1} == {
        outcome: count for outcome, count in result.summary.specs[0].outcomes.items() if count
    }


def test_a_model_just_added_to_harness_toml_is_measured_as_it_stands_there():
    known, more = tiny_harness("good"), tiny_harness("good", "new", timeout_s=7.0)
    client = FakeClient(right_answer)
    suites = {"atomic": tiny_suite("atomic")}
    effects = memory_effects(more, routing.initial(known, now=EPOCH), {"local": client}, suites)
    bed = Bed()
    bed.effects, bed.client = effects, client
    result = bed.run("new")
    assert {"new"} == bed.models_asked
    assert 7.0 == result.resolution.settings.timeout_s


def test_each_sample_says_how_many_its_endpoint_was_given_at_once_and_how_long_the_model_was_idle():
    samples = Bed().run().samples
    assert {2} == {sample.level for sample in samples}
    assert {True, False} == {sample.idle_s is None for sample in samples}
