"""Files of version 1.0 are read for ever: every golden one gives the routing that stands beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from harnesslib import routing, routing_file
from harnesslib.errors import DataError, InputError
from harnesslib.records import (
    EndpointConfig,
    HarnessConfig,
    ModelConfig,
    PhaseConfig,
    Settings,
    SettingsPatch,
    encode_pretty,
)

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
NAMES = sorted(path.name.removesuffix(".1_0.json") for path in GOLDEN.glob("*.1_0.json"))
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HARNESS = HarnessConfig(
    version=1,
    endpoints={"local": EndpointConfig(base_url="http://127.0.0.1:1")},
    models=(
        ModelConfig(id="steady", endpoint="local"),
        ModelConfig(id="better", endpoint="local", settings=SettingsPatch(timeout_s=5.0)),
        ModelConfig(id="sprinter", endpoint="local"),
    ),
    phases={
        "atomic": PhaseConfig(suite="atomic", baseline="steady", settings=Settings(timeout_s=10.0)),
        "extended": PhaseConfig(suite="extended", baseline="steady", settings=Settings(timeout_s=60.0)),
    },
)


def migrated(text: str | bytes):
    data = text.encode() if isinstance(text, str) else text
    legacy = routing_file.parse_legacy(data, "routing_config.json")
    return routing.migrate(legacy, HARNESS, now=NOW, where="routing_config.json")


def written(*rules: dict, **top) -> bytes:
    return msgspec.json.encode({"version": "1.0", "timestamp": "2025-12-01T00:00:00", "rules": rules, **top})


def rule(model="sprinter", phase="atomic", **fields) -> dict:
    return {"model": model, "phase": phase, **fields}


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_file_gives_the_routing_beside_it(name):
    config = migrated((GOLDEN / f"{name}.1_0.json").read_bytes())
    assert (GOLDEN / f"{name}.2_0.json").read_text() == encode_pretty(config).decode()


@pytest.mark.parametrize("name", NAMES)
def test_what_a_golden_file_gives_is_sound_and_is_read_again(name):
    config = migrated((GOLDEN / f"{name}.1_0.json").read_bytes())
    assert () == routing.check(config)
    assert config == routing_file.parse(encode_pretty(config), "x")
    assert (1, "") == (config.generation, config.parent_sha256)


def test_there_are_golden_files_of_every_form():
    assert ["baseline_by_phase", "baseline_of_all", "baselines_as_objects", "rules_only"] == NAMES


def test_pairs_that_no_rule_speaks_of_are_as_in_a_new_workspace():
    config = migrated(written(rule(allow=False, fallback_model="better")))
    first = routing.initial(HARNESS, now=NOW)
    others = [each for each in config.rules if (each.model, each.phase) != ("sprinter", "atomic")]
    assert others == [each for each in first.rules if (each.model, each.phase) != ("sprinter", "atomic")]


def test_a_rule_keeps_its_words_its_time_and_gets_the_settings_of_the_file():
    made = {"reason": "slow", "source": "user_preference", "timestamp": "2025-11-05T06:07:08"}
    found = migrated(written(rule("better", enable_warmup=True, **made))).rule("better", "atomic")
    assert ("slow (source: user_preference)", "person") == (found.reason, found.source)
    assert datetime(2025, 11, 5, 6, 7, 8, tzinfo=UTC) == found.timestamp
    assert (5.0, True, True) == (found.settings.timeout_s, found.settings.warmup, found.enable_warmup)


def test_a_rule_without_a_time_has_that_of_its_file_or_of_the_migration():
    assert datetime(2025, 12, 1, tzinfo=UTC) == migrated(written(rule())).rule("sprinter", "atomic").timestamp
    without = msgspec.json.encode({"version": "1.0", "rules": [rule()]})
    assert NOW == migrated(without).rule("sprinter", "atomic").timestamp


def test_a_model_that_the_file_does_not_list_keeps_its_rule_under_the_phases_settings():
    config = migrated(written(rule("retired", "extended", allow=False, fallback_model="steady")))
    assert 60.0 == config.rule("retired", "extended").settings.timeout_s
    assert "steady" == routing.resolve(config, "retired", "extended").model


def test_a_baseline_that_a_rule_denies_hands_over_to_its_fallback():
    config = migrated(written(rule("steady", allow=False, fallback_model="better")))
    assert "better" == config.baselines["atomic"].spec.model
    assert "steady" == config.baselines["extended"].spec.model


@pytest.mark.parametrize(
    ("rules", "top", "words"),
    [
        (
            [rule(phase="atomc")],
            {},
            r"rules\[0\].phase: harness.toml has no phase 'atomc'; did you mean 'atom",
        ),
        ([rule(), rule()], {}, r"rules\[1\]: a second rule for 'sprinter' in 'atomic', expected one"),
        ([rule(allow=False)], {}, r"'sprinter' in 'atomic': is denied and has no fallback"),
        (
            [rule(fallback_model="bettr")],
            {},
            r"fallback 'bettr' has no rule in this phase; did you mean 'better'",
        ),
        ([rule(allow=False, fallback_model="sprinter")], {}, "falls back to itself"),
        ([], {"baseline": "stedy"}, r"baseline.atomic: harness.toml does not list 'stedy' for this phase"),
        ([], {"baseline": {"atomc": "steady"}}, r"baseline.atomc: harness.toml has no such phase; did you"),
        ([rule(alow=True)], {}, r"rules\[0\].alow: unknown key; did you mean 'allow'"),
        ([rule(allow="no")], {}, r"rules\[0\].allow: got 'no', expected true or false"),
        ([{"model": "x"}], {}, r"rules\[0\].phase: is missing"),
    ],
)
def test_what_can_not_be_migrated_is_named_with_its_rule_and_a_cure(rules, top, words):
    with pytest.raises(DataError, match=words) as caught:
        migrated(written(*rules, **top))
    assert "cure: " in str(caught.value)


def test_all_problems_are_named_at_once():
    with pytest.raises(DataError) as caught:
        migrated(written(rule(phase="atomc"), rule("better", "extnded"), baseline="nobody"))
    assert 5 == len(str(caught.value).splitlines())


def test_a_file_of_the_present_version_needs_no_migration():
    present = encode_pretty(routing.initial(HARNESS, now=NOW))
    with pytest.raises(InputError, match=r"is of version 2\.0; cure: none is needed"):
        migrated(present)


@pytest.mark.parametrize(
    "text", ['{"version": "0.9", "rules": []}', "[]", '{"rules": []}', '{"version": "1.0']
)
def test_what_is_of_no_known_version_is_not_guessed_at(text):
    with pytest.raises(DataError, match=r"version: got|not JSON, or torn"):
        migrated(text)


def test_the_present_reader_names_the_command_that_migrates():
    with pytest.raises(
        DataError, match=r"got '1\.0', expected '2\.0'; cure: `harness config migrate` writes"
    ):
        routing_file.parse(written(rule()), "routing_config.json")
