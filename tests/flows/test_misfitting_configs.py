"""A harness.toml edited away from its routing stops a cycle with a cure, before anything is asked."""

from __future__ import annotations

import msgspec
import pytest

from harnesslib import routing
from harnesslib.errors import InputError
from harnesslib.meta_harness_loop import Cycle
from harnesslib.records import PhaseConfig
from harnesslib.testing import EPOCH, FakeClient, memory_effects, right_answer, tiny_harness, tiny_suite

HARNESS = tiny_harness("steady", "better")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"phases": {**HARNESS.phases, "extended": PhaseConfig(suite="atomic", baseline="steady")}},
            "harness.toml has the phase 'extended', and the routing has no baseline for it; cure: ",
        ),
        (
            {"models": HARNESS.models[1:]},
            "'steady' serves 'atomic', and harness.toml does not list it there; cure: add 'steady'",
        ),
    ],
)
def test_a_cycle_is_refused_with_the_cure(changes, words):
    config = msgspec.structs.replace(HARNESS, **changes)
    client = FakeClient(right_answer, models=("steady", "better"))
    first = routing.initial(HARNESS, now=EPOCH)
    effects = memory_effects(config, first, {"local": client}, {"atomic": tiny_suite("atomic")})
    with pytest.raises(InputError) as caught:
        Cycle(effects, "1").plan()
    assert words in str(caught.value)
    assert [] == client.history
