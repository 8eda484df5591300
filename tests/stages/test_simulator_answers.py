from __future__ import annotations

import math
import statistics
from itertools import chain

import msgspec
import pytest

from harnesslib import scoring, variants
from harnesslib.errors import InputError
from harnesslib.records import (
    Call,
    Case,
    ExpectedCall,
    SimulatedModel,
    SimulatedPhase,
    SimulatedWorld,
    Suite,
    Tool,
    Turn,
)
from harnesslib.simulator import answers
from harnesslib.simulator.answers import Answer, Playbook, follow, prepare
from harnesslib.simulator.mistakes import mistakes, plausible_call, reference
from harnesslib.simulator.wire import ChatMessage
from harnesslib.suites import load_suite, packaged
from harnesslib.suites.parametric import instantiate, rows

WEATHER = Tool(
    name="weather",
    description="Weather of a city.",
    parameters={
        "type": "object",
        "required": ["city", "days"],
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 2},
            "unit": {"enum": ["celsius", "kelvin"]},
        },
    },
)
TIMER = Tool(
    name="timer",
    description="Start a timer.",
    parameters={"type": "object", "required": ["on"], "properties": {"on": {"type": "boolean"}}},
)
ASK_OSLO = ExpectedCall(
    name="weather",
    arguments={"city": {"$any": ["Oslo", "oslo"]}, "days": {"$number": 3}, "unit": "celsius"},
    optional=("unit",),
)
START = ExpectedCall(name="timer", arguments={"on": True})


def a_case(name: str, *turns: Turn) -> Case:
    return Case(id=name, skill="s", split="search", turns=turns, tools=("weather", "timer"), notes="")


ONE = a_case("one", Turn(user="Weather in Oslo for 3 days?", accept=((ASK_OSLO,),), reply="Mild."))
NONE = a_case("none", Turn(user="How are you, Maria?", accept=((),), reply="Fine."))
LONG = a_case(
    "long",
    Turn(user="Hello there.", accept=((),), reply="Hello."),
    Turn(user="Weather in Oslo and a timer.", accept=((ASK_OSLO, START),), reply="Both done."),
    Turn(user="Another timer.", accept=((START,), (START, START)), reply="Started."),
)
SUITE = Suite(
    name="tiny", version="1", title="", description="", tools=(WEATHER, TIMER), cases=(ONE, NONE, LONG)
)
OFFERED = ("weather", "timer")


def a_book(accuracy: float, restraint: float, malformed_share: float = 0.1) -> Playbook:
    phase = SimulatedPhase(accuracy=accuracy, restraint=restraint, flaky_share=0)
    model = SimulatedModel(id="m", phases={"tiny": phase}, malformed_share=malformed_share)
    other = SimulatedModel(id="elsewhere", phases={"other": phase})
    return prepare(SimulatedWorld(version=1, models=(model, other)), {"tiny": SUITE})


def said(case: Case, turn: int = 0, *, tools_answered: bool = False) -> list[ChatMessage]:
    messages = [ChatMessage("system", "Be brief.")]
    for past in case.turns[:turn]:
        messages += [
            ChatMessage("user", past.user),
            ChatMessage("tool", "{}"),
            ChatMessage("assistant", "Ok."),
        ]
    messages.append(ChatMessage("user", case.turns[turn].user))
    return [*messages, ChatMessage("assistant"), ChatMessage("tool", "{}")] if tools_answered else messages


def ask(book: Playbook, case: Case, turn: int = 0, *, seed: int = 1, tools_answered: bool = False) -> Answer:
    conversation = follow(said(case, turn, tools_answered=tools_answered))
    return book.answer("m", conversation, seed=seed, offered=OFFERED)


def converse(book: Playbook, case: Case, seed: int) -> tuple[list[tuple[Call, ...]], str]:
    """Return the calls of each turn, and what was malformed."""
    turns: list[tuple[Call, ...]] = []
    for turn in range(len(case.turns)):
        answer = ask(book, case, turn, seed=seed)
        turns.append(() if answer.malformed else answer.calls)
        if answer.malformed:
            return turns + [()] * (len(case.turns) - turn - 1), "torn arguments"
    return turns, ""


def test_a_solved_conversation_makes_the_reference_calls_and_closes_each_turn_in_words():
    book = a_book(1, 1)
    oslo = Call(name="weather", arguments={"city": "Oslo", "days": 3, "unit": "celsius"})
    start = Call(name="timer", arguments={"on": True})
    assert Answer(text="Hello.") == ask(book, LONG, 0)
    assert Answer(calls=(oslo, start)) == ask(book, LONG, 1)
    assert Answer(text="Both done.") == ask(book, LONG, 1, tools_answered=True)
    assert Answer(calls=(start,)) == ask(book, LONG, 2)
    assert Answer(text="Fine.") == ask(book, NONE)


@pytest.mark.parametrize("case", [ONE, NONE, LONG])
def test_a_failed_conversation_is_never_scored_as_a_pass_and_fails_in_several_ways(case):
    book = a_book(0, 0)
    outcomes = {scoring.score(case, *converse(book, case, seed)).outcome for seed in range(300)}
    expected = {"overcalled"} if case is NONE else {"wrong", "abstained", "malformed"}
    assert (expected - {"abstained"} if case is LONG else expected) <= outcomes
    assert "pass" not in outcomes


@pytest.mark.parametrize("case", [ONE, NONE, LONG])
def test_a_solved_conversation_is_scored_as_a_pass(case):
    assert scoring.score(case, *converse(a_book(1, 1), case, 5)).outcome == "pass"


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_malformed_share_holds_for_failed_calls(share):
    book = a_book(0, 0, malformed_share=share)
    malformed = [bool(converse(book, ONE, seed)[1]) for seed in range(50)]
    assert [share == 1] * 50 == malformed


def test_the_same_seed_says_the_same_and_the_draws_agree_over_a_conversation():
    book = a_book(0.5, 0.5)
    first = [converse(book, LONG, seed) for seed in range(100)]
    assert first == [converse(book, LONG, seed) for seed in range(100)]
    wrong_turns = {
        sum(calls != reference(turn) for calls, turn in zip(turns, LONG.turns, strict=True))
        for turns, malformed in first
        if not malformed
    }
    assert wrong_turns == {0, 1}


def test_what_is_no_case_or_past_its_end_or_undeclared_is_answered_in_words():
    book = a_book(1, 1)
    lost = follow([ChatMessage("user", "What is love?")])
    assert answers.UNKNOWN == book.answer("m", lost, seed=1, offered=OFFERED).text
    assert not book.knows(lost)
    assert answers.UNKNOWN == book.answer("m", follow([]), seed=1, offered=()).text
    late = follow([*said(ONE), ChatMessage("user", "And now?")])
    assert answers.AT_THE_END == book.answer("m", late, seed=1, offered=OFFERED).text
    known = follow(said(ONE))
    assert answers.UNDECLARED == book.answer("elsewhere", known, seed=1, offered=OFFERED).text


def test_a_tool_that_is_not_offered_is_never_called():
    answer = a_book(1, 1).answer("m", follow(said(ONE)), seed=1, offered=("timer",))
    assert Answer(text=answers.ABSTAINED) == answer


def test_content_in_parts_is_read_and_other_parts_are_skipped():
    parts = [
        {"type": "text", "text": " Weather in "},
        {"type": "image_url"},
        {"type": "text", "text": "Oslo"},
    ]
    assert follow([ChatMessage("user", parts)]).opening == "Weather in Oslo"


def test_latency_is_reproducible_and_has_the_declared_median_and_spread():
    book = a_book(1, 1)
    here = follow(said(ONE))
    drawn = [book.latency_s("m", here, seed=seed) for seed in range(2000)]
    assert drawn[:5] == [book.latency_s("m", here, seed=seed) for seed in range(5)]
    assert drawn[0] != book.latency_s("m", follow(said(ONE, tools_answered=True)), seed=0)
    assert statistics.median(drawn) == pytest.approx(0.02, rel=0.03)
    assert statistics.stdev(map(math.log, drawn)) == pytest.approx(0.2, rel=0.05)


def test_suites_whose_cases_cannot_be_told_apart_are_refused():
    world = SimulatedWorld(version=1, models=())
    again = msgspec.structs.replace(SUITE, name="again")
    with pytest.raises(InputError, match="start with the same words"):
        prepare(world, {"tiny": SUITE, "again": again})
    assert prepare(world, {"a": SUITE, "b": SUITE}).scripts


CITIES = ("Oslo", "Rome", "Lima", "Cairo", "Quito")
PARAMETRIC = Case(
    id="anywhere",
    skill="s",
    split="search",
    turns=(
        Turn(
            user="Weather in {city} for {days} days?",
            accept=((ExpectedCall(name="weather", arguments={"city": "{city}", "days": "{days}"}),),),
            reply="Mild in {city}.",
        ),
    ),
    tools=("weather", "timer"),
    notes="",
    parameters={"city": CITIES, "days": (2, 3, 4, 5, 6)},
)


def a_parametric_book(accuracy: float) -> Playbook:
    suite = msgspec.structs.replace(SUITE, cases=(PARAMETRIC, NONE))
    phase = SimulatedPhase(accuracy=accuracy, restraint=accuracy, flaky_share=0)
    world = SimulatedWorld(version=1, models=(SimulatedModel(id="m", phases={"tiny": phase}),))
    return prepare(world, {"tiny": suite})


def test_every_row_of_a_parametric_case_is_known_and_answered_with_its_own_values():
    book = a_parametric_book(1)
    for row, (city, days) in zip(rows(PARAMETRIC), zip(CITIES, range(2, 7), strict=True), strict=True):
        right = Call(name="weather", arguments={"city": city, "days": days})
        assert Answer(calls=(right,)) == ask(book, row)
        assert Answer(text=f"Mild in {city}.") == ask(book, row, tools_answered=True)


def test_all_rows_of_a_case_are_equally_hard_and_fail_together_under_one_seed():
    book = a_parametric_book(0.5)
    chances = {book.chances["m"][row.turns[0].user] for row in rows(PARAMETRIC)}
    assert {0.5} == chances
    for seed in range(50):
        solved = {
            scoring.score(row, *converse(book, row, seed)).outcome == "pass" for row in rows(PARAMETRIC)
        }
        assert 1 == len(solved)


def test_what_the_runner_asks_for_a_seed_is_what_the_simulator_answers_for_it():
    book = a_parametric_book(1)
    outcomes = {
        scoring.score(case, *converse(book, case, seed)).outcome
        for seed in range(20)
        for case in [instantiate(PARAMETRIC, seed)]
    }
    assert {"pass"} == outcomes


def in_text(case: Case, variant: str, turn: int = 0, *, results: bool = False) -> list[ChatMessage]:
    """Return a conversation in a text variant: a prompt with the tools, results as the user's words."""
    prompt = variants.messages(variant, SUITE.tools_of(case))[0]["content"]
    said = [ChatMessage("system", prompt)]
    for past in case.turns[:turn]:
        said += [ChatMessage("user", past.user), ChatMessage("assistant", "…")]
        said += [ChatMessage("user", variants.results((), ())["content"]), ChatMessage("assistant", "Ok.")]
    said.append(ChatMessage("user", case.turns[turn].user))
    if results:
        said += [ChatMessage("assistant", "…"), ChatMessage("user", variants.results((), ())["content"])]
    return said


TEXT_VARIANTS = [name for name in variants.NAMES if name != variants.NATIVE]


@pytest.mark.parametrize("variant", TEXT_VARIANTS)
class TestTextVariants:
    """Asked in words, a model calls in its text."""

    def test_the_right_calls_are_written_so_that_they_are_read_back(self, variant):
        book = a_book(1, 1)
        answer = book.answer("m", follow(in_text(LONG, variant, 1)), seed=1, offered=())
        assert () == answer.calls
        assert (reference(LONG.turns[1]), "") == variants.parse(variant, answer.text)

    def test_results_are_no_turn_of_the_user_and_close_it_in_words(self, variant):
        book = a_book(1, 1)
        where = follow(in_text(LONG, variant, 1, results=True))
        assert (1, True) == (where.turn, where.tools_answered)
        answer = book.answer("m", where, seed=1, offered=())
        assert Answer(text="Both done.") == answer
        assert ((), "") == variants.parse(variant, answer.text)

    def test_a_malformed_call_cannot_be_read(self, variant):
        book = a_book(0, 0, malformed_share=1.0)
        for seed in range(20):
            answer = book.answer("m", follow(in_text(ONE, variant)), seed=seed, offered=())
            assert variants.parse(variant, answer.text)[1]

    def test_only_tools_of_the_prompt_are_called(self, variant):
        bare = msgspec.structs.replace(ONE, tools=("timer",))
        answer = a_book(1, 1).answer("m", follow(in_text(bare, variant)), seed=1, offered=OFFERED)
        assert Answer(text=answers.ABSTAINED) == answer

    def test_it_fails_where_it_would_fail_with_the_field_for_tools(self, variant):
        book = a_book(0.5, 0.5)
        for seed in range(30):
            native = book.answer("m", follow(said(ONE)), seed=seed, offered=OFFERED)
            text = book.answer("m", follow(in_text(ONE, variant)), seed=seed, offered=())
            if not native.malformed:
                assert (native.calls, "") == variants.parse(variant, text.text)


def test_a_call_of_a_harmless_tool_is_no_mistake():
    turn = Turn(user="Hello there, Maria.", accept=((),))
    case = msgspec.structs.replace(a_case("x", turn), harmless=("weather",))
    names = {call.name for tries in mistakes(SUITE, case, turn).values() for calls in tries for call in calls}
    assert {"timer"} == names
    needed = Turn(user="Weather in Oslo and a timer.", accept=((ASK_OSLO, START),))
    case = msgspec.structs.replace(a_case("y", needed), harmless=("weather",))
    assert (Call(name="timer", arguments={"on": True}),) in mistakes(SUITE, case, needed)["call missing"]


def test_a_case_that_nobody_can_fail_is_refused():
    bare = msgspec.structs.replace(NONE, tools=())
    suite = msgspec.structs.replace(SUITE, cases=(bare,))
    with pytest.raises(InputError, match="no simulated model can fail it"):
        prepare(SimulatedWorld(version=1, models=()), {"tiny": suite})


def test_a_mistake_that_another_alternative_accepts_is_left_out():
    turn = Turn(user="Timers", accept=((START, ASK_OSLO), (START,), (ExpectedCall(name="weather"),)))
    found = mistakes(SUITE, a_case("x", turn), turn)
    assert (Call(name="timer", arguments={"on": True}),) not in found["call missing"]
    assert "abstained" in found


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMaximum": 1}, 0),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "string", "format": "date"}, "2026-03-02"),
        ({"type": "string", "pattern": "^[A-Z]{3}$"}, "USD"),
        ({"type": "string", "minLength": 8}, "Mariaxxx"),
        ({"type": "string", "maxLength": 2}, "Ma"),
        ({"type": ["string", "null"]}, "Maria"),
        ({"enum": ["a", "b"]}, "a"),
        ({"const": 4}, 4),
        ({"examples": ["e"]}, "e"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [True, True]),
        ({"properties": {"a": {"default": 1}}, "required": ["a"]}, {"a": 1}),
        ({}, "Maria"),
    ],
)
def test_plausible_values_follow_the_schema_and_the_words_of_the_user(schema, expected):
    tool = Tool(name="t", description="", parameters={"properties": {"x": schema}, "required": ["x"]})
    assert {"x": expected} == plausible_call(tool, "Is it Maria?").arguments


@pytest.mark.parametrize("name", packaged())
def test_over_the_packaged_suites_references_pass_and_all_mistakes_fail(name, tmp_path):
    suite = load_suite(name, root=tmp_path)
    for case in chain.from_iterable(map(rows, suite.cases)):
        right = [reference(turn) for turn in case.turns]
        assert ("pass", case.id) == (scoring.score(case, right, "").outcome, case.id)
        for number, turn in enumerate(case.turns):
            for kind, tries in mistakes(suite, case, turn).items():
                for wrong in tries:
                    outcome = scoring.score(case, [*right[:number], wrong, *right[number + 1 :]], "").outcome
                    assert outcome != "pass", (case.id, number, kind, wrong)


@pytest.mark.parametrize("name", packaged())
def test_over_the_packaged_suites_overcalls_are_valid_against_their_schemas(name, tmp_path):
    import jsonschema

    suite = load_suite(name, root=tmp_path)
    for case in chain.from_iterable(map(rows, suite.cases)):
        for tool in suite.tools_of(case):
            call = plausible_call(tool, case.turns[0].user)
            jsonschema.validate(call.arguments, tool.parameters, cls=jsonschema.Draft202012Validator)
