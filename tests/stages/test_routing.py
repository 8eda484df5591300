"""The routing as a value: what it answers, how decisions change it, what verification leaves of them."""

from __future__ import annotations

import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnesslib import routing
from harnesslib.errors import DataError, InputError
from harnesslib.records import (
    Decision,
    EndpointConfig,
    HarnessConfig,
    ModelConfig,
    PhaseConfig,
    RoutingConfig,
    Settings,
    SettingsPatch,
)
from harnesslib.routing import Stamp


def _load(name: str, path: Path) -> ModuleType:
    """Load a module that lies beside the tests' folders."""
    found = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


made_up = _load("routing_records", Path(__file__).resolve().parents[1] / "routing_records.py")
decision, verdict = made_up.decision, made_up.verdict

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SHA = "a" * 64


def harness() -> HarnessConfig:
    return HarnessConfig(
        version=1,
        endpoints={"local": EndpointConfig(base_url="http://127.0.0.1:1")},
        models=(
            ModelConfig(id="steady", endpoint="local"),
            ModelConfig(id="better", endpoint="local"),
            ModelConfig(id="sprinter", endpoint="local", settings=SettingsPatch(timeout_s=5.0)),
            ModelConfig(id="sleepy", endpoint="local", phases=("atomic",)),
        ),
        phases={
            "atomic": PhaseConfig(suite="atomic", baseline="steady"),
            "extended": PhaseConfig(suite="extended", baseline="steady"),
        },
    )


def first() -> RoutingConfig:
    return routing.initial(harness(), now=NOW)


def changed(config: RoutingConfig, model: str, phase: str = "atomic", /, **fields) -> RoutingConfig:
    rules = tuple(
        msgspec.structs.replace(rule, **fields) if (rule.model, rule.phase) == (model, phase) else rule
        for rule in config.rules
    )
    return msgspec.structs.replace(config, rules=rules)


def stamp(generation: int) -> Stamp:
    return Stamp(generation=generation, parent_sha256=SHA, now=LATER)


def applied(config: RoutingConfig, *decisions: Decision) -> RoutingConfig:
    summary = made_up.summary(*(made.recommendation.spec for made in decisions))
    return routing.apply(config, decisions, summary, stamp=stamp(config.generation + 1), review_days=7)


def settled(before, after, *verifications) -> RoutingConfig | None:
    return routing.settle(before, after, verifications, stamp=stamp(after.generation + 1))


# ---- the first one


def test_the_first_generation_allows_every_model_in_its_phases_with_its_settings():
    config = first()
    assert (1, "", ()) == (config.generation, config.parent_sha256, routing.check(config))
    assert 7 == len(config.rules)
    assert config.rule("sleepy", "extended") is None
    assert 5.0 == config.rule("sprinter", "atomic").settings.timeout_s
    assert "not measured yet" == config.baselines["atomic"].accuracy.reason


def test_a_warm_up_asked_for_in_the_harness_file_stands_in_the_rule():
    model = ModelConfig(id="steady", endpoint="local", settings=SettingsPatch(warmup=True))
    config = routing.initial(msgspec.structs.replace(harness(), models=(model,)), now=NOW)
    assert routing.resolve(config, "auto", "atomic").warmup


# ---- what it answers


def test_auto_is_the_baseline_of_the_phase():
    answer = routing.resolve(first(), "auto", "atomic")
    assert ("steady", "auto", (), 1) == (
        answer.model,
        answer.requested_model,
        answer.fallbacks,
        answer.generation,
    )
    assert "baseline of 'atomic'" == answer.reason


def test_a_denied_model_is_served_by_its_chain_in_order():
    config = changed(first(), "sprinter", allow=False, fallback_model="better", fallbacks=("steady",))
    answer = routing.resolve(config, "sprinter", "atomic")
    assert ("sprinter", "better", ("steady",)) == (answer.requested_model, answer.model, answer.fallbacks)
    assert "'sprinter' is denied (listed in harness.toml); 'better' is its fallback" == answer.reason


def test_a_denied_fallback_stands_for_its_own_chain():
    config = changed(first(), "sprinter", allow=False, fallback_model="better", fallbacks=("steady",))
    config = changed(config, "better", allow=False, fallback_model="sleepy")
    answer = routing.resolve(config, "sprinter", "atomic")
    assert ("sleepy", ("steady",)) == (answer.model, answer.fallbacks)


def test_two_allowed_models_may_stand_in_for_each_other_and_the_loop_is_cut():
    config = changed(changed(first(), "better", fallback_model="steady"), "steady", fallback_model="better")
    assert () == routing.check(config)
    assert ("better",) == routing.resolve(config, "auto", "atomic").fallbacks


def test_the_warm_up_of_a_rule_is_part_of_its_answer():
    answer = routing.resolve(changed(first(), "sleepy", enable_warmup=True), "sleepy", "atomic")
    assert (True, True) == (answer.warmup, answer.settings.warmup)


@pytest.mark.parametrize(
    ("model", "phase", "words"),
    [
        ("sprintr", "atomic", "'sprintr' has no rule in phase 'atomic'; did you mean 'sprinter'?"),
        ("sleepy", "extended", "expected 'auto' or one of 'better', 'sprinter', 'steady'"),
        ("auto", "atomc", "there is no phase 'atomc'; did you mean 'atomic'?"),
        ("auto", "", "there is no phase ''; expected one of 'atomic', 'extended'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(model, phase, words):
    with pytest.raises(InputError) as caught:
        routing.resolve(first(), model, phase)
    assert words in str(caught.value)


def test_a_denied_model_without_any_allowed_fallback_is_an_error_and_not_served():
    with pytest.raises(DataError, match="'sprinter' is denied in 'atomic'"):
        routing.resolve(changed(first(), "sprinter", allow=False), "sprinter", "atomic")


# ---- what is wrong with one


@pytest.mark.parametrize(
    ("model", "fields", "words"),
    [
        ("sprinter", {"allow": False}, "is denied and has no fallback"),
        ("sprinter", {"fallback_model": "sprinter"}, "falls back to itself"),
        ("sprinter", {"fallback_model": "beter"}, "no rule in this phase; did you mean 'better'?"),
        ("sprinter", {"fallbacks": ("claude",)}, "expected one of 'better', 'sleepy', 'steady'"),
        ("steady", {"allow": False, "fallback_model": "better"}, "'steady' is denied by its rule"),
        ("steady", {"settings": Settings(retries=3)}, "its settings differ from those of the rule"),
        ("sprinter", {"model": "auto"}, "'auto' is no model's name"),
        ("sprinter", {"model": "better"}, "'better' in 'atomic' has 2 rules, expected one"),
    ],
)
def test_what_a_rule_may_not_say(model, fields, words):
    problems = routing.check(changed(first(), model, **fields))
    assert any(words in problem for problem in problems), problems


def test_a_circle_of_denied_models_is_named():
    config = changed(first(), "sprinter", allow=False, fallback_model="better")
    config = changed(config, "better", allow=False, fallback_model="sprinter")
    assert "go in a circle (sprinter -> better -> sprinter)" in " ".join(routing.check(config))


def test_a_chain_that_ends_in_a_denied_model_is_named():
    config = changed(first(), "sprinter", allow=False, fallback_model="better")
    config = changed(config, "better", allow=False)
    assert "end without an allowed model (sprinter -> better)" in " ".join(routing.check(config))


def test_what_the_head_may_not_say():
    config = msgspec.structs.replace(first(), generation=0, parent_sha256="abc", baselines={})
    problems = " ".join(routing.check(config))
    assert "generation: got 0" in problems
    assert "parent_sha256: got 'abc'" in problems
    assert "baselines.atomic: is missing" in problems


def test_a_baseline_needs_a_rule_of_its_phase():
    config = first()
    wrong_phase = msgspec.structs.replace(
        config, baselines=config.baselines | {"atomic": config.baselines["extended"]}
    )
    assert "its spec is of phase 'extended'" in " ".join(routing.check(wrong_phase))
    rules = tuple(rule for rule in config.rules if rule.model != "steady")
    assert "'steady' has no rule" in " ".join(routing.check(msgspec.structs.replace(config, rules=rules)))


NAMES = ["a", "b", "c", "d"]


@given(
    st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(NAMES), max_size=3)), min_size=4, max_size=4)
)
def test_a_config_that_passes_the_check_answers_every_request_with_an_allowed_model(drawn):
    models = tuple(ModelConfig(id=name, endpoint="local") for name in NAMES)
    phases = {"atomic": PhaseConfig(suite="s", baseline="a")}
    config = routing.initial(msgspec.structs.replace(harness(), models=models, phases=phases), now=NOW)
    for name, (allow, chain) in zip(NAMES, drawn, strict=True):
        config = changed(config, name, allow=allow, fallbacks=tuple(chain))
    if routing.check(config):
        return
    for name in ["auto", *NAMES]:
        answer = routing.resolve(config, name, "atomic")
        served = [answer.model, *answer.fallbacks]
        assert all(config.rule(model, "atomic").allow for model in served)
        assert len(set(served)) == len(served)


# ---- decisions applied


def test_a_promotion_makes_the_baseline_and_leaves_all_other_rules_alone():
    promotion = decision("promote", "better", timeout_s=9.0)
    before = first()
    after = applied(before, promotion)
    assert () == routing.check(after)
    assert (2, SHA, LATER) == (after.generation, after.parent_sha256, after.timestamp)
    assert promotion.recommendation.spec == after.baselines["atomic"].spec
    assert (0.9, 0.98) == (
        after.baselines["atomic"].accuracy.value,
        after.baselines["atomic"].restraint.value,
    )
    assert ("run",) == after.baselines["atomic"].run_ids
    rule = after.rule("better", "atomic")
    assert ("probation", "cycle", promotion.id, 9.0) == (
        rule.status,
        rule.source,
        rule.decision_id,
        rule.settings.timeout_s,
    )
    others = [each for each in before.rules if (each.model, each.phase) != ("better", "atomic")]
    assert others == [each for each in after.rules if each is not rule]
    assert before.baselines["extended"] == after.baselines["extended"]


def test_a_decision_that_is_not_promoted_changes_nothing():
    held = decision("promote", "better", verdict="HOLD")
    assert () == routing.diff(first(), applied(first(), held, decision("deny", "sleepy", verdict="REJECT")))


def test_a_promotion_without_confirmed_numbers_is_refused():
    promotion = decision("promote", "better")
    with pytest.raises(DataError, match="has no confirmed numbers"):
        routing.apply(first(), (promotion,), made_up.summary(), stamp=stamp(2), review_days=7)


def test_a_promotion_of_a_model_without_a_rule_makes_one():
    after = applied(first(), decision("promote", "sleepy", "extended"))
    assert () == routing.check(after)
    assert "sleepy" == routing.resolve(after, "auto", "extended").model


def test_a_promotion_of_a_denied_model_allows_it():
    before = changed(first(), "better", allow=False, fallback_model="steady", review_after=NOW)
    rule = applied(before, decision("promote", "better")).rule("better", "atomic")
    assert (True, None) == (rule.allow, rule.review_after)


def test_a_warm_up_is_turned_on_in_the_rule_and_nothing_else_moves():
    warm = decision("enable_warmup", "sleepy", warmup=True)
    rule = applied(first(), warm).rule("sleepy", "atomic")
    assert (True, True, "probation") == (rule.enable_warmup, rule.settings.warmup, rule.status)
    assert (warm.id, warm.id) == (rule.decision_id, rule.warmup_decision_id)


def test_a_warm_up_of_the_baseline_reaches_the_baseline():
    after = applied(first(), decision("enable_warmup", "steady", warmup=True))
    assert () == routing.check(after)
    assert after.baselines["atomic"].spec.settings.warmup


def test_a_denial_names_a_fallback_and_the_day_it_is_looked_at_again():
    rule = applied(first(), decision("deny", "sprinter", fallback="better")).rule("sprinter", "atomic")
    assert (False, "better", LATER + timedelta(days=7)) == (
        rule.allow,
        rule.fallback_model,
        rule.review_after,
    )


def test_a_denial_keeps_the_chain_that_a_person_wrote_behind_the_new_fallback():
    before = changed(first(), "sprinter", fallback_model="steady", fallbacks=("better", "sleepy"))
    rule = applied(before, decision("deny", "sprinter", fallback="better")).rule("sprinter", "atomic")
    assert ("better", ("steady", "sleepy")) == (rule.fallback_model, rule.fallbacks)


@pytest.mark.parametrize(("verdict_of_better", "fallback"), [("PROMOTE", "better"), ("REJECT", "steady")])
def test_a_fallback_that_was_to_be_promoted_serves_only_if_it_was(verdict_of_better, fallback):
    promotion = decision("promote", "better", verdict=verdict_of_better)
    after = applied(first(), promotion, decision("deny", "sprinter", fallback="better"))
    assert fallback == routing.resolve(after, "sprinter", "atomic").model


def test_a_promotion_and_a_warm_up_of_one_model_stand_in_one_rule():
    promotion, warm = decision("promote", "sleepy"), decision("enable_warmup", "sleepy", warmup=True)
    after = applied(first(), warm, promotion)
    rule = after.rule("sleepy", "atomic")
    assert () == routing.check(after)
    assert (promotion.id, warm.id, True) == (rule.decision_id, rule.warmup_decision_id, rule.enable_warmup)
    assert after.baselines["atomic"].spec.settings.warmup


# ---- and settled


def test_all_kept_is_the_applied_routing_confirmed():
    promotion, denial = decision("promote", "better"), decision("deny", "sprinter", fallback="better")
    after = applied(first(), promotion, denial)
    final = settled(first(), after, verdict(promotion, kept=True), verdict(denial, kept=True))
    assert (3, ()) == (final.generation, routing.check(final))
    assert {"confirmed"} == {rule.status for rule in final.rules}
    assert after.baselines == final.baselines
    assert not final.rule("sprinter", "atomic").allow


def test_nothing_kept_asks_for_the_old_file():
    promotion = decision("promote", "better")
    after = applied(first(), promotion)
    assert settled(first(), after, verdict(promotion, kept=False)) is None
    assert settled(first(), after) is None


def test_what_was_not_kept_is_as_it_was_before():
    promotion, denial = decision("promote", "better"), decision("deny", "sprinter", fallback="steady")
    after = applied(first(), promotion, denial)
    final = settled(first(), after, verdict(promotion, kept=False), verdict(denial, kept=True))
    assert first().rule("better", "atomic") == final.rule("better", "atomic")
    assert first().baselines == final.baselines
    assert ("confirmed", False) == (
        final.rule("sprinter", "atomic").status,
        final.rule("sprinter", "atomic").allow,
    )


@pytest.mark.parametrize("keep", ["promotion", "warm-up", "both"])
def test_two_changes_of_one_rule_are_kept_each_by_itself(keep):
    promotion, warm = (
        decision("promote", "sleepy", timeout_s=3.0),
        decision("enable_warmup", "sleepy", warmup=True),
    )
    after = applied(first(), promotion, warm)
    final = settled(
        first(),
        after,
        verdict(promotion, kept=keep != "warm-up"),
        verdict(warm, kept=keep != "promotion"),
    )
    rule = final.rule("sleepy", "atomic")
    assert () == routing.check(final)
    assert (keep != "promotion", keep != "promotion") == (rule.enable_warmup, rule.settings.warmup)
    expected = "steady" if keep == "warm-up" else "sleepy"
    assert expected == final.baselines["atomic"].spec.model
    assert "confirmed" == rule.status


def test_a_new_rule_that_was_not_kept_is_gone():
    promotion, warm = (
        decision("promote", "sleepy", "extended"),
        decision("enable_warmup", "sleepy", warmup=True),
    )
    after = applied(first(), promotion, warm)
    final = settled(first(), after, verdict(promotion, kept=False), verdict(warm, kept=True))
    assert final.rule("sleepy", "extended") is None
    assert final.rule("sleepy", "atomic").enable_warmup


def test_a_baseline_that_comes_back_is_allowed_again():
    promotion, denial = decision("promote", "better"), decision("deny", "steady", fallback="better")
    warm = decision("enable_warmup", "sleepy", warmup=True)
    after = applied(first(), promotion, denial, warm)
    assert () == routing.check(after)
    verdicts = (verdict(promotion, kept=False), verdict(denial, kept=True), verdict(warm, kept=True))
    final = settled(first(), after, *verdicts)
    assert () == routing.check(final)
    assert "steady" == routing.resolve(final, "auto", "atomic").model


# ---- differences


def test_differences_are_lines_that_people_read():
    after = applied(
        first(),
        decision("promote", "better", retries=2),
        decision("deny", "sprinter", fallback="better"),
        decision("enable_warmup", "sleepy", warmup=True),
    )
    lines = routing.diff(first(), after)
    assert (
        "atomic: baseline steady (accuracy n/a: not measured yet) -> better (accuracy 0.900, Wilson, n=30)"
        == lines[0]
    )
    text = "\n".join(lines)
    assert "atomic/better: status confirmed -> probation" in text
    assert "retries 1 -> 2" in text
    assert "atomic/sprinter: denied, fallback_model none -> better" in text
    assert "atomic/sleepy: warm-up on" in text
    assert () == routing.diff(after, after)


def test_rules_that_come_and_go_are_named():
    fewer = msgspec.structs.replace(first(), rules=first().rules[1:], baselines={})
    assert "atomic/steady: rule removed" in routing.diff(first(), fewer)
    assert "atomic/steady: rule added (allowed)" in routing.diff(fewer, first())
    assert any("-> nothing" in line for line in routing.diff(first(), fewer))


def test_a_chain_that_changed_is_shown_as_one():
    after = changed(first(), "steady", fallbacks=("better", "sleepy"))
    assert "atomic/steady: fallbacks none -> better, sleepy (listed in harness.toml)" in routing.diff(
        first(), after
    )
