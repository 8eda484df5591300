"""A shell completes commands and options, and the scripts are of that shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from harnesslib.cli import main


def completed(words: str) -> list[str]:
    count = len(words.split(" ")) - 1
    environment = os.environ | {
        "_HARNESS_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(count),
    }
    command = [sys.executable, "-m", "harnesslib"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("harness exp", ["export"]),
        ("harness export c", ["csv"]),
        ("harness cycle --require-n", ["--require-no-regression"]),
        ("harness completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_commands_and_options_are_completed(words, expected):
    assert expected == completed(words)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_of_its_shell(shell, capsys, tmp_path):
    assert 0 == main(["completion", shell])
    script = capsys.readouterr().out
    assert f"_HARNESS_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        file = tmp_path / "script"
        file.write_text(script)
        subprocess.run([shell, "-n", str(file)], check=True)
