"""Endpoints that behave as a test says: an HTTP server, or a program, and how each API writes an answer."""

from __future__ import annotations

import asyncio
import json
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from harnesslib.clients.command import CommandClient
from harnesslib.clients.ollama import OllamaClient
from harnesslib.clients.openai_compat import OpenAICompatClient
from harnesslib.parsers import parse_native

Behaviour = Callable[["Server", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


@dataclass
class Server:
    """Reads whole HTTP requests, and behaves as scripted: per path, or the same for all."""

    script: dict[str, Behaviour]
    port: int = 0
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    closed_by_client: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.add(asyncio.current_task())
        try:
            while not writer.is_closing():
                self.received.append(await _read_request(reader))
                behave = self.script.get(self.received[-1].path) or self.script["*"]
                await behave(self, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            self.closed_by_client.set()
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:]) if name}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, path, headers, body)


@asynccontextmanager
async def serving(script: Behaviour | dict[str, Behaviour]):
    server = Server(script if isinstance(script, dict) else {"*": script})
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in server.tasks:
            task.cancel()
        await asyncio.gather(*server.tasks)


def http(
    status: int, body: bytes | str | dict, *headers: str, length: int | None = None, end: str = ""
) -> Behaviour:
    """Answer with these bytes; `length` overrules the true one, `end` is "close" or "reset"."""
    data = _bytes(body)
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data) if length is None else length}", *headers]

    async def behave(server: Server, writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        if end == "reset":
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        elif end:
            writer.close()
        else:
            await writer.drain()

    behave.body = data
    return behave


def _bytes(body: bytes | str | dict) -> bytes:
    text = json.dumps(body) if isinstance(body, dict) else body
    return text.encode() if isinstance(text, str) else text


async def hang(server: Server, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def reset_at_once(server: Server, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def no_http(server: Server, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    writer.close()


class OpenAI:
    client = OpenAICompatClient
    chat_path = "/v1/chat/completions"
    models_path = "/v1/models"
    models_body = {"data": [{"id": "m", "owned_by": "me"}]}  # noqa: RUF012 - never changed

    @staticmethod
    def answer(message: object, **fields: object) -> dict:
        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        return {"choices": [{"message": message}], "model": "m-1", "usage": usage} | fields

    @staticmethod
    def call(name: str, arguments: dict) -> dict:
        return {"id": "x", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


class Ollama:
    client = OllamaClient
    chat_path = "/api/chat"
    models_path = "/api/tags"
    models_body = {"models": [{"name": "m", "digest": "abc"}]}  # noqa: RUF012 - never changed

    @staticmethod
    def answer(message: object, **fields: object) -> dict:
        return {
            "message": message,
            "model": "m-1",
            "prompt_eval_count": 7,
            "eval_count": 3,
            "done": True,
        } | fields

    @staticmethod
    def call(name: str, arguments: dict) -> dict:
        return {"function": {"name": name, "arguments": arguments}}


class Command:
    """Programs: each is a line for the shell, started in a folder that holds the files it reads."""

    client = CommandClient

    @staticmethod
    def answer(message: dict, **fields: object) -> dict:
        calls = message.get("tool_calls", [])
        if isinstance(calls, list):
            calls = [call.get("function") if isinstance(call, dict) else call for call in calls]
        usage = {"prompt_tokens": 7, "completion_tokens": 3}
        said = {"calls": calls, "text": message.get("content"), "model": "m-1", "usage": usage}
        return said | fields

    @staticmethod
    def call(name: str, arguments: dict) -> dict:
        return {"function": {"name": name, "arguments": arguments}}


@contextmanager
def program(
    line: str, body: bytes | str | dict = b"", *, key: str = "", clock: object = None
) -> Iterator[tuple]:
    """Yield a client whose program is a line for the shell, and its folder; `body` is in the file "body"."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "body").write_bytes(_bytes(body))
        command = ("sh", "-c", line.replace("PYTHON", shlex.quote(sys.executable)))
        yield (
            CommandClient(
                command, folder=folder, models=("m",), key=key, clock=clock, parse_calls=parse_native
            ),
            folder,
        )


ANSWER = "cat > request; cat body"
"""The line of a program that keeps what it was sent, and says what it was given."""
