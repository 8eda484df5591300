"""What a model can do is asked without loading it, and an endpoint that can't tell is not guessed about."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from harnesslib.clients.ollama import OllamaClient
from harnesslib.clients.openai_compat import OpenAICompatClient
from harnesslib.parsers import parse_native
from harnesslib.testing import FakeClock


def ask(client_type, answer: web.Response | None, model: str = "m"):
    """Ask a server that answers /api/show like this; returns what was told, and every request it got."""
    got = []

    async def serve(request: web.Request) -> web.Response:
        got.append((request.method, request.path, await request.text()))
        return answer or web.Response(status=404)

    async def main():
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", serve)
        async with TestServer(application) as server:
            url = str(server.make_url("")).rstrip("/")
            async with client_type(url, clock=FakeClock(), parse_calls=parse_native) as client:
                return await client.capabilities(model)

    return asyncio.run(main()), got


def test_ollama_tells_and_only_the_description_is_asked_for():
    told, got = ask(OllamaClient, web.json_response({"capabilities": ["completion", "tools"]}), "qwen3:8b")
    assert ("completion", "tools") == told
    assert [("POST", "/api/show", '{"model":"qwen3:8b"}')] == got


def test_a_model_without_tools_is_told_as_such():
    assert ("completion",) == ask(OllamaClient, web.json_response({"capabilities": ["completion"]}))[0]
    assert () == ask(OllamaClient, web.json_response({"capabilities": []}))[0]


@pytest.mark.parametrize(
    "answer",
    [
        {"json": {"details": {}}},
        {"json": {"capabilities": None}},
        {"json": {"capabilities": "tools"}},
        {"json": ["tools"]},
        {"text": "<html>"},
        {"status": 404},
        {"status": 500},
    ],
    ids=str,
)
def test_an_ollama_that_does_not_tell_is_not_guessed_about(answer):
    known = dict(answer)
    response = web.json_response(known.pop("json")) if "json" in known else web.Response(**known)
    assert ask(OllamaClient, response)[0] is None


def test_an_openai_api_has_no_way_to_tell_and_is_not_asked():
    assert (None, []) == ask(OpenAICompatClient, None)
