"""A run in the forms of other tools: nothing is lost on the way, and nothing unknown becomes a number."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harnesslib.exports.bundle import bundle
from harnesslib.exports.csv_table import harmless, samples_csv
from harnesslib.exports.every_eval_ever import every_eval_ever
from harnesslib.exports.inspect_log import inspect_logs
from harnesslib.exports.junit import PlainCheck, junit
from harnesslib.records import Call, Case, ExpectedCall, Sample, Suite, Tool, Turn


def load_fixture():
    path = Path(__file__).resolve().parents[1] / "report_fixture.py"
    spec = importlib.util.spec_from_file_location("report_fixture", path)
    fixture = importlib.util.module_from_spec(spec)
    sys.modules["report_fixture"] = fixture
    spec.loader.exec_module(fixture)
    return fixture


FIXTURE = load_fixture()


@pytest.fixture(scope="module")
def records():
    return FIXTURE.demo_records()


@pytest.fixture(scope="module")
def suite() -> Suite:
    expected = ExpectedCall(name="set_timer", arguments={"minutes": 5})
    turn = Turn(user="A timer for {n} minutes.", accept=((expected,),))
    case = Case(
        id="ato-01",
        skill="pick_tool",
        split="search",
        turns=(turn,),
        tools=("set_timer",),
        notes="",
        parameters={"n": (5, 6, 7, 8)},
    )
    tool = Tool(name="set_timer", description="", parameters={})
    return Suite(name="atomic", version="1.2", title="", description="", tools=(tool,), cases=(case,))


@pytest.fixture(scope="module")
def measured(records, suite):
    """The fixture's cycle, as if its plan had measured the little suite."""
    phases = tuple(
        msgspec.structs.replace(phase, suite_hash=suite.content_hash) for phase in records.plan.phases
    )
    planned = msgspec.structs.replace(records, plan=msgspec.structs.replace(records.plan, phases=phases))
    return bundle(planned, {"atomic": suite})


def a_sample(**known) -> Sample:
    return msgspec.structs.replace(FIXTURE.demo_records().samples[0], **known)


def test_every_sample_stands_in_exactly_one_log(records, measured):
    logs = inspect_logs(measured)
    assert len(records.samples) == sum(len(log["samples"]) for log in logs.values())
    assert {len(log["samples"]) == log["results"]["total_samples"] for log in logs.values()} == {True}
    for log in logs.values():
        places = Counter((sample["id"], sample["epoch"]) for sample in log["samples"])
        assert {1} == set(places.values())


def test_an_infrastructure_error_has_an_error_and_no_score(records, measured):
    lost = sum(sample.outcome == "infra_error" for sample in records.samples)
    exported = [sample for log in inspect_logs(measured).values() for sample in log["samples"]]
    assert 0 < lost == sum("error" in sample for sample in exported)
    assert lost == sum("scores" not in sample for sample in exported)


def test_the_question_is_the_one_that_the_sample_asked(records, measured):
    asked = {
        s["input"] for log in inspect_logs(measured).values() for s in log["samples"] if s["id"] == "ato-01"
    }
    assert {"A timer for 5 minutes.", "A timer for 6 minutes."} <= asked
    assert not any("{n}" in text for text in asked)


def test_the_texts_of_a_changed_suite_are_not_shown_as_what_was_asked(records, suite):
    logs = inspect_logs(bundle(records, {"atomic": suite}))
    inputs = {s["input"] for log in logs.values() for s in log["samples"] if s["id"] == "ato-01"}
    assert {"(the text of ato-01 has changed since)"} == inputs


def test_an_unmeasured_number_is_left_out_of_both_formats(records):
    unmeasured = FIXTURE.estimate(None, reason="no such case")
    specs = tuple(msgspec.structs.replace(spec, restraint=unmeasured) for spec in records.summary.specs)
    summary = msgspec.structs.replace(records.summary, specs=specs)
    made = bundle(msgspec.structs.replace(records, summary=summary), {})
    logs = [log for log in inspect_logs(made).values() if log["eval"]["metadata"]["stage"] == "screen"]
    assert not any("restraint" in log["results"]["scores"][0]["metrics"] for log in logs)
    names = [
        result["metric_config"]["metric_id"]
        for document in every_eval_ever(made, organisation="us").values()
        for result in document["evaluation_results"]
        if "(verify)" not in result["evaluation_name"]
    ]
    assert "harnesslib.served" in names
    assert "harnesslib.restraint" not in names


def test_a_document_per_model_carries_every_interval(records, measured):
    documents = every_eval_ever(measured, organisation="us")
    assert {spec.spec.model for spec in records.summary.specs} == {
        document["model_info"]["name"] for document in documents.values()
    }
    served = [
        result["score_details"]
        for document in documents.values()
        for result in document["evaluation_results"]
        if result["metric_config"]["metric_id"] == "harnesslib.served"
    ]
    assert all(one["uncertainty"]["confidence_interval"]["lower"] <= one["score"] for one in served)
    assert documents == every_eval_ever(measured, organisation="us")


def test_both_formats_are_plain_json_without_nan(measured):
    for document in (
        *inspect_logs(measured).values(),
        *every_eval_ever(measured, organisation="us").values(),
    ):
        json.dumps(document, allow_nan=False)


def test_junit_has_one_case_per_gate(records):
    root = ET.fromstring(junit(records))  # noqa: S314 - written a line above
    gates = [gate for decision in records.decisions.decisions for gate in decision.gates]
    counts = Counter(gate.verdict for gate in gates)
    found = (root.get("tests"), root.get("failures"), root.get("skipped"))
    assert (str(len(gates)), str(counts["fail"]), str(counts["unknown"])) == found


def test_for_a_pipeline_only_the_checks_can_fail(records):
    checks = [
        PlainCheck(name="atomic", verdict="fail", detail="worse"),
        *[
            PlainCheck(name=name, verdict=verdict, detail="")
            for name, verdict in (("a", "pass"), ("b", "unknown"))
        ],
    ]
    root = ET.fromstring(junit(records, checks=checks, rejected_is_failure=False))  # noqa: S314 - as above
    assert ["atomic"] == [
        case.get("name") for case in root.iter("testcase") if case.find("failure") is not None
    ]
    assert "regression" == root[0].get("name")


def test_junit_survives_what_models_write(records):
    decision = records.decisions.decisions[0]
    gate = msgspec.structs.replace(decision.gates[0], observed="\x00\x1b[31m<b>&\ud800")
    changed = msgspec.structs.replace(decision, gates=(gate,))
    decisions = msgspec.structs.replace(records.decisions, decisions=(changed,))
    text = junit(msgspec.structs.replace(records, decisions=decisions))
    assert "<b>&" in "".join(ET.fromstring(text).itertext())  # noqa: S314 - as above


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "'=1"])  # noqa: RUF001
def test_a_formula_is_made_harmless(text):
    assert f"'{text}" == harmless(text)


@pytest.mark.parametrize("text", ["", "1+1", "a=b", "Paris, -5 degrees", "{}"])
def test_other_texts_stay_as_they_are(text):
    assert text == harmless(text)


@given(st.text(), st.text())
def test_no_cell_of_the_table_begins_like_a_formula_and_texts_come_back(text, value):
    sample = a_sample(text=text, detail=value, turns=((Call(name="f", arguments={"x": value}),),))
    rows = list(csv.DictReader(io.StringIO(samples_csv([sample]), newline="")))
    cells = [cell for row in rows for cell in row.values()]
    assert not any(cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in cells)
    assert [text, value] == [rows[0][name].removeprefix("'") for name in ("text", "detail")]


def test_numbers_stay_numbers():
    row = next(csv.DictReader(io.StringIO(samples_csv([a_sample(cost=-0.5, latency_s=None)]))))
    assert ("-0.5", "") == (row["cost"], row["latency_s"])
