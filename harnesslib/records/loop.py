"""What closes the loop: proposals and their answers, changes that wait for a person, drift, forecasts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from harnesslib.records.base import Record
from harnesslib.records.config import SettingsPatch
from harnesslib.records.evidence import Estimate
from harnesslib.records.routing import RoutingConfig


class ProposalPatch(SettingsPatch):
    """What a proposal changes of the settings; `system_prompt` is a text of its own, in any call format."""

    system_prompt: str | None = None


class Proposal(Record):
    """A candidate that a person or a program drops into ``proposals/``.

    `model` "" means the one that serves the phase now. `expected_delta` is a share: 0.05 = 5 points.
    `author` is free text; the built-in proposer writes the name of its model there.
    """

    name: str
    phase: str
    hypothesis: str
    patch: ProposalPatch
    model: str = ""
    expected_delta: float | None = None
    author: str = ""


class Submitted(Record):
    """One file of ``proposals/`` as it was read. `problem` says why it could not be."""

    name: str
    file: str
    text: str
    sha256: str
    problem: str = ""


class PlannedProposal(Record):
    """What a plan remembers of a proposal: which text it was, and which spec it asks for, or its problem."""

    name: str
    sha256: str
    phase: str = ""
    spec_id: str = ""
    problem: str = ""
    expected_delta: float | None = None


Answer = Literal["invalid", "waiting", "serving", "rejected", "held", "proposed", "rolled_back", "kept"]


class ProposalVerdict(Record):
    """The answer to a proposal: ``proposals/<name>.verdict.json``.

    `effect` is the gain on fresh calls, `verified` the one that is credited. `waiting` = not measured yet,
    `held` = measured and not decided, `proposed` = good, and waiting for a person.
    """

    name: str
    sha256: str
    status: Answer
    reason: str
    run_id: str
    answered_at: datetime
    decision_id: str = ""
    expected_delta: float | None = None
    effect: Estimate | None = None
    verified: Estimate | None = None
    schema_version: int = 1


class Held(Record):
    """A promoted change that was not put in force, and why."""

    decision_id: str
    phase: str
    because: Literal["off", "propose", "drift"]
    reason: str


class Proposed(Record):
    """What a cycle did not put in force by itself: ``runs/<id>/proposed.json``.

    `routing` is the generation that would be made from `generation`, whose file has the hash `parent_sha256`;
    none where nothing is to be applied. `diff` is in words.
    """

    run_id: str
    generation: int
    parent_sha256: str
    held: tuple[Held, ...]
    diff: tuple[str, ...]
    routing: RoutingConfig | None = None


class DriftPoint(Record):
    """A phase's baseline in one run: passes and valid calls of each case."""

    run_id: str
    when: datetime
    spec_id: str
    suite_hash: str
    digest: str
    cases: dict[str, tuple[int, int]]


class PhaseDrift(Record):
    """Whether a baseline that nobody changed has moved.

    `z` compares this run with its reference; `lower` and `upper` are the cumulative sums for worse and
    better; `moved` is none where there is nothing to compare with. `way_back` says what a person can do.
    """

    phase: str
    model: str
    moved: bool | None
    digest_changed: bool
    z: float | None
    lower: float
    upper: float
    accuracy: float | None
    reference_accuracy: float | None
    reference_runs: tuple[str, ...]
    headline: str
    way_back: str = ""

    @property
    def frozen(self) -> bool:
        """Whether nothing is to be applied by itself in this phase."""
        return self.digest_changed or bool(self.moved)


class Drift(Record):
    """The baselines of one run beside those of earlier ones."""

    run_id: str
    phases: tuple[PhaseDrift, ...]

    @property
    def frozen(self) -> frozenset[str]:
        """The phases in which nothing is to be applied by itself."""
        return frozenset(each.phase for each in self.phases if each.frozen)


class Heartbeat(Record):
    """What a process that measures is doing: ``runs/<id>/heartbeat.json``, written anew every second."""

    run_id: str
    pid: int
    pid_started: float
    boot_id: str
    started_at: datetime
    at: datetime
    state: str
    message: str
    done: int
    total: int
    said_at: datetime


class Activity(Record):
    """A run that is not finished. `silent` = its process lives and is not heard of; `gone` = it is dead.

    `at` is its last sign of life, `said_at` when it last got on with something.
    """

    run_id: str
    kind: str
    condition: Literal["working", "silent", "gone", "failed"]
    state: str
    message: str
    done: int
    total: int
    pid: int
    started_at: datetime
    at: datetime | None
    said_at: datetime | None
    reason: str = ""
    cure: str = ""


class CandidateForecast(Record):
    """What one sweep of a candidate over the search split takes; none = nothing is known of it yet."""

    spec_id: str
    model: str
    label: str
    origin: str
    requests: int
    seconds: float | None
    cost: float | None


class PhaseForecast(Record):
    """Who is measured in a phase, who is not and why, and the smallest gain that is found with 80 % power."""

    phase: str
    baseline: str
    search_cases: int
    smallest_effect: float | None
    candidates: tuple[CandidateForecast, ...]
    skipped: tuple[str, ...]


class Rate(Record):
    """What a request to a model took in earlier runs, on average."""

    model: str
    seconds: float
    cost: float | None
    requests: int


class Forecast(Record):
    """What ``harness plan`` prints: no model was asked anything for it.

    `samples` and `requests` are upper bounds; `seconds` is the wall time of so many requests with the
    endpoints' concurrency, `cost` theirs in the unit of the prices; none where a model was never measured
    (`unknown_models`). `rates` are what both come from, out of the runs `based_on`.
    """

    generation: int
    phases: tuple[PhaseForecast, ...]
    samples: int
    requests: int
    seconds: float | None
    cost: float | None
    rates: tuple[Rate, ...]
    based_on: tuple[str, ...]
    unknown_models: tuple[str, ...]
    proposals: tuple[PlannedProposal, ...] = ()
