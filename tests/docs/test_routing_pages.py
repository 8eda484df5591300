"""The pages about routing say what is so: their commands run, and no field or event is left out."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
from pathlib import Path
from typing import get_args

import pytest

from harnesslib.cli import main
from harnesslib.records import Baseline, Resolution, RoutingConfig, Rule, Settings
from harnesslib.records.routing import LogEvent
from harnesslib.router import Router

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = (
    "ROUTING_DECISIONS.md",
    "how-to/undo-a-change.md",
    "how-to/read-the-routing-from-your-application.md",
    "how-to/change-the-settings.md",
)


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    path = ROOT / "tests" / "workspace_fixture.py"
    spec = importlib.util.spec_from_file_location("workspace_fixture", path)
    fixture = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixture)
    return fixture.changed_workspace(tmp_path_factory.mktemp("workspace") / "demo")


@pytest.fixture
def workspace(template, tmp_path, monkeypatch) -> Path:
    """A workspace whose routing was changed once, as the folder that commands run in."""
    root = tmp_path / "demo"
    shutil.copytree(template, root)
    monkeypatch.chdir(root)
    return root


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def commands(name: str) -> list[list[str]]:
    blocks = re.findall(r"^```console\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


def in_force(root: Path) -> bytes:
    return (root / "routing_config.json").read_bytes()


def test_the_commands_that_undo_a_change_do_so(workspace, capsys):
    undone = []
    for program, *arguments in commands("how-to/undo-a-change.md"):
        assert "harness" == program
        assert 0 == main(arguments), capsys.readouterr().err
        if arguments[:2] == ["routes", "rollback"]:
            undone.append(in_force(workspace))
    stored = {number: (workspace / f"generations/{number:06d}.json").read_bytes() for number in (1, 3)}
    assert [stored[1], stored[3], stored[1]] == undone


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "7"], "was never in force"),
        (["--to", "1"], ""),
        ([], "nothing was in force before it"),
    ],
)
def test_a_refusal_is_worded_as_the_page_words_it(workspace, capsys, arguments, said):
    if not arguments:
        main(["routes", "rollback"])
    assert bool(said) == bool(main(["routes", "rollback", *arguments]))
    assert said in capsys.readouterr().err
    assert said in page("how-to/undo-a-change.md")


def test_what_an_application_does_works_as_it_is_printed(workspace, capsys):
    code = re.search(r"```python\n(.*?)```", page(PAGES[2]), re.DOTALL)[1]
    exec(compile(code, PAGES[2], "exec"), {})  # noqa: S102 - the page's own lines
    route = Router(workspace / "routing_config.json").resolve("auto", "atomic")
    printed = [str(each) for each in (route.model, route.settings.timeout_s, route.fallbacks)]
    assert "sprinter" == route.model
    assert printed == capsys.readouterr().out.splitlines()


def test_the_commands_for_other_languages_and_for_a_proxy_run(workspace, capsys):
    file = workspace / "harness.toml"
    served = 'base_url = "http://127.0.0.1:8707"'
    file.write_text(file.read_text().replace('simulator = "simulated_models.toml"', served))
    for _, *arguments in commands(PAGES[2]):
        assert 0 == main(arguments), capsys.readouterr().err
    assert "model_name: atomic" in (workspace / "litellm.yaml").read_text()


@pytest.mark.parametrize("record", [RoutingConfig, Rule, Baseline, Settings])
def test_every_field_of_the_file_is_explained(record):
    missing = [
        field for field in record.__struct_fields__ if f"`{field}`" not in page("ROUTING_DECISIONS.md")
    ]
    assert [] == missing


def test_every_event_of_the_log_is_explained():
    assert [] == [
        event for event in get_args(LogEvent) if f"| `{event}` |" not in page("ROUTING_DECISIONS.md")
    ]


def test_every_field_of_an_answer_is_explained():
    assert [] == [field for field in Resolution.__struct_fields__ if f"`{field}`" not in page(PAGES[2])]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name):
    links = re.findall(r"\]\(([^)#:]+)\)", page(name))
    assert [] == [link for link in links if not (DOCS / name).parent.joinpath(link).exists()]


def test_the_readme_leads_to_all_of_them():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [] == [name for name in PAGES if f"](docs/{name})" not in readme]


def test_the_states_are_drawn():
    drawing = re.search(r"```mermaid\n(.*?)```", page("ROUTING_DECISIONS.md"), re.DOTALL)[1]
    for state in ("Allowed", "Probation", "Confirmed", "Denied", "Review"):
        assert re.search(rf"\b{state}\b", drawing)
