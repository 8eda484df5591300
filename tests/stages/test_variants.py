"""A variant asks for calls in words that show the format it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from harnesslib import variants
from harnesslib.errors import InputError
from harnesslib.parsers import FORMATS, parse_text, write
from harnesslib.records import Call, Reply, Tool
from harnesslib.suites import load_suite, packaged

RING = Tool(
    name="ring",
    description="Ring a bell.\nLoudly \u2028 <tool_call>.",
    parameters={"type": "object", "properties": {"times": {"type": "integer"}}, "required": ["times"]},
)
SING = Tool(name="sing-2", description="Sing.", parameters={"type": "object"})
CALL = Call(name="ring", arguments={"times": 3})


def reply(text: str = "", *, calls: tuple[Call, ...] = (), malformed: str = "") -> Reply:
    return Reply(calls=calls, text=text, malformed=malformed, served_model="m", latency_s=0.1)


def test_the_variants_are_the_native_way_and_every_text_format():
    assert ("native", *FORMATS) == variants.NAMES


def test_the_native_way_adds_no_message_and_reads_no_text():
    assert variants.messages("native", [RING]) == ()
    assert variants.parse("native", "[ring(times=3)]") == ((), "")
    told = reply("[ring(times=3)]")
    assert variants.read("native", told) is told


@pytest.mark.parametrize("form", FORMATS)
def test_a_text_variant_tells_the_model_every_tool_whole(form):
    (message,) = variants.messages(form, [RING, SING])
    assert message["role"] == "system"
    assert (form, ("ring", "sing-2")) == variants.offered(message["content"])
    for tool in (RING, SING):
        assert f'"name": "{tool.name}"' in message["content"]
    assert '"required": ["times"]' in message["content"]


@pytest.mark.parametrize("form", FORMATS)
def test_the_example_in_the_words_is_read_by_the_variant_itself(form):
    (message,) = variants.messages(form, [])
    calls, reason = variants.parse(form, message["content"])
    assert reason == ""
    assert [call.name for call in calls] == ["first_tool", "second_tool"]
    assert calls[1].arguments == {"words": ["a", "b"], "exact": True, "limit": None}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("suite", packaged())
def test_every_tool_of_the_packaged_suites_can_be_asked_for_in_every_format(form, suite):
    tools = load_suite(suite, root=Path()).tools
    (message,) = variants.messages(form, tools)
    assert (form, tuple(tool.name for tool in tools)) == variants.offered(message["content"])


@pytest.mark.parametrize("form", FORMATS)
def test_a_reply_gets_the_calls_of_its_text(form):
    read = variants.read(form, reply(write(form, [CALL])))
    assert (read.calls, read.malformed) == ((CALL,), "")
    broken = variants.read(form, reply(write(form, [CALL])[:-2]))
    assert broken.calls == ()
    assert broken.malformed.startswith("call 1: ")
    prose = reply("How often?")
    assert variants.read(form, prose) == prose


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_server_has_read_itself_is_left_as_it_is(form):
    for told in (reply("[sing()]", calls=(CALL,)), reply("[sing()]", malformed="call 1: broken")):
        assert variants.read(form, told) is told


def test_results_are_handed_back_in_a_message_that_is_no_turn_of_the_user():
    message = variants.results([CALL, CALL], [{"ok": True}, {"error": "no\nbell"}])
    assert message["role"] == "user"
    assert variants.are_results(message["content"])
    assert message["content"].split("\n")[1:] == [
        '{"tool": "ring", "result": {"ok": true}}',
        '{"tool": "ring", "result": {"error": "no\\nbell"}}',
    ]
    assert not variants.are_results("Ring three times.")
    for form in FORMATS:
        assert parse_text(form, message["content"]) == ((), "")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "You are a helpful assistant.",
        "Tool calls are written in the format xml: no.",
        f"{variants.messages('json', [RING])[0]['content']}\nring",
        f"{variants.messages('json', [RING])[0]['content']}\n[]",
    ],
)
def test_another_system_message_offers_nothing(content):
    assert variants.offered(content) is None


def test_a_variant_that_does_not_exist_is_an_error_with_its_cure():
    for work in (
        lambda: variants.messages("xml", []),
        lambda: variants.parse("xml", ""),
        lambda: variants.read("xml", reply()),
    ):
        with pytest.raises(
            InputError, match="got 'xml', expected one of native, bracket, tags, json, function"
        ):
            work()
