"""All that can be wrong with the two config files, alone and together; each problem with its cure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from harnesslib import routing
from harnesslib.errors import EXIT_DATA, EXIT_INPUT, HarnessError
from harnesslib.records import HarnessConfig, Record, RoutingConfig
from harnesslib.suites import load_suite

if TYPE_CHECKING:
    from harnesslib.workspace import Workspace

T = TypeVar("T")


class ConfigProblem(Record, frozen=True):
    """Something that is wrong ("bad": no cycle can run so), or that a person may want to know ("look")."""

    state: Literal["bad", "look"]
    what: str
    cure: str
    exit_code: int


class ConfigCheck(Record, frozen=True):
    """What was looked at, and what was found."""

    looked_at: tuple[str, ...]
    problems: tuple[ConfigProblem, ...]

    @property
    def exit_code(self) -> int:
        """Code of the first bad problem, or 0."""
        return next((each.exit_code for each in self.problems if each.state == "bad"), 0)


def check_configs(place: Workspace) -> ConfigCheck:
    """Look at ``harness.toml``, its suites, ``routing_config.json``, and whether they fit together.

    A file that can't be read keeps the other one from being looked at in no way.
    """
    problems: list[ConfigProblem] = []
    looked_at = ["harness.toml", "routing_config.json"]
    harness = _attempt(place.config.harness, EXIT_INPUT, problems)
    in_force = _attempt(place.config.routing, EXIT_DATA, problems)
    if harness:
        looked_at += [f"suite {name}" for name in _suites(harness)]
        for name in _suites(harness):
            _attempt(partial(load_suite, name, root=place.root), EXIT_INPUT, problems)
    if harness and in_force:
        looked_at.append("routing against harness.toml")
        problems += _mismatches(in_force, harness)
    return ConfigCheck(looked_at=tuple(looked_at), problems=tuple(problems))


def _suites(harness: HarnessConfig) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phase.suite for phase in harness.phases.values()))


def _attempt(look: Callable[[], T], exit_code: int, problems: list[ConfigProblem]) -> T | None:
    try:
        return look()
    except HarnessError as error:
        for line in str(error).splitlines():
            what, _, cure = line.partition("; cure: ")
            problems.append(ConfigProblem(state="bad", what=what, cure=cure, exit_code=exit_code))
        return None


def _mismatches(in_force: RoutingConfig, harness: HarnessConfig) -> Iterator[ConfigProblem]:
    for found in routing.mismatches(in_force, harness):
        bad = found.kind in routing.UNUSABLE
        yield ConfigProblem(
            state="bad" if bad else "look",
            what=found.what,
            cure=found.cure,
            exit_code=EXIT_INPUT if bad else 0,
        )
