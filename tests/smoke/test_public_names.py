"""Every public name loads, and a type checker knows it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import harnesslib


@pytest.mark.parametrize("name", harnesslib.__all__)
def test_a_public_name_loads(name):
    assert getattr(harnesslib, name) is not None


def test_a_type_checker_knows_every_public_name():
    """Names that load on first use are invisible to it, and everything would be of type Any."""
    tree = ast.parse(Path(harnesslib.__file__).read_text("utf-8"))
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    known = {alias.asname or alias.name for node in block.body for alias in node.names}
    assert {*harnesslib.__all__, "__version__"} == known | {"__version__"}


def test_another_name_is_an_error_that_names_it():
    with pytest.raises(AttributeError, match="nonsense"):
        harnesslib.nonsense  # noqa: B018 - looking it up is the point
