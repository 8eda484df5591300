"""`harness verify`: every key number comes out again, and no byte of the chain can change unseen."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harnesslib.cli import main
from harnesslib.records import ReportSeal, decode, encode_pretty, sha256
from harnesslib.run_audit import RunAudit, audit_run
from harnesslib.workspace import Workspace


def _fixture() -> Any:
    path = Path(__file__).resolve().parents[1] / "finished_cycle.py"
    spec = importlib.util.spec_from_file_location("finished_cycle", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FIXTURE = _fixture()
NAMES = (
    "applied.json",
    "confirmation.json",
    "cycle.ipynb",
    "decisions.json",
    "drift.json",
    "events.jsonl",
    "findings.json",
    "held.json",
    "journal.jsonl",
    "manifest.json",
    "outcome.json",
    "plan.json",
    "proposer.json",
    "report.html",
    "samples.parquet",
    "seal.json",
    "selection.json",
    "stdout.log",
    "summary.json",
    "verification.json",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("workspace")
    return root, FIXTURE.finished_cycle(root)


@pytest.fixture
def copy(whole, tmp_path) -> tuple[Path, Path]:
    """Return a workspace to be damaged, and the folder of its run."""
    root = tmp_path / "copy"
    shutil.copytree(whole[0], root)
    return root, root / "runs" / whole[1]


def audit(root: Path, run_id: str) -> RunAudit:
    with Workspace(root) as place:
        return audit_run(place, run_id)


def flip(path: Path, share: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(share * (len(data) - 1))] ^= 1
    path.write_bytes(bytes(data))


def reseal(run: Path) -> None:
    """Do what a forger would: write all hashes anew, so that only the content can give the edit away."""
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["files"] = {name: sha256((run / name).read_bytes()) for name in manifest["files"]}
    (run / "manifest.json").write_text(json.dumps(manifest))
    seal = decode((run / "seal.json").read_bytes(), ReportSeal, "seal.json")
    files = {name: sha256((run / name).read_bytes()) for name in seal.files}
    (run / "seal.json").write_bytes(encode_pretty(ReportSeal(run_id=seal.run_id, files=files)))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def test_a_finished_cycle_verifies(whole, capsys):
    root, run_id = whole
    assert () == audit(root, run_id).problems
    assert 0 == main(["verify", "-w", str(root)])
    assert "every number comes out again, and no byte was changed" in capsys.readouterr().out


def test_the_list_of_files_is_complete(whole):
    root, run_id = whole
    assert set(NAMES) == {path.name for path in (root / "runs" / run_id).iterdir()}


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_byte_of_a_run_is_found(copy, name):
    root, run = copy
    before = (run / name).read_bytes()
    for share in (0.0, 0.37, 1.0):
        flip(run / name, share)
        assert audit_or_error(root, run.name), (name, share)
        (run / name).write_bytes(before)


def audit_or_error(root: Path, run_id: str) -> bool:
    """Whether `harness verify` does not exit with 0."""
    return main(["verify", run_id, "-w", str(root), "--json"]) in {4, 5}


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_of_a_run_is_found(copy, name):
    root, run = copy
    (run / name).unlink()
    assert audit_or_error(root, run.name)


@pytest.mark.parametrize("share", [0.0, 0.37, 1.0])
@pytest.mark.parametrize("where", ["routing_decisions.jsonl", "routing_config.json", "newest", "first"])
def test_a_changed_byte_of_log_config_or_generations_is_found(copy, where, share):
    root, run = copy
    stored = sorted((root / "generations").iterdir())
    path = {"newest": stored[-1], "first": stored[0]}.get(where, root / where)
    flip(path, share)
    assert audit_or_error(root, run.name)


@pytest.mark.parametrize(
    ("name", "old", "new", "step"),
    [
        ("journal.jsonl", '"outcome":"wrong"', '"outcome":"pass"', "table"),
        ("decisions.json", '"verdict": "pass"', '"verdict": "fail"', "decisions"),
        ("decisions.json", '"verdict": "HOLD"', '"verdict": "PROMOTE"', "decisions"),
        (
            "report.html",
            '<data value="better" data-fact="serves',
            '<data value="worse" data-fact="serves',
            "report",
        ),
        ("report.html", "Atomic is now served by better</h1>", "All is well</h1>", "report"),
        ("report.html", 'data-fact="samples">', 'data-fact="samples">1', "report"),
    ],
)
def test_a_forger_who_writes_all_hashes_anew_is_found_by_the_content(copy, name, old, new, step):
    root, run = copy
    edit(run / name, old, new)
    reseal(run)
    assert {step} <= {found.name for found in audit(root, run.name).steps if found.problems}


def test_a_number_that_the_samples_do_not_give_is_found(copy):
    root, run = copy
    summary = json.loads((run / "summary.json").read_text())
    effect = summary["comparisons"][0]["effect"]
    said = effect["value"]
    effect["value"] += 0.01
    (run / "summary.json").write_text(json.dumps(summary))
    reseal(run)
    problems = audit(root, run.name).problems
    assert [
        f"effect, value is {said + 0.01}, the samples give {said}" in problem for problem in problems
    ] == [True]


def test_a_credited_gain_that_was_not_measured_is_found(copy):
    root, run = copy
    verified = json.loads((run / "verification.json").read_text())
    verified["verifications"][0]["effect"]["value"] = 0.99
    (run / "verification.json").write_text(json.dumps(verified))
    reseal(run)
    assert any("is credited with 0.99, not measured" in problem for problem in audit(root, run.name).problems)


def test_a_report_is_verified_by_its_path_also_as_a_copy(copy, tmp_path, capsys):
    root, run = copy
    assert 0 == main(["verify", str(run / "report.html")])
    sent = tmp_path / "sent.html"
    shutil.copy(run / "report.html", sent)
    assert 0 == main(["verify", str(sent), "-w", str(root)])
    edit(sent, "points", "Points")
    assert 5 == main(["verify", str(sent), "-w", str(root)])
    assert "sent.html: differs from report.html in the run's folder" in capsys.readouterr().out


def test_an_unfinished_cycle_verifies_nothing_and_says_how_to_go_on(copy, capsys):
    root, run = copy
    edit(run / "manifest.json", '"status": "done"', '"status": "failed"')
    assert 5 == main(["verify", run.name, "-w", str(root)])
    assert f"go on with it: harness cycle --resume {run.name}" in capsys.readouterr().out


def test_what_is_no_report_is_refused_with_a_sentence(copy, tmp_path, capsys):
    root, _ = copy
    (tmp_path / "other.html").write_text("<html></html>")
    assert 2 == main(["verify", str(tmp_path / "other.html"), "-w", str(root)])
    assert 2 == main(["verify", str(tmp_path / "none.html"), "-w", str(root)])
    assert 4 == main(["verify", "20260101T000000Z-cycle-0000", "-w", str(root)])
    assert "Traceback" not in capsys.readouterr().err


def test_rendering_again_does_not_hide_what_was_changed_meanwhile(copy):
    root, run = copy
    edit(run / "stdout.log", "said", "sad")
    assert 0 == main(["report", run.name, "-w", str(root)])
    assert "stdout.log: was changed" in " ".join(audit(root, run.name).problems)


def test_rendering_again_changes_no_byte(copy):
    root, run = copy
    before = {name: (run / name).read_bytes() for name in NAMES}
    assert 0 == main(["report", run.name, "-w", str(root)])
    assert before == {name: (run / name).read_bytes() for name in NAMES}


def test_what_models_answered_is_text_on_the_page(whole):
    root, run_id = whole
    page = (root / "runs" / run_id / "report.html").read_text("utf-8")
    journal = (root / "runs" / run_id / "journal.jsonl").read_text("utf-8")
    assert "<script>" in journal
    assert "<script" not in page
    assert "<img" not in page
