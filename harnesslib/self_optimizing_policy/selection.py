"""Whom the screen leaves behind, and why."""

from __future__ import annotations

from harnesslib.records import Estimate, PhaseConfig, PolicyConfig
from harnesslib.stats.wording import TIMES, factor, percent, signed


def unfit(infra_share: float, latency_ratio: Estimate, *, policy: PolicyConfig, phase: PhaseConfig) -> str:
    """Return why a candidate is not worth more calls, whatever it gains; "" when it may be.

    Parameters
    ----------
    infra_share
        Share of its calls that ended in infrastructure errors.
    latency_ratio
        How much longer its answers take than the baseline's: its lower bound must exceed the limit, for few
        answers are compared.
    policy, phase
        Give the limits.
    """
    if infra_share > policy.max_infra_share:
        return f"{percent(infra_share)} of its calls ended in infrastructure errors"
    limit = 1 + phase.max_slowdown
    if latency_ratio.low is not None and latency_ratio.low > limit:
        return f"it takes {factor(latency_ratio)} the time of the baseline, the limit is {TIMES}{limit:.2f}"
    return ""


def why_dropped(gain: float, best: float, go: float) -> str:
    """Return why a candidate goes no further after a round of the screen.

    Parameters
    ----------
    gain
        What its calls promise for the whole suite, as a share.
    best
        The same of the best candidate.
    go
        The least gain that is worth a confirmation.
    """
    promised = f"on the cases that the baseline failed it promises {signed(100 * gain)} points"
    if best <= 0 or gain <= 0:
        return f"{promised}: nothing to confirm"
    if gain < best:
        return f"{promised}, another one {signed(100 * best)}: one candidate per phase is confirmed"
    return f"{promised}, fewer than the {signed(100 * go)} that are worth a confirmation"
