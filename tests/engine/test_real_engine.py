"""Against a real engine, on request: see docs/how-to/real-engines.md. Whatever it says, nothing breaks."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from harnesslib import variants
from harnesslib.cli import main
from harnesslib.clients.opening import client_of
from harnesslib.executors.attempt import Target, take, warm_up
from harnesslib.records import Assignment, ChatRequest, EndpointConfig, Failure, Reply, Sample, Settings, Spec
from harnesslib.system_clock import SystemClock
from harnesslib.testing import tiny_suite
from harnesslib.workspace import Workspace

URL = os.environ.get("HARNESS_ENGINE_URL", "")
MODEL = os.environ.get("HARNESS_ENGINE_MODEL", "")
CLIENT = os.environ.get("HARNESS_ENGINE_CLIENT", "openai_compat")
SLOW_S = 60.0
SUITE = tiny_suite("atomic")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(900),  # engines may be slow
    pytest.mark.skipif(not (URL and MODEL), reason="needs HARNESS_ENGINE_URL and HARNESS_ENGINE_MODEL"),
]


def ask(work):
    """Open a client of the engine, and return what `work` makes of it."""
    endpoint = EndpointConfig(client=CLIENT, base_url=URL)
    client = client_of("engine", endpoint, clock=SystemClock(), folder=os.curdir)

    async def inside():
        async with client:
            return await work(client)

    return asyncio.run(inside())


def request(model: str = MODEL) -> ChatRequest:
    said = ({"role": "user", "content": "Say hello."},)
    return ChatRequest(model=model, messages=said, tools=(), temperature=1.0, seed=1)


def sample_with(**settings) -> Sample:
    usual = {"timeout_s": SLOW_S, "temperature": 1.0}
    spec = Spec(model=MODEL, phase="atomic", settings=Settings(**(usual | settings)))
    job = Assignment(
        stage="run", spec=spec, case_id="search-1", repeat=0, position=0, seed=1, requested_model=MODEL
    )
    return ask(lambda client: take(job, SUITE.cases[0], SUITE, Target(client, SystemClock(), "run-1")))


def test_it_warms_up():
    spec = Spec(model=MODEL, phase="atomic", settings=Settings())
    assert ask(lambda client: warm_up(client, spec, clock=SystemClock(), budget_s=300.0)).ok


def test_it_answers_with_counted_tokens():
    reply = ask(lambda client: client.chat(request(), SLOW_S))
    assert isinstance(reply, Reply)
    assert reply.latency_s >= reply.ttfb_s > 0
    assert reply.input_tokens
    assert reply.output_tokens


@pytest.mark.parametrize("variant", variants.NAMES)
def test_a_case_ends_with_an_outcome_of_the_model(variant):
    sample = sample_with(variant=variant)
    assert sample.outcome in {"pass", "wrong", "abstained", "malformed"}, sample.detail


def test_a_deadline_is_kept():
    assert "timeout" == sample_with(timeout_s=0.001).outcome


def test_a_model_that_it_does_not_have_is_a_failure():
    failure = ask(lambda client: client.chat(request("no-such/model"), SLOW_S))
    assert isinstance(failure, Failure)
    assert failure.kind in {"infra_error", "loading"}


def test_a_run_over_a_suite_is_measured(tmp_path, capsys):
    toml = (
        f'version = 1\n[endpoints.engine]\nclient = "{CLIENT}"\nbase_url = "{URL}"\nconcurrency = 1\n'
        f'[[models]]\nid = {json.dumps(MODEL)}\nendpoint = "engine"\n'
        f'[phases.atomic]\nsuite = "atomic"\nbaseline = {json.dumps(MODEL)}\n'
        f"[phases.atomic.settings]\ntimeout_s = {SLOW_S}\ntemperature = 1.0\n"
    )
    Workspace(tmp_path).initialise(toml, {})
    asked = ["run", MODEL, "atomic", "--repeats", "1", "--limit", "3", "--quiet", "--json"]
    assert 0 == main([*asked, "-w", str(tmp_path)])
    spec = json.loads(capsys.readouterr().out)["specs"][0]
    assert (3, 0.0) == (spec["samples"], spec["infra_share"])
