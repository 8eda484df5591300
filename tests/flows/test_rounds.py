"""Screen, confirmation and verification in rounds: who is asked what next follows from what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec
import pytest

from harnesslib import routing
from harnesslib.benchmark_supervisor import Route, confirm, screen, verify
from harnesslib.planning import PlanInputs, make_plan
from harnesslib.records import (
    AUTO,
    BudgetConfig,
    Call,
    ChatRequest,
    Failure,
    Manifest,
    Reply,
    Sample,
    Selection,
    Spec,
    sha256,
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

CASES = 24
LIMIT = 620
"""Calls that do for some rounds, and for the verification that is kept back meanwhile."""

MANIFEST = Manifest(
    run_id="r",
    kind="cycle",
    status="running",
    started_at=EPOCH,
    parameters={},
    environment={},
    simulated=False,
    pid=1,
    pid_started=0.0,
)
Passes = Callable[[ChatRequest], bool]


def share(request: ChatRequest, salt: str) -> float:
    """Return a number in [0, 1) that depends on nothing but what is asked and the salt."""
    text = f"{salt} {request.messages[0]['content']}"
    return int(sha256(text.encode())[:8], 16) / 16**8


def always(request: ChatRequest) -> bool:
    return True


def knows(part: float, salt: str = "base") -> Passes:
    return lambda request: share(request, salt) < part


def coin(request: ChatRequest) -> bool:
    """Half of the calls, whatever the case."""
    return share(request, f"{request.model} {request.seed}") < 0.5


class Field:
    """One phase of 24 search cases, a quarter of which want no call; the test says who passes what."""

    def __init__(self, budget: BudgetConfig | None = None, **models: Passes) -> None:
        self.models = models
        self.client = FakeClient(self.answer, models=tuple(models))
        self.config = msgspec.structs.replace(
            tiny_harness(*models, timeout_s=5.0), budget=budget or BudgetConfig()
        )
        first = routing.initial(self.config, now=EPOCH)
        suites = {"atomic": tiny_suite("atomic", cases=CASES)}
        self.effects = memory_effects(self.config, first, {"local": self.client}, suites)
        self.effects.runs.create(MANIFEST)
        self.plan = make_plan(
            PlanInputs(
                run_id="r",
                config=self.config,
                routing=first,
                suites=suites,
                tried=(),
                digests={},
                now=EPOCH,
                seed=7,
            )
        )

    def answer(self, request: ChatRequest) -> Reply | Failure:
        if self.models[request.model](request):
            return right_answer(request)
        if right_answer(request).calls:
            return reply(Call(name="double", arguments={"number": -1}))
        return reply(Call(name="double", arguments={"number": 1}))

    def spec(self, model: str) -> Spec:
        return Spec(model=model, phase="atomic", settings=self.config.settings_of(model, "atomic"))

    def confirm(self, model: str):
        chosen = Selection(run_id="r", leaders={"atomic": self.spec(model)}, suspects=())
        return confirm(self.plan, chosen, self.effects)[0]

    def samples(self, stage: str, model: str) -> list[Sample]:
        return [s for s in self.effects.runs.samples("r") if (s.stage, s.model) == (stage, model)]


def test_candidates_are_asked_only_what_the_baseline_failed():
    field = Field(base=knows(0.6), better=always, twin=knows(0.6))
    (found,) = screen(field.plan, field.effects)
    failed = {s.case_id for s in field.samples("screen", "base") if s.outcome != "pass"}
    assert set(found.headroom) == failed
    assert CASES == len(field.samples("screen", "base"))
    for model in ("better", "twin"):
        assert failed == {s.case_id for s in field.samples("screen", model)}
    assert "better" == found.leader.model
    rows = {row.spec.model: row for row in found.screened}
    assert "" == rows["better"].reason
    assert rows["twin"].reason.endswith("nothing to confirm")
    assert len(field.samples("screen", "twin")) < len(field.samples("screen", "better"))


def test_where_nothing_can_be_gained_nobody_is_asked_but_for_a_few_lots():
    field = Field(base=always, better=always, other=always)
    (found,) = screen(field.plan, field.effects)
    assert (None, ()) == (found.leader, found.headroom)
    assert "base passed every case: nothing to gain" == found.screened[0].reason
    assert [] == field.samples("screen", "better")
    assert 6 == len(field.samples("probe", "better"))


def test_a_single_candidate_of_a_small_suite_is_confirmed_at_once():
    field = Field(base=knows(0.6), better=always)
    (found,) = screen(field.plan, field.effects)
    assert "better" == found.leader.model
    assert () == field.effects.runs.samples("r")


def test_a_hopeless_candidate_is_asked_enough_cases_by_lot_to_say_so():
    field = Field(base=knows(0.6), weak=lambda _: False, other=knows(0.6))
    screen(field.plan, field.effects)
    probed = field.samples("probe", "weak")
    assert 24 == len(probed)
    assert {True} == {s.wants_call for s in probed}
    assert {0, 1} == {s.repeat for s in probed}, "18 cases want a call: some are asked twice"


def test_a_dead_model_takes_nobody_with_it():
    def dead(request: ChatRequest) -> Reply | Failure:
        if request.model == "dead":
            return Failure(kind="infra_error", detail="HTTP 404: no such model", status=404)
        return field.answer(request)

    field = Field(base=knows(0.6), dead=always, better=always)
    field.effects.clients["local"] = FakeClient(dead, models=("base", "dead", "better"))
    (found,) = screen(field.plan, field.effects)
    assert "better" == found.leader.model
    row = next(row for row in found.screened if row.spec.model == "dead")
    assert row.halted
    assert "infrastructure errors" in row.reason


def test_a_clear_gain_ends_after_the_first_sweeps_and_guards_get_more_calls():
    field = Field(base=knows(0.6), better=always)
    ended = field.confirm("better")
    assert ("crossed", 3) == (ended.ended, ended.rounds)
    calls = Counter(s.case_id for s in field.samples("confirm", "better"))
    assert {3} == set(calls.values())
    assert field.samples("guard", "better"), "18 pairs without a call don't exclude a loss of restraint"


def test_an_equal_candidate_is_dropped_as_futile():
    field = Field(base=knows(0.6), twin=knows(0.6))
    ended = field.confirm("twin")
    assert "futile" == ended.ended
    assert 3 >= ended.rounds
    assert "has become implausible" in ended.reason


def test_a_worse_candidate_is_stopped_early():
    field = Field(base=always, worse=knows(0.5))
    ended = field.confirm("worse")
    assert ended.ended in {"harm", "futile"}
    assert 1 == ended.rounds


def test_flaky_cases_get_more_calls_than_settled_ones():
    def often(part: float) -> Passes:
        return lambda r: share(r, "flaky") > 0.6 or share(r, f"{r.model} {r.seed}") < part

    field = Field(base=often(0.4), other=often(0.55))
    ended = field.confirm("other")
    assert 3 < ended.rounds
    later = [s for s in field.samples("confirm", "other") if s.round == 3]
    calls = Counter(s.case_id for s in later)
    assert {1, 2} == set(calls.values())
    first = [s for s in field.effects.runs.samples("r") if s.stage == "confirm" and s.round < 3]
    outcomes = {case: {s.outcome == "pass" for s in first if s.case_id == case} for case in calls}
    assert {case for case, n in calls.items() if n == 2} == {c for c, o in outcomes.items() if len(o) == 2}


def test_both_arms_are_asked_the_same_cases_equally_often():
    field = Field(base=coin, other=coin)
    field.confirm("other")
    mine, theirs = (
        Counter((s.case_id, s.repeat, s.round, s.seed) for s in field.samples("confirm", model))
        for model in ("base", "other")
    )
    assert mine == theirs
    assert {1} == set(mine.values())


def test_a_pair_lost_to_an_infrastructure_error_is_asked_again_by_both_arms():
    broken = {"left": 1}

    def once(request: ChatRequest) -> Reply | Failure:
        if broken["left"] and request.model == "better":
            broken["left"] -= 1
            return Failure(kind="infra_error", detail="HTTP 400: odd", status=400)
        return field.answer(request)

    field = Field(base=knows(0.6), better=always)
    field.effects.clients["local"] = FakeClient(once, models=("base", "better"))
    assert "crossed" == field.confirm("better").ended
    lost = next(s for s in field.samples("confirm", "better") if s.outcome == "infra_error")
    for model in ("base", "better"):
        again = [s.repeat for s in field.samples("confirm", model) if s.case_id == lost.case_id]
        assert [0, 1, 2, 3] == sorted(again)


def test_an_endpoint_that_fails_too_often_ends_a_contest_undecided():
    def shaky(request: ChatRequest) -> Reply | Failure:
        if share(request, f"fault {request.seed} {request.model}") < 0.3:
            return Failure(kind="infra_error", detail=f"HTTP 400: {request.seed}", status=400)
        return field.answer(request)

    field = Field(base=knows(0.6), better=always)
    field.effects.clients["local"] = FakeClient(shaky, models=("base", "better"))
    ended = field.confirm("better")
    assert ("infrastructure", 1) == (ended.ended, ended.rounds)


def test_a_budget_ends_a_contest_between_rounds():
    field = Field(BudgetConfig(max_calls=LIMIT), base=coin, other=coin)
    ended = field.confirm("other")
    assert "budget" == ended.ended
    assert f"budget.max_calls is {LIMIT}" in ended.reason
    assert set(range(ended.rounds)) == {s.round for s in field.samples("confirm", "other")}
    assert len(field.client.requests) <= LIMIT


def test_a_verification_asks_as_an_application_does_on_cases_nobody_has_tuned_on():
    field = Field(base=knows(0.6), better=always)
    route = Route(requested_model=AUTO, new=field.spec("better"), old=field.spec("base"))
    fallback = Route(requested_model="weak", new=field.spec("base"))
    (ended,) = verify(field.plan, (route, fallback, fallback), (), field.effects)
    assert "crossed" == ended.ended
    taken = field.effects.runs.samples("r")
    assert {"holdout"} == {s.case_id.partition("-")[0] for s in taken}
    assert {
        ("verify", "better", AUTO),
        ("verify", "base", "base"),
        ("verify_fallback", "base", "weak"),
    } == {(s.stage, s.model, s.requested_model) for s in taken}
    assert 3 * CASES == sum(s.stage == "verify_fallback" for s in taken), "one fallback is proved once"


@pytest.mark.parametrize("kept", [1, 30, 90, 200])
def test_a_contest_that_was_broken_off_goes_on_to_the_same_end(kept):
    whole = Field(base=coin, other=coin)
    expected = whole.confirm("other")
    taken = whole.effects.runs.samples("r")
    broken = Field(base=coin, other=coin)
    with broken.effects.runs.journal("r") as journal:
        for sample in taken[:kept]:
            journal.append(sample)
    assert expected == broken.confirm("other")
    assert {(s.key, s.outcome, s.seed) for s in taken} == {
        (s.key, s.outcome, s.seed) for s in broken.effects.runs.samples("r")
    }
