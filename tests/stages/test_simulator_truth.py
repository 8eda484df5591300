from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnesslib.errors import InputError
from harnesslib.records import (
    SPLITS,
    Case,
    ExpectedCall,
    SimulatedModel,
    SimulatedPhase,
    SimulatedWorld,
    Suite,
    Tool,
    Turn,
)
from harnesslib.simulator.truth import (
    DEMO_WORLD,
    case_probability,
    declared,
    load_world,
    probabilities,
    uniforms,
)

shares = st.floats(0, 1)


def a_suite(wanting: int, restrained: int) -> Suite:
    look = Tool(name="look", description="Look.", parameters={"type": "object", "properties": {}})
    cases = [
        Case(
            id=f"{split}-{number}",
            skill="looking",
            split=split,
            turns=(Turn(user=f"{split} {number}", accept=((ExpectedCall(name="look"),) * wants,)),),
            tools=("look",),
            notes="",
        )
        for split in SPLITS
        for number, wants in enumerate([1] * wanting + [0] * restrained)
    ]
    return Suite(name="s", version="1", title="S", description="", tools=(look,), cases=tuple(cases))


def a_world(*models: tuple[str, SimulatedPhase], seed: int = 1) -> SimulatedWorld:
    simulated = tuple(SimulatedModel(id=name, phases={"s": phase}) for name, phase in models)
    return SimulatedWorld(version=1, models=simulated, seed=seed)


def mean_of(table: dict[str, float], cases: list[Case]) -> float:
    return sum(table[case.id] for case in cases) / len(cases)


@settings(max_examples=150, deadline=None)
@given(st.tuples(shares, shares, shares), st.integers(0, 30), st.integers(0, 12), st.integers(0, 5))
def test_the_mean_over_each_kind_of_case_is_exactly_what_is_declared(
    declared_shares, wanting, restrained, seed
):
    accuracy, restraint, flaky_share = declared_shares
    suite = a_suite(wanting, restrained)
    phase = SimulatedPhase(accuracy=accuracy, restraint=restraint, flaky_share=flaky_share)

    table = probabilities(a_world(("m", phase), seed=seed), "m", suite)

    assert {case.id for case in suite.cases} == set(table)
    assert all(0 <= chance <= 1 for chance in table.values())
    for split in SPLITS:
        for wants, declared_mean in ((True, accuracy), (False, restraint)):
            cases = [case for case in suite.part(split) if case.wants_call is wants]
            if cases:
                assert mean_of(table, cases) == pytest.approx(declared_mean, abs=1e-9)


@pytest.mark.parametrize(("accuracy", "expected"), [(0.5, 2), (0.78, 2), (0.97, 0), (0.02, 0), (1.0, 0)])
def test_flaky_cases_give_way_where_the_mean_leaves_no_room_for_them(accuracy, expected):
    phase = SimulatedPhase(accuracy=accuracy, flaky_share=0.1)
    table = probabilities(a_world(("m", phase)), "m", a_suite(20, 0))
    flaky = [case_id for case_id in table if case_id.startswith("search") and table[case_id] == 0.5]
    assert expected == len(flaky)


def test_a_model_like_another_has_the_same_truth_case_by_case():
    world = load_world(DEMO_WORLD)
    suite = msgspec.structs.replace(a_suite(15, 9), name="atomic")
    assert probabilities(world, "steady", suite) == probabilities(world, "twin", suite)
    assert ("steady", world.models[0].phases["atomic"]) == declared(world, "sleepy", "atomic")


def test_a_better_model_solves_mostly_a_superset():
    suite = a_suite(200, 0)
    world = a_world(("good", SimulatedPhase(accuracy=0.7)), ("better", SimulatedPhase(accuracy=0.9)))
    good, better = probabilities(world, "good", suite), probabilities(world, "better", suite)
    solved = {case_id for case_id, chance in good.items() if chance > 0.9}
    lost = {case_id for case_id in solved if better[case_id] < 0.1}
    assert len(lost) < 0.03 * len(solved)


def test_the_truth_of_one_case_stands_in_the_table_and_changes_with_the_seed_of_the_world():
    suite, phase = a_suite(20, 5), SimulatedPhase(accuracy=0.6)
    one, two = a_world(("m", phase), seed=1), a_world(("m", phase), seed=2)
    table = probabilities(one, "m", suite)
    assert [table[case.id] for case in suite.cases] == [
        case_probability(one, "m", case, suite) for case in suite.cases
    ]
    assert table != probabilities(two, "m", suite)


@pytest.mark.parametrize(("model", "suite_name"), [("nobody", "s"), ("m", "elsewhere")])
def test_what_is_not_declared_is_refused(model, suite_name):
    suite = msgspec.structs.replace(a_suite(2, 2), name=suite_name)
    with pytest.raises(InputError, match="nothing is declared; cure"):
        probabilities(a_world(("m", SimulatedPhase(accuracy=0.5))), model, suite)


def test_uniform_numbers_are_reproducible_and_spread_evenly():
    assert uniforms(3, "a", 1) == uniforms(3, "a", 1)
    assert uniforms(1, "a", "b") != uniforms(1, "ab")
    drawn = [number for seed in range(1000) for number in uniforms(2, seed)]
    assert sum(drawn) / len(drawn) == pytest.approx(0.5, abs=0.03)


def test_the_demo_world_declares_what_its_story_needs():
    world = load_world(DEMO_WORLD)
    models = {model.id: model for model in world.models}
    assert ["steady", "twin", "sprinter", "better", "sleepy", "eager"] == list(models)
    atomic = {name: model.phases["atomic"].accuracy for name, model in models.items()}
    extended = {name: model.phases["extended"].accuracy for name, model in models.items()}
    assert max(atomic, key=atomic.__getitem__) == "sprinter"
    assert max(extended, key=extended.__getitem__) == "better"
    assert extended["sprinter"] < 0.1
    assert models["eager"].phases["atomic"].restraint < 0.5
    assert models["sleepy"].load_s > 0.3
    assert all(model.about for model in world.models)


GOOD = """
version = 1
[[models]]
id = "m"
[models.phases.s]
accuracy = 0.5
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version = 1", "models: expected one or more"),
        ("version = 1\nmodels = [3]", "models: expected one or more"),
        ("version = ", "not TOML"),
        (GOOD.replace("version = 1", "version = 2"), "version: expected 1, got 2"),
        (GOOD.replace("version = 1\n", ""), "missing required field `version`"),
        (GOOD.replace("version", "seeed = 2\nversion"), "unknown field 'seeed'; did you mean 'seed'"),
        (
            GOOD.replace('"m"', '"m"\nlatency = 1'),
            r"models\[0\] \(m\): unknown field 'latency'; did you mean",
        ),
        (GOOD.replace('"m"', '"m"\nzzz = 1'), "unknown field 'zzz'; known are id"),
        (GOOD.replace("accuracy", "acuracy"), r"phases\.s: unknown field 'acuracy'; did you mean 'accuracy'"),
        (GOOD.replace("0.5", '"high"'), r"phases\.s: Expected `float`, got `str` - at `accuracy`"),
        (GOOD.replace("0.5", "1.5"), r"phases\.s\.accuracy: expected a share from 0 to 1, got 1\.5"),
        (GOOD.replace("0.5", "nan"), r"phases\.s\.accuracy: expected a share"),
        (GOOD.replace('"m"', '"m"\nmalformed_share = -0.1'), "malformed_share: expected a share"),
        (GOOD.replace('"m"', '"m"\nlatency_s = -1'), "latency_s: expected a finite number"),
        (GOOD.replace('"m"', '"m"\nload_s = inf'), "load_s: expected a finite number"),
        (GOOD.replace('"m"', '"m"\nloading = "never"'), "Invalid enum value 'never'"),
        (GOOD.replace('id = "m"\n', ""), "missing required field `id`"),
        (GOOD.replace('"m"', '"auto"'), "id: expected a name other than"),
        (GOOD.replace('"m"', '" "'), "id: expected a name other than"),
        (GOOD + '[[models]]\nid = "m"\nlike = "m"', "expected unique ids"),
        (GOOD + '[[models]]\nid = "n"\nlike = "x"', "like: expected a model with its own phases, got 'x'"),
        (GOOD + '[[models]]\nid = "n"\nlike = "n"', "like: expected a model with its own phases"),
        (GOOD + '[[models]]\nid = "n"', "expected either `phases` or `like`"),
        (GOOD.replace('"m"', '"m"\nlike = "n"') + '[[models]]\nid = "n"\nlike = "m"', "like: expected"),
        ('version = 1\n[[models]]\nid = "m"\nphases = 3', "phases: expected tables"),
    ],
)
def test_a_world_file_with_a_mistake_is_refused_by_name(tmp_path, text, says):
    path = tmp_path / "world.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says) as caught:
        load_world(path)
    assert str(caught.value).startswith(str(path))


def test_a_world_file_that_cannot_be_read_is_an_input_error(tmp_path: Path):
    with pytest.raises(InputError, match="can't be read: No such file"):
        load_world(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'about = "\xe9"')
    with pytest.raises(InputError, match="not TOML"):
        load_world(tmp_path / "latin.toml")
