"""The examples in the docstrings of the statistics give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from harnesslib import stats

MODULES = sorted(module.name for module in pkgutil.iter_modules(stats.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name) -> None:
    module = importlib.import_module(f"harnesslib.stats.{name}")
    assert 0 == doctest.testmod(module).failed
