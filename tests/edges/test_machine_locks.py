"""A server is measured by one benchmark at a time, from whatever workspace of this user."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import msgspec
import pytest

from harnesslib import machine_locks
from harnesslib.cli import main
from harnesslib.errors import DataError
from harnesslib.executors import bench
from harnesslib.lock_manager import LockManager
from harnesslib.records import EndpointConfig, HarnessConfig
from harnesslib.simulator.process import Simulator
from harnesslib.simulator.truth import DEMO_WORLD
from harnesslib.testing import tiny_harness
from harnesslib.workspace import Workspace


@pytest.mark.parametrize(
    ("base_url", "server"),
    [
        ("http://127.0.0.1:11434", "localhost:11434"),
        ("http://LOCALHOST:11434/v1", "localhost:11434"),
        ("http://[::1]:11434", "localhost:11434"),
        ("https://models.example/v1", "models.example:443"),
        ("http://models.example", "models.example:80"),
        ("http://[fd00::7]:8000/v1", "fd00::7:8000"),
        ("http://models.example:99999", "models.example:0"),
        ("", ""),
    ],
)
def test_a_server_has_one_name_however_its_address_is_written(base_url, server):
    assert server == EndpointConfig(base_url=base_url).server


def test_the_folder_is_the_users_own(tmp_path):
    folder = machine_locks.folder({"XDG_STATE_HOME": str(tmp_path / "state")})
    assert tmp_path / "state" / "harnesslib" / "locks" == folder
    assert 0o700 == stat.S_IMODE(folder.parent.stat().st_mode)
    assert folder == machine_locks.folder({"XDG_STATE_HOME": str(tmp_path / "state")})


def test_without_that_variable_it_lies_among_the_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert tmp_path / f"harnesslib-{os.getuid()}" / "locks" == machine_locks.folder({})


def test_a_link_or_a_file_in_its_place_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"harnesslib-{os.getuid()}").symlink_to(elsewhere)
    with pytest.raises(DataError, match=r"not a folder of this user.*cure: remove it, or set XDG_STATE_HOME"):
        machine_locks.folder({})
    (tmp_path / "harnesslib").write_text("")
    with pytest.raises(DataError, match="make the folder"):
        machine_locks.folder({"XDG_STATE_HOME": str(tmp_path)})


def test_somebody_elses_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    machine_locks.folder()
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(DataError, match="not a folder of this user"):
        machine_locks.folder()


def workspace(root: Path, address: str) -> Path:
    """Make a workspace that asks one server through both of its APIs."""
    text = "version = 1\n"
    for name, client, model in (("one", "openai_compat", "steady"), ("two", "ollama", "twin")):
        text += f'[endpoints.{name}]\nclient = "{client}"\nbase_url = "{address}"\n'
        text += f'[[models]]\nid = "{model}"\nendpoint = "{name}"\n'
    text += '[phases.atomic]\nsuite = "atomic-smoke"\nbaseline = "steady"\n'
    Workspace(root).initialise(text, {})
    return root


def test_a_second_workspace_is_told_who_measures_the_server(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "LOCK_WAIT_S", 0.1)
    (tmp_path / "world.toml").write_text(DEMO_WORLD.read_text())
    with Simulator(tmp_path / "world.toml", tmp_path) as server:
        root = workspace(tmp_path / "here", server.base_url)
        asked = ["run", "twin", "atomic", "--repeats", "1", "--limit", "2", "--quiet", "-w", str(root)]
        assert 0 == main(asked)
        port = server.base_url.rpartition(":")[2]
        name = f"server-localhost-{port}"
        elsewhere = LockManager(machine_locks.folder(), command="harness cycle")
        with elsewhere.hold(name, wait_s=0.1):
            capsys.readouterr()
            assert 75 == main(asked)
            assert f"lock '{name}' is held by" in capsys.readouterr().err
            assert 0 == main(["lock", "status", "-w", str(root)])
            assert f"{name}  held" in capsys.readouterr().out
        assert 0 == main(asked)


def harness(**endpoints: EndpointConfig) -> HarnessConfig:
    return msgspec.structs.replace(tiny_harness("m"), endpoints=endpoints)


def test_one_server_behind_two_endpoints_is_locked_once_and_a_built_in_one_not_at_all():
    shared = harness(
        a=EndpointConfig(base_url="http://127.0.0.1:7"), b=EndpointConfig(base_url="http://localhost:7/v1")
    )
    assert ["server-localhost-7"] == bench.server_locks(("a", "b"), shared)
    alone = harness(
        a=EndpointConfig(simulator="world.toml"), b=EndpointConfig(client="command", command=("true",))
    )
    assert [] == bench.server_locks(("a", "b"), alone)
