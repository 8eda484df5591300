"""Where harness.toml and the routing differ, it is said; where they don't, nothing is."""

from __future__ import annotations

import msgspec
import pytest

from harnesslib import routing
from harnesslib.records import HarnessConfig, ModelConfig, PhaseConfig, Settings
from harnesslib.testing import EPOCH, tiny_harness

HARNESS = tiny_harness("steady", "better")
CONFIG = routing.initial(HARNESS, now=EPOCH)


def harness(**changes) -> HarnessConfig:
    return msgspec.structs.replace(HARNESS, **changes)


def kinds(config: HarnessConfig) -> list[str]:
    return [found.kind for found in routing.mismatches(CONFIG, config)]


def test_a_routing_agrees_with_the_file_it_was_made_from():
    assert () == routing.mismatches(CONFIG, HARNESS)


def test_a_model_that_was_added_is_a_candidate_without_a_rule():
    more = harness(models=(*HARNESS.models, ModelConfig(id="new", endpoint="local")))
    found = routing.mismatches(CONFIG, more)
    assert [("model_without_rule", "new")] == [(each.kind, each.model) for each in found]
    assert "a candidate of the next cycle" in found[0].cure


def test_a_model_that_was_taken_out_keeps_its_rule():
    assert ["rule_without_model"] == kinds(harness(models=HARNESS.models[:1]))


def test_a_baseline_that_was_taken_out_stops_every_cycle():
    found = routing.mismatches(CONFIG, harness(models=HARNESS.models[1:]))
    assert ["baseline_without_model"] == [each.kind for each in found]
    assert found[0].kind in routing.UNUSABLE
    assert "'steady' serves 'atomic'" in found[0].what


def test_a_phase_that_was_added_has_no_baseline():
    phases = {**HARNESS.phases, "extended": PhaseConfig(suite="extended", baseline="steady")}
    assert ["phase_without_baseline"] == kinds(harness(phases=phases))


def test_a_phase_that_was_taken_out_is_served_as_before():
    other = {"extended": PhaseConfig(suite="extended", baseline="steady")}
    assert ["phase_without_baseline", "phase_unlisted"] == kinds(harness(phases=other))


@pytest.mark.parametrize("changed", [Settings(timeout_s=5.0), Settings(retries=3), Settings(warmup=True)])
def test_settings_that_were_edited_afterwards_are_named_on_both_sides(changed):
    phases = {"atomic": PhaseConfig(suite="atomic", baseline="steady", settings=changed)}
    found = routing.mismatches(CONFIG, harness(phases=phases))
    assert ["settings_differ", "settings_differ"] == [each.kind for each in found]
    assert " in harness.toml and " in found[0].what
