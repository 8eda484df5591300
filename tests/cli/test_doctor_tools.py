"""``harness doctor`` names models that can not call tools, where the endpoint tells; no model is asked."""

from __future__ import annotations

import json

import pytest

from harnesslib.cli import main
from harnesslib.testing import FakeClient
from harnesslib.workspace import Workspace

HARNESS = """
version = 1
[endpoints.local]
client = "ollama"
base_url = "http://127.0.0.1:1"
[[models]]
id = "steady"
endpoint = "local"
[[models]]
id = "mute"
endpoint = "local"
[phases.atomic]
suite = "atomic"
baseline = "steady"
"""


@pytest.fixture
def diagnosed(tmp_path, monkeypatch, capsys):
    """Let the doctor look at an endpoint whose models can do what is given."""

    def look(can: dict[str, tuple[str, ...]], offered: tuple[str, ...] = ("steady", "mute", "other")):
        def refuse(_request):
            raise AssertionError

        client = FakeClient(refuse, models=offered)
        client.can = can
        monkeypatch.setattr(Workspace, "client", lambda *_args: client)
        with Workspace(tmp_path) as place:
            if not place.exists():
                place.initialise(HARNESS, {})
        code = main(["doctor", "--json", "--workspace", str(tmp_path)])
        checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
        assert [] == client.history
        return code, checks["endpoint local"]

    return look


def test_a_model_without_tools_is_named_with_the_cure(diagnosed):
    code, check = diagnosed({"steady": ("completion", "tools"), "mute": ("completion",)})
    assert (6, "bad") == (code, check["state"])
    assert "mute can't call tools" in check["finding"]
    assert "steady" not in check["finding"]
    assert "take them out of [[models]]" in check["cure"]


def test_models_that_call_tools_are_good(diagnosed):
    both = ("completion", "tools")
    code, check = diagnosed({"steady": both, "mute": both, "other": ("completion",)})
    assert (0, "good") == (code, check["state"])
    assert check["finding"].endswith("all 2 models are offered; all of them call tools")


def test_an_endpoint_that_can_not_tell_is_good_and_nothing_is_claimed(diagnosed):
    code, check = diagnosed({})
    assert (0, "good") == (code, check["state"])
    assert check["finding"].endswith("all 2 models are offered")


def test_a_model_that_is_not_offered_is_said_first(diagnosed):
    code, check = diagnosed({"mute": ("completion",)}, offered=("mute",))
    assert (6, True) == (code, "does not offer steady" in check["finding"])
