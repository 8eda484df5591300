"""The packaged suites are good, and a broken suite is refused with its file, its case and a cure."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harnesslib import worlds
from harnesslib.errors import InputError
from harnesslib.records import Call, Case, ExpectedCall, Suite, Tool, Turn
from harnesslib.scoring import matches, score
from harnesslib.suites import check, example, load_suite, packaged, rows, variants
from harnesslib.suites.checks import WORLDS

HERE = Path()
COUNTS = {
    "atomic": {("search", True): 68, ("search", False): 36, ("holdout", True): 46, ("holdout", False): 23},
    "extended": {("search", True): 38, ("search", False): 14, ("holdout", True): 22, ("holdout", False): 9},
}
ERRORS_ELSEWHERE = {"extended.destructive.not-over-the-old-ideas"}
"""Cases of another skill in which a refusal of the office is what keeps something from being lost."""
EVERY_CASE = [
    pytest.param(case, id=case.id) for name in packaged() for case in load_suite(name, root=HERE).cases
]
EVERY_CALL = [
    (case, expected)
    for parameter in EVERY_CASE
    for case in rows(parameter.values[0])
    for turn in case.turns
    for alternative in turn.accept
    for expected in alternative
]


def small(**changes: Any) -> dict[str, Any]:
    """Return a good suite as plain data, with some fields replaced."""
    tool = {
        "name": "ring",
        "description": "Ring a bell.",
        "parameters": {
            "type": "object",
            "properties": {"times": {"type": "integer"}, "day": {"type": "string", "format": "date"}},
            "required": ["times"],
            "additionalProperties": False,
        },
    }
    cases = [case_data("one", split="search"), case_data("two", split="holdout")]
    return {
        "name": "bells",
        "version": "1",
        "title": "Bells",
        "description": "",
        "tools": [tool],
        "cases": cases,
        **changes,
    }


def case_data(case_id: str, **changes: Any) -> dict[str, Any]:
    accept = [[{"name": "ring", "arguments": {"times": 3}}]]
    case = {
        "id": case_id,
        "skill": "direct",
        "split": "search",
        "tools": ["ring"],
        "notes": "Three is said.",
        "turns": [{"user": f"Ring three times ({case_id}).", "accept": accept}],
    }
    return case | changes


def suite_with(arguments: dict[str, Any], **changes: Any) -> Suite:
    turn = {"user": "Ring.", "accept": [[{"name": "ring", "arguments": arguments, **changes}]]}
    return msgspec.convert(
        small(cases=[case_data("one", turns=[turn]), case_data("two", split="holdout")]), Suite
    )


def written(folder: Path, data: dict[str, Any]) -> Path:
    path = folder / "bells.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


# ------------------------------------------------------------------------------------ packaged suites


def test_the_packaged_suites_are_atomic_and_extended():
    assert packaged() == ("atomic", "extended")


@pytest.mark.parametrize("name", packaged())
def test_a_packaged_suite_has_no_problem(name):
    assert check(load_suite(name, root=HERE)) == ()


@pytest.mark.parametrize("name", packaged())
def test_splits_and_counts_are_as_declared(name):
    suite = load_suite(name, root=HERE)
    counted = {
        (split, wants): sum(case.wants_call is wants for case in suite.part(split))
        for split in ("search", "holdout")
        for wants in (True, False)
    }
    assert COUNTS[name] == counted


def test_ids_and_first_user_texts_are_unique_over_all_suites():
    cases = [parameter.values[0] for parameter in EVERY_CASE]
    asked = [row.turns[0].user.strip() for case in cases for row in rows(case)]
    assert len({case.id for case in cases}) == len(cases)
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("case", EVERY_CASE)
def test_an_id_is_made_of_suite_skill_and_a_name(case):
    suite, skill, name = case.id.split(".")
    assert (suite, skill) == ("extended" if case.world else "atomic", case.skill)
    assert name.replace("-", "").isalnum()


@pytest.mark.parametrize("case", EVERY_CASE)
def test_a_case_that_wants_no_call_refuses_calls_in_every_turn(case):
    refusing = [turn.accept == ((),) for turn in case.turns]
    assert case.wants_call or all(refusing)


def test_every_tool_refuses_unknown_arguments():
    tools = [tool for name in packaged() for tool in load_suite(name, root=HERE).tools]
    assert all(tool.parameters["additionalProperties"] is False for tool in tools)


def test_every_tool_is_offered_by_some_case():
    for name in packaged():
        suite = load_suite(name, root=HERE)
        offered = {tool for case in suite.cases for tool in case.tools}
        assert {tool.name for tool in suite.tools} == offered


def test_the_content_hash_is_equal_after_reloading_and_other_after_one_character():
    suite = load_suite("atomic", root=HERE)
    assert suite.content_hash == load_suite("atomic", root=HERE).content_hash
    first = suite.cases[0]
    turn = msgspec.structs.replace(first.turns[0], user=first.turns[0].user + "?")
    changed = msgspec.structs.replace(
        suite, cases=(msgspec.structs.replace(first, turns=(turn,)), *suite.cases[1:])
    )
    assert suite.content_hash != changed.content_hash


def test_the_worlds_that_suites_know_are_those_that_exist():
    assert worlds.NAMES == WORLDS


def test_loading_a_packaged_suite_loads_no_heavy_library():
    code = (
        "import sys; from pathlib import Path; from harnesslib.suites import load_suite;"
        "import harnesslib.scoring, harnesslib.parsers, harnesslib.worlds;"
        "load_suite('atomic', root=Path()); print(sorted({'jsonschema', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------------------------- reference solvers


def first_answers(case: Case) -> list[tuple[Call, ...]]:
    return [tuple(example(expected) for expected in turn.accept[0]) for turn in case.turns]


def costly_call(case: Case) -> Call:
    """Return a call that nobody wants, of the first tool whose extra calls cost something."""
    name = next(name for name in case.tools if name not in case.harmless)
    return Call(name=name, arguments={})


@pytest.mark.parametrize("case", EVERY_CASE)
def test_the_reference_answer_passes(case):
    for row in rows(case):
        assert score(row, first_answers(row), "").outcome == "pass"


@pytest.mark.parametrize("case", EVERY_CASE)
def test_every_accepted_alternative_passes(case):
    for row in rows(case):
        for place, turn in enumerate(row.turns):
            for alternative in turn.accept:
                answers = first_answers(row)
                answers[place] = tuple(map(example, alternative))
                assert score(row, answers, "").outcome == "pass"
                if row.final_state is None:  # otherwise the order of the calls may decide what is left
                    answers[place] = tuple(map(example, reversed(alternative)))
                    assert score(row, answers, "").outcome == "pass"


@pytest.mark.parametrize("case", EVERY_CASE)
def test_a_solver_that_always_calls_passes_no_case_that_wants_none(case):
    calls = (costly_call(case),)
    for row in rows(case):
        outcome = score(row, [calls] * len(row.turns), "").outcome
        assert outcome == ("wrong" if row.turns[0].accept[0] else "overcalled")


@pytest.mark.parametrize("case", EVERY_CASE)
def test_a_solver_that_never_calls_passes_exactly_the_cases_that_want_no_call(case):
    for row in rows(case):
        outcome = score(row, [()] * len(row.turns), "").outcome
        assert outcome == ("abstained" if row.wants_call else "pass")


@pytest.mark.parametrize("case", EVERY_CASE)
def test_one_more_call_never_passes(case):
    for row in rows(case):
        answers = first_answers(row)
        answers[-1] = (*answers[-1], costly_call(row))
        assert score(row, answers, "").outcome in ("wrong", "overcalled")


@pytest.mark.parametrize("case", EVERY_CASE)
def test_the_office_answers_the_reference_calls_and_fails_only_where_the_case_is_about_errors(case):
    for row in rows(case):
        so_far: list[Call] = []
        failed = []
        for call in (call for turn in first_answers(row) for call in turn):
            result = worlds.respond(row.world, so_far, call)
            failed += [call.name] if "error" in result else []
            so_far.append(call)
        assert len(failed) == (1 if row.skill == "tool_error" or row.id in ERRORS_ELSEWHERE else 0)


def test_every_variant_of_an_expected_call_matches_it():
    for _, expected in EVERY_CALL:
        for call in variants(expected):
            turn = Turn(user="?", accept=((expected,),))
            case = Case(id="x", skill="x", split="search", turns=(turn,), tools=("x",), notes="x")
            assert score(case, [(call,)], "").outcome == "pass"


def test_variants_use_each_choice_of_each_matcher_and_leave_out_what_is_optional():
    expected = ExpectedCall(
        name="ring",
        arguments={
            "times": {"$any": [1, {"$number": 2.5}]},
            "words": [{"$text": ["a", "b"]}, {"in": {"$any": ["x", "y"]}}],
        },
        optional=("words",),
    )
    assert [call.arguments for call in variants(expected)] == [
        {"times": 1, "words": ["a b", {"in": "x"}]},
        {"times": 2.5, "words": ["a b", {"in": "x"}]},
        {"times": 1, "words": ["a b", {"in": "y"}]},
        {"times": 1},
    ]
    assert all(
        matches(expected.arguments["words"], call.arguments["words"]) for call in variants(expected)[:-1]
    )


# ------------------------------------------------------------------------------------- broken suites


def test_a_suite_of_the_user_loads_from_json_and_from_toml(tmp_path):
    written(tmp_path, small())
    toml = """
name = "bells"
version = "1"
title = "Bells"
description = ""
[[tools]]
name = "ring"
description = "Ring a bell."
[tools.parameters]
type = "object"
required = ["times"]
additionalProperties = false
[tools.parameters.properties]
times = { type = "integer" }
day = { type = "string", format = "date" }
[[cases]]
id = "one"
skill = "direct"
split = "search"
tools = ["ring"]
notes = "Three is said."
[[cases.turns]]
user = "Ring three times (one)."
accept = [[{ name = "ring", arguments = { times = 3 } }]]
[[cases]]
id = "two"
skill = "direct"
split = "holdout"
tools = ["ring"]
notes = "Three is said."
[[cases.turns]]
user = "Ring three times (two)."
accept = [[{ name = "ring", arguments = { times = 3 } }]]
"""
    (tmp_path / "bells.toml").write_text(toml, encoding="utf-8")
    from_json = load_suite("bells.json", root=tmp_path)
    from_toml = load_suite("bells.toml", root=tmp_path)
    assert from_json.content_hash == from_toml.content_hash


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("atomc", ("'atomc'", "did you mean atomic", "cure")),
        (
            "nowhere.json",
            (
                "'nowhere.json'",
                "atomic, extended, atomic-smoke, atomic-quick, extended-smoke, extended-quick",
                "cure",
            ),
        ),
        ("atomic-smok", ("did you mean atomic-smoke", "cure")),
        ("bells-smoke", ("'bells-smoke'", "not found")),
        ("", ("not found",)),
        ("\0.toml", ("not found",)),
    ],
)
def test_an_unknown_suite_is_refused_with_the_known_names(tmp_path, name, words):
    with pytest.raises(InputError) as caught:
        load_suite(name, root=tmp_path)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (".json", b""),
        (".json", b"{"),
        (".json", b'{"name": "a", "name": "b"}'),
        (".json", b"[" * 100_000),
        (".json", b"\xff\xfe"),
        (".json", b"[]"),
        (".toml", b"name = "),
        (".toml", b"\xff"),
        (".toml", b"x = " + b"[" * 100_000),
    ],
)
def test_a_file_that_is_no_suite_is_refused_by_its_name(tmp_path, ending, content):
    (tmp_path / f"bad{ending}").write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_suite(f"bad{ending}", root=tmp_path)
    assert f"bad{ending}" in str(caught.value)
    assert "cure" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (small(colour="red"), ("colour",)),
        (small(cases=[case_data("one"), case_data("two", hint="?")]), ("case two (number 2)", "hint")),
        (small(cases=[case_data("one", split="train")]), ("case one (number 1)", "train")),
        (small(cases=[case_data("one", turns="Ring")]), ("case one (number 1)", "array")),
        (small(cases=[{"skill": "direct"}]), ("case without id (number 1)", "missing required field")),
        (small(cases=["one"]), ("case that is not a table (number 1)",)),
        (small(tools=[{"name": "ring"}]), ("tool ring (number 1)", "description")),
        (small(schema_version=2), ("schema_version", "got 2")),
        (small(cases=[case_data("one", tools=["rong"])]), ("case one", "'rong'", "expected one of ring")),
    ],
)
def test_a_wrong_field_is_refused_with_file_case_and_cure(tmp_path, data, words):
    written(tmp_path, data)
    with pytest.raises(InputError) as caught:
        load_suite("bells.json", root=tmp_path)
    assert all(word in str(caught.value) for word in ("bells.json", "cure", *words))


def test_many_problems_are_cut_and_counted(tmp_path):
    written(tmp_path, small(cases=[case_data(f"c{number}", skill="") for number in range(9)]))
    with pytest.raises(InputError, match="and 5 more; cure"):
        load_suite("bells.json", root=tmp_path)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": " "}, "name: empty"),
        ({"cases": [case_data("one")]}, "none in the split 'holdout'"),
        ({"cases": []}, "none in the split 'search'"),
        ({"cases": [case_data("one"), case_data("one", split="holdout")]}, "case id 'one': used 2 times"),
        (
            {"cases": [case_data("one"), case_data("two", turns=case_data("one")["turns"])]},
            "first user text 'Ring three times (one).': used 2 times",
        ),
        ({"cases": [case_data("a b")]}, "case 'a b': the id may hold"),
        ({"cases": [case_data("one", notes="")]}, "case one: notes is empty"),
        ({"cases": [case_data("one", world="moon")]}, "case one: no world 'moon'"),
        ({"cases": [case_data("one", tools=[])]}, "case one: offers no tool"),
        ({"cases": [case_data("one", tools=["ring", "ring"])]}, "case one: tool 'ring': used 2 times"),
        ({"cases": [case_data("one", turns=[])]}, "case one: has no turn"),
        (
            {"cases": [case_data("one", turns=[{"user": " ", "accept": [[]]}])]},
            "turn 1: the user says nothing",
        ),
        ({"cases": [case_data("one", turns=[{"user": "Ring.", "accept": []}])]}, "turn 1: accept is empty"),
        (
            {"cases": [case_data("one", turns=[{"user": "Ring.", "accept": [[]], "reply": ""}])]},
            "turn 1: reply is empty",
        ),
        (
            {"cases": [case_data("one", turns=[{"user": "Ring.", "accept": [[{"name": "sing"}]]}])]},
            "sing: not offered by this case",
        ),
    ],
)
def test_a_structural_problem_is_named_in_words(changes, problem):
    problems = check(msgspec.convert(small(**changes), Suite))
    assert any(problem in found for found in problems)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"times": {"$all": [1]}}, "matcher with $all can't be read"),
        ({"times": {"$any": []}}, "matcher with $any can't be read"),
        ({"times": {"$number": True}}, "matcher with $number can't be read"),
        ({"times": {"$text": ["a", 1]}}, "matcher with $text can't be read"),
        ({"times": {"$text": [" "]}}, "matcher with $text can't be read"),
        ({"times": {"$any": [1], "$number": 1}}, "matcher with $any, $number can't be read"),
        ({"times": [{"x": {"$any": [{"$none": 1}]}}]}, "matcher with $none can't be read"),
        ({"$any": [1]}, "'$any' stands for a whole call"),
        ({"times": float("nan")}, "no JSON value"),
        ({"times": 2**1100}, "no JSON value"),
        ({"times": "\ud800"}, "no JSON value"),
        ({"times": [[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]}, "no JSON value"),
        ({"times": "3"}, "against the schema at $.times: '3' is not of type 'integer'"),
        ({"times": {"$any": [1, "two"]}}, "'two' is not of type 'integer'"),
        ({"times": {"$number": 2.5}}, "2.5 is not of type 'integer'"),
        ({}, "'times' is a required property"),
        ({"times": 1, "loud": True}, "'loud' was unexpected"),
        ({"times": 1, "day": "2026-02-30"}, "'2026-02-30' is not a 'date'"),
    ],
)
def test_an_expected_argument_that_no_model_could_give_is_a_problem(arguments, problem):
    found = check(suite_with(arguments))
    assert any("case one, turn 1" in one and problem in one for one in found)


def test_an_optional_argument_has_to_be_there_and_must_not_be_required():
    assert "optional names 'day'" in check(suite_with({"times": 1}, optional=["day"]))[0]
    assert "optional here but required" in check(suite_with({"times": 1}, optional=["times"]))[0]
    assert check(suite_with({"times": 1, "day": "2026-02-28"}, optional=["day"])) == ()


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"type": "array"}, "parameters.type is 'array', expected 'object'"),
        ({"type": "object", "properties": {"times": {"type": "whole"}}}, "parameters are no JSON Schema"),
        ({"type": "object", "properties": {"times": {"pattern": "("}}}, "parameters are no JSON Schema"),
        ({"type": "object", "default": float("inf")}, "a value that JSON doesn't have"),
        (
            {"type": "object", "properties": {"times": {"$ref": "http://127.0.0.1:9/schema.json"}}},
            "which it doesn't hold",
        ),
    ],
)
def test_a_bad_tool_schema_is_a_problem_and_never_a_download(parameters, problem):
    suite = msgspec.convert(small(), Suite)
    tool = Tool(name="ring", description="Ring a bell.", parameters=parameters)
    found = check(msgspec.structs.replace(suite, tools=(tool,)))
    assert any(problem in one for one in found)


@pytest.mark.parametrize(("name", "description"), [("ring a bell", "Ring."), ("ring", " ")])
def test_a_tool_needs_a_callable_name_and_a_description(name, description):
    suite = msgspec.convert(small(), Suite)
    tool = msgspec.structs.replace(suite.tools[0], name=name, description=description)
    assert any("tool" in one for one in check(msgspec.structs.replace(suite, tools=(tool,))))
