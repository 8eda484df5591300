"""Self-optimizing benchmark harness for tool-calling language models.

Applications need one name: ``Router("routing_config.json").resolve(phase="atomic")``. Notebooks open a
cycle with ``open_cycle(workspace)``, show it with the functions of ``harnesslib.report``, and look back with
tidy frames (``load_samples``, ``load_cycles``, ...) and ``harnesslib.report.figures``. Names are
loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what a type checker sees of the names below
    from harnesslib import report as report
    from harnesslib.errors import HarnessError as HarnessError
    from harnesslib.explorer import explore as explore
    from harnesslib.frames import arm as arm
    from harnesslib.frames import arms as arms
    from harnesslib.frames import drift as drift
    from harnesslib.frames import effects as effects
    from harnesslib.frames import find_runs as find_runs
    from harnesslib.frames import load_cycles as load_cycles
    from harnesslib.frames import load_decisions as load_decisions
    from harnesslib.frames import load_gates as load_gates
    from harnesslib.frames import load_runs as load_runs
    from harnesslib.frames import load_samples as load_samples
    from harnesslib.frames import pairs as pairs
    from harnesslib.frames import rates as rates
    from harnesslib.meta_harness_loop import Cycle as Cycle
    from harnesslib.one_model import benchmark as benchmark
    from harnesslib.report import figures as figures
    from harnesslib.report.frame_table import table as table
    from harnesslib.router import Router as Router
    from harnesslib.workspace import open_cycle as open_cycle
    from harnesslib.workspace import open_workspace as open_workspace

__version__ = "0.0.1"

_HOME = {
    "Cycle": "harnesslib.meta_harness_loop",
    "HarnessError": "harnesslib.errors",
    "Router": "harnesslib.router",
    "arm": "harnesslib.frames",
    "arms": "harnesslib.frames",
    "benchmark": "harnesslib.one_model",
    "drift": "harnesslib.frames",
    "effects": "harnesslib.frames",
    "explore": "harnesslib.explorer",
    "figures": "harnesslib.report.figures",
    "find_runs": "harnesslib.frames",
    "load_cycles": "harnesslib.frames",
    "load_decisions": "harnesslib.frames",
    "load_gates": "harnesslib.frames",
    "load_runs": "harnesslib.frames",
    "load_samples": "harnesslib.frames",
    "open_cycle": "harnesslib.workspace",
    "open_workspace": "harnesslib.workspace",
    "pairs": "harnesslib.frames",
    "rates": "harnesslib.frames",
    "report": "harnesslib.report",
    "table": "harnesslib.report.frame_table",
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
