"""A cycle as a page of Markdown for the page of a CI job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harnesslib.records import CycleRecords, PhaseCheck
from harnesslib.untrusted import visible

_SAID = {"held": "held", "worse": "**worse**", "unknown": "**cannot tell**", "first": "first time"}
_UNSAFE = str.maketrans({"\\": "\\\\", "|": r"\|", "<": "&lt;", "`": "'", "\n": " ", "\r": " "})


def job_page(records: CycleRecords, checks: Sequence[PhaseCheck]) -> str:
    """Return the page: the verdict, each phase beside its reference, every decision.

    Parameters
    ----------
    records
        Of a finished cycle.
    checks
        One per phase.
    """
    outcome = records.outcome
    headline = outcome.headline if outcome else records.manifest.reason or "The cycle has not ended."
    lines = [f"## Routing: {_plain(headline)}", ""]
    if records.manifest.simulated:
        lines += ["*Simulated models.*", ""]
    lines += _table(("phase", "served by", "since its reference", "change"), _phases(records, checks))
    if records.decisions and records.decisions.decisions:
        lines += ["", *_table(("decision", "verdict", "why"), _decisions(records))]
    taken_back = [each for each in _verified(records) if each[1] == "taken back"]
    if taken_back:
        lines += ["", *_table(("change", "", "why"), taken_back)]
    return "\n".join([*lines, "", f"Run `{records.manifest.run_id}`", ""])


def _phases(records: CycleRecords, checks: Sequence[PhaseCheck]) -> Iterator[tuple[str, ...]]:
    serving = records.outcome.baselines if records.outcome else {}
    for check in checks:
        now = serving.get(check.phase, check.model)
        served = check.model if now == check.model else f"{now} (before: {check.model})"
        yield check.phase, served, _SAID[check.state], check.reason


def _decisions(records: CycleRecords) -> Iterator[tuple[str, ...]]:
    for decision in records.decisions.decisions if records.decisions else ():
        proposed = decision.recommendation
        yield (
            f"{proposed.action} {proposed.spec.model} in {proposed.phase}",
            decision.verdict,
            decision.reason,
        )


def _verified(records: CycleRecords) -> Iterator[tuple[str, ...]]:
    for one in records.verifications.verifications if records.verifications else ():
        yield one.decision_id.rpartition(":")[2], "kept" if one.kept else "taken back", one.reason


def _table(header: Sequence[str], rows: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> list[str]:
    lines = [header, ["---"] * len(header), *([_plain(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _plain(text: str) -> str:
    """Return text that is no tag, no link, no code and no cell's end, whoever wrote it."""
    return visible(text.translate(_UNSAFE)).replace("](", r"]\(")
