"""Parts of a suite that are suites themselves: for a first look, and for a demo that doesn't take long."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from math import ceil

import msgspec

from harnesslib.errors import InputError
from harnesslib.records import SPLITS, Case, Split, Suite

SHARE = 1 / 3
"""Share of the cases that a quick suite has, in each split of those that want a call and of the others."""

FEWEST_NO_CALL = 8
"""Cases without a call that a split keeps in place of others, up to half of its cases."""


def smoke(suite: Suite, name: str) -> Suite:
    """Return the cases that are marked `smoke`; InputError when there are none."""
    cases = tuple(case for case in suite.cases if case.smoke)
    if not cases:
        raise InputError(f"suite {name}: no case is marked `smoke`; cure: use {suite.name}")
    return _part(suite, name, cases, "smoke cases")


def quick(suite: Suite, name: str) -> Suite:
    """Return a third of the cases of each split, in the suite's order, which mixes the skills.

    They are the first third of each kind; where that leaves few cases without a call, more of these take
    the places of others.
    """
    chosen = {case.id for split in SPLITS for case in _third(suite, split)}
    return _part(suite, name, (case for case in suite.cases if case.id in chosen), "a third of the cases")


def _third(suite: Suite, split: Split) -> Iterable[Case]:
    wanting = [case for case in suite.part(split) if case.wants_call]
    others = [case for case in suite.part(split) if not case.wants_call]
    third = ceil(SHARE * len(others))
    size = ceil(SHARE * len(wanting)) + third
    without = min(max(third, min(FEWEST_NO_CALL, size // 2)), len(others))
    return chain(islice(wanting, size - without), islice(others, without))


def _part(suite: Suite, name: str, cases: Iterable[Case], which: str) -> Suite:
    kept = tuple(cases)
    offered = {tool for case in kept for tool in case.tools}
    return msgspec.structs.replace(
        suite,
        name=name,
        part_of=suite.name,
        title=f"{suite.title}: {which}",
        tools=tuple(tool for tool in suite.tools if tool.name in offered),
        cases=kept,
    )
