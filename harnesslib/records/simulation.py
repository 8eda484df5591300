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


class SimulatedTrouble(Record):
    """What goes wrong with a simulated model besides its mistakes; nothing unless it is declared.

    `slow_share` of each split's cases take `slow_s` longer, whenever they are asked. `unreadable_share` of
    the conversations that call something can't be read, under the variants `unreadable_in` (empty = all).
    `fault_share` of the requests are answered with HTTP 500 (`fault` = "error") or by a broken connection
    ("reset"), `fault_burst` requests in a row. Above `most_at_once` requests at a time (0 = no limit) the
    model overloads: answers turn `overload` = "wrong", "slow", or to HTTP 500 ("error"), in `overload_share`
    of the requests. Replies to `cached_share` of the cases come from a cache: after the first one always the
    same, whatever the seed, after `cached_s`. From `drift_after` requests or `drift_after_s` seconds on (0 =
    never) the model loses `drift_loss` of its pass rate, and says nothing about it.
    """

    slow_share: float = 0.0
    slow_s: float = 0.0
    unreadable_share: float = 0.0
    unreadable_in: tuple[str, ...] = ()
    fault_share: float = 0.0
    fault: Literal["error", "reset"] = "error"
    fault_burst: int = 1
    most_at_once: int = 0
    overload: Literal["wrong", "slow", "error"] = "wrong"
    overload_share: float = 1.0
    cached_share: float = 0.0
    cached_s: float = 0.001
    drift_loss: float = 0.0
    drift_after: int = 0
    drift_after_s: float = 0.0


class SimulatedModel(Record):
    """One simulated model.

    `latency_s` is the median of one request, `latency_spread` the sigma of its log. `load_s` is how long the
    first request after an unload waits (`loading` = "block", as Ollama) or is refused with 503 ("refuse",
    as llama.cpp). `like` gives the model the same case-by-case truth as another. `malformed_share` of its
    failures are calls that can't be read. `trouble` is what else goes wrong.
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
    trouble: SimulatedTrouble = SimulatedTrouble()


class SimulatedWorld(Record):
    """All models of one built-in server. The same seed gives the same answers."""

    version: int
    models: tuple[SimulatedModel, ...]
    seed: int = 1
