"""Simulated models, their truth declared: what the built-in server serves."""

from __future__ import annotations

from typing import Literal

from harnesslib.records.base import Record


class SimulatedPhase(Record):
    """How good a simulated model is at one suite.

    `accuracy` is the mean pass rate over the cases that want a call, `restraint` over those that want
    none, in each split. `flaky_share` of the cases pass half of the time; the others nearly always or
    nearly never.
    """

    accuracy: float
    restraint: float = 0.98
    flaky_share: float = 0.1


class SimulatedModel(Record):
    """One simulated model.

    `latency_s` is the median of one request, `latency_spread` the sigma of its log. `load_s` is how long the
    first request after an unload waits (`loading` = "block", as Ollama) or is refused with 503 ("refuse",
    as llama.cpp). `like` gives the model the same case-by-case truth as another. `malformed_share` of its
    failures are calls that can't be read.
    """

    id: str
    phases: dict[str, SimulatedPhase]
    latency_s: float = 0.02
    latency_spread: float = 0.2
    load_s: float = 0.0
    loading: Literal["block", "refuse"] = "block"
    keep_alive_s: float = 300.0
    malformed_share: float = 0.1
    like: str = ""
    about: str = ""


class SimulatedWorld(Record):
    """All models of one built-in server. The same seed gives the same answers."""

    version: int
    models: tuple[SimulatedModel, ...]
    seed: int = 1
