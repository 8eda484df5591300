"""Decisions -> a new generation of the routing in one transaction, and what verification makes of it.

Every door locks, recovers what an earlier process left half done, and refuses to work while log and file
disagree; the transaction itself stands in `routing_transaction`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from harnesslib import routing
from harnesslib import routing_transaction as transaction
from harnesslib.errors import AuditError, ConflictError, DataError, InputError
from harnesslib.ports import Effects
from harnesslib.records import (
    Applied,
    Decision,
    Decisions,
    Held,
    PolicyConfig,
    Proposed,
    RoutingConfig,
    Summary,
    Verification,
    encode_pretty,
    sha256,
)
from harnesslib.records.routing import IN_FORCE

LOCK = "routing"
WAIT_S = 30.0


def enforce(
    decisions: Decisions, summary: Summary, effects: Effects, *, policy: PolicyConfig, wait_s: float = WAIT_S
) -> RoutingConfig:
    """Put every promoted decision in force as one new generation, on probation; all other rules stay.

    Returns
    -------
    The generation in force. Without promoted decisions, and for decisions that were applied before, that is
    the one that was in force already.

    Raises
    ------
    LockedError
        Another process changes the routing.
    ConflictError
        A phase has another baseline than the one that was measured.
    AuditError
        Log and file don't agree; nothing was changed.
    """
    with effects.locks.hold(LOCK, wait_s=wait_s):
        transaction.recover(effects)
        pending = _pending(decisions, effects)
        current = effects.config.routing()
        promoted = tuple(decision for decision in pending if decision.verdict == "PROMOTE")
        if not promoted:
            return current
        changed = _next(current, pending, summary, effects, policy)
        words = "; ".join(_in_words(decision, changed) for decision in promoted)
        intent = transaction.intent_for(changed, words, effects, run_id=decisions.run_id)
        intent = msgspec.structs.replace(intent, decision_ids=tuple(decision.id for decision in promoted))
        transaction.save(intent, changed, "applied", effects)
        return changed


def preview(
    decisions: Decisions, summary: Summary, effects: Effects, *, policy: PolicyConfig
) -> tuple[str, ...]:
    """Return what `enforce` would change, one line each; () = nothing. Writes nothing, and takes no lock."""
    changed = would_be(decisions, summary, effects, policy=policy)
    return routing.diff(effects.config.routing(), changed) if changed else ()


def would_be(
    decisions: Decisions, summary: Summary, effects: Effects, *, policy: PolicyConfig
) -> RoutingConfig | None:
    """Return the generation that `enforce` would make, or none. Writes nothing, and takes no lock."""
    pending = _pending(decisions, effects)
    if not any(decision.verdict == "PROMOTE" for decision in pending):
        return None
    return _next(effects.config.routing(), pending, summary, effects, policy)


def proposed(
    decisions: Decisions,
    held: tuple[Held, ...],
    summary: Summary,
    effects: Effects,
    *,
    policy: PolicyConfig,
) -> Proposed:
    """Return what a person may take of what was held back: the generation that would be made, as it would be.

    Parameters
    ----------
    decisions
        All decisions of the cycle.
    held
        Those that were not put in force. What is held because it is "off" is not offered.
    summary, effects, policy
        As for `enforce`.
    """
    current = effects.config.routing()
    offered = {one.decision_id for one in held if one.because != "off"}
    chosen = tuple(decision for decision in decisions.decisions if decision.id in offered)
    changed = would_be(msgspec.structs.replace(decisions, decisions=chosen), summary, effects, policy=policy)
    return Proposed(
        run_id=decisions.run_id,
        generation=current.generation,
        parent_sha256=effects.config.routing_sha256(),
        held=held,
        diff=routing.diff(current, changed) if changed else (),
        routing=changed,
    )


def settle(
    applied: Applied, verifications: Sequence[Verification], effects: Effects, *, wait_s: float = WAIT_S
) -> RoutingConfig:
    """Confirm what verification kept and take back the rest; nothing kept = the old file, byte for byte.

    Returns
    -------
    The generation in force. A run that was settled before, or applied nothing, changes nothing.

    Raises
    ------
    LockedError
        Another process changes the routing.
    ConflictError
        Another generation than the applied one is in force.
    AuditError
        Log and file don't agree; nothing was changed.
    """
    with effects.locks.hold(LOCK, wait_s=wait_s):
        transaction.recover(effects)
        entries = [entry for entry in effects.log.entries() if entry.run_id == applied.run_id]
        ids = [name for entry in entries if entry.event == "applied" for name in entry.decision_ids]
        current = effects.config.routing()
        if not ids or {entry.event for entry in entries} & {"confirmed", "rolled_back"}:
            return current
        before = _generation_before(applied, current, effects)
        settled = routing.settle(before, current, verifications, stamp=transaction.stamp(effects))
        verified = {verification.decision_id for verification in verifications if verification.kept}
        kept = tuple(name for name in ids if name in verified)
        taken_back = tuple(name for name in ids if name not in verified)
        words = f"kept: {_named(kept)}; taken back: {_named(taken_back)}"
        intent = transaction.intent_for(settled or before, words, effects, run_id=applied.run_id)
        intent = msgspec.structs.replace(intent, decision_ids=kept if settled else taken_back)
        if settled is None:
            return transaction.restore(intent, current, effects)
        transaction.save(intent, settled, "confirmed", effects)
        return settled


def rollback(generation: int, effects: Effects, *, reason: str, wait_s: float = WAIT_S) -> RoutingConfig:
    """Put a former generation in force again, byte for byte, because a person says so.

    Raises
    ------
    InputError
        That generation was never in force.
    AuditError
        Its stored file is not the one that the log knows.
    """
    with effects.locks.hold(LOCK, wait_s=wait_s):
        transaction.finish(effects)
        current = effects.config.routing()
        known = [entry for entry in effects.log.entries() if entry.event in IN_FORCE]
        former = [entry for entry in known if entry.generation == generation]
        if not former:
            numbers = ", ".join(str(number) for number in sorted({entry.generation for entry in known}))
            raise InputError(
                f"generation {generation} was never in force; expected one of {numbers or 'none'}"
            )
        if effects.config.routing_sha256() == former[-1].config_sha256:
            return current
        target = effects.config.generation(generation)
        intent = transaction.intent_for(target, reason, effects)
        if intent.config_sha256 != former[-1].config_sha256:
            raise AuditError(
                f"generations/{generation:06d}.json: hash {intent.config_sha256[:12]}, the log says "
                f"{former[-1].config_sha256[:12]}; cure: restore that file from a backup"
            )
        return transaction.restore(intent, current, effects)


def synchronise(effects: Effects, *, wait_s: float = WAIT_S) -> RoutingConfig:
    """Take an edited ``harness.toml`` over as one new generation, and return the one in force.

    Raises
    ------
    LockedError
        Another process changes the routing.
    DataError
        With the file as it is the routing would be unsound.
    AuditError
        Log and file don't agree; nothing was changed.
    """
    with effects.locks.hold(LOCK, wait_s=wait_s):
        transaction.recover(effects)
        current = effects.config.routing()
        changed = _synced(current, effects)
        if changed is None:
            return current
        words = "; ".join(routing.diff(current, changed))
        transaction.save(transaction.intent_for(changed, words, effects), changed, "synced", effects)
        return changed


def preview_synchronise(effects: Effects) -> tuple[str, ...]:
    """Return what `synchronise` would change, one line each; () = nothing. Writes nothing, takes no lock."""
    current = effects.config.routing()
    changed = _synced(current, effects)
    return routing.diff(current, changed) if changed else ()


def _synced(current: RoutingConfig, effects: Effects) -> RoutingConfig | None:
    changed = routing.synced(current, effects.config.harness(), stamp=transaction.stamp(effects))
    problems = routing.check(changed) if changed else ()
    if problems:
        raise DataError(f"harness.toml: makes no sound routing: {'; '.join(problems)}; cure: correct it")
    return changed


def recover(effects: Effects, *, wait_s: float = WAIT_S) -> str:
    """Finish or undo a change that was stopped half way; returns what was done, "" when there was nothing.

    Raises
    ------
    AuditError
        The file in force is neither the one before nor the one after; only a person knows what is right.
    """
    with effects.locks.hold(LOCK, wait_s=wait_s):
        return transaction.recover(effects)


def _pending(decisions: Decisions, effects: Effects) -> tuple[Decision, ...]:
    """Return the decisions without those that were applied before: no decision acts twice."""
    done = {
        decision_id
        for entry in effects.log.entries()
        if entry.event == "applied"
        for decision_id in entry.decision_ids
    }
    return tuple(decision for decision in decisions.decisions if decision.id not in done)


def _next(
    current: RoutingConfig,
    decisions: tuple[Decision, ...],
    summary: Summary,
    effects: Effects,
    policy: PolicyConfig,
) -> RoutingConfig:
    _refuse_other_baseline(current, decisions, summary)
    changed = routing.apply(
        current, decisions, summary, stamp=transaction.stamp(effects), review_days=policy.review_days
    )
    problems = routing.check(changed)
    if problems:
        raise DataError(f"run {summary.run_id}: its decisions make no sound routing: {'; '.join(problems)}")
    return changed


def _in_words(decision: Decision, changed: RoutingConfig) -> str:
    """Say what a decision changed; the diff of the two generations tells every field."""
    proposed = decision.recommendation
    model, phase = proposed.spec.model, proposed.phase
    if proposed.action == "promote":
        return f"{phase}: served by {proposed.serving}"
    if proposed.action == "enable_warmup":
        return f"{phase}: {model} is warmed up"
    if proposed.action == "allow":
        return f"{phase}: {model} allowed again"
    rule = changed.rule(model, phase)
    return f"{phase}: {model} denied, {rule.fallback_model if rule else 'nobody'} instead"


def _named(decision_ids: tuple[str, ...]) -> str:
    """Return decisions by what they recommend; the run stands in its own field."""
    return ", ".join(name.rpartition(":")[2] for name in decision_ids) or "nothing"


def _refuse_other_baseline(current: RoutingConfig, decisions: tuple[Decision, ...], summary: Summary) -> None:
    for decision in decisions:
        spec = decision.recommendation.spec
        found = summary.comparison(spec.id, "confirm")
        if found is None or decision.verdict != "PROMOTE" or decision.recommendation.action != "promote":
            continue
        in_force = current.baselines[spec.phase].spec.id
        if found.baseline.id != in_force:
            raise ConflictError(
                f"run {summary.run_id}: '{spec.id}' was measured against '{found.baseline.id}', in force is "
                f"'{in_force}'; cure: run a new cycle"
            )


def _generation_before(applied: Applied, current: RoutingConfig, effects: Effects) -> RoutingConfig:
    if current.generation != applied.generation:
        raise ConflictError(
            f"run {applied.run_id}: generation {applied.generation} is to be settled, in force is "
            f"{current.generation}; cure: none is needed, somebody else decided meanwhile"
        )
    before = effects.config.generation(applied.generation_before)
    if sha256(encode_pretty(before)) != current.parent_sha256:
        raise AuditError(
            f"generations/{applied.generation_before:06d}.json: is not what generation {current.generation} "
            "was made from; cure: restore that file from a backup"
        )
    return before
