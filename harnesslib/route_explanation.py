"""Why a route is as it is: the rule, since when, on which evidence, what would change it, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from harnesslib import routing, routing_history
from harnesslib.candidates import candidate
from harnesslib.cycle_history import finished_cycles, tried_before
from harnesslib.errors import HarnessError
from harnesslib.planning import waiting
from harnesslib.ports import Effects
from harnesslib.records import (
    AUTO,
    Baseline,
    Decision,
    Decisions,
    Record,
    Resolution,
    RoutingConfig,
    Rule,
    Verification,
    Verifications,
)


class Evidence(Record, frozen=True):
    """A decision about the pair. `missing` says why its run's records can't be shown."""

    decision_id: str
    run_id: str
    decision: Decision | None = None
    verification: Verification | None = None
    missing: str = ""


class Explanation(Record, frozen=True):
    """Everything about one route.

    `evidence` is what the rule stands on; `last_trial` the newest decision about the pair, where it is
    another one: why the model was not promoted, or what was rolled back.
    """

    model: str
    phase: str
    generation: int
    rule: Rule
    baseline: Baseline
    answer: Resolution
    since: datetime
    since_generation: int
    evidence: tuple[Evidence, ...]
    last_trial: Evidence | None
    to_change: tuple[str, ...]
    review: str

    @property
    def serves(self) -> bool:
        """Whether the model is what "auto" means in this phase."""
        return self.baseline.spec.model == self.model


def explain(effects: Effects, model: str, phase: str) -> Explanation:
    """Return why requests for `model` (or "auto") in `phase` are answered as they are.

    Raises
    ------
    InputError
        An unknown phase or model; the message lists the known ones.
    """
    config = effects.config.routing()
    answer = routing.resolve(config, model, phase)
    name = config.baselines[phase].spec.model if model == AUTO else model
    rule = next(rule for rule in config.rules if (rule.model, rule.phase) == (name, phase))
    came = routing_history.since(effects, name, phase)
    trial = _last_trial(effects, name, phase)
    ids = dict.fromkeys(filter(None, (rule.decision_id, rule.warmup_decision_id)))
    evidence = tuple(_evidence(effects, decision_id) for decision_id in ids)
    return Explanation(
        model=name,
        phase=phase,
        generation=config.generation,
        rule=rule,
        baseline=config.baselines[phase],
        answer=answer,
        since=came.time if came else rule.timestamp,
        since_generation=came.generation if came else config.generation,
        evidence=evidence,
        last_trial=None if trial is None or trial.decision_id in ids else trial,
        to_change=tuple(_ways(effects, config, rule)),
        review=_review(effects, config, rule),
    )


def _evidence(effects: Effects, decision_id: str) -> Evidence:
    run_id = decision_id.partition(":")[0]
    try:
        stored = effects.runs.load(run_id, "decisions", Decisions)
        verified = effects.runs.load(run_id, "verification", Verifications)
    except HarnessError as error:
        return Evidence(decision_id=decision_id, run_id=run_id, missing=str(error))
    decision = next((one for one in stored.decisions if one.id == decision_id), None) if stored else None
    proven = verified.verifications if verified else ()
    return Evidence(
        decision_id=decision_id,
        run_id=run_id,
        decision=decision,
        verification=next((one for one in proven if one.decision_id == decision_id), None),
        missing="" if decision else f"runs/{run_id}: its decisions are not here any more",
    )


def _last_trial(effects: Effects, model: str, phase: str) -> Evidence | None:
    """Return the newest decision about a pair in any finished cycle."""
    for manifest in reversed(finished_cycles(effects)):
        stored = effects.runs.load(manifest.run_id, "decisions", Decisions)
        about = [
            one.id
            for one in (stored.decisions if stored else ())
            if (one.recommendation.spec.model, one.recommendation.phase) == (model, phase)
        ]
        if about:
            return _evidence(effects, about[0])
    return None


def _ways(effects: Effects, config: RoutingConfig, rule: Rule) -> Iterator[str]:
    """Say what it would take to change a route."""
    policy = effects.config.harness().policy
    baseline = config.baselines[rule.phase].spec.model
    holds = "and hold on holdout cases afterwards"
    if rule.model == baseline:
        yield (
            f"another model must be measurably better in {rule.phase} (p at most {policy.alpha:g}, all gates "
            f"passed) {holds}; then it serves instead"
        )
    else:
        verb = "must be measured again, and" if not rule.allow else "must"
        yield f"{rule.model} {verb} beat {baseline} (p at most {policy.alpha:g}, all gates passed) {holds}"
    try:
        target = routing_history.generation_to_undo_to(effects)
    except HarnessError:
        return
    if rule.source == "cycle":
        yield f"a person can undo the last change: harness routes rollback (generation {target} comes back)"


def _review(effects: Effects, config: RoutingConfig, rule: Rule) -> str:
    """Say when a pair is measured again."""
    now, harness = effects.clock.now(), effects.config.harness()
    if rule.phase not in harness.phases or rule.model not in {m.id for m in harness.models_of(rule.phase)}:
        return f"never: harness.toml does not list {rule.model} for {rule.phase}"
    if not rule.allow and rule.review_after and now < rule.review_after:
        return (
            f"denied until its review: it is measured again in the first cycle after "
            f"{rule.review_after:%Y-%m-%d %H:%M} UTC, and not before"
        )
    if config.baselines[rule.phase].spec.model == rule.model:
        return "in every cycle that has a candidate: everybody is measured beside it"
    wait = timedelta(days=harness.policy.review_days)
    trial = waiting(
        candidate(rule.model, rule.phase, harness, config),
        config.baselines[rule.phase].spec,
        tried_before(effects, finished_cycles(effects)),
        suite_hash=effects.suites[harness.phases[rule.phase].suite].content_hash,
        digests=None,
        since=now - wait,
    )
    if trial:
        baseline = config.baselines[rule.phase].spec.model
        return (
            f"tried against {baseline} on {trial.when:%Y-%m-%d}; again in the first cycle after "
            f"{trial.when + wait:%Y-%m-%d %H:%M} UTC, or once the suite, its settings or a model changed"
        )
    return "in the next cycle" if rule.allow else "in the next cycle: the review of its denial is due"
