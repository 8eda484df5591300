"""How numbers are said."""

from __future__ import annotations

from harnesslib.records import Estimate
from harnesslib.stats import intervals, wording

GAIN = Estimate(value=0.1751, low=-0.0213, high=0.252, level=0.95, n=24, method="m")


def test_points_have_a_sign_an_interval_and_a_true_minus() -> None:
    assert wording.points(GAIN) == "+17.5 points [\N{MINUS SIGN}2.1, +25.2]"


def test_nothing_is_said_without_a_sign_of_minus_zero() -> None:
    assert (wording.signed(-0.04), wording.signed(0.0)) == ("0.0", "0.0")


def test_unknown_is_said_with_its_reason() -> None:
    unknown = intervals.unmeasured("m", "no valid sample")
    said = {wording.points(unknown), wording.share(unknown), wording.factor(unknown)}
    assert said == {"n/a (no valid sample)"}


def test_a_value_without_interval_stands_alone() -> None:
    alone = Estimate(value=1.2, low=None, high=None, level=0.9, n=3, method="m", reason="too few")
    assert wording.factor(alone) == "\N{MULTIPLICATION SIGN}1.20"


def test_shares_and_counts_read_as_people_write_them() -> None:
    assert wording.share(intervals.proportion(3, 10)) == "30.0 % [10.8, 60.3]"
    assert (wording.count(1, "case"), wording.count(0, "case")) == ("1 case", "0 cases")


def test_p_values_are_never_zero() -> None:
    said = [wording.p_value(p) for p in (None, 1e-9, 0.00035, 0.03125, 1.0)]
    assert said == ["p n/a", "p < 0.0001", "p = 0.00035", "p = 0.031", "p = 1"]


def test_an_unknown_estimate_is_said_with_its_reason() -> None:
    nothing = Estimate(value=None, low=None, high=None, level=0.95, n=0, method="none", reason="no calls")
    assert (wording.points(nothing), wording.share(nothing)) == ("n/a (no calls)", "n/a (no calls)")


def test_a_value_without_bounds_is_said_alone() -> None:
    bare = Estimate(value=0.5, low=None, high=None, level=0.95, n=1, method="m", reason="too few")
    assert (wording.points(bare), wording.share(bare)) == ("+50.0 points", "50.0 %")
    assert wording.factor(bare) == "\N{MULTIPLICATION SIGN}0.50"
