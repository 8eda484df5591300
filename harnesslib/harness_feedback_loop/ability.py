"""What a model can't do, does too much of, or does only at times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from harnesslib.harness_feedback_loop.evidence import (
    LEVEL,
    Evidence,
    Found,
    answered,
    by_case,
    grouped,
)
from harnesslib.records import Finding, Sample
from harnesslib.stats import casestate, intervals
from harnesslib.stats.wording import count, percent, share

FEWEST_ANSWERS = 10
"""Answers without which nothing is said about a model's limits: 0 of 10 bounds its share by 26 %."""

MORE_LIKELY_THAN_NOT = 0.5
SURE = 0.9
NAMED = 5


class _Sweep(NamedTuple):
    """As many answers of each case, the first ones: a case that was asked more often weighs no more.

    `missing` are the cases of the phase that were not asked. They count as passed, since a screen asks a
    candidate the baseline's hard cases first.
    """

    samples: tuple[Sample, ...]
    repeats: int
    missing: int

    @property
    def passes(self) -> int:
        """Answers that passed."""
        return sum(sample.outcome == "pass" for sample in self.samples)

    @property
    def rate(self) -> float:
        """Pass rate, cases that were not asked counted as passed."""
        return self._with_missing(self.passes / len(self.samples))

    @property
    def upper(self) -> float:
        """Upper confidence bound of that rate."""
        bound = intervals.clopper_pearson(self.passes, len(self.samples), level=LEVEL, side="upper").high
        return self._with_missing(1.0 if bound is None else bound)

    def _with_missing(self, rate: float) -> float:
        cases = len(self.samples) // self.repeats
        return (rate * cases + self.missing) / (cases + self.missing)


def capability_limit(evidence: Evidence) -> Found | None:
    """Find a model that answers, and hardly ever rightly, where a call is wanted.

    Notes
    -----
    Every case weighs the same, however often it was asked. It is confirmed if every case was asked, if the
    upper bound lies below the floor, and if no other setting of this model does better.
    """
    answers = [sample for sample in evidence.answered if sample.wants_call]
    sweep = _sweep(evidence, answers)
    if sweep is None or sweep.rate >= evidence.floor or _does_better_otherwise(evidence):
        return None
    cases = by_case(answers)
    never = [case.case_id for case in cases if case.passes == 0]
    beyond = fmean(casestate.posterior(case.passes, case.valid).impossible for case in cases)
    passes = sum(case.passes for case in cases)
    confirmed = sweep.upper < evidence.floor and not sweep.missing
    finding = Finding(
        cause="capability_limit",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if confirmed else "probable",
        headline=f"{evidence.model} can't do most of {evidence.phase}",
        evidence=(
            (
                f"{passes} of {count(len(answers), 'answer')} to cases that want a call passed; "
                f"at 95 % confidence at most {percent(sweep.upper)} do, the floor is {percent(evidence.floor)}."
            ),
            (
                f"{len(never)} of {count(len(cases), 'case')} never passed; "
                f"going by the counts, {percent(beyond)} of the cases are out of reach."
            ),
            *_not_asked(sweep),
            *_shared_failures(never, evidence.hopeless),
        ),
        refute=(
            "Ask in another way (another variant, a longer timeout): if it then passes more than "
            f"{percent(evidence.floor)} of these cases, the limit was in how it was asked."
        ),
        case_ids=tuple(never),
        posterior=beyond,
        statistic=sweep.rate,
        method="pass rate, as many answers of every case; exact upper bound",
    )
    return Found(evidence.finding(finding))


def _sweep(evidence: Evidence, samples: Sequence[Sample]) -> _Sweep | None:
    wanting = tuple(sample for sample in samples if sample.wants_call)
    if len(wanting) < FEWEST_ANSWERS:
        return None
    groups = grouped(wanting)
    repeats = min(len(group) for group in groups.values())
    first = tuple(sample for group in groups.values() for sample in group[:repeats])
    asked = {sample.case_id for sample in evidence.samples if sample.wants_call}
    missing = len(evidence.wanting - asked)
    return _Sweep(first, repeats, missing)


def _does_better_otherwise(evidence: Evidence) -> bool:
    """Whether the same model, asked in another way, reaches the floor."""
    sweeps = (_sweep(evidence, answered(samples)) for samples in evidence.others.values())
    return any(sweep is not None and sweep.passes >= evidence.floor * len(sweep.samples) for sweep in sweeps)


def _not_asked(sweep: _Sweep) -> tuple[str, ...]:
    if not sweep.missing:
        return ()
    missing = count(sweep.missing, "case")
    return (f"{missing} of the phase that it was not asked count as passed, since the others may be harder.",)


def _shared_failures(never: list[str], hopeless: frozenset[str]) -> tuple[str, ...]:
    shared = [case_id for case_id in never if case_id in hopeless]
    if not shared:
        return ("Every one of them was passed by some other model.",) if never else ()
    names = ", ".join(shared[:NAMED]) + (", …" if len(shared) > NAMED else "")
    return (f"No model ever passed {len(shared)} of them, so these say little about this one: {names}.",)


def over_calling(evidence: Evidence) -> Found | None:
    """Find a model that calls tools where none is wanted."""
    answers = [sample for sample in evidence.answered if not sample.wants_call]
    overcalled = [sample for sample in answers if sample.outcome == "overcalled"]
    passes, floor = sum(sample.outcome == "pass" for sample in answers), evidence.policy.restraint_floor
    if not overcalled or passes >= floor * len(answers):
        return None
    upper = intervals.clopper_pearson(passes, len(answers), level=LEVEL, side="upper").high or 0.0
    tools = Counter(call.name for sample in overcalled for turn in sample.turns for call in turn)
    popular = ", ".join(f"{name} ({times} times)" for name, times in tools.most_common(3))
    finding = Finding(
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
        statistic=passes / len(answers),
        method="restraint, exact upper bound",
    )
    return Found(evidence.finding(finding))


def flaky(evidence: Evidence) -> Found | None:
    """Find cases that pass at times: they are what makes results differ from run to run.

    Notes
    -----
    A case is called flaky at a posterior of 0.9, as any case state is; others that are more likely flaky than
    not are listed beside it, and make no finding by themselves. Answers of earlier runs count as well: drift was
    asked for before. How common flaky cases are is estimated from all cases of this spec.
    """
    cases = by_case([sample for run in evidence.runs for sample in answered(run)])
    if not cases:
        return None
    prior = casestate.shares([case.passes for case in cases], [case.valid for case in cases])
    states = {
        case.case_id: (case, casestate.posterior(case.passes, case.valid, prior).flaky)
        for case in cases
        if 0 < case.passes < case.valid
    }
    listed = {name: state for name, state in states.items() if state[1] >= MORE_LIKELY_THAN_NOT}
    surest = max((probability for _, probability in listed.values()), default=0.0)
    if surest < SURE:
        return None
    least = min(probability for _, probability in listed.values())
    finding = Finding(
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
        statistic=float(len(listed)),
        method="cases more likely flaky than not; posterior of the least sure one",
    )
    return Found(evidence.finding(finding))
