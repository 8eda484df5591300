"""The page on scoring says what the code does: its examples run, and nothing is missing from it."""

from __future__ import annotations

import doctest
import tomllib
from pathlib import Path

import pytest

from harnesslib import variants
from harnesslib.parsers import parse_text
from harnesslib.records import OUTCOMES, Call
from harnesslib.scoring.bfcl import RULES

PAGE = Path(__file__).resolve().parents[2] / "docs/how-we-score.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_every_example_of_the_page_runs_as_it_says():
    failures, tried = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert failures == 0
    assert tried > 30


@pytest.mark.parametrize("name", [*OUTCOMES, *variants.NAMES, *RULES])
def test_every_outcome_variant_and_difference_has_its_row(name):
    assert f"\n| `{name}` |" in TEXT


def test_every_matcher_has_its_row():
    for name in ("$any", "$number", "$text"):
        assert f'\n| `{{"{name}": ' in TEXT


@pytest.mark.parametrize("form", variants.NAMES[1:])
def test_the_call_in_the_table_of_variants_is_read_by_its_parser(form):
    row = TEXT.partition(f"\n| `{form}` | `")[2].partition("`")[0]
    calls, reason = parse_text(form, row)
    assert reason == ""
    assert calls[0].name == "ring"
    assert isinstance(calls[0], Call)


def test_the_parametric_example_is_good_toml():
    block = TEXT.partition("```toml\n")[2].partition("```")[0]
    parameters = tomllib.loads(f"[[cases]]\n{block}")["cases"][0]["parameters"]
    assert {len(values) for values in parameters.values()} == {4}
