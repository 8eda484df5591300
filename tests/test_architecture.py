"""The rules of the source: sizes, purity, imports, and what may not stand in a committed file.

Sizes, over the package, ./run and the scripts:

- a module has at most 400 lines;
- a function has at most 40 lines, its docstring not counted;
- a function takes at most 5 arguments by position and 8 in all (`self` and `cls` not counted); what is
  keyword-only names itself at the call. The command line is exempt: click hands over a parameter per option;
- blocks are nested at most 3 deep. An `elif` is not deeper than its `if`; a nested function starts anew.

The layers stand in pyproject.toml and are checked by lint-imports.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "harnesslib"
MODULES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = [ROOT / "run", *sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file())]
SOURCES = [
    *MODULES,
    *(path for path in SCRIPTS if path.read_text("utf-8").startswith("#!/usr/bin/env python3")),
]

PURE = (
    "autonomy",
    "baseline_drift",
    "candidates",
    "conclusions",
    "config_view",
    "exports/bundle",
    "exports/every_eval_ever",
    "exports/inspect_log",
    "exports/junit",
    "exports/job_page",
    "forecast",
    "harness_feedback_loop",
    "imports/inspect_log",
    "imports/lm_eval",
    "imports/numbers",
    "litellm_config",
    "parsers",
    "planning",
    "proposals",
    "records",
    "regression",
    "report/view",
    "routing",
    "schedules",
    "schemas",
    "scoring",
    "self_optimizing_policy",
    "stats",
    "summarize",
    "variants",
    "worlds",
)
EFFECTS = {"click", "io", "logging", "os", "papermill", "pathlib", "random", "socket", "subprocess", "time"}
IMPURE_CALLS = {"now", "open", "print", "today", "utcnow"}
HEAVY = {"aiohttp", "duckdb", "matplotlib", "nbconvert", "nbformat", "numpy", "pandas", "papermill", "scipy"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def place(path: Path, node: ast.AST | None = None) -> str:
    line = f":{node.lineno}" if node else ""
    return f"{path.relative_to(ROOT)}{line} {getattr(node, 'name', '')}".strip()


def length(function: Function) -> int:
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return lines
    docstring = function.body[0]
    return lines - (docstring.end_lineno - docstring.lineno + 1)


def depth(node: ast.AST) -> int:
    deepest = 0
    for name, value in ast.iter_fields(node):
        children = [
            child for child in (value if isinstance(value, list) else [value]) if isinstance(child, ast.AST)
        ]
        chained = (
            isinstance(node, ast.If) and name == "orelse" and [ast.If] == [type(child) for child in children]
        )
        for child in children:
            if not isinstance(child, SCOPES):
                deepest = max(deepest, depth(child) + isinstance(child, BLOCKS) - chained)
    return deepest


def parameters(function: Function) -> tuple[int, int]:
    arguments = function.args
    positional = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    if positional[:1] in (["self"], ["cls"]):
        del positional[0]
    return len(positional), len(positional) + len(arguments.kwonlyargs)


def imported(path: Path) -> Iterator[tuple[ast.AST, str]]:
    """Yield every imported name with its module, in full: ``from a import b`` is ``a.b``."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            folder = path.parent.relative_to(ROOT).parts
            base = folder[: len(folder) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            yield from ((node, f"{module}.{alias.name}") for alias in node.names)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def pure_modules() -> list[Path]:
    chosen = [PACKAGE / name for name in PURE]
    return [
        path
        for path in MODULES
        if any(path.with_suffix("") == each or each in path.parents for each in chosen)
    ]


@cache
def committed_files() -> tuple[Path, ...]:
    """Return the files that are, or would be, in the repository; in an unpacked archive all that could be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    if (ROOT / ".git").exists():
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        folders = ("harnesslib", "notebooks", "tests", "docs", "scripts", "benchmarks")
        paths = [*ROOT.glob("*.*"), *(path for name in folders for path in (ROOT / name).rglob("*"))]
    return tuple(path for path in paths if path.is_file() and "__pycache__" not in path.parts)


def test_modules_have_at_most_400_lines() -> None:
    long = [place(path) for path in SOURCES if len(path.read_text("utf-8").splitlines()) > 400]
    assert [] == long, "\n".join(long)


def test_functions_have_at_most_40_lines() -> None:
    long = [
        f"{place(path, each)} {length(each)}"
        for path in SOURCES
        for each in functions(path)
        if length(each) > 40
    ]
    assert [] == long, "\n".join(long)


def test_functions_take_at_most_5_arguments_by_position_and_8_in_all() -> None:
    checked = [path for path in SOURCES if PACKAGE / "cli" not in path.parents]
    many = [
        f"{place(path, each)} {parameters(each)}"
        for path in checked
        for each in functions(path)
        if parameters(each)[0] > 5 or parameters(each)[1] > 8
    ]
    assert [] == many, "\n".join(many)


def test_blocks_are_nested_at_most_3_deep() -> None:
    deep = [
        f"{place(path, each)} {depth(each)}"
        for path in SOURCES
        for each in functions(path)
        if depth(each) > 3
    ]
    assert [] == deep, "\n".join(deep)


def test_the_pure_core_imports_no_effects() -> None:
    found = [
        f"{place(path, node)} imports {name}"
        for path in pure_modules()
        for node, name in imported(path)
        if name.split(".")[0] in EFFECTS
    ]
    assert [] == found, "\n".join(found)


def test_the_pure_core_reads_no_clock_and_prints_nothing() -> None:
    calls = (
        (path, node)
        for path in pure_modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    )
    found = [
        place(path, node)
        for path, node in calls
        if getattr(node.func, "id", getattr(node.func, "attr", "")) in IMPURE_CALLS
    ]
    assert [] == found, "\n".join(found)


def test_every_pure_part_exists() -> None:
    assert [] == [name for name in PURE if not is_module(f"harnesslib/{name}".replace("/", "."))]


def test_nothing_imports_the_package_root() -> None:
    found = [
        f"{place(path, node)} imports {name}"
        for path in MODULES
        for node, name in imported(path)
        if name.split(".")[0] == "harnesslib"
        and (name == "harnesslib" or not is_module(".".join(name.split(".")[:2])))
    ]
    assert [] == found, "\n".join(found)


def test_only_the_command_line_catches_every_exception() -> None:
    broad = [
        place(path, node)
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"})
        and not isinstance(node.body[-1], ast.Raise)  # cleaning up and going on falling is no catch
    ]
    assert ["harnesslib/cli/__init__.py"] == [where.split(":")[0] for where in broad]


@pytest.mark.parametrize(
    "code",
    [
        "import harnesslib",
        "import harnesslib; dir(harnesslib)",
        "from harnesslib.cli import main; main(['--help'])",
    ],
)
def test_starting_up_loads_nothing_heavy(code: str) -> None:
    report = "; import sys; print('loaded:', *sorted(name for name in sys.modules if '.' not in name))"
    output = subprocess.check_output([sys.executable, "-c", code + report], text=True, cwd=ROOT)
    assert set() == HEAVY & set(output.rpartition("loaded:")[2].split())


def test_no_committed_file_names_the_address_of_a_package_registry() -> None:
    names = [
        "py" + "pi.org",
        "python" + "hosted.org",
        "registry.npm" + "js.org",
        "anaconda" + ".org",
        "conda" + "-forge.org",
    ]
    pattern = re.compile("|".join(map(re.escape, names)).encode())
    assert [] == [place(path) for path in committed_files() if pattern.search(path.read_bytes())]


def test_committed_notebooks_have_no_outputs_but_the_example() -> None:
    cells = [
        (path, cell)
        for path in committed_files()
        if path.suffix == ".ipynb" and path.parent != ROOT / "docs" / "example"
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    assert [
        place(path) for path, cell in cells if cell["outputs"] or cell["execution_count"] is not None
    ] == []


def test_the_version_stands_in_two_places_and_they_agree() -> None:
    stated = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    module = re.search(r'^__version__ = "(.+)"$', (PACKAGE / "__init__.py").read_text("utf-8"), re.MULTILINE)
    assert stated.group(1) == module.group(1)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f():\n  return 1", 0),
        ("def f():\n  if a:\n    pass\n  elif b:\n    pass\n  elif c:\n    pass", 1),
        ("def f():\n  if a:\n    pass\n  else:\n    for b in c:\n      pass", 2),
        ("def f():\n  with a:\n    try:\n      pass\n    except B:\n      while c:\n        pass", 3),
        ("def f():\n  match a:\n    case 1:\n      if b:\n        pass", 2),
        ("def f():\n  if a:\n    def g():\n      if b:\n        pass", 1),
    ],
)
def test_depth_is_counted_as_described(code: str, expected: int) -> None:
    assert expected == depth(ast.parse(code).body[0])


def test_length_does_not_count_the_docstring() -> None:
    assert 2 == length(ast.parse('def f():\n  """One.\n\n  Two.\n  """\n  return 1').body[0])


def test_self_is_no_parameter() -> None:
    assert (2, 3) == parameters(ast.parse("def f(self, a, b, *, c): ...").body[0])
