"""Parts of a suite that are suites: a third for a quick look, a few for a smoke test."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harnesslib.simulator.truth import DEMO_WORLD, declared, load_world, probabilities
from harnesslib.suites import check, load_suite, packaged, quick


@pytest.mark.parametrize("name", packaged())
def test_a_quick_suite_has_a_third_of_each_split_and_enough_cases_without_a_call(name):
    whole, part = (load_suite(suite, root=Path()) for suite in (name, f"{name}-quick"))
    assert (part.name, part.part_of, check(part)) == (f"{name}-quick", name, ())
    assert part.content_hash != whole.content_hash
    assert {case.id for case in part.cases} < {case.id for case in whole.cases}
    for split in ("search", "holdout"):
        every, some = whole.part(split), part.part(split)
        assert len(every) / 3 <= len(some) < len(every) / 3 + 2
        without = [case for case in some if not case.wants_call]
        assert len(without) >= len([case for case in every if not case.wants_call]) / 3
        assert len(some) / 4 < len(without) <= len(some) / 2
        assert len(without) >= {"search": 8, "holdout": 5}[split]
        for kind in (without, [case for case in some if case.wants_call]):
            assert len({case.skill for case in kind}) > 1
            assert {case.id for case in kind} <= {case.id for case in every}


def test_a_suite_with_few_cases_without_a_call_gives_all_it_has():
    whole = load_suite("extended", root=Path())
    calm = [case for case in whole.cases if not case.wants_call][:2]
    few = [case for case in whole.cases if case.wants_call or case in calm]
    part = quick(msgspec.structs.replace(whole, cases=tuple(few)), "few")
    assert {case.id for case in calm} == {case.id for case in part.cases if not case.wants_call}


@pytest.mark.parametrize("name", packaged())
def test_the_truth_of_a_simulated_model_holds_for_the_quick_part_too(name):
    world = load_world(DEMO_WORLD)
    whole, part = (load_suite(suite, root=Path()) for suite in (name, f"{name}-quick"))
    for model in world.models:
        chances = probabilities(world, model.id, whole)
        truth = declared(world, model.id, name)[1]
        for wants_call, mean in ((True, truth.accuracy), (False, truth.restraint)):
            cases = [case.id for case in part.part("search") if case.wants_call is wants_call]
            assert sum(chances[case] for case in cases) / len(cases) == pytest.approx(mean, abs=1e-9)
