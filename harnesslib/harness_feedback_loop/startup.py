"""Timeouts: those of a cold start, and those that come at any time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from statistics import median

from harnesslib.harness_feedback_loop.evidence import LEVEL, Evidence, by_model
from harnesslib.records import Finding, Sample, SampleKey
from harnesslib.stats import coldstart, intervals
from harnesslib.stats.wording import count, p_value, percent, points, share

SUSPICION = 0.1
"""Suspects cost a few sessions, missing one costs the finding: the threshold is loose."""

FIRST = ("screen", "probe")
"""Stages in which a cycle meets a model for the first time."""

START = 8
"""Calls that count as the start of a stage."""

TOLERATED_TIMEOUTS = 0.05
FEWEST_TIMEOUTS = 3


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
    return frozenset(
        key for group in screened.values() if _suspicious(group) for key in _before_answer(group)
    )


def _before_answer(samples: Sequence[Sample]) -> list[SampleKey]:
    answers = [s.started_at + timedelta(seconds=s.elapsed_s) for s in samples if s.latency_s is not None]
    first = min(answers, default=None)
    return [sample.key for sample in samples if first is None or sample.started_at < first]


def _suspicious(samples: Sequence[Sample]) -> bool:
    timeouts = _timeouts(samples)
    times = [sample.latency_s for sample in samples if sample.latency_s]
    loads = [sample.load_s for sample in samples if sample.load_s]
    long_load = bool(loads) and bool(times) and max(loads) >= median(times)
    return coldstart.prefix_p(timeouts) <= SUSPICION or (any(timeouts) and long_load)


def _timeouts(samples: Sequence[Sample]) -> list[bool]:
    return [sample.outcome == "timeout" for sample in samples if sample.outcome != "infra_error"]


def cold_start(evidence: Evidence) -> Finding | None:
    """Find failures at a model's start: confirmed by sessions, probable if only the screen shows them."""
    screened = _timeouts([sample for sample in evidence.samples if sample.stage in FIRST])
    at_start, sessions = coldstart.prefix_p(screened), evidence.sessions
    proven = (
        sessions is not None
        and sessions.p_value is not None
        and sessions.p_value <= evidence.policy.alpha
        and (sessions.effect.value or 0) > 0
    )
    if not proven and at_start > evidence.policy.alpha:
        return None
    return Finding(
        cause="cold_start",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if proven else "probable",
        headline=f"{evidence.model} fails its first calls after it was loaded, and only those",
        evidence=(*_session_lines(evidence), *_start_lines(screened, at_start)),
        refute=(
            "Unload the model before each of some new sessions, every second one with a warm-up: "
            "if first calls fail as often with it as without it, the start is not the cause."
        ),
        p_value=sessions.p_value if sessions else at_start,
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


def _start_lines(timeouts: Sequence[bool], p: float) -> tuple[str, ...]:
    if not any(timeouts):
        return ()
    first, later = timeouts[:START], timeouts[START:]
    return (
        (
            f"In the screen {sum(first)} of the first {count(len(first), 'call')} timed out, "
            f"and {sum(later)} of the {len(later)} later ones ({p_value(p)} for bunching at the start)."
        ),
    )


def timeout_bound(evidence: Evidence) -> Finding | None:
    """Find timeouts that a cold start does not explain: too many after the start of each stage."""
    loading = cold_calls(evidence.samples)
    later = [
        sample
        for stage in evidence.stages
        for sample in stage[START:]
        if not sample.cold and sample.key not in loading
    ]
    timeouts = _timeouts(later)
    if sum(timeouts) < FEWEST_TIMEOUTS or sum(timeouts) <= TOLERATED_TIMEOUTS * len(timeouts):
        return None
    lower = intervals.clopper_pearson(sum(timeouts), len(timeouts), level=LEVEL, side="lower").low or 0.0
    times = [sample.latency_s for sample in evidence.samples if sample.latency_s]
    typical = f"; a typical answer takes {median(times):.2f} s" if times else ""
    return Finding(
        cause="timeout_bound",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if lower > TOLERATED_TIMEOUTS else "probable",
        headline=f"{evidence.model} runs into its deadline, and not only at the start",
        evidence=(
            (
                f"{sum(timeouts)} of {count(len(timeouts), 'call')} after the start of a stage timed out; "
                f"at 95 % confidence at least {percent(lower)} do{typical}."
            ),
        ),
        refute=(
            "Double timeout_s: if as many calls time out, the model hangs, and more time does not help; "
            "if they pass, the deadline was the cause."
        ),
        case_ids=tuple(sorted({sample.case_id for sample in later if sample.outcome == "timeout"})),
    )
