"""JSON Schemas of every file that the harness reads or writes, made from the records themselves."""

from __future__ import annotations

from typing import Any

import msgspec

from harnesslib.errors import InputError
from harnesslib.records import (
    CycleOutcome,
    Decisions,
    Drift,
    Feedback,
    HarnessConfig,
    Heartbeat,
    ImportedFile,
    LogEntry,
    Manifest,
    Plan,
    Proposal,
    ProposalVerdict,
    Proposed,
    ReportSeal,
    RoutingConfig,
    Sample,
    Summary,
    Verifications,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RECORDS: dict[str, tuple[type, str]] = {
    "harness": (HarnessConfig, "harness.toml"),
    "routing_config": (RoutingConfig, "routing_config.json, and each file of generations/"),
    "log_entry": (LogEntry, "a line of routing_decisions.jsonl"),
    "manifest": (Manifest, "runs/<id>/manifest.json"),
    "plan": (Plan, "runs/<id>/plan.json"),
    "sample": (Sample, "a line of runs/<id>/journal.jsonl"),
    "summary": (Summary, "runs/<id>/summary.json"),
    "findings": (Feedback, "runs/<id>/findings.json"),
    "decisions": (Decisions, "runs/<id>/decisions.json"),
    "verification": (Verifications, "runs/<id>/verification.json"),
    "drift": (Drift, "runs/<id>/drift.json"),
    "proposed": (Proposed, "runs/<id>/proposed.json"),
    "outcome": (CycleOutcome, "runs/<id>/outcome.json"),
    "heartbeat": (Heartbeat, "runs/<id>/heartbeat.json"),
    "proposal": (Proposal, "proposals/<name>.toml or .json"),
    "proposal_verdict": (ProposalVerdict, "proposals/<name>.verdict.json"),
    "seal": (ReportSeal, "runs/<id>/seal.json"),
    "imported": (ImportedFile, "a file of imported/"),
}
"""Name -> the record, and the file that it describes."""


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of one kind of file.

    Raises
    ------
    InputError
        There is no such kind; the message lists them.
    """
    if name not in RECORDS:
        raise InputError(f"schema '{name}': there is none; expected one of {', '.join(RECORDS)}")
    record, file = RECORDS[name]
    made = {"$schema": DIALECT, "title": file, **msgspec.json.schema(record)}
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
    return plain
