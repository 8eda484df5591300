"""Causes that were injected into simulated models are named, and where nothing is wrong nothing is said.

The cells and their measurement are those of ``benchmarks/causes.py``, which prints the whole table.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from scipy.stats import binom

ROOT = Path(__file__).resolve().parents[2]
SAMPLE, SAMPLE_NULL = 3, 200
pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").exists(), reason="a source archive has none")


@pytest.fixture(scope="module")
def bench():
    """Return the benchmark, loaded by its path; it finds its neighbour in its own folder."""
    folder = str(ROOT / "benchmarks")
    sys.path.insert(0, folder)
    try:
        spec = importlib.util.spec_from_file_location("causes_benchmark", ROOT / "benchmarks" / "causes.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module


def shown(bench, found) -> str:
    wrong = [f"{each.cell.name}: {each.named}" for each in found if each.named != (each.cell.cause,)]
    return "\n".join([*bench.confusion(found), *wrong])


def test_injected_causes_are_named_in_a_sample_of_the_cells(bench):
    found = list(bench.results(SAMPLE))
    assert len(bench.CLASSES) * SAMPLE == len(found)
    assert bench.macro_f1(found) >= 0.9, shown(bench, found)


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_injected_causes_are_named_in_all_cells_and_in_fresh_ones(bench):
    for first in (0, 1000):
        found = list(bench.results(first=first))
        assert bench.macro_f1(found) >= 0.9, shown(bench, found)


def at_most(share: float, cells: int) -> int:
    """Return how many cells a share of at most `share` exceeds with a chance below 1 in 1000."""
    return int(binom.ppf(0.999, cells, share))


def test_a_cold_start_is_seldom_seen_where_there_is_none_in_a_sample(bench):
    assert bench.null_starts(SAMPLE_NULL) <= at_most(0.01, SAMPLE_NULL)


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
def test_a_cold_start_is_seen_in_at_most_1_percent_of_2000_cells_without_one(bench):
    assert bench.null_starts(2000) <= 20


def test_the_table_says_how_each_class_fared(bench):
    cell = bench.cell("clean", 0)
    found = [
        bench.Result(cell, ()),
        bench.Result(bench.cell("drift", 0), ()),
    ]
    assert {"clean": (0.5, 1.0, 2 / 3), "drift": (0.0, 0.0, 0.0)} == bench.scores(found)
    header, _, *rows = bench.confusion(found)
    assert header.startswith("| injected | cold |")
    assert [row.split(" | ")[0] for row in rows] == ["| drift", "| clean"]
