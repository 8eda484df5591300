"""A call in a reply's text is read exactly or refused with a reason; prose is no call; nothing raises."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnesslib.errors import InputError
from harnesslib.parsers import (
    DEEPEST_ARGUMENTS,
    FORMATS,
    LONGEST_ARGUMENTS,
    MOST_CALLS,
    parse_text,
    write,
)
from harnesslib.records import Call, decode, encode

RING = Call(name="ring", arguments={"times": 3, "room": "hall"})
SING = Call(name="sing", arguments={})
WRITTEN = {
    "bracket": '[ring(times=3, room="hall"), sing()]',
    "tags": '<tool_call>{"name": "ring", "arguments": {"times": 3, "room": "hall"}}</tool_call>\n'
    '<tool_call>\n{"name": "sing", "arguments": {}}\n</tool_call>',
    "json": '[{"name": "ring", "arguments": {"times": 3, "room": "hall"}},{"name": "sing", "arguments": {}}]',
    "function": 'ring(times=3, room="hall")\nsing()',
}
CLEAN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
CALLS = st.lists(
    st.builds(
        Call,
        name=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
        arguments=st.dictionaries(
            st.from_regex(r"[a-z_]\w{0,9}", fullmatch=True) | st.text(), CLEAN, max_size=4
        ),
    ),
    max_size=4,
)
CALL_LIKE_TEXT = st.lists(
    st.sampled_from(
        [
            *(
                "<tool_call>",
                "</tool_call>",
                "</think>",
                "<think>",
                '{"name": "ring"',
                '"arguments": {',
                "```json",
            ),
            *(
                "[",
                "]",
                "{",
                "}",
                "(",
                ")",
                "ring(",
                "times=3",
                'room="',
                "'",
                '"""',
                "\\",
                "\\u",
                "**",
                ",",
                ":",
            ),
            *(
                "=",
                " ",
                "\n",
                "nan",
                "None",
                "1e999",
                "-",
                "0x",
                "9" * 400,
                "é",
                "\ud800",
                "ring(times=3)",
                "a",
            ),
        ]
    ),
    max_size=30,
).map("".join)


def only(form: str, text: str) -> Any:
    """Return the value of the only argument `a` of the only call."""
    calls, reason = parse_text(form, text)
    assert reason == ""
    return calls[0].arguments["a"]


# ---------------------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "  {}\n\n",
        "```\n{}\n```",
        "Let me see.\n\n{}\n\nOne moment, please.",
        "<think>Or [sing()]?</think>\n{}",
    ],
    ids=["alone", "blanks", "fence", "prose", "thoughts"],
)
def test_the_calls_of_a_reply_are_read_whatever_stands_around_them(form, around):
    assert parse_text(form, around.replace("{}", WRITTEN[form])) == ((RING, SING), "")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "Oslo is the capital of Norway.",
        "Which room do you mean (the hall, or the attic)?",
        "See [the list](https://example.org) and array[0], f(x) and {x}.",
        'The contact is {"id": 7, "email": "liu@example.org"}; [1, 2] are the numbers.',
        "Note(s): none.\nYou could ring(times=3) yourself.",
        "<think>ring(times=3)",
        "<think>\n[ring(times=3)]\n</think>\nWhich room?",
        "body { color: red } and `if (a) { type: 1 }`",
        "{ type: 'button' } is an object in JavaScript.",
        "[]",
        "<b>bold</b> <tool>no</tool>",
    ],
)
def test_prose_is_no_call_and_not_malformed(form, text):
    assert parse_text(form, text) == ((), "")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (
            "json",
            '{"name": "ring", "arguments": {"times": 3, "room": "hall"}}\n{"name": "sing", "arguments": {}}',
        ),
        (
            "json",
            '{"arguments": {"times": 3, "room": "hall"}, "name": "ring"};{"arguments": {}, "name": "sing"}',
        ),
        (
            "json",
            (
                r'[{"function": {"name": "ring", "arguments": "{\"times\": 3, \"room\": \"hall\"}"}},'
                ' {"id": "c2", "name": "sing", "arguments": {}}]'
            ),
        ),
        (
            "json",
            '{"id": 5, "email": "x"} ' + WRITTEN["json"],
        ),
        ("json", WRITTEN["tags"]),
        ("bracket", '[ring(times=3, room="hall")]\nand [sing()]'),
        ("bracket", "[\n  ring(\n    times = 3,\n    room = 'hall',\n  ),\n  sing(),\n]"),
        ("function", 'ring(times=3, room="hall"); sing()'),
        ("function", '`ring(times=3, room="hall")`\n  sing();  # no arguments'),
        ("function", 'sing(all=True) means all.\nring(times=3, room="hall")\nsing()'),
    ],
)
def test_other_ways_to_write_the_same_calls_are_read_too(form, text):
    assert parse_text(form, text) == ((RING, SING), "")


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("+3", 3),
        ("1_000", 1000),
        ("0", 0),
        ("3.0", 3.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.5e-3", -0.0015),
        ("True", True),
        ("true", True),
        ("False", False),
        ("None", None),
        ("null", None),
        ('""', ""),
        ("''", ""),
        ('"it\'s"', "it's"),
        (r'"a\"b\\c\n\t\/"', 'a"b\\c\n\t/'),
        (r'"\x41\u00e9\U0001F600"', "Aé\U0001f600"),
        (r'"\ud83d\ude00"', "\U0001f600"),
        (r'"\d+"', r"\d+"),
        ('"""two\nlines with "quotes" """', 'two\nlines with "quotes" '),
        ("''''''", ""),
        ("[]", []),
        ("[1, [2, 'x'],]", [1, [2, "x"]]),
        ("()", []),
        ("(1)", 1),
        ("(1,)", [1]),
        ("(1, 2)", [1, 2]),
        ("{}", {}),
        ("{'b': {\"c\": [True]}, }", {"b": {"c": [True]}}),
    ],
)
@pytest.mark.parametrize("form", ["bracket", "function"])
def test_literals_are_read_as_python_and_json_read_them(form, literal, value):
    got = only(form, f"[ring(a={literal})]" if form == "bracket" else f"ring(a={literal})")
    assert (value, type(value)) == (got, type(got))


def test_arguments_with_any_name_come_after_two_asterisks():
    calls, reason = parse_text("bracket", '[ring(a=1, **{"two words": 2, "a.b": 3})]')
    assert (calls[0].arguments, reason) == ({"a": 1, "two words": 2, "a.b": 3}, "")


# ------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ring(", "it ends before ')'"),
        ("ring(a=1", "expected ',' or ')', got the end of the reply"),
        ("ring(a=1, ", "it ends before ')'"),
        ("ring(3)", "an argument has no name"),
        ("ring(a=1, 3)", "an argument has no name"),
        ("ring(a=1 b=2)", "expected ',' or ')'"),
        ("ring(a=)", "a value is expected, got ')"),
        ("ring(a=hall)", "a value is expected, got 'hall'"),
        ("ring(a=nan)", "got 'nan'"),
        ("ring(a=len('x'))", "got 'len'"),
        ("ring(a=1+1)", "expected ',' or ')'"),
        ("ring(a=f'x')", "got 'f'"),
        ("ring(a='x' 'y')", "expected ',' or ')'"),
        ("ring(a='x", "no closing quote"),
        ("ring(a='x\ny')", "no closing quote"),
        (r"ring(a='\x4')", "an escape in a text"),
        (r"ring(a='\0')", "an escape in a text"),
        (r"ring(a='\ud800')", "broken Unicode"),
        (r"ring(a='\Uffffffff')", "beyond Unicode"),
        ("ring(a=007)", "begins with 0"),
        ("ring(a=0x10)", "expected ',' or ')'"),
        ("ring(a=1e999)", "not finite"),
        (f"ring(a={'9' * 400})", "an integer beyond any float"),
        (f"ring(a={'9' * 5000})", "an integer beyond any float"),
        ("ring(a=1, a=2)", "the key 'a' stands twice"),
        ("ring(a=1, **{'a': 2})", "the key 'a' stands twice"),
        ("ring(**[1])", "an object is expected after **"),
        ("ring(a={'b': 1, 'b': 2})", "the key 'b' stands twice"),
        ("ring(a={1: 2})", "a key has to be a text"),
        ("ring(a={'b'})", "expected ':'"),
        ("ring(a=[1)", "expected ',' or ']'"),
        (f"ring(a={'[' * 40}{']' * 40})", "deeper than 32 levels"),
        (f"ring(a={'[' * 50_000})", "deeper than 32 levels"),
        (f"ring(a='{'x' * LONGEST_ARGUMENTS}')", "at most 65536 are read"),
    ],
)
def test_a_call_that_is_no_clean_literal_is_malformed(text, words):
    calls, reason = parse_text("function", f"Now:\n{text}")
    assert calls == ()
    assert reason.startswith("call 1: ")
    assert words in reason
    assert parse_text("bracket", f"[{text}")[0] == ()
    assert parse_text("bracket", f"[{text}")[1] != ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ring(times=3)", "expected ',' or ']'"),
        ("[ring(times=3) sing()]", "expected ',' or ']'"),
        ("[ring(times=3), 4]", "expected name(...)"),
        ("[ring(times=3),, sing()]", "expected name(...)"),
    ],
)
def test_a_list_of_calls_that_does_not_end_is_malformed_after_those_that_were_read(text, words):
    calls, reason = parse_text("bracket", text)
    assert calls == (Call(name="ring", arguments={"times": 3}),)
    assert reason.startswith("call 2: ")
    assert words in reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<tool_call>", "the call is not JSON"),
        ("<tool_call>ring(times=3)</tool_call>", "the call is not JSON"),
        ('<tool_call>{"name": "ring", "arguments": {}}', "</tool_call> is missing"),
        ('<tool_call>{"name": "ring", "arguments": {}}<tool_call>', "</tool_call> is missing"),
        ('<tool_call>{"name": "ring", "arguments": {}}}</tool_call>', "</tool_call> is missing"),
        ('{"name": "ring", "arguments": {}}</tool_call>', "</tool_call> without <tool_call>"),
        ("<tool_call>[]</tool_call>", "it is a list"),
        ('<tool_call>{"name": "ring"}</tool_call>', "the arguments are missing"),
        ('<tool_call>{"arguments": {}}</tool_call>', "the name is missing"),
        ('<tool_call>{"name": "ring", "arguments": {"a": NaN}}</tool_call>', "hold NaN"),
        ('<tool_call>{"name": "ring", "arguments": {"a": 1, "a": 1}}</tool_call>', "stands twice"),
        (f'<tool_call>{{"name": "ring", "arguments": {{"a": {"[" * 20_000}', "deeper than 32 levels"),
        (f'<tool_call>{{"name": "{"x" * LONGEST_ARGUMENTS}"}}</tool_call>', "at most 65536"),
    ],
)
def test_a_tag_without_a_clean_call_is_malformed(text, words):
    calls, reason = parse_text("tags", text)
    assert calls == ()
    assert words in reason


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"name": "ring"', "the call is not JSON"),
        ('{"name": "ring"}', "the arguments are missing"),
        ('{"name": "ring", "parameters": {"times": 3}}', "the arguments are missing"),
        ('{"name": "ring", "arguments": [3]}', "the arguments are a list"),
        ('{"name": "ring", "arguments": "three"}', "the arguments are not JSON"),
        ('{"name": 5, "arguments": {}}', "the name is a number"),
        ("{name: 'ring', arguments: {}}", "the call is not JSON"),
        ("{'name': 'ring', 'arguments': {}}", "the call is not JSON"),
        ('[{"name": "ring", "arguments": {}}', "the call is not JSON"),
        ('```json\n{"name": "ring", "arguments": {"times": 3}\n```', "the call is not JSON"),
        ('{"name": "ring", "arguments": {"times": 3 /* thrice */}}', "the call is not JSON"),
        (f'{{"name": "ring", "arguments": {{"a": "{"x" * LONGEST_ARGUMENTS}"}}}}', "at most 65536"),
        (json.dumps({"name": "r", "arguments": {"a": [[]] * 70_000}}), "at most 65536"),
    ],
)
def test_json_that_begins_like_a_call_and_is_none_is_malformed(text, words):
    calls, reason = parse_text("json", text)
    assert calls == ()
    assert words in reason


def test_a_list_of_calls_holds_nothing_but_calls():
    calls, reason = parse_text("json", '[{"name": "sing", "arguments": {}}, 5]')
    assert (calls, reason) == ((SING,), "call 2: it is a number, expected an object")


@pytest.mark.parametrize("asked", FORMATS)
@pytest.mark.parametrize("used", FORMATS)
def test_a_call_in_another_format_is_malformed_and_never_an_abstention(asked, used):
    calls, reason = parse_text(asked, WRITTEN[used])
    if asked == used or (asked, used) == ("json", "tags"):  # the JSON in a tag is read
        assert (calls, reason) == ((RING, SING), "")
    else:
        assert calls == ()
        assert f"it is in the format {used}, expected {asked}" in reason or "without <tool_call>" in reason


def test_more_calls_than_anybody_needs_are_refused():
    calls, reason = parse_text("function", "sing()\n" * (MOST_CALLS + 1))
    assert len(calls) == MOST_CALLS
    assert reason == f"more than {MOST_CALLS} calls in one reply"
    assert parse_text("function", "sing()\n" * MOST_CALLS)[1] == ""


def test_a_format_that_does_not_exist_is_an_error_with_its_cure():
    for work in (lambda: parse_text("xml", ""), lambda: write("xml", ())):
        with pytest.raises(InputError, match="got 'xml', expected one of bracket, tags, json, function"):
            work()


def test_a_name_that_a_format_can_not_write_is_refused_by_the_writer():
    with pytest.raises(InputError, match="writes names of letters"):
        write("bracket", [Call(name="two words", arguments={})])


# --------------------------------------------------------------------------- never raises, round trips


@settings(deadline=None)
@given(st.sampled_from(FORMATS), st.text(st.characters(codec=None)) | CALL_LIKE_TEXT)
def test_no_text_makes_a_parser_raise_and_what_it_returns_can_be_recorded(form, text):
    calls, reason = parse_text(form, text)
    assert decode(encode(reason), str, "reason") == reason
    assert decode(encode(calls), tuple[Call, ...], "calls") == calls


@settings(deadline=None)
@given(st.sampled_from(FORMATS), CALLS)
def test_calls_that_are_written_are_read_back_equal(form, calls):
    written = write(form, calls)
    assert parse_text(form, written) == (tuple(calls), "")
    assert parse_text(form, f"Of course.\n{written}\nDone.") == (tuple(calls), "")


@settings(deadline=None)
@given(st.sampled_from(FORMATS), CALLS, st.data())
def test_a_call_that_is_cut_off_is_never_read_as_another_one(form, calls, data):
    written = write(form, calls)
    end = data.draw(st.integers(0, len(written)))
    read, _ = parse_text(form, written[:end])
    assert list(read) == calls[: len(read)]


def test_the_deepest_arguments_are_read_in_every_format():
    value: Any = 1
    for _ in range(DEEPEST_ARGUMENTS - 1):
        value = [value]
    call = Call(name="ring", arguments={"a": value})
    for form in FORMATS:
        assert parse_text(form, write(form, [call])) == ((call,), "")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "piece",
    [
        *(
            "<tool_call>",
            "</tool_call>",
            '<tool_call>{"a',
            "[",
            "{",
            '{"id":',
            '{"id":1}',
            '[{"id":1},',
            "(",
            "ring(",
        ),
        *(
            "[ring(",
            "[ring(a=",
            "[ring(a='",
            "\nring(a=1",
            "\nring(a=1) x",
            "`",
            "\n`",
            " ",
            "\n ",
            "\n",
            "[ ",
            "{ ",
        ),
        *(
            "<think>",
            "</think>",
            "a",
            "\na",
            "\na=",
            "\\",
            '"',
            "[a",
            "[a(a ",
            "\na(a",
            "ring(a=1)",
            "ring(a=1);",
            "**",
        ),
    ],
)
def test_the_work_grows_with_the_length_of_the_text_and_not_with_its_square(form, piece):
    small, large = (work(form, piece * (size // len(piece))) for size in (2_000, 8_000))
    assert large <= 5 * small + 200


def work(form: str, text: str) -> int:
    """Return the number of lines that a parse runs through."""
    lines = 0

    def tracer(frame, event, argument):
        nonlocal lines
        lines += event == "line"
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        parse_text(form, text)
    finally:
        sys.settrace(before)
    return lines


def test_a_megabyte_of_anything_is_read_at_once():
    for piece in (
        "[ring(a='",
        "[ ",
        "{ ",
        "a",
        "\n`",
        '{"id":',
        "\nring(a",
        "<tool_call>",
        "a=",
        "\n",
        "(",
        "[a(",
    ):
        for form in FORMATS:
            parse_text(form, piece * (1_000_000 // len(piece)))
