"""Numbers as people read them: true minus signs, units, intervals that never break over two lines."""

from __future__ import annotations

from datetime import datetime

from harnesslib.records import Estimate

MINUS = "\u2212"
SPACE = "\u00a0"
TIMES = "\u00d7"
DASH = "\u2013"
UNKNOWN = "n/a"
_MINUTE_S = 60.0
_HOUR_S = 3600.0


def signed(value: float, digits: int = 1) -> str:
    """Return ``+1.3``, with a true minus sign where negative; what rounds to zero has no sign."""
    text = f"{value:+.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as ``91.7 %``."""
    return UNKNOWN if share is None else f"{100 * share:.{digits}f}{SPACE}%"


def points(share: float | None) -> str:
    """Return a difference of shares in percentage points, ``+6.3``."""
    return UNKNOWN if share is None else signed(100 * share)


def margin(share: float | None) -> str:
    """Return a share in percentage points without a sign, ``9.0``."""
    return UNKNOWN if share is None else f"{100 * share:.1f}"


def count(number: int) -> str:
    """Return ``12,480``."""
    return f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """Return ``1 case`` or ``3 cases``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def listed(words: tuple[str, ...]) -> str:
    """Return ``a, b and c``."""
    if len(words) < 2:  # noqa: PLR2004
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def percent_interval(estimate: Estimate) -> str:
    """Return ``91.7 % [88.0, 94.2]``, or ``n/a`` where there is no value."""
    if estimate.value is None:
        return UNKNOWN
    if estimate.low is None or estimate.high is None:
        return percent(estimate.value)
    return f"{percent(estimate.value)} [{100 * estimate.low:.1f},{SPACE}{100 * estimate.high:.1f}]"


def points_interval(estimate: Estimate) -> str:
    """Return ``+6.3 [+1.4, +11.5]``, or ``n/a`` where there is no value."""
    if estimate.value is None:
        return UNKNOWN
    if estimate.low is None or estimate.high is None:
        return points(estimate.value)
    return f"{points(estimate.value)}{SPACE}[{points(estimate.low)},{SPACE}{points(estimate.high)}]"


def span(estimate: Estimate) -> str:
    """Return an interval in words, ``95 % interval +1.4 to +11.5``, or why there is none."""
    if estimate.low is None or estimate.high is None:
        return estimate.reason or "no interval"
    level = f"{100 * estimate.level:.0f}{SPACE}% interval"
    return f"{level} {points(estimate.low)} to {points(estimate.high)}"


def seconds(value: float | None) -> str:
    """Return a latency: ``23 ms`` below one second, ``1.42 s`` above."""
    if value is None:
        return UNKNOWN
    return f"{1000 * value:.0f}{SPACE}ms" if value < 1 else f"{value:.2f}{SPACE}s"


def duration(value: float) -> str:
    """Return a length of time: ``9.4 s``, ``12 min 05 s``, ``3 h 02 min``."""
    if value < _MINUTE_S:
        return f"{value:.1f}{SPACE}s"
    if value < _HOUR_S:
        return f"{int(value // 60)}{SPACE}min {int(value % 60):02d}{SPACE}s"
    return f"{int(value // 3600)}{SPACE}h {int(value % 3600 // 60):02d}{SPACE}min"


def probability(value: float | None) -> str:
    """Return a p-value, ``p = 0.012`` or ``p < 0.001``."""
    if value is None:
        return UNKNOWN
    return f"p{SPACE}<{SPACE}0.001" if value < 0.001 else f"p{SPACE}={SPACE}{value:.3f}"  # noqa: PLR2004


def moment(time: datetime) -> str:
    """Return ``2026-01-02 03:04 UTC``."""
    return f"{time:%Y-%m-%d %H:%M}{SPACE}UTC"


def short(digest: str) -> str:
    """Return the first ten characters of a hash."""
    return digest[:10] + "…" if len(digest) > 10 else digest or "none"  # noqa: PLR2004
