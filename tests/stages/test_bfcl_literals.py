"""Java's and JavaScript's literals, as the leaderboard reads them, and what follows for a row's verdict."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnesslib.records import Call
from harnesslib.records.bfcl import BfclQuestion
from harnesslib.scoring import score
from harnesslib.scoring.bfcl import explain, strict
from harnesslib.scoring.bfcl_literals import LONGEST, TYPES, read
from harnesslib.suites import check
from harnesslib.suites.bfcl import suite_from


@pytest.mark.parametrize(
    ("text", "kind", "item_kind", "value"),
    [
        ("5", "integer", "", 5),
        ("5L", "integer", "", "5L"),
        ("5L", "long", "", 5),
        ("5", "long", "", "5"),
        ("-3.5f", "float", "", -3.5),
        ("3.5", "float", "", "3.5"),
        ("1e3", "double", "", 1000.0),
        ("true", "boolean", "", True),
        ("True", "boolean", "", "True"),
        ('"a"', "String", "", '"a"'),
        ("5", "any", "", "5"),
        ("new long[]{1L, 2}", "Array", "long", [1, "2"]),
        ("new int[] { }", "Array", "integer", []),
        ('new Object[]{1, "a", true, 2L, 1.5f, x}', "Array", "", [1, "a", True, 2, 1.5, "x"]),
        ("{1, 2}", "Array", "integer", "{1, 2}"),
        ('new ArrayList<>(Arrays.asList("a", "b"))', "ArrayList", "String", ["a", "b"]),
        ("new ArrayList<Long>() {{ add(1L); add(2L); }}", "ArrayList", "long", [1, 2]),
        ("new ArrayList<>(){{ }}", "ArrayList", "long", []),
        ("new ArrayList<>()", "ArrayList", "long", []),
        ("[1]", "ArrayList", "long", "[1]"),
        (
            'new HashMap<String, Object>() {{ put("a", 1); put("b", "c"); }}',
            "HashMap",
            "",
            {"a": 1, "b": "c"},
        ),
        ("new HashMap<>()", "HashMap", "", {}),
        ("{}", "HashMap", "", "{}"),
        ("new HashSet<>()", "Set", "", "new HashSet<>()"),
    ],
)
def test_a_literal_of_java_stands_for_its_value_and_anything_else_for_itself(text, kind, item_kind, value):
    assert repr(value) == repr(read(text, kind, item_kind, "java"))


@pytest.mark.parametrize(
    ("text", "kind", "item_kind", "value"),
    [
        ("'a'", "String", "", "a"),
        ("a", "String", "", "a"),
        ("5", "integer", "", 5),
        ("5", "float", "", 5.0),
        ("1e3", "float", "", "1e3"),
        ("5n", "Bigint", "", 5),
        ("5", "Bigint", "", "5"),
        ("false", "Boolean", "", False),
        ("null", "Boolean", "", "null"),
        ("['a', \"b\"]", "array", "String", ["a", "b"]),
        ("new Array(1, 2)", "array", "", [1, 2]),
        ("[]", "array", "integer", []),
        ("[1, x]", "array", "unheard", "[1, x]"),
        ("[[1, 2], [3]]", "array", "", [[1, 2], [3]]),
        ("new Array([1], [true])", "array", "", [[1], [True]]),
        ("[[1], [2]], [3]]", "array", "", [[1], [2]]),
        ("[[1], [2", "array", "", ["[1"]),
        ("{'a': 1, b: [1, 2], c: x}", "dict", "", {"a": 1, "b": [1, 2], "c": "x"}),
        ("{}", "dict", "", {}),
        ("x", "dict", "", "x"),
    ],
)
def test_a_literal_of_javascript_stands_for_its_value_and_anything_else_for_itself(
    text, kind, item_kind, value
):
    assert repr(value) == repr(read(text, kind, item_kind, "javascript"))


@given(st.text() | st.text("[]{}(),:'\" \n1ntrue"), st.sampled_from(["java", "javascript"]), st.data())
def test_no_text_makes_the_literals_raise(text, language, data):
    kind, item_kind = (data.draw(st.sampled_from([*TYPES[language], "", "Set"])) for _ in "ab")
    read(text, kind, item_kind, language)


@pytest.mark.parametrize(
    "text", ["[" * LONGEST, "[[1]," * (LONGEST // 5), "[" + "[1], " * (LONGEST // 6) + "x"]
)
def test_what_looks_like_a_list_of_lists_to_its_end_is_read_at_once(text):
    assert isinstance(read(text, "array", "", "javascript"), (str, list))


def test_what_is_longer_than_any_literal_of_theirs_stays_text():
    assert "1" * (LONGEST + 1) == read("1" * (LONGEST + 1), "integer", "", "java")


def question(language: str, kind: str, *accepted: Any) -> BfclQuestion:
    """Return a row that wants one argument."""
    schema = {
        "type": "dict",
        "properties": {"x": {"type": kind, "items": {"type": "String"}}},
        "required": ["x"],
    }
    return BfclQuestion(
        id="q",
        category=f"simple_{language}",
        messages=({"role": "user", "content": "Do it."},),
        functions=({"name": "f", "description": "F.", "parameters": schema},),
        answers=({"f": {"x": list(accepted)}},),
    )


@pytest.mark.parametrize(
    ("asked", "value", "there", "rules"),
    [
        (question("java", "long", 5), "5L", "pass", ["literal"]),
        (question("java", "long", 5), 5, "wrong", ["literal"]),
        (question("java", "long", 5), "5", "wrong", []),
        (question("java", "long", 5), "6L", "wrong", []),
        (question("java", "String", "a"), "A", "pass", ["text"]),
        (question("java", "any", "a"), "a", "pass", []),
        (question("java", "ArrayList", ["a"]), 'new ArrayList<>(Arrays.asList("a"))', "pass", ["literal"]),
        (question("java", "ArrayList", ["a"]), ["a"], "wrong", ["literal"]),
        (question("javascript", "Boolean", *[True]), "true", "pass", ["literal"]),
        (question("javascript", "String", "a"), "'a'", "pass", ["literal"]),
        (question("javascript", "float", 5.0), 5.0, "wrong", ["literal"]),
    ],
)
def test_in_these_languages_a_literal_is_right_there_and_the_value_here(asked, value, there, rules):
    call = Call(name="f", arguments={"x": value})
    assert there == strict(asked, [call], "").outcome
    suite, left_out = suite_from([asked], "bfcl")
    assert () == left_out
    assert rules == [found.rule for found in explain(asked, suite.cases[0], [(call,)], "")]


def relevance(*functions: dict[str, Any]) -> BfclQuestion:
    """Return a row where any call is right."""
    return BfclQuestion(
        id="q",
        category="live_relevance",
        messages=({"role": "user", "content": "Do something."},),
        functions=functions,
    )


def test_where_any_call_is_right_every_offered_tool_will_do():
    bell = {"name": "ring", "description": "Ring.", "parameters": {"type": "dict", "properties": {}}}
    needs = {
        "a": {"type": "integer", "minimum": 3},
        "b": {"type": "array", "items": {"type": "boolean"}, "minItems": 1},
        "c": {"type": "string", "enum": ["x"]},
        "d": {"type": "dict", "properties": {"e": {"type": "float"}}, "required": ["e"]},
        "f": {"type": "string"},
    }
    schema = {"type": "dict", "properties": needs, "required": list(needs)}
    asked = relevance({"name": "make", "description": "Make.", "parameters": schema}, bell)
    suite, left_out = suite_from([asked], "bfcl")
    (case,) = suite.cases
    assert () == left_out
    assert case.wants_call
    (expected,) = case.turns[0].accept[0]
    assert {"a": 3, "b": [True], "c": "x", "d": {"e": 1}, "f": "text"} == expected.arguments
    assert not [problem for problem in check(suite) if "split" not in problem]
    ring, unheard = Call(name="ring", arguments={"any": 1}), Call(name="unheard", arguments={})
    outcomes = [score(case, [calls], "").outcome for calls in ((ring,), (ring, ring), (), (unheard,))]
    assert ["pass", "pass", "abstained", "wrong"] == outcomes
    assert [[], ["offered"]] == [
        [found.rule for found in explain(asked, case, [calls], "")] for calls in ((ring,), (unheard,))
    ]


def test_a_row_whose_tools_allow_no_simple_call_is_left_out():
    schema = {"type": "dict", "properties": {"a": {"type": "string", "minLength": 9}}, "required": ["a"]}
    asked = relevance({"name": "make", "description": "Make.", "parameters": schema})
    _, left_out = suite_from([asked], "bfcl")
    assert ["no call that its tools allow could be made up"] == [one.reason for one in left_out]
