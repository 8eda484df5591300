"""What each fault of an endpoint becomes: one table, put through whole samples, for every client.

The endpoint would answer rightly, were it not for the fault. docs/faults.md has the same table, with reasons.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from harnesslib.clients.command import CommandClient
from harnesslib.executors.attempt import Target, take
from harnesslib.parsers import parse_native
from harnesslib.records import Assignment, Sample, Settings, Spec
from harnesslib.system_clock import SystemClock
from harnesslib.testing import tiny_suite

ROOT = Path(__file__).resolve().parents[2]


def _scripted():
    path = ROOT / "tests" / "scripted_endpoint.py"
    spec = importlib.util.spec_from_file_location("scripted_endpoint", path)
    module = sys.modules.setdefault("scripted_endpoint", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


SCRIPTED = _scripted()
http, hang, serving = SCRIPTED.http, SCRIPTED.hang, SCRIPTED.serving
OpenAI, Ollama, Command = SCRIPTED.OpenAI, SCRIPTED.Ollama, SCRIPTED.Command
CLIENTS = {"openai_compat": OpenAI, "ollama": Ollama, "command": Command}

SUITE = tiny_suite("atomic")
CASE = SUITE.cases[0]
ARGUMENTS = {"number": 1}
PATIENT_S, SHORT_S = 15.0, 0.3
"""Deadlines: of what ends by itself, and of what doesn't."""


def answer(dialect, arguments: dict | str = ARGUMENTS, **fields) -> dict:
    """Return the body with the right call; `arguments` may be what no JSON library would write."""
    call = dialect.call("double", {})
    call["function"]["arguments"] = json.dumps(arguments) if dialect is OpenAI else arguments
    if isinstance(arguments, str):
        call["function"]["arguments"] = arguments
    return dialect.answer({"role": "assistant", "content": "", "tool_calls": [call]}, **fields)


def raw(dialect, arguments: str) -> bytes:
    """Return the right body with these characters as the arguments: in a string in OpenAI's API."""
    written = json.dumps(arguments) if dialect is OpenAI else arguments
    return json.dumps(answer(dialect, "HERE")).replace('"HERE"', written).encode()


def closing(dialect) -> dict:
    return dialect.answer({"role": "assistant", "content": "Done."})


class Fault(NamedTuple):
    """A fault: what a server does with the right answer, and what a program does; none where it can't."""

    http: Callable | None
    program: Callable | None
    outcome: str | dict[str, str]
    says: str = ""
    requests: int = 1
    deadline_s: float = PATIENT_S


def status(code: int, message: str, *headers: str, **fields) -> tuple[Callable, Callable]:
    """Return a refusal with a status, as a server and as a program says it."""
    body = {"error": {"message": message, "status": code} | fields}
    return (lambda _: http(code, {"error": {"message": message}}, *headers)), (lambda _: body)


def body(make: Callable, *headers: str) -> tuple[Callable, Callable]:
    """Return the same bytes from a server and from a program."""
    return (lambda dialect: http(200, make(dialect), *headers)), make


def half(dialect) -> bytes:
    text = json.dumps(answer(dialect)).encode()
    return text[: len(text) // 2]


def slow(part: bytes) -> tuple[Callable, str]:
    """Return an endpoint that says only the first part, and is silent then."""
    return (lambda _: http(200, part, length=500)), f"printf '{part.decode()}'; exec sleep 60"


def twice(dialect) -> bytes:
    text = json.dumps(answer(dialect))
    return (text[:-1] + ', "model": "m-2"}').encode()


def a_stream(dialect) -> bytes:
    return b"data: " + json.dumps(answer(dialect)).encode() + b"\n\ndata: [DONE]\n\n"


BY_API = {"openai_compat": "malformed", "ollama": "infra_error", "command": "infra_error"}
"""In OpenAI's API arguments are text that the model wrote; elsewhere the endpoint itself writes them."""

FAULTS = {
    "none": Fault(*body(answer), "pass", "", 2),
    "connection refused": Fault(None, None, "infra_error", "can't ", 2),
    "404": Fault(*status(404, "no such model"), "infra_error", "404: no such model"),
    "401": Fault(*status(401, "wrong key"), "infra_error", "401: wrong key"),
    "429": Fault(*status(429, "slow down"), "infra_error", "429: slow down", 2),
    "429, Retry-After within the deadline": Fault(
        *status(429, "slow down", "Retry-After: 0.1", retry_after_s=0.1), "infra_error", "429: slow down", 2
    ),
    "429, Retry-After beyond the deadline": Fault(
        *status(429, "slow down", "Retry-After: 60", retry_after_s=60), "infra_error", "429: slow down"
    ),
    "500": Fault(*status(500, "oops"), "infra_error", "500: oops", 2),
    "503, busy": Fault(*status(503, "queue full"), "infra_error", "503: queue full", 2),
    "503, loading": Fault(*status(503, "Loading model"), "timeout", "deadline", 0, SHORT_S),
    "connection reset": Fault(
        lambda _: SCRIPTED.reset_at_once, lambda _: "kill -9 $$", "infra_error", "", 2
    ),
    "reset inside the body": Fault(
        lambda dialect: http(200, half(dialect), length=999, end="reset"), None, "infra_error", "broken", 2
    ),
    "HTML page": Fault(
        *body(lambda _: "<html>Welcome</html>", "Content-Type: text/html"), "infra_error", "can't be read", 2
    ),
    "half a body": Fault(
        lambda dialect: http(200, half(dialect), length=999, end="close"), half, "infra_error", "", 2
    ),
    "content length too small": Fault(
        lambda dialect: http(200, answer(dialect), length=9), None, "infra_error", "", 2
    ),
    "content length too large": Fault(
        lambda dialect: http(200, answer(dialect), length=9999), None, "timeout", "", 1, SHORT_S
    ),
    "content length is no number": Fault(
        lambda dialect: http(200, answer(dialect), "Content-Length: many"), None, "infra_error", "", 2
    ),
    "invalid UTF-8": Fault(
        *body(lambda dialect: json.dumps(answer(dialect)).encode().replace(b"m-1", b"m-\xff")),
        "infra_error", "can't be read", 2,
    ),
    "a key twice in the arguments": Fault(
        *body(lambda dialect: raw(dialect, '{"number": 2, "number": 1}')), BY_API, "stands twice", 0
    ),
    "a key twice elsewhere": Fault(*body(twice), "infra_error", "stands twice", 2),
    "NaN in the arguments": Fault(
        *body(lambda dialect: raw(dialect, '{"number": NaN}')), BY_API, "", 0
    ),
    "a number beyond all bounds": Fault(
        *body(lambda dialect: raw(dialect, '{"number": 1e999}')), BY_API, "", 0
    ),
    "10 MB of text": Fault(
        *body(lambda dialect: dialect.answer({"content": "x" * 10_000_000})), "infra_error", "too long", 2
    ),
    "silence": Fault(lambda _: hang, lambda _: "exec sleep 60", "timeout", "deadline", 1, SHORT_S),
    "slow headers": Fault(lambda _: slow_headers, None, "timeout", "deadline", 1, SHORT_S),
    "slow body": Fault(
        slow(b"{")[0], lambda _: slow(b"{")[1], "timeout", "deadline", 1, SHORT_S
    ),
    "wrong content type": Fault(
        lambda dialect: http(200, answer(dialect), "Content-Type: text/html"), None, "infra_error",
        "expected JSON", 2,
    ),
    "a stream that nobody asked for": Fault(
        *body(a_stream, "Content-Type: text/event-stream"), "infra_error", "can't be read", 2
    ),
    "packed body": Fault(
        lambda dialect: http(200, answer(dialect), "Content-Encoding: gzip"), None, "infra_error", "packed", 2
    ),
    "redirect": Fault(
        lambda _: http(302, "", "Location: /elsewhere"), None, "infra_error", "302", 2
    ),
    "malformed tool call": Fault(*body(lambda dialect: answer(dialect, '{"number": ')), "malformed", "", 1),
    "tool calls that are no list": Fault(
        *body(lambda dialect: dialect.answer({"content": "", "tool_calls": "double(1)"})), "malformed", "", 1
    ),
    "empty reply": Fault(*body(lambda dialect: dialect.answer({"content": ""})), "abstained", "", 1),
    "empty body": Fault(*body(lambda _: b""), "infra_error", "can't be read", 2),
    "no answer in it": Fault(*body(lambda _: {}), "infra_error", "answer has no", 2),
    "an error with status 200": Fault(*body(lambda _: {"error": "oops"}), "infra_error", "oops", 2),
    "failing after a right answer": Fault(
        None, lambda _: "cat body; exit 1", "infra_error", "exit code 1", 2
    ),
}  # fmt: skip


async def slow_headers(server, writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-")
    await hang(server, writer)


def right_then(behaviour, dialect):
    """Return a server that shows the fault first, and closes the turn once a tool has answered."""
    done = http(200, closing(dialect))

    async def behave(server, writer):
        answered = any(message["role"] == "tool" for message in server.received[-1].json["messages"])
        await (done if answered else behaviour)(server, writer)

    return behave


async def sample_of(client, deadline_s: float) -> Sample:
    """Take one sample; a second after its deadline it must be there."""
    settings = Settings(timeout_s=deadline_s, retries=1)
    spec = Spec(model="m", phase="atomic", settings=settings)
    job = Assignment(
        stage="run", spec=spec, case_id=CASE.id, repeat=0, position=0, seed=1, requested_model="m"
    )
    async with asyncio.timeout(deadline_s + 1.0):
        return await take(job, CASE, SUITE, Target(client, SystemClock(), "run-1"))


def over_http(dialect, fault: Fault) -> Sample:
    async def main():
        behaviour = right_then(fault.http(dialect), dialect) if fault.http else hang
        async with serving(behaviour) as server:
            client = dialect.client(server.url, key="", clock=SystemClock(), parse_calls=parse_native)
            if fault.http:
                async with client:
                    return await sample_of(client, fault.deadline_s)
        async with client:
            return await sample_of(client, fault.deadline_s)

    return asyncio.run(main())


def by_program(fault: Fault, folder: Path) -> Sample:
    said = fault.program(Command) if fault.program else ""
    shows = isinstance(said, str) and said.startswith(("exec ", "kill ", "printf ", "cat "))
    what = answer(Command) if shows else said
    text = json.dumps(what) if isinstance(what, dict) else what
    (folder / "body").write_bytes(text.encode() if isinstance(text, str) else text)
    (folder / "closing").write_text(json.dumps(closing(Command)))
    line = f"if grep -q tool_call_id; then cat closing; else {said if shows else 'cat body'}; fi"
    command = ("sh", "-c", line) if fault.program else ("./not-there",)

    async def main():
        client = CommandClient(command, folder=folder, clock=SystemClock(), parse_calls=parse_native)
        async with client:
            return await sample_of(client, fault.deadline_s)

    return asyncio.run(main())


def exists(name: str, fault: str) -> bool:
    """Return whether a client can meet a fault."""
    row = FAULTS[fault]
    return bool(row.program if name == "command" else row.http) or fault == "connection refused"


@pytest.mark.parametrize(
    ("name", "fault"), [(name, fault) for fault in FAULTS for name in CLIENTS if exists(name, fault)]
)
def test_a_fault_becomes_the_outcome_that_stands_in_the_table(name, fault, tmp_path):
    row, dialect = FAULTS[fault], CLIENTS[name]
    sample = by_program(row, tmp_path) if name == "command" else over_http(dialect, row)
    expected = row.outcome if isinstance(row.outcome, str) else row.outcome[name]
    assert (expected, True) == (sample.outcome, row.says in sample.detail), sample.detail
    if row.requests:
        assert row.requests == sample.requests
    assert "pass" != sample.outcome or fault == "none"


def test_the_documentation_has_the_same_table():
    text = (ROOT / "docs/faults.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "|" in line
    ]
    documented = {row[0]: dict(zip(CLIENTS, row[1:4], strict=True)) for row in rows[2:]}
    expected = {
        fault: {
            name: (row.outcome if isinstance(row.outcome, str) else row.outcome[name])
            if exists(name, fault)
            else "n/a"
            for name in CLIENTS
        }
        for fault, row in FAULTS.items()
        if fault != "none"
    }
    assert expected == documented
