"""What the packaged suites promise: their parts, their smoke cases, and that what the texts state is true."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

import harnesslib.suites
from harnesslib.errors import InputError
from harnesslib.records import Case
from harnesslib.suites import check, load_suite, packaged, rows
from harnesslib.suites.parametric import PLACEHOLDER

HERE = Path()
FOLDER = Path(harnesslib.suites.__file__).parent
ATOMIC = load_suite("atomic", root=HERE)
SKILLS = {
    "about_tools",
    "already_given",
    "buried_parameter",
    "code_about_tools",
    "date",
    "direct",
    "enum",
    "implicit",
    "keyword_trap",
    "missing_parameter",
    "negated",
    "nested_argument",
    "optional_argument",
    "other_language",
    "several_calls",
    "similar_tools",
    "unit_conversion",
}
DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
DATED = re.compile(rf"({DAYS}), (\d+ [A-Z][a-z]+ \d{{4}})")
EVERY_ROW = [row for name in packaged() for case in load_suite(name, root=HERE).cases for row in rows(case)]


def texts(case: Case) -> list[str]:
    return [text for turn in case.turns for text in (turn.user, turn.reply)]


@pytest.mark.parametrize("name", packaged())
def test_a_file_beside_the_tools_holds_the_cases_of_the_skill_it_is_named_after(name):
    suite = load_suite(name, root=HERE)
    files = {path.stem for path in (FOLDER / name).glob("*.toml")} - {"suite"}
    assert {case.skill for case in suite.cases} == files
    for skill in files:
        ids = re.findall(r'^id = "(.+)"$', (FOLDER / name / f"{skill}.toml").read_text("utf-8"), re.MULTILINE)
        assert {case.id for case in suite.cases if case.skill == skill} == set(ids)


@pytest.mark.parametrize("name", packaged())
def test_the_first_cases_of_a_split_are_of_different_skills(name):
    first = [case.skill for case in load_suite(name, root=HERE).part("search")[:8]]
    assert len(set(first)) == 8


def test_atomic_has_ten_cases_or_more_of_each_skill_six_of_them_to_search():
    counted = Counter(case.skill for case in ATOMIC.cases)
    searched = Counter(case.skill for case in ATOMIC.part("search"))
    assert set(counted) == SKILLS
    assert min(counted.values()) >= 10
    assert min(searched.values()) >= 6


@pytest.mark.parametrize("split", ["search", "holdout"])
def test_a_third_of_atomic_wants_no_call_and_a_third_draws_its_values_from_the_seed(split):
    cases = ATOMIC.part(split)
    assert sum(not case.wants_call for case in cases) >= 0.3 * len(cases)
    assert sum(bool(case.parameters) for case in cases) >= 0.3 * len(cases)


def test_a_call_is_right_somewhere_under_words_that_speak_against_it():
    for skill in ("negated", "already_given", "keyword_trap"):
        found = {case.wants_call for case in ATOMIC.cases if case.skill == skill}
        assert found == {True, False}


@pytest.mark.parametrize("name", packaged())
def test_smoke_cases_are_a_suite_of_their_own_name(name):
    whole, smoke = load_suite(name, root=HERE), load_suite(f"{name}-smoke", root=HERE)
    assert smoke.name == f"{name}-smoke"
    assert smoke.version == whole.version
    assert smoke.cases == tuple(case for case in whole.cases if case.smoke)
    assert {case.split for case in smoke.cases} == {"search"}
    assert {tool.name for tool in smoke.tools} == {tool for case in smoke.cases for tool in case.tools}
    assert check(smoke) == ()


def test_atomic_smoke_is_eight_cases_that_need_calls_and_four_that_need_none_of_twelve_skills():
    smoke = load_suite("atomic-smoke", root=HERE).cases
    assert Counter(case.wants_call for case in smoke) == {True: 8, False: 4}
    assert len({case.skill for case in smoke}) == 12


def test_a_suite_without_smoke_cases_gives_no_empty_smoke_suite(monkeypatch, tmp_path):
    text = (FOLDER / "atomic" / "direct.toml").read_text("utf-8").replace("smoke = true", "smoke = false")
    (tmp_path / "direct.toml").write_text(text, "utf-8")
    (tmp_path / "suite.toml").write_text((FOLDER / "atomic" / "suite.toml").read_text("utf-8"), "utf-8")
    monkeypatch.setattr("harnesslib.suites._places", lambda: {"atomic": tmp_path})
    with pytest.raises(InputError, match="atomic-smoke: no case is marked `smoke`; cure: use atomic"):
        load_suite("atomic-smoke", root=HERE)


def test_a_part_that_holds_more_than_cases_is_refused_by_its_name(monkeypatch, tmp_path):
    (tmp_path / "suite.toml").write_text((FOLDER / "atomic" / "suite.toml").read_text("utf-8"), "utf-8")
    (tmp_path / "direct.toml").write_text('name = "direct"\ncases = []', "utf-8")
    monkeypatch.setattr("harnesslib.suites._places", lambda: {"atomic": tmp_path})
    with pytest.raises(
        InputError, match=r"packaged suite atomic, direct\.toml: expected cases and nothing else"
    ):
        load_suite("atomic", root=HERE)


def test_every_stated_day_of_the_week_is_true():
    stated = [found for row in EVERY_ROW for found in DATED.findall(" ".join(texts(row)))]
    true = [datetime.strptime(date, "%d %B %Y").strftime("%A") for _, date in stated]  # noqa: DTZ007 - a day
    assert len(stated) >= 10
    assert [day for day, _ in stated] == true


def test_no_placeholder_is_left_in_a_text():
    left = {row.id: found for row in EVERY_ROW for text in texts(row) if (found := PLACEHOLDER.findall(text))}
    assert left == {}
