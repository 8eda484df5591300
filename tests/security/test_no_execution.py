"""No part of the package can run what others wrote, nor print past what guards the terminal."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "harnesslib"
FILES = sorted(PACKAGE.rglob("*.py"))
CALLS = {"eval", "exec", "compile", "__import__", "input"}
METHODS = {
    ("os", "system"),
    ("os", "popen"),
    ("os", "execv"),
    ("os", "execvp"),
    ("os", "startfile"),
    ("subprocess", "getoutput"),
    ("subprocess", "getstatusoutput"),
    ("asyncio", "create_subprocess_shell"),
    ("yaml", "load"),
    ("yaml", "unsafe_load"),
    ("tempfile", "mktemp"),
    ("zipfile", "extractall"),
    ("pd", "read_pickle"),
    ("np", "load"),
}
MODULES = {
    "pickle",
    "cPickle",
    "marshal",
    "shelve",
    "dill",
    "joblib",
    "cloudpickle",
    "code",
    "pty",
    "commands",
}


def offences(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = (
                [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            )
            yield from (f"import {name}" for name in names if name.partition(".")[0] in MODULES)
        if isinstance(node, ast.Call):
            yield from _of_call(node)


def _of_call(node: ast.Call) -> Iterator[str]:
    called = node.func
    if isinstance(called, ast.Name) and called.id in CALLS:
        yield f"{called.id}()"
    if isinstance(called, ast.Attribute):
        owner = called.value.id if isinstance(called.value, ast.Name) else ""
        if (owner, called.attr) in METHODS or called.attr in {
            "extractall",
            "query",
            "create_subprocess_shell",
        }:
            yield f"{owner}.{called.attr}()"
    for keyword in node.keywords:
        if keyword.arg == "shell" and not (
            isinstance(keyword.value, ast.Constant) and not keyword.value.value
        ):
            yield "shell="
        if keyword.arg in {"allow_pickle", "verify"} and isinstance(keyword.value, ast.Constant):
            yield from [f"{keyword.arg}="] if keyword.value.value is (keyword.arg == "allow_pickle") else []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_nothing_runs_foreign_text(path):
    assert [] == list(offences(ast.parse(path.read_text("utf-8"))))


@pytest.mark.parametrize(
    "text",
    [
        "eval(x)",
        "exec(x)",
        "import pickle",
        "from pickle import loads",
        "os.system(x)",
        "subprocess.run(x, shell=True)",
        "asyncio.create_subprocess_shell(x)",
        "archive.extractall()",
        "yaml.load(x)",
        "get(x, verify=False)",
    ],
)
def test_the_search_finds_what_it_is_for(text):
    assert list(offences(ast.parse(text)))


def test_commands_print_only_where_control_characters_are_taken_out():
    guarded = {"cli/output.py", "cli/__init__.py"}
    loose = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted((PACKAGE / "cli").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if path.relative_to(PACKAGE).as_posix() not in guarded
        and isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"click.echo", "print", "click.secho", "sys.stdout.write"}
    ]
    assert [] == loose
