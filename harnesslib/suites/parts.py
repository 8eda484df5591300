"""Parts of a suite that are suites themselves: for a first look, and for a demo that doesn't take long."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from math import ceil

import msgspec

from harnesslib.errors import InputError
from harnesslib.records import SPLITS, Case, Split, Suite

SHARE = 1 / 3
"""Share of the cases that a quick suite has, in each split of those that want a call and of the others."""


def smoke(suite: Suite, name: str) -> Suite:
    """Return the cases that are marked `smoke`; InputError when there are none."""
    cases = tuple(case for case in suite.cases if case.smoke)
    if not cases:
        raise InputError(f"suite {name}: no case is marked `smoke`; cure: use {suite.name}")
    return _part(suite, name, cases, "smoke cases")


def quick(suite: Suite, name: str) -> Suite:
    """Return the first third of the cases of each kind, in the suite's order, which mixes the skills."""
    kinds = [(split, wants_call) for split in SPLITS for wants_call in (True, False)]
    chosen = {case.id for kind in kinds for case in _third(suite, kind)}
    return _part(suite, name, (case for case in suite.cases if case.id in chosen), "a third of the cases")


def _third(suite: Suite, kind: tuple[Split, bool]) -> Iterable[Case]:
    alike = [case for case in suite.cases if (case.split, case.wants_call) == kind]
    return islice(alike, ceil(SHARE * len(alike)))


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
