"""A routing as LiteLLM takes it: groups per phase and model, fallbacks of one key, and nothing denied."""

from __future__ import annotations

import msgspec
import pytest

from harnesslib import routing
from harnesslib.errors import InputError
from harnesslib.litellm_config import litellm_config
from harnesslib.records import (
    EndpointConfig,
    HarnessConfig,
    ModelConfig,
    PhaseConfig,
    RoutingConfig,
    Settings,
    SettingsPatch,
)
from harnesslib.testing import EPOCH

HARNESS = HarnessConfig(
    version=1,
    endpoints={
        "local": EndpointConfig(client="ollama", base_url="http://127.0.0.1:11434/"),
        "host": EndpointConfig(base_url="https://models.example", key_env="HOST_KEY"),
        "bare": EndpointConfig(base_url="http://127.0.0.1:8000/openai/v1/"),
    },
    models=(
        ModelConfig(id="qwen3:8b", endpoint="local"),
        ModelConfig(id="big", endpoint="host", price_input=3.0, price_output=15.0),
        ModelConfig(id="small", endpoint="bare", settings=SettingsPatch(timeout_s=5.0, retries=0)),
    ),
    phases={
        "atomic": PhaseConfig(suite="atomic", baseline="qwen3:8b", settings=Settings(timeout_s=20.0)),
        "extended": PhaseConfig(suite="extended", baseline="big", settings=Settings(timeout_s=120.0)),
    },
)
FIRST = routing.initial(HARNESS, now=EPOCH)


def changed(config: RoutingConfig, model: str, phase: str, **fields) -> RoutingConfig:
    rules = tuple(
        msgspec.structs.replace(rule, **fields) if (rule.model, rule.phase) == (model, phase) else rule
        for rule in config.rules
    )
    return msgspec.structs.replace(config, rules=rules)


def groups(config: RoutingConfig = FIRST, harness: HarnessConfig = HARNESS, **addresses: str):
    document = litellm_config(config, harness, addresses).document
    return {group["model_name"]: group["litellm_params"] for group in document["model_list"]}


def test_a_phase_is_the_group_of_what_serves_it_and_every_model_has_its_own():
    found = groups()
    assert [
        "atomic",
        "atomic/qwen3:8b",
        "atomic/big",
        "atomic/small",
        "extended",
        "extended/qwen3:8b",
        "extended/big",
        "extended/small",
    ] == list(found)
    assert found["atomic/qwen3:8b"] == found["atomic"]
    assert found["extended/big"] == found["extended"]


def test_an_ollama_model_is_asked_through_its_own_api():
    assert {
        "model": "ollama_chat/qwen3:8b",
        "api_base": "http://127.0.0.1:11434",
        "timeout": 20.0,
        "temperature": 0.0,
        "max_retries": 0,
        "num_retries": 1,
    } == groups()["atomic"]


def test_an_openai_model_gets_its_address_its_price_and_the_name_of_its_key():
    found = groups()["extended/big"]
    assert ("openai/big", "https://models.example/v1") == (found["model"], found["api_base"])
    assert "os.environ/HOST_KEY" == found["api_key"]
    assert (3e-6, 15e-6) == (found["input_cost_per_token"], found["output_cost_per_token"])


def test_a_free_model_is_exported_as_free_and_one_without_a_price_without():
    models = tuple(
        msgspec.structs.replace(model, price_input=0.0) if model.id == "big" else model
        for model in HARNESS.models
    )
    document = litellm_config(FIRST, msgspec.structs.replace(HARNESS, models=models), {}).document
    found = {group["model_name"]: group["litellm_params"] for group in document["model_list"]}
    assert 0.0 == found["extended/big"]["input_cost_per_token"]
    assert "input_cost_per_token" not in found["extended/small"]


def test_an_address_with_a_path_is_used_as_it_is_and_settings_are_those_of_the_rule():
    found = groups()["extended/small"]
    assert "http://127.0.0.1:8000/openai/v1" == found["api_base"]
    assert ("none", 5.0, 0) == (found["api_key"], found["timeout"], found["num_retries"])


def test_every_deployment_has_an_id_of_its_own():
    document = litellm_config(FIRST, HARNESS, {}).document
    ids = [group["model_info"]["id"] for group in document["model_list"]]
    assert len(ids) == len(set(ids))


def test_a_denied_pair_is_left_out_and_said():
    config = changed(FIRST, "small", "extended", allow=False, fallback_model="big")
    export = litellm_config(config, HARNESS, {})
    names = [group["model_name"] for group in export.document["model_list"]]
    assert "extended/small" not in names
    assert "atomic/small" in names
    assert ("small in extended: denied",) == export.left_out


def test_fallbacks_have_one_key_each_and_lead_to_groups_that_are_there():
    config = changed(FIRST, "qwen3:8b", "atomic", fallback_model="small", fallbacks=("big",))
    config = changed(config, "big", "atomic", allow=False, fallback_model="small")
    config = changed(config, "small", "extended", fallback_model="big")
    export = litellm_config(config, HARNESS, {})
    fallbacks = export.document["router_settings"]["fallbacks"]
    assert [
        {"atomic": ["atomic/small"]},
        {"atomic/qwen3:8b": ["atomic/small"]},
        {"extended/small": ["extended/big"]},
    ] == fallbacks
    assert {1} == {len(entry) for entry in fallbacks}


def test_a_model_that_harness_toml_does_not_list_any_more_is_left_out():
    fewer = msgspec.structs.replace(HARNESS, models=HARNESS.models[:2])
    config = changed(FIRST, "qwen3:8b", "atomic", fallback_model="small")
    export = litellm_config(config, fewer, {})
    assert (
        "small in atomic: not in harness.toml",
        "small in extended: not in harness.toml",
    ) == export.left_out
    assert [] == export.document["router_settings"]["fallbacks"]


def test_a_baseline_that_harness_toml_does_not_list_is_an_error():
    fewer = msgspec.structs.replace(HARNESS, models=HARNESS.models[1:])
    with pytest.raises(
        InputError, match=r"serve 'atomic': qwen3:8b in atomic: not in harness\.toml; cure: list"
    ):
        litellm_config(FIRST, fewer, {})


def test_an_address_can_be_another_for_the_proxy():
    found = groups(local="http://host.docker.internal:11434")
    assert "http://host.docker.internal:11434" == found["atomic"]["api_base"]
    with pytest.raises(InputError, match="no such endpoint; did you mean 'local'"):
        litellm_config(FIRST, HARNESS, {"locl": "http://127.0.0.1:1"})


def test_the_built_in_server_needs_an_address():
    simulated = {**HARNESS.endpoints, "local": EndpointConfig(client="ollama", simulator="world.toml")}
    harness = msgspec.structs.replace(HARNESS, endpoints=simulated)
    with pytest.raises(InputError, match=r"--base-url local=http://127\.0\.0\.1:8707"):
        litellm_config(FIRST, harness, {})
    assert (
        "http://127.0.0.1:8707"
        == groups(harness=harness, local="http://127.0.0.1:8707")["atomic"]["api_base"]
    )


def test_a_model_that_litellm_can_not_ask_is_left_out():
    program = msgspec.structs.replace(HARNESS.endpoints["bare"], client="program")
    harness = msgspec.structs.replace(HARNESS, endpoints={**HARNESS.endpoints, "bare": program})
    export = litellm_config(FIRST, harness, {})
    reason = "LiteLLM has no client 'program'"
    assert (f"small in atomic: {reason}", f"small in extended: {reason}") == export.left_out
