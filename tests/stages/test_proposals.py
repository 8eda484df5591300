"""A proposal's file becomes a candidate, or every reason why not; its text is only ever data."""

from __future__ import annotations

import json

import pytest

from harnesslib import proposals, routing
from harnesslib.records import Prompt, Settings, Submitted
from harnesslib.testing import EPOCH, tiny_harness

HARNESS = tiny_harness("base", "other")
FIRST = routing.initial(HARNESS, now=EPOCH)
GOOD = {"name": "try", "phase": "atomic", "hypothesis": "it helps", "patch": {"temperature": 0.3}}


def read(text, file="try.json", name="try"):
    text = text if isinstance(text, str) else json.dumps(text)
    return proposals.read(Submitted(name=name, file=file, text=text, sha256="x"), HARNESS, FIRST)


def test_a_patch_is_laid_over_what_serves():
    found, planned = read(GOOD)
    assert ("base", Settings(temperature=0.3)) == (found.spec.model, found.spec.settings)
    assert ("proposal: try", found.spec.id, "") == (found.origin, planned.spec_id, planned.problem)


def test_toml_says_the_same():
    toml = 'name = "try"\nphase = "atomic"\nhypothesis = "it helps"\n[patch]\ntemperature = 0.3\n'
    assert read(GOOD) == read(toml, "try.toml")


def test_another_model_is_tried_under_its_own_settings():
    found, _ = read(GOOD | {"model": "other", "patch": {}})
    assert ("other", Settings()) == (found.spec.model, found.spec.settings)


def test_a_system_prompt_is_a_variant_pinned_to_its_text():
    found, _ = read(GOOD | {"patch": {"system_prompt": "Think.", "variant": "tags"}})
    assert Prompt(format="tags", system_prompt="Think.") == found.prompt
    assert found.prompt.pinned("try") == found.spec.settings.variant
    other, _ = read(GOOD | {"patch": {"system_prompt": "Think!", "variant": "tags"}})
    assert other.spec.id != found.spec.id


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "else"}, "name: got 'else', expected the file's name 'try'"),
        ({"phase": "atomc"}, "phase: there is no 'atomc'; did you mean 'atomic'?"),
        ({"model": "othr"}, "model: there is no 'othr' in atomic; did you mean 'other'?"),
        ({"patch": {}}, "patch: changes nothing"),
        ({"patch": {"timeout_s": -1}}, "patch.timeout_s: got -1.0, expected more than 0 seconds"),
        ({"patch": {"variant": "tag"}}, "patch.variant: there is no 'tag'; did you mean 'tags'?"),
        ({"patch": {"system_prompt": ""}}, "patch.system_prompt: got nothing"),
        ({"patch": {"system_prompt": "a\u0000b"}}, "patch.system_prompt: holds control characters"),
        ({"patch": {"system_prompt": "x" * 9000}}, "expected at most 8000"),
        ({"patch": {"path": "/etc/passwd"}}, "patch.path: unknown key"),
        ({"expected_delta": 5}, "expected_delta: got 5.0, expected a share from -1 to 1"),
        ({"hypothesis": "x" * 1001}, "hypothesis: got more than 1000 characters"),
        ({"hypothesis": 3}, "hypothesis: got 3, expected text"),
        ({"expect": 1}, "expect: unknown key"),
    ],
)
def test_what_is_wrong_is_named_and_there_is_no_candidate(change, said):
    found, planned = read(GOOD | change)
    assert None is found
    assert said in planned.problem


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "null", "[" * 100_000])
def test_what_is_no_proposal_at_all_is_answered_too(text):
    found, planned = read(text)
    assert None is found
    assert planned.problem


def test_all_problems_are_named_at_once():
    _, planned = read(GOOD | {"name": "else", "patch": {"timeout_s": -1, "variant": "x"}})
    assert 2 == planned.problem.count("; expected one of") + planned.problem.count("name: got")
    assert "timeout_s" in planned.problem


def test_a_file_that_could_not_be_read_keeps_its_problem():
    submitted = Submitted(name="try", file="try.json", text="", sha256="", problem="it is a link")
    assert "it is a link" == proposals.read(submitted, HARNESS, FIRST)[1].problem
