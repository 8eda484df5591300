"""The cycle from plan to record, on models whose answers the test decides."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from harnesslib import routing
from harnesslib.cycle_history import load_records
from harnesslib.errors import EndpointError, InputError
from harnesslib.meta_harness_loop import Cycle
from harnesslib.records import (
    BudgetConfig,
    Call,
    ChatRequest,
    Failure,
    HarnessConfig,
    Manifest,
    ModelConfig,
    Reply,
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
STATES = (
    "plan",
    "screen",
    "confirm",
    "summarize",
    "diagnose",
    "decide",
    "enforce",
    "verify",
    "keep",
    "record",
)


def knows(request: ChatRequest, share: float, salt: str) -> bool:
    """Whether a model that knows a share of the cases knows this one; the same for every repeat."""
    asked = request.messages[0]["content"]
    return int(sha256(f"{salt} {asked}".encode())[:8], 16) / 16**8 < share


def answer(request: ChatRequest) -> Reply | Failure:
    split = request.messages[0]["content"].partition("-")[0]
    known = {
        "base": knows(request, 0.6, "base"),
        "twin": knows(request, 0.6, "base"),
        "better": True,
        "mirage": split == "search" or knows(request, 0.6, "base"),
        "dead": True,
    }[request.model]
    if request.model == "dead":
        return Failure(kind="infra_error", detail="refused: nobody listens")
    right = right_answer(request)
    if known or not right.calls:
        return right
    return reply(Call(name="double", arguments={"number": -1}))


def workbench(*models: str, client: FakeClient | None = None, **changes):
    config: HarnessConfig = tiny_harness(*models, timeout_s=5.0)
    config = msgspec.structs.replace(config, **changes)
    client = client or FakeClient(answer, models=models)
    suites = {"atomic": tiny_suite("atomic", cases=CASES)}
    return memory_effects(config, routing.initial(config, now=EPOCH), {"local": client}, suites)


def begin(effects, run_id: str) -> Cycle:
    manifest = Manifest(
        run_id=run_id,
        kind="cycle",
        status="running",
        started_at=EPOCH,
        parameters={},
        environment={},
        simulated=False,
        pid=1,
        pid_started=0.0,
    )
    effects.runs.create(manifest)
    return Cycle(effects, run_id)


def test_a_better_model_is_promoted_proven_on_holdout_cases_and_kept():
    effects = workbench("base", "better", "twin")
    cycle = begin(effects, "1")
    outcome = cycle.run()
    assert outcome.status == "promoted"
    assert outcome.baselines == {"atomic": "better"}
    assert outcome.headline.startswith("Atomic is now served by better (+")
    in_force = effects.config.routing()
    assert in_force.rule("better", "atomic").status == "confirmed"
    proven = cycle.keep().verifications[0]
    holdout = [s for s in effects.runs.samples("1") if s.stage == "verify"]
    assert {s.case_id.partition("-")[0] for s in holdout} == {"holdout"}
    passed = Counter(s.model for s in holdout if s.outcome == "pass")
    asked = Counter(s.model for s in holdout)
    gain = passed["better"] / asked["better"] - passed["base"] / asked["base"]
    assert gain / 2 < proven.effect.value <= gain, "less what the luck of a crossing adds"
    assert [entry.event for entry in effects.log.entries()] == [
        "init",
        "intent",
        "applied",
        "intent",
        "confirmed",
    ]


def test_an_equal_model_is_never_promoted():
    effects = workbench("base", "twin")
    before = effects.config.routing()
    outcome = begin(effects, "1").run()
    assert outcome.status == "unchanged"
    assert effects.config.routing() == before
    assert [entry.event for entry in effects.log.entries()] == ["init"]


def test_a_gain_that_is_not_there_on_holdout_cases_is_rolled_back_byte_for_byte():
    effects = workbench("base", "mirage")
    before = effects.config.routing_sha256()
    cycle = begin(effects, "1")
    outcome = cycle.run()
    assert [d.verdict for d in cycle.decide().decisions] == ["PROMOTE"]
    assert outcome.status == "rolled_back"
    assert "rolled back" in outcome.headline
    assert effects.config.routing_sha256() == before
    assert [entry.event for entry in effects.log.entries()][-1] == "rolled_back"


def test_the_next_cycle_starts_from_the_new_baseline_and_finds_nothing_then_nothing_is_due():
    effects = workbench("base", "better", "twin")
    begin(effects, "1").run()
    second = begin(effects, "2")
    assert second.plan().phases[0].baseline.model == "better"
    assert second.run().headline == "Nothing left to improve: no candidate beats better in atomic."
    third = begin(effects, "3")
    assert third.plan().phases[0].candidates == ()
    assert len(third.plan().phases[0].skipped) == 2
    assert third.run().headline.startswith("Nothing was due")
    seeds = [effects.runs.load(run, "plan", type(third.plan())).seed for run in "123"]
    assert len(set(seeds)) == 3


@pytest.mark.parametrize("done", range(len(STATES)))
def test_a_cycle_that_died_after_any_state_goes_on_to_the_same_end(done):
    unbroken = workbench("base", "better")
    expected = begin(unbroken, "1").run()
    effects = workbench("base", "better")
    broken = begin(effects, "1")
    for state in STATES[: done + 1]:
        getattr(broken, state)()
    outcome = Cycle(effects, "1").run()
    assert msgspec.structs.replace(outcome, ended_at=expected.ended_at) == expected
    keys = [sample.key for sample in effects.runs.samples("1")]
    assert len(keys) == len(set(keys))
    taken = {(s.key, s.seed, s.outcome) for s in effects.runs.samples("1")}
    assert taken == {(s.key, s.seed, s.outcome) for s in unbroken.runs.samples("1")}
    assert effects.config.routing().generation == unbroken.config.routing().generation


def test_a_dead_endpoint_stops_the_cycle_and_changes_nothing():
    gone = Failure(kind="infra_error", detail="refused: gone")
    client = FakeClient(lambda _: gone, models=("base", "better"))
    effects = workbench("base", "better", client=client)
    before = effects.config.routing()
    with pytest.raises(EndpointError, match="refused"):
        begin(effects, "1").run()
    assert effects.config.routing() == before


def test_a_model_that_only_fails_to_answer_is_undecided_and_not_called_bad():
    effects = workbench("base", "dead")
    cycle = begin(effects, "1")
    outcome = cycle.run()
    decision = cycle.decide().decisions[0]
    assert outcome.status == "undecided"
    assert outcome.headline.startswith("Undecided")
    assert {gate.name: gate.verdict for gate in decision.gates}["accuracy_gain"] == "unknown"
    found = [finding.cause for finding in cycle.diagnose().findings if finding.model == "dead"]
    assert found == ["infrastructure"]


def test_a_model_that_its_endpoint_does_not_offer_is_said_before_anything_is_measured():
    client = FakeClient(answer, models=("base", "bettr"))
    with pytest.raises(EndpointError, match="'better' is not offered; it offers: base, bettr"):
        begin(workbench("base", "better", client=client), "1").plan()
    assert client.requests == []


def test_a_budget_that_no_promotion_fits_in_is_refused():
    effects = workbench("base", "better", budget=BudgetConfig(max_calls=100))
    with pytest.raises(InputError, match=r"budget\.max_calls is 100"):
        begin(effects, "1").plan()


def requests_of_a_cycle(limit: int) -> tuple[int, str, list[str]]:
    effects = workbench("base", "better", "twin", budget=BudgetConfig(max_calls=limit))
    cycle = begin(effects, "1")
    outcome = cycle.run()
    reasons = [decision.reason for decision in cycle.decide().decisions]
    return len(effects.clients["local"].requests), outcome.status, reasons


def test_a_cycle_stops_between_rounds_before_it_exceeds_its_budget():
    free, status, _ = requests_of_a_cycle(0)
    assert "promoted" == status
    ended = set()
    for limit in range(free - 40, 8 * free, free // 4):
        asked, status, reasons = requests_of_a_cycle(limit)
        assert asked <= limit
        ended.add(status)
        if status == "undecided":
            assert any("budget.max_calls is" in reason for reason in reasons)
    assert {"undecided", "promoted"} == ended


@pytest.mark.parametrize(
    ("limit", "named"),
    [
        (BudgetConfig(max_minutes=1e-9), "budget.max_minutes"),
        (BudgetConfig(max_cost=1e-9), "budget.max_cost"),
    ],
)
def test_time_and_money_end_a_cycle_as_well(limit, named):
    priced = tuple(  # a token costs 1
        ModelConfig(id=model, endpoint="local", price_input=1e6, price_output=1e6)
        for model in ("base", "better")
    )

    def counted(request: ChatRequest) -> Reply | Failure:
        return msgspec.structs.replace(answer(request), input_tokens=1, output_tokens=1)

    client = FakeClient(counted, models=("base", "better"))
    effects = workbench("base", "better", client=client, budget=limit, models=priced)
    effects.clock.advance(60.0)
    cycle = begin(effects, "1")
    outcome = cycle.run()
    assert "undecided" == outcome.status
    assert named in outcome.headline
    assert 1 == effects.config.routing().generation


def test_the_prediction_is_an_upper_bound_of_what_is_asked():
    effects = workbench("base", "better", "twin")
    cycle = begin(effects, "1")
    cycle.run()
    client = effects.clients["local"]
    assert len(client.requests) <= cycle.plan().predicted_requests
    assert len(effects.runs.samples("1")) <= cycle.plan().predicted_samples


def test_records_can_be_read_at_every_state():
    effects = workbench("base", "better")
    cycle = begin(effects, "1")
    assert load_records(effects, "1").plan is None
    for state in STATES:
        getattr(cycle, state)()
        load_records(effects, "1")
    records = cycle.records()
    assert records.routing_before.generation == 1
    assert records.routing_after.baselines["atomic"].spec.model == "better"
    assert records.outcome is not None
    assert records.manifest.status == "done"


def test_a_model_added_to_harness_toml_later_is_a_candidate_like_any_other():
    effects = workbench("base", "better")
    first = routing.initial(tiny_harness("base", timeout_s=5.0), now=EPOCH)
    later = memory_effects(effects.config.harness(), first, effects.clients, effects.suites)
    assert begin(later, "1").run().baselines == {"atomic": "better"}
    assert later.config.routing().rule("better", "atomic").status == "confirmed"
