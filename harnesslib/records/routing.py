"""``routing_config.json`` and its log: what machines write and applications read."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import UNSET, UnsetType

from harnesslib.records.base import Record
from harnesslib.records.evidence import Estimate
from harnesslib.records.measure import Prompt, Settings, Spec

ROUTING_VERSION = "2.0"
AUTO = "auto"
"""The model name by which an application asks for whatever is best now."""


class Rule(Record):
    """One (model, phase) entry. A denied pair is served by `fallback_model`, then by `fallbacks`.

    `decision_id` is the decision that last changed the rule, `warmup_decision_id` the one that last turned
    its warm-up on: both may be of the same generation, and are kept or taken back each by itself.
    """

    model: str
    phase: str
    allow: bool
    settings: Settings
    reason: str
    source: Literal["init", "cycle", "person"]
    timestamp: datetime
    enable_warmup: bool = False
    fallback_model: str | None = None
    fallbacks: tuple[str, ...] = ()
    decision_id: str | None = None
    warmup_decision_id: str | None = None
    status: Literal["probation", "confirmed"] = "confirmed"
    review_after: datetime | None = None


class Baseline(Record):
    """What serves a phase, and how it measured."""

    spec: Spec
    accuracy: Estimate
    restraint: Estimate
    run_ids: tuple[str, ...] = ()


class RoutingConfig(Record):
    """One generation of the routing."""

    generation: int
    parent_sha256: str
    timestamp: datetime
    rules: tuple[Rule, ...]
    baselines: dict[str, Baseline]
    version: Literal["2.0"] = "2.0"
    variants: dict[str, Prompt] | UnsetType = UNSET
    """Texts of the prompt variants that rules name; left out where none does: old files keep their bytes."""

    @property
    def prompts(self) -> dict[str, Prompt]:
        """The prompt variants, by pinned name."""
        return {} if isinstance(self.variants, UnsetType) else self.variants

    def rule(self, model: str, phase: str) -> Rule | None:
        """Return the rule for a pair, or none."""
        found = (rule for rule in self.rules if (rule.model, rule.phase) == (model, phase))
        return next(found, None)


class Resolution(Record):
    """What an application is told: call `model` with `settings`, then `fallbacks` in order.

    `call_format` is how calls are written ("native": the API's own field); `system_prompt` is to be sent
    first where it is not "": the route was measured with it.
    """

    requested_model: str
    phase: str
    model: str
    settings: Settings
    warmup: bool
    fallbacks: tuple[str, ...]
    generation: int
    reason: str
    call_format: str = "native"
    system_prompt: str = ""


class LockOwner(Record):
    """Who holds a lock. A dead pid, a reused pid or an earlier boot is nobody."""

    pid: int
    pid_started: float
    boot_id: str
    host: str
    command: str
    since: datetime


LogEvent = Literal["init", "intent", "applied", "confirmed", "rolled_back", "undone", "synced"]
IN_FORCE: frozenset[LogEvent] = frozenset({"init", "applied", "confirmed", "rolled_back", "synced"})
"""Events after which the file in force has the entry's generation and hash."""


class LogEntry(Record):
    """One line of ``routing_decisions.jsonl``. `sha256` is over the line with `sha256` empty."""

    seq: int
    time: datetime
    event: LogEvent
    generation: int
    config_sha256: str
    summary: str
    run_id: str = ""
    decision_ids: tuple[str, ...] = ()
    prev_sha256: str = ""
    sha256: str = ""
