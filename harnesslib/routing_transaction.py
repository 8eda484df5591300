"""How a change of the routing is put in force, and finished or undone when it was stopped half way.

Every change is: log the intent with the hash of the file to come, save, read back, log the end. So the log's
last entry and the file in force always tell how far it came. The caller holds the lock "routing".
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from harnesslib import routing
from harnesslib.errors import AuditError, HarnessError
from harnesslib.ports import Effects
from harnesslib.records import LogEntry, RoutingConfig, encode_pretty, sha256
from harnesslib.records.routing import IN_FORCE, LogEvent

_RESTORE = "put the generation that the log names in force again: `harness routes rollback`, or copy its file"


def save(intent: LogEntry, config: RoutingConfig, end: LogEvent, effects: Effects) -> None:
    """Put a new generation in force; `end` is the event that says so."""
    in_force = effects.config.routing().generation
    effects.log.append(intent)
    try:
        effects.config.save(config, expected_generation=in_force)
    except HarnessError:
        # The cause of the failure is what the caller must hear, also where the log can't be written either.
        with suppress(HarnessError):
            finish(effects)
        raise
    _end(intent, end, effects)


def restore(intent: LogEntry, current: RoutingConfig, effects: Effects) -> RoutingConfig:
    """Put a stored generation in force again, byte for byte, and return it."""
    effects.log.append(intent)
    try:
        effects.config.restore(intent.generation, expected_generation=current.generation)
    except HarnessError:
        with suppress(HarnessError):
            finish(effects)
        raise
    _end(intent, "rolled_back", effects)
    return effects.config.routing()


def _end(intent: LogEntry, event: LogEvent, effects: Effects) -> None:
    got = effects.config.routing_sha256()
    if got != intent.config_sha256:
        raise AuditError(
            f"routing_config.json: hash {got[:12]} after the change, expected {intent.config_sha256[:12]}; "
            f"cure: find out which other program writes it, then {_RESTORE}"
        )
    effects.log.append(msgspec.structs.replace(intent, event=event, time=effects.clock.now()))
    effects.events.emit("enforce", f"generation {intent.generation} {event.replace('_', ' ')}")


def recover(effects: Effects) -> str:
    """Finish or undo what was stopped; AuditError when log and files still don't agree."""
    done = finish(effects)
    last = _last_in_force(effects.log.entries())
    got = effects.config.routing_sha256()
    if got != last.config_sha256:
        raise AuditError(
            f"routing_config.json: hash {got[:12]}, the log's line {last.seq} ({last.event}, generation "
            f"{last.generation}) says {last.config_sha256[:12]}; cure: {_RESTORE}"
        )
    _refuse_shortened(effects)
    return done


def _refuse_shortened(effects: Effects) -> None:
    """Find lines cut off from the end also where the file in force is an old one again."""
    stored = effects.config.next_generation() - 1
    logged = max((entry.generation for entry in effects.log.entries()), default=0)
    if stored > max(logged, 1):
        found = f"ends with generation {logged}" if logged else "is empty or missing"
        raise AuditError(
            f"routing_decisions.jsonl: {found}, and generation {stored} is stored, whose intent was logged "
            "before: lines were cut off; cure: restore the log from a backup, or where there is none move "
            "the generations that it lacks away from generations/"
        )


def finish(effects: Effects) -> str:
    """Write the end of an intent that has none: it was reached, or it never happened; returns which."""
    effects.log.repair()
    entries = effects.log.entries()
    if not entries:
        return _adopt_first(effects)
    intent, got = entries[-1], effects.config.routing_sha256()
    if intent.event != "intent":
        return ""
    if got == intent.config_sha256:
        event = _event_of(intent, entries)
        _end(intent, event, effects)
        return f"generation {intent.generation} was in force and not logged as {event}; it is now"
    before = _last_in_force(entries)
    if got != before.config_sha256:
        raise AuditError(
            f"routing_config.json: hash {got[:12]}, expected {before.config_sha256[:12]} (generation "
            f"{before.generation}) or {intent.config_sha256[:12]} (generation {intent.generation}, an "
            f"unfinished change); cure: {_RESTORE}"
        )
    undone = msgspec.structs.replace(
        intent,
        event="undone",
        time=effects.clock.now(),
        generation=before.generation,
        config_sha256=before.config_sha256,
        summary=f"generation {intent.generation} was never put in force",
    )
    effects.log.append(undone)
    return (
        f"the change to generation {intent.generation} never happened; generation {before.generation} serves"
    )


def _adopt_first(effects: Effects) -> str:
    """Write the log's first entry where a workspace was made and stopped before it."""
    _refuse_shortened(effects)
    first = effects.config.routing()
    effects.log.append(msgspec.structs.replace(intent_for(first, "first generation", effects), event="init"))
    return "the first generation was not logged; it is now"


def _event_of(intent: LogEntry, entries: Sequence[LogEntry]) -> LogEvent:
    """Return how an unfinished intent would have ended: numbers are never reused, ids act once."""
    reached = [entry for entry in entries if entry.event in IN_FORCE]
    if intent.generation <= max((entry.generation for entry in reached), default=0):
        return "rolled_back"
    if not intent.run_id:
        return "synced"
    applied_runs = {entry.run_id for entry in reached if entry.event == "applied"}
    return "confirmed" if intent.run_id in applied_runs else "applied"


def _last_in_force(entries: Sequence[LogEntry]) -> LogEntry:
    last = next((entry for entry in reversed(entries) if entry.event in IN_FORCE), None)
    if last is None:
        raise AuditError(
            "routing_decisions.jsonl: no entry says which generation is in force; "
            "cure: restore the log from a backup"
        )
    return last


def stamp(effects: Effects) -> routing.Stamp:
    """Return number, parent and time of the next generation; an intent that was undone keeps its number."""
    logged = max((entry.generation for entry in effects.log.entries()), default=0)
    return routing.Stamp(
        generation=max(effects.config.next_generation(), logged + 1),
        parent_sha256=effects.config.routing_sha256(),
        now=effects.clock.now(),
    )


def intent_for(config: RoutingConfig, summary: str, effects: Effects, *, run_id: str = "") -> LogEntry:
    """Return the entry that announces `config`."""
    return LogEntry(
        seq=0,
        time=effects.clock.now(),
        event="intent",
        generation=config.generation,
        config_sha256=sha256(encode_pretty(config)),
        summary=summary,
        run_id=run_id,
    )
