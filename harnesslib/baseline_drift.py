"""Whether a baseline that nobody changed does what it did: a cumulative sum over runs, and its digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harnesslib.records import DriftPoint, Finding, PhaseDrift, Summary
from harnesslib.stats.drift import LIMIT as ALARM
from harnesslib.stats.drift import cusum, shift

LONGEST_REFERENCE = 30
LIKE_THE_REFERENCE = 3.0
"""A run further off than this does not become part of the reference: it may be the change itself."""

MEASURED = ("screen", "confirm")
Counts = Mapping[str, tuple[int, int]]


class _Seen(NamedTuple):
    """What was found over the runs; `reference` are those that the last one was compared with."""

    z: float | None
    lower: float
    upper: float
    reference: tuple[DriftPoint, ...]


def counts_of(summary: Summary, spec_id: str) -> dict[str, tuple[int, int]]:
    """Return passes and valid calls of a baseline's cases, over the search split."""
    found: dict[str, tuple[int, int]] = {}
    for item in summary.specs:
        if item.spec.id == spec_id and item.stage in MEASURED:
            for case in item.cases:
                passes, calls = found.get(case.case_id, (0, 0))
                found[case.case_id] = (passes + case.passes, calls + case.valid)
    return {case_id: pair for case_id, pair in sorted(found.items()) if pair[1]}


def watch(phase: str, model: str, points: Sequence[DriftPoint], *, way_back: str) -> PhaseDrift:
    """Say whether the last of several runs differs from those before.

    Parameters
    ----------
    phase, model
        What is looked at.
    points
        Runs of the same spec on the same suite, oldest first; the last one is the run in question. One
        without cases only notes a digest.
    way_back
        What a person can do; said only where something has changed.

    Notes
    -----
    Source: E. S. Page (1954), Continuous inspection schemes; the standardised value of a run is that of the
    exact conditional (hypergeometric) law of its passes, given the totals of each case over the run and its
    reference. The reference grows to 30 runs, and leaves out what is more than 3 standard deviations off:
    simulated, one of six quiet routes alarms within 60 runs of 24 cases and 3 sweeps.
    Assumes that cases are as hard as before, and calls independent given the case.
    """
    now, seen = points[-1], _followed(points)
    changed = [one.digest for one in points[:-1] if one.digest and now.digest and one.digest != now.digest]
    moved = None if seen.z is None else max(seen.lower, seen.upper) >= ALARM
    headline = _headline(model, seen, digest_changed=bool(changed))
    return PhaseDrift(
        phase=phase,
        model=model,
        moved=moved,
        digest_changed=bool(changed),
        z=seen.z,
        lower=seen.lower,
        upper=seen.upper,
        accuracy=_share([now.cases]),
        reference_accuracy=_share([one.cases for one in seen.reference]),
        reference_runs=tuple(one.run_id for one in seen.reference),
        headline=headline,
        way_back=way_back if moved or changed else "",
    )


def finding_of(drift: PhaseDrift) -> Finding | None:
    """Return a moved baseline as a finding; none where it stands."""
    if not drift.frozen:
        return None
    earlier = f"{len(drift.reference_runs)} earlier runs of the same route on the same cases"
    shares = _percent(drift.accuracy), _percent(drift.reference_accuracy)
    evidence = [f"{shares[0]} of the calls passed now, {shares[1]} in {earlier}."]
    if drift.z is not None:
        evidence.append(
            f"z = {drift.z:+.2f} against them; the sums for worse and better are {drift.lower:.2f} and "
            f"{drift.upper:.2f}, {ALARM:g} is the limit."
        )
    if drift.digest_changed:
        evidence.append("Its endpoint names another digest for this model than before.")
    return Finding(
        cause="drift",
        phase=drift.phase,
        model=drift.model,
        certainty="confirmed",
        headline=drift.headline,
        evidence=tuple(evidence),
        refute="Run `harness cycle --sentinel`: where the baseline was before, it was a passing disturbance.",
    )


def beside(moved: Sequence[Finding], others: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return findings of moved baselines before all others, each said once."""
    said = {(one.cause, one.phase, one.model) for one in moved}
    return (*moved, *(one for one in others if (one.cause, one.phase, one.model) not in said))


def _followed(points: Sequence[DriftPoint]) -> _Seen:
    measured = [point for point in points if point.cases]
    reference, compared = measured[:1], tuple[DriftPoint, ...]()
    z: float | None = None
    followed: list[float] = []
    for point in measured[1:]:
        compared = tuple(reference)
        z = _z(point.cases, [one.cases for one in compared])
        if z is None:
            continue
        followed.append(z)
        if abs(z) <= LIKE_THE_REFERENCE and len(reference) < LONGEST_REFERENCE:
            reference.append(point)
    sums = cusum(followed)
    lower, upper = (side[-1] if side else 0.0 for side in (sums.lower, sums.upper))
    return _Seen(z, lower, upper, compared)


def _z(now: Counts, before: Sequence[Counts]) -> float | None:
    """Return how many standard deviations the passes are off; none without a common case."""
    common = sorted(now.keys() & {case_id for one in before for case_id in one})
    if not common:
        return None
    earlier = [[one.get(case_id, (0, 0)) for one in before] for case_id in common]
    return shift(
        [now[case_id][0] for case_id in common],
        [now[case_id][1] for case_id in common],
        [sum(passes for passes, _ in pairs) for pairs in earlier],
        [sum(calls for _, calls in pairs) for pairs in earlier],
    ).statistic


def _headline(model: str, seen: _Seen, *, digest_changed: bool) -> str:
    if seen.lower >= ALARM or seen.upper >= ALARM:
        way = "worse" if seen.lower >= seen.upper else "better"
        also = ", and its digest is another one" if digest_changed else ""
        return f"{model} has become {way} without a change of ours{also}"
    if digest_changed:
        return f"{model} is another model than before: its digest has changed"
    if seen.z is None:
        return f"{model} is measured on this route for the first time: nothing to compare with yet"
    return f"{model} is where it was"


def _share(parts: Sequence[Counts]) -> float | None:
    passes = sum(pair[0] for part in parts for pair in part.values())
    calls = sum(pair[1] for part in parts for pair in part.values())
    return passes / calls if calls else None


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f} %"
