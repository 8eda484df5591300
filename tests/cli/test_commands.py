"""The doors: help that a person understands, clear errors, documented exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from harnesslib.cli import cli, main
from harnesslib.records import (
    BudgetConfig,
    CycleConfig,
    EndpointConfig,
    HookConfig,
    ModelConfig,
    PhaseConfig,
    PolicyConfig,
    Prompt,
    ProposerConfig,
    SearchConfig,
    Settings,
)

ROOT = Path(__file__).resolve().parents[2]


def commands(group: click.Group = cli, path: tuple[str, ...] = ()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands())


@pytest.fixture
def workspace(tmp_path):
    assert main(["init", "--demo", str(tmp_path)]) == 0
    return str(tmp_path)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_and_option_is_explained(path, capsys):
    assert main([*path, "--help"]) == 0
    assert "Usage: harness" in capsys.readouterr().out
    assert ALL[path].help
    options = [p for p in ALL[path].params if isinstance(p, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_every_command_that_gives_a_result_gives_it_as_json():
    for path, command in ALL.items():
        if not isinstance(command, click.Group) and path != ("serve",):
            assert "as_json" in {parameter.name for parameter in command.params}, path


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_stands_in_the_reference(path):
    assert f"harness {' '.join(path)}" in (ROOT / "docs/reference.md").read_text()


@pytest.mark.parametrize(
    "record",
    [
        EndpointConfig,
        HookConfig,
        ModelConfig,
        PhaseConfig,
        SearchConfig,
        Settings,
        Prompt,
        PolicyConfig,
        CycleConfig,
        BudgetConfig,
        ProposerConfig,
    ],
)
def test_every_setting_stands_in_the_reference(record):
    reference = (ROOT / "docs/reference.md").read_text()
    assert [field for field in record.__struct_fields__ if f"`{field}`" not in reference] == []


def test_the_exit_codes_of_the_help_stand_in_the_reference(capsys):
    main(["--help"])
    said = set(re.findall(r"\b(\d+) [a-z]", capsys.readouterr().out.partition("Exit codes:")[2]))
    table = (ROOT / "docs/reference.md").read_text().partition("## Exit codes")[2].partition("\n## ")[0]
    assert said <= set(re.findall(r"\d+", table))


def test_help_loads_nothing_heavy():
    heavy = ("pandas", "scipy", "numpy", "matplotlib", "papermill", "nbconvert", "duckdb", "aiohttp", "rich")
    probe = (
        "import sys, harnesslib, harnesslib.cli; harnesslib.cli.main(['--help']);"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["cycle"], 2, "no harness.toml here; make a workspace"),
        (["routes", "list"], 2, "no harness.toml here"),
        (["cycle", "--frobnicate"], 2, "No such option"),
        (["frobnicate"], 2, "No such command"),
        (["init"], 2, "exactly one of --demo, --ollama URL, --openai URL"),
        (["init", "--ollama", "http://127.0.0.1:9", "x"], 6, "127.0.0.1:9"),
        (["suite", "check", "nonsense"], 2, "nonsense"),
    ],
)
def test_bad_input_gets_one_clear_sentence(arguments, code, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_a_workspace_is_not_made_twice(workspace, capsys):
    assert main(["init", "--demo", workspace]) == 2
    assert "there is a harness.toml already" in capsys.readouterr().err


def test_the_first_generation_serves_the_first_baseline(workspace, capsys):
    capsys.readouterr()
    assert main(["routes", "resolve", "auto", "atomic", "--workspace", workspace, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["model"], told["generation"]) == ("steady", 1)
    assert main(["routes", "list", "--workspace", workspace]) == 0
    assert "Generation 1" in capsys.readouterr().out
    assert main(["log", "verify", "--workspace", workspace]) == 0


@pytest.mark.parametrize(("model", "phase"), [("sprintr", "atomic"), ("sprinter", "atomc")])
def test_an_unknown_route_is_answered_with_a_suggestion(model, phase, workspace, capsys):
    assert main(["routes", "resolve", model, phase, "--workspace", workspace]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_a_typing_error_in_harness_toml_is_found_with_its_place(workspace, capsys):
    file = Path(workspace) / "harness.toml"
    file.write_text(file.read_text().replace("concurrency = 24", "concurency = 24", 1))
    assert main(["run", "steady", "atomic", "--workspace", workspace]) == 2
    assert "endpoints.demo.concurency: unknown key; did you mean 'concurrency'?" in capsys.readouterr().err


def test_a_torn_routing_config_is_an_error_and_never_an_empty_one(workspace, capsys):
    file = Path(workspace) / "routing_config.json"
    file.write_bytes(file.read_bytes()[:100])
    assert main(["routes", "list", "--workspace", workspace]) == 4
    assert "routing_config.json" in capsys.readouterr().err


def test_packaged_suites_are_listed_and_sound(capsys):
    assert main(["suite", "list", "--json"]) == 0
    listed = {suite["name"]: suite for suite in json.loads(capsys.readouterr().out)}
    assert set(listed) == {"atomic", "extended"}
    assert (listed["atomic"]["parametric"], listed["atomic"]["smoke"]) == (60, 12)
    assert main(["suite", "list"]) == 0
    assert re.search(r"no_call +parametric +smoke +title", capsys.readouterr().out)
    assert main(["suite", "check"]) == 0


def test_an_unexpected_error_shows_no_traceback(monkeypatch, capsys):
    monkeypatch.setattr("harnesslib.suites.packaged", lambda: 1 / 0)
    assert main(["suite", "list"]) == 70
    error = capsys.readouterr().err
    assert "internal error" in error
    assert "Traceback" not in error
