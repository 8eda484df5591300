"""A cycle: plan, manifest, events, outcome, and everything about it in one bundle."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from harnesslib.records.base import Record
from harnesslib.records.config import HookEvent
from harnesslib.records.evidence import Decisions, Feedback, Summary, Verifications
from harnesslib.records.measure import Sample, Spec
from harnesslib.records.routing import LogEntry, RoutingConfig


class Skipped(Record):
    """A candidate that is not measured this time, and why."""

    spec: Spec
    reason: str


class PhasePlan(Record):
    """What one phase measures. `smallest_effect` is the gain found with 80 % power, as a share."""

    phase: str
    suite: str
    suite_version: str
    suite_hash: str
    baseline: Spec
    candidates: tuple[Spec, ...]
    skipped: tuple[Skipped, ...]
    search_cases: int
    holdout_cases: int
    smallest_effect: float | None


class Plan(Record):
    """What a cycle will do, and how many samples and requests that takes at the most, and at the least."""

    run_id: str
    seed: int
    generation: int
    phases: tuple[PhasePlan, ...]
    predicted_samples: int
    predicted_requests: int
    digests: dict[str, str]
    least_requests: int = 0


class Screened(Record):
    """How a candidate did in the screen, on the cases that the baseline failed there.

    `gain` is what that promises for the whole suite, as a share; none without a call. `reason` says why it
    went no further, "" for the leader; `halted` whether it was for want of sound calls or of budget.
    """

    phase: str
    spec: Spec
    passes: int
    calls: int
    gain: float | None
    reason: str
    halted: bool = False


class Selection(Record):
    """What the screen decided: who is confirmed in each phase, and whose first calls are looked at again.

    `headroom` are the cases of each phase that its baseline failed.
    """

    run_id: str
    leaders: dict[str, Spec]
    suspects: tuple[Spec, ...]
    screened: tuple[Screened, ...] = ()
    headroom: dict[str, tuple[str, ...]] = {}


Ending = Literal["crossed", "completed", "futile", "harm", "infrastructure", "budget"]


class Confirmed(Record):
    """Why one phase's comparison ended, in one word and in a sentence; `rounds` is how many it took."""

    phase: str
    candidate: Spec
    baseline: Spec
    ended: Ending
    rounds: int
    reason: str


class Confirmation(Record):
    """How the fresh calls of a cycle went, phase by phase."""

    run_id: str
    phases: tuple[Confirmed, ...]

    def of(self, candidate: Spec) -> Confirmed | None:
        """Return how a candidate's comparison ended, or none."""
        return next((one for one in self.phases if one.candidate == candidate), None)


class Applied(Record):
    """What enforcement did: the generation before, and the one it put in force."""

    run_id: str
    generation_before: int
    generation: int


RunStatus = Literal["running", "done", "failed", "lost"]


class Manifest(Record):
    """What a run is and how it went. Written first, sealed last."""

    run_id: str
    kind: Literal["cycle", "run"]
    status: RunStatus
    started_at: datetime
    parameters: dict[str, Any]
    environment: dict[str, str]
    simulated: bool
    pid: int
    pid_started: float
    ended_at: datetime | None = None
    reason: str = ""
    exit_code: int | None = None
    verdict: str = ""
    files: dict[str, str] = {}
    schema_version: int = 1


class Event(Record):
    """One line of ``events.jsonl``: progress for whoever watches."""

    time: datetime
    state: str
    message: str
    done: int = 0
    total: int = 0


class Notice(Record):
    """What a hook is told; `run_id` and `report` are "" where there is none."""

    event: HookEvent
    time: datetime
    workspace: str
    run_id: str
    headline: str
    generation_before: int | None = None
    generation: int | None = None
    baselines: dict[str, str] = {}
    report: str = ""
    exit_code: int = 0


class TruthRow(Record):
    """What the harness concluded, beside what the simulated model was declared to be."""

    model: str
    phase: str
    declared: str
    concluded: str
    right: bool


class CycleOutcome(Record):
    """How a cycle ended: one sentence and the numbers behind it."""

    run_id: str
    ended_at: datetime
    headline: str
    status: Literal["promoted", "rolled_back", "partly_kept", "unchanged", "undecided"]
    generation_before: int
    generation: int
    baselines: dict[str, str]
    accuracy: dict[str, float | None]
    truth: tuple[TruthRow, ...] = ()


class CycleRecords(Record):
    """Everything that is known about one cycle so far: what a report is made of."""

    manifest: Manifest
    plan: Plan | None = None
    samples: tuple[Sample, ...] = ()
    selection: Selection | None = None
    confirmation: Confirmation | None = None
    summary: Summary | None = None
    feedback: Feedback | None = None
    decisions: Decisions | None = None
    applied: Applied | None = None
    verifications: Verifications | None = None
    outcome: CycleOutcome | None = None
    routing_before: RoutingConfig | None = None
    routing_after: RoutingConfig | None = None
    log: tuple[LogEntry, ...] = ()
    history: tuple[CycleOutcome, ...] = ()
