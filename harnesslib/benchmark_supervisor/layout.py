"""Who is asked what, side by side: blocks of one case in one repeat, in an order of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from harnesslib.records import Assignment, Case, HarnessConfig, Spec, Split, Stage, Suite
from harnesslib.run_benchmark import sample_seed

Suites = Mapping[str, Suite]
"""Suites under the name that ``phases.<phase>.suite`` gives them."""


class Arm(NamedTuple):
    """A spec, and the model that is asked for to get it."""

    spec: Spec
    requested_model: str


class Block(NamedTuple):
    """One case in one repeat: its arms get the same seed and stand side by side."""

    case: Case
    repeat: int
    arms: tuple[Arm, ...]


def cycle_seed(seed: int, number: int) -> int:
    """Return the seed of one cycle: `seed` is the workspace's, `number` counts its cycles."""
    return sample_seed(seed, "cycle", number)


def arms(*specs: Spec) -> tuple[Arm, ...]:
    """Return arms that are asked for by their own names."""
    return tuple(Arm(spec, spec.model) for spec in specs)


def cases_of(phase: str, split: Split, config: HarnessConfig, suites: Suites) -> tuple[Case, ...]:
    """Return the cases of a split of a phase's suite."""
    return suites[config.phases[phase].suite].part(split)


def assignments(
    blocks: Iterable[Block], *, seed: int, stage: Stage, number: int = 0
) -> tuple[Assignment, ...]:
    """Return the samples of one round, block after block: repeat after repeat, cases in random order.

    Parameters
    ----------
    blocks
        All of one phase.
    seed
        The cycle's seed; a block's own one follows from it, the stage, phase, case and repeat.
    stage
        What they are taken for.
    number
        The round.
    """
    seeded = [
        (sample_seed(seed, stage, block.arms[0].spec.phase, block.case.id, block.repeat, 0), block)
        for block in blocks
    ]
    # Sorting by a hash is a shuffle that every machine repeats.
    seeded.sort(key=lambda pair: (pair[1].repeat, sample_seed(pair[0], "order")))
    ordered = [
        (own, block, arm)
        for own, block in seeded
        for arm in sorted(block.arms, key=lambda arm: sample_seed(own, "arm", arm.spec.id))
    ]
    return tuple(
        Assignment(
            stage=stage,
            spec=arm.spec,
            case_id=block.case.id,
            repeat=block.repeat,
            position=position,
            seed=own,
            requested_model=arm.requested_model,
            round=number,
        )
        for position, (own, block, arm) in enumerate(ordered)
    )


def by_lot(cases: Sequence[Case], *seed: str | int) -> list[Case]:
    """Return the cases in an order that depends on nothing but the seed."""
    return sorted(cases, key=lambda case: sample_seed(*seed, case.id, "lot"))
