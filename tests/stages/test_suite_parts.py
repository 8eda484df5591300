"""Parts of a suite that are suites: a third for a quick look, a few for a smoke test."""

from __future__ import annotations

from pathlib import Path

import pytest

from harnesslib.simulator.truth import DEMO_WORLD, declared, load_world, probabilities
from harnesslib.suites import check, load_suite, packaged


@pytest.mark.parametrize("name", packaged())
def test_a_quick_suite_has_a_third_of_each_kind_of_case_in_each_split(name):
    whole, quick = (load_suite(suite, root=Path()) for suite in (name, f"{name}-quick"))
    assert (quick.name, quick.part_of, check(quick)) == (f"{name}-quick", name, ())
    assert quick.content_hash != whole.content_hash
    assert {case.id for case in quick.cases} < {case.id for case in whole.cases}
    for split in ("search", "holdout"):
        for wants_call in (True, False):
            every, some = (
                [case for case in suite.part(split) if case.wants_call is wants_call]
                for suite in (whole, quick)
            )
            assert len(every) / 3 <= len(some) < len(every) / 3 + 1
            assert len({case.skill for case in some}) > 1


@pytest.mark.parametrize("name", packaged())
def test_the_truth_of_a_simulated_model_holds_for_the_quick_part_too(name):
    world = load_world(DEMO_WORLD)
    whole, quick = (load_suite(suite, root=Path()) for suite in (name, f"{name}-quick"))
    for model in world.models:
        chances = probabilities(world, model.id, whole)
        truth = declared(world, model.id, name)[1]
        for wants_call, mean in ((True, truth.accuracy), (False, truth.restraint)):
            cases = [case.id for case in quick.part("search") if case.wants_call is wants_call]
            assert sum(chances[case] for case in cases) / len(cases) == pytest.approx(mean, abs=1e-9)
