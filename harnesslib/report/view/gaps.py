"""What a report says where a record is missing: the truth, in one sentence."""

from __future__ import annotations

from harnesslib.records import CycleRecords


def uncompared(records: CycleRecords) -> str:
    """Return why there is no comparison of a candidate with a baseline."""
    if records.summary is None:
        return missing(records, "a comparison of models")
    return "No candidate was compared with a baseline in this cycle."


def missing(records: CycleRecords, what: str) -> str:
    """Return why `what` (a noun phrase: ``the decisions``) is not there."""
    manifest = records.manifest
    if manifest.status == "running":
        return f"Not available yet: the cycle is still running and has not come to {what}."
    if manifest.status == "done":
        return f"This cycle ended without {what}."
    reason = f" ({manifest.reason})" if manifest.reason else ""
    return f"Not available: the cycle stopped{reason} before it came to {what}."
