"""First calls after a load, with and without a warm-up; the unit is the session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

from harnesslib.records import Estimate, Sample, SessionComparison, Spec
from harnesslib.stats import coldstart, intervals

STAGES = ("sessions", "verify_sessions")


def compare_sessions(
    groups: Mapping[tuple[str, str], Sequence[Sample]], specs: Mapping[str, Spec]
) -> tuple[SessionComparison, ...]:
    """Return one comparison per stage, phase and model that has sessions.

    Parameters
    ----------
    groups
        Samples by (stage, spec id). The cold arm is the spec without, the warm arm the one with warm-up.
    specs
        Specs by id.
    """
    arms: dict[tuple[str, str, str], dict[bool, list[Sample]]] = defaultdict(lambda: {False: [], True: []})
    for (stage, spec_id), samples in groups.items():
        if stage in STAGES:
            spec = specs[spec_id]
            arms[stage, spec.phase, spec.model][spec.settings.warmup] += samples
    return tuple(_comparison(*key, cold=both[False], warm=both[True]) for key, both in arms.items())


def _comparison(
    stage: str, phase: str, model: str, *, cold: Sequence[Sample], warm: Sequence[Sample]
) -> SessionComparison:
    pairs = _paired(_failure_shares(cold), _failure_shares(warm))
    cold_failures, warm_failures = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    warm_passes, cold_passes = ([1 - share for share in each] for each in (warm_failures, cold_failures))
    waits = [sample.warmup_s for sample in warm if sample.warmup_s is not None]
    n = len(pairs)
    return SessionComparison(
        stage=stage,
        phase=phase,
        model=model,
        sessions=n,
        cold=_accuracy(cold_failures),
        warm=_accuracy(warm_failures),
        effect=intervals.paired_difference(intervals.PairedCounts.of(warm_passes, cold_passes)),
        p_value=coldstart.session_p(cold_failures, warm_failures),
        warmup_s=median(waits) if waits else None,
    )


def _failure_shares(samples: Sequence[Sample]) -> dict[int, float]:
    """Return the share of failed calls by session, infrastructure errors left out."""
    failed: dict[int, list[bool]] = defaultdict(list)
    for sample in samples:
        if sample.outcome != "infra_error":
            failed[sample.session].append(sample.outcome != "pass")
    return {session: sum(calls) / len(calls) for session, calls in sorted(failed.items())}


def _paired(cold: Mapping[int, float], warm: Mapping[int, float]) -> list[tuple[float, float]]:
    """Pair sessions by number; where the two arms are numbered apart, in their order."""
    shared = sorted(cold.keys() & warm.keys())
    if shared:
        return [(cold[session], warm[session]) for session in shared]
    return list(zip(cold.values(), warm.values(), strict=False))


def _accuracy(failures: Sequence[float]) -> Estimate:
    return intervals.proportion(len(failures) - sum(failures), len(failures))
