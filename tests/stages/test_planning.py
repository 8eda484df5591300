"""Who is measured next: a route does not flap, and nothing is left out for ever."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from harnesslib import planning, routing
from harnesslib.candidates import candidate
from harnesslib.planning import PlanInputs, Tried
from harnesslib.records import PolicyConfig, RoutingConfig
from harnesslib.testing import EPOCH, tiny_harness, tiny_suite

SUITE = tiny_suite("atomic")
HARNESS = tiny_harness("base", "better")
FIRST = routing.initial(HARNESS, now=EPOCH)
REVIEW = timedelta(days=HARNESS.policy.review_days)
DIGESTS = {"base": "b1", "better": "c1"}


def plan(days: float, *, tried=(), config: RoutingConfig = FIRST, digests=DIGESTS, harness=HARNESS):
    made = planning.make_plan(
        PlanInputs(
            run_id="next",
            config=harness,
            routing=config,
            suites={"atomic": SUITE},
            tried=tuple(tried),
            digests=digests,
            now=EPOCH + timedelta(days=days),
            seed=1,
        )
    )
    phase = made.phases[0]
    return [spec.model for spec in phase.candidates], [skipped.reason for skipped in phase.skipped]


def trial(**fields) -> Tried:
    known = {
        "phase": "atomic",
        "suite_hash": SUITE.content_hash,
        "baseline_id": FIRST.baselines["atomic"].spec.id,
        "candidate_id": candidate("better", "atomic", HARNESS, FIRST).id,
        "digests": ("c1", "b1"),
        "when": EPOCH,
    }
    return Tried(**(known | fields))


def denied(**fields) -> RoutingConfig:
    rules = tuple(
        msgspec.structs.replace(rule, allow=False, fallback_model="base", **fields)
        if rule.model == "better"
        else rule
        for rule in FIRST.rules
    )
    return msgspec.structs.replace(FIRST, rules=rules)


def test_whoever_was_never_tried_is_a_candidate():
    assert (["better"], []) == plan(0)


def test_what_was_tried_waits_for_its_review_and_the_reason_names_the_day():
    reason = "tried against base on 2026-01-02; due again on 2026-01-09"
    assert ([], [reason]) == plan(6.99, tried=[trial()])
    assert (["better"], []) == plan(7, tried=[trial()])


def test_the_newest_of_several_trials_counts():
    later = trial(when=EPOCH + timedelta(days=6))
    assert [] == plan(8, tried=[trial(), later])[0]
    assert [] == plan(8, tried=[later, trial()])[0]


@pytest.mark.parametrize(
    "changed",
    [
        {"suite_hash": "another"},
        {"baseline_id": "another/atomic/000000"},
        {"candidate_id": "better/atomic/000000"},
        {"digests": ("c0", "b1")},
        {"digests": ("c1", "b0")},
        {"phase": "extended"},
    ],
    ids=str,
)
def test_a_trial_under_other_conditions_is_no_reason_to_wait(changed):
    assert ["better"] == plan(1, tried=[trial(**changed)])[0]


def test_the_review_time_is_a_setting():
    short = msgspec.structs.replace(HARNESS, policy=PolicyConfig(review_days=1))
    assert ["better"] == plan(2, tried=[trial()], harness=short)[0]
    assert ["better"] == plan(0, tried=[trial()], harness=tiny_with_review(0))[0]


def tiny_with_review(days: int):
    return msgspec.structs.replace(HARNESS, policy=PolicyConfig(review_days=days))


def test_a_denied_pair_waits_for_its_review_and_is_due_from_then_on():
    config = denied(review_after=EPOCH + REVIEW)
    reason = "denied since 2026-01-02; to be looked at again on 2026-01-09"
    assert ([], [reason]) == plan(6.99, config=config)
    assert ["better"] == plan(7, config=config)[0]


def test_a_denial_without_a_date_is_looked_at_by_the_next_cycle():
    assert ["better"] == plan(0, config=denied())[0]


def test_a_denied_pair_that_was_reviewed_and_not_promoted_waits_like_any_other():
    config = denied(review_after=EPOCH)
    reviewed = trial(when=EPOCH + timedelta(days=1))
    assert [] == plan(2, config=config, tried=[reviewed])[0]
    assert ["better"] == plan(8, config=config, tried=[reviewed])[0]


def test_a_candidate_without_a_rule_is_measured_under_the_settings_of_the_file():
    alone = msgspec.structs.replace(FIRST, rules=FIRST.rules[:1])
    assert candidate("better", "atomic", HARNESS, alone).settings == HARNESS.settings_of("better", "atomic")


def test_unknown_digests_match_every_trial():
    spec, baseline = candidate("better", "atomic", HARNESS, FIRST), FIRST.baselines["atomic"].spec
    found = planning.waiting(
        spec,
        baseline,
        [trial(digests=("x", "y"))],
        suite_hash=SUITE.content_hash,
        digests=None,
        since=EPOCH - timedelta(days=1),
    )
    assert ("x", "y") == found.digests
