"""What a model can't do, does too much of, or does only at times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import prod
from statistics import fmean
from typing import NamedTuple

from harnesslib.harness_feedback_loop.evidence import (
    LEVEL,
    Evidence,
    Found,
    answered,
    by_case,
    fair,
    grouped,
    settled,
)
from harnesslib.records import CaseResult, Finding, Sample
from harnesslib.stats import casestate, intervals
from harnesslib.stats.wording import count, percent, share

FEWEST_ANSWERS = 10
"""Answers without which nothing is said about a model's limits: 0 of 10 bounds its share by 26 %."""

MORE_LIKELY_THAN_NOT = 0.5
LIKELY, SURE = 0.8, 0.9
DOUBT = 0.05
"""Chance that none of the listed cases is flaky, above which they make no finding."""

NAMED = 5


class _Sweep(NamedTuple):
    """As many answers of each case, the first ones: a case that was asked more often weighs no more.

    `missing` counts the cases of the phase that were not asked. They count as passed, since those that were
    asked may be the harder ones. So does `late`, the share of calls that timed out: to do what is asked takes
    longer than to say no.
    """

    samples: tuple[Sample, ...]
    cases: int
    missing: int
    late: float = 0.0

    @property
    def passes(self) -> int:
        """Answers that passed."""
        return sum(sample.outcome == "pass" for sample in self.samples)

    @property
    def rate(self) -> float:
        """Pass rate, what is not known counted as passed."""
        return self._with_unknown(self.passes / len(self.samples))

    @property
    def upper(self) -> float:
        """Upper confidence bound of that rate."""
        bound = intervals.clopper_pearson(self.passes, len(self.samples), level=LEVEL, side="upper").high
        return self._with_unknown(1.0 if bound is None else bound)

    def is_sure(self, floor: float) -> bool:
        """Whether every case was asked, and the bound lies below a floor."""
        return self.missing == 0 and self.upper < floor

    def lines(self) -> tuple[str, ...]:
        """Say what counts as passed though nobody knows, if anything."""
        missing, late = count(self.missing, "case"), percent(self.late)
        lines = (
            (self.missing, f"{missing} of the phase were not asked and count as passed: they may be easier."),
            (self.late, f"{late} of the calls timed out and count as passed: a right answer takes longer."),
        )
        return tuple(line for given, line in lines if given)

    def _with_unknown(self, rate: float) -> float:
        in_time = rate * (1 - self.late) + self.late
        return (in_time * self.cases + self.missing) / (self.cases + self.missing)


def _sweep(samples: Sequence[Sample], missing: int, late: float = 0.0) -> _Sweep | None:
    groups = grouped(tuple(samples))
    if not groups:
        return None
    repeats = min(len(group) for group in groups.values())
    first = tuple(sample for group in groups.values() for sample in group[:repeats])
    return _Sweep(first, len(groups), missing, late)


def capability_limit(evidence: Evidence) -> Found | None:
    """Find a model that answers, and hardly ever rightly, where a call is wanted.

    Notes
    -----
    Every case weighs the same, however often it was asked; answers of earlier runs count as well, since drift
    was asked for before. A call that timed out counts as passed. It is confirmed if every case of the phase
    was asked, or cases drawn by lot were, and the upper bound lies below the floor. It is none where another
    setting of this model reaches the floor.
    """
    answers = [s for run in evidence.runs for s in answered(fair(run)) if s.wants_call]
    lots = [sample for sample in answers if sample.stage == "probe"]
    missing = evidence.not_asked(wants_call=True)
    if len(lots) >= FEWEST_ANSWERS:
        # Cases that were drawn by lot stand for those that were not: nothing need count as passed.
        answers, missing = lots, 0
    sweep = _sweep(answers, missing, _late(evidence))
    if (
        sweep is None
        or len(answers) < FEWEST_ANSWERS
        or sweep.rate >= evidence.floor
        or _does_better_otherwise(evidence)
    ):
        return None
    cases = by_case(answers)
    never = [case.case_id for case in cases if case.passes == 0]
    beyond, floor = fmean(map(_hopelessness, cases)), percent(evidence.floor)
    finding = Finding(
        cause="capability_limit",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if sweep.is_sure(evidence.floor) else "probable",
        headline=f"{evidence.model} can't do most of {evidence.phase}",
        evidence=(
            *_counted(cases, sweep, floor),
            *sweep.lines(),
            *_shared_failures(never, evidence.hopeless),
        ),
        refute=(
            "Ask in another way (another variant, a longer timeout): if it then passes more than "
            f"{floor} of these cases, the limit was in how it was asked."
        ),
        case_ids=tuple(never),
        posterior=beyond,
        statistic=sweep.rate,
        method="pass rate, as many answers of every case; exact upper bound",
    )
    return Found(evidence.finding(finding))


def _hopelessness(case: CaseResult) -> float:
    return casestate.posterior(case.passes, case.valid).impossible


def _counted(cases: Sequence[CaseResult], sweep: _Sweep, floor: str) -> tuple[str, str]:
    passes, answers = sum(case.passes for case in cases), sum(case.valid for case in cases)
    never = sum(case.passes == 0 for case in cases)
    beyond = percent(fmean(map(_hopelessness, cases)))
    return (
        (
            f"{passes} of {count(answers, 'answer')} to cases that want a call passed; "
            f"at 95 % confidence at most {percent(sweep.upper)} do, the floor is {floor}."
        ),
        (
            f"{never} of {count(len(cases), 'case')} never passed; "
            f"going by the counts, {beyond} of the cases are out of reach."
        ),
    )


def _late(evidence: Evidence) -> float:
    """Return the share of calls that timed out, of all that want a tool and came after the start."""
    outcomes = [s.outcome for run in evidence.taken for s in fair(settled(run)) if s.wants_call]
    valid = len(outcomes) - outcomes.count("infra_error")
    return outcomes.count("timeout") / valid if valid else 0.0


def _does_better_otherwise(evidence: Evidence) -> bool:
    """Whether the same model, asked in another way, reaches the floor."""
    for samples in evidence.others.values():
        wanting = [sample for sample in answered(fair(samples)) if sample.wants_call]
        sweep = _sweep(wanting, 0)
        if sweep is not None and len(wanting) >= FEWEST_ANSWERS and sweep.rate >= evidence.floor:
            return True
    return False


def _shared_failures(never: list[str], hopeless: frozenset[str]) -> tuple[str, ...]:
    shared = [case_id for case_id in never if case_id in hopeless]
    if not shared:
        return ("Every one of them was passed by some other model.",) if never else ()
    names = ", ".join(shared[:NAMED]) + (", …" if len(shared) > NAMED else "")
    return (f"No model ever passed {len(shared)} of them, so these say little about this one: {names}.",)


def over_calling(evidence: Evidence) -> Found | None:
    """Find a model that calls tools where none is wanted; cases count as in `capability_limit`."""
    answers = [sample for sample in answered(fair(evidence.samples)) if not sample.wants_call]
    overcalled = [sample for sample in answers if sample.outcome == "overcalled"]
    sweep, floor = _sweep(answers, evidence.not_asked(wants_call=False)), evidence.policy.restraint_floor
    if sweep is None or not overcalled or sweep.rate >= floor:
        return None
    tools = Counter(call.name for sample in overcalled for turn in sample.turns for call in turn)
    popular = ", ".join(f"{name} ({count(times, 'time')})" for name, times in tools.most_common(3))
    passes = sum(sample.outcome == "pass" for sample in answers)
    finding = Finding(
        cause="over_calling",
        phase=evidence.phase,
        model=evidence.model,
        certainty="confirmed" if sweep.is_sure(floor) else "probable",
        headline=f"{evidence.model} calls tools where none is wanted",
        evidence=(
            (
                f"{len(overcalled)} of {count(len(answers), 'answer')} to cases that want no call made one; "
                f"restraint is {share(intervals.proportion(passes, len(answers)))}, "
                f"at 95 % confidence at most {percent(sweep.upper)}; the floor is {percent(floor)}."
            ),
            *((f"Called most often: {popular}.",) if popular else ()),
            *sweep.lines(),
        ),
        refute=(
            "Say in the system prompt when no tool is to be called: if restraint rises above "
            f"{percent(floor)}, the prompt was the cause, not the model."
        ),
        case_ids=tuple(sorted({sample.case_id for sample in overcalled})),
        statistic=sweep.rate,
        method="restraint, as many answers of every case; exact upper bound",
    )
    return Found(evidence.finding(finding))


def flaky(evidence: Evidence) -> Found | None:
    """Find cases that pass at times: they are what makes results differ from run to run.

    Notes
    -----
    A case is called flaky at a posterior of 0.9, as any case state is: then it is confirmed. From 0.8 on it
    is a probable finding, as 2 passes of 4 are rare without it. Others that are more likely flaky than not
    are listed beside it; they make a finding only together, where it is 95 % sure that one of them is.
    Answers of earlier runs count as well: drift was asked for before. How common flaky cases are is estimated
    from all cases of this spec.
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
    none_is = prod(1 - probability for _, probability in listed.values())
    if surest < LIKELY and none_is > DOUBT:
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
