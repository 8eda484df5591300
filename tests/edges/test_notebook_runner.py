"""Running a notebook: strict input, honest exits, and nothing left running, whoever kills what."""

from __future__ import annotations

import math
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from harnesslib.errors import InputError, NotebookError
from harnesslib.notebook_runner import end_processes, run_notebook
from harnesslib.notebook_runner.parameters import check, declared

RUN = f"20260102T030405Z-test-{os.getpid()}"
PARAMETERS = 'place: str = "."  # a folder\nnumber: int = 1\nshare: float | None = 0.5\nfree = 3'
CHILDREN = """
import os, pathlib, subprocess
folder = pathlib.Path(place)
marked = subprocess.Popen(["sleep", "600"], start_new_session=True)
bare = subprocess.Popen(["/bin/sh", "-c", "exec sleep 600"], start_new_session=True, env={})
folder.joinpath("pids").write_text(f"{os.getpid()} {marked.pid} {bare.pid}")
"""


def notebook(folder: Path, *cells: str) -> Path:
    made = [nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    made += [nbformat.v4.new_code_cell(source) for source in cells]
    foreign = {"kernelspec": {"name": "conda-foo", "display_name": "Not here", "language": "python"}}
    path = folder / "source.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata=foreign), path)
    return path


def run(
    folder: Path, *cells: str, timeout_s: float | None = 60.0, **parameters: Any
) -> nbformat.NotebookNode:
    source, output = notebook(folder, *cells), folder / "run" / "executed.ipynb"
    before = source.read_bytes()
    try:
        run_notebook(source, output, parameters, run_id=RUN, timeout_s=timeout_s, log_dir=folder / "run")
    finally:
        assert before == source.read_bytes()
    return nbformat.read(output, 4)


def failed(folder: Path, *cells: str, **options: Any) -> tuple[NotebookError, nbformat.NotebookNode]:
    with pytest.raises(NotebookError) as caught:
        run(folder, *cells, **options)
    return caught.value, nbformat.read(folder / "run" / "executed.ipynb", 4)


def gone(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def ended(pid: int) -> bool:
    """Wait for the end of a process that is not our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], 30)[0])
    finally:
        os.close(descriptor)


def statuses(executed: nbformat.NotebookNode) -> list[str]:
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    return [cell.metadata.papermill.status for cell in code]


def test_a_run_uses_this_interpreter_and_leaves_logs_but_no_process_behind(tmp_path):
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)]
    source = 'import sys\nprint(sys.executable, number, os.environ["HARNESS_RUN_ID"])\n'
    source += 'print("look", file=sys.stderr)'
    executed = run(tmp_path, CHILDREN, source, "number + 1", place=str(tmp_path), number=41)
    assert "42" == executed.cells[-1].outputs[0].data["text/plain"]
    assert f"{sys.executable} 41 {RUN}\n" == (tmp_path / "run" / "stdout.log").read_text()
    assert "look\n" == (tmp_path / "run" / "stderr.log").read_text()
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert [True, True, True] == [gone(pid) for pid in pids]
    assert handlers == [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)]
    assert ["executed.ipynb", "kernel.log", "stderr.log", "stdout.log"] == sorted(
        p.name for p in (tmp_path / "run").iterdir()
    )


def test_a_cell_error_is_exit_7_with_its_message_and_keeps_the_notebook(tmp_path):
    error, executed = failed(tmp_path, "kept = 1\nkept", "1 / 0", "never = 1")
    assert (7, "source.ipynb, cell 3: ZeroDivisionError: division by zero") == (error.exit_code, str(error))
    assert ["completed", "completed", "failed", "not run"] == statuses(executed)
    assert "1" == [c for c in executed.cells if c.cell_type == "code"][1].outputs[0].data["text/plain"]
    assert str(error) == executed.metadata.harness["problem"]


def test_an_error_of_ours_keeps_its_message_and_its_exit_code(tmp_path):
    source = (
        "from harnesslib.errors import LockedError\nraise LockedError(\"lock 'cycle' is held by pid 4120\")"
    )
    error, _ = failed(tmp_path, source)
    assert (75, "lock 'cycle' is held by pid 4120") == (error.exit_code, str(error))


def test_a_killed_kernel_is_exit_138_and_its_children_are_ended(tmp_path):
    dying = CHILDREN + "os.kill(os.getpid(), 9)"
    error, executed = failed(tmp_path, dying, "never = 1", place=str(tmp_path))
    assert 138 == error.exit_code
    assert ["completed", "completed", "stopped", "not run"] == statuses(executed)
    assert [True] * 3 == [gone(int(pid)) for pid in (tmp_path / "pids").read_text().split()]


def test_the_time_limit_of_the_run_is_exit_124(tmp_path):
    error, executed = failed(
        tmp_path, "import threading\nthreading.Event().wait()", "never = 1", timeout_s=2.5
    )
    assert (124, "the time limit of 2.5 s was reached") == (error.exit_code, str(error))
    assert "not run" == statuses(executed)[-1]
    assert 0.0 == signal.getitimer(signal.ITIMER_REAL)[0]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_stops_the_run_in_order(tmp_path, name):
    stop = f"import signal\nos.kill(os.getppid(), signal.{name})\nimport threading\nthreading.Event().wait()"
    error, _ = failed(tmp_path, CHILDREN + stop, "never = 1", place=str(tmp_path))
    assert (128 + signal.Signals[name], f"stopped by {name}") == (error.exit_code, str(error))
    assert [True] * 3 == [gone(int(pid)) for pid in (tmp_path / "pids").read_text().split()]


def test_a_signal_after_the_last_cell_does_not_spoil_the_notebook(tmp_path):
    late = "import atexit, os, signal\natexit.register(os.kill, os.getppid(), signal.SIGTERM)"
    error, executed = failed(tmp_path, late)
    assert 143 == error.exit_code
    assert {"completed"} == set(statuses(executed))
    assert "harness" not in executed.metadata


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_PDEATHSIG")
def test_a_runner_that_is_killed_takes_its_kernel_along_and_the_next_start_ends_the_rest(tmp_path):
    # the regular expression holds the GIL, so that the kernel can't notice anything by itself
    hold = "import signal, re\nos.kill(os.getppid(), signal.SIGKILL)\nre.match('(a+)+b', 'a' * 60)"
    source = notebook(tmp_path, CHILDREN + hold)
    program = (
        "import sys; from pathlib import Path; from harnesslib.notebook_runner import run_notebook; "
        "source, output, place, run = sys.argv[1:]; "
        "run_notebook(Path(source), Path(output), {'place': place}, run_id=run, timeout_s=None, "
        "log_dir=Path(place))"
    )
    command = [sys.executable, "-c", program, str(source), str(tmp_path / "out.ipynb"), str(tmp_path), RUN]
    assert -signal.SIGKILL == subprocess.run(command, check=False, timeout=60).returncode
    kernel, marked, bare = (int(pid) for pid in (tmp_path / "pids").read_text().split())
    assert ended(kernel)
    assert not gone(marked)
    end_processes(RUN, {psutil.Process(bare)})
    assert [True, True] == [gone(marked), gone(bare)]


def test_a_process_that_ignores_the_request_to_end_is_killed():
    marked = {**os.environ, "HARNESS_RUN_ID": f"{RUN}-deaf"}
    program = ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 600; done"]
    with subprocess.Popen(program, env=marked, stdout=subprocess.PIPE) as deaf:
        assert b"ready\n" == deaf.stdout.readline()
        assert end_processes(f"{RUN}-deaf") >= 1
        assert gone(deaf.pid)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"plcae": "x"}, "unknown; did you mean 'place'"),
        ({"anything": 1}, "It has: place, number, share, free"),
        ({"number": "1"}, "got '1', expected int"),
        ({"number": True}, "got True, expected int"),
        ({"place": None}, "expected str"),
        ({"share": math.nan}, "no JSON"),
        ({"free": [1, {"a": math.inf}]}, "no JSON"),
        ({"free": (1, 2)}, "got a tuple"),
        ({"free": Path("x")}, "which is no JSON"),
        ({"free": {1: 2}}, "must be strings"),
        ({"free": {"api_key": "x"}}, "looks like a secret"),
    ],
)
def test_a_parameter_that_can_not_be_used_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        check(Path("cycle.ipynb"), declared(PARAMETERS), given)


@pytest.mark.parametrize("name", ["token", "API_KEY", "apikey", "db_password", "client_secret"])
def test_a_parameter_that_looks_like_a_secret_is_refused(name):
    with pytest.raises(InputError, match="looks like a secret"):
        check(Path("cycle.ipynb"), {name: "str"}, {name: "x"})


@pytest.mark.parametrize(
    "given", [{"share": None}, {"share": 1}, {"number": 3}, {"free": {"a": [1, "b", None]}}]
)
def test_a_parameter_of_the_declared_type_is_accepted(given):
    check(Path("cycle.ipynb"), declared(PARAMETERS), given)


def test_nothing_is_started_or_written_for_wrong_parameters(tmp_path):
    with pytest.raises(InputError):
        run(tmp_path, "1", nmuber=3)
    assert not (tmp_path / "run").exists()


def test_paths_that_papermill_would_change_or_overwrite_are_refused(tmp_path):
    source = notebook(tmp_path, "1")
    (tmp_path / "link.ipynb").symlink_to(source)
    for output, message in (
        ("{run}.ipynb", "braces"),
        ("source.ipynb", "overwrite"),
        ("link.ipynb", "overwrite"),
    ):
        with pytest.raises(InputError, match=message):
            run_notebook(source, tmp_path / output, {}, run_id=RUN, timeout_s=None, log_dir=tmp_path)
    with pytest.raises(InputError, match="no such notebook"):
        run_notebook(
            tmp_path / "no.ipynb", tmp_path / "o.ipynb", {}, run_id=RUN, timeout_s=None, log_dir=tmp_path
        )


@pytest.mark.parametrize("content", ["", "{}", '{"cells": 3}', "[]"])
def test_what_is_no_notebook_is_refused(tmp_path, content):
    source = tmp_path / "source.ipynb"
    source.write_text(content)
    with pytest.raises(InputError, match="not a notebook"):
        run_notebook(source, tmp_path / "o.ipynb", {}, run_id=RUN, timeout_s=None, log_dir=tmp_path)
