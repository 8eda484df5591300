"""Samples to estimates: rates, two arms, drift."""

from __future__ import annotations

import pandas as pd
import pytest

import harnesslib as hl
from harnesslib.errors import InputError

EXAMPLE = hl.find_runs("example")


def frame(*rows: tuple[str, str, int, int]) -> pd.DataFrame:
    """Make samples: (model, case, passes, calls)."""
    made = [
        {
            "run_id": "r",
            "spec_id": f"{model}/p/1",
            "model": model,
            "requested_model": model,
            "phase": "p",
            "case_id": case,
            "skill": case[0],
            "wants_call": True,
            "cold": False,
            "outcome": "pass" if n < passes else "wrong",
            "stage": "screen",
            "latency_s": 0.1,
            "input_tokens": 10,
            "output_tokens": 1,
            "cost": 0.5,
        }
        for model, case, passes, calls in rows
        for n in range(calls)
    ]
    samples = pd.DataFrame(made)
    samples["served"] = samples["skilled"] = (samples["outcome"] == "pass").astype(float)
    return samples


def test_a_case_that_was_asked_more_often_does_not_weigh_more():
    rates = hl.rates(frame(("m", "a1", 9, 9), ("m", "a2", 0, 1)))
    assert [0.5] == list(rates["served"])
    assert [2] == list(rates["cases"])
    assert rates["served_low"].iloc[0] < 0.5 < rates["served_high"].iloc[0]


def test_what_was_not_measured_is_nan():
    rates = hl.rates(frame(("m", "a1", 1, 2)))
    assert rates[["restraint", "restraint_low", "restraint_high"]].isna().all(axis=None)


def test_rates_of_a_recorded_stage_are_those_of_its_summary():
    run = hl.load_cycles(EXAMPLE).iloc[0]
    samples = hl.load_samples(EXAMPLE, run["run_id"], model=run["baseline_model"], stage="confirm")
    rates = hl.rates(samples).iloc[0]
    recorded = (run["baseline_accuracy"], run["baseline_low"], run["baseline_high"])
    assert recorded == pytest.approx((rates["served"], rates["served_low"], rates["served_high"]))


def test_two_arms_are_paired_by_case_whatever_their_repeats():
    samples = frame(
        ("x", "a1", 2, 2), ("x", "b1", 1, 4), ("y", "a1", 0, 1), ("y", "b1", 2, 2), ("y", "b2", 1, 1)
    )
    both = hl.pairs(hl.arm(samples, "x"), hl.arm(samples, "y"))
    assert [("a1", -1.0), ("b1", 0.75)] == list(zip(both["case_id"], both["change"], strict=True))
    effects = hl.effects(both).set_index("label")
    assert [2, 1, 1] == list(effects.loc[["all cases", "a", "b"], "cases"])
    assert -0.125 == effects.loc["all cases", "value"]


def test_an_arm_of_no_name_is_an_error_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'model-x'"):
        hl.arm(frame(("model-x", "a1", 1, 1)), "model_x")


def test_by_default_the_newest_promotion_is_compared():
    decisions = hl.load_decisions(EXAMPLE)
    newest = decisions[(decisions["verdict"] == "PROMOTE") & (decisions["action"] == "promote")].iloc[-1]
    cycle = hl.load_cycles(EXAMPLE, newest["run_id"]).iloc[0]
    found = hl.arms(EXAMPLE)
    assert (cycle["baseline_model"], newest["model"]) == found.names
    assert {newest["run_id"]} == set(found.samples["run_id"])
    first, second = found.names
    words = f"{second} ({len(found.second)} samples) against {first} ({len(found.first)} samples)"
    assert words == repr(found)


def test_arms_can_be_runs_and_models():
    runs = hl.load_runs(EXAMPLE)
    run = runs[runs["kind"] == "run"]["run_id"].iloc[0]
    found = hl.arms(EXAMPLE, run, "eager")
    assert ("sprinter", "eager") == found.names
    assert {run} == set(found.first["run_id"])


def test_a_model_that_was_swapped_is_an_alarm_and_a_new_baseline_begins_anew():
    scores = hl.drift(hl.load_cycles(EXAMPLE), hl.load_samples(EXAMPLE)).set_index("cycle")
    assert [4] == list(scores.index[scores["alarm"]])[:1]
    assert scores.loc[4, "z"] < -3
    began = scores["baseline_model"] != scores["baseline_model"].shift()
    assert list(began) == list(scores["reference_cycles"] == 0) == list(scores["z"].isna())
    assert [0, 0, 1, 2] == list(scores["reference_cycles"])[:4]


def test_one_model_can_be_looked_up_and_a_wrong_name_is_said():
    samples = hl.benchmark("example")
    assert ({"sprinter"}, {"run"}) == (set(samples["model"]), set(samples["stage"]))
    assert {"eager"} == set(hl.benchmark("example", model="eager")["model"])
    with pytest.raises(InputError, match="no sample of model 'nobody'"):
        hl.benchmark("example", model="nobody")
