"""Where another benchmark judges a run's samples differently, it is said, with the rule."""

from __future__ import annotations

import json

import pytest

from harnesslib.cli import main
from harnesslib.records import Call, Sample
from harnesslib.testing import EPOCH
from harnesslib.workspace import Workspace

BELL = {
    "name": "ring",
    "description": "Ring.",
    "parameters": {"type": "dict", "properties": {}, "required": []},
}


def sample(case_id: str, run_id: str, outcome: str, turns=()) -> Sample:
    return Sample(
        run_id=run_id,
        stage="run",
        spec_id="s",
        model="m",
        requested_model="m",
        served_model="m",
        phase="p",
        case_id=case_id,
        skill="irrelevance",
        wants_call=False,
        repeat=0,
        seed=1,
        position=0,
        started_at=EPOCH,
        outcome=outcome,
        detail="call 1: the arguments are not JSON",
        turns=turns,
        latency_s=0.1,
    )


@pytest.fixture
def place(tmp_path):
    assert main(["init", "--demo", str(tmp_path)]) == 0
    rows = [
        {
            "id": f"irrelevance_{n}",
            "question": [[{"role": "user", "content": f"Say {n}."}]],
            "function": [BELL],
        }
        for n in (0, 1)
    ]
    file = tmp_path / "BFCL_v4_irrelevance.json"
    file.write_text("\n".join(map(json.dumps, rows)))
    with Workspace(tmp_path) as workspace:
        yield workspace, file


def test_a_broken_call_that_earns_credit_for_restraint_there_is_named(place, capsys):
    workspace, file = place
    manifest = workspace.new_manifest("run", {})
    workspace.runs.create(manifest)
    with workspace.runs.journal(manifest.run_id) as journal:
        journal.append(sample("irrelevance_0", manifest.run_id, "malformed", ((),)))
        journal.append(
            sample("irrelevance_1", manifest.run_id, "overcalled", ((Call(name="ring", arguments={}),),))
        )
    capsys.readouterr()
    where = ["suite", "explain", "bfcl", str(file), manifest.run_id, "-w", str(workspace.root)]
    assert main([*where, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["case"], one["rule"]) for one in found] == [("irrelevance_0", "malformed")]
    assert main(where) == 0
    assert "2 samples, 1 differences" in capsys.readouterr().out


def test_a_run_on_something_else_is_refused(place, capsys):
    workspace, file = place
    manifest = workspace.new_manifest("run", {})
    workspace.runs.create(manifest)
    assert main(["suite", "explain", "bfcl", str(file), manifest.run_id, "-w", str(workspace.root)]) == 2
    assert "holds no sample" in capsys.readouterr().err
