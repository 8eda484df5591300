"""What runs a cycle every day: a systemd timer, a line of crontab, an Airflow DAG, a notebook. Texts only."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from harnesslib.errors import EXIT_ENDPOINT, EXIT_LOCKED, InputError
from harnesslib.records.base import Record

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_STOP_S = 60
_MARGIN_S = 120
RETRIED = (EXIT_ENDPOINT, EXIT_LOCKED, 124, 130, 138, 143)
"""Exit codes after which the same command may succeed later: endpoint, lock, time limit, kernel, stop."""


class Schedule(Record):
    """A cycle of a workspace, every day at a time. `limit_s` = 0 sets no time limit."""

    name: str
    python: str
    workspace: str
    hour: int
    minute: int
    limit_s: int = 0

    @property
    def command(self) -> tuple[str, ...]:
        """The program and its arguments; nothing in it depends on the folder or the path."""
        limit = ("--timeout", str(self.limit_s)) if self.limit_s else ()
        return (self.python, "-P", "-m", "harnesslib", "cycle", "--quiet", *limit, "-w", self.workspace)


def schedule(name: str, python: str, workspace: str, at: str, limit_s: int) -> Schedule:
    """Return a schedule that every scheduler can hold.

    Raises
    ------
    InputError
        A name, a path or a time that can't stand in a unit or a crontab.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"--name {name}: expected letters, digits, '-' and '_', at most 64")
    if any(letter in text for text in (python, workspace) for letter in "\n\r\0"):
        raise InputError("a path with a line break can't be scheduled; rename the folder")
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    if not found:
        raise InputError(f"--at {at}: expected a time like 03:00")
    hour, minute = int(found[1]), int(found[2])
    return Schedule(name=name, python=python, workspace=workspace, hour=hour, minute=minute, limit_s=limit_s)


def systemd_units(plan: Schedule) -> dict[str, str]:
    """Return a user's service and timer, by file name.

    Notes
    -----
    ``KillMode=mixed`` sends the stop to the harness only, which closes its kernel and servers itself; what is
    left after that is killed. Exit code 75 says that somebody else works there, which is no failure.
    """
    limit = f"{plan.limit_s + _MARGIN_S}" if plan.limit_s else "infinity"
    service = f"""\
[Unit]
Description=harnesslib cycle of {_unit_text(plan.workspace)}

[Service]
Type=oneshot
WorkingDirectory={_unit_text(plan.workspace)}
ExecStart={" ".join(_unit_word(word) for word in plan.command)}
KillMode=mixed
SuccessExitStatus={EXIT_LOCKED}
TimeoutStartSec={limit}
TimeoutStopSec={_STOP_S}
"""
    timer = f"""\
[Unit]
Description=harnesslib cycle of {_unit_text(plan.workspace)}, every day

[Timer]
OnCalendar=*-*-* {plan.hour:02}:{plan.minute:02}:00
Persistent=true

[Install]
WantedBy=timers.target
"""
    return {f"{plan.name}.service": service, f"{plan.name}.timer": timer}


def _unit_text(text: str) -> str:
    return text.replace("%", "%%")


def _unit_word(word: str) -> str:
    """Return one argument of ExecStart: quoted, and free of systemd's own substitutions."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{plain}"'


def crontab_line(plan: Schedule) -> str:
    """Return a line for a crontab: silent on success and while somebody else works there, loud on failure.

    Notes
    -----
    cron mails what a command prints, gives it nearly no environment, and takes a percent sign for a line
    break unless a backslash stands before it.
    """
    run = shlex.join(plan.command)
    shell = (
        f'said=$({run} 2>&1); code=$?; case $code in 0|{EXIT_LOCKED}) ;; *) echo "$said"; exit $code;; esac'
    )
    escaped = shell.replace("%", "\\%")
    return f"{plan.minute} {plan.hour} * * * {escaped} # {plan.name}"


def airflow_dag(plan: Schedule) -> str:
    """Return the source of a DAG with one task.

    Notes
    -----
    Airflow retries whatever fails. Here only exit codes after which another try can help are retried; any
    other one (bad input, damaged data, a route that got worse) fails the task at once.
    """
    told = {
        "DAG_ID": plan.name,
        "COMMAND": shlex.join(plan.command),
        "SCHEDULE": f"{plan.minute} {plan.hour} * * *",
        "RETRIED": RETRIED,
    }
    head = "\n".join(f"{name} = {value!r}" for name, value in told.items())
    return _DAG.replace("@settings@", head)


_DAG = '''\
"""Written by `harness schedule airflow`: one cycle of a harnesslib workspace, every day."""

import re
from datetime import datetime, timedelta

from airflow import DAG
from airflow.exceptions import AirflowException, AirflowFailException

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2
    from airflow.operators.bash import BashOperator

@settings@


class CycleOperator(BashOperator):
    """Runs the cycle; only an exit code after which another try can help is retried."""

    def execute(self, context):
        try:
            return super().execute(context)
        except AirflowException as error:
            code = re.search(r"exit code (\\d+)", str(error))
            if code and int(code[1]) not in RETRIED:
                raise AirflowFailException(str(error)) from error
            raise


with DAG(
    dag_id=DAG_ID,
    schedule=SCHEDULE,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
) as dag:
    CycleOperator(
        task_id="cycle",
        bash_command=COMMAND + " ",  # a blank, or a path that ends in .sh would be read as a template
        skip_on_exit_code=None,
        retries=2,
        retry_delay=timedelta(minutes=15),
    )
'''


def jupyter_notebook(source: dict[str, Any], workspace: str) -> dict[str, Any]:
    """Return the cycle's notebook with the workspace's absolute path as its default.

    jupyter-scheduler runs a copy in a folder of its own, and hands every parameter over as text: both
    parameters of this notebook are texts, and none depends on the folder.

    Raises
    ------
    InputError
        The notebook has no cell of parameters with a workspace.
    """
    cells = [dict(cell) for cell in source["cells"]]
    for cell in cells:
        if "parameters" in cell["metadata"].get("tags", ()):
            lines = "".join(cell["source"]).splitlines(keepends=True)
            start = f"workspace: str = {json.dumps(workspace)}  # folder that holds harness.toml\n"
            changed = [start if line.startswith("workspace:") else line for line in lines]
            if changed != lines or start in lines:
                cell["source"] = changed
                return {**source, "cells": cells}
    raise InputError("the cycle's notebook has no parameter `workspace`; reinstall harnesslib")
