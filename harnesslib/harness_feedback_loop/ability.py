"""What a model can't do, does too much of, or does only at times; and endpoints that fail."""

from __future__ import annotations

from collections import Counter
from statistics import fmean

from harnesslib.harness_feedback_loop.evidence import LEVEL, Evidence, by_case
from harnesslib.records import Finding
from harnesslib.stats import casestate, intervals
from harnesslib.stats.wording import count, percent, share

FEWEST_ANSWERS = 10
"""Answers without which nothing is said about a model's limits: 0 of 10 bounds its share by 26 %."""

MORE_LIKELY_THAN_NOT = 0.5
SURE = 0.9
NAMED = 5


def capability_limit(evidence: Evidence) -> Finding | None:
    """Find a model that answers, and hardly ever rightly, where a call is wanted."""
    answers = [sample for sample in evidence.answered if sample.wants_call]
    passes = sum(sample.outcome == "pass" for sample in answers)
    if len(answers) < FEWEST_ANSWERS or passes >= evidence.floor * len(answers):
        return None
    upper = intervals.clopper_pearson(passes, len(answers), level=LEVEL, side="upper").high or 0.0
    cases = by_case(answers)
    never = [case.case_id for case in cases if case.passes == 0]
    beyond = fmean(casestate.posterior(case.passes, case.valid).impossible for case in cases)
    return Finding(
        cause="capability_limit",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if upper < evidence.floor else "probable",
        headline=f"{evidence.model} can't do most of {evidence.phase}",
        evidence=(
            (
                f"{passes} of {count(len(answers), 'answer')} to cases that want a call passed; "
                f"at 95 % confidence at most {percent(upper)} do, the floor is {percent(evidence.floor)}."
            ),
            (
                f"{len(never)} of {count(len(cases), 'case')} never passed; "
                f"going by the counts, {percent(beyond)} of the cases are out of reach."
            ),
            *_shared_failures(never, evidence.hopeless),
        ),
        refute=(
            "Ask in another way (another variant, a longer timeout): if it then passes more than "
            f"{percent(evidence.floor)} of these cases, the limit was in how it was asked."
        ),
        case_ids=tuple(never),
        posterior=beyond,
    )


def _shared_failures(never: list[str], hopeless: frozenset[str]) -> tuple[str, ...]:
    shared = [case_id for case_id in never if case_id in hopeless]
    if not shared:
        return ("Every one of them was passed by some other model.",) if never else ()
    names = ", ".join(shared[:NAMED]) + (", …" if len(shared) > NAMED else "")
    return (f"No model ever passed {len(shared)} of them, so these say little about this one: {names}.",)


def over_calling(evidence: Evidence) -> Finding | None:
    """Find a model that calls tools where none is wanted."""
    answers = [sample for sample in evidence.answered if not sample.wants_call]
    overcalled = [sample for sample in answers if sample.outcome == "overcalled"]
    passes, floor = sum(sample.outcome == "pass" for sample in answers), evidence.policy.restraint_floor
    if not overcalled or passes >= floor * len(answers):
        return None
    upper = intervals.clopper_pearson(passes, len(answers), level=LEVEL, side="upper").high or 0.0
    tools = Counter(call.name for sample in overcalled for turn in sample.turns for call in turn)
    popular = ", ".join(f"{name} ({times} times)" for name, times in tools.most_common(3))
    return Finding(
        cause="over_calling",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if upper < floor else "probable",
        headline=f"{evidence.model} calls tools where none is wanted",
        evidence=(
            (
                f"{len(overcalled)} of {count(len(answers), 'answer')} to cases that want no call made one; "
                f"restraint is {share(intervals.proportion(passes, len(answers)))}, "
                f"at 95 % confidence at most {percent(upper)}; the floor is {percent(floor)}."
            ),
            *((f"Called most often: {popular}.",) if popular else ()),
        ),
        refute=(
            "Say in the system prompt when no tool is to be called: if restraint rises above "
            f"{percent(floor)}, the prompt was the cause, not the model."
        ),
        case_ids=tuple(sorted({sample.case_id for sample in overcalled})),
    )


def flaky(evidence: Evidence) -> Finding | None:
    """Find cases that pass at times: they are what makes results differ from run to run."""
    states = {
        case.case_id: (case, casestate.posterior(case.passes, case.valid).flaky)
        for case in by_case(evidence.answered)
        if 0 < case.passes < case.valid
    }
    listed = {name: state for name, state in states.items() if state[1] >= MORE_LIKELY_THAN_NOT}
    if not listed:
        return None
    least = min(probability for _, probability in listed.values())
    return Finding(
        cause="flaky",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if least >= SURE else "probable",
        headline=f"{evidence.model} passes {count(len(listed), 'case')} of {evidence.phase} only at times",
        evidence=tuple(
            f"{name}: {case.passes} of {count(case.valid, 'answer')} passed; "
            f"flaky with probability {percent(probability)}."
            for name, (case, probability) in listed.items()
        ),
        refute="Ask each of them ten times more: a case that passes always or never was not flaky.",
        case_ids=tuple(listed),
        posterior=least,
    )


def infrastructure(evidence: Evidence) -> Finding | None:
    """Find an endpoint that fails too often for its model to be judged."""
    broken = [sample for sample in evidence.samples if sample.outcome == "infra_error"]
    total, limit = len(evidence.samples), evidence.policy.max_infra_share
    if len(broken) <= limit * total:
        return None
    lower = intervals.clopper_pearson(len(broken), total, level=LEVEL, side="lower").low or 0.0
    reasons = Counter(sample.detail for sample in broken).most_common(3)
    return Finding(
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
    )
