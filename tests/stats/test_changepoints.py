"""Change points against published series."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harnesslib.stats import changepoints

STEPS = (0.3, 2.4, 1.5, -0.9, -0.5, 99.7, 98.3, 99.1, 149, 149.7, 149.5, 149.1, 148.8, 150)
SINGLE = (
    *(1.02, 0.95, 0.99, 1.0, 1.12, 1.0, 1.01, 0.98, 1.01, 0.96),
    *(0.5, 0.51, 0.48, 0.48, 0.55, 0.5, 0.49, 0.51, 0.5, 0.49),
)
NILE = np.fromstring(
    "1120 1160 963 1210 1160 1160 813 1230 1370 1140 995 935 1110 994 1020 960 1180 799 958 1140 1100 1210 "
    "1150 1250 1260 1220 1030 1100 774 840 874 694 940 833 701 916 692 1020 1050 969 831 726 456 824 702 "
    "1120 1100 832 764 821 768 845 864 862 698 845 744 796 1040 759 781 865 845 944 984 897 822 1010 771 "
    "676 649 846 812 742 801 1040 860 874 848 890 744 749 838 1050 918 986 797 923 975 815 1020 906 901 "
    "1170 912 746 919 718 714 740",
    sep=" ",
)


def test_two_steps_are_found_where_they_are() -> None:
    # apache/otava, tests of the E-divisive algorithm: change points 5 and 8; energy of the first split
    first = changepoints.best_split(STEPS)
    assert (5, 14) == (first.at, first.end)
    assert pytest.approx(761.2821, abs=5e-5) == first.energy
    assert [5, 8] == [point.at for point in changepoints.change_points(STEPS)]


def test_one_step_of_a_noisy_series_is_found_with_its_p_value() -> None:
    # apache/otava, single series: change point 10, Student's t p = 3.6e-17
    assert pytest.approx(4.68222, abs=5e-6) == changepoints.best_split(SINGLE).energy
    (point,) = changepoints.change_points(SINGLE)
    assert 10 == point.at
    assert pytest.approx(3.6e-17, rel=0.01) == point.p_value
    assert (np.mean(SINGLE[:10]), np.mean(SINGLE[10:])) == pytest.approx((point.before, point.after))


@pytest.mark.parametrize("window", [50, 100])
def test_the_nile_changed_in_1899(window) -> None:
    # annual flow at Aswan 1871-1970 (R data set Nile): the dam of 1899 is value 28
    assert [28] == [point.at for point in changepoints.change_points(NILE, window=window)]


def test_the_energy_is_what_its_definition_gives() -> None:
    values = np.random.default_rng(41).normal(size=9)
    best = changepoints.best_split(values)

    def energy(split: int, end: int) -> float:
        old, new = values[:split], values[split:end]
        n, m = len(old), len(new)
        across = np.mean([abs(a - b) for a in old for b in new])
        inside = [
            np.mean([abs(a - b) for i, a in enumerate(part) for b in part[i + 1 :]]) for part in (old, new)
        ]
        return n * m / (n + m) * (2 * across - sum(inside))

    expected = max(energy(split, end) for split in range(3, 7) for end in range(split + 3, 10))
    assert pytest.approx(expected) == best.energy
    assert pytest.approx(expected) == energy(best.at, best.end)


def test_a_step_at_the_end_of_a_long_series_is_not_hidden_by_what_is_long_ago() -> None:
    rng = np.random.default_rng(42)
    values = np.concatenate((rng.normal(0.8, 0.02, 150), rng.normal(0.7, 0.02, 8)))
    assert [150] == [point.at for point in changepoints.change_points(values)]


def test_quiet_series_seldom_change() -> None:
    rng = np.random.default_rng(43)
    changed = sum(bool(changepoints.change_points(rng.normal(size=40))) for _ in range(150))
    # the split is searched, so the p-value is not the error: about 10 % in 60 values
    assert stats.binomtest(changed, 150, 0.10, alternative="greater").pvalue > 0.001


def test_a_step_between_values_without_spread_is_weighed_by_counting() -> None:
    assert 2 / 12870 == changepoints.step_p([1.0] * 8, [0.9] * 8)
    assert 1.0 == changepoints.step_p([1.0] * 8, [1.0] * 8)
    assert (8,) == tuple(point.at for point in changepoints.change_points([1.0] * 8 + [0.9] * 8))
    assert () == changepoints.change_points([1.0] * 3 + [0.9] * 3)


def test_a_weak_step_is_dropped_again() -> None:
    values = [1.0, 1.1, 0.9, 1.0, 1.05, 1.3, 1.2, 1.25, 1.15, 1.3]
    assert [5] == [point.at for point in changepoints.change_points(values, weak_p=0.01, strict_p=0.01)]
    assert () == changepoints.change_points(values, weak_p=0.01, strict_p=1e-6)


def test_too_few_values_have_no_split() -> None:
    assert changepoints.best_split([1, 2, 3, 4, 5]) is None
    assert () == changepoints.change_points([1, 2, 3, 4, 5])
    assert () == changepoints.change_points([])
