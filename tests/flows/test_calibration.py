"""`harness calibrate`: simulated rates for the policy in force, on suites of the user's sizes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harnesslib.calibration import Part, PhaseFacts, calibrate
from harnesslib.cli import main
from harnesslib.records import PolicyConfig

ALWAYS, NEVER, HALF = (20, 20), (0, 20), (10, 20)


def part(*cases):
    table = np.array(cases, dtype=float)
    return Part(table[:, 0], table[:, 1])


def rates(facts, policy=None, replicates=400):
    said = []
    result = calibrate([facts], policy or PolicyConfig(), replicates=replicates, seed=3, say=said.append)
    assert [f"{facts.phase}: {replicates} cycles in each of 5 worlds"] == said
    return {cell.world: cell for cell in result.phases[0].cells}, result.phases[0]


SEEN = part(*[ALWAYS] * 16, *[HALF] * 3, *[NEVER] * 3)
UNSEEN = Part(np.zeros(20), np.zeros(20))


def test_it_tells_errors_power_calls_and_cost() -> None:
    cells, phase = rates(PhaseFacts("made", SEEN, SEEN, 3, 0.002))
    assert ["equal", "sideways", "+5", "+10", "+20"] == list(cells)
    assert "the baseline's calls on search and holdout cases" == phase.basis
    assert 880 == phase.seen_calls
    assert cells["equal"].wrong.value <= 0.05
    assert cells["equal"].found.value is None
    assert cells["+20"].found.low > 0.9
    assert cells["+5"].found.value < cells["+10"].found.value < cells["+20"].found.value
    assert cells["+10"].calls.low < cells["+10"].calls.value < cells["+10"].calls.high
    total = cells["+20"].calls.value + cells["+20"].verify_calls.value
    assert pytest.approx(0.002 * total, rel=0.05) == cells["+20"].cost.value
    assert abs(cells["+20"].credited_bias.value) < 0.02


def test_the_same_seed_gives_the_same_rates_and_unknown_stays_unknown() -> None:
    facts = PhaseFacts("made", UNSEEN, UNSEEN, 1, None)
    first, phase = rates(facts, replicates=50)
    assert first == rates(facts, replicates=50)[0]
    assert "70 % solid, 15 % flaky, 15 % hopeless cases" == phase.basis
    assert "no call's cost is known" == first["+10"].cost.reason


def test_a_policy_that_allows_more_error_makes_more_of_it() -> None:
    facts = PhaseFacts("made", UNSEEN, UNSEEN, 6, None)
    strict, lax = (rates(facts, PolicyConfig(alpha=alpha), 800)[0]["equal"] for alpha in (0.01, 0.4))
    assert strict.wrong.value < lax.wrong.value


def test_the_command_draws_from_what_runs_have_seen(tmp_path, capsys) -> None:
    workspace = ["-w", str(tmp_path)]
    assert 0 == main(["init", "--demo", str(tmp_path)])
    asked = ["calibrate", *workspace, "--replicates", "40"]
    assert 0 == main([*asked, "--phase", "extended"])
    printed = capsys.readouterr()
    assert "15 % flaky" in printed.out
    assert "atomic" not in printed.out
    assert "extended: 40 cycles" in printed.err
    for split in ("search", "holdout"):
        assert 0 == main(["run", "steady", "extended", *workspace, "--repeats", "1", "--split", split, "-q"])
    capsys.readouterr()
    assert 0 == main([*asked, "--json", "-q"])
    printed = capsys.readouterr()
    assert "" == printed.err
    extended = next(p for p in json.loads(printed.out)["phases"] if p["phase"] == "extended")
    assert extended["seen_calls"] == extended["search_cases"] + extended["holdout_cases"]
    assert "the baseline's calls on search and holdout cases" == extended["basis"]


def test_a_phase_that_does_not_exist_is_named(tmp_path, capsys) -> None:
    assert 0 == main(["init", "--demo", str(tmp_path)])
    assert 2 == main(["calibrate", "-w", str(tmp_path), "--phase", "none"])
    assert "expected one of atomic, extended" in capsys.readouterr().err
