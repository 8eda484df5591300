"""A simulated model has the troubles that its world declares, as often as it declares them, and no others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from harnesslib.errors import InputError
from harnesslib.records import SimulatedModel, SimulatedPhase, SimulatedTrouble, SimulatedWorld
from harnesslib.simulator.serving import ModelRoom, Question
from harnesslib.simulator.trouble import FaultError, Troubles
from harnesslib.simulator.truth import load_world, marked
from harnesslib.simulator.wire import ChatMessage
from harnesslib.suites import load_suite

SUITE = load_suite("atomic", root=Path())
PLAIN = [case for case in SUITE.part("search") if case.wants_call and not case.parameters][:20]
SUITE = msgspec.structs.replace(SUITE, cases=tuple(PLAIN))


class Time:
    """Seconds that pass when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def a_room(time: Time | None = None, **trouble) -> ModelRoom:
    phase = SimulatedPhase(accuracy=0.99, flaky_share=0.0)
    model = SimulatedModel(
        id="m", phases={"atomic": phase}, latency_s=0.1, trouble=SimulatedTrouble(**trouble)
    )
    time = time or Time()
    world = SimulatedWorld(version=1, models=(model,))
    return ModelRoom(world, {"atomic": SUITE}, clock=time.clock, sleep=time.sleep)


def ask(room: ModelRoom, case, seed: int):
    question = Question([ChatMessage(role="user", content=case.turns[0].user)], list(case.tools), seed)
    return asyncio.run(room.ask("m", question))


def troubles(**declared) -> Troubles:
    phase = SimulatedPhase(accuracy=1.0)
    model = SimulatedModel(id="m", phases={"s": phase}, trouble=SimulatedTrouble(**declared))
    return Troubles(model, 1, began=0.0)


def test_the_declared_share_of_cases_is_slow_whenever_it_is_asked():
    room = a_room(slow_share=0.25, slow_s=3.0)
    slow = {case.id for case in PLAIN if ask(room, case, 1).latency_s > 3}
    assert 5 == len(slow)
    assert slow == {case.id for case in PLAIN if ask(room, case, 2).latency_s > 3}


def test_calls_are_unreadable_as_often_as_declared_and_only_in_the_variants_named():
    torn = [
        ask(a_room(unreadable_share=0.4), case, seed).answer.malformed for case in PLAIN for seed in range(20)
    ]
    assert 0.3 < sum(torn) / len(torn) < 0.5
    elsewhere = a_room(unreadable_share=1.0, unreadable_in=("json",))
    assert not any(ask(elsewhere, case, 1).answer.malformed for case in PLAIN)


def test_cached_cases_say_the_same_in_the_same_time_whatever_the_seed():
    room = a_room(cached_share=0.5, cached_s=0.01)
    first = {case.id: ask(room, case, 1) for case in PLAIN}
    again = {case.id: ask(room, case, 2) for case in PLAIN}
    quick = {case_id for case_id, served in again.items() if served.latency_s == 0.01}
    assert 10 == len(quick)
    assert all(first[case_id].answer == again[case_id].answer for case_id in quick)
    assert all(served.latency_s > 0.02 for served in first.values())


def test_a_drift_begins_after_the_declared_requests_or_seconds():
    after = troubles(drift_loss=0.5, drift_after=3)
    assert [1.0, 1.0, 1.0, 0.5] == [after.begin(0.0).odds for _ in range(4)]
    later = troubles(drift_loss=0.2, drift_after_s=60.0)
    assert [1.0, 0.8] == [later.begin(now).odds for now in (59.9, 60.0)]


@pytest.mark.parametrize(("overload", "expected"), [("wrong", (0.0, 1.0)), ("slow", (1.0, 1.5))])
def test_above_the_declared_level_a_model_is_overloaded_and_not_below(overload, expected):
    here = troubles(most_at_once=2, overload=overload)
    seen = [here.begin(0.0) for _ in range(3)]
    assert [(1.0, 1.0), (1.0, 1.0), expected] == [(each.odds, each.slowdown) for each in seen]
    here.end()
    here.end()
    assert 1.0 == here.begin(0.0).odds


def test_an_overloaded_model_may_break_down_and_then_nothing_is_worked_on():
    here = troubles(most_at_once=1, overload="error")
    here.begin(0.0)
    for _ in range(3):
        with pytest.raises(FaultError):
            here.begin(0.0)
    here.end()
    assert 1.0 == here.begin(0.0).odds


def breaks(here: Troubles) -> bool:
    try:
        here.begin(0.0)
    except FaultError:
        return True
    here.end()
    return False


def test_faults_come_in_bursts_of_the_declared_length_and_share():
    here = troubles(fault_share=0.3, fault_burst=10)
    broken = [breaks(here) for _ in range(2000)]
    bursts = [broken[start : start + 10] for start in range(0, 2000, 10)]
    assert all(len(set(burst)) == 1 for burst in bursts)
    assert 0.2 < sum(broken) / 2000 < 0.4


def test_a_fault_is_of_the_declared_kind():
    with pytest.raises(FaultError, match="reset"):
        troubles(fault_share=1.0, fault="reset").begin(0.0)


def test_a_share_of_the_cases_of_each_split_is_marked():
    suite = load_suite("atomic", root=Path())
    found = marked(0.25, suite, "seed")
    for split in ("search", "holdout"):
        cases = suite.part(split)
        assert round(0.25 * len(cases)) == sum(case.id in found for case in cases)
    assert found != marked(0.25, suite, "another seed")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("slow_share = 1.5", "trouble.slow_share: expected a share from 0 to 1, got 1.5"),
        ("cached_s = -1.0", "trouble.cached_s: expected a finite number that is not negative"),
        ('unreadable_in = ["jsn"]', "trouble.unreadable_in: expected some of native"),
        ("slow_shar = 0.5", "unknown field 'slow_shar'; did you mean 'slow_share'?"),
        ('overload = "late"', "overload"),
    ],
)
def test_a_trouble_that_is_none_is_refused_with_its_cure(line, said, tmp_path):
    head = 'version = 1\n[[models]]\nid = "m"\n[models.phases.atomic]\naccuracy = 0.9\n'
    text = f"{head}[models.trouble]\n{line}\n"
    path = tmp_path / "world.toml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_world(path)
    assert said in str(error.value)


def test_a_trouble_that_is_no_table_is_refused(tmp_path):
    path = tmp_path / "world.toml"
    path.write_text(
        'version = 1\n[[models]]\nid = "m"\ntrouble = 3\n[models.phases.atomic]\naccuracy = 0.9\n'
    )
    with pytest.raises(InputError, match="expected a table"):
        load_world(path)
