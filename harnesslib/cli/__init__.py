"""The ``harness`` command: doors to the flows. Results go to stdout, progress and errors to stderr."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import click

from harnesslib.errors import EXIT_INPUT, EXIT_INTERRUPTED, HarnessError
from harnesslib.untrusted import for_terminal

EXIT_INTERNAL = 70

_COMMANDS = {
    "apply": ("harnesslib.cli.deciding", "Put what a cycle promoted in force, or show what would change."),
    "completion": ("harnesslib.cli.completing", "Print what a shell needs to complete commands."),
    "calibrate": ("harnesslib.cli.calibrating", "Simulate the policy in force: errors, power, calls, cost."),
    "config": ("harnesslib.cli.config", "Check, show, compare and migrate the two config files."),
    "cycle": ("harnesslib.cli.cycles", "Run one cycle: measure, decide, apply, prove, keep or undo."),
    "decide": ("harnesslib.cli.deciding", "Say what a cycle decided, gate by gate."),
    "demo": ("harnesslib.cli.cycles", "Make a demo workspace if there is none, and run one cycle in it."),
    "diagnose": ("harnesslib.cli.diagnosing", "Name the causes behind what a run measured."),
    "doctor": ("harnesslib.cli.setting_up", "Check the workspace and everything it needs."),
    "export": ("harnesslib.cli.exporting", "Write a run in a form that another tool reads."),
    "import": ("harnesslib.cli.importing", "Keep results of other tools beside your own, for comparison."),
    "history": ("harnesslib.cli.reports", "Show all cycles: how each ended, and what served then."),
    "init": ("harnesslib.cli.setting_up", "Make a workspace."),
    "lock": ("harnesslib.cli.locks", "Show who holds the locks, and clear what a dead holder left."),
    "log": ("harnesslib.cli.log", "Show, verify and rotate the audit log."),
    "notebook": ("harnesslib.cli.notebooks", "List and run the notebooks that look at results."),
    "plan": ("harnesslib.cli.looking", "Show what the next cycle would measure, and what that may take."),
    "report": ("harnesslib.cli.cycles", "Render a cycle's HTML report again."),
    "routes": ("harnesslib.cli.routes", "Show which model serves what and why, go back, or export it."),
    "run": ("harnesslib.cli.measuring", "Measure one model on one phase's suite."),
    "schedule": ("harnesslib.cli.scheduling", "Print what a scheduler needs for a cycle every day."),
    "serve": ("harnesslib.cli.setting_up", "Serve simulated models over HTTP."),
    "status": ("harnesslib.cli.looking", "Show what runs here now, and what was left unfinished."),
    "suite": ("harnesslib.cli.measuring", "List and check suites."),
    "verify": ("harnesslib.cli.reports", "Recompute what a report claims, and check its whole chain."),
}

_EPILOG = """\b
Exit codes: 0 done, 2 bad input, 3 nothing promoted (with --require-promote), 4 unreadable data,
5 audit problem, 6 endpoint, 7 notebook, 8 a route got worse (with --require-no-regression),
9 a baseline has moved (with --sentinel),
75 somebody else is working here, 124 time limit, 130 interrupted, 138 notebook kernel lost."""


class _Lazy(click.Group):
    """Loads a command's module when the command is used, so that ``--help`` costs nothing."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in sorted(_COMMANDS)])


@click.group(cls=_Lazy, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="harnesslib", prog_name="harness")
def cli() -> None:
    """Measure which model should serve which class of work; write it down, prove it, keep or undo it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; the one place where every exception ends."""
    try:
        code = cli.main(args=arguments, prog_name="harness", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return EXIT_INPUT
    except (click.Abort, KeyboardInterrupt):
        return _say("stopped by the keyboard", EXIT_INTERRUPTED)
    except HarnessError as error:
        return _say(str(error), error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away: no error of ours, and nothing more to say to it.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        return 0
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user
        if os.environ.get("HARNESS_DEBUG"):
            traceback.print_exc()
        cause = f"{type(error).__name__}: {error}"
        return _say(f"internal error, please report it: {cause}; HARNESS_DEBUG=1 shows more", EXIT_INTERNAL)
    return code if isinstance(code, int) else 0


def _say(message: str, code: int) -> int:
    click.echo(for_terminal(f"harness: {message}"), err=True)
    return code
