"""A program as an endpoint: what it is sent, how it is ended, and what it leaves behind."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from harnesslib.clients.command import CommandClient
from harnesslib.clients.opening import client_of
from harnesslib.errors import EndpointError, InputError
from harnesslib.parsers import parse_native
from harnesslib.programs import LAST_WORDS_BYTES
from harnesslib.records import Call, ChatRequest, EndpointConfig, Failure, ModelInfo, Reply, Tool
from harnesslib.testing import FakeClock


def _scripted():
    path = Path(__file__).resolve().parents[1] / "scripted_endpoint.py"
    spec = importlib.util.spec_from_file_location("scripted_endpoint", path)
    module = sys.modules.setdefault("scripted_endpoint", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


SCRIPTED = _scripted()
KEY = "sk-very-secret"
TOOL = Tool(name="add", description="Add.", parameters={"type": "object", "properties": {}})
REQUEST = ChatRequest(
    model="m", messages=({"role": "user", "content": "hi"},), tools=(TOOL,), temperature=0.5, seed=2**62
)
HELLO = {"text": "hello"}


def ask(line, body=b"", *, timeout_s=10.0, request=REQUEST):
    """Put one request to a program; returns (what the client said, the request if it was kept)."""

    async def main(client):
        async with client:
            return await client.chat(request, timeout_s)

    with SCRIPTED.program(line, body, key=KEY, clock=FakeClock()) as (client, folder):
        answer = asyncio.run(main(client))
        kept = folder / "request"
        return answer, json.loads(kept.read_bytes()) if kept.exists() else None


def client_for(*command, folder="."):
    return CommandClient(
        command, folder=folder, models=("a", "b"), clock=FakeClock(), parse_calls=parse_native
    )


def models(client):
    async def main():
        async with client:
            return await client.models()

    return asyncio.run(main())


def test_a_program_gets_the_request_in_openais_form_and_answers_with_calls():
    answer, request = ask(SCRIPTED.ANSWER, {"calls": [{"name": "add", "arguments": {"a": 1}}]})
    assert (Call(name="add", arguments={"a": 1}),) == answer.calls
    function = {"name": "add", "description": "Add.", "parameters": TOOL.parameters}
    assert {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": function}],
        "temperature": 0.5,
        "seed": 2**62,
    } == request


def test_without_tools_the_list_is_empty():
    bare = ChatRequest(model="m", messages=(), tools=(), temperature=0.0, seed=1)
    _, request = ask(SCRIPTED.ANSWER, HELLO, request=bare)
    assert [] == request["tools"]


def test_a_program_may_answer_without_reading_a_long_request():
    long = ChatRequest(
        model="m", messages=({"role": "user", "content": "x" * 2_000_000},), tools=(), temperature=0.0, seed=1
    )
    answer, _ = ask("cat body", HELLO, request=long)
    assert "hello" == answer.text


def test_a_long_answer_and_long_last_words_do_not_wait_for_each_other():
    line = 'PYTHON -c \'import sys; sys.stderr.write("e" * 1000000); sys.stdout.write(open("body").read())\''
    answer, _ = ask(line, {"text": "a" * 1_000_000})
    assert 1_000_000 == len(answer.text)


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("echo no model >&2; exit 3", "program ended with exit code 3: no model"),
        ("exit 1", "program ended with exit code 1: it said nothing about why"),
        ("kill -SEGV $$", "program was ended by SIGSEGV: it said nothing about why"),
        ("kill -64 $$", "program was ended by "),
        ("echo sk-very-secret >&2; exit 1", "program ended with exit code 1: ***"),
        ("cat body; exit 1", "program ended with exit code 1: "),
        ("echo 'half {'; echo why >&2", "answer can't be read: "),
    ],
)
def test_a_program_that_fails_says_why(line, detail):
    answer, _ = ask(line, HELLO)
    assert isinstance(answer, Failure)
    assert ("infra_error", None) == (answer.kind, answer.status)
    assert answer.detail.startswith(detail)
    assert KEY not in answer.detail


def test_what_it_said_last_stands_beside_what_cannot_be_read():
    answer, _ = ask("echo 'half {'; echo out of memory >&2")
    assert answer.detail.endswith("; it said: out of memory")


def test_of_long_last_words_the_end_is_kept():
    line = (
        f'PYTHON -c \'import sys; sys.stderr.write("x" * {2 * LAST_WORDS_BYTES} + " the end"); sys.exit(1)\''
    )
    answer, _ = ask(line)
    assert answer.detail.endswith("x the end")
    assert len(answer.detail) < LAST_WORDS_BYTES


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("busy", ("infra_error", "endpoint reports an error: busy", None, None)),
        (
            {"message": "slow down", "status": 429, "retry_after_s": 2},
            ("infra_error", "endpoint reports an error 429: slow down", 429, 2.0),
        ),
        ({"message": "Loading model", "status": 503}, ("loading", "Loading model", 503, None)),
        (
            {"status": "429", "retry_after_s": True},
            ("infra_error", "endpoint reports an error: ", None, None),
        ),
        ({"retry_after_s": -1}, ("infra_error", "endpoint reports an error: ", None, 0.0)),
    ],
)
def test_a_program_may_hand_on_what_its_own_endpoint_said(error, expected):
    answer, _ = ask(SCRIPTED.ANSWER, {"error": error})
    assert expected == (answer.kind, answer.detail, answer.status, answer.retry_after_s)


def test_a_program_that_is_not_there_is_a_failure_and_no_endpoint():
    missing = client_for("./my_model")

    async def main():
        async with missing:
            return await missing.chat(REQUEST, 5.0)

    assert asyncio.run(main()).detail.startswith("program can't be started: No such file")
    with pytest.raises(EndpointError, match=r"no such program.*correct `command`"):
        models(missing)


def members(group: int) -> list[psutil.Process]:
    """Return the living processes of a group; a zombie is dead, whoever is to bury it."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def wait_until_gone(folder) -> None:
    """Return when nothing is left of the process group that a program wrote down."""
    while members(int((folder / "group").read_text())):
        os.sched_yield()


SLOW_FAMILY = "echo $$ > group; sleep 60 & sleep 60 & cat; wait"


def test_when_time_is_up_the_program_and_its_children_are_killed():
    async def main(client):
        async with client:
            return await client.chat(REQUEST, 1.0)

    with SCRIPTED.program(SLOW_FAMILY, clock=FakeClock()) as (client, folder):
        answer = asyncio.run(main(client))
        assert "timeout" == answer.kind
        wait_until_gone(folder)


def test_a_request_that_is_given_up_leaves_no_program_behind():
    async def main(client, folder):
        async with client:
            task = asyncio.create_task(client.chat(REQUEST, 60.0))
            while not (folder / "group").exists() or not (folder / "group").read_text():  # noqa: ASYNC110
                await asyncio.sleep(0)  # it comes from another process: there is no event to wait for
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with SCRIPTED.program(SLOW_FAMILY, clock=FakeClock()) as (client, folder):
        asyncio.run(main(client, folder))
        wait_until_gone(folder)


def test_a_program_that_writes_without_end_is_stopped_at_the_bound():
    answer, _ = ask("exec cat /dev/zero")
    assert Failure(kind="infra_error", detail="answer is too long: more than 8 MB") == answer


def test_a_grandchild_that_keeps_the_pipes_is_not_waited_for_beyond_the_time_limit():
    fled = "import os, time; os.setsid() if os.fork() == 0 else os._exit(0); time.sleep(5)"
    answer, _ = ask(f"PYTHON -c '{fled}'", timeout_s=1.0)
    assert "timeout" == answer.kind


def test_it_has_the_models_of_harness_toml_under_the_digest_of_its_files(tmp_path):
    script = tmp_path / "my_model.py"
    script.write_text("print(1)")
    first = models(client_for("python3", "my_model.py", folder=tmp_path))
    assert ["a", "b"] == [model.id for model in first]
    assert 1 == len({model.digest for model in first})
    assert first == models(client_for("python3", "my_model.py", folder=tmp_path))
    script.write_text("print(2)")
    assert first != models(client_for("python3", "my_model.py", folder=tmp_path))
    assert isinstance(first[0], ModelInfo)


def test_it_unloads_nothing():
    assert not asyncio.run(client_for("cat").unload("m"))


def test_a_closed_client_says_so():
    with pytest.raises(EndpointError, match="not open"):
        asyncio.run(client_for("cat").chat(REQUEST, 1.0))


@pytest.mark.parametrize("command", [(), ("",), ("python3", "")])
def test_an_empty_command_is_refused(command):
    with pytest.raises(InputError, match=r"command = \["):
        client_for(*command)


def test_time_is_measured_by_the_given_clock():
    class Ticking(FakeClock):
        def monotonic(self):
            self.advance(1.0)
            return self.seconds

    async def main(client):
        async with client:
            return await client.chat(REQUEST, 10.0)

    with SCRIPTED.program(SCRIPTED.ANSWER, HELLO, clock=Ticking()) as (client, _):
        answer = asyncio.run(main(client))
    assert (1.0, 2.0) == (answer.ttfb_s, answer.latency_s)
    assert isinstance(answer, Reply)


def test_the_client_that_harness_toml_asks_for_is_made_with_its_key(monkeypatch, tmp_path):
    monkeypatch.setenv("MY_KEY", KEY)
    program = EndpointConfig(client="command", command=("cat",), key_env="MY_KEY")
    kinds = {
        "CommandClient": program,
        "OllamaClient": EndpointConfig(client="ollama", base_url="http://127.0.0.1:1", key_env="MY_KEY"),
        "OpenAICompatClient": EndpointConfig(base_url="http://127.0.0.1:1"),
    }
    for kind, endpoint in kinds.items():
        made = client_of("here", endpoint, clock=FakeClock(), folder=tmp_path, models=("a",))
        assert kind == type(made).__name__
        assert KEY not in repr(made)
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(InputError, match=r"endpoint 'here': the environment variable MY_KEY"):
        client_of("here", program, clock=FakeClock(), folder=tmp_path)
