"""A cycle: plan, manifest, events, outcome, and everything about it in one bundle."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from harnesslib.records.base import Record
from harnesslib.records.config import BudgetConfig, HookEvent, PolicyConfig
from harnesslib.records.evidence import Decisions, Estimate, Feedback, Summary, Verifications
from harnesslib.records.loop import Drift, PlannedProposal, Proposed
from harnesslib.records.measure import Prompt, Sample, Spec
from harnesslib.records.routing import LogEntry, RoutingConfig


class Skipped(Record):
    """A candidate that is not measured this time, and why."""

    spec: Spec
    reason: str


class PhasePlan(Record):
    """What one phase measures. `smallest_effect` is the gain found with 80 % power, as a share.

    `origins` maps a candidate's spec id to why it is one: "model", "search", "finding: ..." or
    "proposal: NAME". `denied` are models that don't serve now, and are looked at again.
    """

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
    origins: dict[str, str] = {}
    denied: tuple[str, ...] = ()


class Plan(Record):
    """What a cycle will do, and how many samples and requests that takes at the most, and at the least.

    `prompts` are the texts of all prompt variants in it, by pinned name; `proposals` what lay there.
    `policy` and `budget` are the rules that the cycle is judged and limited by, as they were before anything
    was measured.
    """

    run_id: str
    seed: int
    generation: int
    phases: tuple[PhasePlan, ...]
    predicted_samples: int
    predicted_requests: int
    digests: dict[str, str]
    prompts: dict[str, Prompt] = {}
    proposals: tuple[PlannedProposal, ...] = ()
    least_requests: int = 0
    policy: PolicyConfig | None = None
    budget: BudgetConfig | None = None


class Screened(Record):
    """How a candidate did in the screen, on the cases that the baseline failed there.

    `gain` is what that promises for the whole suite, as a share; none without a call. `reason` says why it
    went no further, "" for the leader; `halted` whether it was for want of sound calls or of budget, and
    `passed_over` whether another one promised more: either way it has not had its trial yet.
    """

    phase: str
    spec: Spec
    passes: int
    calls: int
    gain: float | None
    reason: str
    halted: bool = False
    passed_over: bool = False


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

    @property
    def halted(self) -> dict[str, Confirmed]:
        """The phases whose measurement had to stop for want of sound calls or of budget."""
        return {one.phase: one for one in self.phases if one.ended in {"budget", "infrastructure"}}

    def of(self, candidate: Spec) -> Confirmed | None:
        """Return how a candidate's comparison ended, or none."""
        return next((one for one in self.phases if one.candidate == candidate), None)


class Applied(Record):
    """What enforcement did: the generation before, and the one it put in force."""

    run_id: str
    generation_before: int
    generation: int


RunStatus = Literal["running", "done", "failed", "lost"]
RunKind = Literal["cycle", "run", "sentinel"]


class Manifest(Record):
    """What a run is and how it went. Written first, sealed last."""

    run_id: str
    kind: RunKind
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


class Standing(Record):
    """How one arm stands while it is measured: `passes` of `calls` samples that count."""

    phase: str
    model: str
    spec_id: str
    passes: int
    calls: int


class Event(Record):
    """One line of ``events.jsonl``: progress for whoever watches.

    `done` of `total` samples of the state; `round` of `rounds` where it has any. `requests` and `cost` are
    those of the whole run so far, none where nothing is said of them. `standings` are the arms measured now.
    `dropped` names an arm that is not measured any further; the message says why.
    """

    time: datetime
    state: str
    message: str
    done: int = 0
    total: int = 0
    round: int = 0
    rounds: int = 0
    requests: int | None = None
    cost: float | None = None
    standings: tuple[Standing, ...] = ()
    dropped: str = ""


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
    """How a cycle ended: one sentence and the numbers behind it.

    `accuracy` is that of the baselines by phase, `intervals` the same with its interval.
    """

    run_id: str
    ended_at: datetime
    headline: str
    status: Literal["promoted", "rolled_back", "partly_kept", "unchanged", "undecided", "proposed"]
    generation_before: int
    generation: int
    baselines: dict[str, str]
    accuracy: dict[str, float | None]
    truth: tuple[TruthRow, ...] = ()
    intervals: dict[str, Estimate] = {}


class ReportSeal(Record):
    """``seal.json``: the hashes of a run folder's files once its report is written, the manifest's too."""

    run_id: str
    files: dict[str, str]
    schema_version: int = 1


class RunLine(Record):
    """One run as a list of runs shows it. `problem` says what can't be read of it, "" where all can."""

    run_id: str
    kind: str = ""
    status: str = ""
    started_at: datetime | None = None
    reason: str = ""
    simulated: bool = False
    outcome: CycleOutcome | None = None
    report: bool = False
    problem: str = ""


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
    drift: Drift | None = None
    proposed: Proposed | None = None
    routing_before: RoutingConfig | None = None
    routing_after: RoutingConfig | None = None
    log: tuple[LogEntry, ...] = ()
    history: tuple[CycleOutcome, ...] = ()
