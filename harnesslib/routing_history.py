"""What was in force when: the log's entries beside the generations they speak of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import msgspec

from harnesslib import routing
from harnesslib.errors import DataError, InputError
from harnesslib.ports import ConfigStore, Effects
from harnesslib.records import LogEntry, Record, RoutingConfig
from harnesslib.records.routing import IN_FORCE, LogEvent


class Step(Record, frozen=True):
    """A generation that came into force, and what changed with it.

    `problem` says why the change can't be told: a stored generation is gone or damaged. `in_force` is true
    for the one that serves now.
    """

    seq: int
    time: datetime
    event: LogEvent
    generation: int
    summary: str
    run_id: str = ""
    decision_ids: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    problem: str = ""
    in_force: bool = False


def history(effects: Effects) -> tuple[Step, ...]:
    """Return every generation that came into force, oldest first; one that came back stands there again.

    Raises
    ------
    AuditError
        The log is broken.
    """
    entries = reached(effects)
    first = [_step(entry, (), "") for entry in entries[:1]]
    later = [_step(entry, *_changes(before, entry, effects.config)) for before, entry in pairwise(entries)]
    return tuple(_mark_last([*first, *later]))


def reached(effects: Effects) -> tuple[LogEntry, ...]:
    """Return the entries of the log that put a generation in force."""
    return tuple(entry for entry in effects.log.entries() if entry.event in IN_FORCE)


def generation_to_undo_to(effects: Effects) -> int:
    """Return what a rollback goes back to: the generation before the last change.

    A change that was applied and then confirmed is one change, and going back twice goes back further. Where
    somebody edited the file in force, it is the generation that the log says is in force.

    Raises
    ------
    InputError
        There is nothing before the generation in force.
    """
    entries = reached(effects)
    if not entries:
        raise InputError("routing_decisions.jsonl: no generation is logged; cure: restore it from a backup")
    last = entries[-1]
    if effects.config.routing_sha256() != last.config_sha256:
        return last.generation
    came = next(index for index, entry in enumerate(entries) if entry.generation == last.generation)
    change = entries[came]
    for entry in reversed(entries[:came]):
        same_change = entry.event == "applied" and entry.run_id == change.run_id
        if not same_change:
            return entry.generation
    raise InputError(
        f"generation {last.generation} is the first one: nothing was in force before it; "
        "cure: none is needed, or name one that was undone with --to (see `harness routes history`)"
    )


def since(effects: Effects, model: str, phase: str) -> LogEntry | None:
    """Return the entry with which the rule of a pair became what it is; none where nobody can tell.

    A rule that is confirmed as it was applied is the same rule.
    """
    found: LogEntry | None = None
    current = _comparable(effects.config.routing(), model, phase)
    for entry in reversed(reached(effects)):
        try:
            then = _comparable(effects.config.generation(entry.generation), model, phase)
        except DataError:
            break
        if then != current:
            break
        found = entry
    return found


def _comparable(config: RoutingConfig, model: str, phase: str) -> object:
    rule = config.rule(model, phase)
    serves = phase in config.baselines and config.baselines[phase].spec.model == model
    if rule is None:
        return (serves, None)
    chain = (rule.fallback_model, rule.fallbacks)
    return (serves, rule.allow, rule.settings, rule.enable_warmup, chain, rule.decision_id)


def _step(entry: LogEntry, changes: tuple[str, ...], problem: str) -> Step:
    return Step(
        seq=entry.seq,
        time=entry.time,
        event=entry.event,
        generation=entry.generation,
        summary=entry.summary,
        run_id=entry.run_id,
        decision_ids=entry.decision_ids,
        changes=changes,
        problem=problem,
    )


def _changes(before: LogEntry, after: LogEntry, config: ConfigStore) -> tuple[tuple[str, ...], str]:
    try:
        return routing.diff(config.generation(before.generation), config.generation(after.generation)), ""
    except DataError as error:
        return (), str(error)


def _mark_last(steps: list[Step]) -> Iterator[Step]:
    yield from steps[:-1]
    yield from (msgspec.structs.replace(step, in_force=True) for step in steps[-1:])
