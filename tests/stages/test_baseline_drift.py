"""A baseline that nobody changed: quiet runs raise no alarm, a swap is found, and a digest is enough."""

from __future__ import annotations

import random

import pytest
from scipy.stats import hypergeom

from harnesslib.baseline_drift import ALARM, finding_of, watch
from harnesslib.records import DriftPoint
from harnesslib.testing import EPOCH


def point(number, cases, digest=""):
    return DriftPoint(run_id=str(number), when=EPOCH, spec_id="s", suite_hash="h", digest=digest, cases=cases)


def runs(chances, rng, count, calls=3):
    def passes(chance):
        return sum(rng.random() < chance for _ in range(calls))

    return [
        point(n, {str(i): (passes(chance), calls) for i, chance in enumerate(chances)}) for n in range(count)
    ]


def seen(points):
    return watch("atomic", "steady", points, way_back="go back")


def test_one_run_has_nothing_to_be_compared_with():
    found = seen([point(1, {"a": (3, 3)})])
    assert (None, None, False) == (found.moved, found.z, found.frozen)
    assert "for the first time" in found.headline


def test_runs_without_a_common_case_say_nothing():
    assert None is seen([point(1, {"a": (3, 3)}), point(2, {"b": (0, 3)})]).moved


def test_z_is_that_of_the_exact_conditional_law():
    before, now = {"a": (5, 6), "b": (2, 4)}, {"a": (1, 3), "b": (1, 5)}
    laws = [hypergeom(9, 6, 3), hypergeom(9, 3, 5)]
    expected = (2 - sum(law.mean() for law in laws)) / sum(law.var() for law in laws) ** 0.5
    assert expected == pytest.approx(seen([point(1, before), point(2, now)]).z)


def test_a_baseline_without_any_variation_stands():
    same = {"a": (3, 3), "b": (0, 3)}
    assert 0.0 == seen([point(1, same), point(2, same)]).z


@pytest.mark.parametrize(("share", "word"), [(0.0, "worse"), (1.0, "better")])
def test_a_large_move_is_found_in_its_first_run_and_its_way_is_named(share, word):
    rng = random.Random(3)  # noqa: S311 - a simulation
    quiet = runs([0.5] * 30, rng, 4)
    moved = seen([*quiet, *runs([share] * 30, rng, 1)])
    assert moved.moved
    assert f"steady has become {word} without a change of ours" == moved.headline
    assert "go back" == moved.way_back
    finding = finding_of(moved)
    assert ("drift", "steady") == (finding.cause, finding.model)
    assert f"{ALARM:g} is the limit" in finding.evidence[1]


def test_another_digest_freezes_whatever_was_measured():
    same = {"a": (3, 3)}
    found = seen([point(1, same, "one"), point(2, same, "two")])
    assert (True, True, False) == (found.frozen, found.digest_changed, found.moved)
    assert "its digest has changed" in finding_of(found).headline


def test_an_unknown_digest_is_no_other_digest():
    same = {"a": (3, 3)}
    assert not seen([point(1, same, "one"), point(2, same, ""), point(3, same, "one")]).frozen


def test_a_noted_digest_counts_though_nothing_was_measured_then():
    found = seen([point(0, {}, "one"), point(1, {"a": (3, 3)}, "two")])
    assert (True, None) == (found.frozen, found.z)


def test_a_baseline_that_stands_is_no_finding():
    assert None is finding_of(seen([point(1, {"a": (3, 3)}), point(2, {"a": (3, 3)})]))


def alarms(chances, after, rng, quiet, moved):
    points = runs(chances, rng, quiet) + runs(after, rng, moved)
    return [seen(points[: n + 1]).frozen for n in range(len(points))]


def test_quiet_routes_rarely_alarm_and_swapped_models_are_found_within_two_runs():
    rng = random.Random(11)  # noqa: S311 - a simulation
    chances = [rng.choice([0.98, 0.98, 0.98, 0.5, 0.05]) for _ in range(24)]
    lower = [max(0.0, p - 0.3) for p in chances]
    false = sum(any(alarms(chances, chances, rng, 8, 0)) for _ in range(60))
    late = [alarms(chances, lower, rng, 6, 2) for _ in range(60)]
    assert false <= 6
    assert sum(any(each[6:]) for each in late) >= 54


@pytest.mark.exhaustive
def test_a_year_of_weekly_runs_alarms_in_about_one_of_six_routes_at_most():
    rng = random.Random(5)  # noqa: S311 - a simulation
    chances = [rng.choice([0.98, 0.98, 0.98, 0.5, 0.05]) for _ in range(24)]
    alarmed = sum(seen_any(runs(chances, rng, 60)) for _ in range(200))
    # With a true share of one in six a count above 46 of 200 has a chance below 1 %.
    assert alarmed <= 46


def seen_any(points):
    return any(seen(points[: n + 1]).frozen for n in range(1, len(points)))
