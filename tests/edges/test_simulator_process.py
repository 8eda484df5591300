from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import psutil
import pytest

from harnesslib.errors import EndpointError, InputError
from harnesslib.records import SimulatedWorld
from harnesslib.simulator import DEMO_WORLD, Simulator, load_world, serve
from harnesslib.simulator.process import declared_suites

SUITE = """
name = "mine"
version = "1"
title = "Mine"
description = "Two cases."
[[tools]]
name = "ring"
description = "Ring the bell."
parameters = { type = "object", properties = {} }
"""
CASE = """
[[cases]]
id = "%s"
skill = "ringing"
split = "%s"
tools = ["ring"]
notes = "The bell."
[[cases.turns]]
user = "%s: ring!"
accept = [[{ name = "ring" }]]
"""
WORLD = """
version = 1
[[models]]
id = "m"
[models.phases.%s]
accuracy = 1
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "suites").mkdir()
    cases = CASE % ("a", "search", "A") + CASE % ("b", "holdout", "B")
    (tmp_path / "suites" / "mine.toml").write_text(SUITE + cases, encoding="utf-8")
    (tmp_path / "world.toml").write_text(WORLD % "mine", encoding="utf-8")
    return tmp_path


def fetched(url: str, body: dict[str, object] | None = None) -> dict[str, object]:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(url, data=data, timeout=10) as response:  # noqa: S310 - our own server
        return json.load(response)


def test_the_child_serves_the_demo_world_and_is_gone_afterwards():
    with Simulator(DEMO_WORLD) as simulator:
        pid = simulator.pid
        listed = fetched(f"{simulator.base_url}/v1/models")["data"]
        simulator.start()
        assert pid == simulator.pid
    assert [model["id"] for model in listed] == [model.id for model in load_world(DEMO_WORLD).models]
    assert not psutil.pid_exists(pid)
    simulator.stop()
    with pytest.raises(EndpointError, match="not running"):
        _ = simulator.base_url


def test_a_suite_of_ones_own_is_found_beside_the_world(root):
    with Simulator(root / "world.toml") as simulator:
        tools = [{"type": "function", "function": {"name": "ring"}}]
        body = {"model": "m", "messages": [{"role": "user", "content": "A: ring!"}], "tools": tools}
        answer = fetched(f"{simulator.base_url}/v1/chat/completions", body)
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "ring"


def test_it_may_be_started_in_a_thread_that_ends_before_it(root):
    simulator = Simulator(root / "world.toml", root)
    starter = threading.Thread(target=simulator.start)
    starter.start()
    starter.join()
    try:
        assert fetched(f"{simulator.base_url}/healthz") == {"status": "ok"}
    finally:
        simulator.stop()


def test_the_child_ends_when_its_parent_is_killed(root):
    program = (
        "import sys; from harnesslib.simulator import Simulator; s = Simulator(sys.argv[1]); s.start();"
        "print(s.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(root / "world.toml")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        pid = int(parent.stdout.readline())
        child = os.pidfd_open(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    try:
        assert select.select([child], [], [], 20)[0], "the child still runs"
    finally:
        os.close(child)


def test_a_child_that_cannot_start_is_an_endpoint_error_with_its_last_words(root):
    (root / "world.toml").write_text(WORLD % "elsewhere", encoding="utf-8")
    simulator = Simulator(root / "world.toml")
    with pytest.raises(
        EndpointError, match=r"ended with exit code 2 .* said: .*suite 'elsewhere': not found"
    ):
        simulator.start()
    assert simulator.pid is None


def test_a_child_that_is_not_ready_in_time_is_stopped(root):
    simulator = Simulator(root / "world.toml", ready_s=0.0)
    with pytest.raises(EndpointError, match="did not serve within 0 s; it said: nothing"):
        simulator.start()
    assert simulator.pid is None


def test_a_child_that_does_not_end_is_killed(root):
    with Simulator(root / "world.toml", stop_s=0.0) as simulator:
        pid = simulator.pid
        os.kill(pid, signal.SIGSTOP)
    assert not psutil.pid_exists(pid)


def test_declared_suites_are_the_packaged_ones_and_those_in_the_folder(root):
    assert set(declared_suites(load_world(DEMO_WORLD), root)) == {"atomic", "extended"}
    assert set(declared_suites(load_world(root / "world.toml"), root)) == {"mine"}


def test_a_suite_must_have_the_name_that_the_world_gives_it(root):
    (root / "other.toml").write_text((root / "suites" / "mine.toml").read_text("utf-8"), encoding="utf-8")
    (root / "world.toml").write_text(WORLD % "other", encoding="utf-8")
    with pytest.raises(InputError, match="expected the name 'other', got 'mine'"):
        declared_suites(load_world(root / "world.toml"), root)


def test_only_this_machine_is_served():
    with pytest.raises(InputError, match=r"expected one of 127\.0\.0\.1"):
        serve(SimulatedWorld(version=1, models=()), {}, "0.0.0.0")  # noqa: S104 - it is refused


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serving_in_this_process_ends_quietly_on_a_signal(number):
    world, urls = load_world(DEMO_WORLD), []

    def ready(base_url: str) -> None:
        urls.append(base_url)
        signal.raise_signal(number)

    serve(world, {}, ready=ready)
    assert len(urls) == 1


def test_the_program_says_where_it_serves_and_what_is_wrong(root):
    command = [sys.executable, "-m", "harnesslib.simulator", "--world", str(root / "none.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.toml: can't be read" in done.stderr
