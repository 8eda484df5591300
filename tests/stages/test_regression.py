"""What counts as a regression: a proven loss does, chance hardly ever does, and ignorance is never a pass."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import msgspec
import pytest
from scipy.stats import binomtest

from harnesslib.exports.job_page import job_page
from harnesslib.records import CaseResult, Reference, SpecSummary
from harnesslib.regression import FALSE_ALARM, check_phase, counted, infra_share


def load_fixture():
    path = Path(__file__).resolve().parents[1] / "report_fixture.py"
    spec = importlib.util.spec_from_file_location("report_fixture", path)
    fixture = importlib.util.module_from_spec(spec)
    sys.modules["report_fixture"] = fixture
    spec.loader.exec_module(fixture)
    return fixture


FIXTURE = load_fixture()
PLAN = FIXTURE.plan().phases[0]


def counts(chances: list[float], repeats: int, dice: random.Random) -> dict[str, tuple[int, int]]:
    return {
        f"case-{number}": (sum(dice.random() < chance for _ in range(repeats)), repeats)
        for number, chance in enumerate(chances)
    }


def check(now, then, *, phases: int = 2, lost: float = 0.0):
    reference = None if then is None else Reference(run_id="earlier", cases=then)
    return check_phase(PLAN, now, reference, phases=phases, lost=lost, most_lost=0.1)


def test_a_proven_loss_is_worse_and_blocks():
    made = check({"a": (10, 40), "b": (12, 40)}, {"a": (38, 40), "b": (39, 40)})
    assert ("worse", True, "earlier") == (made.state, made.blocks, made.reference_run_id)
    assert made.effect.high < 0


def test_a_loss_within_chance_holds():
    made = check({"a": (36, 40)}, {"a": (38, 40)})
    assert ("held", False) == (made.state, made.blocks)


def test_a_gain_holds():
    assert "held" == check({"a": (40, 40)}, {"a": (10, 40)}).state


def test_the_first_time_has_nothing_to_lose():
    made = check({"a": (1, 40)}, None)
    assert ("first", False, None) == (made.state, made.blocks, made.effect.value)


@pytest.mark.parametrize(
    ("now", "lost", "said"),
    [({}, 0.0, "no case"), ({"other": (40, 40)}, 0.0, "no case"), ({"a": (40, 40)}, 0.2, "infrastructure")],
)
def test_what_could_not_be_measured_blocks_and_says_why(now, lost, said):
    made = check(now, {"a": (38, 40)}, lost=lost)
    assert ("unknown", True) == (made.state, made.blocks)
    assert said in made.reason


def test_cases_that_only_one_side_measured_do_not_count():
    made = check({"a": (38, 40), "new": (0, 400)}, {"a": (38, 40), "old": (400, 400)})
    assert 0 == made.effect.value


def test_asking_easy_cases_more_often_is_no_change():
    then = {"easy": (10, 10), "hard": (20, 100)}
    made = check({"easy": (100, 100), "hard": (2, 10)}, then)
    assert ("held", pytest.approx(0.0)) == (made.state, made.effect.value)


def test_infrastructure_errors_are_no_answers():
    spec = FIXTURE.spec("steady", "atomic")
    results = (
        CaseResult(case_id="a", skill="s", wants_call=True, outcomes=("pass", "infra_error", "wrong")),
        CaseResult(case_id="b", skill="s", wants_call=True, outcomes=("infra_error",)),
    )
    known = FIXTURE.demo_records().summary
    changes = {"spec": spec, "stage": "screen", "cases": results, "samples": 4}
    one: SpecSummary = msgspec.structs.replace(known.specs[0], outcomes={"infra_error": 2}, **changes)
    summary = msgspec.structs.replace(known, specs=(one,))
    assert {"a": (1, 2)} == counted(summary, spec.id, ("screen",))
    assert 0.5 == infra_share(summary, spec.id, ("screen",))
    assert {} == counted(summary, spec.id, ("confirm",))


@pytest.mark.parametrize("accuracy", [0.5, 0.8, 0.97])
def test_an_unchanged_route_is_hardly_ever_called_worse(accuracy):
    """At most FALSE_ALARM over two phases, cases of any difficulty; the bound is exact at 1 in 10 000."""
    dice = random.Random(11)  # noqa: S311 - a simulation
    cycles, alarms = 600, 0
    for _ in range(cycles):
        phases = [[min(1.0, max(0.0, dice.gauss(accuracy, 0.25))) for _ in range(30)] for _ in range(2)]
        checks = [check(counts(p, 4, dice), counts(p, 4, dice)) for p in phases]
        alarms += any(each.state == "worse" for each in checks)
    assert binomtest(alarms, cycles, FALSE_ALARM, alternative="greater").pvalue > 1e-4


def test_a_loss_of_fifteen_points_is_nearly_always_found():
    dice = random.Random(12)  # noqa: S311 - as above
    found = sum(
        check(counts([0.8] * 35, 8, dice), counts([0.95] * 35, 8, dice)).state == "worse" for _ in range(100)
    )
    assert found >= 95


def test_the_page_of_a_job_shows_verdict_phases_and_decisions():
    records = FIXTURE.demo_records()
    checks = [check({"a": (10, 40)}, {"a": (39, 40)})]
    page = job_page(records, checks)
    assert page.startswith(f"## Routing: {records.outcome.headline}")
    assert "**worse**" in page
    for decision in records.decisions.decisions:
        assert decision.reason in page


def test_the_page_holds_no_markup_of_others():
    records = FIXTURE.demo_records()
    outcome = msgspec.structs.replace(records.outcome, headline="a|b <script>\n# x")
    page = job_page(msgspec.structs.replace(records, outcome=outcome), ())
    assert r"a\|b &lt;script> # x" in page.splitlines()[0]


def test_a_change_that_was_taken_back_stands_on_the_page():
    records = FIXTURE.demo_records()
    first, *others = records.verifications.verifications
    taken = msgspec.structs.replace(first, kept=False, reason="Not better on fresh cases.")
    verified = msgspec.structs.replace(records.verifications, verifications=(taken, *others))
    assert "taken back" in job_page(msgspec.structs.replace(records, verifications=verified), ())
