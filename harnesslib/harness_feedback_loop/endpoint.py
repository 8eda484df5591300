"""What lies with the endpoint: errors of its own, and answers that get worse the more it is asked at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

import numpy as np

from harnesslib.harness_feedback_loop.evidence import (
    LEVEL,
    SIGNIFICANT,
    Evidence,
    Found,
    Samples,
    grouped,
    mark,
    tables,
)
from harnesslib.records import Finding, Sample
from harnesslib.stats import intervals, paired, variance
from harnesslib.stats.wording import count, p_value, percent

WORSE = 0.1
"""Pass rate that must be lost above a level before the load is a cause."""

FEWEST_CALLS = 20
"""Calls above and below a level without which nothing is said about it."""

RARE = 0.002
"""p-value at which repeats differ beyond chance: no error was seen, so it takes more to speak of one."""

MOST_LEVELS = 6
FEWEST_RUNS = 5
"""Repeats without which single bad ones can't be told from chance."""


def infrastructure(evidence: Evidence) -> Found | None:
    """Find an endpoint that fails too often for its model to be judged."""
    broken = [sample for sample in evidence.samples if sample.outcome == "infra_error"]
    total, limit = len(evidence.samples), evidence.policy.max_infra_share
    if len(broken) <= limit * total:
        return _transient(evidence)
    lower = intervals.clopper_pearson(len(broken), total, level=LEVEL, side="lower").low or 0.0
    reasons = Counter(sample.detail for sample in broken).most_common(3)
    finding = Finding(
        cause="infrastructure",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if lower > limit else "probable",
        headline=f"The endpoint of {evidence.model} fails too often to judge the model",
        evidence=(
            (
                f"{len(broken)} of {count(total, 'sample')} ended in an infrastructure error; "
                f"up to {percent(limit)} are tolerated. They count for no model and against none."
            ),
            *(f"{count(times, 'time')}: {reason or 'no detail'}" for reason, times in reasons),
        ),
        refute="Run the same cases again with concurrency 1: if the errors stay away, it was the load.",
        case_ids=tuple(sorted({sample.case_id for sample in broken})),
        statistic=len(broken) / total,
        method="share of samples, exact lower bound",
    )
    retried = (s for s in evidence.samples if s.outcome == "timeout" and s.attempts > 1)
    return Found(evidence.finding(finding), frozenset(mark(s) for s in (*retried, *broken)))


def _transient(evidence: Evidence) -> Found | None:
    """Find single bad repeats: cases of all kinds failed in the same ones."""
    longest = max(evidence.stages, key=len, default=())
    passed = tables(longest)[0] if longest else np.empty((0, 0))
    if passed.shape[1] < FEWEST_RUNS:
        return None
    complete = passed[~np.isnan(passed).any(axis=1)]
    p = variance.overdispersion_p(complete)
    if p is None or p > RARE:
        return None
    rates = complete.mean(axis=0)
    worst = int(rates.argmin())
    repeat = sorted({sample.repeat for sample in longest})[worst]
    failed = [s for s in longest if s.repeat == repeat and s.outcome != "pass"]
    finding = Finding(
        cause="infrastructure",
        phase=evidence.phase,
        model=evidence.model,
        certainty="probable",
        headline=f"Something disturbed {evidence.model} for a while: whole repeats differ beyond chance",
        evidence=(
            (
                f"Repeat {repeat} passed {percent(float(rates[worst]))} of {count(len(complete), 'case')}, "
                f"the median repeat {percent(float(np.median(rates)))} ({p_value(p)} for equal repeats)."
            ),
        ),
        refute="Run it again: if repeats differ in the same way, time is not the cause.",
        case_ids=tuple(sorted({sample.case_id for sample in failed})),
        p_value=p,
        statistic=float(rates[worst]),
        method="pass rate of the worst repeat; spread of repeats, outcomes shuffled inside each case",
    )
    return Found(evidence.finding(finding), frozenset(mark(sample) for sample in failed))


class _Split(NamedTuple):
    """Calls with at most `level` samples in flight beside the calls with more."""

    level: int
    p_value: float
    loss: float
    low: tuple[int, int]
    high: tuple[int, int]


def concurrency_dependent(evidence: Evidence) -> Found | None:
    """Find failures that come with the load: more of them where more samples were in flight.

    Notes
    -----
    Source: the exact test of `stats.paired` with "few in flight" and "many in flight" as its arms, Bonferroni
    over the levels. Runs at one level each are also runs at different times: to be a finding, the difference
    must stay when any single run is left out, or show inside the runs.
    """
    runs = evidence.runs
    split = _worst_split(runs)
    if split is None or split.p_value > SIGNIFICANT or split.loss < WORSE:
        return None
    apart = _is_apart(runs, split.level)
    if not apart and len(runs) > 1 and not _is_the_only_contrast(runs, split.level):
        return None
    above = [s for s in evidence.samples if load_of(s) > split.level and s.outcome != "pass"]
    low, high = _rate(split.low), _rate(split.high)
    lines = [
        (
            f"With more than {split.level} samples in flight {percent(high)} of "
            f"{count(split.high[1], 'call')} passed, "
            f"with fewer {percent(low)} of {count(split.low[1], 'call')} to the same cases "
            f"({p_value(split.p_value)})."
        ),
        f"What failed above: {_outcomes(above)}.",
    ]
    if not apart:
        lines.append("The two loads were measured at different times: drift would look the same.")
    finding = Finding(
        cause="concurrency_dependent",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if apart else "probable",
        headline=f"{evidence.model} gets worse when more than {split.level} samples are in flight",
        evidence=tuple(lines),
        refute=(
            f"Run the same cases in turn with concurrency {split.level} and with the present one, several "
            "times: if they pass as often with both, the load is not the cause."
        ),
        case_ids=tuple(sorted({sample.case_id for sample in above})),
        p_value=split.p_value,
        statistic=split.loss,
        method="loss of pass rate above the level; exact law by case, Bonferroni over levels",
    )
    explained = (mark(s) for run in evidence.taken for s in run if load_of(s) > split.level)
    return Found(evidence.finding(finding), frozenset(explained))


def _worst_split(runs: Sequence[Samples]) -> _Split | None:
    levels = sorted({load_of(sample) for run in runs for sample in run})[:-1]
    chosen = levels[:: max(1, -(-len(levels) // MOST_LEVELS))]
    splits = [split for level in chosen if (split := _split(runs, level)) is not None]
    worst = min(splits, key=lambda split: (split.p_value, -split.loss), default=None)
    return worst and worst._replace(p_value=min(1.0, len(splits) * worst.p_value))


def _split(runs: Iterable[Samples], level: int) -> _Split | None:
    counts = _counts((s for run in runs for s in run), level)
    if counts.size == 0:
        return None
    high, high_calls, low, low_calls = counts.T
    if min(high_calls.sum(), low_calls.sum()) < FEWEST_CALLS:
        return None
    p = paired.exact_p(high, low, high_calls, low_calls, "worse")
    loss = float(np.mean(low / low_calls - high / high_calls))
    sums = counts.sum(axis=0).tolist()
    return _Split(level, p, loss, low=(sums[2], sums[3]), high=(sums[0], sums[1]))


def _counts(samples: Iterable[Sample], level: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return (passes above, calls above, passes below, calls below) of each case that has both."""
    rows = []
    for group in grouped(tuple(samples)).values():
        high = [s.outcome == "pass" for s in group if load_of(s) > level]
        low = [s.outcome == "pass" for s in group if load_of(s) <= level]
        if high and low:
            rows.append((sum(high), len(high), sum(low), len(low)))
    return np.array(rows, dtype=np.int64)


def _is_apart(runs: Sequence[Samples], level: int) -> bool:
    """Whether the load is told from time: the loss stays whichever run is left out.

    The one run that has its load can't be left out: it must then stand between two others.
    """
    for left_out in range(len(runs)):
        split = _split([run for number, run in enumerate(runs) if number != left_out], level)
        if split is None and 0 < left_out < len(runs) - 1:
            continue
        if split is None or split.p_value > SIGNIFICANT or split.loss < WORSE:
            return False
    return len(runs) > 1


def _is_the_only_contrast(runs: Sequence[Samples], level: int) -> bool:
    """Whether no other run has the load of the last one, so that it can't be compared with its like."""
    return sum(typical_load(run) > level for run in runs) == 1 and typical_load(runs[-1]) > level


def load_of(sample: Sample) -> int:
    """Return how many samples the endpoint was given at a time.

    Where that is not known, how many were worked on: this is worse, since it follows from how fast they end.
    """
    return sample.level or sample.concurrency


def typical_load(samples: Sequence[Sample]) -> float:
    """Return the median number of samples in flight."""
    return median(load_of(sample) for sample in samples) if samples else 0.0


def _rate(passes: tuple[int, int]) -> float:
    return passes[0] / passes[1]


def _outcomes(samples: Sequence[Sample]) -> str:
    seen = Counter(sample.outcome for sample in samples).most_common()
    return ", ".join(f"{number} {outcome}" for outcome, number in seen) or "nothing in this run"
