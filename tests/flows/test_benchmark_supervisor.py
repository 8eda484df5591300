"""Order and seeds of a cycle's samples; measuring, resuming, sessions, and an endpoint that dies."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from dataclasses import replace
from itertools import groupby

import msgspec
import pytest

from harnesslib import routing
from harnesslib.benchmark_supervisor import (
    Route,
    confirm_assignments,
    cycle_seed,
    measure,
    measure_all,
    screen_assignments,
    session_plans,
    verify_assignments,
)
from harnesslib.errors import EndpointError, InputError
from harnesslib.records import (
    AUTO,
    Call,
    CycleConfig,
    EndpointConfig,
    Failure,
    HarnessConfig,
    ModelConfig,
    PhaseConfig,
    PhasePlan,
    Plan,
    Settings,
    Spec,
)
from harnesslib.testing import (
    EPOCH,
    FakeClient,
    FakeClock,
    memory_effects,
    reply,
    right_answer,
    tiny_suite,
)

MODELS = ("base", "one", "two")
SUITES = {"atomic": tiny_suite("atomic", cases=5), "extended": tiny_suite("extended", cases=3)}
CONFIG = HarnessConfig(
    version=1,
    endpoints={"left": EndpointConfig(concurrency=2), "right": EndpointConfig(concurrency=3)},
    models=tuple(ModelConfig(id=model, endpoint="right" if model == "two" else "left") for model in MODELS),
    phases={
        phase: PhaseConfig(suite=phase, baseline="base", settings=Settings(timeout_s=5.0)) for phase in SUITES
    },
    cycle=CycleConfig(
        screen_repeats=2, confirm_repeats=3, verify_repeats=4, sessions=6, verify_sessions=2, session_cases=3
    ),
)


def spec(model: str, phase: str = "atomic") -> Spec:
    return Spec(model=model, phase=phase, settings=CONFIG.settings_of(model, phase))


def make_plan(seed: int = 11) -> Plan:
    phases = tuple(
        PhasePlan(
            phase=phase, suite=phase, suite_version="1", suite_hash="", baseline=spec("base", phase),
            candidates=(spec("one", phase), spec("two", phase)), skipped=(), search_cases=5, holdout_cases=5,
            smallest_effect=None,
        )
        for phase in SUITES
    )  # fmt: skip
    return Plan(
        run_id="r",
        seed=seed,
        generation=1,
        phases=phases,
        predicted_samples=0,
        predicted_requests=0,
        digests={},
    )


PLAN = make_plan()
LEADERS = {"atomic": spec("one")}
ROUTES = (Route(requested_model=AUTO, new=spec("one"), old=spec("base")),)
BUILT = {
    "screen": screen_assignments(PLAN, CONFIG, SUITES),
    "confirm": confirm_assignments(PLAN, LEADERS, CONFIG, SUITES),
    "verify": verify_assignments(PLAN, ROUTES, CONFIG, SUITES),
}


def blocks(assignments):
    """Split into blocks: (phase, case, repeat), each with its assignments in order."""
    groups = groupby(assignments, key=lambda job: (job.spec.phase, job.case_id, job.repeat))
    return [(block, list(group)) for block, group in groups]


@pytest.mark.parametrize(
    ("stage", "arms", "repeats", "split"),
    [("screen", 3, 2, "search"), ("confirm", 2, 3, "search"), ("verify", 2, 4, "holdout")],
)
class TestBlocks:
    """What holds for the assignments of every stage."""

    def test_every_case_is_asked_of_every_arm_in_every_repeat(self, stage, arms, repeats, split):
        expected = Counter(
            (phase, case.id, repeat)
            for phase in ({"atomic", "extended"} if stage == "screen" else {"atomic"})
            for case in SUITES[phase].part(split)
            for repeat in range(repeats)
            for _ in range(arms)
        )
        assert expected == Counter((job.spec.phase, job.case_id, job.repeat) for job in BUILT[stage])
        assert len(BUILT[stage]) == len({job.key for job in BUILT[stage]})

    def test_the_arms_of_a_block_stand_side_by_side_under_one_seed(self, stage, arms, repeats, split):
        found = blocks(BUILT[stage])
        assert len(found) == len({block for block, _ in found})
        for _, jobs in found:
            assert arms == len({job.spec.id for job in jobs})
            assert 1 == len({job.seed for job in jobs})

    def test_seeds_are_fresh_in_every_block(self, stage, arms, repeats, split):
        found = blocks(BUILT[stage])
        assert len(found) == len({jobs[0].seed for _, jobs in found})

    def test_order_is_shuffled_inside_blocks_and_over_blocks(self, stage, arms, repeats, split):
        found = blocks(BUILT[stage])
        assert 1 < len({tuple(job.spec.model for job in jobs) for _, jobs in found})
        cases = defaultdict(list)
        for (phase, case, repeat), _ in found:
            cases[phase, repeat].append(case)
        assert 1 < len({tuple(order) for (phase, _), order in cases.items() if phase == "atomic"})
        assert [job.repeat for job in BUILT[stage]] == sorted(job.repeat for job in BUILT[stage])

    def test_positions_count_the_order(self, stage, arms, repeats, split):
        assert list(range(len(BUILT[stage]))) == [job.position for job in BUILT[stage]]


def test_the_same_plan_gives_the_same_order_and_another_seed_another_one():
    assert BUILT["screen"] == screen_assignments(make_plan(), CONFIG, SUITES)
    other = screen_assignments(make_plan(seed=12), CONFIG, SUITES)
    assert not {job.seed for job in other} & {job.seed for job in BUILT["screen"]}
    assert [job.key for job in other] != [job.key for job in BUILT["screen"]]


def test_no_seed_is_used_in_two_stages():
    seeds = [{job.seed for job in jobs} for jobs in BUILT.values()]
    assert sum(map(len, seeds)) == len(set.union(*seeds))


def test_cycles_have_seeds_of_their_own():
    assert 100 == len({cycle_seed(seed, number) for seed in range(10) for number in range(10)})


def test_a_phase_without_candidates_still_measures_its_baseline():
    bare = msgspec.structs.replace(PLAN.phases[0], candidates=())
    plan = msgspec.structs.replace(PLAN, phases=(bare,))
    assert {"base"} == {job.spec.model for job in screen_assignments(plan, CONFIG, SUITES)}


def test_verification_asks_as_an_application_does():
    requested = {(job.spec.model, job.requested_model) for job in BUILT["verify"]}
    assert {("base", "base"), ("one", AUTO)} == requested


def test_a_fallback_is_proved_once_for_all_that_it_serves():
    routes = (
        Route(requested_model="two", new=spec("one")),
        Route(requested_model="three", new=spec("one")),
        Route(requested_model="two", new=spec("one", "extended")),
    )
    jobs = verify_assignments(PLAN, routes, CONFIG, SUITES)
    assert {("verify_fallback", "one", "two")} == {(j.stage, j.spec.model, j.requested_model) for j in jobs}
    assert (5 + 3) * 4 == len(jobs) == len({job.key for job in jobs})


def test_sessions_pair_a_cold_and_a_warm_arm_over_the_same_cases_and_seeds():
    plans = session_plans(3, [spec("one")], CONFIG, SUITES, stage="sessions")
    assert 12 == len(plans)
    for session in range(1, 7):
        pair = {plan.cold: plan for plan in plans if plan.session == session}
        assert {True, False} == set(pair)
        cold, warm = pair[True], pair[False]
        assert (False, True) == (cold.spec.settings.warmup, warm.spec.settings.warmup)
        asked = [[(job.case_id, job.seed, job.session) for job in plan.assignments] for plan in (cold, warm)]
        assert asked[0] == asked[1]
        assert 3 == len(set(asked[0]))
        assert all(job.cold for job in cold.assignments)
        assert not any(job.cold for job in warm.assignments)
    assert 1 < len({plan.cold for plan in plans[::2]}), "which arm is first is left to chance"
    assert 1 < len({tuple(job.case_id for job in plan.assignments) for plan in plans})


def test_sessions_of_the_verification_take_holdout_cases():
    plans = session_plans(3, [spec("one"), spec("two")], CONFIG, SUITES, stage="verify_sessions")
    jobs = [job for plan in plans for job in plan.assignments]
    assert {"verify_sessions"} == {job.stage for job in jobs}
    assert all(job.case_id.startswith("holdout") for job in jobs)
    assert 2 * 2 * 2 * 3 == len({job.key for job in jobs})


class Bed:
    """Two endpoints in memory."""

    def __init__(self, answer=right_answer, *, can_unload: bool = True) -> None:
        self.left = FakeClient(answer, can_unload=can_unload)
        self.right = FakeClient(answer, can_unload=can_unload)
        self.effects = memory_effects(
            CONFIG,
            routing.initial(CONFIG, now=EPOCH),
            {"left": self.left, "right": self.right},
            SUITES,
            FakeClock(),
        )

    def measure(self, jobs, sessions=()):
        return measure_all(jobs, sessions, self.effects, run_id="r", state="screen")

    @property
    def journal(self):
        return self.effects.runs.samples("r")


def test_everything_is_measured_once_and_returned_in_the_order_of_the_plan():
    bed = Bed()
    samples = bed.measure(BUILT["screen"])
    assert [job.key for job in BUILT["screen"]] == [sample.key for sample in samples]
    assert Counter(job.key for job in BUILT["screen"]) == Counter(sample.key for sample in bed.journal)
    assert {"pass"} == {sample.outcome for sample in samples}
    assert {"one", "base"} == {request.model for request in bed.left.requests}
    assert {"two"} == {request.model for request in bed.right.requests}
    assert ["endpoint-left", "endpoint-right"] == bed.effects.locks.taken
    assert not bed.left.is_open


def test_samples_say_how_many_were_worked_on_and_in_which_order_they_began():
    samples = Bed().measure(BUILT["screen"])
    assert list(range(len(samples))) == sorted(sample.position for sample in samples)
    left = [sample for sample in samples if sample.model != "two"]
    assert 2 == max(sample.concurrency for sample in left)
    assert 3 == max(sample.concurrency for sample in samples)
    began = sorted(left, key=lambda sample: sample.position)
    planned = [job.key for job in BUILT["screen"] if job.spec.model != "two"]
    assert planned == [sample.key for sample in began]


def test_what_the_journal_holds_is_not_measured_again():
    bed = Bed()
    first = bed.measure(BUILT["screen"][:7])
    asked = len(bed.left.requests) + len(bed.right.requests)
    samples = bed.measure(BUILT["screen"])
    assert first == samples[:7]
    assert len(BUILT["screen"]) == len(bed.journal)
    again = len(bed.left.requests) + len(bed.right.requests)
    assert bed.measure(BUILT["screen"]) == samples
    assert again == len(bed.left.requests) + len(bed.right.requests)
    assert sum(sample.requests for sample in samples) == again > asked
    assert list(range(len(samples))) == sorted(sample.position for sample in samples)


def test_nothing_left_to_do_needs_no_endpoint():
    bed = Bed()
    bed.measure(BUILT["confirm"])
    bed.effects.locks.taken.clear()
    bed.measure(BUILT["confirm"])
    assert [] == bed.effects.locks.taken


def test_measure_is_measure_all_without_sessions():
    bed = Bed()
    assert measure(BUILT["verify"], bed.effects, run_id="r", state="verify") == bed.measure(BUILT["verify"])


def test_progress_counts_what_was_there_and_is_not_chatty():
    bed = Bed()
    bed.measure(BUILT["screen"][:10])
    bed.effects.events.said.clear()
    bed.measure(BUILT["screen"])
    total = len(BUILT["screen"])
    said = bed.effects.events.said
    assert (11, total) == (said[0][2], said[-1][2])
    assert {total} == {event[3] for event in said}
    assert 2 == len(said), "the fake clock stands still: the first and the last"


def dead(request):
    return Failure(kind="infra_error", detail=f"can't connect: refused {id(request)}")


def test_a_dead_endpoint_is_given_up_while_the_other_one_is_measured_to_the_end():
    bed = Bed()
    bed.left = FakeClient(dead)
    bed.effects.clients["left"] = bed.left
    with pytest.raises(EndpointError, match=r"endpoint 'left': 10 samples in a row.*refused.*resume"):
        bed.measure(BUILT["screen"])
    assert {"two"} == {sample.model for sample in bed.journal}
    assert sum(job.spec.model == "two" for job in BUILT["screen"]) == len(bed.journal)
    assert len(bed.left.requests) < 2 * 15
    bed.effects.clients["left"] = FakeClient(right_answer)
    assert {"pass"} == {sample.outcome for sample in bed.measure(BUILT["screen"])}


def test_failures_that_differ_or_pass_are_samples():
    said = Counter()

    def now_and_then(request):
        said["asked"] += 1
        if said["asked"] % 12 == 0:
            return right_answer(request)
        return Failure(kind="infra_error", detail=f"HTTP {500 + said['asked'] % 3}: x", status=404)

    bed = Bed(now_and_then)
    samples = bed.measure(BUILT["screen"])
    assert len(BUILT["screen"]) == len(samples)
    assert "infra_error" in {sample.outcome for sample in samples}


def test_a_few_failures_at_the_end_are_journalled():
    bed = Bed(dead)
    bed.measure(BUILT["confirm"][:4])
    assert ["infra_error"] * 4 == [sample.outcome for sample in bed.journal]


def test_an_interrupt_keeps_what_was_taken_and_lets_everything_go():
    asked = Counter()

    def interrupt(request):
        asked["requests"] += 1
        if asked["requests"] == 15:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return right_answer(request)

    class Patient(FakeClient):
        async def chat(self, request, timeout_s):
            if asked["requests"] >= 15:
                await asyncio.Event().wait()
            return await super().chat(request, timeout_s)

    bed = Bed()
    for name in ("left", "right"):
        bed.effects.clients[name] = Patient(interrupt)
    with pytest.raises(KeyboardInterrupt):
        bed.measure(BUILT["screen"])
    assert 0 < len(bed.journal) < len(BUILT["screen"])
    assert not any(client.is_open for client in bed.effects.clients.values())
    assert set() == bed.effects.locks.held


def test_an_unknown_model_is_named():
    stranger = msgspec.structs.replace(BUILT["screen"][0], spec=spec("base"))
    stranger = msgspec.structs.replace(stranger, spec=msgspec.structs.replace(stranger.spec, model="nobody"))
    with pytest.raises(InputError, match=r"'nobody'.*base, one, two"):
        Bed().measure([stranger])


def sessions_of(*models: str, stage="sessions"):
    return session_plans(3, [spec(model) for model in models], CONFIG, SUITES, stage=stage)


def test_a_session_is_unload_then_warm_up_unless_cold_then_all_cases_at_once():
    bed = Bed()
    plans = sessions_of("two")
    samples = bed.measure((), plans)
    assert 12 == sum(event == ("unload", "two") for event in bed.right.history)
    parts = "".join(kind[0] for kind, _ in bed.right.history).split("u")[1:]
    for plan, asked in zip(plans, parts, strict=True):
        burst = [s for s in samples if (s.session, s.cold) == (plan.session, plan.cold)]
        warmed = 0 if plan.cold else 1
        assert warmed + sum(sample.requests for sample in burst) == len(asked)
        assert [1, 2, 3] == sorted(sample.concurrency for sample in burst)
    assert {"sessions"} == {sample.stage for sample in samples}


def test_sessions_of_a_model_that_cannot_be_unloaded_are_not_made_up():
    bed = Bed(can_unload=False)
    assert () == bed.measure((), sessions_of("two"))
    assert [("unload", "two")] == bed.right.history
    assert "can't unload" in bed.effects.events.said[-1][1]


def test_sessions_run_beside_the_measurement_unless_they_would_unload_its_models():
    bed = Bed()
    bed.measure(BUILT["confirm"], sessions_of("one"))
    first_unload = bed.left.history.index(("unload", "one"))
    asked_before = sum(sample.requests for sample in bed.journal if sample.stage == "confirm")
    assert asked_before == first_unload
    beside = Bed()
    beside.measure(BUILT["confirm"], sessions_of("two"))
    assert len(BUILT["confirm"]) + 12 * 3 == len(beside.journal)
    stages = [sample.stage for sample in beside.journal]
    assert stages.index("sessions") < len(BUILT["confirm"]), "they don't wait for the measurement"


def test_a_session_that_was_begun_is_finished_after_another_unload():
    bed = Bed()
    plans = sessions_of("two")
    bed.measure(plans[0].assignments[:2])
    samples = bed.measure((), plans)
    assert 12 * 3 == len(samples) == len(bed.journal)
    assert 12 == sum(event == ("unload", "two") for event in bed.right.history)


def test_a_cold_model_times_out_in_the_cold_arm_only():
    clock = FakeClock()
    state = {"loaded": True}

    class Loading(FakeClient):
        async def unload(self, model):
            state["loaded"] = False
            return await super().unload(model)

    def answer(request):
        if not state["loaded"]:
            state["loaded"] = True
            clock.advance(9.0)
            if client.timeouts[-1] < 9.0:
                return Failure(kind="timeout", detail="no answer")
        return right_answer(request)

    client = Loading(answer)
    bed = Bed()
    bed.effects.clients["right"] = client
    bed.effects = replace(bed.effects, clock=clock)
    samples = bed.measure((), sessions_of("two"))
    failed = {(sample.cold, sample.outcome == "timeout") for sample in samples}
    assert {(True, True), (False, False)} <= failed
    assert (False, True) not in failed


def test_a_wrong_call_is_wrong_in_every_stage():
    bed = Bed(lambda request: reply(Call(name="double", arguments={"number": 99})))
    assert {"wrong", "overcalled"} == {sample.outcome for sample in bed.measure(BUILT["verify"])}


LOADED_BEFORE_THE_FIRST_REQUEST = """
import sys
from harnesslib import routing, testing
from harnesslib.benchmark_supervisor import measure
from harnesslib.records import Assignment, Spec

def answer(request):
    loaded.append("scipy.optimize" in sys.modules)
    return testing.right_answer(request)

loaded = []
config, suite = testing.tiny_harness("m"), testing.tiny_suite("atomic")
client = testing.FakeClient(answer)
effects = testing.memory_effects(
    config, routing.initial(config, now=testing.EPOCH), {"local": client}, {"atomic": suite}
)
job = Assignment(
    stage="run", spec=Spec(model="m", phase="atomic", settings=config.settings_of("m", "atomic")),
    case_id="search-1", repeat=0, position=0, seed=1, requested_model="m",
)
measure([job], effects, run_id="r", state="run")
print(loaded[0])
"""


def test_what_scoring_needs_is_loaded_before_the_first_request():
    done = subprocess.run(
        [sys.executable, "-c", LOADED_BEFORE_THE_FIRST_REQUEST], capture_output=True, text=True, check=True
    )
    assert "True" == done.stdout.strip()
