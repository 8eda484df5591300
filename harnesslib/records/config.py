"""``harness.toml``: what people write."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import msgspec

from harnesslib.records.base import Record
from harnesslib.records.measure import Prompt, Settings

ClientName = Literal["openai_compat", "ollama", "command"]
_PORTS = {"http": 80, "https": 443}
_HERE = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - an address to compare with


class EndpointConfig(Record):
    """Where models are served.

    `simulator` names a file of simulated models (relative to the workspace): the built-in server is then
    started for the duration of a command and `base_url` stays empty. `key_env` is the *name* of an
    environment variable; keys never stand in a file. `command` is a program and its arguments for client
    "command", which has no address; it sees the environment variables that `env` and `key_env` name, beside
    ``PATH``, ``HOME`` and the like.
    """

    client: ClientName = "openai_compat"
    base_url: str = ""
    key_env: str = ""
    simulator: str = ""
    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    concurrency: int = 4

    @property
    def server(self) -> str:
        """Host and port, written alike however they are given; "" without an address."""
        parts = urlsplit(self.base_url)
        host = (parts.hostname or "").lower()
        try:
            port = parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError:
            port = 0
        return f"{'localhost' if host in _HERE else host}:{port}" if host else ""


class SettingsPatch(Record):
    """Settings that differ from those of the phase; none = not given."""

    variant: str | None = None
    temperature: float | None = None
    timeout_s: float | None = None
    retries: int | None = None
    warmup: bool | None = None
    retry_malformed: bool | None = None

    def over(self, base: Settings) -> Settings:
        """Return `base` with the given fields replaced."""
        given = {name: getattr(self, name) for name in Settings.__struct_fields__}
        merged = {name: getattr(base, name) if value is None else value for name, value in given.items()}
        return Settings(**merged)


class ModelConfig(Record):
    """A model that may serve. `phases` empty = all phases.

    Prices are per million tokens; 0 is free, none is unknown.
    """

    id: str
    endpoint: str
    phases: tuple[str, ...] = ()
    price_input: float | None = None
    price_output: float | None = None
    settings: SettingsPatch = SettingsPatch()


class SearchConfig(Record):
    """Settings to try on what serves a phase, one at a time, beside other models.

    `retries` are tried with a further attempt also after a call that can't be read: what an application can
    see has failed.
    """

    variants: tuple[str, ...] = ()
    temperatures: tuple[float, ...] = ()
    timeouts_s: tuple[float, ...] = ()
    retries: tuple[int, ...] = ()


AutoApply = Literal["off", "propose", "on"]


class PhaseConfig(Record):
    """A class of work that is routed as one, and the suite that stands for it.

    `baseline` is the model the first generation starts with. `max_slowdown` is the latency guard's
    margin: 0.2 lets a candidate's typical call take 20 % longer; `max_cost_increase` the same for what it
    costs, none = no limit. `accuracy_floor` is the least served
    accuracy of a model that may serve at all. `auto_apply` says what becomes of a promoted change: "on" puts
    it in force and proves it, "propose" writes down what would be put in force, "off" only decides.
    """

    suite: str
    baseline: str
    settings: Settings = Settings()
    max_slowdown: float = 0.2
    max_cost_increase: float | None = None
    accuracy_floor: float = 0.3
    auto_apply: AutoApply = "on"
    search: SearchConfig = SearchConfig()


class PolicyConfig(Record):
    """The numbers of the gates; see the policy's own documentation for what each one means.

    `smallest_gain` is the gain worth finding, as a share: a candidate for which it has become implausible
    gets no more calls. A smaller one costs more calls, in proportion to its square.
    """

    smallest_gain: float = 0.1
    alpha: float = 0.05
    verify_alpha: float = 0.2
    min_samples: int = 3
    max_variance: float = 0.0025
    restraint_floor: float = 0.8
    restraint_margin: float = 0.15
    max_infra_share: float = 0.1
    review_days: int = 7


class CycleConfig(Record):
    """How a cycle measures. How often a case is asked follows from the suite's size and from what is seen."""

    seed: int = 1
    sessions: int = 5
    verify_sessions: int = 3
    session_cases: int = 4


class BudgetConfig(Record):
    """What one cycle may spend at the most; 0 = no limit.

    `max_calls` counts requests to endpoints, `max_cost` is in the unit of the prices, `max_minutes` is wall
    time. A cycle that would exceed one stops asking, decides on what it has, and applies nothing that it
    could not verify within the budget.
    """

    max_calls: int = 0
    max_cost: float = 0.0
    max_minutes: float = 0.0


class ProposerConfig(Record):
    """Who writes proposals at the end of a cycle: a model of ``harness.toml``, or nobody ("")."""

    model: str = ""


HookEvent = Literal["promoted", "rolled_back", "drift", "failed", "held"]


class HookConfig(Record):
    """A program that is told how a cycle ended: the event as JSON on standard input.

    `command` is started without a shell, in the workspace. It sees the environment variables that `env`
    names, and the few that any program needs.
    """

    events: tuple[HookEvent, ...]
    command: tuple[str, ...]
    timeout_s: float = 30.0
    env: tuple[str, ...] = ()


class HarnessConfig(Record):
    """The whole of ``harness.toml``. `variants` are system prompts under a name that settings can use."""

    version: int
    endpoints: dict[str, EndpointConfig]
    models: tuple[ModelConfig, ...]
    phases: dict[str, PhaseConfig]
    policy: PolicyConfig = PolicyConfig()
    cycle: CycleConfig = CycleConfig()
    budget: BudgetConfig = BudgetConfig()
    variants: dict[str, Prompt] = {}
    proposer: ProposerConfig = ProposerConfig()
    on_event: tuple[HookConfig, ...] = ()

    @property
    def prompts(self) -> dict[str, Prompt]:
        """The variants of one's own, by the name that pins them to their text."""
        return {prompt.pinned(name): prompt for name, prompt in self.variants.items()}

    def pin(self, variant: str) -> str:
        """Return what settings hold for a variant that a person names."""
        return self.variants[variant].pinned(variant) if variant in self.variants else variant

    def model(self, model_id: str) -> ModelConfig:
        """Return one model; KeyError when there is none (the config was checked on load)."""
        return {model.id: model for model in self.models}[model_id]

    def models_of(self, phase: str) -> tuple[ModelConfig, ...]:
        """Return the models that may serve `phase`."""
        return tuple(model for model in self.models if not model.phases or phase in model.phases)

    def settings_of(self, model_id: str, phase: str) -> Settings:
        """Return the settings a model starts with in a phase, before any routing rule."""
        merged = self.model(model_id).settings.over(self.phases[phase].settings)
        return msgspec.structs.replace(merged, variant=self.pin(merged.variant))
