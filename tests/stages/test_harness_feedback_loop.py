"""Causes are found with evidence, and only where they are."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from harnesslib.harness_feedback_loop import cold_calls, diagnose, recommend, suspects
from harnesslib.records import PhaseConfig, PolicyConfig

POLICY = PolicyConfig()
PHASES = {name: PhaseConfig(suite=name, baseline="steady") for name in ("atomic", "extended")}


def found(demo, cause, model, phase):
    return [
        item
        for item in demo.feedback.findings
        if (item.cause, item.model, item.phase) == (cause, model, phase)
    ]


def findings_of(bench, leaders=None):
    return diagnose(bench.summary(leaders or {}), bench.samples, policy=POLICY, phases=PHASES)


def changed(bench, model, outcome, *, when=lambda sample: True):
    bench.samples = [
        msgspec.structs.replace(s, outcome=outcome, latency_s=None) if s.model == model and when(s) else s
        for s in bench.samples
    ]


def test_only_the_model_that_sleeps_is_suspected(demo) -> None:
    assert demo.suspects == (("sleepy", "atomic"),)


def test_an_endpoint_that_states_a_long_load_beside_timeouts_is_suspected(made_bench) -> None:
    bench = made_bench()
    bench.everybody()
    samples = [s for s in bench.samples if s.model == "steady" and s.phase == "atomic"]
    late = [msgspec.structs.replace(samples[30], outcome="timeout", latency_s=None), *samples[:30]]
    assert suspects(late) == ()
    stated = [*late, msgspec.structs.replace(samples[31], load_s=1.0)]
    assert suspects(stated) == (("steady", "atomic"),)


def test_calls_started_before_a_sleeper_first_answered_are_cold_and_nobody_elses(made_bench) -> None:
    bench = made_bench()
    bench.everybody()
    timed = [
        msgspec.structs.replace(
            sample,
            started_at=sample.started_at + timedelta(seconds=0.1 * sample.position),
            elapsed_s=0.4 if sample.outcome == "timeout" else 0.05,
        )
        for sample in sorted(bench.samples, key=lambda s: s.position)
    ]
    mine = [s for s in timed if s.model == "sleepy"]
    answered = next(s for s in mine if s.outcome != "timeout")
    came = answered.started_at + timedelta(seconds=answered.elapsed_s)
    assert cold_calls(timed) == {s.key for s in mine if s.started_at < came}
    assert {s.outcome for s in mine if s.key in cold_calls(timed)} >= {"timeout"}


def test_a_cold_start_is_confirmed_by_sessions(demo) -> None:
    (finding,) = found(demo, "cold_start", "sleepy", "atomic")
    assert (finding.certainty, finding.p_value) == ("confirmed", 1 / 32)
    assert any("0.0 %" in line and "p = 0.031" in line for line in finding.evidence)
    assert any("4 of the first 8 calls timed out" in line for line in finding.evidence)
    assert "Unload the model" in finding.refute


def test_without_sessions_a_cold_start_is_only_probable(made_bench) -> None:
    bench = made_bench()
    bench.everybody()
    (finding,) = [item for item in findings_of(bench) if item.cause == "cold_start"]
    assert (finding.model, finding.certainty) == ("sleepy", "probable")
    assert "No sessions with and without warm-up were measured." in finding.evidence


def test_nobody_else_is_said_to_start_cold(demo) -> None:
    assert [item.model for item in demo.feedback.findings if item.cause == "cold_start"] == ["sleepy"]


def test_a_model_that_cannot_do_a_phase_is_found_with_counts_and_a_bound(demo) -> None:
    (finding,) = found(demo, "capability_limit", "sprinter", "extended")
    assert finding.certainty == "confirmed"
    assert "of 24 answers to cases that want a call passed" in finding.evidence[0]
    assert finding.posterior > 0.5
    assert len(finding.case_ids) >= 10


def test_nine_failures_in_nine_answers_are_too_few_for_a_limit(made_bench) -> None:
    bench = made_bench()
    bench.everybody()
    mine = [s for s in bench.samples if (s.model, s.phase) == ("sprinter", "extended") and s.wants_call]
    for kept, expected in ((9, []), (10, ["capability_limit"])):
        bench.samples = [msgspec.structs.replace(s, outcome="wrong") for s in mine[:kept]]
        assert [item.cause for item in findings_of(bench)] == expected


def test_timeouts_are_no_lack_of_ability(made_bench) -> None:
    bench = made_bench()
    bench.everybody()
    changed(bench, "twin", "timeout")
    causes = {item.cause for item in findings_of(bench) if item.model == "twin"}
    assert causes == {"timeout_bound"}


def test_timeouts_at_the_start_alone_are_not_timeout_bound(demo) -> None:
    assert [item for item in demo.feedback.findings if item.cause == "timeout_bound"] == []


def test_infrastructure_errors_are_nobodys_wrong_answers(made_bench) -> None:
    bench = made_bench()
    bench.everybody()
    changed(bench, "twin", "infra_error", when=lambda s: s.repeat == 0)
    causes = {(item.cause, item.certainty) for item in findings_of(bench) if item.model == "twin"}
    assert causes == {("infrastructure", "confirmed")}


def test_over_calling_names_the_tool(made_bench) -> None:
    bench = made_bench()
    bench.everybody()
    findings = [item for item in findings_of(bench) if item.cause == "over_calling"]
    (finding,) = [item for item in findings if item.phase == "atomic"]
    assert finding.certainty == "confirmed"
    assert "Called most often: send_email" in finding.evidence[1]
    assert {item.model for item in findings} == {"eager"}


def test_cases_that_the_baseline_failed_say_nothing_about_ability(made_bench, spec_of) -> None:
    bench = made_bench()
    bench.take("screen", [spec_of("sprinter", "extended")], 2, number=1)
    assert [] == [item for item in findings_of(bench) if item.cause == "capability_limit"]


def test_flaky_cases_are_looked_for_in_the_baseline_and_the_leader_only(demo) -> None:
    flaky = [item for item in demo.feedback.findings if item.cause == "flaky"]
    allowed = {("steady", "atomic"), ("steady", "extended"), ("sprinter", "atomic"), ("better", "extended")}
    assert flaky
    assert {(item.model, item.phase) for item in flaky} <= allowed
    for finding in flaky:
        assert len(finding.case_ids) == len(finding.evidence)


def test_cases_that_nobody_passes_count_less_against_one_model(made_bench) -> None:
    bench = made_bench()
    bench.everybody()
    hopeless = {"extended-00", "extended-01"}
    bench.samples = [
        msgspec.structs.replace(s, outcome="wrong") if s.case_id in hopeless else s for s in bench.samples
    ]
    (finding,) = [item for item in findings_of(bench) if item.cause == "capability_limit"]
    assert any("No model ever passed" in line and "extended-00" in line for line in finding.evidence)


def test_the_same_samples_in_any_order_give_the_same_findings(demo) -> None:
    again = diagnose(demo.summary, tuple(reversed(demo.bench.samples)), policy=POLICY, phases=PHASES)
    assert demo.feedback.findings == again


@pytest.mark.parametrize("seed", [1, 4, 8])
def test_every_finding_has_evidence_with_numbers_and_a_way_to_refute_it(run_demo, seed) -> None:
    for finding in run_demo(seed).feedback.findings:
        assert finding.headline
        assert finding.refute.endswith(".")
        assert any(character.isdigit() for line in finding.evidence for character in line)


def test_what_is_recommended_follows_from_what_was_found(demo) -> None:
    proposals = {item.id: item for item in demo.feedback.recommendations}
    assert set(proposals) == {
        "atomic-promote-sprinter",
        "atomic-enable_warmup-sleepy",
        "extended-promote-better",
        "extended-deny-sprinter",
    }
    assert proposals["atomic-enable_warmup-sleepy"].spec.settings.warmup
    assert proposals["extended-deny-sprinter"].fallback_model == "better"


def test_the_baseline_is_never_denied(demo) -> None:
    hopeless = msgspec.structs.replace(
        found(demo, "capability_limit", "sprinter", "extended")[0], model="steady"
    )
    plan = demo.bench.plan()
    assert "extended-deny-steady" not in {
        item.id for item in recommend(demo.summary, [hopeless], plan=plan, policy=POLICY)
    }


def test_a_probable_limit_is_no_reason_to_deny(demo) -> None:
    probable = msgspec.structs.replace(
        found(demo, "capability_limit", "sprinter", "extended")[0], certainty="probable"
    )
    proposed = recommend(demo.summary, [probable], plan=demo.bench.plan(), policy=POLICY)
    assert {item.action for item in proposed} == {"promote"}
