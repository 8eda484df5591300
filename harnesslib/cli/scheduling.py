"""``harness schedule``: what a scheduler needs to run a cycle every day."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harnesslib.cli.output import json_option, say, show, workspace_option
from harnesslib.errors import InputError
from harnesslib.records.base import Record

if TYPE_CHECKING:
    from harnesslib.schedules import Schedule

_TOOL_S = 30


class Scheduled(Record):
    """The texts by file name; `installed` says where they lie now, and `hints` what is left to do."""

    files: dict[str, str]
    installed: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()


def schedule_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all schedulers share."""
    options = (
        click.option("--at", default="03:00", show_default=True, metavar="HH:MM", help="When, every day."),
        click.option(
            "--name", default="", help="What it is called (default: harness- and the folder's name)."
        ),
        click.option(
            "--timeout",
            "limit_s",
            type=click.IntRange(0),
            default=0,
            help="Stop a cycle after so many seconds (0 = never).",
        ),
        workspace_option,
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group("schedule")
def schedule_command() -> None:
    """Print what a scheduler needs to run a cycle every day, or install it."""


@schedule_command.command("systemd")
@schedule_options
@click.option("--install", is_flag=True, help="Write the units for this user, and start the timer.")
def schedule_systemd(at: str, name: str, limit_s: int, workspace: Path, as_json: bool, install: bool) -> int:
    """Print a user's systemd service and timer."""
    from harnesslib.schedules import systemd_units

    plan = _plan(at, name, limit_s, workspace)
    units = systemd_units(plan)
    hints = (
        "A user's timers run while the user is logged in; for a server: loginctl enable-linger",
        f"See it: systemctl --user list-timers {plan.name}.timer; journalctl --user -u {plan.name}",
    )
    if not install:
        folder = _unit_folder()
        by_hand = f"Install it: harness schedule systemd --install (writes to {folder})"
        return _show(Scheduled(files=units, hints=(by_hand, *hints)), as_json=as_json)
    placed = _install_units(units, f"{plan.name}.timer")
    return _show(Scheduled(files=units, installed=placed, hints=hints), as_json=as_json)


@schedule_command.command("cron")
@schedule_options
@click.option("--install", is_flag=True, help="Add the line to this user's crontab, or replace it there.")
def schedule_cron(at: str, name: str, limit_s: int, workspace: Path, as_json: bool, install: bool) -> int:
    """Print a line for a crontab: silent on success, and mailed by cron on failure."""
    from harnesslib.schedules import crontab_line

    plan = _plan(at, name, limit_s, workspace)
    line = crontab_line(plan)
    if not install:
        hint = "Install it: harness schedule cron --install, or crontab -e"
        return _show(Scheduled(files={"crontab": line + "\n"}, hints=(hint,)), as_json=as_json)
    before = _tool("crontab", "-l", check=False)
    kept = [old for old in before.splitlines() if not old.endswith(f"# {plan.name}")]
    _tool("crontab", "-", text="\n".join([*kept, line, ""]))
    return _show(Scheduled(files={"crontab": line + "\n"}, installed=("crontab",)), as_json=as_json)


@schedule_command.command("airflow")
@schedule_options
def schedule_airflow(at: str, name: str, limit_s: int, workspace: Path, as_json: bool) -> int:
    """Print the source of an Airflow DAG, whose retries follow the exit codes."""
    from harnesslib.schedules import airflow_dag

    plan = _plan(at, name, limit_s, workspace)
    hint = f"Write it to {plan.name}.py in Airflow's dags folder"
    return _show(Scheduled(files={f"{plan.name}.py": airflow_dag(plan)}, hints=(hint,)), as_json=as_json)


@schedule_command.command("jupyter")
@schedule_options
def schedule_jupyter(at: str, name: str, limit_s: int, workspace: Path, as_json: bool) -> int:
    """Print the cycle's notebook for jupyter-scheduler: text parameters, and no folder that matters."""
    from harnesslib.cli.cycles import notebook_path
    from harnesslib.schedules import jupyter_notebook

    plan = _plan(at, name, limit_s, workspace)
    source = json.loads(notebook_path("cycle").read_text("utf-8"))
    made = json.dumps(jupyter_notebook(source, plan.workspace), indent=1, ensure_ascii=False) + "\n"
    hint = (
        f"Save it as {plan.name}.ipynb under JupyterLab's folder, and create a notebook job for every day "
        f"at {plan.hour:02}:{plan.minute:02}, with a kernel that has harnesslib"
    )
    return _show(Scheduled(files={f"{plan.name}.ipynb": made}, hints=(hint,)), as_json=as_json)


def _plan(at: str, name: str, limit_s: int, workspace: Path) -> Schedule:
    from harnesslib.schedules import schedule
    from harnesslib.workspace import Workspace

    with Workspace(workspace) as place:
        place.require()
        root = place.root
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in root.name)
    return schedule(
        name or f"harness-{plain.strip('-') or 'cycle'}"[:64], sys.executable, str(root), at, limit_s
    )


def _show(made: Scheduled, *, as_json: bool) -> int:
    """Print the texts alone on stdout, so that they can be sent to a file; hints go to stderr."""
    several = len(made.files) > 1
    texts = [f"# {name}\n{text}" if several else text for name, text in made.files.items()]
    show(made, "\n".join(texts).rstrip("\n"), as_json=as_json)
    for line in (*(f"Installed: {place}" for place in made.installed), *made.hints):
        say(line)
    return 0


def _unit_folder() -> Path:
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "systemd" / "user"


def _install_units(units: dict[str, str], timer: str) -> tuple[str, ...]:
    from harnesslib.storage import make_folder, write_atomic

    folder = _unit_folder()
    make_folder(folder)
    for name, text in units.items():
        write_atomic(folder / name, text.encode())
    _tool("systemctl", "--user", "daemon-reload")
    _tool("systemctl", "--user", "enable", "--now", timer)
    return tuple(str(folder / name) for name in units)


def _tool(program: str, *arguments: str, text: str = "", check: bool = True) -> str:
    found = shutil.which(program)
    if found is None:
        raise InputError(f"{program} is not on this machine; leave --install out, and install by hand")
    try:
        done = subprocess.run(  # noqa: S603 - a scheduler's own tool, with arguments of ours
            [found, *arguments], input=text, capture_output=True, text=True, check=False, timeout=_TOOL_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"{program} can't be asked: {error}; install by hand") from error
    if check and done.returncode:
        said = done.stderr.strip().splitlines() or ["nothing"]
        raise InputError(f"{program} refused with exit code {done.returncode}: {said[-1]}; install by hand")
    return done.stdout if done.returncode == 0 else ""
