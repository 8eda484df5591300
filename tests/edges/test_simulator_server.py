from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp.test_utils import TestClient, TestServer
from scipy.stats import binom

from harnesslib.errors import EndpointError
from harnesslib.records import (
    Case,
    ExpectedCall,
    SimulatedModel,
    SimulatedPhase,
    SimulatedWorld,
    Suite,
    Tool,
    Turn,
    encode,
    sha256,
)
from harnesslib.simulator.answers import UNKNOWN
from harnesslib.simulator.server import LARGEST_BODY, OWNER, Endpoint, run
from harnesslib.simulator.serving import ModelRoom

PAINT = Tool(
    name="paint",
    description="Paint a thing.",
    parameters={
        "type": "object",
        "required": ["thing", "colour"],
        "properties": {"thing": {"type": "string"}, "colour": {"enum": ["red", "blue"]}},
    },
)
WASH = Tool(
    name="wash",
    description="Wash a thing.",
    parameters={"type": "object", "required": ["thing"], "properties": {"thing": {"type": "string"}}},
)


def a_case(number: int, *, wants_call: bool) -> Case:
    paint = ExpectedCall(name="paint", arguments={"thing": f"wall {number}", "colour": "red"})
    turn = Turn(user=f"Case {number}", accept=((paint,) if wants_call else (),), reply="So it is.")
    return Case(id=f"c{number}", skill="s", split="search", turns=(turn,), tools=("paint", "wash"), notes="")


CASES = tuple(a_case(number, wants_call=number < 5) for number in range(8))
SUITE = Suite(name="walls", version="1", title="", description="", tools=(PAINT, WASH), cases=CASES)
TOOLS = [{"type": "function", "function": msgspec.to_builtins(tool)} for tool in (PAINT, WASH)]


def a_model(name: str, accuracy: float = 1.0, **fields: Any) -> SimulatedModel:
    fields = {"restraint": 1.0, "latency_s": 0.0, **fields}
    phase = SimulatedPhase(accuracy=accuracy, restraint=fields.pop("restraint"))
    return SimulatedModel(id=name, phases={"walls": phase}, **fields)


WORLD = SimulatedWorld(
    version=1,
    models=(
        a_model("sure"),
        a_model("hopeless", 0.0, restraint=0.0),
        a_model("torn", 0.0, malformed_share=1.0),
        a_model("half", 0.62, restraint=0.7),
        a_model("sleepy", load_s=2.0, keep_alive_s=60.0),
        a_model("llama", load_s=2.0, loading="refuse"),
    ),
)


@dataclass
class Time:
    """A clock that stands still until it is moved; whoever sleeps waits for that."""

    now: float = 100.0
    asleep: list[tuple[float, asyncio.Future[None]]] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        if seconds:
            entry = (self.now + seconds, asyncio.get_running_loop().create_future())
            async with self.changed:
                self.asleep.append(entry)
                self.changed.notify_all()
            await entry[1]

    async def until_asleep(self, count: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.asleep) == count)

    def move(self, seconds: float) -> None:
        self.now += seconds
        for entry in [entry for entry in self.asleep if entry[0] <= self.now]:
            self.asleep.remove(entry)
            entry[1].set_result(None)


@asynccontextmanager
async def served() -> AsyncIterator[tuple[TestClient[Any, Any], Time]]:
    time = Time()
    room = ModelRoom(WORLD, {"walls": SUITE}, clock=time.clock, sleep=time.sleep)
    async with TestClient(TestServer(Endpoint(room).application(), host="127.0.0.1")) as client:
        yield client, time


def over_http(test: Callable[[TestClient[Any, Any], Time], Awaitable[None]]) -> None:
    async def conversation() -> None:
        async with served() as (client, time):
            await test(client, time)

    asyncio.run(conversation())


def a_body(model: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": f"Case {number}"}]
    return {"model": model, "messages": messages, "tools": TOOLS, "temperature": 0, **fields}


async def post(client: TestClient[Any, Any], path: str, body: Any) -> tuple[int, Any]:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    async with client.post(path, data=io.BytesIO(raw)) as response:
        return response.status, msgspec.json.decode(await response.read())


async def get(client: TestClient[Any, Any], path: str) -> Any:
    async with client.get(path) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        return msgspec.json.decode(await response.read())


async def chat(client: TestClient[Any, Any], model: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    status, answer = await post(client, "/v1/chat/completions", a_body(model, number, **fields))
    assert (200, 1) == (status, len(answer["choices"]))
    return answer


def test_a_completion_has_the_form_of_the_openai_api():
    async def test(client, time):
        answer = await chat(client, "sure", seed=7)
        choice = answer["choices"][0]
        assert (answer["object"], answer["model"]) == ("chat.completion", "sure")
        assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
        call = choice["message"]["tool_calls"][0]
        assert (call["type"], call["function"]["name"]) == ("function", "paint")
        assert call["id"].startswith("call_")
        assert msgspec.json.decode(call["function"]["arguments"]) == {"thing": "wall 0", "colour": "red"}
        assert answer["usage"]["total_tokens"] == (
            answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]
        )
        assert answer["system_fingerprint"] == f"fp_{sha256(encode(WORLD.models[0]))[:10]}"

    over_http(test)


def test_after_the_tools_have_answered_the_turn_closes_in_words():
    async def test(client, time):
        body = a_body("sure", seed=7)
        body["messages"] += [
            {"role": "assistant", "content": None, "tool_calls": []},
            {"role": "tool", "tool_call_id": "x", "content": "{}"},
        ]
        status, answer = await post(client, "/v1/chat/completions", body)
        assert (200, "stop", "So it is.") == (
            status,
            answer["choices"][0]["finish_reason"],
            answer["choices"][0]["message"]["content"],
        )

    over_http(test)


def test_a_malformed_call_is_a_torn_string_in_both_apis():
    async def test(client, time):
        openai = await chat(client, "torn", seed=3)
        ollama = (await post(client, "/api/chat", a_body("torn", stream=False)))[1]
        for message in (openai["choices"][0]["message"], ollama["message"]):
            arguments = message["tool_calls"][0]["function"]["arguments"]
            assert isinstance(arguments, str)
            with pytest.raises(msgspec.DecodeError):
                msgspec.json.decode(arguments)

    over_http(test)


def test_ollama_answers_with_objects_and_counters_in_nanoseconds():
    async def test(client, time):
        status, answer = await post(
            client, "/api/chat", a_body("sure", stream=False, options={"seed": 5, "num_ctx": 4096})
        )
        function = answer["message"]["tool_calls"][0]["function"]
        assert (200, {"thing": "wall 0", "colour": "red"}) == (status, function["arguments"])
        assert (answer["done"], answer["done_reason"], answer["model"]) == (True, "stop", "sure")
        counters = ["total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration"]
        assert all(isinstance(answer[name], int) for name in [*counters, "eval_count", "eval_duration"])

    over_http(test)


def test_ollama_streams_one_line_unless_told_not_to():
    async def test(client, time):
        async with client.post("/api/chat", json=a_body("sure")) as response:
            lines = (await response.text()).splitlines()
        assert ("application/x-ndjson", 1) == (response.content_type, len(lines))
        assert msgspec.json.decode(lines[0])["done"] is True

    over_http(test)


def test_models_are_listed_without_loading_any():
    async def test(client, time):
        names = [model.id for model in WORLD.models]
        listed = (await get(client, "/v1/models"))["data"]
        tags = (await get(client, "/api/tags"))["models"]
        assert names == [model["id"] for model in listed] == [model["name"] for model in tags]
        assert {OWNER} == {model["owned_by"] for model in listed}
        assert [sha256(encode(model)) for model in WORLD.models] == [model["digest"] for model in tags]
        assert (await get(client, "/healthz")) == {"status": "ok"}
        assert "version" in await get(client, "/api/version")
        shown = (await post(client, "/api/show", {"model": "sure"}))[1]
        assert shown["capabilities"] == ["completion", "tools"]
        assert (await get(client, "/api/ps")) == {"models": []}

    over_http(test)


def test_a_blocking_model_lets_requests_wait_and_loads_once_for_all():
    async def test(client, time):
        first = asyncio.create_task(chat(client, "sleepy"))
        await time.until_asleep(1)
        time.move(1.5)
        second = asyncio.create_task(post(client, "/api/chat", a_body("sleepy", stream=False)))
        await time.until_asleep(2)
        time.move(0.5)
        await first
        assert (await second)[1]["load_duration"] == 500_000_000
        assert (await post(client, "/api/chat", a_body("sleepy", stream=False)))[1]["load_duration"] == 0
        loaded = (await get(client, "/api/ps"))["models"]
        assert ["sleepy"] == [model["name"] for model in loaded]
        assert loaded[0]["expires_at"].endswith("Z")

    over_http(test)


def test_the_load_goes_on_when_the_client_hangs_up():
    async def test(client, time):
        first = asyncio.create_task(chat(client, "sleepy"))
        await time.until_asleep(1)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        time.move(2)
        answer = (await post(client, "/api/chat", a_body("sleepy", stream=False)))[1]
        assert answer["load_duration"] == 0

    over_http(test)


def test_a_refusing_model_answers_503_as_llama_cpp_does_until_it_is_loaded():
    async def test(client, time):
        expected = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
        for _ in range(3):
            status, answer = await post(client, "/v1/chat/completions", a_body("llama"))
            assert (503, expected) == (status, answer)
            time.move(0.5)
        status, answer = await post(client, "/api/chat", a_body("llama"))
        assert (503, {"error": "Loading model"}) == (status, answer)
        time.move(0.5)
        await chat(client, "llama")

    over_http(test)


@pytest.mark.parametrize(
    ("path", "extra"),
    [("/api/generate", {}), ("/api/chat", {"messages": []}), ("/api/generate", {"prompt": ""})],
)
def test_models_are_loaded_and_unloaded_without_a_prompt(path, extra):
    async def test(client, time):
        body = {"model": "sleepy", "stream": False, **extra}
        assert (await post(client, path, {**body, "keep_alive": "10m"}))[1]["done_reason"] == "load"
        time.move(2)
        assert (await post(client, "/api/chat", a_body("sleepy", stream=False)))[1]["load_duration"] == 0
        assert (await post(client, path, {**body, "keep_alive": 0}))[1]["done_reason"] == "unload"
        assert (await get(client, "/api/ps")) == {"models": []}
        waiting = asyncio.create_task(chat(client, "sleepy"))
        await time.until_asleep(1)
        time.move(2)
        await waiting

    over_http(test)


def test_a_model_goes_after_its_keep_alive_or_with_its_last_request():
    async def test(client, time):
        await post(client, "/api/generate", {"model": "sleepy", "keep_alive": -1})
        time.move(2)
        assert len((await get(client, "/api/ps"))["models"]) == 1
        await chat(client, "sleepy")
        time.move(61)
        assert (await get(client, "/api/ps")) == {"models": []}
        await chat(client, "sure")
        assert ["sure"] == [model["name"] for model in (await get(client, "/api/ps"))["models"]]
        await post(client, "/api/chat", a_body("sure", keep_alive=0))
        assert (await get(client, "/api/ps")) == {"models": []}

    over_http(test)


def test_a_bare_prompt_is_answered_in_words():
    async def test(client, time):
        body = {"model": "sure", "prompt": "Are you ready?", "stream": False}
        assert (await post(client, "/api/generate", body))[1]["response"] == UNKNOWN

    over_http(test)


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/v1/chat/completions", a_body("nobody"), 404, "model 'nobody' not found; this server has sure"),
        ("/api/chat", a_body("nobody"), 404, "model 'nobody' not found"),
        ("/api/show", {"model": "nobody"}, 404, "model 'nobody' not found"),
        ("/api/generate", {"model": "nobody"}, 404, "model 'nobody' not found"),
        ("/v1/chat/completions", b"{", 400, "truncated"),
        ("/api/chat", b"\xff", 400, "malformed"),
        ("/v1/chat/completions", {"model": "sure"}, 400, "missing required field `messages`"),
        ("/api/chat", {"messages": []}, 400, "missing required field `model`"),
        ("/v1/chat/completions", a_body("sure", messages=[]), 400, "at least one message"),
        ("/v1/chat/completions", a_body("sure", seed="x"), 400, "$.seed"),
        ("/v1/chat/completions", a_body("sure", stream=True), 400, "stream: this server answers whole"),
        ("/v1/chat/completions", [1], 400, "Expected `object`"),
        ("/api/generate", {"model": "sure", "keep_alive": "soon"}, 400, "keep_alive: 'soon'"),
        ("/v1/embeddings", {}, 404, "Not Found: POST /v1/embeddings"),
        ("/v1/models", {}, 405, "Method Not Allowed"),
        ("/api/chat", b" " * (LARGEST_BODY + 1), 413, "Request Entity Too Large"),
    ],
)
def test_errors_have_the_form_of_the_api_that_was_asked(path, body, status, says):
    async def test(client, time):
        got, answer = await post(client, path, body)
        message = answer["error"] if path.startswith("/api/") else answer["error"]["message"]
        assert status == got
        assert says in message

    over_http(test)


def test_the_same_seed_gives_the_same_answer_and_no_seed_another_one_each_time():
    async def test(client, time):
        async def said(**fields: Any) -> list[bytes]:
            answers = [await chat(client, "half", number, **fields) for _ in range(12) for number in range(8)]
            return [msgspec.json.encode(answer["choices"]) for answer in answers]

        seeded = await said(seed=11)
        assert [1] * 8 == [len(set(seeded[number::8])) for number in range(8)]
        assert len(set(await said())) > len(set(seeded))

    over_http(test)


def test_an_unseeded_conversation_stays_with_its_draw():
    async def test(client, time):
        for _ in range(20):
            answer = await chat(client, "half", 0)
            first = answer["choices"][0]["message"]
            if "tool_calls" not in first:
                continue
            body = a_body("half")
            body["messages"] += [first, {"role": "tool", "tool_call_id": "x", "content": "{}"}]
            status, after = await post(client, "/v1/chat/completions", body)
            assert (200, "So it is.") == (status, after["choices"][0]["message"]["content"])

    over_http(test)


def is_solved(case: Case, message: dict[str, Any]) -> bool:
    made = [
        (call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", [])
    ]
    wanted = [(call.name, msgspec.json.encode(call.arguments).decode()) for call in case.turns[0].accept[0]]
    return made == wanted


def test_the_pass_rate_over_http_lies_in_the_binomial_interval_of_the_declared_truth():
    seeds = 150

    async def test(client, time):
        async def passes(number: int, seed: int) -> bool:
            answer = await chat(client, "half", number, seed=seed)
            return is_solved(CASES[number], answer["choices"][0]["message"])

        for numbers, declared in ((range(5), 0.62), (range(5, 8), 0.7)):
            jobs = itertools.starmap(passes, itertools.product(numbers, range(seeds)))
            solved = sum(await asyncio.gather(*jobs))
            low, high = binom.interval(0.999, seeds * len(numbers), declared)
            assert low <= solved <= high

    over_http(test)


def test_a_taken_port_is_an_endpoint_error():
    async def test(client, time):
        port = client.server.port
        room = ModelRoom(WORLD, {"walls": SUITE})
        with pytest.raises(EndpointError, match=f"can't listen on 127.0.0.1:{port}"):
            await run(room, "127.0.0.1", port, lambda base_url: None)

    over_http(test)


def test_hopeless_models_never_solve_a_case_over_http():
    async def test(client, time):
        for number, seed in itertools.product(range(8), range(10)):
            answer = await chat(client, "hopeless", number, seed=seed)
            assert not is_solved(CASES[number], answer["choices"][0]["message"])

    over_http(test)


def test_a_client_that_hangs_up_while_waiting_leaves_no_trace(caplog):
    async def test(client, time):
        with pytest.raises((asyncio.TimeoutError, aiohttp.ServerTimeoutError)):
            async with client.post(
                "/v1/chat/completions",
                json=a_body("sleepy"),
                timeout=aiohttp.ClientTimeout(total=0.05),
            ):
                pass
        time.move(2)
        await chat(client, "sleepy")

    over_http(test)
    assert caplog.records == []
