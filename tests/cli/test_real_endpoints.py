"""`harness init` on an endpoint that is there: it lists models, and what it writes works as it is."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest

from harnesslib.cli import main
from harnesslib.simulator.process import Simulator
from harnesslib.simulator.truth import DEMO_WORLD


@pytest.fixture(scope="module")
def address():
    with Simulator(DEMO_WORLD) as server:
        yield server.base_url


@pytest.mark.parametrize(("option", "path"), [("--ollama", ""), ("--openai", "/v1"), ("--openai", "")])
def test_the_models_of_an_endpoint_become_a_workspace_that_works(option, path, address, tmp_path, capsys):
    folder = str(tmp_path / "work")
    assert main(["init", option, address + path, folder, "--json"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert models == ["steady", "twin", "sprinter", "better", "sleepy", "eager"]
    assert main(["doctor", "-w", folder]) == 0
    assert "all 6 models are offered" in capsys.readouterr().out
    measure = [
        "run",
        "sprinter",
        "atomic",
        "-w",
        folder,
        "--repeats",
        "1",
        "--limit",
        "4",
        "--quiet",
        "--json",
    ]
    assert main(measure) == 0
    seen = json.loads(capsys.readouterr().out)["specs"][0]
    assert (seen["samples"], seen["spec"]["model"], seen["outcomes"]["infra_error"]) == (4, "sprinter", 0)


def test_only_the_models_that_were_named_are_listed_and_an_unknown_one_is_refused(address, tmp_path, capsys):
    folder = tmp_path / "work"
    assert main(["init", "--ollama", address, "--model", "better", "--model", "twin", str(folder)]) == 0
    assert re.findall(r'^id = "(\w+)"', (folder / "harness.toml").read_text(), re.MULTILINE) == [
        "better",
        "twin",
    ]
    assert main(["init", "--ollama", address, "--model", "bettr", str(tmp_path / "other")]) == 2
    assert "offers steady, twin" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_the_name_of_the_key_is_written_and_the_key_is_not(address, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", "canary-4711")
    folder = tmp_path / "work"
    assert main(["init", "--openai", f"{address}/v1", "--key-env", "MY_KEY", str(folder)]) == 0
    measure = ["run", "twin", "atomic", "-w", str(folder), "--repeats", "1", "--limit", "2", "--quiet"]
    assert main(measure) == 0
    assert 'key_env = "MY_KEY"' in (folder / "harness.toml").read_text()
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"canary-4711" not in written


def test_the_built_in_server_is_served_by_a_command_and_stops_when_told():
    command = [sys.executable, "-m", "harnesslib", "serve", "--port", "0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said = server.stderr.readline()
    server.send_signal(signal.SIGTERM)
    rest = server.communicate(timeout=30)[1]
    assert re.search(r"on http://127\.0\.0\.1:\d+ \(Ctrl-C stops\)", said)
    assert "Traceback" not in rest
    assert server.returncode == 0
