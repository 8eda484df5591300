"""An edited ``harness.toml`` taken over: what is new comes in, what was learned stays."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from harnesslib import routing
from harnesslib.records import HarnessConfig, ModelConfig, PhaseConfig, RoutingConfig, Settings, SettingsPatch
from harnesslib.routing import Stamp
from harnesslib.testing import tiny_harness


def _load(name: str, path: Path) -> ModuleType:
    """Load a module that lies beside the tests' folders."""
    found = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


made_up = _load("routing_records", Path(__file__).resolve().parents[1] / "routing_records.py")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STAMP = Stamp(generation=2, parent_sha256="b" * 64, now=NOW + timedelta(hours=1))
HARNESS = tiny_harness("steady", "better")
FIRST = routing.initial(HARNESS, now=NOW)


def edited(*, models: tuple[ModelConfig, ...] = HARNESS.models, **phases: PhaseConfig) -> HarnessConfig:
    """Return the harness with other models, and phases added or replaced."""
    return msgspec.structs.replace(HARNESS, models=models, phases=HARNESS.phases | phases)


def slower(timeout_s: float = 9.0) -> PhaseConfig:
    return PhaseConfig(suite="atomic", baseline="steady", settings=Settings(timeout_s=timeout_s))


def synced(config: RoutingConfig, harness: HarnessConfig) -> RoutingConfig:
    after = routing.synced(config, harness, stamp=STAMP)
    assert after is not None
    assert () == routing.check(after)
    assert (2, "b" * 64, STAMP.now) == (after.generation, after.parent_sha256, after.timestamp)
    assert routing.synced(after, harness, stamp=STAMP) is None
    return after


def learned() -> RoutingConfig:
    """Return a routing in which a cycle has promoted `better`, with settings of its own."""
    made = made_up.decision("promote", "better", timeout_s=4.0)
    summary = made_up.summary(made.recommendation.spec)
    return routing.apply(FIRST, (made,), summary, stamp=STAMP, review_days=7)


def test_a_file_that_says_the_same_changes_nothing():
    assert routing.synced(FIRST, HARNESS, stamp=STAMP) is None


def test_a_new_phase_gets_its_baseline_and_a_rule_for_each_of_its_models():
    after = synced(FIRST, edited(extended=PhaseConfig(suite="extended", baseline="better")))
    assert after.baselines["atomic"] == FIRST.baselines["atomic"]
    assert ("better", None) == (
        after.baselines["extended"].spec.model,
        after.baselines["extended"].accuracy.value,
    )
    assert {"steady", "better"} == {rule.model for rule in after.rules if rule.phase == "extended"}
    assert after.rules[: len(FIRST.rules)] == FIRST.rules


def test_a_new_model_gets_a_rule_and_one_that_is_gone_keeps_its_own():
    models = (HARNESS.models[0], ModelConfig(id="newcomer", endpoint="local"))
    after = synced(FIRST, edited(models=models))
    assert ["steady", "better", "newcomer"] == [rule.model for rule in after.rules]
    assert after.rule("newcomer", "atomic").allow


def test_edited_settings_reach_the_rules_and_their_baseline_is_unmeasured():
    after = synced(FIRST, edited(atomic=slower()))
    assert {9.0} == {rule.settings.timeout_s for rule in after.rules}
    assert {"settings edited in harness.toml"} == {rule.reason for rule in after.rules}
    baseline = after.baselines["atomic"]
    assert (9.0, None, ()) == (baseline.spec.settings.timeout_s, baseline.accuracy.value, baseline.run_ids)
    assert "settings edited in harness.toml" in baseline.restraint.reason


def test_a_warm_up_asked_for_in_the_file_is_taken_over():
    model = ModelConfig(id="steady", endpoint="local", settings=SettingsPatch(warmup=True))
    after = synced(FIRST, edited(models=(model, HARNESS.models[1])))
    assert (True, False) == tuple(rule.enable_warmup for rule in after.rules)


def test_what_was_learned_stays_with_its_settings_and_its_numbers():
    before = learned()
    after = synced(before, edited(atomic=slower()))
    assert before.rule("better", "atomic") == after.rule("better", "atomic")
    assert before.baselines == after.baselines
    assert 9.0 == after.rule("steady", "atomic").settings.timeout_s


@pytest.mark.parametrize("source", ["cycle", "person"])
def test_a_rule_of_a_cycle_or_a_person_alone_leaves_nothing_to_take_over(source):
    rules = tuple(msgspec.structs.replace(rule, source=source) for rule in FIRST.rules)
    before = msgspec.structs.replace(FIRST, rules=rules)
    assert routing.synced(before, edited(atomic=slower()), stamp=STAMP) is None


def test_what_is_denied_stays_denied_with_the_new_settings():
    denied = msgspec.structs.replace(FIRST.rules[1], allow=False, fallback_model="steady")
    before = msgspec.structs.replace(FIRST, rules=(FIRST.rules[0], denied))
    rule = synced(before, edited(atomic=slower())).rule("better", "atomic")
    assert (False, "steady", 9.0) == (rule.allow, rule.fallback_model, rule.settings.timeout_s)
