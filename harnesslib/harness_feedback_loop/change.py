"""Drift: the same model under the same settings and the same suite does not pass what it did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harnesslib.harness_feedback_loop.endpoint import typical_load
from harnesslib.harness_feedback_loop.evidence import Evidence, Found, Samples, grouped, settled
from harnesslib.records import Finding
from harnesslib.stats import drift as series
from harnesslib.stats import paired
from harnesslib.stats.wording import count, p_value, points

LIKE = 1.5
"""Loads up to this many times each other are the same load."""

FAR = 3.0
"""Standard deviations from which on a single run is far out."""

STILL = 0.05
"""p-value of this run, above which a drift of an earlier run has passed."""

FEWEST_CASES = 5
"""Cases in all of the runs, without which nothing is said about drift."""


def drift(evidence: Evidence) -> Found | None:
    """Find a change between this run and earlier ones that nobody announced.

    Notes
    -----
    Source: `stats.drift.watch` over the runs, with the older half as its reference, at most 8. Infrastructure
    errors and the calls of a start are left out of every run alike. Runs under another load are left out too:
    a loss there is the load's until it is seen under the same one.
    """
    counts = _counts(_under_this_load(evidence))
    if counts is None or len(counts[0]) < 2:  # noqa: PLR2004 - now and before
        return None
    passes, calls = counts
    # A drift of some runs ago must not be in its own reference: of few runs it is the first half.
    reference = min(series.REFERENCE, (len(passes) + 1) // 2)
    watch = series.watch(passes, calls, reference=reference)
    base = passes[:reference].sum(axis=0), calls[:reference].sum(axis=0)
    now_test = series.shift(passes[-1], calls[-1], *base, watch.direction or "worse")
    if watch.direction is None or now_test.p_value is None or now_test.p_value > STILL:
        return None
    change = points(paired.effect(passes[-1], base[0], calls[-1], base[1]))
    beside = f"{count(passes.shape[1], 'case')}, beside the first {count(reference, 'run')}"
    finding = Finding(
        cause="drift",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if _is_seen_again(watch) else "probable",
        headline=_headline(evidence.model, watch.direction),
        evidence=(
            (f"{change} on {beside} with the same settings, suite and load ({p_value(now_test.p_value)})."),
            (
                f"{count(len(watch.tests), 'run')} came after these; the summed deviation stands at "
                f"{max(watch.cusum.lower[-1], watch.cusum.upper[-1]):.1f} of {series.LIMIT:g}."
            ),
        ),
        refute=(
            "Measure it again on the same cases, and compare the endpoint's digest of the model: "
            "if fresh calls pass as often as before, it was chance or a fault that passed."
        ),
        p_value=now_test.p_value,
        statistic=now_test.statistic,
        method="z of this run beside the reference; exact law given each case's passes, and CUSUM",
    )
    return Found(evidence.finding(finding))


def _headline(model: str, direction: series.Direction) -> str:
    fewer = "fewer" if direction == "worse" else "more"
    return f"{model} is not what it was: it passes {fewer} cases than in earlier runs"


def _under_this_load(evidence: Evidence) -> list[Samples]:
    """Return the runs that can be compared with this one, which is the last."""
    *earlier, now = (settled(run) for run in evidence.taken)
    load = typical_load(now)
    return [*(run for run in earlier if _alike(typical_load(run), load)), now]


def _alike(one: float, other: float) -> bool:
    return max(one, other) <= LIKE * min(one, other)


def _counts(runs: Sequence[Samples]) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return passes and valid calls of runs (rows) by cases (columns) that each run has."""
    by_case = [grouped(tuple(sample for sample in run if sample.outcome != "infra_error")) for run in runs]
    shared = sorted(set.intersection(*(set(groups) for groups in by_case)))
    if len(shared) < FEWEST_CASES:
        return None
    passes = [[sum(s.outcome == "pass" for s in groups[case]) for case in shared] for groups in by_case]
    calls = [[len(groups[case]) for case in shared] for groups in by_case]
    return np.array(passes, dtype=np.int64), np.array(calls, dtype=np.int64)


def _is_seen_again(watch: series.Watch) -> bool:
    """Whether more than one run lies beyond the limit of a single one, on the same side."""
    side = -1.0 if watch.direction == "worse" else 1.0
    return sum(side * (test.statistic or 0.0) > FAR for test in watch.tests) > 1
