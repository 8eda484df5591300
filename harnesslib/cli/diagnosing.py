"""``harness diagnose``: which causes a run shows, on which evidence, and what would refute each."""

from __future__ import annotations

from pathlib import Path

import click

from harnesslib.cli.output import json_option, show, workspace_option
from harnesslib.errors import InputError
from harnesslib.records import Finding

NAMED = 12


@click.command("diagnose")
@click.argument("run", default="last")
@workspace_option
@json_option
def diagnose_command(run: str, workspace: Path, as_json: bool) -> int:
    """Name the causes behind what a run measured (RUN: an id, or 'last').

    Earlier runs of the same model, settings and suite stand beside it: they show drift, load and caches.
    """
    from harnesslib.run_diagnosis import diagnosed
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        manifest = place.runs.latest(status="done") if run == "last" else place.runs.manifest(run)
        if manifest is None:
            raise InputError(f"{place.root}: nothing has been measured yet; do so with `harness run`")
        feedback = diagnosed(place.effects(endpoints=False), manifest.run_id)
    text = "\n\n".join(_in_words(finding) for finding in feedback.findings)
    show(feedback, text or "The diagnosis found nothing out of the ordinary.", as_json=as_json)
    return 0


def in_short(finding: Finding) -> str:
    """Return a finding on one line."""
    return f"{finding.certainty} {finding.cause}: {finding.headline}"


def _in_words(finding: Finding) -> str:
    from harnesslib.stats.wording import p_value, percent

    given = [p_value(finding.p_value)] if finding.p_value is not None else []
    if finding.posterior is not None:
        given.append(f"posterior {percent(finding.posterior)}")
    if finding.statistic is not None:
        given.append(f"statistic {finding.statistic:.3g}")
    lines = [in_short(finding), f"  in {finding.spec_id}, run {finding.run_id}"]
    lines += [f"  - {line}" for line in finding.evidence]
    if given:
        lines.append(f"  - {', '.join(given)} ({finding.method}).")
    if finding.case_ids:
        more = ", …" if len(finding.case_ids) > NAMED else ""
        lines.append(f"  cases: {', '.join(finding.case_ids[:NAMED])}{more}")
    return "\n".join((*lines, f"  would refute it: {finding.refute}"))
