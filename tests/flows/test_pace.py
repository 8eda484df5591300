"""How much an endpoint is asked at once after it said that this was too much."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnesslib import routing
from harnesslib.benchmark_supervisor import measure
from harnesslib.executors.pace import ANSWERS_TO_RISE, LONGEST_REST_S, Gate, Pace
from harnesslib.records import Assignment, EndpointConfig, Failure, Spec
from harnesslib.testing import (
    EPOCH,
    FakeClient,
    FakeClock,
    memory_effects,
    reply,
    right_answer,
    tiny_harness,
    tiny_suite,
)

TOO_MANY = Failure(kind="infra_error", detail="HTTP 429: slow down", status=429)


def refuse(pace: Pace, retry_after_s: float | None = None) -> bool:
    return pace.refused(pace.wave, 0.0, retry_after_s)


def test_a_refusal_halves_the_level_and_at_least_one_is_left():
    pace, levels = Pace(11), []
    for _ in range(5):
        assert refuse(pace)
        levels.append(pace.level)
    assert [5, 2, 1, 1, 1] == levels


def test_refusals_of_requests_that_were_under_way_do_not_cut_again():
    pace = Pace(16)
    sent = pace.wave
    assert [True, *[False] * 15] == [pace.refused(sent, 0.0, None) for _ in range(16)]
    assert 8 == pace.level
    assert refuse(pace)
    assert 4 == pace.level


def test_twenty_answers_in_a_row_raise_the_level_by_one_up_to_what_is_configured():
    pace = Pace(4)
    refuse(pace)
    rose = [pace.answered() for _ in range(3 * ANSWERS_TO_RISE)]
    assert [ANSWERS_TO_RISE, 2 * ANSWERS_TO_RISE] == [number for number, up in enumerate(rose, 1) if up]
    assert 4 == pace.level


def test_a_refusal_starts_the_count_again():
    pace = Pace(8)
    refuse(pace)
    late = pace.wave - 1
    for _ in range(ANSWERS_TO_RISE - 1):
        pace.answered()
    pace.refused(late, 0.0, None)
    assert not pace.answered()
    assert 4 == pace.level


@given(st.integers(1, 40), st.lists(st.booleans(), max_size=200))
def test_the_level_never_leaves_its_bounds(most, answers):
    pace = Pace(most)
    for answered in answers:
        pace.answered() if answered else refuse(pace)
        assert 1 <= pace.level <= most


@pytest.mark.parametrize(("asked", "rest"), [(None, 0.0), (0.0, 0.0), (3.0, 3.0), (9999.0, LONGEST_REST_S)])
def test_a_rest_is_kept_for_as_long_as_it_was_asked_for(asked, rest):
    pace = Pace(4)
    pace.refused(0, 10.0, asked)
    assert rest == pace.rest_s(10.0)
    assert max(0.0, rest - 1.0) == pace.rest_s(11.0)


def test_the_longest_of_several_rests_counts():
    pace = Pace(4)
    assert [True, True, False] == [pace.refused(0, 0.0, seconds) for seconds in (2.0, 5.0, 1.0)]
    assert 5.0 == pace.rest_s(0.0)


class Bed:
    """A gate whose level a test changes."""

    def __init__(self, most: int) -> None:
        self.said: list[str] = []
        self.clock = FakeClock()
        self.gate = Gate("local", most, self.clock, self.said.append)
        self.inside = 0
        self.crowds: list[int] = []

    async def visit(self, leave: asyncio.Event) -> None:
        async with self.gate.passage():
            self.inside += 1
            self.crowds.append(self.inside)
            await leave.wait()
            self.inside -= 1


def test_no_more_than_the_level_are_inside_and_a_rise_lets_one_more_in():
    bed = Bed(4)

    async def main():
        leave = asyncio.Event()
        bed.gate.note(TOO_MANY, 0)
        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(bed.visit(leave))
            for _ in range(20):
                await asyncio.sleep(0)
            assert 2 == bed.inside
            for _ in range(ANSWERS_TO_RISE):
                bed.gate.note(reply(), bed.gate.pace.wave)
            for _ in range(20):
                await asyncio.sleep(0)
            assert 3 == bed.inside
            leave.set()

    asyncio.run(main())
    assert 3 == max(bed.crowds)
    assert [
        "endpoint 'local' says too many requests: 2 of 4 samples at a time",
        "endpoint 'local': 3 of 4 samples at a time again",
    ] == bed.said


def test_a_visitor_who_is_cancelled_leaves_the_place_to_the_next():
    bed = Bed(1)

    async def main():
        leave = asyncio.Event()
        first = asyncio.create_task(bed.visit(leave))
        await asyncio.sleep(0)
        second = asyncio.create_task(bed.visit(leave))
        await asyncio.sleep(0)
        first.cancel()
        leave.set()
        await asyncio.wait([first, second])
        return first.cancelled(), second.done()

    assert (True, True) == asyncio.run(main())


def test_a_rest_is_not_waited_for_beyond_the_deadline():
    bed = Bed(4)
    bed.gate.note(Failure(kind="infra_error", detail="", status=429, retry_after_s=5.0), 0)
    asyncio.run(bed.gate.rest(deadline=3.0))
    assert [] == bed.clock.pauses
    asyncio.run(bed.gate.rest(deadline=6.0))
    assert [5.0] == bed.clock.pauses
    assert bed.said[0].endswith("2 of 4 samples at a time, none for 5 s")


@pytest.mark.parametrize("status", [None, 500, 503])
def test_other_failures_change_nothing(status):
    bed = Bed(4)
    bed.gate.note(Failure(kind="infra_error", detail="", status=status, retry_after_s=5.0), 0)
    assert (4, 0.0, []) == (bed.gate.pace.level, bed.gate.pace.rest_s(0.0), bed.said)


def take_all(answer, *, cases: int = 40, most: int = 8, clock: FakeClock | None = None):
    """Measure a suite at an endpoint; returns (samples, effects, client)."""
    harness = tiny_harness("m", timeout_s=60.0)
    harness.endpoints["local"] = EndpointConfig(base_url="http://127.0.0.1:1", concurrency=most)
    client, suite = FakeClient(answer), tiny_suite("atomic", cases=cases)
    config = routing.initial(harness, now=EPOCH)
    effects = memory_effects(harness, config, {"local": client}, {"atomic": suite}, clock or FakeClock())
    spec = Spec(model="m", phase="atomic", settings=harness.settings_of("m", "atomic"))
    jobs = [
        Assignment(stage="run", spec=spec, case_id=case.id, repeat=0, position=0, seed=1, requested_model="m")
        for case in suite.part("search")
    ]
    return measure(jobs, effects, run_id="r", state="run"), effects, client


def test_an_endpoint_that_says_too_many_requests_is_asked_less_and_all_samples_are_taken():
    said = {"requests": 0}

    def now_and_then(request):
        said["requests"] += 1
        return TOO_MANY if said["requests"] == 20 else right_answer(request)

    samples, effects, _ = take_all(now_and_then)
    assert {"pass"} == {sample.outcome for sample in samples}
    began = sorted(samples, key=lambda sample: sample.position)
    assert 8 == max(sample.concurrency for sample in began[:20])
    assert max(sample.concurrency for sample in began[-12:]) <= 6
    told = [message for _, message, *_ in effects.events.said if "at a time" in message]
    assert "endpoint 'local' says too many requests: 4 of 8 samples at a time" == told[0]
    assert "endpoint 'local': 5 of 8 samples at a time again" == told[1]


def test_retry_after_holds_for_the_whole_endpoint():
    asked_at, clock = [], FakeClock()

    def once(request):
        asked_at.append(clock.seconds)
        if len(asked_at) == 5:
            return Failure(kind="infra_error", detail="HTTP 429: later", status=429, retry_after_s=7.0)
        return right_answer(request)

    samples, *_ = take_all(once, cases=12, most=2, clock=clock)
    assert {"pass"} == {sample.outcome for sample in samples}
    assert not [seconds for seconds in asked_at[5:] if seconds < 7.0]
