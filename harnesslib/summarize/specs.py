"""One spec in one stage: outcomes, accuracy, restraint, times, cost."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from harnesslib.records import OUTCOMES, CaseResult, Estimate, Outcome, Repeats, Sample, Spec, SpecSummary
from harnesslib.stats import intervals, repeats, variance


def summarize_spec(
    spec: Spec, stage: str, samples: Sequence[Sample], *, selected: bool = False
) -> SpecSummary:
    """Return the summary of one spec's samples of one stage (at least one sample).

    Served accuracy is passes over all but infrastructure errors; skill accuracy leaves out timeouts too;
    restraint is served accuracy of the cases that want no call. In each share
    every case weighs the same. Times are those of answers, loading excluded.
    """
    cases = _case_results(samples)
    counts = Counter(sample.outcome for sample in samples)
    valid = [sample for sample in samples if sample.outcome != "infra_error"]
    tokens = [
        (sample.input_tokens, sample.output_tokens)
        for sample in samples
        if sample.input_tokens is not None and sample.output_tokens is not None
    ]
    costs = [sample.cost for sample in samples if sample.cost is not None]
    times = [time for time in map(answer_time, samples) if time is not None]
    return SpecSummary(
        spec=spec,
        stage=stage,
        samples=len(samples),
        outcomes={outcome: counts[outcome] for outcome in OUTCOMES},
        served=_share(valid),
        skill=_share([sample for sample in valid if sample.outcome != "timeout"]),
        restraint=_restraint(samples),
        latency_p50_s=intervals.quantile(times, 0.5),
        latency_p95_s=intervals.quantile(times, 0.95),
        infra_share=counts["infra_error"] / len(samples),
        requests=sum(sample.requests for sample in samples),
        input_tokens=sum(read for read, _ in tokens) if tokens else None,
        output_tokens=sum(written for _, written in tokens) if tokens else None,
        cost=math.fsum(costs) if costs else None,
        cases=cases,
        selected=selected,
        token_samples=len(tokens),
        cost_samples=len(costs),
        latency_p99_s=intervals.quantile(times, 0.99),
        repeats=_repeats(cases),
    )


def answer_time(sample: Sample) -> float | None:
    """Return how long an answer took; none without an answer, or where the model may have been loading."""
    return None if sample.cold or not sample.latency_s else sample.latency_s


def _repeats(cases: Sequence[CaseResult]) -> Repeats:
    """Return what the repeats say; runs are those that every case which was asked again took part in."""
    passes, valid = [case.passes for case in cases], [case.valid for case in cases]
    k = repeats.common_k(valid)
    again = [case for case in cases if len(case.outcomes) > 1]
    runs = min((len(case.outcomes) for case in again), default=0)
    rows = [[_result(outcome) for outcome in case.outcomes[:runs]] for case in again]
    table = np.array(rows).reshape(len(again), runs)
    split = variance.components(table)
    chances = (repeats.pass_at_k, repeats.pass_hat_k)
    one, every = (repeats.averaged(chance(passes, valid, k or 2), k or 2) for chance in chances)
    return Repeats(
        k=k,
        pass_at_k=one,
        pass_hat_k=every,
        icc=variance.icc(table),
        case_variance=split.case if split else None,
        run_variance=split.run if split else None,
        call_variance=split.residual if split else None,
        runs=variance.overdispersion_index(table),
    )


def _result(outcome: Outcome) -> float:
    """Return 1 for a pass, 0 for a failure, nan where the endpoint failed."""
    return math.nan if outcome == "infra_error" else float(outcome == "pass")


def _share(samples: Sequence[Sample]) -> Estimate:
    """Return the share of passes, every case weighing the same however often it was asked."""
    passed: dict[str, list[bool]] = defaultdict(list)
    for sample in samples:
        passed[sample.case_id].append(sample.outcome == "pass")
    mean = math.fsum(sum(each) / len(each) for each in passed.values()) / max(1, len(passed))
    return intervals.proportion(mean * len(samples), len(samples))


def _restraint(samples: Sequence[Sample]) -> Estimate:
    unwanted = [sample for sample in samples if not sample.wants_call]
    if not unwanted:
        return intervals.unmeasured("Wilson", "no case here wants no call")
    return _share([sample for sample in unwanted if sample.outcome != "infra_error"])


def _case_results(samples: Sequence[Sample]) -> tuple[CaseResult, ...]:
    by_case: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_case[sample.case_id].append(sample)
    return tuple(
        CaseResult(
            case_id=case_id,
            skill=group[0].skill,
            wants_call=group[0].wants_call,
            outcomes=tuple(sample.outcome for sample in group),
        )
        for case_id, group in by_case.items()
    )
