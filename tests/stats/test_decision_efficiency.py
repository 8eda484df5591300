"""The benchmark of decisions: every rule runs, and the table says what the rows say."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path

import numpy as np

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "decision_efficiency.py"


@cache
def benchmark():
    found = importlib.util.spec_from_file_location("decision_efficiency", PATH)
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


def test_every_rule_is_compared_in_every_world() -> None:
    made = benchmark()
    rows = made.comparison(12, 2, 20)
    assert 5 * 5 == len(rows)
    lines = list(made.table(rows))
    assert 2 + 5 == len(lines)
    assert f"/ {rows[0].calls:.0f} |" in lines[2]
    assert {3 * 7 * 12} == {row.calls for row in rows[:5]}


def test_arms_that_are_tested_at_once_share_their_error() -> None:
    made, rng = benchmark(), np.random.default_rng(1)
    world = made.made("equal", (600, 4, 12), rng)
    for looks, stop in (((7,), False), ((3, 5, 7), True)):
        chosen, calls = made.all_arms(world, rng, looks=looks, stop_futile=stop)
        assert np.sum(chosen >= 0) <= 0.08 * 600
        assert calls.max() <= 5 * 7 * 12
    better = made.made("+20", (50, 4, 12), rng)
    chosen, _ = made.all_arms(better, rng, looks=(10,), stop_futile=False)
    assert np.mean(chosen == 0) > 0.8


def test_distance_credit_and_deceit_are_told() -> None:
    made = benchmark()
    row = made.distance(12, 20)
    assert row.fewest_gain_best <= row.fewest_gain < row.fewest_half
    assert 3 == len(list(made.distances([row])))
    assert 3 == len(list(made.credit_table(made.credits_of(12, 40))))
    assert 3 == len(list(made.deceit_table(made.deceits_of(12, 40))))


def test_the_figure_is_the_same_each_time(tmp_path) -> None:
    made = benchmark()
    rows = [row for cases in (12, 30) for row in made.comparison(cases, 1, 10)]
    for name in ("a.svg", "b.svg"):
        made.draw(rows, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
