"""How numbers are said to people: points, percent, factors, p-values; unknown is n/a with its reason."""

from __future__ import annotations

from harnesslib.records import Estimate

MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
SMALLEST_P = 0.0001


def signed(value: float) -> str:
    """Return "+9.8"; a negative number gets a true minus sign."""
    text = f"{value:+.1f}".replace("-", MINUS)
    return "0.0" if text in {"+0.0", f"{MINUS}0.0"} else text


def points(estimate: Estimate) -> str:
    """Return a difference of shares: "+17.5 points [+9.8, +25.2]"."""
    if estimate.value is None:
        return _unknown(estimate)
    text = f"{signed(100 * estimate.value)} points"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{signed(100 * estimate.low)}, {signed(100 * estimate.high)}]"


def percent(share: float) -> str:
    """Return "83.3 %"."""
    return f"{100 * share:.1f} %"


def share(estimate: Estimate) -> str:
    """Return a share with its interval: "83.3 % [72.1, 90.6]"."""
    if estimate.value is None:
        return _unknown(estimate)
    if estimate.low is None or estimate.high is None:
        return percent(estimate.value)
    return f"{percent(estimate.value)} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def factor(estimate: Estimate) -> str:
    """Return a ratio with its interval, after a multiplication sign: "1.20 [1.11, 1.31]"."""
    if estimate.value is None:
        return _unknown(estimate)
    text = f"{TIMES}{estimate.value:.2f}"
    if estimate.low is None or estimate.high is None:
        return text
    return f"{text} [{estimate.low:.2f}, {estimate.high:.2f}]"


def p_value(p: float | None) -> str:
    """Return "p = 0.031", "p < 0.0001", or "p n/a"."""
    if p is None:
        return "p n/a"
    return f"p < {SMALLEST_P}" if p < SMALLEST_P else f"p = {p:.2g}" if p < 1 else "p = 1"


def count(number: int, noun: str) -> str:
    """Return "1 case" or "2 cases"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _unknown(estimate: Estimate) -> str:
    return f"n/a ({estimate.reason})" if estimate.reason else "n/a"
