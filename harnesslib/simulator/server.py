"""Simulated models behind HTTP: the OpenAI-compatible API and Ollama's, side by side."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from aiohttp import web

from harnesslib.errors import EndpointError
from harnesslib.records import SimulatedModel
from harnesslib.simulator import wire
from harnesslib.simulator.loading import parse_keep_alive
from harnesslib.simulator.serving import ModelRoom, Question, Served, StillLoadingError
from harnesslib.simulator.trouble import FaultError

OWNER = "harnesslib-simulator"
"""What ``owned_by`` says in ``/v1/models``: a client may then unload models through Ollama's API."""

VERSION = "0.0.0-simulator"
LARGEST_BODY = 8 * 1024 * 1024
SHUTDOWN_S = 0.5
FOR_GOOD_S = 100 * 365 * 86400.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Json = dict[str, Any]


class Endpoint:
    """The handlers of both APIs over one room of models."""

    def __init__(self, room: ModelRoom) -> None:
        self._room = room
        self._ids = itertools.count(1)

    def application(self) -> web.Application:
        """Return the application with every route."""
        app = web.Application(middlewares=[in_the_form_of_the_api], client_max_size=LARGEST_BODY)
        app.add_routes(
            [
                web.get("/healthz", self.health),
                web.get("/v1/models", self.openai_models),
                web.post("/v1/chat/completions", self.openai_chat),
                web.get("/api/version", self.ollama_version),
                web.get("/api/tags", self.ollama_tags),
                web.get("/api/ps", self.ollama_loaded),
                web.post("/api/show", self.ollama_show),
                web.post("/api/chat", self.ollama_chat),
                web.post("/api/generate", self.ollama_generate),
            ]
        )
        return app

    async def health(self, _request: web.Request) -> web.Response:
        """Say that the server runs; no model is touched."""
        return _json({"status": "ok"})

    async def openai_models(self, _request: web.Request) -> web.Response:
        """List the models without loading any."""
        models = [
            {"id": name, "object": "model", "created": 0, "owned_by": OWNER, "digest": digest}
            for name, digest in self._room.digests.items()
        ]
        return _json({"object": "list", "data": models})

    async def openai_chat(self, request: web.Request) -> web.Response:
        """Answer one chat completion."""
        body = await request.read()
        chat = wire.read(body, wire.OpenAIChat)
        if chat.stream:
            raise wire.Refusal(400, "stream: this server answers whole; send false or leave it out")
        if not chat.messages:
            raise wire.Refusal(400, "messages: expected at least one message")
        model = self._model(chat.model)
        question = Question(chat.messages, wire.offered_names(chat.tools), chat.seed)
        served = await self._room.ask(model.id, question)
        about = {
            "id": f"chatcmpl-{next(self._ids)}",
            "created": int(time.time()),
            "system_fingerprint": f"fp_{self._room.digests[model.id][:10]}",
            "usage": wire.openai_usage(len(body), served.answer),
        }
        message = wire.openai_message(served.answer, served.conversation.length)
        return _json(wire.openai_completion(message, model=model.id, about=about))

    async def ollama_version(self, _request: web.Request) -> web.Response:
        """Say which server this is."""
        return _json({"version": VERSION})

    async def ollama_tags(self, _request: web.Request) -> web.Response:
        """List the models without loading any."""
        return _json({"models": [self._entry(name) for name in self._room.models]})

    async def ollama_loaded(self, _request: web.Request) -> web.Response:
        """List the models in memory, and until when they stay."""
        today = datetime.now(UTC)
        loaded = []
        for name, left_s in self._room.loaded().items():
            until = today + timedelta(seconds=FOR_GOOD_S if left_s is None else min(left_s, FOR_GOOD_S))
            loaded.append({**self._entry(name), "expires_at": wire.timestamp(until), "size_vram": 0})
        return _json({"models": loaded})

    async def ollama_show(self, request: web.Request) -> web.Response:
        """Describe one model."""
        model = self._model(wire.read(await request.read(), wire.OllamaShow).model)
        details = self._entry(model.id)["details"]
        shown = {"details": details, "capabilities": ["completion", "tools"], "model_info": {}}
        return _json({**shown, "modelfile": "", "parameters": "", "template": ""})

    async def ollama_chat(self, request: web.Request) -> web.Response:
        """Answer one chat message; without messages, load or unload the model."""
        body = await request.read()
        chat = wire.read(body, wire.OllamaChat)
        model, keep_alive_s = self._model(chat.model), _keep_alive(chat.keep_alive)
        if not chat.messages:
            moved = {**self._moved(model, keep_alive_s), "message": {"role": "assistant", "content": ""}}
            return _ollama(moved, model, stream=chat.stream)
        seed = chat.options.seed if chat.options else None
        question = Question(chat.messages, wire.offered_names(chat.tools), seed, keep_alive_s)
        served = await self._room.ask(model.id, question)
        said = {"message": wire.ollama_message(served.answer), **_counters(served, len(body))}
        return _ollama(said, model, stream=chat.stream)

    async def ollama_generate(self, request: web.Request) -> web.Response:
        """Answer a bare prompt; without one, load or unload the model."""
        body = await request.read()
        asked = wire.read(body, wire.OllamaGenerate)
        model, keep_alive_s = self._model(asked.model), _keep_alive(asked.keep_alive)
        if not asked.prompt:
            moved = {**self._moved(model, keep_alive_s), "response": ""}
            return _ollama(moved, model, stream=asked.stream)
        seed = asked.options.seed if asked.options else None
        messages = [wire.ChatMessage(role="user", content=asked.prompt)]
        served = await self._room.ask(model.id, Question(messages, (), seed, keep_alive_s))
        said = {"response": served.answer.text, **_counters(served, len(body))}
        return _ollama(said, model, stream=asked.stream)

    def _model(self, name: str) -> SimulatedModel:
        if name not in self._room.models:
            known = ", ".join(self._room.models)
            raise wire.Refusal(
                404, f"model {name!r} not found; this server has {known}", code="model_not_found"
            )
        return self._room.models[name]

    def _moved(self, model: SimulatedModel, keep_alive_s: float | None) -> Json:
        return {"done": True, "done_reason": self._room.move(model.id, keep_alive_s)}

    def _entry(self, name: str) -> Json:
        return wire.ollama_model(name, self._room.digests[name], self._room.models[name].about)


@web.middleware
async def in_the_form_of_the_api(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write every error as JSON in the form of the API that was asked."""
    try:
        return await handler(request)
    except StillLoadingError:
        refusal = wire.Refusal(503, "Loading model", "unavailable_error", 503)
    except FaultError as error:
        if error.kind == "reset" and request.transport is not None:
            request.transport.abort()
        refusal = wire.Refusal(500, "simulated fault", "server_error", 500)
    except wire.Refusal as error:
        refusal = error
    except web.HTTPException as error:
        refusal = wire.Refusal(error.status, f"{error.reason}: {request.method} {request.path}")
    return _json(wire.error_body(request.path, refusal), status=refusal.status)


async def run(room: ModelRoom, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called once with the base URL, inside the event loop.

    Raises
    ------
    EndpointError
        The address can't be bound.
    """
    runner = web.AppRunner(Endpoint(room).application(), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            cure = "cure: choose another port, or 0 for any free one"
            raise EndpointError(
                f"model server: can't listen on {host}:{port}: {error.strerror}; {cure}"
            ) from error
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        bound = runner.addresses[0][1]
        ready(f"http://{host}:{bound}")
        await stop.wait()
    finally:
        await runner.cleanup()


def _json(value: Json, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _ollama(fields: Json, model: SimulatedModel, *, stream: bool | None) -> web.Response:
    """Write an answer of Ollama's API; its streams, the default there, have this one line."""
    body = {"model": model.id, "created_at": wire.timestamp(), **fields}
    if stream is False:
        return _json(body)
    return web.Response(body=msgspec.json.encode(body) + b"\n", content_type="application/x-ndjson")


def _counters(served: Served, prompt_characters: int) -> Json:
    counters = wire.ollama_counters(served.answer, prompt_characters, served.load_s, served.latency_s)
    return {"done": True, "done_reason": "stop", **counters}


def _keep_alive(value: float | str | None) -> float | None:
    try:
        return parse_keep_alive(value)
    except ValueError as error:
        raise wire.Refusal(400, f'keep_alive: {value!r} is neither seconds nor text like "5m"') from error
