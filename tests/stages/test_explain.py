"""Words about documents that don't fit their record."""

from __future__ import annotations

from harnesslib.explain import _in_words, convert, did_you_mean, listed
from harnesslib.records import HarnessConfig, RoutingConfig, Settings


def test_a_near_miss_is_guessed_and_a_far_one_is_not():
    assert "; did you mean 'sprinter'?" == did_you_mean("sprintr", ["steady", "sprinter"])
    assert "" == did_you_mean("claude", ["steady", "sprinter"])


def test_words_are_listed_in_order():
    assert "'a', 'b'" == listed(["b", "a"])
    assert "nothing" == listed([])


def test_a_document_that_fits_has_no_problem():
    assert (Settings(retries=2), "") == convert({"retries": 2}, Settings)


def test_a_document_of_the_wrong_kind_is_named_as_a_whole():
    assert (None, "the file: got [], expected a table of keys and values") == convert([], Settings)


def test_a_long_value_is_cut():
    _, problem = convert({"retries": "x" * 500}, Settings)
    assert "retries: got '" in problem
    assert len(problem) < 120


def test_a_place_that_can_not_be_followed_is_still_named():
    words = _in_words("Expected `int`, got `str` - at `$.rules[3].allow`", {"rules": []}, RoutingConfig)
    assert "rules[3]: got None, expected a whole number" == words


def test_a_message_of_an_unknown_form_is_passed_on():
    assert "version: Strange (got 1)" == _in_words("Strange - at `$.version`", {"version": 1}, HarnessConfig)
