"""Client of Ollama's own API, which tells load times, digests and what is loaded, and unloads on request."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from harnesslib.clients._http import MODELS_TIMEOUT_S, UNLOAD_TIMEOUT_S, Answer, HttpClient
from harnesslib.clients._reading import ParseCalls, count_of, text_of, tools_of
from harnesslib.ports import Clock
from harnesslib.records import ChatRequest, Failure, ModelInfo, Reply

_NANOSECONDS = 1e9
_UNLOAD_POLL_S = 0.05


class _Message(msgspec.Struct):
    content: Any = None
    tool_calls: Any = None


class _Chat(msgspec.Struct):
    message: _Message | None = None
    model: Any = ""
    load_duration: Any = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    error: Any = None


class _Model(msgspec.Struct):
    name: str
    digest: Any = ""


class _Models(msgspec.Struct):
    models: tuple[_Model, ...]


class _Show(msgspec.Struct):
    capabilities: Any = None


class OllamaClient(HttpClient):
    """An Ollama server.

    Parameters
    ----------
    base_url
        The server, such as ``http://127.0.0.1:11434``.
    clock
        Measures latency, and waits for an unload to end.
    parse_calls
        Reads the `tool_calls` of an answer.
    key
        Bearer token of a proxy before the server; "" = none.
    """

    def __init__(self, base_url: str, *, key: str = "", clock: Clock, parse_calls: ParseCalls) -> None:
        super().__init__(base_url, key=key, clock=clock, parse_calls=parse_calls)
        self._api = self._base / "api"
        self._chat_url = self._api / "chat"

    async def chat(self, request: ChatRequest, timeout_s: float) -> Reply | Failure:
        """Ask once, for at most `timeout_s` seconds."""
        answer = await self._ask("POST", self._chat_url, _body(request), timeout_s)
        if isinstance(answer, Failure):
            return answer
        chat = self._decode(answer, _Chat)
        return chat if isinstance(chat, Failure) else self._reply(chat, answer)

    async def models(self) -> tuple[ModelInfo, ...]:
        """List the models without loading any; EndpointError when the endpoint can't be used."""
        listed = await self._listed(self._api / "tags", _Models)
        loaded = await self._loaded()
        return tuple(
            ModelInfo(
                id=model.name,
                digest=text_of(model.digest),
                loaded=None if loaded is None else model.name in loaded,
            )
            for model in listed.models
        )

    async def unload(self, model: str) -> bool:
        """Unload a model, and wait until the server no longer lists it as loaded; false if it stays."""
        if not await self._unload_by_generate(self._base, model):
            return False
        names = {model, f"{model}:latest"}
        deadline = self._clock.monotonic() + UNLOAD_TIMEOUT_S
        while self._clock.monotonic() < deadline:
            loaded = await self._loaded()
            if loaded is None or not names & loaded:
                return loaded is not None
            await self._clock.sleep(_UNLOAD_POLL_S)
        return False

    async def capabilities(self, model: str) -> tuple[str, ...] | None:
        """Return what a model can do, without loading it; none where the server is too old to tell."""
        answer = await self._ask("POST", self._api / "show", {"model": model}, MODELS_TIMEOUT_S)
        shown = answer if isinstance(answer, Failure) else self._decode(answer, _Show)
        if isinstance(shown, Failure) or not isinstance(shown.capabilities, list):
            return None
        return tuple(text_of(capability) for capability in shown.capabilities)

    async def _loaded(self) -> frozenset[str] | None:
        """Return what is loaded; none where the server doesn't tell."""
        answer = await self._ask("GET", self._api / "ps", None, MODELS_TIMEOUT_S)
        listed = answer if isinstance(answer, Failure) else self._decode(answer, _Models)
        return None if isinstance(listed, Failure) else frozenset(model.name for model in listed.models)

    def _reply(self, chat: _Chat, answer: Answer) -> Reply | Failure:
        if chat.error is not None:
            return self._failed("endpoint reports an error", str(chat.error))
        if chat.message is None:
            return self._failed("answer has no message", f"of {len(answer.body)} bytes")
        calls, malformed = self._parse_calls(chat.message.tool_calls)
        load = count_of(chat.load_duration)
        return Reply(
            calls=calls,
            text=text_of(chat.message.content),
            malformed=malformed,
            served_model=text_of(chat.model),
            latency_s=answer.latency_s,
            ttfb_s=answer.ttfb_s,
            load_s=None if load is None else load / _NANOSECONDS,
            input_tokens=count_of(chat.prompt_eval_count),
            output_tokens=count_of(chat.eval_count),
        )


def _body(request: ChatRequest) -> dict[str, Any]:
    return {
        "model": request.model,
        "messages": converted(request.messages),
        "stream": False,
        "options": {"temperature": request.temperature, "seed": request.seed},
        **tools_of(request),
    }


def converted(messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return OpenAI's messages as Ollama takes them: arguments as objects, results under a tool's name."""
    names: dict[str, str] = {}
    result = []
    for message in messages:
        calls = message.get("tool_calls", ())
        names |= {call["id"]: call["function"]["name"] for call in calls}
        plain = {"role": message["role"], "content": message.get("content") or ""}
        if calls:
            plain["tool_calls"] = [{"function": _with_object(call["function"])} for call in calls]
        if message["role"] == "tool":
            plain["tool_name"] = names.get(message["tool_call_id"], "")
        result.append(plain)
    return result


def _with_object(function: dict[str, Any]) -> dict[str, Any]:
    return {"name": function["name"], "arguments": json.loads(function["arguments"])}
