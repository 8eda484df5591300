"""The small harness does what the large one promises, on models whose truth is known."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from scipy.stats import binomtest

FILE = Path(__file__).resolve().parents[2] / "docs" / "minharness.py"


def load():
    spec = importlib.util.spec_from_file_location("minharness", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mini = load()


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "routing.json"
    mini.save(path, json.dumps({"serves": "old"}))
    return path


def test_it_has_at_most_150_lines():
    assert len(FILE.read_text("utf-8").splitlines()) <= 150


def test_it_finds_the_better_model_and_then_nothing_more(tmp_path, capsys):
    mini.main(tmp_path)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("better now serves: +")
    assert "better still serves: nothing looks better" == second


def test_what_is_better_only_where_it_was_chosen_is_taken_back_byte_for_byte(file):
    models = {"old": mini.simulated(0.6), "shiny": mini.simulated(0.95, on_holdout=0.3)}
    before = file.read_bytes()
    assert mini.cycle(models, file, 0).startswith("old serves again")
    assert before == file.read_bytes()


def test_a_model_that_does_not_answer_is_on_hold(file):
    models = {"old": mini.simulated(0.1), "gone": mini.simulated(1.0, down=0.9)}
    assert "old still serves: gone is on HOLD" == mini.cycle(models, file, 0)


def test_equal_models_are_hardly_ever_promoted():
    """The promise: at most ALPHA per cycle before the proof; a one-in-a-million bound on 400 trials."""
    promoted = 0
    for trial in range(400):
        old, twin = mini.simulated(0.7), mini.simulated(0.7000001)
        measured = mini.pairs(twin, old, mini.SEARCH, range(10 * trial, 10 * trial + 3))
        promoted += mini.decide(measured) == "PROMOTE"
    assert binomtest(promoted, 400, mini.ALPHA, alternative="greater").pvalue > 1e-6


@pytest.mark.parametrize(("wins", "losses", "expected"), [(0, 0, 1.0), (5, 0, 1 / 32), (8, 1, 10 / 512)])
def test_the_sign_test_is_exact(wins, losses, expected):
    measured = [(True, False)] * wins + [(False, True)] * losses + [(True, True)] * 7
    assert expected == mini.p_better(measured)
