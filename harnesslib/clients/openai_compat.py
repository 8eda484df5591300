"""Client of every host that speaks OpenAI's chat completions."""

from __future__ import annotations

from typing import Any

import msgspec
from yarl import URL

from harnesslib.clients._http import MODELS_TIMEOUT_S, Answer, HttpClient
from harnesslib.clients._reading import ParseCalls, count_of, text_of, tools_of
from harnesslib.ports import Clock
from harnesslib.records import ChatRequest, Failure, ModelInfo, Reply

BUILT_IN_OWNER = "harnesslib-simulator"


class _Message(msgspec.Struct):
    content: Any = None
    tool_calls: Any = None


class _Choice(msgspec.Struct):
    message: _Message


class _Completion(msgspec.Struct):
    choices: tuple[_Choice, ...] = ()
    model: Any = ""
    usage: Any = None
    error: Any = None


class _Model(msgspec.Struct):
    id: str
    owned_by: Any = ""
    digest: Any = ""


class _Models(msgspec.Struct):
    data: tuple[_Model, ...]


class OpenAICompatClient(HttpClient):
    """An OpenAI-compatible endpoint.

    Parameters
    ----------
    base_url
        The host (``/v1`` is added), or the full path of an API that lies elsewhere.
    key
        Bearer token; "" = none.
    clock
        Measures latency.
    parse_calls
        Reads the `tool_calls` of an answer.
    """

    def __init__(self, base_url: str, *, key: str = "", clock: Clock, parse_calls: ParseCalls) -> None:
        super().__init__(base_url, key=key, clock=clock, parse_calls=parse_calls)
        api = self._base if self._base.path.strip("/") else self._base / "v1"
        self._chat_url = api / "chat" / "completions"
        self._models_url = api / "models"
        self._is_built_in: bool | None = None

    async def chat(self, request: ChatRequest, timeout_s: float) -> Reply | Failure:
        """Ask once, for at most `timeout_s` seconds."""
        answer = await self._ask("POST", self._chat_url, _body(request), timeout_s)
        if isinstance(answer, Failure):
            return answer
        completion = self._decode(answer, _Completion)
        return completion if isinstance(completion, Failure) else self._reply(completion, answer)

    async def models(self) -> tuple[ModelInfo, ...]:
        """List the models without loading any; EndpointError when the endpoint can't be used."""
        listed = await self._listed(self._models_url, _Models)
        return tuple(ModelInfo(id=model.id, digest=text_of(model.digest)) for model in listed.data)

    async def unload(self, model: str) -> bool:
        """Unload a model of the built-in server; false elsewhere: this API has no way to do so."""
        if self._is_built_in is None:
            answer = await self._ask("GET", self._models_url, None, MODELS_TIMEOUT_S)
            listed = answer if isinstance(answer, Failure) else self._decode(answer, _Models)
            if isinstance(listed, Failure):
                return False
            self._is_built_in = any(known.owned_by == BUILT_IN_OWNER for known in listed.data)
        return self._is_built_in and await self._unload_by_generate(URL(self._base.origin()), model)

    async def capabilities(self, model: str) -> tuple[str, ...] | None:  # noqa: ARG002 - the protocol's
        """Return none: this API does not tell what a model can do."""
        return None

    def _reply(self, completion: _Completion, answer: Answer) -> Reply | Failure:
        if completion.error is not None:
            return self._failed("endpoint reports an error", str(completion.error))
        if not completion.choices:
            return self._failed("answer has no choice", f"of {len(answer.body)} bytes")
        message = completion.choices[0].message
        calls, malformed = self._parse_calls(message.tool_calls)
        usage = completion.usage if isinstance(completion.usage, dict) else {}
        return Reply(
            calls=calls,
            text=text_of(message.content),
            malformed=malformed,
            served_model=text_of(completion.model),
            latency_s=answer.latency_s,
            ttfb_s=answer.ttfb_s,
            input_tokens=count_of(usage.get("prompt_tokens")),
            output_tokens=count_of(usage.get("completion_tokens")),
        )


def _body(request: ChatRequest) -> dict[str, Any]:
    return {
        "model": request.model,
        "messages": request.messages,
        "temperature": request.temperature,
        "seed": request.seed,
        **tools_of(request),
    }
