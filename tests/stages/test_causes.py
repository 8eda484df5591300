"""Each cause is named where it is, with what refutes it, and one cause is not named five times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from harnesslib.harness_feedback_loop import diagnose
from harnesslib.records import Call, PhaseConfig, PolicyConfig, Sample, Settings, Spec
from harnesslib.summarize import summarize

POLICY = PolicyConfig()
PHASES = {"atomic": PhaseConfig(suite="atomic", baseline="m")}
MORNING = datetime(2026, 1, 2, tzinfo=UTC)
WANTING, CASES = 16, 20
SPEC = Spec(model="m", phase="atomic", settings=Settings(temperature=0.7))
FROZEN = msgspec.structs.replace(SPEC, settings=Settings(temperature=0.0))
IN_JSON = msgspec.structs.replace(SPEC, settings=Settings(variant="json", temperature=0.7))


def a_run(day: int = 0, *, spec: Spec = SPEC, repeats: int = 5, load: int = 8, change=None) -> list[Sample]:
    """Return a healthy run: every case passes, in a time of its own; `change` says what a sample becomes."""
    rng = np.random.default_rng(day)
    samples = []
    for repeat in range(repeats):
        for number in rng.permutation(CASES).tolist():
            began = MORNING + timedelta(days=day, seconds=0.1 * len(samples))
            latency_s = float(0.2 * np.exp(rng.normal(0, 0.3)))
            sample = Sample(
                run_id=f"day-{day}",
                stage="run",
                spec_id=spec.id,
                model=spec.model,
                requested_model=spec.model,
                served_model=spec.model,
                phase=spec.phase,
                case_id=f"case-{number:02d}",
                skill="s",
                wants_call=number < WANTING,
                repeat=repeat,
                seed=int(rng.integers(2**60)),
                position=len(samples),
                started_at=began,
                outcome="pass",
                detail="",
                turns=((Call(name="tool", arguments={"number": number}),),),
                latency_s=latency_s,
                elapsed_s=latency_s,
                concurrency=load,
            )
            samples.append(change(sample) if change else sample)
    return samples


def into(sample: Sample, outcome: str, **fields) -> Sample:
    if outcome in {"timeout", "infra_error"}:
        fields |= {"latency_s": None, "turns": ()}
    return msgspec.structs.replace(sample, outcome=outcome, **fields)


def number(sample: Sample) -> int:
    return int(sample.case_id[-2:])


def failing(outcome: str, when):
    return lambda sample: into(sample, outcome) if when(sample) else sample


def found(samples: list[Sample], earlier=(), specs=(SPEC, FROZEN, IN_JSON)):
    known = {spec.id: spec for spec in specs if any(s.spec_id == spec.id for s in samples)}
    summary = summarize(samples, known, (), run_id=samples[0].run_id, leaders={}, policy=POLICY)
    before = [sample for run in earlier for sample in run]
    return diagnose(summary, samples, policy=POLICY, phases=PHASES, earlier=before)


def causes(*arguments, **named) -> list[tuple[str, str]]:
    return [(item.cause, item.certainty) for item in found(*arguments, **named)]


def test_a_healthy_run_has_no_cause_with_or_without_a_past():
    assert () == found(a_run())
    assert () == found(a_run(5), [a_run(day, load=2 if day % 2 else 8) for day in range(5)])


def test_every_finding_names_its_run_its_spec_its_statistic_and_how_to_refute_it():
    broken = a_run(change=failing("malformed", lambda s: number(s) < 6))
    (finding,) = found(broken)
    assert ("day-0", SPEC.id) == (finding.run_id, finding.spec_id)
    assert finding.statistic == pytest.approx(6 / 16)
    assert finding.method
    assert finding.refute.endswith(".")
    assert tuple(f"case-{case:02d}" for case in range(6)) == finding.case_ids


def test_calls_that_cannot_be_read_are_a_matter_of_format_and_no_lack_of_ability():
    everywhere = a_run(change=failing("malformed", lambda s: s.wants_call))
    assert [("format_mismatch", "probable")] == causes(everywhere)


def test_a_format_mismatch_is_confirmed_where_another_variant_is_read():
    native = a_run(change=failing("malformed", lambda s: s.wants_call and s.seed % 2 == 0))
    other = [msgspec.structs.replace(s, run_id="day-0") for s in a_run(1, spec=IN_JSON)]
    (finding,) = found(native + other)
    assert ("format_mismatch", "confirmed", SPEC.id) == (finding.cause, finding.certainty, finding.spec_id)
    assert any(IN_JSON.id in line for line in finding.evidence)


def test_malformed_answers_that_are_few_of_the_failures_are_not_the_format():
    def change(sample):
        hopeless = sample.wants_call and number(sample) > 1
        broken = hopeless and sample.repeat == 0 and number(sample) < 10
        return into(sample, "malformed" if broken else "wrong") if hopeless else sample

    assert [("capability_limit", "confirmed")] == causes(a_run(change=change))


def test_a_limit_is_none_where_the_same_model_reaches_the_floor_under_other_settings():
    native = a_run(change=failing("wrong", lambda s: s.wants_call))
    assert [("capability_limit", "confirmed")] == causes(native)
    other = [msgspec.structs.replace(s, run_id="day-0") for s in a_run(1, spec=IN_JSON)]
    assert [] == causes(native + other)


def of_model(samples: list[Sample], model: str) -> list[Sample]:
    spec = Spec(model=model, phase="atomic", settings=SPEC.settings)
    return [msgspec.structs.replace(s, model=model, spec_id=spec.id, run_id="day-0") for s in samples]


def test_failing_only_the_hard_cases_that_a_screen_asks_is_no_limit():
    baseline = a_run(change=failing("wrong", lambda s: number(s) >= 12 and s.wants_call))
    candidate = of_model(a_run(1, change=failing("wrong", lambda s: s.wants_call)), "candidate")
    hard = [sample for sample in candidate if number(sample) >= 12]
    specs = (SPEC, Spec(model="candidate", phase="atomic", settings=SPEC.settings))
    assert [] == causes(baseline + hard, specs=specs)
    assert ("capability_limit", "confirmed") in causes(baseline + candidate, specs=specs)


def test_a_limit_seen_on_most_cases_is_probable_until_every_case_was_asked():
    other = of_model(a_run(1), "other")
    mine = [s for s in a_run(change=failing("wrong", lambda s: s.wants_call)) if number(s) != 3]
    specs = (SPEC, Spec(model="other", phase="atomic", settings=SPEC.settings))
    (finding,) = found(mine + other, specs=specs)
    assert ("capability_limit", "probable") == (finding.cause, finding.certainty)
    assert any("1 case of the phase were not asked" in line for line in finding.evidence)


def test_a_case_asked_more_often_weighs_no_more_than_another():
    run = a_run(repeats=2, change=failing("wrong", lambda s: s.wants_call and number(s) < 8))
    hard = [s for s in a_run(1, repeats=30) if number(s) == 0]
    more = [into(s, "wrong", run_id="day-0", stage="confirm", repeat=s.repeat + 2) for s in hard]
    assert "capability_limit" not in {cause for cause, _ in causes(run + more)}


def test_a_deadline_that_only_failures_meet_is_no_lack_of_ability():
    def change(sample):
        in_time = number(sample) % 4 == 0
        return into(sample, "abstained" if in_time else "timeout") if sample.wants_call else sample

    assert [("timeout_bound", "confirmed")] == causes(a_run(change=change))


def overloaded(sample: Sample) -> Sample:
    return into(sample, "wrong") if sample.concurrency > 4 and number(sample) % 2 else sample


def test_failures_that_come_with_the_load_are_the_loads():
    runs = [a_run(day, load=2 if day % 2 else 8, change=overloaded) for day in range(5)]
    (finding,) = found(runs[-1], runs[:-1])
    assert ("concurrency_dependent", "confirmed") == (finding.cause, finding.certainty)
    assert "more than 2 samples are in flight" in finding.headline
    assert finding.p_value < 0.01


def test_errors_that_come_with_the_load_are_not_named_twice():
    def change(sample):
        return into(sample, "infra_error") if sample.concurrency > 4 and number(sample) % 2 else sample

    runs = [a_run(day, load=2 if day % 2 else 8, change=change) for day in range(5)]
    assert [("concurrency_dependent", "confirmed")] == causes(runs[-1], runs[:-1])


def test_one_run_under_another_load_cannot_tell_load_from_drift():
    runs = [a_run(day, load=8 if day == 3 else 2, change=overloaded) for day in range(4)]
    (finding,) = found(runs[-1], runs[:-1])
    assert ("concurrency_dependent", "probable") == (finding.cause, finding.certainty)
    assert any("drift would look the same" in line for line in finding.evidence)


def drifted(sample: Sample) -> Sample:
    return into(sample, "wrong") if number(sample) < 6 else sample


def test_a_model_that_was_swapped_without_a_word_has_drifted_and_is_not_flaky():
    runs = [a_run(day) for day in range(4)] + [a_run(4, change=drifted)]
    assert [("drift", "probable")] == causes(runs[-1], runs[:-1])
    again = [*runs, a_run(5, change=drifted)]
    assert [("drift", "confirmed")] == causes(again[-1], again[:-1])


def test_a_drift_is_not_the_load_where_loads_alternate():
    runs = [a_run(day, load=2 if day % 2 else 8) for day in range(4)] + [a_run(4, change=drifted)]
    assert ["drift"] == [cause for cause, _ in causes(runs[-1], runs[:-1])]


def test_a_model_that_got_better_has_drifted_too():
    runs = [a_run(day, change=drifted) for day in range(4)] + [a_run(4)]
    (finding,) = [item for item in found(runs[-1], runs[:-1]) if item.cause == "drift"]
    assert "passes more cases" in finding.headline


def test_what_was_always_wrong_is_no_drift():
    runs = [a_run(day, change=drifted) for day in range(6)]
    assert [] == causes(runs[-1], runs[:-1])


def cached(sample: Sample) -> Sample:
    quick = 0.01 if sample.repeat else sample.latency_s
    return msgspec.structs.replace(sample, latency_s=quick, elapsed_s=quick)


def test_answers_in_no_time_under_other_seeds_are_copies():
    (finding,) = found(a_run(change=cached))
    assert ("cached_replicates", "confirmed") == (finding.cause, finding.certainty)
    assert CASES - 8 <= len(finding.case_ids)


def test_copies_in_times_of_their_own_are_probable():
    rng = np.random.default_rng(2)

    def change(sample):
        quick = 0.01 * float(np.exp(rng.normal(0, 0.2))) if sample.repeat else sample.latency_s
        return msgspec.structs.replace(sample, latency_s=quick, elapsed_s=quick)

    assert [("cached_replicates", "probable")] == causes(a_run(change=change))
    frozen = a_run(spec=FROZEN, change=change)
    assert "cached_replicates" not in {cause for cause, _ in causes(frozen)}


def test_the_same_seed_again_makes_no_copies():
    seeded = a_run(change=lambda s: msgspec.structs.replace(cached(s), seed=number(s)))
    assert "cached_replicates" not in {cause for cause, _ in causes(seeded)}


def slow_start(sample: Sample) -> Sample:
    slow = 3.0 if sample.position < 8 else sample.latency_s
    began = MORNING + timedelta(seconds=0.01 * sample.position + (5 if sample.position >= 8 else 0))
    return msgspec.structs.replace(sample, latency_s=slow, elapsed_s=slow, started_at=began)


def test_a_slow_start_is_a_cold_start_and_no_cache():
    (finding,) = found(a_run(change=slow_start))
    assert ("cold_start", "probable") == (finding.cause, finding.certainty)
    assert "slow to answer its first calls" in finding.headline


def test_a_cold_start_is_confirmed_by_the_start_of_another_run():
    def starting(day):
        shift = timedelta(days=day)
        run = a_run(day, change=slow_start)
        return [msgspec.structs.replace(s, started_at=s.started_at + shift) for s in run]

    runs = [starting(day) for day in range(3)]
    (finding,) = found(runs[-1], runs[:-1])
    assert ("cold_start", "confirmed") == (finding.cause, finding.certainty)
    assert any("2 of 2 earlier runs shows the same" in line for line in finding.evidence)


def test_one_bad_repeat_is_a_disturbance_of_the_endpoint_and_no_flaky_model():
    run = a_run(repeats=7, change=failing("wrong", lambda s: s.repeat == 4))
    (finding,) = found(run)
    assert ("infrastructure", "probable") == (finding.cause, finding.certainty)
    assert "Repeat 4 passed 0.0 %" in finding.evidence[0]


def test_timeouts_after_a_failed_attempt_are_the_endpoints_too():
    def change(sample):
        if sample.repeat == 1:
            return into(sample, "infra_error", detail="HTTP 500: down")
        return into(sample, "timeout", attempts=2) if sample.repeat == 2 else sample

    assert [("infrastructure", "confirmed")] == causes(a_run(change=change))


def test_cases_that_pass_at_times_are_flaky_and_earlier_runs_count():
    def change(sample):
        return into(sample, "wrong") if number(sample) < 3 and sample.seed % 2 else sample

    few = a_run(3, repeats=3, change=change)
    past = [a_run(day, repeats=5, change=change) for day in range(3)]
    (finding,) = found(few, past)
    assert "flaky" == finding.cause
    assert {"case-00", "case-01", "case-02"} == set(finding.case_ids)
