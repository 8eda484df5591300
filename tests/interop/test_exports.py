"""The real tools open what is exported; each test runs where its tool is installed (``./run interop``)."""

from __future__ import annotations

import importlib.util
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from harnesslib.cli import main
from harnesslib.exports.bundle import bundle
from harnesslib.exports.every_eval_ever import every_eval_ever
from harnesslib.exports.inspect_log import inspect_logs
from harnesslib.exports.mlflow_store import log_to_mlflow
from harnesslib.imports.store import ImportedResults
from harnesslib.records import Call

pytestmark = pytest.mark.filterwarnings("default")
TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def records():
    path = TESTS / "report_fixture.py"
    spec = importlib.util.spec_from_file_location("report_fixture", path)
    fixture = importlib.util.module_from_spec(spec)
    sys.modules["report_fixture"] = fixture
    spec.loader.exec_module(fixture)
    made = fixture.demo_records()
    turns = ((Call(name="set_timer", arguments={"minutes": 5}),),)
    samples = tuple(msgspec.structs.replace(each, turns=turns, text="Done.") for each in made.samples)
    return msgspec.structs.replace(made, samples=samples)


@pytest.fixture(scope="module")
def logs(records, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inspect")
    for name, log in inspect_logs(bundle(records, {})).items():
        (folder / name).write_text(json.dumps(log))
    return folder


def test_inspect_lists_and_reads_every_log(logs):
    log_module = pytest.importorskip("inspect_ai.log", reason="inspect-ai is not installed: ./run interop")
    listed = log_module.list_eval_logs(str(logs))
    assert len(list(logs.iterdir())) == len(listed)
    for info in listed:
        log = log_module.read_eval_log(info)
        assert (2, "success") == (log.version, log.status)
        assert log.results.total_samples == len(log.samples)


def test_inspect_scores_what_we_scored(logs, records):
    log_module = pytest.importorskip("inspect_ai.log", reason="inspect-ai is not installed: ./run interop")
    read = [log_module.read_eval_log(info) for info in log_module.list_eval_logs(str(logs))]
    right = sum(
        sample.scores["harnesslib"].value == "C" for log in read for sample in log.samples if sample.scores
    )
    assert sum(sample.outcome == "pass" for sample in records.samples) == right
    confirmed = {spec.spec.id: spec.served.value for spec in records.summary.specs if spec.stage == "confirm"}
    told = {
        log.eval.metadata["spec_id"]: log.results.scores[0].metrics["accuracy"].value
        for log in read
        if log.eval.metadata["stage"] == "confirm"
    }
    assert confirmed == told


def test_inspect_makes_its_frames(logs, records):
    analysis = pytest.importorskip("inspect_ai.analysis", reason="inspect-ai is not installed: ./run interop")
    assert len(list(logs.iterdir())) == len(analysis.evals_df(str(logs), quiet=True))
    samples = analysis.samples_df(str(logs), quiet=True)
    assert len(records.samples) == len(samples)
    assert set(samples["score_harnesslib"].dropna()) == {"C", "I"}
    messages = analysis.messages_df(str(logs), quiet=True)
    assert len(records.samples) == len(messages)
    assert messages["tool_calls"].str.contains("set_timer").all()


def test_inspect_writes_it_again_without_a_difference(logs, tmp_path):
    log_module = pytest.importorskip("inspect_ai.log", reason="inspect-ai is not installed: ./run interop")
    log = log_module.read_eval_log(log_module.list_eval_logs(str(logs))[0])
    log_module.write_eval_log(log, str(tmp_path / "again.eval"))
    again = log_module.read_eval_log(str(tmp_path / "again.eval"))
    assert [sample.scores for sample in log.samples] == [sample.scores for sample in again.samples]


def test_what_inspect_writes_can_be_imported(logs, tmp_path):
    log_module = pytest.importorskip("inspect_ai.log", reason="inspect-ai is not installed: ./run interop")
    read = [log_module.read_eval_log(info) for info in log_module.list_eval_logs(str(logs))]
    log = next(each for each in read if "restraint" in each.results.scores[0].metrics)
    log.results.scores[0].metrics["restraint"].value = float("nan")
    told = []
    for name in ("log.eval", "log.json"):
        log_module.write_eval_log(log, str(tmp_path / name))
        file = ImportedResults(tmp_path / "imported").add("inspect", tmp_path / name, now=log_now())
        told.append({row.metric: row.value for row in file.rows})
    metrics = log.results.scores[0].metrics
    assert [{"harnesslib/accuracy": metrics["accuracy"].value, "harnesslib/restraint": None}] * 2 == [
        {name: value for name, value in one.items() if "skill" not in name} for one in told
    ]


def log_now() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


def test_every_eval_ever_accepts_every_document(records, tmp_path):
    schema = pytest.importorskip(
        "every_eval_ever.schema", reason="every-eval-ever is not installed: ./run interop"
    )
    import jsonschema

    check = jsonschema.Draft7Validator(schema.schema_json())
    for document in every_eval_ever(bundle(records, {}), organisation="us").values():
        assert [] == [error.message for error in check.iter_errors(document)]
        assert schema.get_schema_version() == document["schema_version"]


def test_mlflow_keeps_a_run_once_with_its_numbers_and_files(records, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed: ./run interop")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "report.html").write_text("<p>report</p>")
    store = f"sqlite:///{tmp_path}/mlflow.db"
    made = bundle(records, {})
    first, second = (log_to_mlflow(made, folder, tracking_uri=store, experiment="nightly") for _ in range(2))
    assert (first.mlflow_run_id, 0) == (second.mlflow_run_id, second.metrics)
    client = mlflow.MlflowClient(tracking_uri=store)
    run = client.get_run(first.mlflow_run_id)
    assert ("FINISHED", records.manifest.run_id) == (run.info.status, run.data.tags["harnesslib.run_id"])
    served = {
        value for name, value in run.data.metrics.items() if "/confirm/" in name and name.endswith("/served")
    }
    assert {spec.served.value for spec in records.summary.specs if spec.stage == "confirm"} == served
    assert ["report.html"] == [each.path for each in client.list_artifacts(first.mlflow_run_id)]


def test_a_store_that_mlflow_refuses_is_one_sentence(tmp_path, monkeypatch, capsys):
    pytest.importorskip("mlflow", reason="mlflow is not installed: ./run interop")
    monkeypatch.chdir(tmp_path)
    assert 0 == main(["init", "--demo", str(tmp_path)])
    assert 2 == main(["export", "mlflow", "--tracking-uri", "nonsense://x"])
    assert "Traceback" not in capsys.readouterr().err
