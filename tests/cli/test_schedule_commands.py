"""What schedulers get: units that systemd accepts, a quiet crontab, a DAG that retries the right codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pytest

from harnesslib.cli import main
from harnesslib.cli.scheduling import Scheduled
from harnesslib.lock_manager import LockManager
from harnesslib.schedules import RETRIED, crontab_line, schedule, systemd_units

ROOT = Path(__file__).resolve().parents[2]
SMALL = """
version = 1
[endpoints.demo]
simulator = "simulated_models.toml"
[phases.atomic]
suite = "atomic-quick"
baseline = "steady"
[[models]]
id = "steady"
endpoint = "demo"
[[models]]
id = "eager"
endpoint = "demo"
[cycle]


"""


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Path:
    root = tmp_path / "it's 100% mine"
    assert 0 == main(["init", "--demo", str(root)])
    (root / "harness.toml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    return root


def files(capsys, *arguments: str) -> dict[str, str]:
    capsys.readouterr()
    assert 0 == main(["schedule", *arguments, "--json"])
    return json.loads(capsys.readouterr().out)["files"]


def test_the_units_hold_what_a_stop_and_a_busy_workspace_need(workspace, capsys):
    units = files(
        capsys, "systemd", "-w", str(workspace), "--at", "4:05", "--timeout", "600", "--name", "nightly"
    )
    service, timer = units["nightly.service"], units["nightly.timer"]
    for line in ("KillMode=mixed", "SuccessExitStatus=75", "TimeoutStartSec=720"):
        assert line in service.splitlines()
    assert "OnCalendar=*-*-* 04:05:00" in timer.splitlines()
    assert "100%% mine" in service


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_finds_nothing_wrong_with_the_units(workspace, tmp_path, capsys):
    folder, runtime = tmp_path / "units", tmp_path / "runtime"
    folder.mkdir()
    runtime.mkdir(mode=0o700)
    for name, text in files(capsys, "systemd", "-w", str(workspace)).items():
        (folder / name).write_text(text)
    command = ["systemd-analyze", "--user", "verify", *map(str, sorted(folder.iterdir()))]
    done = subprocess.run(
        command,
        env=os.environ | {"XDG_RUNTIME_DIR": str(runtime)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)


def run_as_cron_does(line: str) -> subprocess.CompletedProcess[str]:
    """Give the command to sh in an empty environment, percent signs as cron reads them."""
    command = line.split(" ", 5)[5].replace("\\%", "%")
    bare = ["env", "-i", f"HOME={os.environ['HOME']}", f"PYTHONPATH={ROOT}", "/bin/sh", "-c", command]
    return subprocess.run(bare, cwd="/", capture_output=True, text=True, check=False)


@pytest.mark.timeout(180)
def test_a_line_of_crontab_is_silent_unless_something_failed(workspace, capsys):
    line = files(capsys, "cron", "-w", str(workspace))["crontab"].rstrip("\n")
    assert line.startswith("0 3 * * * ")
    assert "\n" not in line
    with LockManager(workspace / ".locks", command="harness cycle").hold("cycle", wait_s=1.0):
        busy = run_as_cron_does(line)
    assert (0, "", "") == (busy.returncode, busy.stdout, busy.stderr)
    done = run_as_cron_does(line)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
    assert 1 == len(list(workspace.glob("runs/*/outcome.json")))
    (workspace / "harness.toml").write_text("nonsense")
    failed = run_as_cron_does(line)
    assert 2 == failed.returncode
    assert "harness.toml" in failed.stdout


def test_every_percent_sign_of_the_line_is_escaped():
    line = crontab_line(schedule("x", "/usr/bin/python3", "/srv/100% mine", "3:00", 0))
    assert line.count("%") == line.count("\\%") == 1


class Bash:
    """Airflow's operator as far as a cycle needs it."""

    def __init__(self, *, bash_command: str, **settings):
        self.bash_command, self.settings = bash_command, settings

    def execute(self, context):
        done = subprocess.run(["/bin/sh", "-c", self.bash_command], capture_output=True, check=False)
        if done.returncode:
            raise sys.modules["airflow.exceptions"].AirflowException(
                f"Bash command failed. The command returned a non-zero exit code {done.returncode}."
            )


@pytest.fixture
def airflow(monkeypatch):
    """Stand in for the parts of Airflow that a DAG names, with its own words for a failed command."""

    class Dag:
        def __init__(self, **settings):
            self.settings = settings

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    retried = type("AirflowException", (Exception,), {})
    parts = {
        "airflow": {"DAG": Dag},
        "airflow.exceptions": {
            "AirflowException": retried,
            "AirflowFailException": type("AirflowFailException", (retried,), {}),
        },
        "airflow.operators": {},
        "airflow.operators.bash": {"BashOperator": Bash},
    }
    for name, members in parts.items():
        module = types.ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "airflow.providers", None)
    return sys.modules["airflow.exceptions"]


def loaded(source: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(source, "dag.py", "exec"), names)  # noqa: S102 - what was just written
    return names


def test_the_dag_runs_the_cycle_once_at_a_time_every_day(workspace, capsys, airflow):
    dag = files(capsys, "airflow", "-w", str(workspace), "--name", "nightly", "--at", "2:30")["nightly.py"]
    names = loaded(dag)
    assert ("nightly", "30 2 * * *", False, 1) == tuple(
        names["dag"].settings[key] for key in ("dag_id", "schedule", "catchup", "max_active_runs")
    )
    assert str(workspace).replace("'", "'\"'\"'") in names["COMMAND"]


@pytest.mark.parametrize("code", [2, 3, 4, 5, 6, 7, 8, 70, 75, 124, 138])
def test_the_dag_retries_only_what_another_try_can_help(workspace, capsys, airflow, code):
    names = loaded(next(iter(files(capsys, "airflow", "-w", str(workspace)).values())))
    operator = names["CycleOperator"](task_id="cycle", bash_command=f"exit {code}")
    with pytest.raises(airflow.AirflowException) as caught:
        operator.execute({})
    assert (code in RETRIED) == (type(caught.value) is airflow.AirflowException)


def test_the_dag_lets_success_be(workspace, capsys, airflow):
    names = loaded(next(iter(files(capsys, "airflow", "-w", str(workspace)).values())))
    assert names["CycleOperator"](task_id="cycle", bash_command="true").execute({}) is None


def test_the_notebook_has_text_parameters_and_needs_no_folder(workspace, capsys):
    [text] = files(capsys, "jupyter", "-w", str(workspace)).values()
    [parameters] = [
        "".join(cell["source"])
        for cell in json.loads(text)["cells"]
        if "parameters" in cell["metadata"].get("tags", ())
    ]
    values = loaded(parameters)
    assert (str(workspace), "") == (values["workspace"], values["run_id"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["systemd", "--at", "25:00"], "--at 25:00: expected a time like 03:00"),
        (["cron", "--name", "a b"], "--name a b: expected letters"),
        (["airflow", "--name", "../x"], "--name ../x: expected letters"),
    ],
)
def test_what_can_not_be_scheduled_is_refused(workspace, capsys, arguments, said):
    assert 2 == main(["schedule", *arguments, "-w", str(workspace)])
    assert said in capsys.readouterr().err


def tool(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_installed_units_lie_where_systemd_looks_and_the_timer_is_started(
    workspace, tmp_path, monkeypatch, capsys
):
    tool(tmp_path, "systemctl", f'echo "$@" >> {tmp_path}/asked')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    capsys.readouterr()
    assert 0 == main(
        ["schedule", "systemd", "--install", "--name", "nightly", "-w", str(workspace), "--json"]
    )
    made = Scheduled(**json.loads(capsys.readouterr().out))
    assert list(made.files.values()) == [Path(path).read_text() for path in made.installed]
    asked = (tmp_path / "asked").read_text().splitlines()
    assert ["--user daemon-reload", "--user enable --now nightly.timer"] == asked


def test_a_line_is_installed_once_and_others_stay(workspace, tmp_path, monkeypatch, capsys):
    table = tmp_path / "table"
    table.write_text("5 5 * * * true # other\n")
    tool(
        tmp_path, "crontab", f'[ "$1" = -l ] && exec cat {table}; cat > {table}.new && mv {table}.new {table}'
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for at in ("3:00", "4:00"):
        assert 0 == main(
            ["schedule", "cron", "--install", "--name", "nightly", "--at", at, "-w", str(workspace)]
        )
    lines = table.read_text().splitlines()
    assert "5 5 * * * true # other" == lines[0]
    assert [line[:5] for line in lines[1:]] == ["0 4 *"]


@pytest.mark.parametrize("script", ["echo no bus >&2; exit 1", None])
def test_a_scheduler_that_refuses_is_one_sentence_with_a_cure(
    workspace, tmp_path, monkeypatch, capsys, script
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PATH", str(tmp_path))
    if script:
        tool(tmp_path, "systemctl", script)
    assert 2 == main(["schedule", "systemd", "--install", "-w", str(workspace)])
    said = capsys.readouterr().err
    assert "by hand" in said
    assert ("no bus" in said) == bool(script)


def test_no_dollar_of_a_path_is_taken_for_a_variable():
    made = systemd_units(schedule("x", "/usr/bin/python3", '/srv/$HOME "x"', "3:00", 0))
    assert '"/srv/$$HOME \\"x\\""' in made["x.service"]
