"""``papermill --engine harness``: a cycle that papermill runs ends as one of ``harness cycle`` does.

Papermill writes its executed copy where it was told. This engine puts one into the run's folder too, renders
the report from it, and tells the hooks of ``harness.toml``. Another notebook runs as it would anyway.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec
from papermill.engines import NBClientEngine

from harnesslib.errors import NotebookError
from harnesslib.notices import tell_ended, tell_failed
from harnesslib.records import CycleOutcome
from harnesslib.workspace import Workspace, nearest

_LOG = logging.getLogger("papermill")


class HarnessEngine(NBClientEngine):  # type: ignore[misc] # papermill has no types
    """Papermill's own engine, and afterwards what makes the run whole."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,  # noqa: ANN401 - papermill has no types
        kernel_name: str,
        **settings: Any,  # noqa: ANN401 - as above
    ) -> None:
        """Execute the notebook; papermill calls this."""
        parameters = nb_man.nb.metadata.get("papermill", {}).get("parameters", {})
        root = nearest(parameters.get("workspace", "."))
        with Workspace(root) as place:
            if not place.exists():
                super().execute_managed_notebook(nb_man, kernel_name, **settings)
                return
            before = {manifest.run_id for manifest in place.runs.manifests()}
            super().execute_managed_notebook(nb_man, kernel_name, **settings)
            made = {m.run_id for m in place.runs.manifests() if m.kind == "cycle"} - before
            for run_id in sorted(made | {parameters.get("run_id", "")} - {""}):
                _finish(place, run_id, nb_man.nb)


def _finish(place: Workspace, run_id: str, notebook: Any) -> None:  # noqa: ANN401 - as above
    import nbformat

    from harnesslib.report.page import render

    form: Any = nbformat
    folder = place.runs.path(run_id)
    executed, report = folder / "cycle.ipynb", folder / "report.html"
    executed.write_text(form.writes(notebook), encoding="utf-8")
    render(executed, report)
    outcome = place.runs.load(run_id, "outcome", CycleOutcome)
    problems = tell_ended(place, outcome, report) if outcome else _failed(place, run_id, report)
    for problem in problems:
        _LOG.warning("harness: %s", problem)
    _LOG.info("harness: report %s", report)


def _failed(place: Workspace, run_id: str, report: Path) -> tuple[str, ...]:
    """Close a cycle that ended without an outcome; papermill itself raises the cell's error afterwards."""
    error = NotebookError("a cell of the notebook failed; see the report")
    manifest = place.runs.manifest(run_id)
    if manifest.status == "running":
        changes: dict[str, Any] = {"status": "failed", "reason": str(error), "exit_code": error.exit_code}
        place.runs.save_manifest(msgspec.structs.replace(manifest, ended_at=place.clock.now(), **changes))
    return tell_failed(place, run_id, error, report)
