"""The page about causes names every cause, and what it says of their order is what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from harnesslib.harness_feedback_loop.diagnosis import EXPLAINS
from harnesslib.records import Cause

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "causes.md").read_text("utf-8")


def rows(heading: str) -> list[list[str]]:
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_cause_stands_on_the_page_with_what_would_refute_it():
    told = {row[0].strip("` "): row for row in rows("The ten causes")}
    assert set(get_args(Cause)) == set(told)
    assert all(len(row) == 5 and all(row) for row in told.values())


def test_the_page_says_which_cause_leaves_out_which():
    told = {
        cause: set(re.findall(r"`(\w+)`", left_out))
        for causes, left_out in rows("One cause, one finding")
        for cause in re.findall(r"`(\w+)`", causes)
    }
    assert {cause: set(left_out) for cause, left_out in EXPLAINS.items()} == told


def test_the_measured_table_has_every_cause_and_says_how_to_measure_it_again():
    table = [line.split("|")[1].strip() for line in PAGE.splitlines() if re.match(r"\| \w+ \| +[\d|]", line)]
    assert {*get_args(Cause), "clean"} == set(table)
    assert "python benchmarks/causes.py" in PAGE


def test_the_links_and_files_that_the_page_names_exist():
    root = DOCS.parent
    named = re.findall(r"`((?:harnesslib|benchmarks|tests)/[\w/.]+)`", PAGE)
    assert named
    assert [] == [path for path in named if not (root / path).exists()]
