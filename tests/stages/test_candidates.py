"""Candidates differ from the baseline in one factor, and have names of their own."""

from __future__ import annotations

import msgspec
import pytest

from harnesslib import routing
from harnesslib.candidates import Candidate, candidate, candidates
from harnesslib.harness_file import parse
from harnesslib.records import Finding, Prompt, SearchConfig, Settings, Spec, encode, sha256
from harnesslib.records.naming import ordinary, promotion_names
from harnesslib.testing import EPOCH, tiny_harness

HARNESS = tiny_harness("base", "other")
FIRST = routing.initial(HARNESS, now=EPOCH)


def found(*findings, config=HARNESS, submitted=()):
    return candidates("atomic", config, routing.initial(config, now=EPOCH), findings, submitted)


def searching(**space):
    phase = msgspec.structs.replace(HARNESS.phases["atomic"], search=SearchConfig(**space))
    return msgspec.structs.replace(HARNESS, phases={"atomic": phase})


def finding(cause, model="base", phase="atomic"):
    return Finding(
        cause=cause, phase=phase, model=model, certainty="probable", headline="h", evidence=(), refute="r"
    )


def test_without_a_search_space_only_other_models_are_candidates():
    assert [("other", "model")] == [(one.spec.model, one.origin) for one in found()]


def test_each_setting_of_the_search_space_changes_one_factor_of_the_baseline():
    space = searching(variants=("tags",), temperatures=(0.5,), timeouts_s=(60.0,), retries=(3,))
    made = [one.spec.settings for one in found(config=space) if one.spec.model == "base"]
    assert made == [
        Settings(variant="tags"),
        Settings(temperature=0.5),
        Settings(timeout_s=60.0),
        Settings(retries=3, retry_malformed=True),
    ]


def test_what_the_baseline_does_already_is_no_candidate_and_nothing_comes_twice():
    space = searching(variants=("native", "tags", "tags"), timeouts_s=(30.0,))
    assert 1 == sum(one.spec.model == "base" for one in found(config=space))


@pytest.mark.parametrize(
    ("cause", "settings"),
    [
        ("timeout_bound", [Settings(timeout_s=60.0)]),
        ("format_mismatch", [Settings(variant="tags"), Settings(retries=1, retry_malformed=True)]),
        ("flaky", []),
        ("infrastructure", []),
        ("cold_start", []),
        ("capability_limit", []),
        ("over_calling", []),
        ("drift", []),
    ],
)
def test_a_finding_asks_for_a_setting_only_where_one_can_help(cause, settings):
    made = [one for one in found(finding(cause)) if one.spec.model == "base"]
    assert settings == [one.spec.settings for one in made]
    assert all(one.origin.startswith(f"finding: {cause}; ") for one in made)


def test_a_listed_search_space_says_which_formats_are_tried_instead():
    space = searching(variants=("json",))
    made = [one.spec.settings for one in found(finding("format_mismatch"), config=space)]
    assert ["json", "native"] == [settings.variant for settings in made if settings != Settings()]


def test_a_finding_about_another_model_changes_how_that_model_is_tried():
    made = found(finding("timeout_bound", "other"))
    assert [("other", 30.0), ("other", 60.0)] == [
        (one.spec.model, one.spec.settings.timeout_s) for one in made
    ]


def test_findings_of_other_phases_and_of_unknown_models_ask_for_nothing():
    assert 1 == len(found(finding("timeout_bound", phase="extended"), finding("timeout_bound", "gone")))


def test_a_proposal_of_this_phase_is_a_candidate():
    spec = candidate("base", "atomic", HARNESS, FIRST)
    mine = Candidate(
        spec=msgspec.structs.replace(spec, settings=Settings(temperature=0.9)), origin="proposal: warm"
    )
    elsewhere = Candidate(spec=msgspec.structs.replace(mine.spec, phase="extended"), origin="proposal: x")
    assert mine in found(submitted=(mine, elsewhere))
    assert elsewhere not in found(submitted=(mine, elsewhere))


class TestNames:
    base = Spec(model="base", phase="atomic", settings=Settings())

    def names(self, *specs):
        return [promotion_names(self.base, specs)[spec.id] for spec in specs]

    def of(self, model="base", **settings):
        return Spec(model=model, phase="atomic", settings=Settings(**settings))

    def test_a_switch_of_the_model_has_the_plain_name_whatever_settings_it_brings(self):
        assert [("atomic-promote-other", "other")] == self.names(self.of("other", timeout_s=3.0))

    def test_other_settings_are_named(self):
        specs = self.of(variant="tags"), self.of(retries=2, retry_malformed=True), self.of(temperature=0.25)
        assert [
            ("atomic-promote-base-variant-tags", "base with variant tags"),
            (
                "atomic-promote-base-retries-2-retry_malformed-true",
                "base with retries 2, retry_malformed true",
            ),
            ("atomic-promote-base-temperature-0.25", "base with temperature 0.25"),
        ] == self.names(*specs)

    def test_a_second_spec_of_another_model_is_named_by_what_differs_from_its_first(self):
        names = self.names(self.of("other"), self.of("other", timeout_s=60.0))
        assert ["atomic-promote-other", "atomic-promote-other-timeout_s-60"] == [name for name, _ in names]

    def test_names_are_never_shared(self):
        specs = [
            self.of(model, timeout_s=t) for model in ("base", "other", "third") for t in (10.0, 20.0, 40.0)
        ]
        assert 9 == len({name for name, _ in promotion_names(self.base, specs).values()})

    def test_of_several_specs_of_a_model_the_first_is_how_it_is_usually_asked(self):
        specs = self.of("other"), self.of("other", timeout_s=9.0), self.of(variant="tags")
        assert (self.base, specs[0]) == ordinary(self.base, specs)


class TestPrompts:
    TOML = b"""
version = 1
[endpoints.local]
base_url = "http://127.0.0.1:1"
[[models]]
id = "base"
endpoint = "local"
[phases.atomic]
suite = "atomic"
baseline = "base"
[phases.atomic.settings]
variant = "terse"
[phases.atomic.search]
variants = ["native"]
[variants.terse]
format = "tags"
system_prompt = "Be brief."
"""

    def test_settings_hold_the_hash_of_the_text_so_another_text_is_another_spec(self):
        config = parse(self.TOML, "harness.toml")
        other = parse(self.TOML.replace(b"brief", b"short"), "harness.toml")
        ids = {candidate("base", "atomic", c, routing.initial(c, now=EPOCH)).id for c in (config, other)}
        assert 2 == len(ids)
        prompt = Prompt(format="tags", system_prompt="Be brief.")
        assert f"terse@{sha256(encode(prompt))[:8]}" == config.settings_of("base", "atomic").variant

    def test_the_first_routing_holds_the_text_and_a_lost_text_is_a_problem(self):
        config = parse(self.TOML, "harness.toml")
        first = routing.initial(config, now=EPOCH)
        assert () == routing.check(first)
        assert config.prompts == first.prompts
        lost = msgspec.structs.replace(first, variants=msgspec.UNSET)
        assert any("holds no text with the hash of 'terse@" in problem for problem in routing.check(lost))
        [name] = first.prompts
        swapped = msgspec.structs.replace(first, variants={name: Prompt(system_prompt="Do harm.")})
        assert routing.check(swapped)

    def test_a_text_that_is_edited_in_harness_toml_is_taken_over_with_its_settings(self):
        config = parse(self.TOML, "harness.toml")
        edited = parse(self.TOML.replace(b"brief", b"short"), "harness.toml")
        first = routing.initial(config, now=EPOCH)
        stamp = routing.Stamp(generation=2, parent_sha256="0" * 64, now=EPOCH)
        taken = routing.synced(first, edited, stamp=stamp)
        assert edited.prompts == taken.prompts
        assert () == routing.check(taken)

    def test_files_without_prompt_variants_keep_their_bytes(self):
        assert b"variants" not in encode(FIRST)
        assert b"retry_malformed" not in encode(FIRST)

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            (b"Be brief.", b" ", "variants.terse.system_prompt: got nothing"),
            (b'format = "tags"', b'format = "tag"', "did you mean 'tags'?"),
            (b"[variants.terse]", b"[variants.native]", "expected a name of its own"),
            (b'variants = ["native"]', b'variants = ["nativ"]', "phases.atomic.search.variants: there is no"),
            (b'variants = ["native"]', b"retries = [-1]", "phases.atomic.search.retries: got -1"),
            (b"version = 1", b'version = 1\nproposer = { model = "x" }', "proposer.model: there is no 'x'"),
            (b'"Be brief."', b'"Be \\u0007 brief."', "holds control characters"),
        ],
    )
    def test_what_is_wrong_is_named(self, old, new, said):
        from harnesslib.errors import InputError

        with pytest.raises(InputError) as error:
            parse(self.TOML.replace(old, new), "harness.toml")
        assert said in str(error.value)
