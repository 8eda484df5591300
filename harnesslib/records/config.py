"""``harness.toml``: what people write."""

from __future__ import annotations

from typing import Literal

from harnesslib.records.base import Record
from harnesslib.records.measure import Settings

ClientName = Literal["openai_compat", "ollama", "command"]


class EndpointConfig(Record):
    """Where models are served.

    `simulator` names a file of simulated models (relative to the workspace): the built-in server is then
    started for the duration of a command and `base_url` stays empty. `key_env` is the *name* of an
    environment variable; keys never stand in a file. `command` is a program and its arguments for client
    "command", which has no address.
    """

    client: ClientName = "openai_compat"
    base_url: str = ""
    key_env: str = ""
    simulator: str = ""
    command: tuple[str, ...] = ()
    concurrency: int = 4


class SettingsPatch(Record):
    """Settings that differ from those of the phase; none = not given."""

    variant: str | None = None
    temperature: float | None = None
    timeout_s: float | None = None
    retries: int | None = None
    warmup: bool | None = None

    def over(self, base: Settings) -> Settings:
        """Return `base` with the given fields replaced."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        merged = {name: getattr(base, name) if value is None else value for name, value in given.items()}
        return Settings(**merged)


class ModelConfig(Record):
    """A model that may serve. `phases` empty = all phases. Prices are per million tokens."""

    id: str
    endpoint: str
    phases: tuple[str, ...] = ()
    price_input: float = 0.0
    price_output: float = 0.0
    settings: SettingsPatch = SettingsPatch()


class PhaseConfig(Record):
    """A class of work that is routed as one, and the suite that stands for it.

    `baseline` is the model the first generation starts with. `max_slowdown` is the latency guard's
    margin: 0.2 lets a candidate's typical call take 20 % longer. `accuracy_floor` is the least served
    accuracy of a model that may serve at all.
    """

    suite: str
    baseline: str
    settings: Settings = Settings()
    max_slowdown: float = 0.2
    accuracy_floor: float = 0.3


class PolicyConfig(Record):
    """The numbers of the gates; see the policy's own documentation for what each one means."""

    alpha: float = 0.05
    verify_alpha: float = 0.2
    min_samples: int = 3
    max_variance: float = 0.0025
    restraint_floor: float = 0.8
    restraint_margin: float = 0.15
    max_infra_share: float = 0.1
    review_days: int = 7


class CycleConfig(Record):
    """How much a cycle measures. Repeats are calls per case and arm."""

    seed: int = 1
    screen_repeats: int = 2
    confirm_repeats: int = 7
    verify_repeats: int = 5
    sessions: int = 5
    verify_sessions: int = 3
    session_cases: int = 4


class BudgetConfig(Record):
    """What one cycle may spend at the most: requests to endpoints; 0 = no limit."""

    max_calls: int = 0


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
    """The whole of ``harness.toml``."""

    version: int
    endpoints: dict[str, EndpointConfig]
    models: tuple[ModelConfig, ...]
    phases: dict[str, PhaseConfig]
    policy: PolicyConfig = PolicyConfig()
    cycle: CycleConfig = CycleConfig()
    budget: BudgetConfig = BudgetConfig()
    on_event: tuple[HookConfig, ...] = ()

    def model(self, model_id: str) -> ModelConfig:
        """Return one model; KeyError when there is none (the config was checked on load)."""
        return {model.id: model for model in self.models}[model_id]

    def models_of(self, phase: str) -> tuple[ModelConfig, ...]:
        """Return the models that may serve `phase`."""
        return tuple(model for model in self.models if not model.phases or phase in model.phases)

    def settings_of(self, model_id: str, phase: str) -> Settings:
        """Return the settings a model starts with in a phase, before any routing rule."""
        return self.model(model_id).settings.over(self.phases[phase].settings)
