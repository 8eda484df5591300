"""The conversations in the office: their expectations and what the office holds in the end agree."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harnesslib import worlds
from harnesslib.records import Call, Case
from harnesslib.scoring import matches, score
from harnesslib.suites import example, load_suite, rows
from harnesslib.worlds.office_tools import TOOLS

SUITE = load_suite("extended", root=Path())
ROWS = [(f"{case.id}-{number}", row) for case in SUITE.cases for number, row in enumerate(rows(case))]
CASES = [pytest.param(row, id=name) for name, row in ROWS]
WITH_STATE = [pytest.param(row, id=name) for name, row in ROWS if row.final_state is not None]
LOOKING = {
    "find_contact",
    "list_events",
    "search_mail",
    "search_files",
    "read_file",
    "search_tickets",
    "get_ticket",
    "get_weather",
}
CHANGING = set(TOOLS) - LOOKING
BEGINNING = worlds.state("office", [])


def reference(case: Case, place: int = 0, alternative: int = 0) -> list[tuple[Call, ...]]:
    """Return the first answers of all turns, with another alternative in one of them."""
    return [
        tuple(map(example, turn.accept[alternative if number == place else 0]))
        for number, turn in enumerate(case.turns)
    ]


def left_behind(case: Case, turns: list[tuple[Call, ...]]) -> dict[str, Any]:
    return worlds.state(case.world, [call for calls in turns for call in calls])


def holds(expected: Any, found: Any) -> bool:
    """Whether all that is expected is found; what else is there doesn't matter."""
    if isinstance(expected, dict):
        return all(key in found and holds(value, found[key]) for key, value in expected.items())
    if isinstance(expected, list):
        return all(any(holds(entry, other) for other in found) for entry in expected)
    return matches(expected, found)


def touched(state: dict[str, Any]) -> dict[str, int]:
    return {kind: count for kind, count in state.get("changed", {}).items() if count}


def named(case_id: str) -> Case:
    return next(case for case in SUITE.cases if case.id == f"extended.{case_id}")


# ---------------------------------------------------------------------------------- what there is of it


def test_a_quarter_or_more_of_each_split_wants_no_call():
    for split in ("search", "holdout"):
        wanting = [case.wants_call for case in SUITE.part(split)]
        assert wanting.count(False) >= len(wanting) / 4


def test_conversations_have_two_to_six_turns_and_every_length_occurs():
    assert set(Counter(len(case.turns) for case in SUITE.cases)) == {2, 3, 4, 5, 6}


def test_each_skill_with_calls_is_in_both_splits_and_in_the_smoke_cases():
    skills = {case.skill for case in SUITE.cases if case.wants_call}
    for split in ("search", "holdout"):
        assert skills == {case.skill for case in SUITE.part(split) if case.wants_call}
    assert skills == {case.skill for case in SUITE.cases if case.smoke and case.wants_call}


def test_a_third_of_the_conversations_draw_their_values_from_the_seed():
    drawn = [case for case in SUITE.cases if case.parameters]
    assert len(drawn) >= len(SUITE.cases) / 3
    assert {"search", "holdout"} == {case.split for case in drawn}
    assert {True, False} == {case.wants_call for case in drawn}


def test_the_smoke_cases_are_twelve_that_want_calls_and_six_that_want_none():
    smoke = [case for case in SUITE.cases if case.smoke]
    assert Counter(case.wants_call for case in smoke) == {True: 12, False: 6}
    assert max(len(case.turns) for case in smoke) == 3


def test_after_the_work_many_conversations_go_on_without_a_call():
    chatting = [case for case in SUITE.cases if case.wants_call and case.turns[-1].accept == ((),)]
    assert len(chatting) >= 20


# ------------------------------------------------------------------------------- the office and the suite


@pytest.mark.parametrize("case", CASES)
def test_a_final_state_stands_exactly_where_the_reference_changes_something(case):
    state = left_behind(case, reference(case))
    assert bool(touched(state)) is (case.final_state is not None)


@pytest.mark.parametrize("case", WITH_STATE)
def test_every_accepted_way_leaves_the_final_state_behind(case):
    for place, turn in enumerate(case.turns):
        for alternative in range(len(turn.accept)):
            assert holds(case.final_state, left_behind(case, reference(case, place, alternative)))


@pytest.mark.parametrize("case", WITH_STATE)
def test_the_final_state_says_how_much_is_touched_and_does_not_hold_at_the_beginning(case):
    assert touched(case.final_state) == touched(left_behind(case, reference(case)))
    assert not holds(case.final_state, BEGINNING)


@pytest.mark.parametrize("case", WITH_STATE)
def test_leaving_out_a_turn_that_changes_something_misses_the_final_state_or_another_turn(case):
    for place in range(len(case.turns)):
        turns = reference(case)
        if any(call.name in CHANGING for call in turns[place]):
            turns[place] = ()
            assert score(case, turns, "").outcome != "pass"


@pytest.mark.parametrize("case", CASES)
def test_only_looking_is_harmless_and_a_case_without_calls_forgives_nothing(case):
    assert set(case.harmless) <= LOOKING
    assert case.wants_call or (case.harmless, case.final_state) == ((), None)


def test_tools_that_only_look_change_nothing():
    arguments = {
        "name": "Ines",
        "date": "2026-03-03",
        "text": "a",
        "path": "notes/ideas.txt",
        "ticket_id": "TK-310",
        "city": "Oslo",
    }
    calls = [
        Call(name=name, arguments={key: arguments[key] for key in TOOLS[name][1]}) for name in sorted(LOOKING)
    ]
    assert ["error" in worlds.respond("office", [], call) for call in calls] == [False] * len(LOOKING)
    assert worlds.state("office", calls) == BEGINNING


@pytest.mark.parametrize("case", CASES)
def test_looking_more_often_costs_nothing_where_it_is_harmless_and_fails_where_it_is_not(case):
    for name in LOOKING & set(case.tools):
        extra = Call(name=name, arguments={})
        for place in range(len(case.turns)):
            turns = reference(case)
            turns[place] = (extra, *turns[place])
            outcome = score(case, turns, "").outcome
            assert (outcome == "pass") is (name in case.harmless)


@pytest.mark.parametrize("case", CASES)
def test_the_office_answers_the_reference_and_finds_what_it_looks_for(case):
    calls: list[Call] = []
    for call in (call for turn in reference(case) for call in turn):
        said = worlds.respond("office", calls, call)
        calls.append(call)
        found = next(
            (said[key] for key in ("contacts", "mails", "paths", "tickets") if key in said), ["this"]
        )
        assert found
        assert "error" not in said or case.skill in {"tool_error", "destructive"}


def test_an_event_created_before_its_time_is_free_is_not_there_in_the_end():
    case = named("correction.the-other-sofia")
    turns = reference(case, place=2, alternative=1)
    turns[2] = turns[2][::-1]
    assert not holds(case.final_state, left_behind(case, turns))
    assert score(case, turns, "").outcome == "wrong"
