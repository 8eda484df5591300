"""Whatever an endpoint sends as tool calls is read exactly or refused with a reason; nothing raises."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnesslib.parsers import DEEPEST_ARGUMENTS, LONGEST_ARGUMENTS, MOST_CALLS, parse_native
from harnesslib.records import Call, decode, encode

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None))
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
CALL_LIKE = st.fixed_dictionaries(
    {"function": JSON | st.fixed_dictionaries({}, optional={"name": JSON, "arguments": JSON | st.text()})},
    optional={"type": JSON, "id": JSON},
)
CLEAN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def openai(arguments: Any, name: Any = "ring", **more: Any) -> list[dict[str, Any]]:
    return [{"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}, **more}]


def ollama(arguments: Any, name: Any = "ring") -> list[dict[str, Any]]:
    return [{"function": {"name": name, "arguments": arguments}}]


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("nothing", [None, []])
def test_no_tool_calls_are_no_calls_and_not_malformed(nothing):
    assert parse_native(nothing) == ((), "")


def test_openai_sends_arguments_as_a_string_and_ollama_as_an_object():
    expected = (Call(name="ring", arguments={"times": 3, "where": {"room": "hall"}}),)
    arguments = {"times": 3, "where": {"room": "hall"}}
    assert parse_native(openai(json.dumps(arguments))) == (expected, "")
    assert parse_native(ollama(arguments)) == (expected, "")


def test_several_calls_keep_their_order():
    calls, reason = parse_native([*openai('{"n": 1}'), *ollama({"n": 2}), *openai(' {"n": 3}\n')])
    assert [call.arguments["n"] for call in calls] == [1, 2, 3]
    assert reason == ""


def test_a_readable_call_beside_an_unreadable_one_is_kept_and_the_first_reason_given():
    calls, reason = parse_native([*openai("{}"), *openai("{"), *openai("[]")])
    assert calls == (Call(name="ring", arguments={}),)
    assert reason.startswith("call 2: the arguments are not JSON")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("{} ring the bell", "not JSON: Extra data"),
        ("```json\n{}\n```", "not JSON"),
        ("{'times': 3}", "not JSON"),
        ("[]", "hold a list, expected an object"),
        ("null", "hold missing or null, expected an object"),
        ('"{}"', "hold a string, expected an object"),
        ("3", "hold a number, expected an object"),
        ("true", "hold a boolean, expected an object"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": {"b": 1, "b": 1}}', "the key 'b' stands twice"),
        ('{"a": NaN}', "hold NaN"),
        ('{"a": -Infinity}', "hold -Infinity"),
        ('{"a": 1e999}', "not finite"),
        ('{"a": ' + "9" * 400 + "}", "an integer beyond any float"),
        ('{"a": ' + "9" * 5000 + "}", "not JSON"),
        ('{"a": "\\ud800"}', "broken Unicode"),
        ('{"\\udfff": 1}', "broken Unicode"),
        ('{"a": ' + "[" * 20_000 + "]" * 20_000 + "}", "deeper than 32 levels"),
        (json.dumps({"a": nested(DEEPEST_ARGUMENTS)}), "deeper than 32 levels"),
        ('{"a": "' + "x" * LONGEST_ARGUMENTS + '"}', "at most 65536 are read"),
    ],
)
def test_a_string_of_arguments_that_is_no_clean_json_object_is_malformed(arguments, words):
    calls, reason = parse_native(openai(arguments))
    assert calls == ()
    assert words in reason


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (None, "the arguments are missing or null"),
        ([], "the arguments are a list"),
        (3, "the arguments are a number"),
        ({"a": float("nan")}, "not finite"),
        ({"a": [float("-inf")]}, "not finite"),
        ({"a": 10**400}, "beyond any float"),
        ({"a": "\ud800"}, "broken Unicode"),
        ({"a": nested(DEEPEST_ARGUMENTS)}, "deeper than 32 levels"),
        ({"a": nested(100_000)}, "deeper than 32 levels"),
        ({"a": {1, 2}}, "of type set"),
    ],
)
def test_an_object_of_arguments_that_json_does_not_have_is_malformed(arguments, words):
    calls, reason = parse_native(ollama(arguments))
    assert calls == ()
    assert words in reason


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, "tool_calls is an object, expected a list"),
        ("[]", "tool_calls is a string"),
        (False, "tool_calls is a boolean"),
        (["ring"], "call 1: it is a string"),
        ([{}], "call 1: its function is missing or null"),
        ([{"name": "ring", "arguments": {}}], "call 1: its function is missing"),
        (openai("{}", type="retrieval"), "its type is 'retrieval'"),
        (openai("{}", type=[]), "its type is a list"),
        (openai("{}", name=None), "the name is missing or null"),
        (openai("{}", name=7), "the name is a number"),
        (openai("{}", name=""), "the name has 0 characters"),
        (openai("{}", name="  "), "not only blanks"),
        (openai("{}", name="x" * 257), "the name has 257 characters"),
        (openai("{}", name="\ud800"), "the name is broken Unicode"),
        (openai("{}") * (MOST_CALLS + 1), "at most 256 are read"),
    ],
)
def test_a_call_of_another_shape_is_malformed_with_its_reason(raw, words):
    calls, reason = parse_native(raw)
    assert calls == ()
    assert words in reason


def test_the_deepest_and_the_longest_arguments_are_still_read():
    deep = {"a": nested(DEEPEST_ARGUMENTS - 1)}
    long = '{"a": "' + "x" * (LONGEST_ARGUMENTS - 9) + '"}'
    assert parse_native(openai(json.dumps(deep))) == ((Call(name="ring", arguments=deep),), "")
    assert parse_native(openai(long))[1] == ""


@settings(deadline=None)
@given(st.lists(CALL_LIKE | JSON, max_size=3) | JSON)
def test_no_json_value_makes_the_parser_raise_and_what_it_returns_can_be_recorded(raw):
    calls, reason = parse_native(raw)
    assert isinstance(reason, str)
    assert decode(encode(reason), str, "reason") == reason
    assert decode(encode(calls), tuple[Call, ...], "calls") == calls


@settings(deadline=None)
@given(st.text(st.characters(codec=None)) | st.text('{}[]":,\\ 0123456789.eE+-nulltrfasINiy', max_size=60))
def test_no_text_makes_the_parser_raise(text):
    calls, reason = parse_native(openai(text))
    assert bool(calls) != bool(reason)


@settings(deadline=None)
@given(st.dictionaries(st.text(), CLEAN, max_size=4))
def test_clean_arguments_come_through_unchanged_in_both_forms(arguments):
    expected = ((Call(name="ring", arguments=arguments),), "")
    assert parse_native(openai(json.dumps(arguments))) == expected
    assert parse_native(ollama(arguments)) == expected
