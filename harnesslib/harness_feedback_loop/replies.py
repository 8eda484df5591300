"""What the answers themselves tell: they come from a cache, can't be read, or come too late."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple, TypeAlias

import numpy as np

from harnesslib.harness_feedback_loop.evidence import (
    LEVEL,
    SIGNIFICANT,
    Evidence,
    Found,
    Samples,
    answered,
    before_answer,
    fair,
    grouped,
    mark,
)
from harnesslib.harness_feedback_loop.startup import SLOWER, START, timeouts_of
from harnesslib.records import Finding, Sample, SampleKey
from harnesslib.stats import copies, intervals, paired
from harnesslib.stats.wording import count, p_value, percent

FEWEST_COPIES = 5
"""Cases that look cached, without which a cache is not spoken of."""

QUICKER = 3.0
"""How many times quicker than the first answer a copy must be: more than a prompt's cache usually saves."""

ALIKE = 1.005
"""Longest over shortest time up to which the times of a case are the same time."""

CHANCE_ALIKE = 0.02
"""Generous chance of a case without a cache to have such times."""

TOLERATED_MALFORMED = 0.05
NOTABLE_MALFORMED = 0.1
SHARE_OF_FAILURES = 1 / 3
FEWEST_MALFORMED = 3

TOLERATED_TIMEOUTS = 0.05
FEWEST_TIMEOUTS = 3


Answer: TypeAlias = tuple[str, str]
"""Case id and what was said to it."""


class _Copies(NamedTuple):
    """What speaks for a cache: the answers that look cached."""

    answers: tuple[Answer, ...]
    p_value: float
    line: str
    sure: bool


def cached_replicates(evidence: Evidence) -> Found | None:
    """Find repeats that are copies: the same answer under another seed, in no time or always in the same.

    Notes
    -----
    Source: an answer that comes again took three times as long at first as ever after
    (`copies.slow_first_p`), or its later times agree to half a percent, which without a cache happens to
    less than 2 % of answers (`copies.coincidence_p`); Bonferroni over the two. Assumes that seeds differ, and
    for the first rule a temperature above 0: at 0 equal answers are to be expected, and a prompt's cache too.
    """
    usable = [sample for run in evidence.runs for sample in run]
    groups = _same_answers(usable)
    warm = evidence.spec is not None and evidence.spec.settings.temperature > 0
    tests = [_same_times(groups), *([_quicker(groups)] if warm else [])]
    found = min(tests, key=lambda test: test.p_value)
    cases = tuple(sorted({case_id for case_id, _ in found.answers}))
    if len(cases) < FEWEST_COPIES or found.p_value > SIGNIFICANT / len(tests):
        return None
    # The start was left out so that a cold start is not taken for a cache; now that there is one, it counts.
    everything = _same_answers([s for run in (*evidence.earlier, evidence.samples) for s in run])
    repeats = frozenset(
        mark(sample)
        for answer, group in everything.items()
        if answer in found.answers or _is_slow_first(group)
        for sample in group[1:]
    )
    finding = Finding(
        cause="cached_replicates",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if found.sure else "probable",
        headline=f"Repeats of {evidence.model} look like copies out of a cache",
        evidence=(
            found.line,
            f"{count(len(repeats), 'answer')} in all are taken for copies: each case counts once.",
        ),
        refute=(
            "Ask these cases again with a word changed that does not matter: if answers take as long as "
            "before and stay the same, they were no copies."
        ),
        case_ids=cases,
        p_value=found.p_value,
        statistic=float(len(found.answers)),
        method="answers whose repeats look cached; chance of so many without a cache",
    )
    return Found(evidence.finding(finding), repeats)


def _same_answers(samples: Sequence[Sample]) -> dict[Answer, Samples]:
    """Return the samples that said the same to the same case under different seeds, where there are several.

    A parametric case asks for other values under other seeds: each of its answers stands for itself.
    """
    found: dict[Answer, list[Sample]] = defaultdict(list)
    for sample in answered(samples):
        found[sample.case_id, repr((sample.turns, sample.text))].append(sample)
    return {
        answer: tuple(group)
        for answer, group in sorted(found.items())
        if len(group) > 1 and len({sample.seed for sample in group}) == len(group)
    }


def _is_slow_first(group: Samples) -> bool:
    """Whether the first answer took longest by far: where there is a cache, that is enough to be a copy."""
    times = _times(group)
    return len(times) > 1 and times[0] >= SLOWER * max(times[1:])


def _times(group: Samples) -> list[float]:
    return [sample.latency_s for sample in group if sample.latency_s]


def _quicker(groups: Mapping[Answer, Samples]) -> _Copies:
    slow: list[tuple[Answer, int, bool]] = []
    for answer, group in groups.items():
        times = _times(group)
        order = sorted(times, reverse=True)
        if len(times) > 1 and order[0] >= QUICKER * order[1]:
            slow.append((answer, len(times), times[0] == order[0]))
    firsts = tuple(answer for answer, _, is_first in slow if is_first)
    p = copies.slow_first_p([size for _, size, _ in slow], len(firsts))
    later = [time for answer in firsts for time in _times(groups[answer])[1:]]
    first = [_times(groups[answer])[0] for answer in firsts]
    line = (
        f"{len(firsts)} of {count(len(groups), 'answer')} that came again under another seed took "
        f"{median(first):.3f} s at first and {median(later):.3f} s later ({p_value(p)})."
        if firsts
        else ""
    )
    return _Copies(firsts, p, line, sure=False)


def _same_times(groups: Mapping[Answer, Samples]) -> _Copies:
    """Look at the later times of each answer: a cache may have been filled by the first one."""
    spans = {answer: _times(group)[1:] for answer, group in groups.items()}
    asked = {answer: times for answer, times in spans.items() if len(times) > 1}
    alike = tuple(answer for answer, times in asked.items() if max(times) <= ALIKE * min(times))
    p = copies.coincidence_p(len(alike), len(asked), CHANCE_ALIKE)
    shown = [time for answer in alike for time in asked[answer]]
    line = (
        f"{len(alike)} of {count(len(asked), 'answer')} that came again under other seeds took the "
        f"same time, to half a percent ({median(shown):.4f} s, {p_value(p)})."
        if alike
        else ""
    )
    return _Copies(alike, p, line, sure=True)


def format_mismatch(evidence: Evidence) -> Found | None:
    """Find calls that can't be read: confirmed where the model is read better under another variant."""
    asked = [s for s in fair(evidence.samples) if s.wants_call and s.outcome != "infra_error"]
    broken = [sample for sample in asked if sample.outcome == "malformed"]
    failed = [sample for sample in answered(asked) if sample.outcome != "pass"]
    too_few = len(broken) < max(FEWEST_MALFORMED, NOTABLE_MALFORMED * len(asked))
    if too_few or len(broken) < SHARE_OF_FAILURES * len(failed):
        return None
    better, p = _read_better(evidence, asked)
    lower = intervals.clopper_pearson(len(broken), len(asked), level=LEVEL, side="lower").low or 0.0
    if not better and lower <= TOLERATED_MALFORMED:
        return None
    reasons = Counter(sample.detail for sample in broken).most_common(2)
    variant = evidence.spec.settings.variant if evidence.spec else "its variant"
    finding = Finding(
        cause="format_mismatch",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if better else "probable",
        headline=f"{evidence.model} writes calls that can't be read ({variant})",
        evidence=(
            (
                f"{len(broken)} of {count(len(asked), 'call')} to cases that want a tool were malformed, "
                f"{percent(len(broken) / len(failed))} of all that failed; at 95 % confidence at least "
                f"{percent(lower)} are."
            ),
            better or "No other variant of this model was measured on these cases.",
            *(f"{count(times, 'time')}: {reason or 'no detail'}" for reason, times in reasons),
        ),
        refute=(
            "Ask the same cases in every other variant: if as many calls can't be read, it is the model, not "
            "the format."
        ),
        case_ids=tuple(sorted({sample.case_id for sample in broken})),
        p_value=p,
        statistic=len(broken) / len(asked),
        method="share of malformed answers, exact lower bound",
    )
    unread = (mark(s) for run in evidence.taken for s in run if s.outcome == "malformed")
    return Found(evidence.finding(finding), frozenset(unread))


def _read_better(evidence: Evidence, mine: Sequence[Sample]) -> tuple[str, float | None]:
    """Return what another setting of the model shows, and its p-value; "" where none is read better."""
    for spec_id, samples in evidence.others.items():
        theirs = [sample for sample in answered(samples) if sample.wants_call]
        p = _malformed_p(theirs, mine)
        if p is not None and p <= evidence.policy.alpha:
            broken = sum(sample.outcome == "malformed" for sample in theirs)
            return (
                f"Asked as {spec_id}, {broken} of {count(len(theirs), 'answer')} were malformed "
                f"({p_value(p)})."
            ), p
    return "", None


def _malformed_p(theirs: Sequence[Sample], mine: Sequence[Sample]) -> float | None:
    """Return the exact p-value of "they are read better on the cases of both"."""
    other, own = grouped(tuple(theirs)), grouped(tuple(mine))
    rows = [(*_readable(other[case_id]), *_readable(own[case_id])) for case_id in sorted(other.keys() & own)]
    if not rows:
        return None
    read, calls, own_read, own_calls = np.array(rows).T
    return paired.exact_p(read, own_read, calls, own_calls)


def _readable(group: Samples) -> tuple[int, int]:
    return sum(sample.outcome != "malformed" for sample in group), len(group)


def timeout_bound(evidence: Evidence) -> Found | None:
    """Find timeouts that a cold start does not explain: too many after the start of each stage."""
    later = [sample for stage in evidence.stages for sample in _after_start(stage, evidence)]
    timeouts = timeouts_of(later)
    if sum(timeouts) < FEWEST_TIMEOUTS or sum(timeouts) <= TOLERATED_TIMEOUTS * len(timeouts):
        return None
    lower = intervals.clopper_pearson(sum(timeouts), len(timeouts), level=LEVEL, side="lower").low or 0.0
    times = [sample.latency_s for sample in evidence.samples if sample.latency_s]
    typical = f"; a typical answer takes {median(times):.2f} s" if times else ""
    late = [sample for sample in evidence.samples if sample.outcome == "timeout"]
    finding = Finding(
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
            _which(evidence, late),
        ),
        refute=(
            "Double timeout_s: if as many calls time out, the model hangs, and more time does not help; "
            "if they pass, the deadline was the cause."
        ),
        case_ids=tuple(sorted({sample.case_id for sample in later if sample.outcome == "timeout"})),
        statistic=sum(timeouts) / len(timeouts),
        method="share of calls after the start, exact lower bound",
    )
    return Found(evidence.finding(finding), frozenset(mark(sample) for sample in late))


def _after_start(stage: Samples, evidence: Evidence) -> Samples:
    """Return the calls that no cold start can have hit."""
    loading = _loading(stage, evidence)
    return tuple(s for s in fair(stage[START:]) if not s.cold and s.key not in loading)


def _loading(stage: Samples, evidence: Evidence) -> frozenset[SampleKey]:
    """Return the calls before the first answer, if there is one and it was the first stage's."""
    is_first = stage == evidence.stages[0]
    has_answers = any(sample.latency_s is not None for sample in stage)
    return frozenset(before_answer(stage)) if is_first and has_answers else frozenset()


def _which(evidence: Evidence, late: Sequence[Sample]) -> str:
    groups = grouped(evidence.samples)
    names = {sample.case_id for sample in late}
    always = [name for name in names if all(s.outcome == "timeout" for s in groups[name])]
    return f"{len(always)} of the {count(len(names), 'case')} concerned timed out every time."
