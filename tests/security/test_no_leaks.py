"""No key leaves: canaries in the environment are looked for in every file and stream of whole runs."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from harnesslib.cli import main
from harnesslib.run_store import TABLE
from harnesslib.sample_table import read_frame
from harnesslib.simulator.process import Simulator
from harnesslib.simulator.truth import DEMO_WORLD
from harnesslib.workspace import Workspace

KEY_NAME, OTHER_NAME, NAMED = "HARNESS_TEST_KEY", "HARNESS_TEST_OTHER", "HARNESS_TEST_NAMED"

SPY = """
import json, os, sys
import psutil
said = sys.stdin.read()
titles = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"])]
with open(f"seen-{os.getpid()}.json", "w") as file:
    json.dump({"environment": dict(os.environ), "titles": titles, "said": said}, file)
print(json.dumps({"text": "no call"}))
"""
CYCLE = """
version = 1
[endpoints.demo]
base_url = "ADDRESS"
key_env = "HARNESS_TEST_KEY"
concurrency = 8
[phases.atomic]
suite = "atomic-quick"
baseline = "steady"
[[models]]
id = "steady"
endpoint = "demo"
[[models]]
id = "eager"
endpoint = "demo"
[[on_event]]
events = ["promoted", "rolled_back", "drift", "failed", "held"]
command = [PYTHON, "spy.py"]
env = ["HARNESS_TEST_NAMED"]
"""
PROGRAM = """
version = 1
[endpoints.mine]
client = "command"
command = [PYTHON, "spy.py"]
env = ["HARNESS_TEST_NAMED"]
[phases.atomic]
suite = "atomic"
baseline = "mine"
[[models]]
id = "mine"
endpoint = "mine"
"""
ECHOING = """
version = 1
[endpoints.host]
base_url = "ADDRESS"
key_env = "HARNESS_TEST_KEY"
[phases.atomic]
suite = "atomic"
baseline = "small"
[[models]]
id = "small"
endpoint = "host"
[phases.atomic.settings]
retries = 0
"""


class Canaries(NamedTuple):
    """The key of an endpoint, and a secret that nobody here needs; a key may hold what JSON escapes."""

    key: str
    other: str

    def forms(self) -> set[bytes]:
        plain = {*self, self.key.replace("/", "\\/"), self.key[:24]}
        encoded = {base64.b64encode(one.encode()).decode().rstrip("=")[:-1] for one in self}
        return {one.encode() for one in plain | encoded}

    def found_in(self, data: bytes) -> bool:
        return any(form in data for form in self.forms())


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries(f"sk-canary/{secrets.token_hex(20)}", f"other-canary-{secrets.token_hex(20)}")


@pytest.fixture
def environment(canaries, monkeypatch) -> None:
    monkeypatch.setenv(KEY_NAME, canaries.key)
    monkeypatch.setenv(OTHER_NAME, canaries.other)
    monkeypatch.setenv(NAMED, "named")


def workspace(root: Path, toml: str) -> Path:
    text = toml.replace("PYTHON", json.dumps(sys.executable))
    with Workspace(root) as place:
        place.initialise(text, {"spy.py": SPY})
    return root


def leaking_files(canaries: Canaries, *folders: Path) -> list[str]:
    """Return the files that hold a canary; tables are looked into, because they are packed."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert files
    return [str(path) for path in files if canaries.found_in(contents(path))]


def contents(path: Path) -> bytes:
    unpacked = read_frame(path).to_csv().encode() if path.name == TABLE else b""
    return str(path).encode() + path.read_bytes() + unpacked


class Done(NamedTuple):
    """A whole cycle: its folders, and what its process wrote."""

    root: Path
    temporary: Path
    code: int
    streams: bytes


@pytest.fixture(scope="module")
def cycle(tmp_path_factory, canaries) -> Done:
    base = tmp_path_factory.mktemp("leaks")
    root, temporary = base / "workspace", base / "tmp"
    temporary.mkdir()
    variables = os.environ | {
        KEY_NAME: canaries.key,
        OTHER_NAME: canaries.other,
        NAMED: "named",
        "TMPDIR": str(temporary),
        "XDG_STATE_HOME": str(base / "state"),
    }
    with Simulator(DEMO_WORLD, base) as server:
        workspace(root, CYCLE.replace("ADDRESS", server.base_url))
        command = [sys.executable, "-m", "harnesslib", "cycle", "--timeout", "100"]
        done = subprocess.run(command, cwd=root, env=variables, capture_output=True, check=False)
    return Done(root, temporary, done.returncode, done.stdout + done.stderr)


def test_a_whole_cycle_leaves_no_key_in_any_file_or_stream(cycle, canaries):
    assert 0 == cycle.code, cycle.streams
    names = {path.name for path in cycle.root.rglob("*")}
    kinds = {"manifest.json", "journal.jsonl", "events.jsonl", "cycle.ipynb", "report.html", TABLE}
    assert kinds | {"routing_decisions.jsonl", "seal.json"} <= names
    assert [] == leaking_files(canaries, cycle.root, cycle.temporary.parent)
    assert not canaries.found_in(cycle.streams)


def test_a_hook_sees_the_variables_that_were_named_and_no_key(cycle, canaries):
    [seen] = [json.loads(path.read_text()) for path in cycle.root.glob("seen-*.json")]
    assert "named" == seen["environment"][NAMED]
    assert not {KEY_NAME, OTHER_NAME} & set(seen["environment"])
    assert any("harnesslib" in title for title in seen["titles"] if title)
    assert not canaries.found_in(json.dumps(seen).encode())


@pytest.mark.parametrize(
    "arguments",
    [
        ["doctor"],
        ["diagnose"],
        ["decide"],
        ["log", "show"],
        ["config", "show"],
        ["routes", "list"],
        ["routes", "export", "litellm"],
        ["history"],
        ["status"],
        ["plan"],
        ["export", "csv"],
        ["export", "inspect"],
        ["export", "junit"],
    ],
    ids=" ".join,
)
def test_no_command_says_or_writes_a_key(cycle, canaries, environment, capfd, arguments):
    for form in ([], ["--json"]):
        main([*arguments, *form, "-w", str(cycle.root)])
        said = capfd.readouterr()
        assert not canaries.found_in(f"{said.out}{said.err}".encode())
        assert said.out or said.err
    assert [] == leaking_files(canaries, cycle.root)


@pytest.mark.parametrize("isolate", [[], ["--isolate"]], ids=["together", "apart"])
def test_a_program_that_speaks_for_models_sees_no_key_of_others(
    tmp_path, canaries, environment, capfd, isolate
):
    root = workspace(tmp_path / "w", PROGRAM)
    asked = ["run", "mine", "atomic", "--limit", "2", "--repeats", "1", "-q", *isolate]
    assert 0 == main([*asked, "-w", str(root)]), capfd.readouterr().err
    seen = [json.loads(path.read_text()) for path in root.glob("seen-*.json")]
    assert ["named", "named"] == [one["environment"][NAMED] for one in seen]
    assert [] == leaking_files(canaries, root)


@contextmanager
def echoing(how: str) -> Iterator[str]:
    """Serve an endpoint that says back what it was authorised with."""

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(200, json.dumps({"data": [{"id": "small"}]}).encode(), "application/json")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._say(*ECHOES[how](self.headers["Authorization"]))

        def _say(self, status: int, body: bytes, media: str) -> None:
            self.send_response(status, self.headers.get("Authorization", "") if how == "reason" else None)
            self.send_header("Content-Type", media)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(message: dict, **more: object) -> bytes:
    return json.dumps({"choices": [{"message": message}], "model": "small"} | more).encode()


def called(name: str, arguments: dict) -> dict:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"tool_calls": [{"type": "function", "id": "x", "function": function}]}


JSON = "application/json"
ECHOES = {
    "error": lambda sent: (401, json.dumps({"error": {"message": f"bad {sent}"}}).encode(), JSON),
    "error in pieces": lambda sent: (500, json.dumps({"error": {"m": [sent, {"x": sent}]}}).encode(), JSON),
    "escaped": lambda sent: (
        400,
        json.dumps({"error": {"message": sent}}).replace("/", "\\/").encode(),
        JSON,
    ),
    "page": lambda sent: (502, f"<html>{sent}</html>".encode(), "text/html"),
    "cut": lambda sent: (200, f"{'x' * 20} {sent}".encode(), JSON),
    "cut far": lambda sent: (500, f"{' ' * 4080}{sent}".encode(), "text/plain"),
    "text": lambda sent: (200, answer({"content": f"I was asked with {sent}"}), JSON),
    "call": lambda sent: (200, answer(called(sent[:64], {"key": sent})), JSON),
    "model": lambda sent: (200, answer({"content": "no"}, model=sent), JSON),
    "reason": lambda sent: (500, b"", JSON),
    "twice": lambda sent: (200, f'{{"{sent}": 1, "{sent}": 2}}'.encode(), JSON),
}


@pytest.mark.parametrize("how", ECHOES)
def test_a_host_that_echoes_the_key_brings_it_nowhere(tmp_path, canaries, environment, capfd, how):
    with echoing(how) as address:
        root = workspace(tmp_path / "w", ECHOING.replace("ADDRESS", address))
        asked = ["run", "small", "atomic", "--limit", "2", "--repeats", "1"]
        assert 0 == main([*asked, "-w", str(root)]), capfd.readouterr().err
        main(["diagnose", "-w", str(root)])
    said = capfd.readouterr()
    assert not canaries.found_in(f"{said.out}{said.err}".encode())
    assert [] == leaking_files(canaries, root)


def test_an_address_with_a_key_in_it_is_refused_without_being_shown(tmp_path, canaries, capfd):
    for address in (f"http://u:{canaries.key}@127.0.0.1:9/v1", f"http://{canaries.key}@127.0.0.1:9"):
        assert 2 == main(["init", "--openai", address, str(tmp_path / "w")])
        said = capfd.readouterr()
        assert not canaries.found_in(f"{said.out}{said.err}".encode())


def test_the_search_would_find_a_canary(tmp_path, canaries):
    (tmp_path / "held").write_text(f"x{canaries.key}x")
    assert [str(tmp_path / "held")] == leaking_files(canaries, tmp_path)


def test_a_key_in_the_wrong_place_of_the_settings_is_refused_without_being_shown(tmp_path, canaries, capfd):
    wrong = [
        CYCLE.replace('key_env = "HARNESS_TEST_KEY"', f'key_env = "{canaries.key}"'),
        CYCLE.replace('key_env = "HARNESS_TEST_KEY"', f'key = "{canaries.key}"'),
        CYCLE.replace("ADDRESS", f"http://user:{canaries.key}@127.0.0.1:9/v1"),
        CYCLE.replace('env = ["HARNESS_TEST_NAMED"]', f'env = ["{canaries.key}"]'),
        PROGRAM.replace('env = ["HARNESS_TEST_NAMED"]', f'env = ["{canaries.key}"]'),
    ]
    for text in wrong:
        filled = text.replace("PYTHON", '"python3"').replace("ADDRESS", "http://127.0.0.1:9/v1")
        (tmp_path / "harness.toml").write_text(filled)
        assert 2 == main(["config", "check", "-w", str(tmp_path)])
        said = capfd.readouterr()
        assert not canaries.found_in(f"{said.out}{said.err}".encode())
