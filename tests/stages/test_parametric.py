"""A parametric case asks with other values for other seeds, and a bad set of values is named in words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnesslib.records import Call, Case, Suite
from harnesslib.scoring import score
from harnesslib.suites import check, instantiate, rows
from harnesslib.suites.parametric import placeholders

RING = {
    "name": "ring",
    "description": "Ring a bell.",
    "parameters": {
        "type": "object",
        "properties": {
            "times": {"type": "integer"},
            "words": {"type": "array", "items": {"type": "string"}},
            "bell": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
        "required": ["times"],
        "additionalProperties": False,
    },
}


def case(**changes: Any) -> Case:
    """Return a parametric case of four rows, with some fields replaced."""
    data = {
        "id": "one",
        "skill": "direct",
        "split": "search",
        "tools": ["ring"],
        "notes": "The number is said.",
        "parameters": {"number": [1, 2, 3, 4], "word": ["one", "two", "three", "{number}"]},
        "turns": [
            {
                "user": "Ring {number} times ({word}).",
                "accept": [
                    [
                        {
                            "name": "ring",
                            "arguments": {
                                "times": "{number}",
                                "words": ["{word}", "as {word}!"],
                                "bell": {"name": {"$any": ["{word}", "big {word}"]}},
                            },
                            "optional": ["words", "bell"],
                        }
                    ]
                ],
                "reply": "It rang {number} times.",
            }
        ],
    }
    return msgspec.convert(data | changes, Case)


def suite_of(one: Case) -> Suite:
    turn = {"user": "Stop.", "accept": [[]]}
    two = {
        "id": "two",
        "skill": "direct",
        "split": "holdout",
        "tools": ["ring"],
        "notes": "No.",
        "turns": [turn],
    }
    data = {
        "name": "bells",
        "version": "1",
        "title": "Bells",
        "description": "",
        "tools": [RING],
        "cases": [two],
    }
    suite = msgspec.convert(data, Suite)
    return msgspec.structs.replace(suite, cases=(one, *suite.cases))


def test_the_values_of_one_row_are_filled_in_everywhere_with_their_types():
    second = instantiate(case(), 1)
    (expected,) = second.turns[0].accept[0]
    assert second.turns[0].user == "Ring 2 times (two)."
    assert second.turns[0].reply == "It rang 2 times."
    assert expected.arguments == {
        "times": 2,
        "words": ["two", "as two!"],
        "bell": {"name": {"$any": ["two", "big two"]}},
    }
    assert expected.optional == ("words", "bell")


def test_the_final_state_is_filled_in_as_well():
    filled = instantiate(case(final_state={"rung": "{number}", "log": ["{word} rang"]}), 2)
    assert filled.final_state == {"rung": 3, "log": ["three rang"]}


def test_the_keys_of_an_object_are_filled_in_too_and_name_their_parameter():
    one = case(final_state={"bells": {"{word}": {"rung": "{number}"}}})
    assert instantiate(one, 0).final_state == {"bells": {"one": {"rung": 1}}}
    assert ("word", True) in set(placeholders(case(turns=[], final_state={"{word}": 1})))


def test_a_value_that_looks_like_a_placeholder_is_taken_as_it_is():
    assert instantiate(case(), 3).turns[0].user == "Ring 4 times ({number})."


def test_an_instantiated_case_has_no_parameters_left_and_keeps_the_rest():
    one = case()
    filled = instantiate(one, 0)
    assert (filled.id, filled.skill, filled.split, filled.tools) == (one.id, one.skill, one.split, one.tools)
    assert filled.parameters == {}
    assert instantiate(filled, 7) is filled


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_every_seed_takes_one_of_the_rows_and_always_the_same(seed):
    one = case()
    assert instantiate(one, seed) == instantiate(one, seed)
    assert instantiate(one, seed) in rows(one)


def test_seeds_in_a_row_take_every_row():
    assert tuple(instantiate(case(), seed) for seed in range(4)) == rows(case())


def test_a_case_without_parameters_is_its_only_row_whatever_the_braces_in_it():
    plain = case(parameters={})
    assert instantiate(plain, 5) is plain
    assert rows(plain) == (plain,)


def test_each_row_is_scored_with_its_own_values():
    for number, row in enumerate(rows(case()), start=1):
        right, wrong = ((Call(name="ring", arguments={"times": times}),) for times in (number, number + 1))
        assert score(row, [right], "").outcome == "pass"
        assert score(row, [wrong], "").outcome == "wrong"


def test_a_sound_parametric_case_has_no_problem():
    assert check(suite_of(case())) == ()


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"number": [1, 2, 3], "word": ["a", "b", "c"]}, "parameter number: 3 values, expected at least 4"),
        ({"number": [1, 2, 3, 4], "word": []}, "unequal numbers of values (number 4, word 0)"),
        ({"number": [1, 2, 3, 4, 5], "word": ["a", "b", "c", "d"]}, "(number 5, word 4)"),
        ({"number": [1, 2, 3, 4]}, "{word} stands for no parameter, expected one of number"),
        (
            {"number": [1, 2, 3, 4], "word": ["a", "b", "c", "d"], "spare": [1, 2, 3, 4]},
            "parameter spare: {spare} stands nowhere",
        ),
        ({"number": [1, 2, 3, 4], "word": [["a"], "b", "c", "d"]}, "values have to be texts or numbers"),
        ({"number": [1, 2, 3, True], "word": ["a", "b", "c", "d"]}, "values have to be texts or numbers"),
        ({"number": [1, 2, 3, float("nan")], "word": ["a", "b", "c", "d"]}, "a value is no JSON value"),
        ({"Number": [1, 2, 3, 4]}, "parameter 'Number': the name may hold"),
        ({"number": [1, 2, 3, 1], "word": ["a", "b", "c", "a"]}, "'Ring 1 times (a).': used 2 times"),
        ({"number": [1, 2, 3, "4"], "word": ["a", "b", "c", "d"]}, "row 4, turn 1, ring: against the schema"),
    ],
)
def test_a_bad_set_of_values_is_a_problem_in_words(parameters, problem):
    found = check(suite_of(case(parameters=parameters)))
    assert any(problem in one for one in found), found


def test_a_row_that_asks_what_another_case_asks_is_a_problem():
    turn = msgspec.structs.replace(case().turns[0], user="{word}.")
    words = {"number": [1, 2, 3, 4], "word": ["Stop", "b", "c", "d"]}
    same = msgspec.structs.replace(case(parameters=words), turns=(turn,))
    assert any("first user text 'Stop.': used 2 times" in one for one in check(suite_of(same)))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"smoke": True, "split": "holdout"}, "smoke cases are taken from the split 'search', got 'holdout'"),
        ({"harmless": ["sing"]}, "'sing' is harmless but not offered"),
        ({"harmless": ["ring", "ring"]}, "harmless tool 'ring': used 2 times"),
        ({"final_state": {"share": float("inf")}}, "final_state is no JSON value"),
    ],
)
def test_a_mark_that_makes_no_sense_is_a_problem_in_words(changes, problem):
    assert any(problem in one for one in check(suite_of(case(**changes))))
