"""A folder becomes effects: where it is looked for, what it needs, what is started and stopped."""

from __future__ import annotations

import re

import msgspec
import pytest

from harnesslib.cli.setting_up import endpoint_toml, init_demo
from harnesslib.errors import InputError, LockedError
from harnesslib.executors.local import complete
from harnesslib.records import EndpointConfig
from harnesslib.workspace import Workspace, environment, nearest, open_cycle


@pytest.fixture
def demo(tmp_path):
    with Workspace(tmp_path / "demo") as place:
        init_demo(place)
        yield place


def test_a_folder_inside_a_workspace_finds_it_and_another_finds_itself(demo, tmp_path):
    assert nearest(demo.root / "runs") == demo.root
    assert nearest(tmp_path) == tmp_path


def test_a_new_workspace_has_a_first_generation_and_a_first_log_entry(demo):
    assert demo.config.routing().generation == 1
    assert [entry.event for entry in demo.log.entries()] == ["init"]
    assert demo.log.verify(demo.config.routing_sha256(), 1).problems == ()


def test_two_endpoints_on_one_simulator_share_one_server_that_stops_with_the_workspace(demo):
    effects = demo.effects()

    async def offered(name: str) -> set[str]:
        async with effects.clients[name] as client:
            return {info.id for info in await client.models()}

    assert complete(offered("demo")) == complete(offered("demo_ollama")) != set()
    addresses = {re.findall(r"127\.0\.0\.1:\d+", repr(client))[0] for client in effects.clients.values()}
    assert len(addresses) == 1


def test_a_key_comes_from_the_environment_and_stands_in_no_message(demo, monkeypatch):
    file = demo.root / "harness.toml"
    own = EndpointConfig(client="openai_compat", base_url="http://127.0.0.1:9/v1", key_env="MY_KEY")
    file.write_text(endpoint_toml(own, ("one", 'a "quoted" one')))
    assert [model.id for model in demo.config.harness().models] == ["one", 'a "quoted" one']
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(InputError, match=r"MY_KEY \(key_env\) is not set"):
        demo.effects()
    monkeypatch.setenv("MY_KEY", "canary-4711")
    assert "canary-4711" not in repr(demo.effects().clients["main"])


def test_a_second_cycle_in_the_same_workspace_is_told_who_works_there(demo):
    with demo.locks.hold("cycle", wait_s=0.1), pytest.raises(LockedError, match="cycle"):
        open_cycle(demo.root)


def test_a_finished_cycle_is_looked_at_without_a_lock_or_a_server(demo):
    run_id = demo.new_cycle()
    manifest = demo.runs.manifest(run_id)
    demo.runs.seal(msgspec.structs.replace(manifest, status="done", ended_at=manifest.started_at))
    with demo.locks.hold("cycle", wait_s=0.1):
        cycle = open_cycle(demo.root / "runs", run_id)
    assert cycle.effects.clients == {}
    assert cycle.records().manifest.status == "done"


def test_the_environment_names_versions_and_no_person_or_path():
    assert {"python", "harnesslib", "papermill", "scipy"} <= environment().keys()
    assert not any("/" in value for value in environment().values())
