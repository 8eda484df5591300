"""What goes wrong with a simulated model besides its mistakes, as it is declared; see `SimulatedTrouble`."""

from __future__ import annotations

from dataclasses import dataclass

from harnesslib.records import SimulatedModel
from harnesslib.simulator.truth import uniforms


class FaultError(Exception):
    """The model's server breaks down over this request: `kind` is "error" or "reset"."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True)
class Plight:
    """What happens to one request: what is left of the pass rate, and how many times longer it takes."""

    odds: float = 1.0
    slowdown: float = 1.0


class Troubles:
    """The troubles of one model, with the little state they have.

    That state is how many requests came, how many are worked on, and what a cache holds.

    Parameters
    ----------
    model
        Declares them.
    seed
        The world's.
    began
        Reading of the clock when the server started.
    """

    def __init__(self, model: SimulatedModel, seed: int, began: float) -> None:
        self._declared, self._model_id = model.trouble, model.id
        self._seed, self._began = seed, began
        self._requests = 0
        self._active = 0
        self._first_seeds: dict[str, int | str] = {}
        self._replies: set[tuple[str, int]] = set()

    def begin(self, now: float) -> Plight:
        """Note a request that is worked on from now on, until `end`; return what happens to it.

        Raises
        ------
        FaultError
            It breaks: there is then nothing to end.
        """
        trouble, number = self._declared, self._requests
        self._requests += 1
        burst = number // max(1, trouble.fault_burst)
        if self._luck("fault", burst) < trouble.fault_share:
            raise FaultError(trouble.fault)
        crowd = self._active + 1
        overloaded = 0 < trouble.most_at_once < crowd
        hit = overloaded and self._luck("overload", number) < trouble.overload_share
        if hit and trouble.overload == "error":
            raise FaultError("error")
        self._active = crowd
        odds = 1.0 - trouble.drift_loss if self._has_drifted(number, now) else 1.0
        if hit and trouble.overload == "wrong":
            odds = 0.0
        slowdown = crowd / trouble.most_at_once if hit and trouble.overload == "slow" else 1.0
        return Plight(odds, slowdown)

    def end(self) -> None:
        """Note that a request is not worked on any more."""
        self._active -= 1

    def remembered(self, opening: str, length: int, seed: int | str) -> tuple[int | str, bool]:
        """Return the seed that a cached case is answered under, and whether this reply is in the cache."""
        known = (opening, length) in self._replies
        self._replies.add((opening, length))
        return self._first_seeds.setdefault(opening, seed), known

    def _has_drifted(self, number: int, now: float) -> bool:
        after, after_s = self._declared.drift_after, self._declared.drift_after_s
        return bool((after and number >= after) or (after_s and now >= self._began + after_s))

    def _luck(self, what: str, number: int) -> float:
        return uniforms(1, self._seed, self._model_id, what, number)[0]
