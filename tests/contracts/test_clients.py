"""All clients keep one contract, whatever an endpoint does to them."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnesslib.clients._reading import MAX_ANSWER_BYTES
from harnesslib.clients.openai_compat import OpenAICompatClient
from harnesslib.errors import EndpointError, InputError
from harnesslib.parsers import parse_native
from harnesslib.records import Call, ChatRequest, Failure, ModelInfo, Reply, Tool
from harnesslib.testing import EPOCH, FakeClock


def _scripted():
    path = Path(__file__).resolve().parents[1] / "scripted_endpoint.py"
    spec = importlib.util.spec_from_file_location("scripted_endpoint", path)
    module = sys.modules.setdefault("scripted_endpoint", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


SCRIPTED = _scripted()
http, hang, serving = SCRIPTED.http, SCRIPTED.hang, SCRIPTED.serving
OpenAI, Ollama, Command = SCRIPTED.OpenAI, SCRIPTED.Ollama, SCRIPTED.Command
KEY = "sk-very-secret"
TOOL = Tool(name="add", description="Add.", parameters={"type": "object", "properties": {}})
REQUEST = ChatRequest(
    model="m", messages=({"role": "user", "content": "hi"},), tools=(TOOL,), temperature=0.5, seed=2**62
)
CALL_MADE = {"role": "assistant", "content": "", "tool_calls": [
    {"id": "call_0", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
]}  # fmt: skip
CALL_ANSWERED = {"role": "tool", "tool_call_id": "call_0", "content": '{"sum":1}'}

GOOD = {"role": "assistant", "content": "hello"}


def ask(dialect, script, request=REQUEST, *, timeout_s=5.0, key=KEY, clock=None):
    """Put one request to a scripted server; returns (what the client said, the server)."""

    clock = clock or FakeClock()

    async def main():
        async with serving(script) as server:
            client = dialect.client(server.url, key=key, clock=clock, parse_calls=parse_native)
            async with client:
                return await client.chat(request, timeout_s), server

    if dialect is Command:
        return ask_a_program(script, request, timeout_s=timeout_s, key=key, clock=clock), None
    return asyncio.run(main())


def ask_a_program(script, request, *, timeout_s, key, clock):
    """Put one request to a program that says what the script's body is, or says nothing."""
    line = "exec sleep 60" if script is hang else SCRIPTED.ANSWER

    async def main(client):
        async with client:
            return await client.chat(request, timeout_s)

    with SCRIPTED.program(line, getattr(script, "body", b""), key=key, clock=clock) as (client, _):
        return asyncio.run(main(client))


def listed(dialect, script):
    async def main():
        async with serving(script) as server:
            client = dialect.client(server.url, key=KEY, clock=FakeClock(), parse_calls=parse_native)
            async with client:
                return await client.models(), server

    return asyncio.run(main())


HTML = "<html><body>Welcome</body></html>"
UNREADABLE = "answer can't be read: "
BODIES = {
    "HTML": (http(200, HTML, "Content-Type: text/html"), UNREADABLE, None),
    "empty": (http(200, ""), UNREADABLE, None),
    "invalid UTF-8": (http(200, b'{"model": "\xff", "message": 1, "choices": 1}'), UNREADABLE, None),
    "NaN": (http(200, '{"x": NaN}'), UNREADABLE, None),
    "a number beyond all bounds": (http(200, '{"usage": 1e999, "model": 1e999}'), UNREADABLE, None),
    "nested too deep": (http(200, '{"model": ' + "[" * 100_000), UNREADABLE, None),
    "a list": (http(200, "[]"), UNREADABLE, None),
    "null": (http(200, "null"), UNREADABLE, None),
    "nothing in it": (http(200, "{}"), "answer has no ", None),
    "an error with status 200": (http(200, {"error": {"message": "oops"}}), "endpoint reports", None),
    "too long": (http(200, b" " * (10 * 1024 * 1024)), "answer is too long: more than 8 MB", None),
    "a key twice": (http(200, '{"model": "a", "model": "b", "choices": 1}'), UNREADABLE, None),
}  # fmt: skip
FAULTS = {
    "404": (http(404, {"error": {"message": "no such model"}}), "HTTP 404: no such model", 404),
    "404 as Ollama says it": (http(404, {"error": "model 'm' not found"}), "HTTP 404: model 'm'", 404),
    "401": (http(401, {"error": {"message": f"bad key {KEY}"}}), "HTTP 401: bad key ***", 401),
    "429": (http(429, "slow down"), "HTTP 429: slow down", 429),
    "500": (http(500, HTML), "HTTP 500: <html>", 500),
    "503 busy": (http(503, {"error": {"message": "queue full"}}), "HTTP 503: queue full", 503),
    "redirect": (http(302, "", "Location: http://127.0.0.1:1/"), "HTTP 302:", 302),
    "reset": (SCRIPTED.reset_at_once, "connection broken: ", None),
    "reset inside the body": (http(200, "{", length=50, end="reset"), "connection broken: ", None),
    "half a body": (http(200, '{"model"', length=500, end="close"), "connection broken: ", None),
    "content length too short": (http(200, {"model": "m"}, length=5), "answer ", None),
    "content length is no number": (http(200, "{}", "Content-Length: many"), "answer is not HTTP: ", None),
    "no HTTP": (SCRIPTED.no_http, "answer is not HTTP: ", None),
    "not said to be JSON": (http(200, "{}", "Content-Type: text/html"), UNREADABLE, None),
    "packed": (http(200, b"\x1f\x8b", "Content-Encoding: gzip"), "answer is packed: gzip", None),
}  # fmt: skip


@pytest.mark.parametrize("dialect", [OpenAI, Ollama, Command], ids=["openai_compat", "ollama", "command"])
class TestEveryClient:
    """The contract."""

    def test_an_answer_becomes_a_reply(self, dialect):
        answer, _ = ask(dialect, http(200, dialect.answer(GOOD)))
        expected = Reply(
            calls=(), text="hello", malformed="", served_model="m-1", latency_s=0.0, ttfb_s=0.0,
            load_s=None, input_tokens=7, output_tokens=3,
        )  # fmt: skip
        assert expected == answer

    def test_calls_are_read(self, dialect):
        message = GOOD | {"content": None, "tool_calls": [dialect.call("add", {"a": 1})] * 2}
        answer, _ = ask(dialect, http(200, dialect.answer(message)))
        assert (Call(name="add", arguments={"a": 1}),) * 2 == answer.calls
        assert ("", "") == (answer.malformed, answer.text)

    @pytest.mark.parametrize(
        "calls", ["add(1)", [{"function": {"name": "add", "arguments": '{"a": '}}], [{"function": {}}], [3]]
    )
    def test_a_call_that_cannot_be_read_is_said_to_be_malformed(self, dialect, calls):
        answer, _ = ask(dialect, http(200, dialect.answer(GOOD | {"tool_calls": calls})))
        assert isinstance(answer, Reply)
        assert answer.malformed

    @pytest.mark.parametrize("body", BODIES)
    def test_a_body_that_is_no_answer_is_a_failure_in_words(self, dialect, body):
        behaviour, detail, _ = BODIES[body]
        answer, _ = ask(dialect, behaviour)
        assert isinstance(answer, Failure)
        assert ("infra_error", None) == (answer.kind, answer.status)
        assert answer.detail.startswith(detail)

    @pytest.mark.parametrize("said", [1, "sk-very-secret is wrong", {"message": "bad key sk-very-secret"}])
    def test_what_an_endpoint_says_about_itself_is_shown_without_the_key(self, dialect, said):
        answer, _ = ask(dialect, http(200, {"error": said}))
        assert answer.detail.startswith("endpoint reports an error: ")
        assert KEY not in answer.detail

    def test_silence_is_a_timeout(self, dialect):
        answer, _ = ask(dialect, hang, timeout_s=0.05)
        assert ("timeout", "no answer within 0.05 s") == (answer.kind, answer.detail)

    def test_no_time_left_is_a_timeout(self, dialect):
        answer, _ = ask(dialect, hang, timeout_s=0.0)
        assert "timeout" == answer.kind

    def test_odd_token_counts_are_unknown_not_zero(self, dialect):
        odd = {
            "usage": {"prompt_tokens": "7", "completion_tokens": True},
            "prompt_eval_count": -1,
            "eval_count": 0.5,
        }
        answer, _ = ask(dialect, http(200, dialect.answer(GOOD, **odd)))
        assert (None, None) == (answer.input_tokens, answer.output_tokens)

    @settings(max_examples=40, deadline=None)
    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=8,
        )
    )
    def test_no_json_is_too_odd(self, dialect, odd):
        fields = {"content": odd, "tool_calls": odd}
        answer, _ = ask(dialect, http(200, dialect.answer(fields, model=odd, usage=odd, load_duration=odd)))
        assert isinstance(answer, Reply)

    def test_an_answer_of_the_largest_size_is_read(self, dialect):
        text = json.dumps(dialect.answer(GOOD))
        answer, _ = ask(dialect, http(200, text + " " * (MAX_ANSWER_BYTES - len(text))))
        assert "hello" == answer.text


@pytest.mark.parametrize("dialect", [OpenAI, Ollama], ids=["openai_compat", "ollama"])
class TestHttpClient:
    """What the network adds to it."""

    def test_it_is_one_post(self, dialect):
        _, server = ask(dialect, http(200, dialect.answer(GOOD)))
        assert [("POST", dialect.chat_path)] == [(each.method, each.path) for each in server.received]

    @pytest.mark.parametrize("fault", [*FAULTS, *BODIES])
    def test_a_fault_is_a_failure_in_words(self, dialect, fault):
        behaviour, detail, status = (FAULTS | BODIES)[fault]
        answer, server = ask(dialect, behaviour)
        assert isinstance(answer, Failure)
        assert ("infra_error", status) == (answer.kind, answer.status)
        assert answer.detail.startswith(detail)
        assert KEY not in answer.detail
        assert 1 == len(server.received), "one attempt per call"

    def test_a_refused_connection_is_a_failure(self, dialect):
        async def main():
            async with serving(hang) as server:
                pass
            client = dialect.client(server.url, clock=FakeClock(), parse_calls=parse_native)
            async with client:
                return await client.chat(REQUEST, 5.0)

        answer = asyncio.run(main())
        assert "infra_error" == answer.kind
        assert answer.detail.startswith("can't connect: ")

    @pytest.mark.parametrize("behaviour", [hang, http(200, "{", length=50)], ids=["headers", "body"])
    def test_what_takes_too_long_is_a_timeout_and_the_connection_is_let_go(self, dialect, behaviour):
        async def main():
            async with serving(behaviour) as server:
                client = dialect.client(server.url, clock=FakeClock(), parse_calls=parse_native)
                async with client:
                    answer = await client.chat(REQUEST, 0.05)
                    if behaviour is not hang:
                        await server.closed_by_client.wait()
                return answer

        answer = asyncio.run(main())
        assert ("timeout", "no answer within 0.05 s") == (answer.kind, answer.detail)

    def test_a_cancelled_request_lets_the_connection_go(self, dialect):
        async def main():
            arrived = asyncio.Event()

            async def say_nothing(server, writer):
                arrived.set()

            async with serving(say_nothing) as server:
                client = dialect.client(server.url, clock=FakeClock(), parse_calls=parse_native)
                async with client:
                    task = asyncio.create_task(client.chat(REQUEST, 60.0))
                    await arrived.wait()
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    await server.closed_by_client.wait()

        asyncio.run(main())

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("Retry-After: 2", 2.0),
            ("Retry-After: 0.5", 0.5),
            ("Retry-After: -3", 0.0),
            ("Retry-After: Fri, 02 Jan 2026 03:04:15 GMT", 10.0),
            ("Retry-After: Thu, 01 Jan 2026 00:00:00 GMT", 0.0),
            ("Retry-After: nan", None),
            ("Retry-After: soon", None),
            ("X-Other: 1", None),
        ],
    )
    def test_retry_after_is_understood(self, dialect, header, seconds):
        assert "2026-01-02 03:04:05+00:00" == str(EPOCH)
        answer, _ = ask(dialect, http(429, "", header))
        assert seconds == answer.retry_after_s

    def test_a_loading_model_is_no_infrastructure_failure(self, dialect):
        body = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
        answer, _ = ask(dialect, http(503, body))
        assert ("loading", 503, "Loading model") == (answer.kind, answer.status, answer.detail)

    def test_the_key_is_sent_as_a_header_and_shown_nowhere(self, dialect):
        _, server = ask(dialect, http(200, dialect.answer(GOOD)))
        assert f"Bearer {KEY}" == server.received[0].headers["authorization"]
        assert KEY not in server.received[0].path
        client = dialect.client("http://127.0.0.1:1", key=KEY, clock=FakeClock(), parse_calls=parse_native)
        assert KEY not in repr(client)

    def test_without_a_key_no_header_is_sent(self, dialect):
        _, server = ask(dialect, http(200, dialect.answer(GOOD)), key="")
        assert "authorization" not in server.received[0].headers

    def test_connections_are_kept(self, dialect):
        async def main():
            async with serving(http(200, dialect.answer(GOOD))) as server:
                client = dialect.client(server.url, clock=FakeClock(), parse_calls=parse_native)
                async with client:
                    for _ in range(3):
                        await client.chat(REQUEST, 5.0)
                async with client:
                    await client.chat(REQUEST, 5.0)
                return server

        server = asyncio.run(main())
        assert (4, 2) == (len(server.received), server.connections)

    def test_a_proxy_of_the_environment_is_not_used(self, dialect, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        answer, _ = ask(dialect, http(200, dialect.answer(GOOD)))
        assert "hello" == answer.text

    def test_a_closed_client_says_so(self, dialect):
        client = dialect.client("http://127.0.0.1:1", clock=FakeClock(), parse_calls=parse_native)
        with pytest.raises(EndpointError, match="not open"):
            asyncio.run(client.chat(REQUEST, 1.0))

    @pytest.mark.parametrize(
        ("url", "says"),
        [("127.0.0.1:80", "expected http"), ("ftp://x", "expected http"), ("", "expected http"),
         ("http://user:hunter2@x", "name an environment variable"), ("http://[", "not an address")],
    )  # fmt: skip
    def test_an_address_that_is_none_is_refused_without_its_password(self, dialect, url, says):
        with pytest.raises(InputError, match=says) as error:
            dialect.client(url, clock=FakeClock(), parse_calls=parse_native)
        assert "hunter2" not in str(error.value)

    def test_models_are_listed_without_loading_one(self, dialect):
        models, server = listed(
            dialect,
            {dialect.models_path: http(200, dialect.models_body), "/api/ps": http(200, {"models": []})},
        )
        assert ["m"] == [model.id for model in models]
        assert {"GET"} == {request.method for request in server.received}
        assert {"/v1/models", "/api/tags", "/api/ps"} >= {request.path for request in server.received}

    @pytest.mark.parametrize(
        ("behaviour", "cure"),
        [
            (http(401, f"who are you with {KEY}"), "key_env"),
            (http(404, "not here"), "correct base_url"),
            (http(200, HTML), "correct base_url"),
            (http(503, "Loading model"), "wait"),
            (SCRIPTED.reset_at_once, "correct base_url"),
        ],
    )
    def test_an_endpoint_that_cannot_list_models_cannot_be_used(self, dialect, behaviour, cure):
        with pytest.raises(EndpointError, match=cure) as error:
            listed(dialect, behaviour)
        assert KEY not in str(error.value)
        assert "http://127.0.0.1:" in str(error.value)

    def test_an_endpoint_that_is_not_there_is_to_be_started(self, dialect):
        async def main():
            async with serving(hang) as server:
                pass
            async with dialect.client(server.url, clock=FakeClock(), parse_calls=parse_native) as client:
                await client.models()

        with pytest.raises(EndpointError, match="start the endpoint"):
            asyncio.run(main())


def test_openai_gets_the_conversation_as_it_is():
    conversation = (REQUEST.messages[0], CALL_MADE, CALL_ANSWERED)
    request = ChatRequest(model="m", messages=conversation, tools=(TOOL,), temperature=0.5, seed=2**62)
    _, server = ask(OpenAI, http(200, OpenAI.answer(GOOD)), request)
    function = {"name": "add", "description": "Add.", "parameters": TOOL.parameters}
    expected = {
        "model": "m",
        "messages": list(conversation),
        "temperature": 0.5,
        "seed": 2**62,
        "tools": [{"type": "function", "function": function}],
    }
    assert expected == server.received[0].json


def test_ollama_gets_arguments_as_objects_and_results_under_their_tool():
    conversation = (REQUEST.messages[0], CALL_MADE, CALL_ANSWERED)
    request = ChatRequest(model="m", messages=conversation, tools=(), temperature=0.5, seed=3)
    _, server = ask(Ollama, http(200, Ollama.answer(GOOD)), request)
    called = {"function": {"name": "add", "arguments": {"a": 1}}}
    expected = {
        "model": "m",
        "stream": False,
        "options": {"temperature": 0.5, "seed": 3},
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "", "tool_calls": [called]},
            {"role": "tool", "content": '{"sum":1}', "tool_name": "add"},
        ],
    }  # fmt: skip
    assert expected == server.received[0].json


def test_openai_takes_the_text_of_parts():
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}, {"type": "image"}, 3]
    answer, _ = ask(OpenAI, http(200, OpenAI.answer({"content": parts})))
    assert "hello" == answer.text


def test_an_openai_address_with_a_path_is_used_as_it_is():
    async def main():
        async with serving(http(200, OpenAI.answer(GOOD))) as server:
            url = f"{server.url}/openai/v9/"
            async with OpenAICompatClient(url, clock=FakeClock(), parse_calls=parse_native) as client:
                await client.chat(REQUEST, 5.0)
            return server.received[0].path

    assert "/openai/v9/chat/completions" == asyncio.run(main())


def test_openai_cannot_unload_elsewhere():
    unloaded, server = unload(OpenAI, {"/v1/models": http(200, OpenAI.models_body)})
    assert not unloaded
    assert ["/v1/models"] == [request.path for request in server.received]


def test_openai_unloads_models_of_the_built_in_server():
    body = {"data": [{"id": "m", "owned_by": "harnesslib-simulator"}]}
    unloaded, server = unload(
        OpenAI, {"/v1/models": http(200, body), "/api/generate": http(200, {"done": True})}
    )
    assert unloaded
    assert {"model": "m", "keep_alive": 0} == server.received[-1].json


@pytest.mark.parametrize("listed_as", ["m", "m:latest"])
def test_ollama_waits_until_the_model_is_gone(listed_as):
    loaded = [[{"name": listed_as}], [{"name": listed_as}], [{"name": "other"}]]

    async def shrinking(server, writer):
        await http(200, {"models": loaded.pop(0)})(server, writer)

    unloaded, server = unload(Ollama, {"/api/generate": http(200, {"done": True}), "/api/ps": shrinking})
    assert unloaded
    assert ["/api/generate", *["/api/ps"] * 3] == [request.path for request in server.received]


@pytest.mark.parametrize(
    "script",
    [
        {"*": http(404, "what?")},
        {"/api/generate": http(200, {}), "/api/ps": http(404, "what?")},
        {"/api/generate": http(200, {}), "/api/ps": http(200, {"models": [{"name": "m"}]})},
    ],
    ids=["refused", "not confirmed", "stays"],
)
def test_ollama_says_when_a_model_is_not_known_to_be_gone(script):
    unloaded, _ = unload(Ollama, script)
    assert not unloaded


def test_ollama_tells_digest_loading_and_load_time():
    loaded = {"/api/tags": http(200, Ollama.models_body), "/api/ps": http(200, Ollama.models_body)}
    assert (ModelInfo(id="m", digest="abc", loaded=True),) == listed(Ollama, loaded)[0]
    unknown = {"/api/tags": http(200, Ollama.models_body), "/api/ps": http(404, "")}
    assert (ModelInfo(id="m", digest="abc", loaded=None),) == listed(Ollama, unknown)[0]
    answer, _ = ask(Ollama, http(200, Ollama.answer(GOOD, load_duration=1_500_000_000)))
    assert 1.5 == answer.load_s


def test_latency_is_measured_by_the_given_clock():
    clock = FakeClock()

    async def later(server, writer):
        clock.advance(2.5)
        await http(200, OpenAI.answer(GOOD))(server, writer)

    answer, _ = ask(OpenAI, later, clock=clock)
    assert (2.5, 2.5) == (answer.latency_s, answer.ttfb_s)


def unload(dialect, script):
    async def main():
        async with serving(script) as server:
            client = dialect.client(server.url, clock=FakeClock(), parse_calls=parse_native)
            async with client:
                return await client.unload("m"), server

    return asyncio.run(main())
