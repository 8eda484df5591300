"""Order and seeds of a cycle's samples; measuring, resuming, sessions, and an endpoint that dies."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from itertools import groupby

import msgspec
import pytest

from harnesslib import routing
from harnesslib.benchmark_supervisor import (
    confirm,
    cycle_seed,
    measure,
    session_plans,
)
from harnesslib.benchmark_supervisor.layout import Block, arms, assignments, by_lot
from harnesslib.errors import EndpointError, InputError
from harnesslib.records import (
    Call,
    CycleConfig,
    EndpointConfig,
    Failure,
    HarnessConfig,
    Manifest,
    ModelConfig,
    PhaseConfig,
    PhasePlan,
    Plan,
    Selection,
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
    cycle=CycleConfig(sessions=6, verify_sessions=2, session_cases=3),
)


def spec(model: str, phase: str = "atomic") -> Spec:
    return Spec(model=model, phase=phase, settings=CONFIG.settings_of(model, phase))


def make_plan(seed: int = 11) -> Plan:
    phases = tuple(
        PhasePlan(
            phase=phase, suite=phase, suite_version="1", suite_hash=SUITES[phase].content_hash,
            baseline=spec("base", phase),
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


def built(stage, *models, repeats=2, seed=11, split="search"):
    """Return the blocks of both phases as assignments, phase after phase."""
    return tuple(
        job
        for phase, suite in SUITES.items()
        for job in assignments(
            [
                Block(case, repeat, arms(*(spec(model, phase) for model in models)))
                for repeat in range(repeats)
                for case in suite.part(split)
            ],
            seed=seed,
            stage=stage,
        )
    )


SCREEN = built("screen", *MODELS)
CONFIRM = built("confirm", "base", "one", repeats=3)
VERIFY = built("verify", "base", "one", split="holdout")
ATOMIC = tuple(job for job in SCREEN if job.spec.phase == "atomic")


def blocks(jobs):
    """Split into blocks: (phase, case, repeat), each with its assignments in order."""
    groups = groupby(jobs, key=lambda job: (job.spec.phase, job.case_id, job.repeat))
    return [(block, list(group)) for block, group in groups]


def test_the_arms_of_a_block_stand_side_by_side_under_one_seed():
    found = blocks(SCREEN)
    assert (5 + 3) * 2 == len(found) == len({block for block, _ in found})
    assert len(found) == len({jobs[0].seed for _, jobs in found})
    for _, jobs in found:
        assert set(MODELS) == {job.spec.model for job in jobs}
        assert 1 == len({job.seed for job in jobs})


def test_order_is_shuffled_inside_blocks_and_over_blocks():
    found = blocks(ATOMIC)
    assert 1 < len({tuple(job.spec.model for job in jobs) for _, jobs in found})
    orders = {tuple(case for (_, case, r), _ in found if r == repeat) for repeat in range(2)}
    assert 2 == len(orders)
    assert [job.repeat for job in ATOMIC] == sorted(job.repeat for job in ATOMIC)
    assert list(range(len(ATOMIC))) == [job.position for job in ATOMIC]


def test_the_same_seed_gives_the_same_order_and_another_seed_another_one():
    assert built("screen", *MODELS) == SCREEN
    other = built("screen", *MODELS, seed=12)
    assert not {job.seed for job in other} & {job.seed for job in SCREEN}
    assert [job.key for job in other] != [job.key for job in SCREEN]


def test_no_seed_is_used_in_two_stages():
    seeds = [{job.seed for job in jobs} for jobs in (SCREEN, CONFIRM, VERIFY)]
    assert sum(map(len, seeds)) == len(set.union(*seeds))


def test_lots_depend_on_the_seed_and_on_nothing_else():
    cases = SUITES["atomic"].cases
    assert by_lot(cases, 1) == by_lot(tuple(reversed(cases)), 1) != by_lot(cases, 2)


def test_cycles_have_seeds_of_their_own():
    assert 100 == len({cycle_seed(seed, number) for seed in range(10) for number in range(10)})


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

        self.effects.runs.create(MANIFEST)

    def measure(self, jobs):
        return measure(jobs, self.effects, run_id="r", state="screen")

    def sessions(self, *models, leader=""):
        """Confirm with these models suspected; returns the samples of sessions."""
        chosen = Selection(
            run_id="r",
            leaders=dict.fromkeys(("atomic",) if leader else (), spec(leader or "base")),
            suspects=tuple(spec(model) for model in models),
        )
        confirm(make_plan(seed=3), chosen, self.effects)
        return tuple(sample for sample in self.journal if sample.stage == "sessions")

    @property
    def journal(self):
        return self.effects.runs.samples("r")


def test_everything_is_measured_once_and_returned_in_the_order_of_the_plan():
    bed = Bed()
    samples = bed.measure(SCREEN)
    assert [job.key for job in SCREEN] == [sample.key for sample in samples]
    assert Counter(job.key for job in SCREEN) == Counter(sample.key for sample in bed.journal)
    assert {"pass"} == {sample.outcome for sample in samples}
    assert {"one", "base"} == {request.model for request in bed.left.requests}
    assert {"two"} == {request.model for request in bed.right.requests}
    assert ["endpoint-left", "endpoint-right"] == bed.effects.locks.taken
    assert not bed.left.is_open


def test_samples_say_how_many_were_worked_on_and_in_which_order_they_began():
    samples = Bed().measure(SCREEN)
    assert list(range(len(samples))) == sorted(sample.position for sample in samples)
    left = [sample for sample in samples if sample.model != "two"]
    assert 2 == max(sample.concurrency for sample in left)
    assert 3 == max(sample.concurrency for sample in samples)
    began = sorted(left, key=lambda sample: sample.position)
    planned = [job.key for job in SCREEN if job.spec.model != "two"]
    assert planned == [sample.key for sample in began]


def test_what_the_journal_holds_is_not_measured_again():
    bed = Bed()
    first = bed.measure(SCREEN[:7])
    asked = len(bed.left.requests) + len(bed.right.requests)
    samples = bed.measure(SCREEN)
    assert first == samples[:7]
    assert len(SCREEN) == len(bed.journal)
    again = len(bed.left.requests) + len(bed.right.requests)
    assert bed.measure(SCREEN) == samples
    assert again == len(bed.left.requests) + len(bed.right.requests)
    assert sum(sample.requests for sample in samples) == again > asked
    assert list(range(len(samples))) == sorted(sample.position for sample in samples)


def test_nothing_left_to_do_needs_no_endpoint():
    bed = Bed()
    bed.measure(CONFIRM)
    bed.effects.locks.taken.clear()
    bed.measure(CONFIRM)
    assert [] == bed.effects.locks.taken


def test_progress_counts_what_was_there_and_is_not_chatty():
    bed = Bed()
    bed.measure(SCREEN[:10])
    bed.effects.events.said.clear()
    bed.measure(SCREEN)
    total = len(SCREEN)
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
        bed.measure(SCREEN)
    assert {"two"} == {sample.model for sample in bed.journal}
    assert sum(job.spec.model == "two" for job in SCREEN) == len(bed.journal)
    assert len(bed.left.requests) < 2 * 15
    bed.effects.clients["left"] = FakeClient(right_answer)
    assert {"pass"} == {sample.outcome for sample in bed.measure(SCREEN)}


def test_failures_that_differ_or_pass_are_samples():
    said = Counter()

    def now_and_then(request):
        said["asked"] += 1
        if said["asked"] % 12 == 0:
            return right_answer(request)
        return Failure(kind="infra_error", detail=f"HTTP {500 + said['asked'] % 3}: x", status=404)

    bed = Bed(now_and_then)
    samples = bed.measure(SCREEN)
    assert len(SCREEN) == len(samples)
    assert "infra_error" in {sample.outcome for sample in samples}


def test_a_few_failures_at_the_end_are_journalled():
    bed = Bed(dead)
    bed.measure(CONFIRM[:4])
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
        bed.measure(SCREEN)
    assert 0 < len(bed.journal) < len(SCREEN)
    assert not any(client.is_open for client in bed.effects.clients.values())
    assert set() == bed.effects.locks.held


def test_an_unknown_model_is_named():
    stranger = msgspec.structs.replace(SCREEN[0], spec=spec("base"))
    stranger = msgspec.structs.replace(stranger, spec=msgspec.structs.replace(stranger.spec, model="nobody"))
    with pytest.raises(InputError, match=r"'nobody'.*base, one, two"):
        Bed().measure([stranger])


def sessions_of(*models: str, stage="sessions"):
    return session_plans(3, [spec(model) for model in models], CONFIG, SUITES, stage=stage)


def test_a_session_is_unload_then_warm_up_unless_cold_then_all_cases_at_once():
    bed = Bed()
    plans = sessions_of("two")
    samples = bed.sessions("two")
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
    assert () == bed.sessions("two")
    assert [("unload", "two")] == bed.right.history
    assert "can't unload" in bed.effects.events.said[-1][1]


def test_sessions_run_beside_a_contest_unless_they_would_unload_its_models():
    bed = Bed()
    bed.sessions("one", leader="one")
    first_unload = bed.left.history.index(("unload", "one"))
    asked_before = sum(sample.requests for sample in bed.journal if sample.stage == "confirm")
    assert asked_before == first_unload
    beside = Bed()
    assert 12 * 3 == len(beside.sessions("two", leader="one"))
    stages = [sample.stage for sample in beside.journal]
    assert stages.index("sessions") < stages.count("confirm"), "they don't wait for the measurement"


def test_a_session_that_was_begun_is_finished_after_another_unload():
    bed = Bed()
    plans = sessions_of("two")
    bed.measure(plans[0].assignments[:2])
    samples = bed.sessions("two")
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
    samples = bed.sessions("two")
    failed = {(sample.cold, sample.outcome == "timeout") for sample in samples}
    assert {(True, True), (False, False)} <= failed
    assert (False, True) not in failed


def test_a_wrong_call_is_wrong_in_every_stage():
    bed = Bed(lambda request: reply(Call(name="double", arguments={"number": 99})))
    assert {"wrong", "overcalled"} == {sample.outcome for sample in bed.measure(VERIFY)}


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
