"""A cycle's verdicts as JUnit XML, which every CI shows: a suite per decision, a test case per gate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from harnesslib.records import CycleRecords, Decision, GateResult
from harnesslib.records.base import Record

_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class PlainCheck(Record):
    """One more test case: a name, how it went, and why."""

    name: str
    verdict: str
    detail: str


def junit(
    records: CycleRecords, *, checks: Sequence[PlainCheck] = (), rejected_is_failure: bool = True
) -> str:
    """Return the XML.

    Parameters
    ----------
    records
        Of a cycle.
    checks
        A suite ``regression`` before the others: verdict "pass", "fail" or "unknown" each.
    rejected_is_failure
        A failed gate is a failed test. False where only `checks` may fail: a candidate that is not good
        enough changes nothing, and its gate is then shown as skipped.

    Notes
    -----
    A gate that can't be judged is always skipped, with what would settle it.
    """
    root = ET.Element("testsuites", name=_text(records.manifest.run_id))
    when = records.manifest.started_at
    if checks:
        suite = _suite(root, "regression", when)
        for check in checks:
            _case(suite, check.name, check.verdict, check.detail)
    for decision in records.decisions.decisions if records.decisions else ():
        suite = _suite(root, _title(decision), when)
        for gate in decision.gates:
            verdict = "skipped" if gate.verdict == "fail" and not rejected_is_failure else gate.verdict
            _case(suite, gate.name, verdict, _told(gate))
    for part in root:
        _count(part)
    _count(root)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text.decode() + "\n"


def _title(decision: Decision) -> str:
    proposed = decision.recommendation
    return f"{proposed.phase}: {proposed.action} {proposed.spec.model} = {decision.verdict}"


def _told(gate: GateResult) -> str:
    settle = f"; settle it: {gate.settle}" if gate.settle else ""
    return f"{gate.observed}; asked for: {gate.threshold}{settle}"


def _suite(root: ET.Element, name: str, when: datetime) -> ET.Element:
    stamp = when.isoformat(timespec="seconds")
    return ET.SubElement(root, "testsuite", name=_text(name), timestamp=stamp)


def _case(suite: ET.Element, name: str, verdict: str, detail: str) -> None:
    case = ET.SubElement(suite, "testcase", name=_text(name), classname=suite.get("name", ""), time="0")
    if verdict == "pass":
        ET.SubElement(case, "system-out").text = _text(detail)
        return
    tag = "failure" if verdict == "fail" else "skipped"
    ET.SubElement(case, tag, message=_text(detail))


def _count(part: ET.Element) -> None:
    part.set("tests", str(len(list(part.iter("testcase")))))
    part.set("failures", str(len(list(part.iter("failure")))))
    part.set("skipped", str(len(list(part.iter("skipped")))))
    part.set("errors", "0")


def _text(text: str) -> str:
    """Return the text without what XML can't hold: models may have written it."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
