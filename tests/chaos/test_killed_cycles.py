"""A cycle that is killed, at whatever moment and in whatever part, goes on and ends as the unbroken one."""

from __future__ import annotations

import importlib.util
import random
import signal
import sys
from itertools import cycle as endlessly
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("chaos"),
    pytest.mark.skipif(sys.platform != "linux", reason="waits for processes by pidfd"),
]
PATH = Path(__file__).resolve().parents[1] / "chaos_fixture.py"
SEED = 20260101
RANDOM_POINTS = 32
AGAIN = (("cycle",), ("cycle", "--resume", "last"))


def load_fixture():
    spec = importlib.util.spec_from_file_location("chaos_fixture", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["chaos_fixture"] = module
    spec.loader.exec_module(module)
    return module


chaos = load_fixture()
Kill = chaos.Kill


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = chaos.make_workspace(tmp_path_factory.mktemp("unbroken"))
    done = chaos.attempt(folder, "cycle", "--quiet")
    assert (0, []) == (done.code, chaos.problems_in(done.said))
    end = chaos.end_of(folder)
    assert "sure" == end["serves"]["atomic"].model
    chaos.assert_ended_like(folder, end)
    return end


def survive(folder: Path, kills: list, unbroken: dict, *, fix: int = -1) -> int:
    """Kill one cycle at each moment in turn, go on with it each time, and compare how it ends.

    Returns how many kills hit. After kill number `fix` the doctor closes what is left first.
    """
    chaos.make_workspace(folder)
    before, hits, doors = {}, 0, endlessly(AGAIN)
    next(doors)
    arguments = ("cycle",)
    for number, kill in enumerate(kills):
        done = chaos.attempt(folder, *arguments, "--quiet", kill=kill)
        assert [] == chaos.problems_in(done.said), f"{kill}: {done.said}"
        before = chaos.assert_whole(folder, before)
        hits += done.hit
        if chaos.is_finished(folder):
            break
        assert done.hit, f"{kill}: {done.said}"
        assert done.code != 0, kill
        if number == fix:
            assert_closed(folder, done.family)
        arguments = next(doors)
    if not chaos.is_finished(folder):
        done = chaos.attempt(folder, *arguments, "--quiet")
        assert 0 == done.code, f"after {kills}: {done.said}"
    chaos.assert_whole(folder, before)
    chaos.assert_nothing_runs(folder, done.family)
    chaos.assert_ended_like(folder, unbroken)
    assert 1 == len(list((folder / "runs").glob("*-cycle-*")))
    return hits


def assert_closed(folder: Path, family: tuple) -> None:
    """Assert that the doctor finds a killed cycle, closes it as lost, and leaves nothing running."""
    found = chaos.checks_of(folder, "--fix")
    assert ("good", "good") == (found["runs"]["state"], found["processes"]["state"])
    assert chaos.cycle_of(folder).status in {"lost", "failed"}  # killed itself, or told of its kernel's end
    chaos.assert_nothing_runs(folder, family)


@pytest.mark.parametrize(
    "kills",
    [
        [
            Kill("file:manifest.json"),
            Kill("samples:40", "kernel"),
            Kill("samples:200", "runner", signal.SIGTERM),
            Kill("file:applied.json"),
            Kill("file:samples.parquet", "all"),
        ],
        [
            Kill("file:plan.json", "runner", signal.SIGINT),
            Kill("samples:150", "server"),
            Kill("file:decisions.json", "all"),
            Kill("file:outcome.json", "kernel"),
        ],
    ],
    ids=["runner, kernel, measuring, applied, seal", "plan, server, decisions, outcome"],
)
def test_a_cycle_killed_again_and_again_ends_as_the_unbroken_one(kills, unbroken, tmp_path, capsys):
    hits = survive(tmp_path / "killed", kills, unbroken, fix=0)
    with capsys.disabled():
        print(f"\n{hits} of {len(kills)} kill points survived in one cycle")
    assert len(kills) == hits


def random_kills(count: int) -> list:
    """Draw moments of all the way, by samples and by events, and victims and signals with them."""
    draw = random.Random(SEED)
    victims = ["runner", "runner", "kernel", "server", "all"]
    numbers = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
    return [
        Kill(
            f"samples:{draw.randint(1, 490)}" if draw.random() < 0.7 else f"events:{draw.randint(1, 60)}",
            draw.choice(victims),
            draw.choice(numbers),
        )
        for _ in range(count)
    ]


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_a_cycle_killed_at_any_random_moment_ends_as_the_unbroken_one(unbroken, tmp_path, capsys):
    hits = [
        survive(tmp_path / str(number), [kill], unbroken, fix=0 if number % 10 == 0 else -1)
        for number, kill in enumerate(random_kills(RANDOM_POINTS))
    ]
    with capsys.disabled():
        print(f"\n{sum(hits)} of {RANDOM_POINTS} random kill points survived")
    assert sum(hits) >= 28


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("victim", ["runner", "kernel", "all"])
def test_a_cycle_killed_at_each_stored_state_ends_as_the_unbroken_one(victim, unbroken, tmp_path, capsys):
    kills = [Kill(f"file:{name}", victim) for name in chaos.STATES]
    hits = [survive(tmp_path / str(number), [kill], unbroken) for number, kill in enumerate(kills)]
    with capsys.disabled():
        print(f"\n{sum(hits)} of {len(kills)} kills of the {victim} at a stored state survived")
    assert sum(hits) >= len(kills) - 3
