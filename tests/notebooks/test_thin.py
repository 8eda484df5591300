"""Notebooks are thin: prose, one call to the library a cell, no logic, no outputs."""

from __future__ import annotations

import ast
import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from harnesslib.notebook_runner.parameters import declared

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.rglob("*.ipynb"))
LOGIC = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.Try,
    ast.With,
    ast.AsyncWith,
    ast.Lambda,
)


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def code(path: Path) -> list[dict]:
    return [cell for cell in cells(path) if cell["cell_type"] == "code"]


pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_cells_are_few_and_short(path):
    assert len(code(path)) <= 14
    assert [] == [source(cell) for cell in code(path) if len(source(cell).splitlines()) > 8]


def test_every_code_cell_follows_prose(path):
    kinds = [cell["cell_type"] for cell in cells(path)]
    assert "markdown" == kinds[0]
    assert ("code", "code") not in set(pairwise(kinds))


def test_the_first_cell_asks_the_question(path):
    title = source(cells(path)[0]).splitlines()[0]
    assert title.startswith("# ")
    assert title.endswith("?")


def test_no_cell_holds_logic(path):
    found = [type(node).__name__ for cell in code(path) for node in ast.walk(ast.parse(source(cell)))]
    assert set() == set(found) & {kind.__name__ for kind in LOGIC}


def test_nothing_but_the_library_is_imported(path):
    nodes = [node for cell in code(path) for node in ast.walk(ast.parse(source(cell)))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {"harnesslib"} == {name.partition(".")[0] for name in names}


def test_there_is_one_parameters_cell_typed_and_explained(path):
    tagged = [cell for cell in code(path) if "parameters" in cell["metadata"].get("tags", [])]
    assert 1 == len(tagged)
    assert all(declared(source(tagged[0])).values())
    assert all("  # " in line for line in source(tagged[0]).splitlines())


def test_no_output_and_no_count_is_committed(path):
    assert [] == [
        source(cell) for cell in code(path) if cell["outputs"] or cell["execution_count"] is not None
    ]


def test_the_kernel_is_python_and_the_metadata_is_bare(path):
    metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
    assert "python3" == metadata["kernelspec"]["name"]
    assert {"kernelspec", "language_info"} == set(metadata)
    assert {"name": "python"} == metadata["language_info"]


def test_no_path_of_one_machine_and_no_address_stands_in_it(path):
    text = "\n".join(source(cell) for cell in cells(path))
    assert [] == re.findall(r"https?://|(?<![\w.])/(?:home|Users|tmp|work|root|mnt)/|[A-Z]:\\\\", text)


def test_cells_have_ids_that_say_what_they_are(path):
    ids = [cell["id"] for cell in cells(path)]
    assert len(set(ids)) == len(ids)
    assert [] == [name for name in ids if not re.fullmatch(r"[a-z][a-z-]+", name)]
