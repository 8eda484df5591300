"""``harness.toml`` as text -> a checked `HarnessConfig`, or every reason why not."""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import get_args
from urllib.parse import urlsplit

from harnesslib import variants
from harnesslib.errors import InputError
from harnesslib.explain import convert, did_you_mean, listed
from harnesslib.records import (
    AUTO,
    EndpointConfig,
    HarnessConfig,
    HookEvent,
    ModelConfig,
    PhaseConfig,
    Prompt,
    SearchConfig,
    Settings,
    SettingsPatch,
)

VERSION = 1
LONGEST_PROMPT = 8000
_ENDPOINT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PHASE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_AT_LEAST_ONE = (
    "cycle.session_cases",
    "policy.min_samples",
)
_NOT_NEGATIVE = (
    "cycle.seed",
    "cycle.sessions",
    "cycle.verify_sessions",
    "policy.max_variance",
    "policy.review_days",
    "budget.max_calls",
    "budget.max_cost",
    "budget.max_minutes",
)
_SHARES = ("policy.restraint_floor", "policy.restraint_margin", "policy.max_infra_share")
_BETWEEN = ("policy.alpha", "policy.verify_alpha", "policy.smallest_gain")


def parse(text: bytes, where: str) -> HarnessConfig:
    """Read ``harness.toml``.

    Raises
    ------
    InputError
        Not TOML, an unknown key, a wrong type, another version, or names that lead nowhere; all problems of
        one kind are named at once, with the file and the field.
    """
    try:
        raw = tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not TOML: {error}; cure: correct the line") from error
    version = raw.get("version")
    if type(version) is not int or version != VERSION:
        got = "nothing" if version is None else repr(version)
        raise InputError(
            f"{where}: version: got {got}, expected {VERSION}; cure: write `version = {VERSION}` on top"
        )
    config, problem = convert(raw, HarnessConfig)
    if config is None:
        raise InputError(f"{where}: {problem}; cure: correct the file")
    problems = check(config)
    if problems:
        raise InputError("\n".join(f"{where}: {problem}" for problem in problems))
    return config


def check(config: HarnessConfig) -> tuple[str, ...]:
    """Return what a well-formed ``harness.toml`` says that can't be, one sentence each."""
    return (
        *_endpoint_problems(config),
        *_model_problems(config),
        *_phase_problems(config),
        *_number_problems(config),
        *_prompt_problems(config),
        *_hook_problems(config),
    )


def _endpoint_problems(config: HarnessConfig) -> Iterator[str]:
    if not config.endpoints:
        yield "endpoints: got nothing, expected at least one [endpoints.NAME]"
    for name, endpoint in config.endpoints.items():
        place = f"endpoints.{name}"
        if not _ENDPOINT_NAME.fullmatch(name):
            yield f"{place}: expected a name of letters, digits, '.', '_' and '-'"
        yield from _place_problems(place, endpoint)
        if endpoint.key_env and not _VARIABLE_NAME.fullmatch(endpoint.key_env):
            # The value is not shown: it may be the key itself.
            yield f"{place}.key_env: expected the name of an environment variable; keys never stand in a file"
        if endpoint.concurrency < 1:
            yield f"{place}.concurrency: got {endpoint.concurrency}, expected at least 1"


def _place_problems(place: str, endpoint: EndpointConfig) -> Iterator[str]:
    if endpoint.client == "command":
        if not endpoint.command or not all(endpoint.command):
            example = 'command = ["python3", "my_model.py"]'
            yield f"{place}.command: expected a program and its arguments; cure: write {example}"
        if not all(_VARIABLE_NAME.fullmatch(name) for name in endpoint.env):
            # The value is not shown: it may be a secret.
            yield f"{place}.env: expected names of environment variables; their values never stand in a file"
        if endpoint.base_url or endpoint.simulator:
            yield f"{place}: a program has no base_url and no simulator; cure: remove them"
        return
    if endpoint.env:
        yield f"{place}.env: only for client 'command'; cure: remove it; a key's variable stands in key_env"
    if endpoint.command:
        yield f"{place}.command: only for client 'command'; cure: write client = \"command\""
    if bool(endpoint.base_url) == bool(endpoint.simulator):
        yield f"{place}: expected either base_url or simulator; cure: give exactly one of them"
    elif endpoint.base_url:
        yield from _address_problems(place, endpoint)


def _address_problems(place: str, endpoint: EndpointConfig) -> Iterator[str]:
    if "@" in endpoint.base_url:
        # Not only in the host's part: a key with a slash in it ends that part early.
        yield f"{place}.base_url: holds a user name or key; cure: remove it, and name a variable in key_env"
        return
    try:
        parts = urlsplit(endpoint.base_url)
    except ValueError:
        yield f"{place}.base_url: not an address; expected one like http://127.0.0.1:11434"
        return
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield f"{place}.base_url: got '{endpoint.base_url}', expected an address like http://127.0.0.1:11434"


def _model_problems(config: HarnessConfig) -> Iterator[str]:
    if not config.models:
        yield "models: got nothing, expected at least one [[models]]"
    ids = [model.id for model in config.models]
    yield from (f"models: '{name}' stands there twice; cure: remove one" for name in _twice(ids))
    for place, model in ((f"models[{index}]", model) for index, model in enumerate(config.models)):
        if not model.id or model.id == AUTO or model.id != model.id.strip():
            yield f"{place}.id: got '{model.id}', expected a model's name ('{AUTO}' means the best one)"
        yield from _unknown(f"{place}.endpoint", (model.endpoint,), config.endpoints)
        yield from _unknown(f"{place}.phases", model.phases, config.phases)
        yield from (f"{place}.phases: '{name}' stands there twice" for name in _twice(model.phases))
        yield from _price_problems(place, model)
        yield from _settings_problems(f"{place}.settings", model.settings, config)


def _price_problems(place: str, model: ModelConfig) -> Iterator[str]:
    for name in ("price_input", "price_output"):
        price = getattr(model, name)
        if price is not None and not (math.isfinite(price) and price >= 0):
            yield f"{place}.{name}: got {price}, expected 0 or more"


def _phase_problems(config: HarnessConfig) -> Iterator[str]:
    if not config.phases:
        yield "phases: got nothing, expected at least one [phases.NAME]"
    for name, phase in config.phases.items():
        place = f"phases.{name}"
        if not _PHASE_NAME.fullmatch(name):
            yield f"{place}: expected a name of small letters, digits, '-' and '_'"
        if not phase.suite:
            yield f"{place}.suite: got nothing, expected a suite's name or file"
        yield from _baseline_problems(place, name, phase, config)
        yield from _settings_problems(f"{place}.settings", phase.settings, config)
        yield from _search_problems(f"{place}.search", phase.search, config)
        if not (math.isfinite(phase.max_slowdown) and phase.max_slowdown >= 0):
            yield f"{place}.max_slowdown: got {phase.max_slowdown}, expected 0 or more (0.2 = 20 % slower)"
        dearer = phase.max_cost_increase
        if dearer is not None and not (math.isfinite(dearer) and dearer >= 0):
            yield f"{place}.max_cost_increase: got {dearer}, expected 0 or more (0.5 = half as much again)"
        if not 0 <= phase.accuracy_floor <= 1:
            yield f"{place}.accuracy_floor: got {phase.accuracy_floor}, expected 0 to 1"


def _baseline_problems(place: str, name: str, phase: PhaseConfig, config: HarnessConfig) -> Iterator[str]:
    ids = {model.id for model in config.models}
    yield from _unknown(f"{place}.baseline", (phase.baseline,), ids)
    able = {model.id for model in config.models_of(name)}
    if phase.baseline in ids - able:
        cure = f"add '{name}' to its phases"
        yield f"{place}.baseline: '{phase.baseline}' may not serve this phase; cure: {cure}"


def _search_problems(place: str, search: SearchConfig, config: HarnessConfig) -> Iterator[str]:
    yield from _unknown(f"{place}.variants", search.variants, (*variants.NAMES, *config.variants))
    tried = (
        *(SettingsPatch(temperature=value) for value in search.temperatures),
        *(SettingsPatch(timeout_s=value) for value in search.timeouts_s),
        *(SettingsPatch(retries=value) for value in search.retries),
    )
    for patch in tried:
        yield from _settings_problems(place, patch, config)


def _prompt_problems(config: HarnessConfig) -> Iterator[str]:
    for name, prompt in config.variants.items():
        place = f"variants.{name}"
        if not _PHASE_NAME.fullmatch(name) or name in variants.NAMES:
            yield f"{place}: expected a name of its own, of small letters, digits, '-' and '_'"
        yield from (f"{place}.{problem}" for problem in prompt_problems(prompt))
    if config.proposer.model:
        yield from _unknown("proposer.model", (config.proposer.model,), {model.id for model in config.models})


def prompt_problems(prompt: Prompt) -> Iterator[str]:
    """Yield what is wrong with a prompt variant."""
    yield from _unknown("format", (prompt.format,), variants.NAMES)
    text = prompt.system_prompt
    if not text.strip():
        yield "system_prompt: got nothing, expected a text"
    if len(text) > LONGEST_PROMPT:
        yield f"system_prompt: got {len(text)} characters, expected at most {LONGEST_PROMPT}"
    if any(not (letter.isprintable() or letter in "\n\t") for letter in text):
        yield "system_prompt: holds control characters; cure: remove them"


def _settings_problems(
    place: str, settings: Settings | SettingsPatch, config: HarnessConfig
) -> Iterator[str]:
    if settings.variant is not None:
        yield from _unknown(f"{place}.variant", (settings.variant,), (*variants.NAMES, *config.variants))
    yield from (f"{place}.{problem}" for problem in number_problems(settings))


def number_problems(settings: Settings | SettingsPatch) -> Iterator[str]:
    """Yield what is wrong with the numbers of settings."""
    timeout, temperature, retries = settings.timeout_s, settings.temperature, settings.retries
    if timeout is not None and not (math.isfinite(timeout) and timeout > 0):
        yield f"timeout_s: got {timeout}, expected more than 0 seconds"
    if temperature is not None and not (math.isfinite(temperature) and temperature >= 0):
        yield f"temperature: got {temperature}, expected 0 or more"
    if retries is not None and retries < 0:
        yield f"retries: got {retries}, expected 0 or more"


def _number_problems(config: HarnessConfig) -> Iterator[str]:
    rules: tuple[tuple[tuple[str, ...], str, Callable[[float], bool]], ...] = (
        (_AT_LEAST_ONE, "1 or more", lambda value: value >= 1),
        (_NOT_NEGATIVE, "0 or more", lambda value: math.isfinite(value) and value >= 0),
        (_SHARES, "a share from 0 to 1", lambda value: 0 <= value <= 1),
        (_BETWEEN, "more than 0 and less than 1", lambda value: 0 < value < 1),
    )
    for names, expected, holds in rules:
        for name in names:
            section, field = name.split(".")
            value = getattr(getattr(config, section), field)
            if not holds(value):
                yield f"{name}: got {value}, expected {expected}"


def _hook_problems(config: HarnessConfig) -> Iterator[str]:
    for place, hook in ((f"on_event[{index}]", hook) for index, hook in enumerate(config.on_event)):
        if not hook.events:
            yield f"{place}.events: got nothing, expected some of {listed(get_args(HookEvent))}"
        if not hook.command or not all(hook.command):
            yield f'{place}.command: expected a program and its arguments, like ["notify-send", "harness"]'
        if not (math.isfinite(hook.timeout_s) and hook.timeout_s > 0):
            yield f"{place}.timeout_s: got {hook.timeout_s}, expected more than 0 seconds"
        if not all(_VARIABLE_NAME.fullmatch(name) for name in hook.env):
            # The value is not shown: it may be a secret.
            yield f"{place}.env: expected names of environment variables; their values never stand in a file"


def _unknown(place: str, names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    known = tuple(known)
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"; expected one of {listed(known)}"
            yield f"{place}: there is no '{name}'{hint}"


def _twice(names: Iterable[str]) -> list[str]:
    return sorted(name for name, times in Counter(names).items() if times > 1)
