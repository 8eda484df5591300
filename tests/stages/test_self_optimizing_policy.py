"""Gates, verdicts and what is kept."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from harnesslib.records import GateResult, PhaseConfig, PolicyConfig
from harnesslib.self_optimizing_policy import GATES, decide, decide_all, unfit, verify, why_dropped
from harnesslib.self_optimizing_policy.counts import Counts
from harnesslib.self_optimizing_policy.gate import verdict_of
from harnesslib.summarize import summarize

POLICY = PolicyConfig()
PROMOTION = (
    "infra_share",
    "coverage",
    "min_samples",
    "accuracy_gain",
    "variance",
    "no_regression",
    "restraint",
    "accuracy_floor",
    "latency",
    "cost",
    "replicates",
)
REPLACED = msgspec.structs.replace


def gate(decision, name):
    return next(item for item in decision.gates if item.name == name)


def decision_of(demo, name):
    return next(item for item in demo.decisions.decisions if item.recommendation.id == name)


def decided_again(demo, name, *, policy=POLICY, phase=None, **changes):
    """Decide once more, with fields of the confirmation replaced."""
    recommendation = decision_of(demo, name).recommendation
    comparisons = tuple(
        REPLACED(item, **changes)
        if item.stage == "confirm" and item.candidate.id == recommendation.spec.id
        else item
        for item in demo.summary.comparisons
    )
    summary = REPLACED(demo.summary, comparisons=comparisons)
    phase = phase or PhaseConfig(suite="atomic", baseline="steady")
    return decide(recommendation, summary, policy=policy, phase=phase, run_id="r1")


def test_any_fail_rejects_else_any_unknown_holds_else_it_is_promoted() -> None:
    for states in itertools.product(("pass", "fail", "unknown"), repeat=3):
        results = [GateResult(name="g", verdict=state, observed="", threshold="") for state in states]
        expected = "REJECT" if "fail" in states else "HOLD" if "unknown" in states else "PROMOTE"
        assert verdict_of(results) == expected


def test_every_gate_is_in_the_table_with_its_meaning() -> None:
    assert tuple(item.name for item in GATES["promote"]) == PROMOTION
    assert [item.name for item in GATES["enable_warmup"]] == [
        "infra_share",
        "min_sessions",
        "cold_start_effect",
        "load",
    ]
    assert [item.name for item in GATES["deny"]] == ["infra_share", "min_samples", "capability", "fallback"]
    assert all(item.meaning.endswith(".") for gates in GATES.values() for item in gates)


def test_every_decision_shows_every_gate(demo) -> None:
    for decision in demo.decisions.decisions:
        table = GATES[decision.recommendation.action]
        assert [item.name for item in table] == [item.name for item in decision.gates]
        assert all(item.observed and item.threshold for item in decision.gates)
        assert all(bool(item.settle) == (item.verdict == "unknown") for item in decision.gates)


def test_the_demo_comes_to_the_right_conclusions(demo) -> None:
    expected = {
        "atomic-promote-sprinter": "PROMOTE",
        "atomic-enable_warmup-sleepy": "PROMOTE",
        "extended-promote-better": "PROMOTE",
        "extended-deny-sprinter": "PROMOTE",
        "atomic-promote-twin": "HOLD",
        "atomic-promote-better": "HOLD",
        "atomic-promote-sleepy": "HOLD",
        "atomic-promote-eager": "HOLD",
        "extended-promote-twin": "HOLD",
        "extended-promote-sprinter": "HOLD",
        "extended-promote-eager": "HOLD",
    }
    assert demo.verdicts() == expected
    assert {item.id for item in demo.decisions.decisions} == {f"r1:{name}" for name in expected}


@pytest.mark.parametrize("seed", range(20, 28))
def test_whatever_the_luck_no_wrong_model_is_promoted(run_demo, seed) -> None:
    promoted = {item.recommendation.id for item in run_demo(seed).decisions.promoted}
    allowed = {
        "atomic-promote-sprinter",
        "atomic-enable_warmup-sleepy",
        "extended-promote-better",
        "extended-deny-sprinter",
    }
    assert promoted <= allowed


def test_the_reasons_name_what_decided(demo) -> None:
    said = {item.recommendation.id: item.reason for item in demo.decisions.decisions}
    assert "beats steady by +" in said["atomic-promote-sprinter"]
    assert said["atomic-promote-better"] == "better was not confirmed: it takes too long."
    assert said["atomic-promote-twin"].startswith(
        "twin was not confirmed: on the cases that the baseline failed"
    )
    assert "better serves instead" in said["extended-deny-sprinter"]


def test_a_candidate_that_was_only_screened_is_never_promoted(demo) -> None:
    confirmed = set(demo.summary.leaders.values())
    for decision in demo.decisions.decisions:
        proposal = decision.recommendation
        if proposal.action == "promote" and proposal.spec.id not in confirmed:
            assert {"unknown"} == {item.verdict for item in decision.gates}
            assert "it got no fresh calls" == decision.effect.reason


def test_the_gain_must_be_proven(demo) -> None:
    assert (
        gate(decided_again(demo, "atomic-promote-sprinter", p_value=0.05), "accuracy_gain").verdict == "pass"
    )
    missed = decided_again(demo, "atomic-promote-sprinter", p_value=0.051)
    assert (missed.verdict, gate(missed, "accuracy_gain").verdict) == ("HOLD", "unknown")
    assert "a gain below +" in gate(missed, "accuracy_gain").settle
    worse = decided_again(demo, "atomic-promote-sprinter", p_value=0.99, harm_p_value=0.04)
    assert worse.verdict == "REJECT"


def test_equal_models_are_held_and_not_promoted(demo) -> None:
    # 0 against 0 of everything: an equal candidate must never pass
    level = REPLACED(demo.summary.comparisons[0].effect, value=0.0, low=-0.05, high=0.05)
    same = decided_again(demo, "atomic-promote-sprinter", effect=level, p_value=1.0, harm_p_value=1.0)
    assert same.verdict == "HOLD"


@pytest.mark.parametrize("accuracy", [0.0, 0.5, 1.0])
def test_an_equal_model_is_never_promoted(demo, made_bench, spec_of, truth, accuracy) -> None:
    restraint = 1.0 if accuracy else 0.0
    both = {(name, "atomic"): truth(accuracy, restraint=restraint) for name in ("steady", "sprinter")}
    bench, arms = made_bench(truths=both), [spec_of("steady", "atomic"), spec_of("sprinter", "atomic")]
    bench.take("confirm", arms, 5)
    pair = ("confirm", arms[1].id, arms[0].id)
    summary = summarize(bench.samples, bench.specs, [pair], run_id="r1", leaders={}, policy=POLICY)
    again = decide(
        decision_of(demo, "atomic-promote-sprinter").recommendation,
        summary,
        policy=POLICY,
        phase=PhaseConfig(suite="atomic", baseline="steady"),
        run_id="r1",
    )
    assert again.verdict == ("HOLD" if accuracy else "REJECT")
    assert gate(again, "accuracy_gain").verdict == "unknown"


def test_latency_is_judged_by_its_bounds_and_not_by_its_point(demo) -> None:
    for low, high, expected in ((1.0, 1.2, "pass"), (1.1, 1.3, "unknown"), (1.21, 1.3, "fail")):
        ratio = REPLACED(demo.summary.comparisons[0].latency_ratio, value=1.15, low=low, high=high)
        again = decided_again(demo, "atomic-promote-sprinter", latency_ratio=ratio)
        assert gate(again, "latency").verdict == expected


def test_cost_is_judged_only_where_a_limit_is_set(demo) -> None:
    name, ratio = "atomic-promote-sprinter", demo.summary.comparisons[0].latency_ratio
    limited = PhaseConfig(suite="atomic", baseline="steady", max_cost_increase=0.5)
    for low, high, expected in ((1.0, 1.5, "pass"), (1.2, 1.6, "unknown"), (1.51, 1.7, "fail")):
        dear = REPLACED(ratio, value=1.5, low=low, high=high)
        assert gate(decided_again(demo, name, cost_ratio=dear, phase=limited), "cost").verdict == expected
        assert gate(decided_again(demo, name, cost_ratio=dear), "cost").verdict == "pass"
    unknown = gate(decided_again(demo, name, cost_ratio=None, phase=limited), "cost")
    assert ("unknown", "state the prices of both models in harness.toml") == (unknown.verdict, unknown.settle)


def test_repeats_that_look_cached_hold_whoever_gave_them(demo, phases) -> None:
    measured = demo.bench.measured(demo.leaders)
    for model in ("steady", "sprinter"):
        copies = REPLACED(demo.feedback.findings[0], cause="cached_replicates", phase="atomic", model=model)
        feedback = REPLACED(demo.feedback, findings=(copies,))
        made = decide_all(feedback, demo.summary, measured, policy=POLICY, phases=phases)
        verdicts = {item.recommendation.id: item.verdict for item in made.decisions}
        assert ("HOLD", "PROMOTE") == (
            verdicts["atomic-promote-sprinter"],
            verdicts["extended-promote-better"],
        )


def test_restraint_needs_a_floor_and_no_loss(demo) -> None:
    name = "atomic-promote-sprinter"
    lost = decided_again(demo, name, restraint_p_value=0.2)
    assert gate(lost, "restraint").verdict == "unknown"
    harmed = decided_again(demo, name, restraint_p_value=0.2, restraint_harm_p_value=0.01)
    assert gate(harmed, "restraint").verdict == "fail"
    strict = decided_again(demo, name, policy=PolicyConfig(restraint_floor=0.99))
    assert gate(strict, "restraint").verdict == "unknown"


def test_unmeasured_restraint_is_unknown_and_no_error(demo) -> None:
    unmeasured = {"restraint_p_value": None, "restraint_harm_p_value": None}
    again = decided_again(demo, "atomic-promote-sprinter", **unmeasured)
    assert (again.verdict, gate(again, "restraint").verdict) == ("HOLD", "unknown")


def test_runs_that_differ_too_much_hold(demo) -> None:
    again = decided_again(demo, "atomic-promote-sprinter", overdispersion_p=0.005)
    assert (again.verdict, gate(again, "variance").verdict) == ("HOLD", "unknown")
    wide = decided_again(demo, "atomic-promote-sprinter", standard_error=0.051)
    assert gate(wide, "variance").verdict == "unknown"


def test_too_many_infrastructure_errors_hold_every_action(demo) -> None:
    broken = tuple(
        REPLACED(item, infra_share=0.5, outcomes={"infra_error": item.samples}) for item in demo.summary.specs
    )
    summary = REPLACED(demo.summary, specs=broken)
    for recommendation in demo.feedback.recommendations:
        phase = PhaseConfig(suite="atomic", baseline="steady")
        again = decide(recommendation, summary, policy=POLICY, phase=phase, run_id="r1")
        assert gate(again, "infra_share").verdict == "unknown"
        assert again.verdict == "HOLD"
        assert "infrastructure errors" in again.reason


def test_a_missing_case_or_too_few_calls_hold(demo) -> None:
    assert gate(decided_again(demo, "atomic-promote-sprinter", cases=23), "coverage").verdict == "unknown"
    assert gate(decided_again(demo, "atomic-promote-sprinter", repeats=2), "min_samples").verdict == "unknown"


def test_a_skill_that_is_proven_worse_rejects_whatever_the_rest_gained(demo) -> None:
    leader_id = demo.summary.leaders["atomic"]
    specs = tuple(
        REPLACED(item, cases=tuple(_lost(case) if case.skill == "skill-0" else case for case in item.cases))
        if item.spec.id == leader_id and item.stage == "confirm"
        else item
        for item in demo.summary.specs
    )
    recommendation = decision_of(demo, "atomic-promote-sprinter").recommendation
    again = decide(
        recommendation,
        REPLACED(demo.summary, specs=specs),
        policy=POLICY,
        phase=PhaseConfig(suite="atomic", baseline="steady"),
        run_id="r1",
    )
    assert gate(again, "no_regression").verdict == "fail"
    assert "worst skill skill-0" in gate(again, "no_regression").observed


def _lost(case):
    return REPLACED(case, outcomes=("wrong",) * len(case.outcomes))


def test_four_sessions_are_too_few_for_a_warmup_rule(made_bench, demo) -> None:
    recommendation = decision_of(demo, "atomic-enable_warmup-sleepy").recommendation
    phase = PhaseConfig(suite="atomic", baseline="steady")
    verdicts = []
    for pairs in (0, 4, 5):
        bench = made_bench()
        bench.sessions("sleepy", "atomic", pairs=pairs)
        verdicts.append(
            decide(recommendation, bench.summary({}), policy=POLICY, phase=phase, run_id="r1").verdict
        )
    assert verdicts == ["HOLD", "HOLD", "PROMOTE"]


def test_a_warmup_that_does_not_help_is_held(made_bench, demo, truth) -> None:
    bench = made_bench(truths={("sleepy", "atomic"): truth(0.99)})
    bench.sessions("sleepy", "atomic")
    recommendation = decision_of(demo, "atomic-enable_warmup-sleepy").recommendation
    phase = PhaseConfig(suite="atomic", baseline="steady")
    summary = summarize(bench.samples, bench.specs, [], run_id="r1", leaders={}, policy=POLICY)
    again = decide(recommendation, summary, policy=POLICY, phase=phase, run_id="r1")
    assert (again.verdict, gate(again, "cold_start_effect").verdict) == ("HOLD", "unknown")


def test_a_denial_falls_back_on_the_baseline_if_the_leader_is_not_promoted(demo, phases) -> None:
    comparisons = tuple(
        REPLACED(item, p_value=0.5) if item.stage == "confirm" else item for item in demo.summary.comparisons
    )
    summary = REPLACED(demo.summary, comparisons=comparisons)
    measured = demo.bench.measured(demo.leaders)
    decided = decide_all(demo.feedback, summary, measured, policy=POLICY, phases=phases)
    denial = next(item for item in decided.decisions if item.recommendation.action == "deny")
    assert (denial.recommendation.fallback_model, denial.verdict) == ("steady", "PROMOTE")
    assert decision_of(demo, "extended-deny-sprinter").recommendation.fallback_model == "better"


def test_nobody_is_denied_in_favour_of_a_model_that_was_not_measured(demo) -> None:
    proposal = REPLACED(decision_of(demo, "extended-deny-sprinter").recommendation, fallback_model="ghost")
    again = decide(
        proposal,
        demo.summary,
        policy=POLICY,
        phase=PhaseConfig(suite="extended", baseline="steady"),
        run_id="r1",
    )
    assert (again.verdict, gate(again, "fallback").verdict) == ("HOLD", "unknown")


def test_who_fails_too_often_or_takes_too_long_gets_no_more_calls(demo, phases) -> None:
    limits = {"policy": POLICY, "phase": phases["atomic"]}
    ratio = REPLACED(demo.summary.comparisons[0].latency_ratio, value=1.4, low=1.2, high=1.6)
    assert "" == unfit(0.1, ratio, **limits) == unfit(0.0, REPLACED(ratio, low=None), **limits)
    assert unfit(0.11, ratio, **limits).startswith("11.0 % of its calls ended in infrastructure errors")
    slow = unfit(0.0, REPLACED(ratio, low=1.21), **limits)
    assert slow.endswith("the limit is \N{MULTIPLICATION SIGN}1.20")


@pytest.mark.parametrize(
    ("gain", "best", "said"),
    [
        (-0.01, -0.01, "nothing to confirm"),
        (-0.01, 0.2, "nothing to confirm"),
        (0.05, 0.2, "another one +20.0: one candidate per phase is confirmed"),
        (0.02, 0.02, "fewer than the +3.0 that are worth a confirmation"),
    ],
)
def test_who_is_dropped_is_told_why(gain, best, said) -> None:
    assert why_dropped(gain, best, 0.03).endswith(said)


@pytest.mark.parametrize("ended", ["futile", "completed", "budget", "infrastructure"])
def test_an_open_verdict_says_how_its_measurement_ended(demo, phases, ended) -> None:
    measured = demo.bench.measured(demo.leaders)
    phases_ended = tuple(
        REPLACED(one, ended=ended, reason="it stopped") for one in measured.confirmation.phases
    )
    measured = measured._replace(confirmation=REPLACED(measured.confirmation, phases=phases_ended))
    comparisons = tuple(REPLACED(item, p_value=0.5) for item in demo.summary.comparisons)
    summary = REPLACED(demo.summary, comparisons=comparisons)
    made = decide_all(demo.feedback, summary, measured, policy=POLICY, phases=phases)
    sprinter = next(item for item in made.decisions if item.recommendation.id == "atomic-promote-sprinter")
    assert ("HOLD", "sprinter is not decided: it stopped.") == (sprinter.verdict, sprinter.reason)


def test_before_the_first_look_a_gain_is_unknown(demo) -> None:
    again = decided_again(demo, "atomic-promote-sprinter", p_value=None)
    assert "unknown" == gate(again, "accuracy_gain").verdict
    assert gate(again, "accuracy_gain").observed.endswith("p n/a")


def verified(demo, name, bench, pairs=(), phase=None):
    summary = summarize(bench.samples, bench.specs, pairs, run_id="r1", leaders={}, policy=POLICY)
    phase = phase or PhaseConfig(suite="atomic", baseline="steady")
    return verify(decision_of(demo, name), summary, policy=POLICY, phase=phase)


def test_a_true_gain_is_kept_and_credited_as_measured_again(demo, made_bench, spec_of) -> None:
    bench, arms = made_bench(), [spec_of("steady", "atomic"), spec_of("sprinter", "atomic")]
    bench.take("verify", arms, 5, split="holdout")
    pair = ("verify", arms[1].id, arms[0].id)
    seen = verified(demo, "atomic-promote-sprinter", bench, [pair])
    assert seen.kept
    assert seen.effect.value != decision_of(demo, "atomic-promote-sprinter").effect.value
    assert "again" in seen.reason
    assert seen.p_value <= 0.2


def test_a_gain_that_does_not_show_again_is_taken_back(demo, made_bench, spec_of, truth) -> None:
    bench = made_bench(truths={("steady", "atomic"): truth(0.97), ("sprinter", "atomic"): truth(0.97)})
    arms = [spec_of("steady", "atomic"), spec_of("sprinter", "atomic")]
    bench.take("verify", arms, 5, split="holdout")
    seen = verified(demo, "atomic-promote-sprinter", bench, [("verify", arms[1].id, arms[0].id)])
    assert not seen.kept
    assert "its gain did not show again" in seen.reason


def test_a_gain_that_comes_slowly_is_taken_back(demo, made_bench, spec_of, truth) -> None:
    slow = {("steady", "atomic"): truth(0.7), ("sprinter", "atomic"): truth(0.97, latency_s=0.05)}
    bench, arms = made_bench(truths=slow), [spec_of("steady", "atomic"), spec_of("sprinter", "atomic")]
    bench.take("verify", arms, 5, split="holdout")
    seen = verified(demo, "atomic-promote-sprinter", bench, [("verify", arms[1].id, arms[0].id)])
    assert not seen.kept
    assert "it is slower than allowed" in seen.reason


@pytest.mark.parametrize(
    "name", ["atomic-promote-sprinter", "atomic-enable_warmup-sleepy", "extended-deny-sprinter"]
)
def test_nothing_is_kept_without_samples(demo, made_bench, name) -> None:
    seen = verified(demo, name, made_bench())
    assert (seen.kept, seen.effect.value, seen.p_value) == (False, None, None)
    assert seen.reason == "Not verified: no sample was taken."


def test_three_sessions_keep_a_warmup_that_works(demo, made_bench, truth) -> None:
    bench = made_bench()
    bench.sessions("sleepy", "atomic", stage="verify_sessions", pairs=3)
    seen = verified(demo, "atomic-enable_warmup-sleepy", bench)
    assert (seen.kept, seen.p_value) == (True, 1 / 8)
    awake = made_bench(truths={("sleepy", "atomic"): truth(0.99)})
    awake.sessions("sleepy", "atomic", stage="verify_sessions", pairs=3)
    assert not verified(demo, "atomic-enable_warmup-sleepy", awake).kept


def test_a_denial_is_kept_if_its_fallback_serves(demo, made_bench, spec_of, truth) -> None:
    for accuracy, kept in ((0.93, True), (0.05, False)):
        bench = made_bench(truths={("better", "extended"): truth(accuracy)})
        bench.take("verify_fallback", [spec_of("better", "extended")], 5, split="holdout")
        seen = verified(demo, "extended-deny-sprinter", bench)
        assert seen.kept == kept
        assert seen.effect.value is None
        assert "no gain is credited" in seen.effect.reason


def without(demo, *stages: str):
    """Return the demo's summary as if these stages had never been measured."""
    return REPLACED(
        demo.summary,
        specs=tuple(item for item in demo.summary.specs if item.stage not in stages),
        comparisons=tuple(item for item in demo.summary.comparisons if item.stage not in stages),
        sessions=tuple(item for item in demo.summary.sessions if item.stage not in stages),
    )


@pytest.mark.parametrize(
    "name", ["atomic-promote-sprinter", "atomic-enable_warmup-sleepy", "extended-deny-sprinter"]
)
def test_what_was_never_measured_is_on_hold_with_every_gate_shown_and_never_kept(demo, name) -> None:
    made = decision_of(demo, name)
    nothing = without(demo, "screen", "probe", "confirm", "guard", "sessions")
    phase = PhaseConfig(suite="atomic", baseline="steady")
    again = decide(made.recommendation, nothing, policy=POLICY, phase=phase, run_id="r1")
    assert again.verdict == "HOLD"
    assert [item.name for item in again.gates] == [item.name for item in made.gates]
    assert {item.verdict for item in again.gates} == {"unknown"}
    assert all(item.settle for item in again.gates)
    checked = verify(made, nothing, policy=POLICY, phase=phase)
    assert (checked.kept, checked.effect.value, checked.p_value) == (False, None, None)
    assert checked.reason


def test_a_share_of_no_calls_excludes_nothing() -> None:
    nothing = Counts(0, 0)
    assert (nothing.low, nothing.high, nothing.said()) == (0.0, 1.0, "not measured")


@pytest.mark.parametrize(
    ("name", "stage"),
    [("atomic-promote-sprinter", "verify"), ("atomic-enable_warmup-sleepy", "verify_sessions")],
)
def test_answers_without_a_valid_pair_verify_nothing(demo, name, stage) -> None:
    """Both arms answered, but never side by side."""
    made = decision_of(demo, name)
    verified = REPLACED(
        demo.summary,
        specs=tuple(
            REPLACED(item, stage=stage, infra_share=0.0)
            for item in demo.summary.specs
            if item.spec.phase == "atomic" and item.stage in {"confirm", "sessions"}
        ),
        comparisons=(),
        sessions=(),
    )
    checked = verify(made, verified, policy=POLICY, phase=PhaseConfig(suite="atomic", baseline="steady"))
    assert (checked.kept, checked.effect.value) == (False, None)
    assert "valid" in checked.reason
