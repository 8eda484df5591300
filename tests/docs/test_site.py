"""The documentation is whole: every page is reached, every link leads somewhere, every command exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from harnesslib.cli import cli, main
from harnesslib.harness_file import parse

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def blocks(name: str, kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall(page(name)) if found == kind]


def commands(name: str) -> list[list[str]]:
    """Return the arguments of every `harness` or `./run` line that a page shows."""
    lines = [line for kind in ("console", "sh") for text in blocks(name, kind) for line in text.splitlines()]
    words = [shlex.split(line.removeprefix("$ ").partition(" > ")[0], comments=True) for line in lines]
    return [each[1:] for each in words if each and each[0] in {"harness", "./run"}]


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as the site makes them."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", text), re.MULTILINE)
    plain = [re.sub(r"[^\w\s-]", "", heading.lower()).strip() for heading in headings]
    return {re.sub(r"[-\s]+", "-", heading) for heading in plain}


def nav() -> set[str]:
    return set(re.findall(r": ([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE))


def test_every_page_stands_in_the_navigation_once():
    assert sorted(nav()) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(name):
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", page(name))):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        file = (DOCS / name).parent / path if path else DOCS / name
        known = (
            anchors(file.read_text("utf-8"))
            if anchor and file.suffix == ".md" and file.exists()
            else {anchor}
        )
        if not file.exists() or anchor not in known:
            lost.append(target)
    assert [] == lost


@pytest.mark.parametrize("name", [name for name in PAGES if commands(name)])
def test_every_command_of_a_page_exists_with_its_options(name):
    for arguments in commands(name):
        if not arguments or arguments[0] in {"test", "bench", "lab", "docs", "interop"}:
            continue  # jobs of ./run
        command: click.Command = cli
        words = list(arguments)
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words[0])
            assert found is not None, f"{name}: {' '.join(arguments)}"
            command, words = found, words[1:]
        command.make_context(command.name, words)


@pytest.mark.parametrize("name", ["how-to/be-told.md", "how-to/hosted-api.md"])
def test_settings_of_a_page_are_read(name):
    rest = """
version = 1
[endpoints.main]
base_url = "http://127.0.0.1:1"
[phases.atomic]
suite = "atomic"
baseline = "small"
"""
    for text in blocks(name, "toml"):
        model = "" if "[[models]]" in text else '[[models]]\nid = "small"\nendpoint = "main"\n'
        parse(f"{rest}{model}{text}".encode(), name)


def test_the_suite_of_the_page_is_sound(tmp_path, capsys):
    [text] = blocks("how-to/own-suite.md", "toml")
    file = tmp_path / "suite.toml"
    file.write_text(text)
    assert 0 == main(["suite", "check", str(file)]), capsys.readouterr().err


def test_the_workflow_asks_what_the_page_explains():
    yaml = pytest.importorskip("yaml")
    [text] = blocks("how-to/ci-gate.md", "yaml")
    steps = yaml.safe_load(text)["jobs"]["cycle"]["steps"]
    [run] = [shlex.split(step["run"]) for step in steps if "harness cycle" in step.get("run", "")]
    cli.get_command(click.Context(cli), "cycle").make_context("cycle", run[2:])
    assert "--require-no-regression" in run


def test_every_file_of_the_checklist_exists():
    named = re.findall(r"`([\w./]+(?:\.\w+|/))`", page("IMPLEMENTATION_CHECKLIST.md"))
    places = (ROOT, ROOT / "harnesslib", DOCS)
    written_elsewhere = {"META_LEARNINGS.md", "routing_config.json"}
    assert [] == [
        name
        for name in named
        if name not in written_elsewhere and not any((p / name).exists() for p in places)
    ]


@pytest.mark.timeout(180)
def test_the_tutorial_works_as_it_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    said: dict[str, str] = {}
    for text in blocks("tutorial.md", "console"):
        for line in text.splitlines():
            program, *arguments = shlex.split(line.removeprefix("$ "))
            if program == "cd":
                monkeypatch.chdir(arguments[0])
                continue
            assert "harness" == program
            assert 0 == main(arguments), capsys.readouterr().err
            said[" ".join(arguments)] = capsys.readouterr().out
        if "harness log verify" in text:
            [code] = blocks("tutorial.md", "python")
            exec(compile(code, "tutorial.md", "exec"), {})  # noqa: S102 - the page's own lines
            said["the application"] = capsys.readouterr().out
    assert "sprinter" in said["the application"]
    assert "steady" in said["routes list"]


def test_the_site_can_be_built_without_a_warning(tmp_path):
    if importlib.util.find_spec("mkdocs") is None or importlib.util.find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed: ./run docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
