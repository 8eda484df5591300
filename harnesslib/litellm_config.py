"""A routing -> the config of a LiteLLM proxy: one model group per phase, one per model, and who stands in.

LiteLLM looks up a fallback under the first key of each entry of ``fallbacks`` and sees no other one: every
entry here has exactly one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from harnesslib import routing
from harnesslib.errors import InputError
from harnesslib.explain import did_you_mean, listed
from harnesslib.records import AUTO, HarnessConfig, Record, RoutingConfig, Rule

_PER_MILLION = 1_000_000
_PROVIDERS: Mapping[str, str] = {"ollama": "ollama_chat", "openai_compat": "openai"}
"""Client of an endpoint -> LiteLLM's name for what it speaks."""

NO_KEY = "none"
"""OpenAI's client refuses to start without a key, also where the server asks for none."""


class Export(Record, frozen=True):
    """A LiteLLM config, and the pairs that are not in it, each with the reason."""

    document: dict[str, Any]
    left_out: tuple[str, ...]


def litellm_config(config: RoutingConfig, harness: HarnessConfig, addresses: Mapping[str, str]) -> Export:
    """Return what a LiteLLM proxy needs to route as `config` says.

    Parameters
    ----------
    config
        The routing.
    harness
        Where the models are served; keys stay names of environment variables.
    addresses
        Endpoint -> base URL as the proxy sees it, where that differs from ``harness.toml``.

    Notes
    -----
    A phase is the model group of its name; ``<phase>/<model>`` asks for one model. A denied pair has no
    group. LiteLLM has no warm-up: its first call to a sleeping model waits for it.

    Raises
    ------
    InputError
        An endpoint without a lasting address, an unknown endpoint in `addresses`, or a phase whose baseline
        LiteLLM can't serve.
    """
    _refuse_unknown(addresses, harness)
    groups, left_out = [], []
    for phase, baseline in config.baselines.items():
        rules = [rule for rule in config.rules if rule.phase == phase]
        reasons = {rule.model: _left_out(rule, harness) for rule in rules}
        left_out += [f"{model} in {phase}: {why}" for model, why in reasons.items() if why]
        served = [rule for rule in rules if not reasons[rule.model]]
        serving = next((rule for rule in served if rule.model == baseline.spec.model), None)
        if serving is None:
            raise InputError(
                f"LiteLLM can't serve '{phase}': {', '.join(left_out)}; cure: list "
                f"'{baseline.spec.model}' in [[models]] of harness.toml, at an endpoint with an address"
            )
        groups.append(_group(phase, serving, harness, addresses))
        groups += [_group(f"{phase}/{rule.model}", rule, harness, addresses) for rule in served]
    names = {group["model_name"] for group in groups}
    settings = {
        "routing_strategy": "simple-shuffle",
        "num_retries": 0,
        "fallbacks": list(_fallbacks(config, names)),
    }
    return Export(document={"model_list": groups, "router_settings": settings}, left_out=tuple(left_out))


def _left_out(rule: Rule, harness: HarnessConfig) -> str:
    if not rule.allow:
        return "denied"
    clients = {model.id: harness.endpoints[model.endpoint].client for model in harness.models}
    if rule.model not in clients:
        return "not in harness.toml"
    client = clients[rule.model]
    return "" if client in _PROVIDERS else f"LiteLLM has no client '{client}'"


def _group(name: str, rule: Rule, harness: HarnessConfig, addresses: Mapping[str, str]) -> dict[str, Any]:
    return {
        "model_name": name,
        "litellm_params": dict(_parameters(rule, harness, addresses)),
        "model_info": {"id": f"{name}#{rule.model}", "mode": "chat", "supports_function_calling": True},
    }


def _parameters(
    rule: Rule, harness: HarnessConfig, addresses: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    model, settings = harness.model(rule.model), rule.settings
    endpoint = harness.endpoints[model.endpoint]
    base = addresses.get(model.endpoint, endpoint.base_url)
    if not base:
        raise InputError(
            f"harness.toml: endpoints.{model.endpoint} is the built-in server, which has no lasting address; "
            f"cure: `harness serve --port 8707`, and --base-url {model.endpoint}=http://127.0.0.1:8707"
        )
    ollama = endpoint.client == "ollama"
    yield "model", f"{_PROVIDERS[endpoint.client]}/{rule.model}"
    yield "api_base", base.rstrip("/") if ollama else _api(base)
    if endpoint.key_env:
        yield "api_key", f"os.environ/{endpoint.key_env}"
    elif not ollama:
        yield "api_key", NO_KEY
    yield "timeout", settings.timeout_s
    yield "temperature", settings.temperature
    yield "max_retries", 0
    yield "num_retries", settings.retries
    for name, price in (("input", model.price_input), ("output", model.price_output)):
        if price is not None:
            yield f"{name}_cost_per_token", price / _PER_MILLION


def _api(base: str) -> str:
    """Return the address of the API: one without a path gets ``/v1``, as this program's client does it."""
    bare = base.rstrip("/")
    return bare if urlsplit(bare).path else f"{bare}/v1"


def _fallbacks(config: RoutingConfig, names: set[str]) -> Iterator[dict[str, list[str]]]:
    for phase in config.baselines:
        asked = [AUTO, *(rule.model for rule in config.rules if rule.phase == phase)]
        for model in asked:
            group = phase if model == AUTO else f"{phase}/{model}"
            others = [f"{phase}/{name}" for name in routing.resolve(config, model, phase).fallbacks]
            offered = [name for name in others if name in names]
            if group in names and offered:
                yield {group: offered}


def _refuse_unknown(addresses: Mapping[str, str], harness: HarnessConfig) -> None:
    for name in addresses:
        if name not in harness.endpoints:
            hint = did_you_mean(name, harness.endpoints) or f"; expected one of {listed(harness.endpoints)}"
            raise InputError(f"--base-url {name}: harness.toml has no such endpoint{hint}")
