"""The two APIs as they stand on the wire: requests decoded, answers and errors written down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from harnesslib.simulator.answers import TORN, Answer

T = TypeVar("T")

PROMPT_SHARE = 0.3
"""Share of a request's time that Ollama's counters give to reading the prompt."""


class Refusal(Exception):  # noqa: N818 - it is an answer, not a failure of the server
    """A request that is answered with an error, in the form of the API that was asked.

    Parameters
    ----------
    status
        HTTP status.
    message
        What is wrong and how to do better.
    kind, code
        OpenAI's `type` and `code` of an error.
    """

    def __init__(
        self, status: int, message: str, kind: str = "invalid_request_error", code: str | int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.code = status, message, kind, code


class ChatMessage(msgspec.Struct):
    """What matters of a chat message."""

    role: str
    content: str | list[dict[str, Any]] | None = None


class OfferedFunction(msgspec.Struct):
    """What matters of an offered function."""

    name: str


class OfferedTool(msgspec.Struct):
    """One entry of `tools`; both APIs have the same form."""

    function: OfferedFunction


class OpenAIChat(msgspec.Struct):
    """Body of ``POST /v1/chat/completions``; other fields are allowed and don't matter."""

    model: str
    messages: list[ChatMessage]
    tools: list[OfferedTool] | None = None
    seed: int | None = None
    temperature: float | None = None
    stream: bool | None = None


class OllamaOptions(msgspec.Struct):
    """What matters of Ollama's `options`."""

    seed: int | None = None
    temperature: float | None = None


class OllamaChat(msgspec.Struct):
    """Body of ``POST /api/chat``."""

    model: str
    messages: list[ChatMessage] | None = None
    tools: list[OfferedTool] | None = None
    options: OllamaOptions | None = None
    keep_alive: float | str | None = None
    stream: bool | None = None


class OllamaGenerate(msgspec.Struct):
    """Body of ``POST /api/generate``; without a prompt it loads or unloads the model."""

    model: str
    prompt: str | None = None
    options: OllamaOptions | None = None
    keep_alive: float | str | None = None
    stream: bool | None = None


class OllamaShow(msgspec.Struct):
    """Body of ``POST /api/show``."""

    model: str


def read(body: bytes, type_: type[T]) -> T:
    """Decode a request's body.

    Raises
    ------
    Refusal
        400: not JSON, a missing field or one of the wrong type.
    """
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, f"{error}; send a JSON object with the fields of this API") from error


def offered_names(tools: Sequence[OfferedTool] | None) -> list[str]:
    """Return the names of the offered functions."""
    return [tool.function.name for tool in tools or ()]


def error_body(path: str, refusal: Refusal) -> dict[str, Any]:
    """Return an error in the form of the API that `path` belongs to (503 as llama.cpp's server says it)."""
    if path.startswith("/api/"):
        return {"error": refusal.message}
    return {"error": {"message": refusal.message, "type": refusal.kind, "code": refusal.code}}


def openai_message(answer: Answer, position: int) -> dict[str, Any]:
    """Return an assistant message; `position` in the conversation makes the calls' ids unique in it."""
    calls = [
        {
            "id": f"call_{position}_{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": _arguments_text(call.arguments, answer)},
        }
        for number, call in enumerate(answer.calls)
    ]
    if not calls:
        return {"role": "assistant", "content": answer.text}
    return {"role": "assistant", "content": None, "tool_calls": calls}


def openai_completion(message: dict[str, Any], *, model: str, about: dict[str, Any]) -> dict[str, Any]:
    """Return a whole completion; `about` holds what differs per server (id, created, usage, ...)."""
    reason = "tool_calls" if "tool_calls" in message else "stop"
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    return {"object": "chat.completion", "model": model, "choices": [choice], **about}


def openai_usage(prompt_characters: int, answer: Answer) -> dict[str, int]:
    """Return the tokens of a completion."""
    prompt, completion = tokens(prompt_characters), tokens(_spoken(answer))
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def ollama_counters(
    answer: Answer, prompt_characters: int, load_s: float, latency_s: float
) -> dict[str, int]:
    """Return Ollama's counters, durations in nanoseconds."""
    prompt_s = PROMPT_SHARE * latency_s
    return {
        "total_duration": _nanoseconds(load_s + latency_s),
        "load_duration": _nanoseconds(load_s),
        "prompt_eval_count": tokens(prompt_characters),
        "prompt_eval_duration": _nanoseconds(prompt_s),
        "eval_count": tokens(_spoken(answer)),
        "eval_duration": _nanoseconds(latency_s - prompt_s),
    }


def ollama_message(answer: Answer) -> dict[str, Any]:
    """Return an assistant message: arguments are an object, or a torn string when malformed."""
    if not answer.calls:
        return {"role": "assistant", "content": answer.text}
    calls = [
        {
            "function": {
                "name": call.name,
                "arguments": _arguments_text(call.arguments, answer) if answer.malformed else call.arguments,
            }
        }
        for call in answer.calls
    ]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def ollama_model(model: str, digest: str, about: str) -> dict[str, Any]:
    """Return a model's entry in ``/api/tags``."""
    details = {"format": "simulated", "family": "simulated", "families": ["simulated"], "about": about}
    return {"name": model, "model": model, "size": 0, "digest": digest, "details": details}


def timestamp(moment: datetime | None = None) -> str:
    """Return a time in Ollama's form; now by default."""
    return (moment or datetime.now(UTC)).isoformat().replace("+00:00", "Z")


def tokens(characters: int) -> int:
    """Return a rough number of tokens, at least 1: English has about four characters to a token."""
    return characters // 4 + 1


def _spoken(answer: Answer) -> int:
    return len(answer.text) + sum(len(call.name) + len(repr(call.arguments)) for call in answer.calls)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def _arguments_text(arguments: dict[str, Any], answer: Answer) -> str:
    text = msgspec.json.encode(arguments).decode()
    return text[:-TORN] if answer.malformed and len(text) > TORN else "{" if answer.malformed else text
