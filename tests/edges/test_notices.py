"""Hooks: each is told once, sees no secret that it wasn't given, and can neither harm nor hold up a cycle."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import msgspec
import pytest

from harnesslib.errors import EndpointError, InputError
from harnesslib.harness_file import parse
from harnesslib.notices import tell_ended, tell_failed
from harnesslib.records import CycleOutcome
from harnesslib.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
WRITES = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write(sys.stdin.read())"


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    path = ROOT / "tests" / "workspace_fixture.py"
    spec = importlib.util.spec_from_file_location("workspace_fixture", path)
    fixture = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixture)
    return fixture.changed_workspace(tmp_path_factory.mktemp("workspace") / "demo")


@pytest.fixture
def place(template, tmp_path):
    import shutil

    root = tmp_path / "demo"
    shutil.copytree(template, root)
    with Workspace(root) as opened:
        yield opened


def hook(place: Workspace, *command: str, events: str = '["promoted"]', more: str = "") -> None:
    file = place.root / "harness.toml"
    written = f"\n[[on_event]]\nevents = {events}\ncommand = {json.dumps(command)}\n{more}\n"
    file.write_text(file.read_text() + written)


def python(code: str) -> tuple[str, str, str]:
    return (sys.executable, "-c", code)


def outcome(place: Workspace, **changes) -> CycleOutcome:
    run_id = place.runs.latest(kind="cycle").run_id
    return msgspec.structs.replace(place.runs.load(run_id, "outcome", CycleOutcome), **changes)


def told(place: Workspace) -> list[dict[str, object]]:
    file = place.root / "told.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def said(place: Workspace) -> list[str]:
    events, _ = place.runs.read_events(outcome(place).run_id)
    return [event.message for event in events if event.state == "hook"]


@pytest.mark.parametrize(
    ("status", "events"),
    [
        ("promoted", ["promoted"]),
        ("partly_kept", ["promoted", "rolled_back"]),
        ("rolled_back", ["rolled_back"]),
        ("unchanged", ["held"]),
        ("undecided", ["held"]),
    ],
)
def test_how_a_cycle_ended_is_told_as_json(place, status, events):
    hook(place, *python(WRITES), "told.jsonl", events='["promoted", "rolled_back", "held"]')
    assert () == tell_ended(place, outcome(place, status=status), Path("/x/report.html"))
    assert events == [each["event"] for each in told(place)]
    assert {("sprinter", 3, "/x/report.html")} == {
        (each["baselines"]["atomic"], each["generation"], each["report"]) for each in told(place)
    }


def test_a_failure_is_told_with_its_exit_code(place):
    hook(place, *python(WRITES), "told.jsonl", events='["failed"]')
    assert () == tell_failed(place, outcome(place).run_id, EndpointError("it is gone"), None)
    assert [("failed", "it is gone", 6)] == [
        (each["event"], each["headline"], each["exit_code"]) for each in told(place)
    ]


def test_who_asked_for_other_events_hears_nothing(place):
    hook(place, *python(WRITES), "told.jsonl", events='["drift", "failed"]')
    assert () == tell_ended(place, outcome(place), None)
    assert [] == told(place)


@pytest.mark.parametrize(
    ("command", "more", "problem"),
    [
        (python("raise SystemExit(3)"), "", "ended with exit code 3"),
        (("no-such-program-anywhere",), "", "can't be started"),
        (python("import time; time.sleep(600)"), "timeout_s = 0.3", "took longer than its 0.3 s"),
        (python("import os, signal; os.kill(0, signal.SIGKILL)"), "", "was ended by SIGKILL"),
    ],
    ids=["fails", "missing", "hangs", "kills its group"],
)
def test_a_hook_that_goes_wrong_is_noted_and_harms_nothing(place, command, more, problem):
    hook(place, *command, more=more)
    hook(place, *python(WRITES), "told.jsonl")
    problems = tell_ended(place, outcome(place, status="promoted"), None)
    assert problem in problems[0]
    assert problem in said(place)[0]
    assert 1 == len(problems) == len(told(place))
    assert () == place.runs.check(outcome(place).run_id)


def test_a_hook_sees_the_variables_that_are_named_and_no_other_secret(place, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hidden")
    monkeypatch.setenv("CHAT_TOKEN", "given")
    code = "import os, json, pathlib; pathlib.Path('env.json').write_text(json.dumps(dict(os.environ)))"
    hook(place, *python(code), more='env = ["CHAT_TOKEN"]')
    assert () == tell_ended(place, outcome(place, status="promoted"), None)
    seen = json.loads((place.root / "env.json").read_text())
    assert "given" == seen["CHAT_TOKEN"]
    assert "OPENAI_API_KEY" not in seen


def test_what_a_hook_says_reaches_no_file(place):
    hook(place, *python("import sys; print('sk-secret'); sys.exit('sk-secret')"))
    problems = tell_ended(place, outcome(place, status="promoted"), None)
    assert "sk-secret" not in " ".join([*problems, *said(place)])


def test_no_shell_reads_the_command(place):
    hook(place, *python(WRITES), "told.jsonl; touch owned")
    tell_ended(place, outcome(place, status="promoted"), None)
    assert not (place.root / "owned").exists()
    assert (place.root / "told.jsonl; touch owned").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('events = []\ncommand = ["x"]', "on_event[0].events: got nothing"),
        ('events = ["exploded"]\ncommand = ["x"]', "exploded"),
        ('events = ["held"]\ncommand = []', "on_event[0].command: expected a program"),
        ('events = ["held"]\ncommand = ["x"]\ntimeout_s = 0.0', "on_event[0].timeout_s: got 0.0"),
        ('events = ["held"]\ncommand = ["x"]\nenv = ["A=secret"]', "on_event[0].env: expected names"),
        ('events = ["held"]\ncommand = "x"', "on_event[0].command"),
    ],
)
def test_a_hook_that_can_not_be_is_refused_when_the_file_is_read(place, text, said):
    file = (place.root / "harness.toml").read_text() + f"\n[[on_event]]\n{text}\n"
    with pytest.raises(InputError) as caught:
        parse(file.encode(), "harness.toml")
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
