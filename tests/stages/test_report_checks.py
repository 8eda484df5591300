"""What the report says about the measurement itself: checks that demote, the control, uneven repeats."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harnesslib import report
from harnesslib.records import BudgetConfig, CycleRecords, Held, Proposed, Summary
from harnesslib.report.view.checks import checks, demoting
from harnesslib.report.view.control import controls, drifts
from harnesslib.report.view.decisions import decisions
from harnesslib.report.view.effects import forests
from harnesslib.report.view.fallback import fallbacks
from harnesslib.report.view.learnings import learnings, optimism
from harnesslib.report.view.looks import contests, look_rows, screen_rows
from harnesslib.report.view.measured import models
from harnesslib.report.view.runs import runs_figures
from harnesslib.report.view.settling import settling
from harnesslib.report.view.tradeoff import tradeoffs
from harnesslib.report.view.trail import predicted
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


def changed(records: CycleRecords = RECORDS, **fields: Any) -> CycleRecords:
    return msgspec.structs.replace(records, **fields)


def sampled(change) -> CycleRecords:
    """Return the records with every sample replaced by what `change` makes of it; none drops it."""
    made = (change(sample) for sample in RECORDS.samples)
    return changed(samples=tuple(sample for sample in made if sample is not None))


def state(records: CycleRecords, name: str) -> str:
    return next(row.state for row in checks(records) if row.name.startswith(name))


def put(sample, **fields):
    return msgspec.structs.replace(sample, **fields)


def test_a_sound_cycle_passes_every_check():
    assert {"good"} == {row.state for row in checks(RECORDS)}
    assert () == demoting(RECORDS)
    assert () == verdict(RECORDS).doubts


def test_a_cycle_without_samples_has_no_checks():
    assert () == checks(changed(samples=()))


def test_a_baseline_that_differs_from_itself_demotes_the_verdict():
    def every_second_fails(sample):
        if sample.model != "steady" or sample.stage != "confirm":
            return sample
        return put(sample, outcome="pass" if (sample.repeat + int(sample.case_id[4:])) % 2 else "wrong")

    broken = sampled(every_second_fails)
    assert "bad" == state(broken, "A/A control (atomic)")
    view = verdict(broken)
    assert ("bad", "in doubt: changed and proven") == (view.tone, view.word)
    assert "A/A control (atomic)" in view.doubts
    assert "Don&#x27;t take this at its word: A/A control (atomic)" in report.verdict(broken).html


def test_a_baseline_that_gets_worse_while_it_is_measured_demotes_the_verdict():
    late = sampled(
        lambda s: put(s, outcome="wrong" if s.repeat >= 2 else "pass") if s.model == "steady" else s
    )
    assert "bad" == state(late, "No drift (atomic)")


def test_an_arm_that_always_comes_first_is_found():
    first = sampled(lambda s: put(s, position=10**6 + s.position) if s.model == "steady" else s)
    assert "bad" == state(first, "Order balanced (atomic)")
    assert "sprinter was asked first in 120 of 120 pairs." in [row.finding for row in checks(first)]


def test_lost_pairs_are_counted_against_those_asked():
    def lose(comparison):
        return put(comparison, dropped_blocks=11) if comparison.stage == "confirm" else comparison

    summary = RECORDS.summary
    lost = changed(summary=put(summary, comparisons=tuple(map(lose, summary.comparisons))))
    assert "bad" == state(lost, "Missing answers")
    assert "22 of 210 pairs" in next(row.finding for row in checks(lost) if row.name == "Missing answers")


def test_infrastructure_errors_ask_for_a_look_and_fail_where_they_blocked_a_gate():
    some = sampled(lambda s: put(s, outcome="infra_error") if s.repeat == 0 and s.model == "twin" else s)
    assert "look" == state(some, "Infrastructure")
    made = RECORDS.decisions.decisions
    gate = FIXTURE.gate("infra_share", "unknown", "30 %", "at most 10 %")
    blocked = changed(decisions=put(RECORDS.decisions, decisions=(put(made[0], gates=(gate,)), *made[1:])))
    assert "bad" == state(blocked, "Infrastructure")


def test_runs_that_differ_beyond_chance_are_found():
    def differ(comparison):
        return put(comparison, overdispersion_p=0.0005)

    summary = RECORDS.summary
    wild = changed(summary=put(summary, comparisons=tuple(map(differ, summary.comparisons))))
    assert "bad" == state(wild, "Runs alike")
    unknown = tuple(put(c, overdispersion_p=None) for c in summary.comparisons)
    assert "unknown" == state(changed(summary=put(summary, comparisons=unknown)), "Runs alike")


@pytest.mark.parametrize(("attempts", "expected"), [(1, "good"), (3, "bad")])
def test_retries_are_counted(attempts, expected):
    assert expected == state(sampled(lambda s: put(s, attempts=attempts)), "Retries")


def test_a_model_that_answers_under_two_names_is_named():
    swapped = sampled(lambda s: put(s, served_model="other") if s.model == "twin" and s.repeat else s)
    assert "look" == state(swapped, "Same model")
    assert any("twin (other, twin)" in row.finding for row in checks(swapped))


def test_a_holdout_case_that_was_used_before_demotes_the_verdict():
    used = sampled(lambda s: put(s, case_id=f"{s.phase[:3]}-01") if s.stage == "verify" else s)
    assert "bad" == state(used, "Fresh calls")


def test_the_control_halves_are_of_one_size_and_its_own_stage():
    found = {control.phase: control for control in controls(RECORDS)}
    assert {"atomic", "extended"} == set(found)
    assert ("steady", 24) == (found["atomic"].model, found["atomic"].cases)
    assert "confirmation" in found["atomic"].how
    assert found["atomic"].effect.low < 0 < found["atomic"].effect.high


def test_the_control_falls_back_on_the_screen_and_is_absent_where_cases_were_asked_once():
    no_confirm = sampled(lambda s: None if s.stage == "confirm" else s)
    assert "screen" in controls(no_confirm)[0].how
    once = sampled(lambda s: s if s.repeat == 0 else None)
    assert ((), ()) == (controls(once), drifts(once))
    assert all(item.control is None for item in forests(once))


def uneven() -> CycleRecords:
    """As an adaptive design leaves it: after two repeats only every third case goes on."""
    return sampled(lambda s: None if s.stage == "confirm" and s.repeat >= 2 and int(s.case_id[4:]) % 3 else s)


def test_repeats_may_differ_from_case_to_case():
    figure = runs_figures(uneven())[0]
    assert [True, True, False, False, False] == [run.whole for run in figure.baseline.runs]
    assert figure.baseline.mean == sum(run.accuracy for run in figure.baseline.runs[:2]) / 2
    assert "good" == state(uneven(), "A/A control (atomic)")
    html = "".join(make(uneven()).html for make in report.SECTIONS)
    assert "a run that asked a part of the cases only" in html


def test_a_single_run_has_no_spread():
    once = sampled(lambda s: s if s.repeat == 0 or s.model == "steady" else None)
    figure = runs_figures(once)[0]
    assert figure.candidate.spread is None
    assert figure.baseline.spread is not None


def test_the_frontier_holds_who_nobody_beats_on_both():
    for item in tradeoffs(RECORDS):
        best = [offer for offer in item.offers if offer.best]
        for offer in item.offers:
            beaten = any(o.cost <= offer.cost and o.accuracy > offer.accuracy for o in best)
            assert not (offer.best and beaten)
            assert offer.best or any(o.cost <= offer.cost and o.accuracy >= offer.accuracy for o in best)
        assert item.unit == "median wait of one case, s"


def test_money_is_the_cost_where_prices_are_known():
    summary: Summary = RECORDS.summary
    priced = tuple(put(item, cost=0.002 * item.samples, cost_samples=item.samples) for item in summary.specs)
    found = tradeoffs(changed(summary=put(summary, specs=priced)))[0]
    assert "money per 1,000 cases" == found.unit
    assert {2.0} == {round(offer.cost, 9) for offer in found.offers}


def test_a_fallback_is_shown_with_what_it_serves_and_what_the_denied_model_did():
    rows = fallbacks(RECORDS)
    assert [("sprinter", "extended", "better", "kept")] == [
        (r.denied, r.phase, r.fallback, r.result) for r in rows
    ]
    evidence = FIXTURE.summary([s for s in RECORDS.samples if s.stage == "confirm"])
    behind = tuple(
        put(item, stage="verify_fallback") for item in evidence.specs if item.spec.model == "better"
    )
    with_evidence = put(RECORDS.verifications, evidence=put(evidence, specs=behind))
    shown = fallbacks(changed(verifications=with_evidence))[0]
    assert "90 calls" == shown.asked
    assert "n/a" != shown.served


def test_a_share_on_chosen_cases_is_never_called_an_accuracy():
    summary = RECORDS.summary
    chosen = tuple(put(item, selected=item.stage == "screen") for item in summary.specs)
    records = changed(summary=put(summary, specs=chosen))
    assert "n/a" == fallbacks(records)[0].own
    served = {(r.model, r.stage): (r.served, r.skill) for r in models(records, "extended")}
    assert ("12 of 36 calls that the baseline fails", "n/a") == served["sprinter", "screen"]
    offers = {offer.label: offer for offer in tradeoffs(records)[0].offers}
    assert "promise of the screen" == offers["better"].stage
    assert offers["better"].low is None
    assert "sleepy" not in offers


def test_what_would_settle_an_open_question_has_its_price_in_calls():
    held = [d for d in RECORDS.decisions.decisions if d.verdict == "HOLD"]
    said = {d.recommendation.id: settling(RECORDS, d) for d in held}
    assert "A confirmation of its own: the one made here took 240\u00a0calls" in said["atomic-promote-twin"]
    assert {""} == {settling(RECORDS, d) for d in RECORDS.decisions.decisions if d.verdict != "HOLD"}
    rows = RECORDS.selection.screened
    poor = put(RECORDS.selection, screened=tuple(put(row, gain=-0.01) for row in rows))
    assert "no number of calls is worth it" in settling(changed(selection=poor), held[0])


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (0.05, "if the effect is real"),
        (0.002, "takes more than 50 times the calls made"),
        (-0.01, "no number of calls is worth it"),
    ],
)
def test_a_confirmation_that_stayed_open_is_priced_by_what_it_saw(effect, said):
    leader = next(d for d in RECORDS.decisions.decisions if d.recommendation.id == "atomic-promote-sprinter")
    gate = FIXTURE.gate("accuracy_gain", "unknown", "+2", "p at most 0.05", "more rounds")
    open_one = put(leader, verdict="HOLD", gates=(gate,))
    summary = RECORDS.summary
    seen = tuple(put(c, effect=FIXTURE.estimate(effect)) for c in summary.comparisons)
    told = settling(changed(summary=put(summary, comparisons=seen)), open_one)
    assert told.startswith("More rounds. ")
    assert said in told


def test_the_learnings_tell_what_follows_from_every_change():
    rows = learnings(RECORDS)
    assert len(RECORDS.decisions.decisions) == len(rows)
    assert "It held on fresh cases: in force." == rows[0].lesson
    assert any(row.lesson.startswith("Fails latency:") for row in rows)
    assert "in the screen than it proved to be on fresh cases" in optimism(RECORDS)
    undone = tuple(put(item, kept=False) for item in RECORDS.verifications.verifications)
    back = changed(verifications=put(RECORDS.verifications, verifications=undone))
    assert learnings(back)[0].lesson.startswith("It did not hold on fresh cases")
    assert "" == optimism(changed(verifications=None))


def test_a_change_that_waits_for_a_person_is_called_so():
    first = RECORDS.decisions.decisions[0]
    waiting = Held(decision_id=first.id, phase="atomic", because="propose", reason="a person decides")
    kept = Proposed(run_id=FIXTURE.RUN, generation=1, parent_sha256="", held=(waiting,), diff=())
    records = changed(proposed=kept, verifications=None)
    assert "held" == decisions(records)[0].proof
    assert "Not put in force: it waits for a person." == learnings(records)[0].lesson
    assert "waits for a person" in report.decisions(records).html


def test_every_contest_is_told_with_its_looks():
    found = contests(RECORDS)
    assert [("atomic", "sprinter", "proven"), ("extended", "better", "proven")] == [
        (one.phase, one.candidate, one.state[2]) for one in found
    ]
    rows = look_rows(found[0])
    assert ["open", "open", "reached"] == [row.result for row in rows]
    assert "\u2013" == rows[0].critical


def test_everybody_in_the_screen_is_named_the_most_promising_first():
    rows = screen_rows(RECORDS)
    assert len(RECORDS.selection.screened) == len(rows)
    assert ("sprinter", "goes on: it leads") == (rows[0].model, rows[0].reason)
    assert ("sleepy", "0 calls", "n/a", "n/a") == tuple(
        getattr(rows[4], name) for name in ("model", "asked", "right", "promise")
    )


def test_the_budget_tells_what_is_left():
    used = sum(sample.requests for sample in RECORDS.samples)
    assert f"{used:,} requests were made, 84\u00a0% of them. No limit was set." in predicted(RECORDS)
    budget = BudgetConfig(max_calls=used + 100, max_cost=2.5, max_minutes=10)
    limited = changed(plan=put(RECORDS.plan, budget=budget))
    known = "2.5 of cost (going by the calls whose cost is known) 2.5 is"
    left = f"Of the budget's {used + 100:,} calls 100 are, {known} and 10 minutes 9.8 are left."
    assert predicted(limited).endswith(left)
