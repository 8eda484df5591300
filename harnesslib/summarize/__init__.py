"""Samples to numbers: one summary per spec and stage, one comparison per pair, one per set of sessions.

What was not measured is none with a reason, never 0. A comparison counts a block only if both arms have
a valid sample in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import get_args

from harnesslib.errors import DataError
from harnesslib.records import PolicyConfig, Sample, SampleKey, Spec, Stage, Summary
from harnesslib.summarize.comparisons import compare
from harnesslib.summarize.sessions import compare_sessions
from harnesslib.summarize.specs import summarize_spec

STAGES: tuple[str, ...] = get_args(Stage)


def summarize(
    samples: Sequence[Sample],
    specs: Mapping[str, Spec],
    pairs: Sequence[tuple[str, str, str]],
    *,
    run_id: str,
    leaders: Mapping[str, str],
    policy: PolicyConfig,
    cold: Collection[SampleKey] = (),
    selected: Collection[str] = (),
) -> Summary:
    """Return everything that is computed from samples; their order does not matter.

    Parameters
    ----------
    samples
        Samples of any stages.
    specs
        All specs by id.
    pairs
        What is to be compared: (stage, candidate's spec id, baseline's spec id).
    run_id
        The run the samples belong to.
    leaders
        Phase -> spec id of the candidate that was confirmed.
    policy
        Its `alpha` sets the level of the latency interval, its `restraint_margin` the loss to be excluded.
    cold
        Keys of samples taken while their model was loading. They count for their spec, and in no comparison:
        who was asked first says nothing about who is better.
    selected
        Ids of specs whose cases of the screen were chosen because the baseline failed them.

    Raises
    ------
    DataError
        A sample's or a pair's spec is not among `specs`.
    """
    groups = _grouped(samples, specs)
    warm = {key: tuple(s for s in group if s.key not in cold) for key, group in groups.items()}
    return Summary(
        run_id=run_id,
        specs=tuple(
            summarize_spec(specs[spec], stage, group, selected=stage == "screen" and spec in selected)
            for (stage, spec), group in groups.items()
        ),
        comparisons=tuple(
            compare(
                stage,
                (_known(specs, candidate), warm.get((stage, candidate), ())),
                (_known(specs, baseline), warm.get((stage, baseline), ())),
                policy=policy,
                guard=_guard(warm, candidate, baseline) if stage == "confirm" else ((), ()),
            )
            for stage, candidate, baseline in pairs
        ),
        sessions=compare_sessions(groups, specs),
        leaders=dict(leaders),
    )


def _guard(
    groups: Mapping[tuple[str, str], tuple[Sample, ...]], candidate: str, baseline: str
) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    return groups.get(("guard", candidate), ()), groups.get(("guard", baseline), ())


def _known(specs: Mapping[str, Spec], spec_id: str) -> Spec:
    if spec_id not in specs:
        known = ", ".join(sorted(specs)) or "none"
        raise DataError(
            f"summary: spec '{spec_id}' is not known; known: {known}; restore the run's plan.json"
        )
    return specs[spec_id]


def _grouped(
    samples: Sequence[Sample], specs: Mapping[str, Spec]
) -> dict[tuple[str, str], tuple[Sample, ...]]:
    """Return samples by (stage, spec): stages and specs in natural order, samples by case and repeat."""
    found: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for sample in samples:
        found[sample.stage, _known(specs, sample.spec_id).id].append(sample)
    rank = {spec_id: number for number, spec_id in enumerate(specs)}
    ordered = sorted(found, key=lambda key: (STAGES.index(key[0]), rank[key[1]]))
    return {key: tuple(sorted(found[key], key=_natural)) for key in ordered}


def _natural(sample: Sample) -> tuple[str, int, int]:
    return sample.case_id, sample.repeat, sample.session
