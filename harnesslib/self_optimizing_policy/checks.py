"""Checks that several kinds of change share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harnesslib.records import PolicyConfig, SpecSummary
from harnesslib.self_optimizing_policy.counts import Counts, infra_share
from harnesslib.self_optimizing_policy.gate import AT_LEAST, AT_MOST, NOT_MEASURED, Check, E, Gate, state_of
from harnesslib.stats.wording import count, percent

FEWEST_CALLS = 10
"""Calls without which nobody is denied or allowed again: 0 of 10 bounds a share by 26 %, 10 of 10 by 74 %."""


def few_errors(arms: Sequence[SpecSummary], policy: PolicyConfig) -> Check:
    """Ask whether so few calls ended in infrastructure errors that the rest can be judged."""
    limit, seen = policy.max_infra_share, infra_share(arms)
    threshold, settle = f"{AT_MOST} {percent(limit)}", "mend the endpoint, then run the cycle again"
    if seen is None:
        return Check("unknown", NOT_MEASURED, threshold, settle)
    return Check(state_of(passed=seen <= limit, failed=False), percent(seen), threshold, settle)


def enough_calls(seen: Counts, settle: str) -> Check:
    """Ask whether there are enough valid calls where one is wanted."""
    threshold = f"{AT_LEAST} {FEWEST_CALLS} valid calls where one is wanted"
    state = state_of(passed=seen.calls >= FEWEST_CALLS, failed=False)
    return Check(state, count(seen.calls, "valid call"), threshold, settle)


def above_floor(seen: Counts, floor: float, *, measure: str, settle: str, whose: str = "") -> Check:
    """Ask whether the lower bound of accuracy where a call is wanted reaches a floor.

    `measure` says what to do where nothing was measured, `settle` where it is not proven; `whose` stands
    before the threshold, with a space at its end.
    """
    threshold = f"{whose}lower bound {AT_LEAST} {percent(floor)} where a call is wanted"
    if not seen.calls:
        return Check("unknown", NOT_MEASURED, threshold, measure)
    state = state_of(passed=seen.low >= floor, failed=seen.high < floor)
    return Check(state, seen.said(), threshold, settle)


def few_errors_gate(check: Callable[[E], Check]) -> Gate[E]:
    """Return the gate about infrastructure errors of one spec."""
    return Gate(
        name="infra_share",
        meaning="So few infrastructure errors that the rest can be judged.",
        failing="too many calls ended in infrastructure errors",
        unknown="too many calls ended in infrastructure errors",
        check=check,
    )


def enough_calls_gate(check: Callable[[E], Check]) -> Gate[E]:
    """Return the gate about the number of valid calls of one spec."""
    return Gate(
        name="min_samples",
        meaning="Enough valid calls where a call is wanted.",
        failing="there are too few valid calls",
        unknown="there are too few valid calls",
        check=check,
    )
