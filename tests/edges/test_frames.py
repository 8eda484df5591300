"""Frames of a workspace: their columns are those of the docs, and nothing damaged is passed over."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

import harnesslib as hl
from harnesslib.errors import DataError, InputError
from harnesslib.frames import columns
from harnesslib.records import Sample, encode
from harnesslib.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
LOADERS = {
    "samples": hl.load_samples,
    "runs": hl.load_runs,
    "cycles": hl.load_cycles,
    "decisions": hl.load_decisions,
    "gates": hl.load_gates,
}
EXAMPLE = hl.find_runs("example")


@pytest.fixture
def place(tmp_path):
    """Copy the example, so that it can be damaged."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "place"))


def documented() -> dict[str, dict[str, str]]:
    """Return frame -> column -> dtype, as docs/frames.md says."""
    text = (ROOT / "docs" / "frames.md").read_text("utf-8")
    parts = re.split(r"^## `load_(\w+)\(", text, flags=re.MULTILINE)
    bodies = {name: body.partition("\n## ")[0] for name, body in zip(parts[1::2], parts[2::2], strict=True)}
    rows = {name: re.findall(r"^\| `(\w+)` \| (.+?) \|", body, re.MULTILINE) for name, body in bodies.items()}
    return {name: dict(found) for name, found in rows.items()}


@pytest.mark.parametrize("name", LOADERS)
def test_the_docs_name_every_column_of_a_frame_in_its_order_with_its_type(name):
    frame = LOADERS[name](EXAMPLE)
    assert documented()[name] == {column: str(dtype) for column, dtype in frame.dtypes.items()}
    assert list(documented()[name]) == list(frame.columns)
    assert len(frame)


@pytest.mark.parametrize("name", LOADERS)
def test_a_workspace_without_runs_gives_the_same_columns_and_no_row(name, place):
    shutil.rmtree(place / "runs")
    frame = LOADERS[name](place)
    assert (0, dict(LOADERS[name](EXAMPLE).dtypes)) == (len(frame), dict(frame.dtypes))


@pytest.mark.parametrize("name", LOADERS)
def test_a_folder_that_is_no_workspace_is_said(name, tmp_path):
    with pytest.raises(InputError, match=r"no harness\.toml here"):
        LOADERS[name](tmp_path)


def test_samples_are_those_of_the_record_and_their_means_are_the_accuracies():
    frame = hl.load_samples(EXAMPLE)
    assert [*Sample.__struct_fields__, "served", "skilled"] == list(frame.columns)
    assert (frame["served"] == 1).sum() == (frame["outcome"] == "pass").sum()
    assert frame["served"].isna().equals(frame["outcome"] == "infra_error")


def test_samples_can_be_chosen():
    frame = hl.load_samples(EXAMPLE, "last", phase="atomic", model="sprinter", stage="run")
    assert {("atomic", "sprinter", "run")} == set(
        zip(frame["phase"], frame["model"], frame["stage"], strict=True)
    )
    assert 1 == frame["run_id"].nunique()
    assert hl.load_samples(EXAMPLE, model="nobody").empty


def test_a_run_that_does_not_exist_is_named():
    with pytest.raises(InputError, match=r"run 'nothing': not in .*; it holds: 2"):
        hl.load_samples(EXAMPLE, "nothing")


def test_an_open_run_is_read_from_its_journal(place):
    with Workspace(place) as workspace:
        manifest = workspace.new_manifest("run", {})
        workspace.runs.create(manifest)
        one = sample(manifest.run_id)
        (workspace.runs.path(manifest.run_id) / "journal.jsonl").write_bytes(encode(one) + b'\n{"torn')
    found = hl.load_samples(place, manifest.run_id, model="m")
    assert [(manifest.run_id, "c", 1.0)] == list(
        zip(found["run_id"], found["case_id"], found["served"], strict=True)
    )
    assert len(hl.load_samples(place)) == 1 + len(hl.load_samples(EXAMPLE))
    assert hl.load_samples(place, manifest.run_id, model="other").empty


def sample(run_id: str) -> Sample:
    known = {
        "stage": "run",
        "spec_id": "m/p/1",
        "phase": "p",
        "skill": "s",
        "detail": "",
        **dict.fromkeys(("model", "requested_model", "served_model"), "m"),
        **dict.fromkeys(("repeat", "seed", "position"), 0),
    }
    now = datetime(2026, 1, 2, tzinfo=UTC)
    return Sample(run_id=run_id, case_id="c", wants_call=True, started_at=now, outcome="pass", **known)


@pytest.mark.parametrize("file", ["samples.parquet", "decisions.json"])
@pytest.mark.parametrize("name", ["samples", "cycles", "decisions", "gates"])
def test_a_changed_byte_is_an_error_that_names_run_and_file(name, file, place):
    run = cycle_of(place)
    data = bytearray((run / file).read_bytes())
    data[len(data) // 2] ^= 1
    (run / file).write_bytes(data)
    with pytest.raises(DataError, match=rf"run '{run.name}' is damaged: {file}: was changed"):
        LOADERS[name](place)


@pytest.mark.parametrize("name", ["samples", "cycles", "decisions", "gates"])
def test_a_damaged_run_can_be_left_out_and_is_named(name, place):
    run = cycle_of(place)
    (run / "manifest.json").write_text("{")
    frame = LOADERS[name](place, damaged="leave_out")
    assert [run.name] == list(frame.attrs["left_out"])
    assert run.name not in set(frame["run_id"])
    assert len(frame)


def test_what_becomes_of_damage_must_be_one_of_two_words():
    with pytest.raises(InputError, match="expected 'raise' or 'leave_out'"):
        hl.load_cycles(EXAMPLE, damaged="leave")


def test_a_damaged_manifest_does_not_hide_the_other_runs(place):
    (cycle_of(place) / "manifest.json").write_text("{")
    assert "place: 4 finished cycles and 1 finished run." == repr(hl.find_runs(place))


def test_the_cycles_after_a_damaged_one_keep_their_numbers(place):
    (cycle_of(place) / "manifest.json").write_text("{")
    assert [2, 3, 4, 5] == list(hl.load_cycles(place, damaged="leave_out")["cycle"])


def test_the_list_of_runs_says_what_is_wrong_with_each(place):
    run = cycle_of(place)
    (run / "summary.json").write_text("{}")
    frame = hl.load_runs(place).set_index("run_id")
    assert frame.loc[run.name, "problem"].startswith("summary.json: was changed")
    assert {""} == set(frame["problem"].drop(run.name))


def cycle_of(place: Path) -> Path:
    return min(place.glob("runs/*-cycle-*"))


def test_a_table_of_an_older_version_gets_the_defaults_of_the_record(place, tmp_path):
    import duckdb

    from harnesslib.sample_table import read_tables

    old, new = tmp_path / "old.parquet", next(place.glob("runs/*-run-*/samples.parquet"))
    duckdb.read_parquet(str(new)).project("* EXCLUDE (level, idle_s)").write_parquet(str(old))
    frame = read_tables([old, new])
    half = len(frame) // 2
    assert {0} == set(frame["level"][:half])
    assert {0} != set(frame["level"][half:])
    assert frame["idle_s"][:half].isna().all()
    assert "int64" == str(frame["level"].dtype)


def test_a_cycle_row_holds_the_baseline_as_the_summary_says():
    frame = hl.load_cycles(EXAMPLE)
    assert [1, 2, 3, 4, 5] == list(frame["cycle"])
    first = frame.iloc[0]
    assert ("steady", "sprinter", "promoted") == (
        first["baseline_model"],
        first["served_by"],
        first["outcome"],
    )
    assert first["baseline_low"] < first["baseline_accuracy"] < first["baseline_high"]


def test_a_decision_row_says_what_became_of_it():
    frame = hl.load_decisions(EXAMPLE)
    promoted = frame[frame["verdict"] == "PROMOTE"]
    assert len(promoted)
    assert {"kept", None} == set(promoted["proof"]), "one was held back, for what served had moved"
    assert promoted["credited"].notna().equals(promoted["proof"].notna())
    assert frame[frame["verdict"] != "PROMOTE"]["credited"].isna().all()
    assert (frame["gates_passed"] + frame["gates_failed"] + frame["gates_unknown"]).equals(frame["gates"])
    assert len(hl.load_gates(EXAMPLE)) == frame["gates"].sum()


def test_every_frame_has_its_columns_written_down():
    assert set(LOADERS) == set(columns.FRAMES)


def test_an_empty_folder_shows_the_example_and_says_so(tmp_path):
    found = hl.find_runs(tmp_path)
    assert found.is_example
    assert repr(found).startswith(
        "This folder holds no finished run yet, so this is the example: 5 finished cycles"
    )
    assert "<p>This folder" in found._repr_html_()


def test_a_folder_with_runs_is_taken_from_inside_too(place):
    found = hl.find_runs(place / "generations")
    assert (place, False, "place: 5 finished cycles and 1 finished run.") == (
        found.root,
        found.is_example,
        repr(found),
    )


def test_a_folder_that_is_not_there_is_an_error():
    with pytest.raises(InputError, match="no such folder"):
        hl.find_runs("/nowhere/at/all")
