"""What the report says, as rows: words and numbers, whatever part of a cycle is missing."""

from __future__ import annotations

import importlib.util
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harnesslib import report
from harnesslib.records import CycleRecords, Estimate
from harnesslib.report.html import escape
from harnesslib.report.view import decisions, effects, measured, numbers, speed, trail
from harnesslib.report.view.verdict import verdict


def _fixture() -> Any:
    path = Path(__file__).resolve().parents[1] / "report_fixture.py"
    spec = importlib.util.spec_from_file_location("report_fixture", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FIXTURE = _fixture()
RECORDS = FIXTURE.demo_records()
PARTS = ("plan", "summary", "feedback", "decisions", "applied", "verifications", "outcome")
PARTS += ("routing_before", "routing_after")


def with_changes(records: CycleRecords, **changes: Any) -> CycleRecords:
    return msgspec.structs.replace(records, **changes)


def without(*names: str) -> CycleRecords:
    return with_changes(RECORDS, **dict.fromkeys(names))


def estimate(value: float | None, low: float | None = None, high: float | None = None) -> Estimate:
    return Estimate(value=value, low=low, high=high, level=0.95, n=9, method="m", reason="too few")


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(1.25, 1, "+1.2"), (-2.94, 1, "\u22122.9"), (-0.04, 1, "0.0"), (0.0, 0, "0"), (-17.6, 0, "\u221218")],
)
def test_a_signed_number_has_a_true_minus_and_zero_has_no_sign(value, digits, text):
    assert text == numbers.signed(value, digits)


def test_an_unknown_number_is_never_shown_as_zero():
    shown = (
        numbers.percent(None),
        numbers.points(None),
        numbers.seconds(None),
        numbers.percent_interval(estimate(None)),
        numbers.points_interval(estimate(None)),
        numbers.probability(None),
    )
    assert ("n/a",) * 6 == shown


def test_a_value_without_bounds_is_shown_without_an_interval():
    assert "91.7\u00a0%" == numbers.percent_interval(estimate(0.917))
    assert "too few" == numbers.span(estimate(0.917))


def test_times_are_told_in_the_unit_that_fits():
    shown = [numbers.seconds(0.0234), numbers.seconds(1.419), numbers.duration(9.44), numbers.duration(725)]
    assert ["23 ms", "1.42 s", "9.4 s", "12 min 05 s"] == [text.replace("\u00a0", " ") for text in shown]
    assert "3\u00a0h 02\u00a0min" == numbers.duration(3 * 3600 + 130)


def test_the_title_says_who_serves_now():
    assert "Atomic is now served by sprinter and extended is now served by better" == verdict(RECORDS).title


def test_the_title_says_so_when_nothing_changed():
    same = with_changes(RECORDS, routing_after=RECORDS.routing_before)
    assert "No change: steady keeps atomic and steady keeps extended" == verdict(same).title


def test_the_title_tells_new_rules_from_new_models():
    before = RECORDS.routing_before
    denied = msgspec.structs.replace(before.rules[0], allow=False)
    after = msgspec.structs.replace(before, rules=(denied, *before.rules[1:]))
    assert (
        "The same models serve, under new rules" == verdict(with_changes(RECORDS, routing_after=after)).title
    )


@pytest.mark.parametrize(
    ("status", "title"),
    [
        ("running", "This cycle is still running"),
        ("failed", "This cycle stopped before its end"),
        ("lost", "This cycle stopped before its end"),
        ("done", "This cycle ended without an outcome"),
    ],
)
def test_a_cycle_without_an_outcome_has_no_verdict(status, title):
    manifest = msgspec.structs.replace(FIXTURE.manifest(status), reason="")
    view = verdict(with_changes(RECORDS, outcome=None, manifest=manifest))
    assert title == view.title
    assert view.tone != "good"


def test_the_credited_gain_is_the_verified_one():
    facts = {fact.value for fact in verdict(RECORDS).facts}
    assert {"+11.8 points", "+20.5 points"} <= facts


def test_every_decision_has_a_row_and_promoted_ones_come_first():
    rows = decisions.decisions(RECORDS)
    assert len(RECORDS.decisions.decisions) == len(rows)
    assert ["PROMOTE"] * 4 + ["HOLD"] * 3 + ["REJECT"] * 4 == [row.verdict for row in rows]
    assert all(row.gates for row in rows)


def test_a_promoted_change_that_was_not_verified_says_so():
    proofs = {row.proof for row in decisions.decisions(without("verifications")) if row.verdict == "PROMOTE"}
    assert {"not measured"} == proofs


def test_a_decision_names_the_calls_behind_it():
    calls = {(row.model, row.change): row.calls for row in decisions.decisions(RECORDS)}
    assert "24\u00a0\u00d7\u00a05, confirm" == calls["sprinter", "serve atomic"]
    assert "20 calls, screen" == calls["twin", "serve atomic"]
    assert "5 session pairs" == calls["sleepy", "warm up before atomic"]


def test_stages_of_a_model_stand_together_in_the_forest():
    forest = effects.forests(RECORDS)[0]
    sprinter = [place for place, row in enumerate(forest.rows) if row.label == "sprinter"]
    assert list(range(sprinter[0], sprinter[0] + 3)) == sprinter
    assert ["screen", "confirm", "verify"] == [forest.rows[place].stage for place in sprinter]


def test_an_unknown_effect_is_named_and_not_drawn():
    forest = effects.forests(RECORDS)[0]
    assert ("sleepy (another one promises more)",) == forest.unknown
    assert "sleepy" not in {row.label for row in forest.rows}


def test_the_worst_cases_come_first_and_flawless_ones_are_left_out():
    grid = measured.case_grid(RECORDS, "atomic")
    rates = [row.candidate.count("pass") / (5 - row.candidate.count("infra_error")) for row in grid.rows]
    assert sorted(rates) == rates
    assert 24 == len(grid.rows) + grid.flawless


def test_a_repeat_that_was_not_measured_is_missing_and_not_a_failure():
    summary = RECORDS.summary
    cut = tuple(
        msgspec.structs.replace(item, cases=item.cases[1:]) if item.spec.model == "sprinter" else item
        for item in summary.specs
    )
    changed = with_changes(RECORDS, summary=msgspec.structs.replace(summary, specs=cut))
    row = next(row for row in measured.case_grid(changed, "atomic").rows if row.case_id == "ato-01")
    assert ("missing",) * 5 == row.candidate
    assert ("n/a", "n/a") == (row.rate, row.change)


def test_latency_curves_end_at_all_answers_and_hold_their_percentiles():
    figure = speed.latency_figures(RECORDS)[0]
    values = figure.candidate.seconds
    assert sorted(values) == list(values)
    assert figure.candidate.p50 < figure.candidate.p95 <= values[-1]


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 2.5), (1.0, 4.0), (0.25, 1.75)])
def test_a_quantile_interpolates(share, value):
    assert value == speed.quantile((1.0, 2.0, 3.0, 4.0), share)


def test_first_calls_are_counted_from_the_load():
    figure = speed.cold_figures(RECORDS)[0]
    assert 40 == len(figure.calls)
    assert {1, 2, 3, 4} == {call.place for call in figure.calls}
    assert 0.4 == figure.deadline_s


def test_the_budget_adds_up():
    rows = trail.budget(RECORDS)
    parts = [int(row.samples.replace(",", "")) for row in rows]
    assert sum(parts[:-1]) == parts[-1] == len(RECORDS.samples)


def test_what_the_budget_does_not_know_is_not_zero():
    first, second, third = RECORDS.samples[:3]
    silent = {"input_tokens": None, "output_tokens": None}
    some = with_changes(
        RECORDS,
        samples=(
            msgspec.structs.replace(first, input_tokens=1000, output_tokens=200, cost=0.25),
            msgspec.structs.replace(second, **silent, cost=0.5),
            msgspec.structs.replace(third, **silent),
        ),
    )
    assert ("1,200 (1 of 3)", "0.7500 (2 of 3)") == (
        trail.budget(some)[-1].tokens,
        trail.budget(some)[-1].cost,
    )
    assert {"n/a"} == {row.cost for row in trail.budget(RECORDS)}
    assert "n/a" == trail.budget(with_changes(some, samples=some.samples[2:]))[-1].tokens


def test_history_needs_two_cycles():
    assert () == trail.history(with_changes(RECORDS, history=()))
    assert 2 == len(trail.history(RECORDS)[0].values)


@pytest.mark.parametrize("number", range(len(PARTS) + 1))
def test_every_section_works_after_every_stage(number):
    manifest = FIXTURE.manifest(("running", "failed", "done")[number % 3])
    cut = with_changes(without(*PARTS[number:]), manifest=manifest)
    for make in report.SECTIONS:
        assert make(cut).html


@pytest.mark.parametrize("gone", [*combinations(PARTS, 1), *combinations(PARTS, 2)])
def test_every_section_works_with_any_part_missing(gone):
    for make in report.SECTIONS:
        if make not in {report.speed, report.effects}:  # drawn above; drawing is slow
            assert make(without(*gone)).html


def test_every_section_works_with_nothing_but_a_manifest():
    bare = CycleRecords(manifest=FIXTURE.manifest("failed"))
    for make in report.SECTIONS:
        assert make(bare).html


def test_a_missing_part_is_told_with_its_reason():
    manifest = msgspec.structs.replace(FIXTURE.manifest("failed"), reason="stopped by SIGTERM")
    html = report.decisions(with_changes(without("decisions"), manifest=manifest)).html
    assert "the cycle stopped (stopped by SIGTERM) before it came to decisions" in html


def test_a_cycle_with_nobody_to_compare_says_so():
    alone = msgspec.structs.replace(RECORDS.summary, comparisons=(), sessions=())
    none = FIXTURE.Decisions(run_id="r", decisions=())
    changed = with_changes(RECORDS, summary=alone, decisions=none, selection=None, verifications=None)
    for make in (report.effects, report.cases, report.speed, report.confirmation):
        assert "No candidate was compared with a baseline in this cycle." in make(changed).html
    assert "No change was proposed." in report.verdict(changed).html
    assert "Nothing was proposed, so nothing was decided." in report.decisions(changed).html


def test_simulated_models_are_called_simulated():
    real = msgspec.structs.replace(RECORDS.manifest, simulated=False)
    assert "Simulated." in report.verdict(RECORDS).html
    assert "Simulated." not in report.verdict(with_changes(RECORDS, manifest=real)).html


def test_text_is_escaped_and_control_characters_are_made_visible():
    assert "&lt;b&gt;\ufffd\ufffd&quot;" == escape('<b>\x1b\u202e"')


def test_a_section_names_itself_where_nothing_else_can_be_shown():
    both = report.verdict(RECORDS) + report.budget(RECORDS)
    assert "<report section: verdict, budget>" == repr(both)
    assert both.html == both._repr_html_()
