"""Cold starts: bad or slow first calls, and only the first ones."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from harnesslib.harness_feedback_loop.evidence import (
    SIGNIFICANT,
    Evidence,
    Flags,
    Found,
    Samples,
    Table,
    before_answer,
    by_model,
    mark,
    places_of,
    tables,
)
from harnesslib.records import Finding, Sample, SampleKey
from harnesslib.stats import coldstart
from harnesslib.stats.wording import count, p_value, percent, points, share

SUSPICION = 0.1
"""Suspects cost a few sessions, missing one costs the finding: the threshold is loose."""

FIRST = ("screen", "probe")
"""Stages in which a cycle meets a model for the first time."""

START = 8
"""Calls that count as the start of a stage."""

FEWEST_RUNS = 3
FEWEST_CASES = 3
"""A start that fails fewer cases than this is too little to go by."""

SLOWER = 1.5
"""What a first call must take, in times of the same case later, to count as slow."""

FELT_S = 0.3
"""How much longer it must take at the least: to open a connection takes time too, and is no cold start."""

MOST, FEW = 0.5, 0.4
"""Shares of slow calls before and after the first answer that make a slow start."""

AGAIN = 0.05
"""p-value at which an earlier run's start shows the same."""


class Start(NamedTuple):
    """What the start of a session looks like.

    `p_value` is of "the first calls are worse than the later ones"; `failed` and `slow` are how many cases
    failed or were slow at first, and were not later.
    """

    p_value: float
    failed: int
    slow: int

    @property
    def shows(self) -> bool:
        """Whether enough cases are concerned for a cause."""
        return max(self.failed, self.slow) >= FEWEST_CASES


def slow_calls(waited: Table) -> Flags:
    """Return which answers took at least 1.5 times what their case usually takes, and 0.3 s more."""
    known = [row[~np.isnan(row)] for row in waited]
    usual = np.array([np.median(row) if row.size else np.nan for row in known])
    slow: Flags = waited >= np.maximum(SLOWER * usual, usual + FELT_S)[:, None]
    return slow


def start_of(passed: Table, waited: Table, bad: Sequence[bool]) -> Start:
    """Return what the start of one session looks like.

    Parameters
    ----------
    passed, waited
        Cases (rows) by runs (columns), as `evidence.tables` makes them.
    bad
        Whether each call timed out or was slow, in the order in which they were started.

    Notes
    -----
    Source: bunching of late answers over single calls (`coldstart.prefix_p`) and, from 3 runs on, the order
    of outcomes (`coldstart.pattern_test`) and of times (`coldstart.latency_test`) over runs; Bonferroni over
    the three. Where a later stretch of runs is worse than the start, outcomes don't count: that is a fault
    that passed. Assumes that cases come in random order in each run.
    """
    given = [coldstart.prefix_p(bad)]
    if passed.shape[1] >= FEWEST_RUNS:
        at_start = coldstart.worst_at_start(passed)
        outcomes = coldstart.pattern_test(passed).p_value if at_start is not False else None
        times = coldstart.latency_test(waited).p_value
        given += [1.0 if p is None else p for p in (outcomes, times)]
    return Start(min(1.0, len(given) * min(given)), _failed_first(passed), _slow_first(waited))


def _failed_first(passed: Table) -> int:
    if passed.shape[1] < 2:  # noqa: PLR2004 - first and later
        return 0
    return int(np.sum((passed[:, 0] == 0) & (np.nansum(passed[:, 1:], axis=1) > 0)))


def _slow_first(waited: Table) -> int:
    known = ~np.isnan(waited[:, :1]).ravel() & (np.sum(~np.isnan(waited[:, 1:]), axis=1) > 0)
    if not known.any():
        return 0
    usual = np.nanmedian(waited[known, 1:], axis=1)
    return int(np.sum(waited[known, 0] >= np.maximum(SLOWER * usual, usual + FELT_S)))


def suspects(samples: Sequence[Sample]) -> tuple[tuple[str, str], ...]:
    """Return the (model, phase) pairs whose first calls are worth sessions with and without warm-up.

    Their timeouts are bunched at the start of the cycle; or there are timeouts, and the endpoint says that
    loading took at least as long as a typical answer.
    """
    screened = by_model([sample for sample in samples if sample.stage in FIRST])
    return tuple((model, phase) for (phase, model), group in screened.items() if _suspicious(group))


def cold_calls(samples: Sequence[Sample]) -> frozenset[SampleKey]:
    """Return the samples of `suspects` that were started before the model's first answer came."""
    screened = by_model([sample for sample in samples if sample.stage in FIRST])
    return frozenset(key for group in screened.values() if _suspicious(group) for key in before_answer(group))


def _suspicious(samples: Sequence[Sample]) -> bool:
    timeouts = timeouts_of(samples)
    times = [sample.latency_s for sample in samples if sample.latency_s]
    loads = [sample.load_s for sample in samples if sample.load_s]
    long_load = bool(loads) and bool(times) and max(loads) >= median(times)
    return coldstart.prefix_p(timeouts) <= SUSPICION or (any(timeouts) and long_load)


def timeouts_of(samples: Sequence[Sample]) -> list[bool]:
    """Return whether each sample timed out, infrastructure errors left out."""
    return [sample.outcome == "timeout" for sample in samples if sample.outcome != "infra_error"]


def cold_start(evidence: Evidence) -> Found | None:
    """Find a bad start: confirmed by sessions or by another run's start, probable if one start shows it."""
    parts, sessions = evidence.stages, evidence.sessions
    first = parts[0] if parts else ()
    start = _seen(first)
    proven = (
        sessions is not None
        and sessions.p_value is not None
        and sessions.p_value <= evidence.policy.alpha
        and (sessions.effect.value or 0) > 0
    )
    shown = start.p_value <= SIGNIFICANT and start.shows
    if not proven and not shown:
        return None
    again = [run for run in evidence.earlier if _shows_again(run)] if shown else []
    finding = Finding(
        cause="cold_start",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if proven or again else "probable",
        headline=_headline(evidence.model, first, start, proven=proven),
        evidence=(
            *_session_lines(evidence),
            *_start_lines(first, start),
            *_again_lines(evidence, len(again)),
        ),
        refute=(
            "Unload the model before each of some new sessions, every second one with a warm-up: "
            "if first calls fail as often with it as without it, the start is not the cause."
        ),
        case_ids=tuple(sorted({s.case_id for s in first[:START] if s.outcome == "timeout"})),
        p_value=sessions.p_value if sessions else start.p_value,
        statistic=float(max(start.failed, start.slow)),
        method="cases that are worse at first; order of timeouts, outcomes and times, Bonferroni",
    )
    cold = frozenset(before_answer(first))
    return Found(evidence.finding(finding), frozenset(mark(s) for s in first if s.key in cold))


def _seen(samples: Samples) -> Start:
    """Return what the start of a stage looks like."""
    if not samples:
        return Start(1.0, 0, 0)
    passed, waited = tables(samples)
    slow = _slow_keys(samples, waited)
    called = [sample for sample in samples if sample.outcome != "infra_error"]
    start = start_of(passed, waited, [s.outcome == "timeout" or s.key in slow for s in called])
    timeouts = sum(sample.outcome == "timeout" for sample in called[:START])
    if not timeouts and not _is_slow_at_first_only(samples, slow):
        start = start._replace(slow=0)
    return start._replace(failed=max(start.failed, timeouts))


def _slow_keys(samples: Samples, waited: Table) -> frozenset[SampleKey]:
    flags = slow_calls(waited)
    places = places_of(samples)
    return frozenset(sample.key for sample in samples if flags[places[sample.key]])


def _is_slow_at_first_only(samples: Samples, slow: frozenset[SampleKey]) -> bool:
    """Whether most calls before the first answer were slow, and few of that repeat after it.

    A model that loads keeps all of them waiting; where later ones wait too, a cache fills.
    """
    cold = frozenset(before_answer(samples))
    first = min(sample.repeat for sample in samples)
    start = [s.key in slow for s in samples if s.key in cold]
    rest = [s.key in slow for s in samples if s.repeat == first and s.key not in cold]
    return sum(start) >= MOST * len(start) and sum(rest) <= FEW * len(rest)


def _shows_again(run: Samples) -> bool:
    first = tuple(sample for sample in run if sample.stage == run[0].stage)
    start = _seen(first)
    return start.p_value <= AGAIN and start.shows


def _headline(model: str, first: Samples, start: Start, *, proven: bool) -> str:
    failing = proven or any(timeouts_of(first)[:START]) or start.failed > start.slow
    return (
        f"{model} fails its first calls after it was loaded, and only those"
        if failing
        else f"{model} is slow to answer its first calls, and only those"
    )


def _session_lines(evidence: Evidence) -> tuple[str, ...]:
    seen = evidence.sessions
    if seen is None:
        return ("No sessions with and without warm-up were measured.",)
    found = f"{points(seen.effect)}, {p_value(seen.p_value)}"
    lines = [
        (
            f"First calls after a load pass in {share(seen.cold)} cold, {share(seen.warm)} after a warm-up, "
            f"over {count(seen.sessions, 'pair')} of sessions: {found}."
        )
    ]
    if seen.warmup_s is not None:
        lines.append(f"A warm-up, from the request to the answer, took {seen.warmup_s:.2f} s (median).")
    return tuple(lines)


def _start_lines(samples: Samples, start: Start) -> tuple[str, ...]:
    lines = []
    timeouts = timeouts_of(samples)
    stage = "screen" if samples and samples[0].stage == "screen" else "run"
    if any(timeouts):
        first, later = timeouts[:START], timeouts[START:]
        bunched = p_value(coldstart.prefix_p(timeouts))
        lines.append(
            f"In the {stage} {sum(first)} of the first {count(len(first), 'call')} timed out, "
            f"and {sum(later)} of the {len(later)} later ones ({bunched} for bunching at the start)."
        )
    if start.shows:
        lines.append(
            f"{count(start.failed, 'case')} failed and {start.slow} took at least {SLOWER:g} times as long "
            f"at first, other than later ({p_value(start.p_value)} over all tests of the start)."
        )
    loads = [s.load_s for s in samples if s.load_s and s.latency_s]
    times = [s.latency_s for s in samples if s.latency_s]
    if loads and max(loads) >= median(times):
        lines.append(f"The endpoint says that it loaded the model for up to {max(loads):.2f} s.")
    return tuple(lines)


def _again_lines(evidence: Evidence, again: int) -> tuple[str, ...]:
    if not evidence.earlier:
        return ()
    runs = len(evidence.earlier)
    return (
        f"The start of {again} of {count(runs, 'earlier run')} shows the same ({percent(again / runs)}).",
    )
