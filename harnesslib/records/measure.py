"""What is measured: settings, specs, requests, replies and samples."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from harnesslib.records.base import Record, encode, sha256
from harnesslib.records.suite import Tool

Outcome = Literal["pass", "wrong", "abstained", "overcalled", "malformed", "timeout", "infra_error"]
OUTCOMES: tuple[Outcome, ...] = (
    "pass",
    "wrong",
    "abstained",
    "overcalled",
    "malformed",
    "timeout",
    "infra_error",
)
Stage = Literal[
    "run",
    "screen",
    "probe",
    "confirm",
    "guard",
    "sessions",
    "verify",
    "verify_sessions",
    "verify_fallback",
]
"""What samples are taken for.

A plain run; the baseline's sweep and the candidates' calls on the cases it failed; cases drawn by lot of
candidates that look hopeless there; fresh calls of a leader and the baseline; more of these where no call is
wanted; loads on purpose; and what was applied, measured again.
"""


SampleKey = tuple[str, str, str, int, int]
"""What makes a sample unique inside a run: (stage, spec id, case id, repeat, session)."""


class Settings(Record):
    """How a model is asked.

    `timeout_s` is the deadline of one case, retries and loading included. `retries` counts further
    attempts after an infrastructure failure, and after a call that can't be read where `retry_malformed` is
    true. A `variant` with an "@" is a prompt variant, pinned to one text: see `Prompt`.
    """

    variant: str = "native"
    temperature: float = 0.0
    timeout_s: float = 30.0
    retries: int = 1
    warmup: bool = False
    retry_malformed: bool | UnsetType = UNSET
    """Left out of files where it was never set, so that settings of before keep their bytes and ids."""


class Prompt(Record):
    """A variant of one's own: a call format, and what the system says to the model besides."""

    system_prompt: str
    format: str = "native"

    def pinned(self, name: str) -> str:
        """Return the name under which settings hold this very text: ``name@8 hex digits``."""
        return f"{name}@{sha256(encode(self))[:8]}"


class Spec(Record):
    """What is measured: a model in a phase under settings."""

    model: str
    phase: str
    settings: Settings

    @property
    def id(self) -> str:
        """Short, stable and readable: ``model/phase/6 hex digits of the settings``."""
        return f"{self.model}/{self.phase}/{sha256(encode(self.settings))[:6]}"


class Call(Record):
    """A tool call that a model asked for. It is never executed outside a simulated world."""

    name: str
    arguments: dict[str, Any]


class ChatRequest(Record):
    """One request to an endpoint. `messages` are chat messages in OpenAI's form."""

    model: str
    messages: tuple[dict[str, Any], ...]
    tools: tuple[Tool, ...]
    temperature: float
    seed: int


class Reply(Record):
    """What an endpoint answered.

    `malformed` says why a call could not be read ("" when all could). `load_s` is the endpoint's own
    statement of time spent loading the model. Latencies are wall seconds of this attempt.
    """

    calls: tuple[Call, ...]
    text: str
    malformed: str
    served_model: str
    latency_s: float
    ttfb_s: float | None = None
    load_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class Failure(Record):
    """An attempt without an answer. A `loading` model is asked again until the case's deadline."""

    kind: Literal["timeout", "loading", "infra_error"]
    detail: str
    status: int | None = None
    retry_after_s: float | None = None


class ModelInfo(Record):
    """A model that an endpoint offers. `digest` is "" where the endpoint has none."""

    id: str
    digest: str = ""
    loaded: bool | None = None


class Score(Record):
    """The verdict on one attempt, with the reason in words."""

    outcome: Outcome
    detail: str


class Assignment(Record):
    """A sample to take. `requested_model` differs from the spec's model where a route fell back.

    `round` counts the rounds of its stage: what a round measures depends on those before it.
    """

    stage: Stage
    spec: Spec
    case_id: str
    repeat: int
    position: int
    seed: int
    requested_model: str
    round: int = 0
    session: int = 0
    cold: bool = False
    warmup_s: float | None = None
    idle_s: float | None = None
    level: int = 0

    @property
    def key(self) -> SampleKey:
        """What makes the sample unique inside a run."""
        return (self.stage, self.spec.id, self.case_id, self.repeat, self.session)


class Sample(Record):
    """One observed attempt of one case under one spec: a line of the journal.

    `position` counts the samples of this stage in the order they were started; `round` is the round of the
    stage that asked for it; `session` counts loads of
    the model on purpose (0 where it was not unloaded). `cold` is true where nobody had used the model
    since it was unloaded. `warmup_s` is how long the warm-up of its session took, `idle_s` how
    long the model had not answered anybody in this run (none before its first answer), `level` how
    many samples its endpoint was given at the same time at the most. `latency_s` is time
    waiting for the endpoint, all turns, back-off excluded; none for a sample without an answer.
    `elapsed_s` is what a user waited, retries included. Tokens are those of all answers; none unless every
    answer stated them, and for a sample that failed. `cost` is none where tokens or price are unknown.
    """

    run_id: str
    stage: Stage
    spec_id: str
    model: str
    requested_model: str
    served_model: str
    phase: str
    case_id: str
    skill: str
    wants_call: bool
    repeat: int
    seed: int
    position: int
    started_at: datetime
    outcome: Outcome
    detail: str
    round: int = 0
    session: int = 0
    cold: bool = False
    warmup_s: float | None = None
    idle_s: float | None = None
    level: int = 0
    turns: tuple[tuple[Call, ...], ...] = ()
    text: str = ""
    latency_s: float | None = None
    elapsed_s: float = 0.0
    ttfb_s: float | None = None
    load_s: float | None = None
    attempts: int = 1
    requests: int = 1
    concurrency: int = 1
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None

    @property
    def key(self) -> SampleKey:
        """What makes the sample unique inside a run."""
        return (self.stage, self.spec_id, self.case_id, self.repeat, self.session)
