"""The leaderboard's files become a suite, its verdicts can be had, and every difference to ours is named."""

from __future__ import annotations

import importlib.util
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnesslib.errors import InputError
from harnesslib.records import Call, Case, encode
from harnesslib.records.bfcl import BfclQuestion, api_name, json_kind
from harnesslib.scoring import score
from harnesslib.scoring.bfcl import RULES, explain, strict
from harnesslib.suites import check, example, load_suite, variants
from harnesslib.suites.bfcl import CATEGORIES, import_suite, read_questions, suite_from


def _load(name: str) -> Any:
    """Load a module that lies beside the tests' folders."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


rows = _load("bfcl_rows")
BROKEN = "call 1: the arguments are not JSON"


def question(
    *answers: dict[str, Any], category: str = "simple_python", functions: Any = None
) -> BfclQuestion:
    return BfclQuestion(
        id="q",
        category=category,
        messages=({"role": "user", "content": "Do it."},),
        functions=tuple(functions or (rows.LAMP, rows.BELL)),
        answers=answers,
    )


def lamp(**accepted: list[Any]) -> BfclQuestion:
    return question({"house.set_lamp": {"room": ["hall"], **accepted}})


def ring(*times: list[int]) -> BfclQuestion:
    return question(*({"ring": {"times": one}} for one in times), category="parallel")


def set_lamp(**arguments: Any) -> Call:
    return Call(name="house_set_lamp", arguments={"room": "hall", **arguments})


def bell(times: Any) -> Call:
    return Call(name="ring", arguments={"times": times})


def case_of(asked: BfclQuestion) -> Case:
    suite, left_out = suite_from([asked], "bfcl")
    assert left_out == ()
    return suite.cases[0]


def rules(asked: BfclQuestion, calls: tuple[Call, ...], malformed: str = "") -> list[str]:
    return [found.rule for found in explain(asked, case_of(asked), [calls], malformed)]


# ------------------------------------------------------------------------------------------- the import


def test_a_folder_becomes_a_suite_that_loads_and_names_what_is_not_in_it(tmp_path):
    imported = import_suite(rows.sample(tmp_path))
    suite = imported.suite
    assert [case.id for case in suite.cases] == [
        "irrelevance_0",
        "live_multiple_0-0-0",
        "live_multiple_1-0-0",
        "live_relevance_0-0-0",
        "parallel_0",
        "simple_python_0",
        "simple_python_1",
        "simple_python_2",
    ]
    assert [(one.id, one.reason) for one in imported.left_out] == [
        ("live_relevance_1-0-0", "asks with the words of live_relevance_0-0-0")
    ]
    assert imported.not_read == ("BFCL_v4_multi_turn_base.json",)
    (tmp_path / "suite.json").write_bytes(encode(suite))
    assert load_suite("suite.json", root=tmp_path) == suite


def test_types_become_json_schema_and_dots_underscores(tmp_path):
    tools = {tool.name: tool for tool in import_suite(rows.sample(tmp_path)).suite.tools}
    assert set(tools) == {"ring", "house_set_lamp"}
    schema = tools["house_set_lamp"].parameters
    assert schema["type"] == "object"
    assert schema["required"] == ["room"]
    kinds = {name: one.get("type") for name, one in schema["properties"].items()}
    assert kinds == {
        "room": "string",
        "level": "integer",
        "warmth": "number",
        "blink": "boolean",
        "colours": "array",
        "position": "array",
        "plan": "object",
        "steps": "array",
        "mode": "string",
        "tag": None,
    }
    assert schema["properties"]["position"]["items"] == {"type": "number"}
    assert schema["properties"]["warmth"]["default"] == 0.5
    assert "optional" not in schema["properties"]["blink"]


def test_alternatives_become_matchers_and_empty_ones_optional(tmp_path):
    cases = {case.id: case for case in import_suite(rows.sample(tmp_path)).suite.cases}
    (simple,) = cases["simple_python_0"].turns[0].accept[0]
    assert simple.name == "house_set_lamp"
    assert simple.arguments == {
        "room": {"$any": ["kitchen", "Kitchen"]},
        "level": 40,
        "warmth": 0.5,
        "mode": "night",  # "Night" and "" are against the schema's own choices
    }
    assert simple.optional == ("warmth", "mode")
    (planned,) = cases["live_multiple_0-0-0"].turns[0].accept[0]
    start = {"$any": ["18:00", "6 pm"]}
    assert planned.arguments["plan"] == {"$any": [{"start": start, "repeat": True}, {"start": start}]}
    (stepped,) = cases["live_multiple_1-0-0"].turns[0].accept[0]
    assert stepped.arguments["steps"] == [{"level": 10}, {"level": {"$any": [20, 25]}}]
    assert stepped.arguments["tag"] == {"$any": ["x", "y"]}


def test_what_the_system_says_stands_before_the_users_words(tmp_path):
    cases = {case.id: case for case in import_suite(rows.sample(tmp_path)).suite.cases}
    assert cases["simple_python_1"].turns[0].user == "Be brief.\n\nRing twice."
    assert cases["irrelevance_0"].turns[0].accept == ((),)
    assert not cases["irrelevance_0"].wants_call
    assert len(cases["parallel_0"].turns[0].accept[0]) == 2


def test_both_splits_are_filled_two_of_five_for_the_holdout():
    asked = [
        BfclQuestion(
            id=f"simple_{number}",
            category="simple",
            messages=({"role": "user", "content": f"Ring {number} times."},),
            functions=(rows.BELL,),
            answers=({"ring": {"times": [number]}},),
        )
        for number in range(50)
    ]
    suite, _ = suite_from(asked, "bfcl-simple")
    assert (len(suite.part("search")), len(suite.part("holdout"))) == (30, 20)
    again, _ = suite_from(list(reversed(asked)), "bfcl-simple")
    assert {case.id: case.split for case in suite.cases} == {case.id: case.split for case in again.cases}
    assert check(suite) == ()


def test_functions_of_one_name_that_differ_get_a_number_and_equal_ones_are_shared():
    other = rows.BELL | {"description": "Ring another bell."}
    asked = [
        BfclQuestion(
            id=f"q{place}",
            category="simple",
            messages=({"role": "user", "content": f"Ring {place}."},),
            functions=(function,),
            answers=({"ring": {"times": [1]}},),
        )
        for place, function in enumerate([rows.BELL, other, rows.BELL])
    ]
    suite, left_out = suite_from(asked, "bfcl")
    assert left_out == ()
    assert [case.tools for case in suite.cases] == [("ring",), ("ring_2",), ("ring",)]
    assert suite.cases[1].turns[0].accept[0][0].name == "ring_2"
    call = Call(name="ring_2", arguments={"times": 1})
    assert explain(asked[1], suite.cases[1], [(call,)], "") == ()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (lamp(level=["bright"]), "no answer for level fits its schema"),
        (lamp(unheard=[1]), "no answer for unheard fits its schema"),
        (question({"shout": {}}), "the answer calls shout, which is not offered"),
        (question(), "has no answer"),
        (question({"ring": {"times": [1]}}, functions=(rows.BELL, rows.BELL)), "offers a tool twice"),
        (question({"house.set_lamp": {}}), "against the tool's own schema"),
        (lamp(tag=[[{"$any": [1]}]]), "an answer for tag has a key that begins with $"),
        (lamp(plan=[{str(key): ["", 1] for key in range(6)}]), "more than 32 forms"),
        (
            question(
                {"f": {}},
                functions=(
                    {"name": "f", "parameters": {"type": "dict", "properties": {"a": {"type": "Foo"}}}},
                ),
            ),
            "f: parameters.a: unknown type 'Foo'",
        ),
        (
            question({"f": {}}, functions=({"name": "f", "parameters": {"type": "string"}},)),
            "parameters are no object",
        ),
        (question({"f": {}}, functions=({"name": "f", "parameters": []},)), ""),
        (question({"f": {}}, functions=({"name": "f", "parameters": [1]},)), "f: parameters: is no object"),
    ],
)
def test_a_question_that_can_not_be_asked_is_left_out_with_its_reason(asked, words):
    suite, left_out = suite_from([asked], "bfcl")
    if not words:
        assert len(suite.cases) == 1
        return
    assert suite.cases == ()
    assert words in left_out[0].reason


def test_an_answer_that_the_tool_has_no_parameter_for_may_only_be_left_out():
    (expected,) = case_of(lamp(unheard=[1, ""])).turns[0].accept[0]
    assert expected.arguments == {"room": "hall"}


def test_questions_with_other_speakers_without_words_or_asked_before_are_left_out():
    first = question({"ring": {"times": [1]}})
    told = [
        first,
        first,
        BfclQuestion(
            id="b",
            category="simple",
            messages=first.messages,
            functions=first.functions,
            answers=first.answers,
        ),
        BfclQuestion(
            id="c",
            category="irrelevance",
            messages=({"role": "assistant", "content": "Hi."},),
            functions=(rows.BELL,),
        ),
        BfclQuestion(
            id="d",
            category="irrelevance",
            messages=({"role": "user", "content": " "},),
            functions=(rows.BELL,),
        ),
        BfclQuestion(id="e", category="irrelevance", messages=first.messages, functions=()),
    ]
    suite, left_out = suite_from(told, "bfcl")
    assert [case.id for case in suite.cases] == ["q"]
    assert [one.reason for one in left_out] == [
        "has the id of an earlier one",
        "asks with the words of q",
        "has messages of assistant",
        "has no readable words",
        "offers no tool",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "line 1: "),
        ('{"id": "a"}', "line 1: Object missing required field `question`"),
        ('\n{"id": "a", "question": [[]], "function": [NaN]}', "line 2: NaN is not JSON"),
        ('{"id": "a", "question": [[], []]}', "a: got 2 turns, expected 1"),
        ('{"id": "a", "question": [[]]}', "no suite can be made of it"),
    ],
)
def test_a_file_that_is_none_of_theirs_is_refused_with_its_line(tmp_path, content, words):
    file = tmp_path / "BFCL_v4_irrelevance.json"
    file.write_text(content)
    with pytest.raises(InputError) as raised:
        import_suite(file)
    assert words in str(raised.value)
    assert "BFCL_v4_irrelevance.json" in str(raised.value)


def test_missing_files_answers_and_categories_are_refused(tmp_path):
    with pytest.raises(InputError, match="there is no such file or folder"):
        import_suite(tmp_path / "BFCL_v4_simple.json")
    with pytest.raises(InputError, match=r"got nothing, expected BFCL_v4_<category>.json"):
        import_suite(tmp_path)
    (tmp_path / "rows.json").write_text("")
    with pytest.raises(InputError, match=r"got rows.json, expected"):
        import_suite(tmp_path / "rows.json")
    file = rows.write_files(tmp_path, "simple", [(rows.row("a", "Ring.", rows.BELL), None)])
    with pytest.raises(InputError, match="can't be read"):
        import_suite(file)
    both = [
        (rows.row("a", "Ring.", rows.BELL), None),
        (rows.row("b", "Ring!", rows.BELL), [{"ring": {"times": [1]}}]),
    ]
    with pytest.raises(InputError, match=r"a: has no line in possible_answer/BFCL_v4_simple.json"):
        import_suite(rows.write_files(tmp_path, "simple", both))
    with pytest.raises(InputError, match="b: an empty answer"):
        import_suite(rows.write_files(tmp_path, "simple", [(rows.row("b", "Ring!", rows.BELL), [{}])]))


def test_names_and_types_are_those_that_apis_and_json_know():
    assert api_name("a.b c") == "a_b_c"
    assert api_name("") == "_"
    assert len(api_name("x" * 100)) == 64
    assert [json_kind(name) for name in ("HashMap", "float", "tuple", "long", "any", "Foo", None, 5)] == [
        *("object", "number", "array", "integer", "any"),
        *("", "", ""),
    ]


# ------------------------------------------------------------------------------------- the strict verdict


@pytest.mark.parametrize(
    ("asked", "calls", "expected"),
    [
        (lamp(), (set_lamp(),), "pass"),
        (lamp(), (), "abstained"),
        (lamp(), (set_lamp(), set_lamp()), "wrong"),
        (lamp(), (bell(1),), "wrong"),
        (lamp(), (Call(name="house_set_lamp", arguments={}),), "wrong"),
        (lamp(), (set_lamp(level=5),), "wrong"),
        (lamp(), (set_lamp(unheard=5),), "wrong"),
        (lamp(level=[5]), (set_lamp(),), "wrong"),
        (lamp(level=[5, ""]), (set_lamp(),), "pass"),
        # Strings: case, blanks and some punctuation don't count; quotes are alike.
        (lamp(), (set_lamp(room="H-A/l L."),), "pass"),
        (lamp(mode=["5"]), (set_lamp(mode="-5"),), "pass"),
        (lamp(mode=["15"]), (set_lamp(mode="1.5"),), "pass"),
        (lamp(mode=["o'clock"]), (set_lamp(mode='O"Clock'),), "pass"),
        (lamp(mode=["a"]), (set_lamp(mode="a!"),), "wrong"),
        (lamp(mode=["ä"]), (set_lamp(mode="a"),), "wrong"),
        # Types: an integer does for a float, but nothing else for anything.
        (lamp(warmth=[1.0]), (set_lamp(warmth=1),), "pass"),
        (lamp(warmth=[10]), (set_lamp(warmth=10.0),), "pass"),
        (lamp(level=[5]), (set_lamp(level=5.0),), "wrong"),
        (lamp(level=[5]), (set_lamp(level="5"),), "wrong"),
        (lamp(level=[1]), (set_lamp(level=True),), "wrong"),
        (lamp(blink=[True]), (set_lamp(blink=1),), "wrong"),
        (lamp(blink=[True, ""]), (set_lamp(blink=False),), "wrong"),
        (lamp(level=[5, ""]), (set_lamp(level=""),), "wrong"),
        (lamp(mode=["night", ""]), (set_lamp(mode=""),), "pass"),
        # An answer of another type stands for a variable.
        (lamp(level=["brightness"]), (set_lamp(level="brightness"),), "pass"),
        (lamp(level=["brightness"]), (set_lamp(level="Brightness"),), "wrong"),
        (lamp(level=["brightness"]), (set_lamp(level=5),), "wrong"),
        (lamp(tag=["x"]), (set_lamp(tag="X"),), "pass"),
        (lamp(tag=[7]), (set_lamp(tag=7),), "pass"),
        # Lists: in order, strings inside as plain as outside.
        (lamp(colours=[["Red", "blue"]]), (set_lamp(colours=["red", "BLUE"]),), "pass"),
        (lamp(colours=[["red", "blue"]]), (set_lamp(colours=["blue", "red"]),), "wrong"),
        (lamp(colours=[["red"], [""]]), (set_lamp(colours=[]),), "wrong"),
        (lamp(colours=[["red"], ""]), (set_lamp(colours=[]),), "pass"),
        (lamp(colours=[["red"]]), (set_lamp(colours="red"),), "wrong"),
        (lamp(colours=[["red"]]), (set_lamp(colours=[5]),), "wrong"),
        (lamp(position=[[1.0, 2.0]]), (set_lamp(position=[1.0, 2.0]),), "pass"),
        # Objects: alternatives one level inside.
        (
            lamp(plan=[{"start": ["18.00"], "repeat": [True, ""]}]),
            (set_lamp(plan={"start": "1800"}),),
            "pass",
        ),
        (lamp(plan=[{"start": ["18:00"]}]), (set_lamp(plan={}),), "wrong"),
        (lamp(plan=[{"start": ["18:00"]}]), (set_lamp(plan={"start": "18:00", "x": 1}),), "wrong"),
        (lamp(plan=[{"start": "18:00"}]), (set_lamp(plan={"start": "18:00"}),), "wrong"),
        (lamp(plan=[{"start": "18:00"}]), (set_lamp(plan={"start": "8"}),), "pass"),
        (lamp(plan=[{"start": "18:00"}]), (set_lamp(plan={}),), "pass"),
        (lamp(plan=[{"start": 18}]), (set_lamp(plan={"start": 18}),), "wrong"),
        (lamp(plan=["", {"start": ["a"]}]), (set_lamp(plan={"start": "A"}),), "pass"),
        (lamp(steps=[[{"level": [1]}]]), (set_lamp(steps=[{"level": 1}]),), "pass"),
        (lamp(steps=[[{"level": [1]}]]), (set_lamp(steps=[{"level": 1}, {"level": 1}]),), "wrong"),
        (lamp(steps=[[{"level": [1]}]]), (set_lamp(steps=[{"level": 2}]),), "wrong"),
        # Several calls: any order, but each answer takes the first call that is right.
        (ring([1], [2]), (bell(2), bell(1)), "pass"),
        (ring([1], [2]), (bell(1), bell(1)), "wrong"),
        (ring([1, 2], [1]), (bell(2), bell(1)), "pass"),
        (ring([1, 2], [1]), (bell(1), bell(2)), "wrong"),
    ],
)
def test_the_strict_verdict_is_the_leaderboards(asked, calls, expected):
    assert expected == strict(asked, calls, "").outcome


def test_what_can_not_be_read_is_no_call_there():
    silent, some = question(category="live_irrelevance"), question(category="live_relevance")
    assert strict(silent, (), "").outcome == "pass"
    assert strict(silent, (bell(1),), "").outcome == "overcalled"
    assert strict(silent, (bell(1),), BROKEN).outcome == "pass"
    assert strict(some, (bell(1),), "").outcome == "pass"
    assert strict(some, (), "").outcome == "abstained"
    assert strict(some, (bell(1),), BROKEN).outcome == "malformed"
    assert strict(ring([1]), (bell(1),), BROKEN).outcome == "malformed"


# ----------------------------------------------------------------------------------------- differences


def test_every_answer_of_the_sample_passes_both_ways_and_nothing_is_to_explain(tmp_path):
    folder = rows.sample(tmp_path)
    cases = {case.id: case for case in import_suite(folder).suite.cases}
    files = [file for file in folder.glob("*.json") if file.stem.removeprefix("BFCL_v4_") in CATEGORIES]
    asked = [one for file in files for one in read_questions(file) if one.id in cases]
    assert len(asked) == len(cases)
    for one in asked:
        expected = cases[one.id].turns[0].accept[0]
        for calls in itertools.product(*map(variants, expected)):
            agreed = score(cases[one.id], [calls], "").outcome, strict(one, calls, "").outcome
            assert agreed in {("pass", "pass"), ("wrong", "wrong")} or one.id == "parallel_0"
        right = tuple(map(example, expected))
        assert score(cases[one.id], [right], "").outcome == "pass"
        assert explain(one, cases[one.id], [right], "") == ()
        assert explain(one, cases[one.id], [()], "") == ()


def test_a_broken_call_is_restraint_there_and_malformed_here():
    asked = question(category="irrelevance")
    assert rules(asked, (), BROKEN) == ["malformed"]
    assert rules(asked, (), "") == []
    assert rules(ring([1]), (), BROKEN) == []


def test_greedy_pairing_refuses_there_what_is_right_here():
    assert rules(ring([1, 2], [1]), (bell(1), bell(2))) == ["pairing"]
    assert rules(ring([1, 2], [1]), (bell(2), bell(1))) == []


@pytest.mark.parametrize(
    ("asked", "call", "expected"),
    [
        (lamp(tag=["5"]), set_lamp(tag="-5"), ["text"]),
        (lamp(tag=["15"]), set_lamp(tag="1.5"), ["text"]),
        (lamp(colours=[["red"]]), set_lamp(room="HALL", colours=["RED"]), ["text", "text"]),
        (lamp(plan=[{"start": ["18.00"]}]), set_lamp(plan={"start": "1800"}), ["text"]),
        (lamp(mode=["night", "Night"]), set_lamp(mode="Night"), ["schema"]),
        (lamp(level=[5]), set_lamp(level=5.0), ["type"]),
        (lamp(plan=[{"start": "18:00"}]), set_lamp(plan={"start": "18:00"}), ["letters"]),
        (lamp(level=[5]), set_lamp(level=5), []),
        (lamp(level=[5]), set_lamp(level=6), []),
        (lamp(tag=["a\n"]), set_lamp(tag="a"), ["text"]),
    ],
)
def test_each_difference_in_a_value_is_named(asked, call, expected):
    found = explain(asked, case_of(asked), [(call,)], "")
    assert expected == [one.rule for one in found]
    assert {one.rule for one in found} <= set(RULES)


@given(
    st.lists(st.sampled_from([1, 2, 3]), max_size=3),
    st.lists(
        st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=2, unique=True), min_size=1, max_size=3
    ),
)
def test_where_only_the_order_matters_pairing_is_the_only_difference(made, accepted):
    asked = ring(*accepted)
    calls = tuple(map(bell, made))
    found = explain(asked, case_of(asked), [calls], "")
    lenient = any(strict(asked, order, "").outcome == "pass" for order in itertools.permutations(calls))
    assert (score(case_of(asked), [calls], "").outcome == "pass") == lenient
    assert {one.rule for one in found} <= {"pairing"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from([*rows.LAMP["parameters"]["properties"], "other"]), JSON, max_size=5))
def test_no_arguments_make_the_strict_rules_raise(arguments):
    asked = lamp(
        level=[1, ""],
        colours=[["a"], ""],
        plan=[{"start": ["a"]}, ""],
        steps=[[{"level": [1]}]],
        tag=["x", 7],
    )
    calls = (Call(name="house_set_lamp", arguments=arguments),)
    assert strict(asked, calls, "").outcome in {"pass", "wrong"}
    for found in explain(asked, case_of(asked), [calls], ""):
        assert json.loads(encode(found))["rule"] in {*RULES, "other"}
