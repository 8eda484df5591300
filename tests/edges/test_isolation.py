"""Samples in processes of their own: the same results, and a crash or a hang stays where it was."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.resources import files
from pathlib import Path

import msgspec
import pytest

from harnesslib.clients.opening import client_of
from harnesslib.executors import apart
from harnesslib.executors.apart import Place, take_apart
from harnesslib.executors.attempt import Target, take
from harnesslib.executors.isolated import main
from harnesslib.records import Assignment, Call, Case, EndpointConfig, Sample, Settings, Spec
from harnesslib.run_benchmark import RunOptions, run
from harnesslib.system_clock import SystemClock
from harnesslib.testing import FakeClient, right_answer, tiny_suite
from harnesslib.workspace import Workspace

SUITE = tiny_suite("atomic")
CASE = SUITE.cases[0]
RIGHT = Call(name="double", arguments={"number": 1})
ANSWERS = "if grep -q tool_call_id; then cat end; else cat body; fi"
"""A model as a program: its call first, words once a tool has answered."""


def job(case_id: str = CASE.id, **settings) -> Assignment:
    spec = Spec(model="m", phase="atomic", settings=Settings(**({"timeout_s": 20.0} | settings)))
    return Assignment(
        stage="run", spec=spec, case_id=case_id, repeat=1, position=4, seed=7, requested_model="asked"
    )


@pytest.fixture
def endpoint(tmp_path):
    """Return a place whose model is a program that gives the right answer."""
    body = {"calls": [msgspec.to_builtins(RIGHT)], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    (tmp_path / "body").write_text(json.dumps(body))
    end = {"text": "Done.", "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
    (tmp_path / "end").write_text(json.dumps(end))
    command = EndpointConfig(client="command", command=("sh", "-c", ANSWERS), key_env="MY_KEY")
    return Place("local", command, str(tmp_path))


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-very-secret")


def take_one(place: Place, assignment: Assignment | None = None) -> Sample:
    target = Target(FakeClient(right_answer), SystemClock(), "run-1", price=(1.0, 2.0), concurrency=3)
    return asyncio.run(take_apart(assignment or job(), CASE, SUITE, target, place))


def program(monkeypatch, source: str) -> None:
    """Put another program in the place of the one that takes a sample."""
    monkeypatch.setattr(apart, "PROGRAM", (sys.executable, "-c", source))


def test_a_sample_taken_apart_has_everything_that_one_taken_here_has(endpoint):
    sample = take_one(endpoint)
    assert ("pass", ((RIGHT,),), "Done.") == (sample.outcome, sample.turns, sample.text)
    assert ("run-1", "asked", 1, 4, 7, 3) == (
        sample.run_id, sample.requested_model, sample.repeat, sample.position, sample.seed, sample.concurrency
    )  # fmt: skip
    assert (12, 3, 18e-6) == (sample.input_tokens, sample.output_tokens, sample.cost)
    assert sample.latency_s > 0


@pytest.mark.parametrize(
    ("source", "detail"),
    [
        ("import os; os.kill(os.getpid(), 11)", "isolated process was ended by SIGSEGV: it said nothing"),
        ("raise SystemExit('no memory')", "isolated process ended with exit code 1: no memory"),
        ("print('hello')", "isolated process said no sample: "),
        ("", "isolated process said no sample: "),
        ("print('x' * 9_000_000)", "isolated process wrote too much: "),
    ],
)
def test_a_process_that_goes_wrong_makes_an_infra_error_that_says_how(source, detail, endpoint, monkeypatch):
    program(monkeypatch, source)
    sample = take_one(endpoint)
    assert ("infra_error", None) == (sample.outcome, sample.latency_s)
    assert sample.detail.startswith(detail)
    assert job().key == sample.key


def test_a_process_that_hangs_is_killed_a_second_after_its_deadline(endpoint, monkeypatch):
    program(monkeypatch, "import time; print(flush=True); time.sleep(60)")
    sample = take_one(endpoint, job(timeout_s=0.1))
    assert "isolated process was killed: it did not end by its deadline of 0.1 s" == sample.detail
    assert "infra_error" == sample.outcome


def test_a_process_that_never_gets_ready_is_killed(endpoint, monkeypatch):
    monkeypatch.setattr(apart, "START_UP_S", 0.3)
    program(monkeypatch, "import time; time.sleep(60)")
    assert "isolated process was killed: it was never ready" == take_one(endpoint).detail


def test_a_sample_of_something_else_is_not_taken_for_this_one(endpoint, monkeypatch):
    other = msgspec.json.encode(take_one(endpoint, job("search-2"))).decode()
    program(monkeypatch, f"print({other!r})")
    assert "isolated process said another sample: of search-2" == take_one(endpoint).detail


def test_the_key_is_found_in_the_environment_only(endpoint, tmp_path, monkeypatch):
    kept = tmp_path / "told"
    program(monkeypatch, f"import sys; open({str(kept)!r}, 'w').write(sys.stdin.read()); sys.exit(1)")
    take_one(endpoint)
    told = kept.read_text()
    assert "MY_KEY" in told
    assert "sk-very-secret" not in told


def test_a_process_without_its_key_says_so(endpoint, monkeypatch):
    monkeypatch.delenv("MY_KEY")
    detail = take_one(endpoint).detail
    assert detail.startswith("isolated process ended with exit code 2: ")
    assert "MY_KEY" in detail


def test_what_is_no_job_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", open("/dev/null"))  # noqa: SIM115, PTH123 - it ends with the test
    assert 4 == main()
    said = capsys.readouterr()
    assert "" == said.out
    assert "standard input" in said.err
    sys.stdin.close()


def demo(folder) -> Workspace:
    place = Workspace(folder)
    world = files("harnesslib.simulator").joinpath("demo.toml").read_text(encoding="utf-8")
    world = world.replace("accuracy = 0.78", "accuracy = 0.5")
    toml = files("harnesslib.cli").joinpath("demo_harness.toml").read_text(encoding="utf-8")
    place.initialise(toml.replace("concurrency = 24", "concurrency = 3"), {"simulated_models.toml": world})
    return place


def seen(sample: Sample) -> dict:
    """Return what does not depend on the time of day or on how fast things went."""
    timed = {
        "run_id",
        "started_at",
        "latency_s",
        "elapsed_s",
        "ttfb_s",
        "load_s",
        "position",
        "concurrency",
        "idle_s",
        "level",
    }
    return {name: value for name, value in msgspec.to_builtins(sample).items() if name not in timed}


def test_an_isolated_run_finds_what_a_run_in_one_process_finds(tmp_path):
    found = []
    with demo(tmp_path) as place:
        effects = place.effects()
        for isolate in (False, True):
            options = RunOptions(limit=6, seed=3, isolate=isolate)
            result = run("steady", "atomic", effects, options, place.new_manifest("run", {}))
            found.append({sample.key: seen(sample) for sample in result.samples})
    assert 6 == len(found[0])
    assert 1 < len({sample["outcome"] for sample in found[0].values()})
    assert found[0] == found[1]


def test_a_crash_touches_no_other_sample(endpoint, monkeypatch):
    crash_on_one = (
        "import io, json, os, runpy, sys\n"
        "told = sys.stdin.buffer.read()\n"
        "if json.loads(told)['assignment']['case_id'] == 'search-2': os.abort()\n"
        "sys.stdin = io.TextIOWrapper(io.BytesIO(told))\n"
        "runpy.run_module('harnesslib.executors.isolated', run_name='__main__')\n"
    )
    program(monkeypatch, crash_on_one)
    target = Target(FakeClient(right_answer), SystemClock(), "run-1")

    async def both():
        jobs = [(job("search-2"), SUITE.cases[1]), (job(), CASE)]
        return await asyncio.gather(
            *(take_apart(assignment, case, SUITE, target, endpoint) for assignment, case in jobs)
        )

    crashed, whole = asyncio.run(both())
    assert ("infra_error", "pass") == (crashed.outcome, whole.outcome)
    assert "SIGABRT" in crashed.detail


async def take_here(assignment: Assignment, case: Case, place: Place) -> Sample:
    client = client_of(place.name, place.endpoint, clock=SystemClock(), folder=Path(place.folder))
    async with client:
        return await take(assignment, case, SUITE, Target(client, SystemClock(), "run-1"))


def test_here_and_apart_agree_about_a_parametric_case(endpoint):
    case = msgspec.structs.replace(
        CASE,
        parameters={"number": (1, 1, 1, 1)},
        turns=(msgspec.structs.replace(CASE.turns[0], user="double {number}"),),
    )
    target = Target(FakeClient(right_answer), SystemClock(), "run-1")
    sample = asyncio.run(take_apart(job(), case, SUITE, target, endpoint))
    here = asyncio.run(take_here(job(), case, endpoint))
    assert ("pass", here.turns) == (sample.outcome, sample.turns)
