"""A suite that can't be solved, or is solved by always or never calling, is found out."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harnesslib.records import ExpectedCall
from harnesslib.suite_proof import prove
from harnesslib.suites import load_suite, packaged
from harnesslib.testing import tiny_suite

PLAIN = tiny_suite("tiny")
SUITE = msgspec.structs.replace(
    PLAIN, cases=tuple(msgspec.structs.replace(case, notes="For tests.") for case in PLAIN.cases)
)


def with_case(**changes):
    case = msgspec.structs.replace(SUITE.cases[0], **changes)
    return msgspec.structs.replace(SUITE, cases=(case, *SUITE.cases[1:]))


def with_turn(**changes):
    return with_case(turns=(msgspec.structs.replace(SUITE.cases[0].turns[0], **changes),))


@pytest.mark.parametrize("name", packaged())
def test_the_packaged_suites_are_proven(name):
    assert prove(load_suite(name, root=Path())) == ()


def test_a_suite_whose_form_is_wrong_is_not_looked_at_further():
    assert any("tool" in problem for problem in prove(with_case(tools=("nobody",))))


def test_a_reference_that_leaves_the_wrong_state_behind_does_not_pass():
    office = load_suite("extended", root=Path())
    case = next(case for case in office.cases if case.final_state is not None)
    broken = msgspec.structs.replace(case, final_state={"changed": {"events": 99}})
    cases = tuple(broken if each.id == case.id else each for each in office.cases)
    problems = prove(msgspec.structs.replace(office, cases=cases))
    assert problems
    assert all(
        problem.startswith(f"case {case.id}: the reference answer does not pass") for problem in problems
    )


def test_a_case_that_silence_passes_though_it_asks_for_more_is_no_call_case():
    call = ExpectedCall(name="double", arguments={"number": 1})
    either = with_turn(accept=((call,), ()))
    assert either.cases[0].wants_call is False
    assert prove(either) == ()


def test_no_id_of_a_packaged_case_was_ever_renamed_or_dropped():
    golden = Path(__file__).resolve().parents[1] / "golden" / "case_ids.txt"
    now = {case.id for name in packaged() for case in load_suite(name, root=Path()).cases}
    assert set(golden.read_text("utf-8").split()) - now == set()
