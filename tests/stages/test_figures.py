"""Figures: a frame in, a figure out; the same bytes each time, and something true to say about nothing."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest
from matplotlib.figure import Figure

import harnesslib as hl
from harnesslib.frames import columns
from harnesslib.report import figures

EXAMPLE = hl.find_runs("example")
SAMPLES = hl.load_samples(EXAMPLE)
CYCLES = hl.load_cycles(EXAMPLE)
ARMS = hl.arms(EXAMPLE)
EVIL = "<script>$x_1$</script>"


def started() -> pd.DataFrame:
    """Make samples of sessions: cold ones time out."""
    found = SAMPLES.head(8).copy()
    found["session"] = [1, 1, 1, 1, 2, 2, 2, 2]
    found["warmup_s"] = [float("nan")] * 4 + [0.5] * 4
    return found


MADE = {
    "forest": lambda: figures.forest(hl.effects(both()), zone=0.05),
    "accuracy": lambda: figures.accuracy(hl.rates(SAMPLES)),
    "outcomes": lambda: figures.outcomes(SAMPLES),
    "cases": lambda: figures.cases(SAMPLES, most=20),
    "latency": lambda: figures.latency(SAMPLES),
    "frontier": lambda: figures.frontier(hl.rates(SAMPLES)),
    "cold": lambda: figures.cold(started()),
    "baseline": lambda: figures.baseline(CYCLES),
    "drift": lambda: figures.drift(hl.drift(CYCLES, SAMPLES)),
}
NOTHING = {
    "forest": lambda: figures.forest(hl.effects(both().iloc[:0])),
    "accuracy": lambda: figures.accuracy(hl.rates(columns.empty("samples"))),
    "outcomes": lambda: figures.outcomes(columns.empty("samples")),
    "cases": lambda: figures.cases(columns.empty("samples")),
    "latency": lambda: figures.latency(columns.empty("samples")),
    "frontier": lambda: figures.frontier(hl.rates(columns.empty("samples"))),
    "cold": lambda: figures.cold(SAMPLES),
    "baseline": lambda: figures.baseline(columns.empty("cycles")),
    "drift": lambda: figures.drift(hl.drift(CYCLES.head(1), SAMPLES)),
}


def both() -> pd.DataFrame:
    return hl.pairs(ARMS.first, ARMS.second)


@pytest.mark.parametrize("name", MADE)
def test_a_figure_shows_itself_as_one_svg_with_its_finding_in_words(name):
    drawn = MADE[name]()
    assert isinstance(drawn, Figure)
    shown = drawn._repr_html_()
    assert 1 == shown.count("<svg ") == shown.count("<title ")
    assert drawn.description
    assert f"<figure: {drawn.description}>" == repr(drawn)
    assert "var(--mut,#59626d)" in shown


@pytest.mark.parametrize("name", MADE)
def test_the_same_frame_gives_the_same_bytes(name):
    assert MADE[name]()._repr_html_() == MADE[name]()._repr_html_()


@pytest.mark.parametrize("name", NOTHING)
def test_where_there_is_nothing_to_draw_the_figure_says_why(name):
    drawn = NOTHING[name]()
    assert drawn.description.endswith(".")
    assert [drawn.description] == [text.get_text() for text in drawn.texts]


def test_a_figure_can_be_written_as_any_file(tmp_path):
    MADE["accuracy"]().savefig(tmp_path / "accuracy.png")
    assert b"\x89PNG" == (tmp_path / "accuracy.png").read_bytes()[:4]


def test_names_of_models_are_text_in_every_figure():
    evil = SAMPLES.assign(model=EVIL, run_id=EVIL)
    drawn = (
        figures.outcomes(evil),
        figures.latency(evil),
        figures.cases(evil),
        figures.accuracy(hl.rates(evil)),
    )
    assert [] == [one.name for one in drawn if "<script" in one._repr_html_()]


def test_cases_may_have_been_repeated_a_different_number_of_times():
    uneven = SAMPLES[(SAMPLES["repeat"] == 0) | SAMPLES["case_id"].str.contains("direct")]
    assert len(set(uneven.groupby("case_id").size())) > 1
    assert "svg" in figures.cases(uneven)._repr_html_()


def test_the_frontier_is_who_is_beaten_by_nobody():
    rates = pd.DataFrame(
        {
            "model": ["cheap", "worse", "best"],
            "served": [0.7, 0.6, 0.9],
            "cost_per_case": [1.0, 2.0, 3.0],
            "tokens_per_case": [1.0, 1.0, 1.0],
        }
    )
    assert (
        "On the frontier: cheap (70.0\u00a0%) and best (90.0\u00a0%)." == figures.frontier(rates).description
    )


def test_where_no_price_is_known_tokens_stand_for_it():
    free = hl.rates(SAMPLES.assign(cost=0.0))
    assert "tokens of one case" in figures.frontier(free)._repr_html_()


def test_no_pyplot_is_loaded_and_importing_costs_no_matplotlib():
    code = (
        "import sys, harnesslib as hl; hl.figures; assert 'matplotlib' not in sys.modules; "
        "hl.figures.outcomes(hl.load_samples(hl.find_runs('example')))._repr_html_(); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)


def test_a_table_says_unknown_and_shows_whole_texts():
    frame = pd.DataFrame({"a_b": [None, "x" * 80], "n": [-0.12345, float("nan")]})
    shown = hl.table(frame, 2)
    assert "n/a" in shown._repr_html_()
    assert "x" * 80 in shown._repr_html_()
    assert "\u22120.12" in repr(shown)
    assert "&lt;script&gt;" in hl.table(pd.DataFrame({"a": [EVIL]}))._repr_html_()
