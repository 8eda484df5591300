"""Simulated models at work: load, wait, answer. Time is injected, and nothing here knows HTTP."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from harnesslib.records import SimulatedModel, SimulatedWorld, Suite, encode, sha256
from harnesslib.simulator.answers import Answer, Conversation, Message, follow, prepare
from harnesslib.simulator.loading import Residence
from harnesslib.simulator.trouble import Troubles


@dataclass(frozen=True)
class Question:
    """One request. `seed` none = every conversation about a case gets another one."""

    messages: Sequence[Message]
    offered: Sequence[str] = ()
    seed: int | None = None
    keep_alive_s: float | None = None


@dataclass(frozen=True)
class Served:
    """One answer, and where its time went, in seconds."""

    answer: Answer
    conversation: Conversation
    load_s: float
    latency_s: float


class StillLoadingError(Exception):
    """The model refuses to answer until it is loaded."""


class ModelRoom:
    """All models of a world, side by side, with the little state they have.

    That state is what is loaded, how often a case came without a seed, and what their troubles remember.

    Parameters
    ----------
    world, suites
        Who answers, and what they know.
    clock, sleep
        Seconds that never jump, and waiting for some.
    """

    def __init__(
        self,
        world: SimulatedWorld,
        suites: Mapping[str, Suite],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.models: Mapping[str, SimulatedModel] = {model.id: model for model in world.models}
        self.digests: Mapping[str, str] = {model.id: sha256(encode(model)) for model in world.models}
        self._playbook = prepare(world, suites)
        self._residences = {model.id: Residence(model.load_s, model.keep_alive_s) for model in world.models}
        self._clock, self._sleep = clock, sleep
        self._troubles = {model.id: Troubles(model, world.seed, clock()) for model in world.models}
        self._unseeded: Counter[tuple[str, str]] = Counter()

    async def ask(self, model_id: str, question: Question) -> Served:
        """Answer one request after the model is loaded and its latency has passed.

        Raises
        ------
        StillLoadingError
            The model is loading, and is one that refuses meanwhile.
        FaultError
            Its server breaks down, as its troubles declare.
        """
        residence, asked_at = self._residences[model_id], self._clock()
        wait_s = residence.load(asked_at)
        if wait_s and self.models[model_id].loading == "refuse":
            raise StillLoadingError(model_id)
        residence.begin()
        try:
            if wait_s:
                await self._sleep(wait_s)
            return await self._reply(model_id, question, load_s=self._clock() - asked_at)
        finally:
            residence.end(self._clock(), question.keep_alive_s)

    async def _reply(self, model_id: str, question: Question, *, load_s: float) -> Served:
        """Answer for a model that is loaded, its troubles included."""
        trouble, book = self._troubles[model_id], self._playbook
        conversation = follow(question.messages)
        seed, known = self._seed(model_id, conversation, question.seed), False
        plight = trouble.begin(self._clock())
        try:
            if conversation.opening in book.cached.get(model_id, ()):
                seed, known = trouble.remembered(conversation.opening, conversation.length, seed)
            answer = book.answer(
                model_id, conversation, seed=seed, offered=question.offered, odds=plight.odds
            )
            latency_s = plight.slowdown * book.latency_s(model_id, conversation, seed=seed)
            if known:
                latency_s = self.models[model_id].trouble.cached_s
            await self._sleep(latency_s)
        finally:
            trouble.end()
        return Served(answer, conversation, load_s, latency_s)

    def move(self, model_id: str, keep_alive_s: float | None) -> str:
        """Load a model, or unload it when `keep_alive_s` is 0; return which: "load" or "unload"."""
        residence = self._residences[model_id]
        if keep_alive_s != 0:
            residence.load(self._clock())
        residence.keep(keep_alive_s)
        return "unload" if keep_alive_s == 0 else "load"

    def loaded(self) -> dict[str, float | None]:
        """Return the models in memory, and the seconds each one stays (none = for good)."""
        now = self._clock()
        rooms = self._residences.items()
        return {name: place.expires_in_s(now) for name, place in rooms if place.state(now) == "loaded"}

    def _seed(self, model_id: str, conversation: Conversation, seed: int | None) -> int | str:
        """Return the seed of a conversation; without one, count the conversations that began this way."""
        if seed is not None:
            return seed
        key = (model_id, conversation.opening)
        begins = conversation.turn == 0 and not conversation.tools_answered
        if begins and self._playbook.knows(conversation):
            self._unseeded[key] += 1
        return f"unseeded {self._unseeded[key]}"
