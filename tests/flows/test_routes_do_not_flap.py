"""What was changed and taken back, or kept, is not changed again by the next cycles."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import msgspec
import pytest

from harnesslib import meta_harness_loop, routing, routing_enforcer
from harnesslib.cycle_history import finished_cycles, taken_back
from harnesslib.meta_harness_loop import Cycle
from harnesslib.records import (
    Call,
    ChatRequest,
    Decisions,
    Estimate,
    Manifest,
    Reply,
    Verification,
    Verifications,
)
from harnesslib.testing import (
    EPOCH,
    FakeClient,
    memory_effects,
    reply,
    right_answer,
    tiny_harness,
    tiny_suite,
)

DAY = 86_400.0


def answer(request: ChatRequest) -> Reply:
    """`base` errs on every odd case; `mirage` only on those of the holdout; `better` never."""
    split, _, number = request.messages[0]["content"].partition(":")[0].partition("-")
    right = right_answer(request)
    errs = int(number) % 2 and (request.model == "base" or (request.model == "mirage" and split == "holdout"))
    return reply(Call(name="double", arguments={"number": -1})) if errs and right.calls else right


@pytest.fixture
def effects():
    def make(*models: str):
        config = tiny_harness(*models, timeout_s=5.0)
        client = FakeClient(answer, models=models)
        suites = {"atomic": tiny_suite("atomic", cases=24)}
        return memory_effects(config, routing.initial(config, now=EPOCH), {"local": client}, suites)

    return make


def begin(effects, run_id: str) -> Cycle:
    effects.runs.create(
        Manifest(
            run_id=run_id,
            kind="cycle",
            status="running",
            started_at=effects.clock.now(),
            parameters={},
            environment={},
            simulated=False,
            pid=1,
            pid_started=0.0,
        )
    )
    return Cycle(effects, run_id)


def cycle(effects, run_id: str) -> Cycle:
    made = begin(effects, run_id)
    made.run()
    return made


def skipped(made: Cycle) -> dict[str, str]:
    return {each.spec.model: each.reason for each in made.plan().phases[0].skipped}


def events(effects) -> Counter[str]:
    return Counter(entry.event for entry in effects.log.entries())


def test_a_candidate_that_was_rolled_back_is_not_tried_again_before_its_review(effects):
    workbench = effects("base", "mirage")
    assert "rolled_back" == cycle(workbench, "1").record().status
    workbench.clock.advance(6 * DAY)
    early = cycle(workbench, "2")
    assert {"mirage": "tried against base on 2026-01-02; due again on 2026-01-09"} == skipped(early)
    assert 1 == events(workbench)["rolled_back"]
    workbench.clock.advance(1.1 * DAY)
    due = cycle(workbench, "3")
    assert {} == skipped(due)
    assert "rolled_back" == due.record().status


def test_a_change_that_was_confirmed_stays_over_the_next_cycles(effects):
    workbench = effects("base", "better")
    assert "promoted" == cycle(workbench, "1").record().status
    in_force = workbench.config.routing()
    for number in range(2, 6):
        workbench.clock.advance(4 * DAY)
        assert "unchanged" == cycle(workbench, str(number)).record().status
    assert in_force == workbench.config.routing()


def test_what_a_person_undid_waits_for_its_review_as_well(effects):
    workbench = effects("base", "better")
    cycle(workbench, "1")
    routing_enforcer.rollback(1, workbench, reason="complaints")
    workbench.clock.advance(3 * DAY)
    early = cycle(workbench, "2")
    assert "due again on 2026-01-09" in skipped(early)["better"]
    assert 1 == workbench.config.routing().generation
    workbench.clock.advance(5 * DAY)
    assert "promoted" == cycle(workbench, "3").record().status


def take_back(effects, run_id: str, *ids: str) -> None:
    """Leave the records of a finished cycle that took these changes back, and kept another."""
    none = Estimate(value=None, low=None, high=None, level=0.95, n=0, method="none", reason="r")
    made = [
        Verification(decision_id=f"{run_id}:{name}", kept=False, effect=none, p_value=None, reason="r")
        for name in ids
    ]
    kept = msgspec.structs.replace(made[0], decision_id=f"{run_id}:atomic-promote-kept", kept=True)
    record = Verifications(
        run_id=run_id,
        generation_before=1,
        generation_applied=2,
        generation=3,
        verifications=(*made, kept),
    )
    begin(effects, run_id)
    effects.runs.put(run_id, "verification", record)
    effects.runs.put(run_id, "plan", begin(effects, f"{run_id}-plan").plan())
    effects.runs.put(run_id, "decisions", Decisions(run_id=run_id, decisions=()))
    manifest = effects.runs.manifest(run_id)
    effects.runs.seal(msgspec.structs.replace(manifest, status="done", ended_at=effects.clock.now()))


def test_what_was_taken_back_is_known_until_its_review(effects):
    workbench = effects("base", "better")
    take_back(workbench, "1", "atomic-enable_warmup-base")
    cycles = finished_cycles(workbench)
    lately = EPOCH - timedelta(days=1)
    assert {"atomic-enable_warmup-base"} == taken_back(workbench, cycles, since=lately)
    assert set() == taken_back(workbench, cycles, since=EPOCH)


def test_a_warm_up_that_was_taken_back_is_not_looked_at_again_before_its_review(effects, monkeypatch):
    workbench = effects("base", "better")
    cold = (("base", "atomic"), ("better", "atomic"))
    monkeypatch.setattr(meta_harness_loop, "suspects", lambda _samples: cold)
    take_back(workbench, "1", "atomic-enable_warmup-base")
    early = begin(workbench, "2").screen()
    assert ["better"] == [spec.model for spec in early.suspects]
    workbench.clock.advance(7.1 * DAY)
    due = begin(workbench, "3").screen()
    assert ["base", "better"] == [spec.model for spec in due.suspects]
