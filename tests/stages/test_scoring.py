"""A score is the same for the same calls in any order, and nothing but the right calls passes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from harnesslib.records import Call, Case, ExpectedCall, Score, Turn, decode, encode
from harnesslib.scoring import matches, preload, score
from harnesslib.scoring.final_state import difference

CLEAN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc"), inner, max_size=4),
)
NOTHING: tuple[ExpectedCall, ...] = ()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def want(name: str = "ring", *, optional: tuple[str, ...] = (), **arguments: Any) -> ExpectedCall:
    return ExpectedCall(name=name, arguments=arguments, optional=optional)


def made(name: str = "ring", /, **arguments: Any) -> Call:
    return Call(name=name, arguments=arguments)


def case(*turns: tuple[tuple[ExpectedCall, ...], ...]) -> Case:
    """Return a case; each turn is given by its alternatives."""
    asked = tuple(Turn(user=f"turn {number}", accept=accept) for number, accept in enumerate(turns))
    return Case(id="c", skill="s", split="search", turns=asked, tools=("ring", "sing"), notes="n")


def one(*expected: ExpectedCall) -> Case:
    """Return a case of one turn with one alternative."""
    return case((expected,))


def outcome(of: Case, *turns: tuple[Call, ...]) -> str:
    return score(of, turns, "").outcome


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": [value]}
    return value


# --------------------------------------------------------------------------------------------- outcomes


def test_the_right_call_passes_and_says_so():
    verdict = score(one(want(times=3)), [(made(times=3),)], "")
    assert verdict == Score(outcome="pass", detail="all turns right, 1 calls in 1 turns")


def test_no_call_where_one_is_needed_is_abstained():
    verdict = score(one(want(times=3)), [()], "")
    assert verdict == Score(outcome="abstained", detail="turn 1: expected ring(times=3); got no call")


def test_turns_that_were_never_reached_count_as_no_call():
    assert outcome(one(want(times=3))) == "abstained"
    assert outcome(case((NOTHING,))) == "pass"


def test_a_call_where_none_is_wanted_is_overcalled():
    verdict = score(case((NOTHING,)), [(made(times=3),)], "")
    assert verdict == Score(outcome="overcalled", detail="turn 1: expected no call; got ring(times=3)")


def test_a_wrong_argument_is_wrong_and_named():
    verdict = score(one(want(times=3, room="hall")), [(made(times=4, room="hall"),)], "")
    assert verdict.outcome == "wrong"
    assert verdict.detail == (
        'turn 1: ring differs in times; expected ring(times=3, room="hall"); got ring(times=4, room="hall")'
    )


def test_the_wrong_tool_is_wrong_and_named():
    verdict = score(one(want(times=3)), [(made("sing", times=3),)], "")
    assert verdict.outcome == "wrong"
    assert "sing called instead of ring" in verdict.detail


def test_the_first_turn_that_is_not_right_decides():
    conversation = case(((want(times=1),),), (NOTHING,), ((want(times=2),),))
    right = (made(times=1),), (), (made(times=2),)
    assert outcome(conversation, *right) == "pass"
    assert outcome(conversation, right[0], right[0], right[2]) == "overcalled"
    assert outcome(conversation, right[0], (), ()) == "abstained"
    assert outcome(conversation, right[0], (), right[0]) == "wrong"
    assert outcome(conversation, right[2], right[0], ()) == "wrong"
    assert "turn 3: " in score(conversation, [right[0], (), right[0]], "").detail


def test_more_turns_than_the_case_has_are_wrong():
    assert outcome(one(want()), (made(),), ()) == "wrong"


def test_a_turn_that_allows_but_does_not_need_a_call_passes_without_and_with_it():
    either = case((NOTHING, (want(times=1),)))
    assert outcome(either, ()) == "pass"
    assert outcome(either, (made(times=1),)) == "pass"
    assert outcome(either, (made(times=2),)) == "overcalled"


def test_each_alternative_passes_and_the_nearest_one_is_named():
    of = case(((want(times=1), want("sing")), (want(times=2, room="hall"),)))
    assert outcome(of, (made("sing"), made(times=1))) == "pass"
    assert outcome(of, (made(times=2, room="hall"),)) == "pass"
    assert outcome(of, (made(times=1),)) == "wrong"
    assert "ring differs in room" in score(of, [(made(times=2, room="attic"),)], "").detail


# ------------------------------------------------------------------------------- traps others fell into


@pytest.mark.parametrize("of", [one(want(times=3)), case((NOTHING,))])
@pytest.mark.parametrize("calls", [(), (made(times=3),)])
def test_a_malformed_call_is_neither_an_abstention_nor_restraint_nor_a_pass(of, calls):
    verdict = score(of, [calls], "call 1: the arguments are not JSON")
    assert verdict == Score(
        outcome="malformed", detail="a call can't be read: call 1: the arguments are not JSON"
    )


def test_parallel_calls_are_paired_optimally_and_not_greedily():
    of = one(want(a={"$any": [1, 2]}), want(a=1))
    assert outcome(of, (made(a=1), made(a=2))) == "pass"
    assert outcome(of, (made(a=2), made(a=1))) == "pass"
    assert outcome(of, (made(a=2), made(a=2))) == "wrong"


def test_the_order_of_parallel_calls_is_free():
    expected = [want(times=number) for number in range(4)]
    calls = [made(times=number) for number in range(4)]
    assert {outcome(one(*expected), order) for order in itertools.permutations(calls)} == {"pass"}


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ("5", "-5"),
        ("15", "1.5"),
        ("ab", "a b"),
        ("a", "A"),
        ("o'clock", 'o"clock'),
        ("a/b", "ab"),
        ("", " x"),
    ],
)
def test_strings_that_differ_in_a_sign_or_a_dot_are_different(expected, got):
    assert not matches(expected, got)


def test_empty_arguments_do_not_match_all():
    assert outcome(one(want(times=3)), (made(),)) == "wrong"
    assert outcome(one(want()), (made(times=3),)) == "wrong"
    assert outcome(one(want()), (made(),)) == "pass"


@pytest.mark.parametrize(
    "extra",
    [made(times=3), made("sing"), made(), made("unheard_of")],
    ids=["again", "other", "empty", "unknown"],
)
def test_one_call_too_many_costs_the_pass(extra):
    verdict = score(one(want(times=3)), [(made(times=3), extra)], "")
    assert verdict.outcome == "wrong"
    assert "2 calls where 1 is expected" in verdict.detail


def test_one_call_too_few_costs_the_pass():
    verdict = score(one(want(times=3), want("sing")), [(made(times=3),)], "")
    assert "1 call where 2 are expected" in verdict.detail
    assert verdict.outcome == "wrong"


# -------------------------------------------------------------------------------------------- arguments


def test_an_argument_that_nobody_expects_is_wrong():
    assert "differs in loud" in score(one(want(times=3)), [(made(times=3, loud=True),)], "").detail


def test_a_missing_argument_is_wrong_unless_it_is_optional():
    of = one(want(times=3, room="hall", optional=("room",)))
    assert outcome(of, (made(times=3),)) == "pass"
    assert outcome(of, (made(times=3, room="hall"),)) == "pass"
    assert outcome(of, (made(times=3, room="attic"),)) == "wrong"
    assert outcome(of, (made(room="hall"),)) == "wrong"
    assert "room?=" in score(of, [(made(room="hall"),)], "").detail


@pytest.mark.parametrize(
    ("expected", "got", "equal"),
    [
        (1, 1.0, True),
        (1.0, 1, True),
        (1, True, False),
        (True, 1, False),
        (0, False, False),
        (5, "5", False),
        ("5", 5, False),
        (None, None, True),
        (None, "", False),
        (None, False, False),
        ("", None, False),
        (0.1, 0.1 + 1e-12, False),
        (2**60, 2**60 + 1, False),
        (2**60, float(2**60), True),
        (1, float("nan"), False),
        (1, float("inf"), False),
        (1, 10**400, False),
        ("Oslo", " Oslo\n", True),
        ("Malmö", "Malmo\u0308", True),
        ("Oslo", "OSLO", False),
        ("Oslo", ["Oslo"], False),
        ([1, 2], [1, 2], True),
        ([1, 2], [2, 1], False),
        ([1, 2], [1], False),
        ([1], "1", False),
        ([], {}, False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({"a": [True]}, {"a": [1]}, False),
        ({}, {}, True),
        ({}, [], False),
    ],
)
def test_values_are_compared_with_their_type(expected, got, equal):
    assert matches(expected, got) is equal


@pytest.mark.parametrize(
    ("matcher", "got", "equal"),
    [
        ({"$any": [1, "one"]}, "one", True),
        ({"$any": [1, "one"]}, 1, True),
        ({"$any": [1, "one"]}, True, False),
        ({"$any": []}, None, False),
        ({"$any": [{"$text": ["ten"]}, {"$text": ["10"]}]}, "in 10 minutes", True),
        ({"$number": 20.0}, 20, True),
        ({"$number": 20.0}, 20.000019, True),
        ({"$number": 20.0}, 20.000021, False),
        ({"$number": -20}, 20, False),
        ({"$number": 0}, 0.0, True),
        ({"$number": 0}, 1e-9, False),
        ({"$number": 1}, True, False),
        ({"$number": 1}, "1", False),
        ({"$number": 1}, float("nan"), False),
        ({"$number": 1}, float("inf"), False),
        ({"$number": 1}, 10**400, False),
        ({"$number": 10**400}, 10**400, True),
        ({"$number": 10**400}, 1.0, False),
        ({"$text": ["call", "Oskar"]}, "CALL oskar now", True),
        ({"$text": ["straße"]}, "STRASSE", True),
        ({"$text": ["malmö"]}, "Malmo\u0308", True),
        ({"$text": ["call", "Oskar"]}, "call him", False),
        ({"$text": ["call"]}, ["call"], False),
        ({"a": {"$any": [1]}, "b": [{"$text": ["x"]}]}, {"a": 1, "b": ["xy"]}, True),
        ([{"a": {"$number": 2}}], [{"a": 2.0}], True),
        ([{"a": {"$number": 2}}], [{"a": 3}], False),
        ({"$any": [1], "b": 2}, 1, False),
        ({"$unknown": [1]}, 1, False),
    ],
)
def test_a_matcher_accepts_what_it_says_also_inside_objects_and_lists(matcher, got, equal):
    assert matches(matcher, got) is equal


# ------------------------------------------------------------------------------- harmless calls, final state


def harmless(of: Case, *names: str) -> Case:
    return replace(of, harmless=names)


def test_extra_calls_of_a_harmless_tool_cost_nothing():
    of = harmless(one(want(times=3)), "look")
    assert outcome(of, (made("look"), made(times=3), made("look", where="hall"))) == "pass"
    assert outcome(of, (made(times=3),)) == "pass"
    assert outcome(one(want(times=3)), (made("look"), made(times=3))) == "wrong"


def test_a_harmless_call_answers_nothing():
    of = harmless(one(want(times=3)), "look")
    assert outcome(of, (made("look"),)) == "wrong"
    assert outcome(of, (made("look"), made(times=4))) == "wrong"
    assert outcome(of, (made("look"), made(times=3), made(times=3))) == "wrong"
    assert outcome(of, (made("look"), made(times=3), made("sing"))) == "wrong"
    assert outcome(of, ()) == "abstained"


def test_the_detail_does_not_count_harmless_calls():
    of = harmless(one(want(times=3)), "look")
    extra = score(of, [(made("look"), made("look"), made(times=3), made(times=3))], "")
    assert "2 calls where 1 is expected" in extra.detail
    wrong = score(of, [(made("look"), made(times=4))], "")
    assert "turn 1: ring differs in times;" in wrong.detail


def test_where_no_call_is_wanted_a_harmless_one_is_none():
    of = harmless(case((NOTHING,)), "look")
    assert outcome(of, (made("look"), made("look"))) == "pass"
    assert outcome(of, (made("look"), made(times=3))) == "overcalled"


def test_a_harmless_tool_may_be_wanted_too_and_the_right_call_is_found_among_the_others():
    of = harmless(one(want("look", where="hall"), want(times=3)), "look")
    looks = [made("look", where=place) for place in ("attic", "hall", "cellar")]
    calls = [*looks, made(times=3)]
    assert {outcome(of, order) for order in itertools.permutations(calls)} == {"pass"}
    assert outcome(of, (looks[0], looks[2], made(times=3))) == "wrong"
    assert outcome(of, (made(times=3),)) == "wrong"


MAIL = Call(
    name="send_mail", arguments={"to": "liu.chen@example.org", "subject": "Aurora", "body": "It is late."}
)


def mailing(state: dict[str, Any] | None) -> Case:
    expected = want(
        "send_mail", to="liu.chen@example.org", subject={"$text": ["aurora"]}, body={"$text": ["late"]}
    )
    return replace(one(expected), world="office", final_state=state)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, "pass"),
        ({}, "pass"),
        ({"sent": [{"to": "liu.chen@example.org"}], "changed": {"sent": 1}}, "pass"),
        ({"sent": [{"subject": {"$text": ["aurora"]}}]}, "pass"),
        ({"sent": []}, "pass"),
        ({"tickets": {"TK-999": None}}, "pass"),
        ({"sent": [{"to": "tom.baker@example.org"}]}, "wrong"),
        ({"changed": {"sent": 2}}, "wrong"),
        ({"events": {"EV-201": {"title": "Aurora"}}}, "wrong"),
        ({"sent": None}, "wrong"),
    ],
)
def test_right_calls_pass_only_when_they_leave_the_world_as_the_case_says(state, expected):
    assert outcome(mailing(state), (MAIL,)) == expected


def test_the_detail_of_a_wrong_state_says_what_is_off_and_where():
    verdict = score(mailing({"sent": [{"to": "tom.baker@example.org"}]}), [(MAIL,)], "")
    assert verdict == Score(
        outcome="wrong",
        detail="all calls are right, the final state is not: sent[0].to: "
        'expected "tom.baker@example.org"; got "liu.chen@example.org"',
    )


def test_the_calls_are_judged_before_the_state():
    of = mailing({"changed": {"sent": 2}})
    assert outcome(of, ()) == "abstained"
    assert (
        "differs in to"
        in score(of, [(made("send_mail", **{**MAIL.arguments, "to": "x@example.org"}),)], "").detail
    )


def test_the_state_is_what_all_turns_left_together():
    mail = want("send_mail", **MAIL.arguments)
    of = replace(case(((mail,),), ((mail,),)), world="office", final_state={"changed": {"sent": 2}})
    assert outcome(of, (MAIL,), (MAIL,)) == "pass"


@pytest.mark.parametrize(
    ("expected", "got", "words"),
    [
        ({}, {"a": 1}, ""),
        ({"a": 1}, {"a": 1.0, "b": 2}, ""),
        ({"a": {"b": {"$any": [1, 2]}}}, {"a": {"b": 2, "c": 3}}, ""),
        ({"a": None}, {}, ""),
        ({"a": None}, {"a": None}, ""),
        ([], [1], ""),
        ([2, 1], [1, 2, 3], ""),
        ([{"a": 1}, {}], [{"a": 1}, {"b": 1}], ""),
        ([{}, {"a": 1}], [{"a": 1}, {"b": 1}], ""),
        ({"a": 1}, {"a": True}, "a: expected 1; got true"),
        ({"a": {"b": 1}}, {"a": {}}, "a.b: expected 1; got nothing"),
        ({"a": {"b": 1}}, {"a": [1]}, "a: expected {b: 1}; got [1]"),
        ({"a": [1]}, {"a": {"b": 1}}, "a: expected [1]; got {b: 1}"),
        ({"a": None}, {"a": 1}, "a: expected null; got 1"),
        ({"a": [1]}, {"a": []}, "a: expected an entry 1; got []"),
        ({"a": [1, 1]}, {"a": [1]}, "a: 1 entry, expected 2"),
        ({"a": [1, 1]}, {"a": [1, 2]}, "a: expected an entry 1; got [1, 2]"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2, "c": 3}]}, "a[0].b: expected 1; got 2"),
        ({"a": {"$number": 1}}, {"a": 2}, "a: expected {$number: 1}; got 2"),
    ],
)
def test_a_state_holds_when_it_holds_everything_that_is_expected(expected, got, words):
    assert words == difference(expected, got)


@settings(deadline=None)
@given(CLEAN, CLEAN)
def test_no_state_makes_the_comparison_raise_and_every_state_holds_itself(one_state, other):
    assert difference(one_state, one_state) == ""
    assert isinstance(difference(one_state, other), str)


# ----------------------------------------------------------------------------------------- never raises


@settings(deadline=None)
@given(st.lists(st.builds(Call, name=st.text(), arguments=st.dictionaries(st.text(), JSON)), max_size=4))
def test_no_arguments_make_scoring_raise_and_its_words_can_be_recorded(calls):
    of = case(((want(a=1, b={"$text": ["x"]}), want(c=[{"$number": 1}])),), (NOTHING,))
    for turns in ([tuple(calls)], [tuple(calls), tuple(calls)]):
        verdict = score(of, turns, "")
        assert verdict.outcome in ("abstained", "wrong")
        assert decode(encode(verdict), Score, "score") == verdict


@settings(deadline=None)
@given(CLEAN)
def test_a_plain_value_equals_itself_and_not_a_list_that_holds_it(value):
    assert matches(value, value)
    assert not matches(value, [value])


@pytest.mark.parametrize(
    "value",
    [
        nested(50_000),
        10**5000,
        float("nan"),
        "x" * 1_000_000,
        "\ud800",
        list(range(100_000)),
        {str(number): number for number in range(10_000)},
        "line\nbreak",
    ],
    ids=["deep", "huge", "nan", "long", "broken", "list", "object", "lines"],
)
def test_the_detail_of_a_monstrous_argument_is_one_short_line(value):
    calls = (made(times=value, room={"deep": [[[[1]]]]}),) * 9
    verdict = score(one(want(times=3)), [calls], "")
    assert verdict.outcome == "wrong"
    assert len(verdict.detail) < 700
    assert "\n" not in verdict.detail
    assert "and 3 more" in verdict.detail
    assert decode(encode(verdict), Score, "score") == verdict


def test_the_detail_shows_values_as_json_does():
    shown = score(one(want()), [(made(a=None, b=True, c=1.0, d=[1, {"e": "f"}]),)], "").detail
    assert 'ring(a=null, b=true, c=1.0, d=[1, {e: "f"}])' in shown


def test_a_thousand_calls_are_judged_too():
    calls = tuple(made(times=number) for number in range(1000))
    assert outcome(one(*(want(times=number) for number in range(3))), calls) == "wrong"


def test_preload_loads_the_assignment_library():
    preload()
    assert outcome(one(want(times=1), want(times=2)), (made(times=2), made(times=1))) == "pass"
