"""Results of other tools: unknown stays unknown, a bad archive is refused, and nothing is kept twice."""

from __future__ import annotations

import json
import struct
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from harnesslib.cli import main
from harnesslib.errors import DataError, InputError
from harnesslib.imports import archive
from harnesslib.imports.store import ImportedResults, files_of
from harnesslib.workspace import Workspace

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LOG = {
    "version": 2,
    "status": "success",
    "eval": {
        "created": "2026-02-03T04:05:06+00:00",
        "task": "tools",
        "model": "ollama/small",
        "packages": {"inspect_ai": "0.3.285"},
    },
    "results": {
        "completed_samples": 40,
        "scores": [
            {
                "name": "match",
                "metrics": {
                    "accuracy": {"name": "accuracy", "value": 0.75},
                    "stderr": {"name": "stderr", "value": 0.07},
                    "spread": {"name": "spread", "value": float("nan")},
                },
            }
        ],
    },
}
RESULTS = {
    "results": {
        "gsm8k": {
            "alias": "gsm8k",
            "exact_match,strict-match": 0.5,
            "exact_match_stderr,strict-match": 0.01,
            "exact_match,flexible-extract": "N/A",
            "exact_match_stderr,flexible-extract": "N/A",
        },
        "all": {"acc,none": 0.25, "acc_stderr,none": "N/A"},
    },
    "configs": {},
    "n-samples": {"gsm8k": {"original": 1319, "effective": 100}},
    "config": {"model_args": "pretrained=tiny"},
    "model_name": "tiny",
    "lm_eval_version": "0.4.9",
    "date": 1770000000.5,
}


@pytest.fixture
def store(tmp_path) -> ImportedResults:
    return ImportedResults(tmp_path / "imported")


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def zstd_zip(path: Path, name: str, text: str, *, says: int | None = None) -> Path:
    """Write a zip with one member that is packed with zstd, as Inspect writes them."""
    packed = path.with_suffix(".zst")
    options = "(FORMAT csv, COMPRESSION zstd, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01')"
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE lines AS SELECT unnest(?::VARCHAR[]) AS line", [text.split("\n")])
        connection.execute(f"COPY lines TO '{packed}' {options}")
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(name, packed.read_bytes())
    data = bytearray(path.read_bytes())
    for signature, method, size in ((b"PK\x03\x04", 8, 22), (b"PK\x01\x02", 10, 24)):
        start = data.index(signature)
        struct.pack_into("<H", data, start + method, 93)
        struct.pack_into("<I", data, start + size, len(text) if says is None else says)
    path.write_bytes(data)
    return path


def values(file) -> dict[str, tuple[object, ...]]:
    return {f"{row.task} {row.metric}": (row.value, row.standard_error, row.samples) for row in file.rows}


def test_a_log_of_inspect_keeps_its_error_and_leaves_nan_unknown(store, tmp_path):
    file = store.add("inspect", written(tmp_path, "log.json", LOG), now=NOW)
    assert {
        "tools match/accuracy": (0.75, 0.07, 40),
        "tools match/spread": (None, 0.07, 40),
    } == values(file)
    assert ("0.3.285", datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)) == (file.tool_version, file.measured_at)
    assert "the file says 'nan'" == file.rows[1].reason


@pytest.mark.parametrize("indent", [None, 2])
def test_an_archive_packed_with_zstd_says_the_same_as_the_plain_log(store, tmp_path, indent):
    packed = zstd_zip(tmp_path / "log.eval", "header.json", json.dumps(LOG, indent=indent))
    plain = store.add("inspect", written(tmp_path, "log.json", LOG), now=NOW)
    assert plain.rows == store.add("inspect", packed, now=NOW).rows


def test_an_archive_packed_with_deflate_is_read_too(store, tmp_path):
    with zipfile.ZipFile(tmp_path / "log.eval", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("header.json", json.dumps(LOG))
        made.writestr("samples/1_epoch_1.json", "{}")
    assert 2 == len(store.add("inspect", tmp_path / "log.eval", now=NOW).rows)


def test_results_of_lm_eval_keep_every_filter_and_leave_na_unknown(store, tmp_path):
    file = store.add("lm-eval", written(tmp_path, "results_1.json", RESULTS), now=NOW)
    assert {
        "gsm8k exact_match, strict-match": (0.5, 0.01, 100),
        "gsm8k exact_match, flexible-extract": (None, None, 100),
        "all acc": (0.25, None, None),
    } == values(file)
    assert {"tiny"} == {row.model for row in file.rows}


def test_the_same_content_is_kept_once(store, tmp_path):
    first = store.add("inspect", written(tmp_path, "a.json", LOG), now=NOW)
    again = store.add("inspect", written(tmp_path, "b.json", LOG), now=datetime(2027, 1, 1, tzinfo=UTC))
    assert first == again
    assert (first,) == store.files()


def test_the_oldest_measurement_stands_first(store, tmp_path):
    later = LOG | {"eval": LOG["eval"] | {"created": "2026-02-09T00:00:00"}}
    for name, log in (("later.json", later), ("earlier.json", LOG)):
        store.add("inspect", written(tmp_path, name, log), now=NOW)
    assert ["earlier.json", "later.json"] == [file.source for file in store.files()]


def hostile(folder: Path, kind: str) -> Path:
    path = folder / "bad.eval"
    if kind == "not finished":
        with zipfile.ZipFile(path, "w") as made:
            made.writestr("_journal/start.json", "{}")
    elif kind == "leads out":
        with zipfile.ZipFile(path, "w") as made:
            made.writestr("../../etc/passwd", "x")
            made.writestr("header.json", json.dumps(LOG))
    elif kind == "absolute":
        with zipfile.ZipFile(path, "w") as made:
            made.writestr("/etc/passwd", "x")
            made.writestr("header.json", json.dumps(LOG))
    elif kind == "too large":
        zstd_zip(path, "header.json", json.dumps(LOG), says=archive.LARGEST_BYTES + 1)
    elif kind == "torn":
        path.write_bytes(zstd_zip(path, "header.json", json.dumps(LOG)).read_bytes()[:-60])
    elif kind == "damaged":
        data = bytearray(zstd_zip(path, "header.json", json.dumps(LOG)).read_bytes())
        data[60:90] = bytes(30)
        path.write_bytes(data)
    else:
        path.write_text(kind)
    return path


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("not finished", "expected one"),
        ("leads out", "leads out"),
        ("absolute", "leads out"),
        ("too large", "at most 268 are read"),
        ("torn", "no readable zip"),
        ("damaged", "can't be unpacked"),
        ("{", "no JSON"),
        ("{}", "no log of Inspect AI"),
        ("[]", "no log of Inspect AI"),
        (json.dumps(LOG | {"results": None, "status": "started"}), "has no results (status 'started')"),
        (json.dumps(LOG | {"results": {"scores": "x"}}), "has no results"),
        ("[" * 100_000, "no JSON"),
    ],
    ids=lambda value: value[:20],
)
def test_what_is_no_finished_log_is_refused_and_nothing_is_kept(store, tmp_path, kind, said):
    path = hostile(tmp_path, kind)
    with pytest.raises(DataError, match="cure") as caught:
        store.add("inspect", path, now=NOW)
    assert said in str(caught.value)
    assert () == store.files()


def test_an_archive_that_unpacks_to_more_than_it_says_is_refused(store, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_BYTES", 100_000)
    path = zstd_zip(tmp_path / "bomb.eval", "header.json", "x" * 10_000_000, says=10)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="not as long as it says"):
        store.add("inspect", path, now=NOW)


def test_other_json_is_no_result_of_lm_eval(store, tmp_path):
    with pytest.raises(DataError, match="no results of lm-eval"):
        store.add("lm-eval", written(tmp_path, "results_1.json", {"results": {}}), now=NOW)


def test_a_folder_stands_for_what_looks_like_results_in_it(tmp_path):
    inside = tmp_path / "tiny"
    inside.mkdir()
    wanted = written(inside, "results_2026.json", RESULTS)
    written(inside, "samples_gsm8k.json", {})
    assert (wanted,) == files_of("lm-eval", tmp_path)
    with pytest.raises(InputError, match="no such file"):
        files_of("lm-eval", tmp_path / "nowhere")


def test_what_was_imported_is_listed_and_is_no_run_of_ours(tmp_path, capsys):
    assert 0 == main(["init", "--demo", str(tmp_path)])
    log = written(tmp_path, "log.json", LOG)
    assert 0 == main(["import", "inspect", str(log), "-w", str(tmp_path)])
    assert 0 == main(
        ["import", "lm-eval", str(written(tmp_path, "results_1.json", RESULTS)), "-w", str(tmp_path)]
    )
    capsys.readouterr()
    assert 0 == main(["import", "list", "-w", str(tmp_path)])
    said = capsys.readouterr().out
    assert "0.75 (se 0.07)" in said
    assert "n/a (the file says 'N/A')" in said
    with Workspace(tmp_path) as place:
        assert () == place.runs.manifests()
