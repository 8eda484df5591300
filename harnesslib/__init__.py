"""Self-optimizing benchmark harness for tool-calling language models.

Applications need one name: ``Router("routing_config.json").resolve(phase="atomic")``. Notebooks open a
cycle with ``open_cycle(workspace)`` and show it with the functions of ``harnesslib.report``. Names are
loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what a type checker sees of the names below
    from harnesslib import report as report
    from harnesslib.errors import HarnessError as HarnessError
    from harnesslib.meta_harness_loop import Cycle as Cycle
    from harnesslib.router import Router as Router
    from harnesslib.workspace import load_samples as load_samples
    from harnesslib.workspace import open_cycle as open_cycle
    from harnesslib.workspace import open_workspace as open_workspace

__version__ = "0.0.1"

_HOME = {
    "Cycle": "harnesslib.meta_harness_loop",
    "HarnessError": "harnesslib.errors",
    "Router": "harnesslib.router",
    "load_samples": "harnesslib.workspace",
    "open_cycle": "harnesslib.workspace",
    "open_workspace": "harnesslib.workspace",
    "report": "harnesslib.report",
}

__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604 - the names are strings


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute can be anything
    """Load a public name on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'harnesslib' has no attribute {name!r}")
    home = import_module(_HOME[name])
    return home if _HOME[name].endswith(f".{name}") else getattr(home, name)


def __dir__() -> list[str]:
    """List the public names."""
    return list(__all__)
