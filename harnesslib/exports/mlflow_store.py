"""A cycle as a run of an MLflow tracking server or store: numbers as metrics, its files as artifacts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harnesslib.errors import InputError
from harnesslib.exports.bundle import Bundle
from harnesslib.records import Estimate
from harnesslib.records.base import Record

RUN_TAG = "harnesslib.run_id"
_ESTIMATES = ("served", "skill", "restraint", "latency_p50_s", "latency_p95_s")
_STATUS = {"done": "FINISHED", "running": "RUNNING", "failed": "FAILED", "lost": "KILLED"}
_LONGEST_TEXT = 500


class Logged(Record):
    """Where the run stands in MLflow; `metrics` counts what was logged now, 0 when it stood there already."""

    experiment: str
    mlflow_run_id: str
    metrics: int
    artifacts: tuple[str, ...]


def log_to_mlflow(bundle: Bundle, folder: Path, *, tracking_uri: str, experiment: str) -> Logged:
    """Log a run once; a run that stands there already is only named again.

    Parameters
    ----------
    bundle
        The run.
    folder
        Its folder; reports and records in it become artifacts.
    tracking_uri
        A server's address, or a store such as ``sqlite:////path/mlflow.db``.
    experiment
        Made when it isn't there.

    Raises
    ------
    InputError
        MLflow is not installed, or refuses.
    """
    mlflow = _mlflow()
    client = mlflow.MlflowClient(tracking_uri=tracking_uri)
    try:
        return _log(client, bundle, folder, experiment)
    except mlflow.exceptions.MlflowException as error:
        first = str(error).splitlines()[0]
        raise InputError(
            f"--tracking-uri {tracking_uri}: {first}; check the address and the store"
        ) from error


def _mlflow() -> Any:  # noqa: ANN401 - a package that may be missing has no types here
    # The run belongs to the user: without this the library tells its makers that it was used.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        import mlflow
    except ImportError as error:
        raise InputError("harness export mlflow: MLflow is not installed; pip install mlflow") from error
    return mlflow


def _log(client: Any, bundle: Bundle, folder: Path, experiment: str) -> Logged:  # noqa: ANN401 - as above
    manifest = bundle.records.manifest
    known = client.get_experiment_by_name(experiment)
    experiment_id = known.experiment_id if known else client.create_experiment(experiment)
    there = client.search_runs([experiment_id], f"tags.`{RUN_TAG}` = '{manifest.run_id}'", max_results=1)
    if there:
        return Logged(experiment=experiment, mlflow_run_id=there[0].info.run_id, metrics=0, artifacts=())
    started = int(manifest.started_at.timestamp() * 1000)
    made = client.create_run(experiment_id, start_time=started, tags=_tags(bundle), run_name=manifest.run_id)
    run_id = made.info.run_id
    for name, value in _parameters(bundle).items():
        client.log_param(run_id, name, value)
    metrics = dict(_metrics(bundle))
    for name, number in metrics.items():
        client.log_metric(run_id, name, number, timestamp=started)
    files = sorted(path for path in folder.iterdir() if path.suffix in {".json", ".html", ".ipynb"})
    for path in files:
        client.log_artifact(run_id, str(path))
    ended = manifest.ended_at or manifest.started_at
    client.set_terminated(run_id, _STATUS[manifest.status], int(ended.timestamp() * 1000))
    names = tuple(path.name for path in files)
    return Logged(experiment=experiment, mlflow_run_id=run_id, metrics=len(metrics), artifacts=names)


def _tags(bundle: Bundle) -> dict[str, str]:
    records = bundle.records
    outcome = records.outcome
    return {
        RUN_TAG: records.manifest.run_id,
        "harnesslib.kind": records.manifest.kind,
        "harnesslib.simulated": str(records.manifest.simulated).lower(),
        "harnesslib.verdict": outcome.headline if outcome else records.manifest.reason,
    }


def _parameters(bundle: Bundle) -> dict[str, str]:
    records = bundle.records
    known = {f"run.{name}": str(value) for name, value in records.manifest.parameters.items()}
    if records.plan:
        known |= {"seed": str(records.plan.seed), "generation_before": str(records.plan.generation)}
    if records.outcome:
        known["generation"] = str(records.outcome.generation)
        served = records.outcome.baselines.items()
        known |= {f"serves.{_name(phase)}": model for phase, model in served}
    return {name: value[:_LONGEST_TEXT] for name, value in known.items()}


def _metrics(bundle: Bundle) -> Iterator[tuple[str, float]]:
    for arm in bundle.arms():
        found = arm.summary
        if found is None:
            continue
        place = f"{_name(arm.phase)}/{_name(arm.model)}/{arm.stage}/{arm.spec_id.rpartition('/')[2]}"
        for field in _ESTIMATES:
            yield from _bounds(f"{place}/{field}", getattr(found, field))
        yield f"{place}/samples", float(found.samples)
        if found.cost is not None:
            yield f"{place}/cost", found.cost
        yield f"{place}/infra_share", found.infra_share


def _bounds(name: str, estimate: Estimate) -> Iterator[tuple[str, float]]:
    for ending, value in (("", estimate.value), ("_low", estimate.low), ("_high", estimate.high)):
        if value is not None:
            yield f"{name}{ending}", value


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_. -]", "_", text)
