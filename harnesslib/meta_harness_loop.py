"""The cycle: plan, screen, confirm, summarize, diagnose, decide, enforce, verify, keep or roll back, record.

Each state stores its record before the next begins, and a state whose record is stored is not done again: a
cycle that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import msgspec

from harnesslib import autonomy, baseline_drift, planning, routing_enforcer
from harnesslib import benchmark_supervisor as supervisor
from harnesslib import self_optimizing_policy as policy
from harnesslib.conclusions import Trial, amended, compare_with_truth, conclude
from harnesslib.cycle_history import (
    APPLIES,
    finished_cycles,
    load_records,
    taken_back,
    watch_baselines,
)
from harnesslib.cycle_planning import plan_cycle
from harnesslib.errors import InputError
from harnesslib.harness_feedback_loop import cold_calls, diagnose, recommend, suspects
from harnesslib.ports import Effects
from harnesslib.proposing import answer_proposals, propose_prompts
from harnesslib.records import (
    Applied,
    Confirmation,
    CycleOutcome,
    CycleRecords,
    Decision,
    Decisions,
    Drift,
    Feedback,
    HarnessConfig,
    Held,
    Manifest,
    Plan,
    Proposed,
    Sample,
    Selection,
    Spec,
    Summary,
    Verification,
    Verifications,
)
from harnesslib.records.naming import label
from harnesslib.summarize import summarize

T = TypeVar("T")
MEASURED_TO_DECIDE = ("screen", "probe", "confirm", "guard", "sessions")
_SAID = {
    "plan": "who is measured against whom, and what that may cost",
    "selection": "a first look at every candidate beside the baseline",
    "confirmation": "fresh calls for the leaders, alternating with the baseline",
    "summary": "samples to numbers with intervals",
    "findings": "causes, with their evidence",
    "drift": "the baselines beside those of earlier runs",
    "held": "what may be applied without a person",
    "decisions": "every gate about every recommendation",
    "proposer": "what the next cycles could try",
    "proposed": "what a person may take of what is not applied by itself",
    "applied": "what passed becomes a new generation, on probation",
    "verification": "fresh holdout cases, through the routing as an application uses it",
    "outcome": "what it comes to",
}


class Cycle:
    """One cycle of a workspace. Call the states in order; each returns its record.

    Parameters
    ----------
    effects
        The workspace: clients, stores, clock, locks, progress.
    run_id
        The run directory, already created.
    """

    def __init__(self, effects: Effects, run_id: str) -> None:
        self.effects = effects
        self.run_id = run_id
        self.config: HarnessConfig = effects.config.harness()
        self._evidence: Summary | None = None

    def plan(self) -> Plan:
        """Plan: the baselines in force, and candidates that change one factor."""
        return self._once("plan", Plan, self._make_plan)

    def screen(self) -> Selection:
        """Measure everybody a little, and choose whom to look at properly."""
        return self._once("selection", Selection, self._select)

    def confirm(self) -> Confirmation:
        """Measure each phase's leader beside the baseline on fresh calls, until it is decided."""
        return self._once("confirmation", Confirmation, self._confirm)

    def summarize(self) -> Summary:
        """Turn samples into numbers with intervals."""
        return self._once("summary", Summary, self._summarize)

    def diagnose(self) -> Feedback:
        """Name causes, and what should change."""
        return self._once("findings", Feedback, self._diagnose)

    def decide(self) -> Decisions:
        """Ask every gate about every recommendation."""
        return self._once(
            "decisions",
            Decisions,
            lambda: policy.decide_all(
                self.diagnose(),
                self.summarize(),
                policy.Measured(
                    self.screen().screened,
                    self.confirm(),
                    {phase.phase: phase.baseline for phase in self.plan().phases},
                ),
                policy=self.config.policy,
                phases=self.config.phases,
            ),
        )

    def drift(self) -> Drift:
        """Compare the baselines with those of earlier runs: nobody changed them, so they should stand."""
        return self._once(
            "drift", Drift, lambda: watch_baselines(self.effects, self.plan(), self.summarize())
        )

    def held(self) -> tuple[Held, ...]:
        """Say which promoted changes the cycle does not put in force by itself, and why."""
        return self._once("held", tuple[Held, ...], self._hold)

    def released(self) -> Decisions:
        """Return the decisions that the cycle may put in force by itself."""
        return autonomy.without(self.decide(), self.held())

    def enforce(self) -> Applied:
        """Write what was promoted as a new generation, on probation."""
        return self._once("applied", Applied, self._enforce)

    def verify(self) -> tuple[Verification, ...]:
        """Measure what was applied again: fresh samples, holdout cases, through the routing config."""
        kept = self.effects.runs.load(self.run_id, "verification", Verifications)
        if kept is not None:
            return kept.verifications
        promoted = self.released().promoted
        if not promoted:
            return ()
        self._say("verify", _SAID["verification"])
        return self._verified(promoted, self._measured_again(promoted))

    def keep(self) -> Verifications:
        """Keep what was confirmed, take back what was not."""
        return self._once("verification", Verifications, self._keep)

    def record(self) -> CycleOutcome:
        """Write down how it ended, and seal the run."""
        if self.held():
            self._once("proposed", Proposed, self._propose)
        outcome = self._once("outcome", CycleOutcome, self._conclude)
        runs = self.effects.runs
        manifest = runs.manifest(self.run_id)
        if manifest.status != "done":
            answer_proposals(self.effects, self.records())
            self._once("proposer", tuple[str, ...], lambda: propose_prompts(self.effects, self.records()))
            self._say("record", outcome.headline)
            runs.seal(_ended(manifest, outcome))
        return outcome

    def run(self) -> CycleOutcome:
        """Go through all states."""
        self.confirm()
        self.keep()
        return self.record()

    def records(self) -> CycleRecords:
        """Return everything that is known so far."""
        return load_records(self.effects, self.run_id)

    def _once(self, name: str, type_: type[T], compute: Callable[[], T]) -> T:
        stored = self.effects.runs.load(self.run_id, name, type_)
        if stored is not None:
            return stored
        self._say(name, _SAID[name])
        record = compute()
        self.effects.runs.put(self.run_id, name, record)
        return record

    def _say(self, state: str, message: str) -> None:
        self.effects.events.emit(state, message)

    def _make_plan(self) -> Plan:
        plan = plan_cycle(self.effects, self.config, self.run_id)
        limit = self.config.budget.max_calls
        if limit and plan.least_requests > limit:
            raise InputError(
                f"harness.toml: budget.max_calls is {limit}; to promote and verify a candidate takes "
                f"{plan.least_requests} or more; raise the budget, or measure less (fewer models or cases)"
            )
        for phase in plan.phases:
            for one in phase.skipped:
                left_out = f"{label(one.spec, phase.baseline)} in {phase.phase}"
                self.effects.events.emit("plan", one.reason, dropped=left_out)
        return plan

    def _select(self) -> Selection:
        plan = self.plan()
        screened = supervisor.screen(plan, self.effects)
        cold = suspects(self._samples(("screen", "probe")))
        return Selection(
            run_id=self.run_id,
            leaders={one.phase: one.leader for one in screened if one.leader},
            suspects=tuple(
                spec
                for spec in planning.usual_specs(plan)
                if (spec.model, spec.phase) in cold and not self._tried_warm(spec)
            ),
            screened=tuple(row for one in screened for row in one.screened),
            headroom={one.phase: one.headroom for one in screened},
        )

    def _confirm(self) -> Confirmation:
        ended = supervisor.confirm(self.plan(), self.screen(), self.effects)
        return Confirmation(run_id=self.run_id, phases=ended)

    def _tried_warm(self, spec: Spec) -> bool:
        """Whether a warm-up of this model was taken back lately: it waits for its review like a candidate."""
        since = self.effects.clock.now() - timedelta(days=self.config.policy.review_days)
        lately = taken_back(self.effects, finished_cycles(self.effects), since=since)
        return f"{spec.phase}-enable_warmup-{spec.model}" in lately

    def _summarize(self) -> Summary:
        plan, leaders = self.plan(), self.screen().leaders
        self.confirm()
        samples = self._samples(MEASURED_TO_DECIDE)
        baselines = {phase.phase: phase.baseline.id for phase in plan.phases}
        specs = {spec.id: spec for spec in (*_specs(plan), *map(supervisor.warmed, _specs(plan)))}
        return summarize(
            samples,
            specs,
            [("confirm", leader.id, baselines[phase]) for phase, leader in leaders.items()],
            run_id=self.run_id,
            leaders={phase: leader.id for phase, leader in leaders.items()},
            policy=self.config.policy,
            cold=cold_calls(samples),
            selected=frozenset(specs) - frozenset(baselines.values()),
        )

    def _samples(self, stages: tuple[str, ...]) -> tuple[Sample, ...]:
        return tuple(s for s in self.effects.runs.samples(self.run_id) if s.stage in stages)

    def _diagnose(self) -> Feedback:
        summary = self.summarize()
        usual = {spec.id for spec in planning.usual_specs(self.plan())}
        samples = self._samples(MEASURED_TO_DECIDE)
        findings = diagnose(
            summary,
            tuple(s for s in samples if s.spec_id in usual or s.stage == "sessions"),
            policy=self.config.policy,
            phases=self.config.phases,
        )
        proposed = recommend(summary, findings, plan=self.plan(), policy=self.config.policy)
        moved = tuple(filter(None, map(baseline_drift.finding_of, self.drift().phases)))
        findings = baseline_drift.beside(moved, findings)
        return Feedback(run_id=self.run_id, findings=findings, recommendations=proposed)

    def _hold(self) -> tuple[Held, ...]:
        by_hand = APPLIES in self.effects.runs.manifest(self.run_id).parameters
        return () if by_hand else autonomy.held_back(self.decide(), self.config.phases, self.drift())

    def _propose(self) -> Proposed:
        return routing_enforcer.proposed(
            self.decide(), self.held(), self.summarize(), self.effects, policy=self.config.policy
        )

    def _enforce(self) -> Applied:
        before = self.plan().generation
        after = routing_enforcer.enforce(
            self.released(), self.summarize(), self.effects, policy=self.config.policy
        )
        return Applied(run_id=self.run_id, generation_before=before, generation=after.generation)

    def _measured_again(self, promoted: tuple[Decision, ...]) -> Summary:
        if self._evidence is None:
            self._evidence = self._verification_evidence(promoted)
        return self._evidence

    def _verification_evidence(self, promoted: tuple[Decision, ...]) -> Summary:
        applied, store = self.enforce(), self.effects.config
        before, after = store.generation(applied.generation_before), store.generation(applied.generation)
        warmups = [decision for decision in promoted if decision.recommendation.action == "enable_warmup"]
        woken = tuple(supervisor.route_of(decision, before, after).new for decision in warmups)
        routes = tuple(
            supervisor.route_of(decision, before, after) for decision in promoted if decision not in warmups
        )
        supervisor.verify(self.plan(), routes, woken, self.effects)
        samples = self._samples(("verify", "verify_fallback", "verify_sessions"))
        seen = [spec for route in routes for spec in (route.new, route.old) if spec]
        return summarize(
            samples,
            {spec.id: spec for spec in (*seen, *woken, *map(supervisor.cold, woken))},
            [("verify", route.new.id, route.old.id) for route in routes if route.old],
            run_id=self.run_id,
            leaders={},
            policy=self.config.policy,
        )

    def _verified(self, promoted: tuple[Decision, ...], evidence: Summary) -> tuple[Verification, ...]:
        return tuple(
            policy.verify(
                decision,
                evidence,
                policy=self.config.policy,
                phase=self.config.phases[decision.recommendation.phase],
            )
            for decision in promoted
        )

    def _keep(self) -> Verifications:
        applied, promoted = self.enforce(), self.released().promoted
        evidence = self._measured_again(promoted) if promoted else None
        verifications = self._verified(promoted, evidence) if evidence else ()
        generation = applied.generation
        if promoted:
            settled = routing_enforcer.settle(applied, verifications, self.effects)
            generation = settled.generation
        return Verifications(
            run_id=self.run_id,
            generation_before=applied.generation_before,
            generation_applied=applied.generation,
            generation=generation,
            verifications=verifications,
            evidence=evidence,
        )

    def _conclude(self) -> CycleOutcome:
        verifications, decisions = self.keep(), self.released()
        in_force = self.effects.config.routing()
        world = self.effects.world
        truth = (
            compare_with_truth(Trial(world, self.config, self.effects.suites, in_force, decisions))
            if world
            else ()
        )
        outcome = conclude(
            decisions,
            verifications if decisions.promoted else None,
            in_force,
            phases=self.config.phases,
            ended_at=self.effects.clock.now(),
            truth=truth,
            halted=_halted(self.screen(), self.confirm()),
        )
        return amended(outcome, self.decide(), self.held(), self.drift())


def _halted(selection: Selection, confirmation: Confirmation) -> dict[str, str]:
    """Return the phases whose measurement had to stop, and why."""
    screened = {row.phase: row.reason for row in selection.screened if row.halted}
    return screened | {phase: one.reason for phase, one in confirmation.halted.items()}


def _specs(plan: Plan) -> tuple[Spec, ...]:
    return tuple(spec for phase in plan.phases for spec in (phase.baseline, *phase.candidates))


def _ended(manifest: Manifest, outcome: CycleOutcome) -> Manifest:
    return msgspec.structs.replace(
        manifest, status="done", ended_at=outcome.ended_at, exit_code=0, verdict=outcome.headline
    )
