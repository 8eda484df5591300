"""The main job as a user runs it: the demo over real HTTP, through the notebook, to the report, twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.timeout(240), pytest.mark.xdist_group("demo")]


def harness(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harnesslib", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    done = harness("demo", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout), done


@pytest.fixture(scope="module")
def again(demo):
    folder = demo[0]
    done = harness("demo", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_the_demo_finds_the_declared_truth(demo):
    truth = demo[1]["outcome"]["truth"]
    assert len(truth) == 11
    assert [(row["model"], row["phase"]) for row in truth if not row["right"]] == []


def test_the_best_models_serve_and_the_hopeless_one_does_not(demo):
    folder, result, _ = demo
    routing = json.loads((folder / "routing_config.json").read_text())
    assert result["outcome"]["status"] == "promoted"
    assert routing["generation"] >= 2
    assert {phase: base["spec"]["model"] for phase, base in routing["baselines"].items()} == {
        "atomic": "sprinter",
        "extended": "better",
    }
    rules = {(rule["model"], rule["phase"]): rule for rule in routing["rules"]}
    assert rules["sprinter", "extended"]["allow"] is False
    assert rules["sprinter", "extended"]["fallback_model"] == "better"
    assert rules["sleepy", "atomic"]["enable_warmup"] is True


def test_it_leaves_a_report_an_executed_notebook_and_sealed_samples(demo):
    folder, result, _ = demo
    run = folder / "runs" / result["outcome"]["run_id"]
    page = Path(result["report"]).read_text()
    assert Path(result["report"]) == run / "report.html"
    assert "Atomic is now served by sprinter" in page
    assert "<script" not in page
    cells = [c for c in json.loads((run / "cycle.ipynb").read_text())["cells"] if c["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in cells)
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["status"] == "done"
    assert {"journal.jsonl", "samples.parquet", "decisions.json"} <= set(manifest["files"])


def test_progress_is_said_on_stderr_only(demo):
    done = demo[2]
    assert "a first look at every candidate" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(done.stdout)


def test_nothing_is_left_running(demo):
    folder = str(demo[0])
    running = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    assert [command for command in running if folder in command] == []


def test_the_second_cycle_finds_nothing_left_to_improve(again):
    outcome = again[1]["outcome"]
    assert outcome["headline"] == (
        "Nothing left to improve: no candidate beats sprinter in atomic and better in extended."
    )
    assert all(row["right"] for row in outcome["truth"])


def test_the_log_verifies_and_one_changed_byte_is_found(again):
    folder = again[0]
    assert harness("log", "verify", folder=folder).returncode == 0
    log = folder / "routing_decisions.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole.replace(b"sprinter", b"sprintar", 1))
    try:
        found = harness("log", "verify", folder=folder)
    finally:
        log.write_bytes(whole)
    assert found.returncode == 5
    assert "line" in found.stdout


def test_a_denied_model_is_served_by_its_fallback(again):
    folder = again[0]
    told = json.loads(harness("routes", "resolve", "sprinter", "extended", "--json", folder=folder).stdout)
    assert (told["model"], told["requested_model"]) == ("better", "sprinter")
    done = harness("run", "sprinter", "extended", "--repeats", "1", "--limit", "2", "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["specs"][0]["spec"]["model"] == "better"


def test_the_doctor_finds_nothing_wrong(again):
    done = harness("doctor", "--json", folder=again[0])
    assert done.returncode == 0, done.stdout
    assert {check["state"] for check in json.loads(done.stdout)} == {"good"}


def test_the_report_is_rendered_again_byte_for_byte(again):
    folder, result = again
    report = Path(result["report"])
    before = report.read_bytes()
    assert harness("report", folder=folder).stdout.strip() == str(report)
    assert report.read_bytes() == before


def test_every_number_of_both_reports_comes_out_again(again):
    folder = again[0]
    told = json.loads(harness("history", "--json", folder=folder).stdout)
    assert ["promoted", "unchanged"] == [line["outcome"]["status"] for line in told]
    for line in told:
        done = harness("verify", line["run_id"], folder=folder)
        assert done.returncode == 0, done.stdout
        assert f"./{line['run_id']}/report.html" in (folder / "runs" / "index.html").read_text()


def test_what_was_decided_is_told_gate_by_gate_and_is_not_applied_twice(demo):
    folder, result, _ = demo
    run = result["outcome"]["run_id"]
    told = harness("decide", run, folder=folder).stdout
    assert "PROMOTE  atomic-promote-sprinter" in told
    assert "accuracy_gain" in told
    before = (folder / "routing_config.json").read_bytes()
    for arguments in (("apply", run, "--dry-run"), ("apply", run)):
        assert harness(*arguments, folder=folder).stdout.startswith("Nothing to apply")
    assert (folder / "routing_config.json").read_bytes() == before
