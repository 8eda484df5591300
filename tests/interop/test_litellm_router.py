"""LiteLLM's own router reads what is exported, and routes as the routing says.

It runs where litellm is installed, as in ``./run interop``. Nothing is asked over the network.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harnesslib.cli import main

pytest.importorskip("litellm", reason="litellm is not installed: ./run interop")
pytestmark = pytest.mark.filterwarnings("default")

import yaml  # noqa: E402 - only with litellm
from litellm import Router  # noqa: E402 - as above

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def exported(tmp_path, monkeypatch) -> dict:
    """Export a routing with a denied pair, a key and a chain of fallbacks."""
    root = tmp_path / "work"
    shutil.copytree(TESTS / "interop" / "litellm_workspace", root)
    monkeypatch.setenv("HOST_KEY", "sk-from-the-environment")
    target = tmp_path / "litellm.yaml"
    assert main(["config", "migrate", "--workspace", str(root)]) == 0
    assert main(["routes", "export", "litellm", "--output", str(target), "--workspace", str(root)]) == 0
    assert "sk-" not in target.read_text()
    return yaml.safe_load(target.read_text())


@pytest.fixture
def router(exported) -> Router:
    return Router(model_list=exported["model_list"], **exported["router_settings"])


def parameters(router: Router, group: str) -> dict:
    return router.get_available_deployment(model=group, messages=[])["litellm_params"]


def test_every_group_is_known_and_no_denied_pair_is(router, exported):
    names = {group["model_name"] for group in exported["model_list"]}
    assert names == set(router.get_model_names())
    assert "atomic/big" not in names
    assert len(exported["model_list"]) == len({group["model_info"]["id"] for group in exported["model_list"]})


def test_a_phase_is_routed_to_what_serves_it(router):
    served = parameters(router, "atomic")
    assert ("ollama_chat/qwen3:8b", "http://127.0.0.1:11434") == (served["model"], served["api_base"])
    assert ("openai/big", 120.0) == (
        parameters(router, "extended")["model"],
        parameters(router, "extended")["timeout"],
    )


def test_a_key_is_read_from_the_environment(router):
    assert "sk-from-the-environment" == parameters(router, "extended")["api_key"]


@pytest.mark.parametrize("group", ["atomic", "extended/small"])
def test_the_fallback_answers_when_the_first_one_fails(router, group):
    """Each group has its own entry: LiteLLM looks at the first key of an entry only."""
    for deployment in router.model_list:
        serves = deployment["model_name"] in {"atomic/small", "extended/big"}
        answer = f"from {deployment['model_name']}" if serves else RuntimeError("down")
        deployment["litellm_params"]["mock_response"] = answer
    said = router.completion(model=group, messages=[{"role": "user", "content": "hi"}])
    expected = {"atomic": "from atomic/small", "extended/small": "from extended/big"}[group]
    assert expected == said.choices[0].message.content
