"""``harness completion``: what a shell needs to complete commands and options."""

from __future__ import annotations

from typing import Literal

import click
from click.shell_completion import get_completion_class

from harnesslib.cli.output import json_option, say, show

Shell = Literal["bash", "zsh", "fish"]
_WHERE = {
    "bash": 'eval "$(harness completion bash)"  # in ~/.bashrc',
    "zsh": 'eval "$(harness completion zsh)"  # in ~/.zshrc, after compinit',
    "fish": "harness completion fish > ~/.config/fish/completions/harness.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(tuple(_WHERE)))
@json_option
def completion_command(shell: Shell, as_json: bool) -> int:
    """Print the script that lets SHELL complete `harness`; read it from the shell's start-up file."""
    root = click.get_current_context().find_root().command
    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"this click can't complete in {shell}")
    # Bash asks its own version first, which a bash that isn't on the path can't answer.
    parts = made(root, {}, "harness", "_HARNESS_COMPLETE")
    script = parts.source_template % parts.source_vars()
    show({"shell": shell, "script": script}, script.rstrip("\n"), as_json=as_json)
    say(f"Use it: {_WHERE[shell]}")
    return 0
