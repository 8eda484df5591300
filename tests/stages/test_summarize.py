"""Samples become numbers; what was not measured stays unknown."""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnesslib.errors import DataError
from harnesslib.records import OUTCOMES, PolicyConfig, SpecSummary, decode, encode
from harnesslib.summarize import summarize

POLICY = PolicyConfig()


def summary_of(bench, samples=None, pairs=()):
    return summarize(
        bench.samples if samples is None else samples,
        bench.specs,
        pairs,
        run_id="r1",
        leaders={},
        policy=POLICY,
    )


@pytest.fixture
def two_arms(bench, spec_of):
    arms = [spec_of("steady", "atomic"), spec_of("sprinter", "atomic")]
    bench.take("confirm", arms, 5)
    bench.pair = ("confirm", arms[1].id, arms[0].id)
    return bench


def broken(sample, outcome="infra_error"):
    return msgspec.structs.replace(sample, outcome=outcome, latency_s=None)


@given(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=30))
def test_a_timeout_fails_what_is_served_and_an_infra_error_leaves_every_count(made_bench, outcomes) -> None:
    bench = made_bench()
    bench.take("run", [next(iter(bench.specs.values()))], 30, [0])
    samples = [broken(s, outcome) for s, outcome in zip(bench.samples, outcomes, strict=False)]
    seen = summary_of(bench, samples).specs[0]
    passes, valid = outcomes.count("pass"), len(outcomes) - outcomes.count("infra_error")
    answered = valid - outcomes.count("timeout")
    assert (seen.served.n, seen.skill.n) == (valid, answered)
    assert seen.served.value == (pytest.approx(passes / valid) if valid else None)
    assert seen.skill.value == (pytest.approx(passes / answered) if answered else None)
    assert seen.infra_share == outcomes.count("infra_error") / len(outcomes)
    assert sum(seen.outcomes.values()) == len(outcomes)


def test_a_case_weighs_the_same_however_often_it_was_asked(made_bench, spec_of) -> None:
    bench = made_bench()
    bench.take("run", [spec_of("steady", "atomic")], 1, [0, 1])
    bench.take("run", [spec_of("steady", "atomic")], 8, [1], number=1)
    samples = [broken(s, "pass" if s.case_id == "atomic-00" else "wrong") for s in bench.samples]
    assert 0.5 == summary_of(bench, samples).specs[0].served.value


def test_the_order_of_the_samples_does_not_matter(demo) -> None:
    order = np.random.default_rng(1).permutation(len(demo.bench.samples))
    ordered = demo.bench.summary(demo.leaders)
    demo.bench.samples = [demo.bench.samples[place] for place in order]
    assert encode(ordered) == encode(demo.bench.summary(demo.leaders))


def test_tokens_and_cost_are_summed_over_the_samples_that_know_them(two_arms) -> None:
    first, second, *rest = (s for s in two_arms.samples if s.model == "steady")
    known = msgspec.structs.replace(first, input_tokens=100, output_tokens=20, cost=0.5)
    free = msgspec.structs.replace(second, input_tokens=None, output_tokens=3, cost=0.0)
    others = [msgspec.structs.replace(s, input_tokens=None, output_tokens=None, cost=None) for s in rest]
    seen = summary_of(two_arms, [known, free, *others]).specs[0]
    assert (100, 20, 1, 0.5, 2) == (
        seen.input_tokens, seen.output_tokens, seen.token_samples, seen.cost, seen.cost_samples
    )  # fmt: skip
    silent = summary_of(two_arms, others).specs[0]
    assert (None, None, 0, None, 0) == (
        silent.input_tokens, silent.output_tokens, silent.token_samples, silent.cost, silent.cost_samples
    )  # fmt: skip


def test_a_summary_of_an_older_version_still_loads(two_arms) -> None:
    written = json.loads(encode(summary_of(two_arms).specs[0]))
    old = {name: value for name, value in written.items() if name not in {"token_samples", "cost_samples"}}
    read = decode(json.dumps(old | {"input_tokens": 0, "output_tokens": 0, "cost": 0.0}), SpecSummary, "old")
    assert (0, None, 0.0, None) == (read.input_tokens, read.token_samples, read.cost, read.cost_samples)


def test_restraint_is_measured_on_cases_that_want_no_call_only(two_arms) -> None:
    seen = summary_of(two_arms).specs[0]
    unwanted = [s for s in two_arms.samples if not s.wants_call and s.model == "steady"]
    assert seen.restraint.n == len(unwanted) == 45
    assert seen.restraint.value == sum(s.outcome == "pass" for s in unwanted) / 45


def test_restraint_is_unknown_without_a_case_for_it(two_arms) -> None:
    wanted = [s for s in two_arms.samples if s.wants_call]
    summary = summary_of(two_arms, wanted, [two_arms.pair])
    assert summary.specs[0].restraint.value is None
    assert summary.specs[0].restraint.reason == "no case here wants no call"
    seen = summary.comparisons[0]
    assert (None, None, None) == (seen.restraint_effect.value, seen.restraint_e, seen.restraint_p_value)


def test_a_block_with_an_infra_error_is_dropped_in_both_arms(two_arms) -> None:
    first = two_arms.samples[0]
    samples = [broken(first), *two_arms.samples[1:]]
    clean, hurt = (summary_of(two_arms, s, [two_arms.pair]).comparisons[0] for s in (None, samples))
    assert (clean.dropped_blocks, clean.repeats) == (0, 5)
    assert (hurt.dropped_blocks, hurt.repeats, hurt.cases) == (1, 4, 24)
    partner = [s for s in samples if (s.case_id, s.repeat) == (first.case_id, first.repeat)]
    without = [s for s in two_arms.samples if s not in [first, *partner]]
    gone = summary_of(two_arms, without, [two_arms.pair]).comparisons[0]
    assert (hurt.effect, hurt.p_value) == (gone.effect, gone.p_value)


def test_a_block_with_one_arm_only_is_dropped(two_arms) -> None:
    seen = summary_of(two_arms, two_arms.samples[1:], [two_arms.pair]).comparisons[0]
    assert (seen.dropped_blocks, seen.repeats) == (1, 4)


def test_a_pair_without_any_sample_is_compared_as_unknown(bench, spec_of) -> None:
    pair = ("confirm", spec_of("twin", "atomic").id, spec_of("steady", "atomic").id)
    seen = summary_of(bench, [], [pair]).comparisons[0]
    assert (seen.cases, seen.repeats, seen.effect.value, seen.p_value) == (0, 0, None, None)
    assert (seen.latency_ratio.value, seen.standard_error, seen.overdispersion_p) == (None, None, None)


def test_an_unknown_spec_is_an_error_that_names_it(two_arms) -> None:
    with pytest.raises(DataError, match="spec 'ghost/atomic/000000' is not known"):
        summary_of(two_arms, pairs=[("confirm", "ghost/atomic/000000", two_arms.pair[2])])
    strange = [msgspec.structs.replace(two_arms.samples[0], spec_id="ghost/atomic/000000")]
    with pytest.raises(DataError, match="ghost"):
        summary_of(two_arms, strange)


def test_latency_is_that_of_answers_and_cold_ones_are_left_out(two_arms) -> None:
    slow = [msgspec.structs.replace(s, latency_s=99.0, cold=True) for s in two_arms.samples[:20]]
    lost = [broken(s, "timeout") for s in two_arms.samples[20:40]]
    seen = summary_of(two_arms, [*slow, *lost, *two_arms.samples[40:]]).specs
    assert sum(item.latency_p50_s.n for item in seen) == 200
    assert max(item.latency_p95_s.value for item in seen) < 1


def test_the_latency_ratio_is_paired_by_case_over_answers_that_both_got_right(two_arms) -> None:
    doubled = [
        msgspec.structs.replace(s, latency_s=(2 if s.model == "sprinter" else 1) * (1 + int(s.case_id[-2:])))
        for s in two_arms.samples
    ]
    right = [s for s in doubled if s.outcome == "pass"]
    seen = summary_of(two_arms, doubled, [two_arms.pair]).comparisons[0].latency_ratio
    assert (2.0, 2.0, 2.0) == pytest.approx((seen.value, seen.low, seen.high))
    asked = Counter((s.case_id, s.repeat) for s in right)
    assert len({case for (case, _), arms in asked.items() if arms == 2}) == seen.n


def test_sessions_are_paired_even_where_the_arms_are_numbered_apart(bench, spec_of) -> None:
    bench.sessions("sleepy", "atomic", pairs=5)
    apart = summary_of(bench).sessions[0]
    renumbered = [msgspec.structs.replace(s, session=(s.session + 1) // 2) for s in bench.samples]
    together = summary_of(bench, renumbered).sessions[0]
    assert apart == together
    assert (apart.sessions, apart.p_value) == (5, 1 / 32)
    assert (apart.cold.value, apart.warm.value) == (0.0, 1.0)


def test_the_session_is_the_unit_however_many_calls_it_has(bench) -> None:
    bench.sessions("sleepy", "atomic", pairs=5)
    twice = [*bench.samples, *(msgspec.structs.replace(s, repeat=1) for s in bench.samples)]
    once, doubled = summary_of(bench).sessions[0], summary_of(bench, twice).sessions[0]
    assert (once.effect, once.p_value) == (doubled.effect, doubled.p_value)


def test_every_case_keeps_its_outcomes_in_order_of_repeat(two_arms) -> None:
    seen = summary_of(two_arms).spec(two_arms.pair[1], "confirm")
    assert len(seen.cases) == 24
    for case in seen.cases:
        mine = [s for s in two_arms.samples if s.case_id == case.case_id and s.model == "sprinter"]
        assert case.outcomes == tuple(s.outcome for s in sorted(mine, key=lambda s: s.repeat))


def test_cold_samples_count_for_their_spec_and_in_no_comparison(two_arms) -> None:
    stage, candidate, baseline = two_arms.pair
    mine = [s for s in two_arms.samples if s.spec_id == candidate]
    cold = {s.key for s in mine[:3]}
    seen = summarize(
        [broken(s, "timeout") if s.key in cold else s for s in two_arms.samples],
        two_arms.specs,
        [two_arms.pair],
        run_id="r1",
        leaders={},
        policy=POLICY,
        cold=cold,
    )
    assert seen.spec(candidate, stage).outcomes["timeout"] == 3
    assert seen.comparisons[0].dropped_blocks == 3
    without = [s for s in two_arms.samples if s.key not in cold]
    assert seen.comparisons[0].effect == summary_of(two_arms, without, [two_arms.pair]).comparisons[0].effect
    assert baseline in {item.spec.id for item in seen.specs}


def test_repeats_say_whether_one_and_whether_all_of_them_pass(two_arms) -> None:
    seen = summary_of(two_arms).spec(two_arms.pair[2], "confirm")
    passes = np.array([case.passes for case in seen.cases])
    assert (5, 24) == (seen.repeats.k, seen.repeats.icc.n)
    assert (passes > 0).mean() == pytest.approx(seen.repeats.pass_at_k.value)
    assert (passes == 5).mean() == pytest.approx(seen.repeats.pass_hat_k.value)
    assert seen.repeats.case_variance > 0
    assert 0 <= seen.repeats.runs.p_value <= 1


def test_a_run_that_went_wrong_shows_among_the_repeats(two_arms) -> None:
    shocked = [
        msgspec.structs.replace(s, outcome="wrong" if s.repeat == 2 else "pass") for s in two_arms.samples
    ]
    seen = summary_of(two_arms, shocked).spec(two_arms.pair[1], "confirm").repeats
    assert seen.runs.p_value < 0.001
    assert seen.run_variance > 10 * seen.case_variance
    assert (1.0, 0.0) == (seen.pass_at_k.value, seen.pass_hat_k.value)


def test_repeats_use_what_every_repeated_case_has(two_arms) -> None:
    spec_id = two_arms.pair[1]
    mine = [s for s in two_arms.samples if s.spec_id == spec_id]
    case_id = mine[0].case_id
    lost = [broken(s) if s.case_id == case_id and s.repeat < 2 else s for s in mine]
    seen = summary_of(two_arms, lost).spec(spec_id, "confirm").repeats
    assert (3, 23) == (seen.k, seen.icc.n)
    uneven = [s for s in mine if s.case_id == case_id or s.repeat < 3]
    again = summary_of(two_arms, uneven).specs[0].repeats
    assert (3, 24) == (again.k, again.icc.n)


def test_without_a_second_call_repeats_are_unknown_with_a_reason(two_arms) -> None:
    once = [s for s in two_arms.samples if s.repeat == 0]
    seen = summary_of(two_arms, once).specs[0].repeats
    assert (None, None, None, None) == (seen.k, seen.pass_at_k.value, seen.icc.value, seen.case_variance)
    assert all((seen.pass_at_k.reason, seen.pass_hat_k.reason, seen.icc.reason, seen.runs.reason))


def test_the_furthest_tail_asks_for_hundreds_of_answers(two_arms) -> None:
    seen = summary_of(two_arms).specs[0].latency_p99_s
    assert seen.value is not None
    assert seen.high is None
    assert "368 are needed" in seen.reason


def test_the_session_effect_is_paired(bench) -> None:
    bench.sessions("sleepy", "atomic", pairs=5)
    effect = summary_of(bench).sessions[0].effect
    assert ("Newcombe, paired", 5, 1.0) == (effect.method, effect.n, effect.value)
