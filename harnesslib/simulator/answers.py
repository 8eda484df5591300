"""What a simulated model says: a pure function of the world, the suites, the conversation and the seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harnesslib import variants
from harnesslib.errors import InputError
from harnesslib.parsers import write
from harnesslib.records import Case, SimulatedModel, SimulatedWorld, Suite
from harnesslib.simulator.mistakes import Calls, mistakes, reference, wants_call
from harnesslib.simulator.truth import declared, marked, probabilities, uniforms
from harnesslib.suites.parametric import rows

UNKNOWN = "I am a simulated model. I know the cases of my suites, and this is none of them."
UNDECLARED = "I am a simulated model, and how good I am at this suite is not declared."
AT_THE_END = "I am a simulated model, and this conversation has no further turn in my suite."
TORN = 2
"""Characters cut from the end of a malformed call: enough to break any JSON object, and any text format."""

ABSTAINED = "I am not able to do that."


class Message(Protocol):
    """The part of a chat message that an answer depends on."""

    @property
    def role(self) -> str:
        """Who speaks: "system", "user", "assistant" or "tool"."""

    @property
    def content(self) -> str | Sequence[Mapping[str, Any]] | None:
        """Text, or parts of which those of type "text" count."""


@dataclass(frozen=True)
class Answer:
    """What a model says: calls, or text. With `malformed` the calls' arguments must be made unreadable."""

    calls: Calls = ()
    text: str = ""
    malformed: bool = False


@dataclass(frozen=True)
class Script:
    """One case, prepared: the right calls and the closing words of each turn, and how to fail it.

    `failures` maps the number of each turn that can fail to the ways to do so.
    """

    case_id: str
    right: tuple[Calls, ...]
    replies: tuple[str, ...]
    failures: Mapping[int, Mapping[str, tuple[Calls, ...]]]


@dataclass(frozen=True)
class Conversation:
    """Where a conversation stands: its first words, the turn (from 0), and whether tools have answered.

    `variant` is how calls are to be written; in a text variant `offered` names the tools of its prompt.
    """

    opening: str
    turn: int
    tools_answered: bool
    length: int
    variant: str = variants.NATIVE
    offered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Playbook:
    """Everything that can be known before the first request.

    `scripts` is keyed by the first words of the user, `chances` by model and then by the same words. `slow`
    and `cached` hold the words of each model's cases that have this trouble.
    """

    seed: int
    models: Mapping[str, SimulatedModel]
    scripts: Mapping[str, Script]
    chances: Mapping[str, Mapping[str, float]]
    slow: Mapping[str, frozenset[str]]
    cached: Mapping[str, frozenset[str]]

    def answer(
        self,
        model_id: str,
        conversation: Conversation,
        *,
        seed: int | str,
        offered: Sequence[str],
        odds: float = 1.0,
    ) -> Answer:
        """Return what a model says next.

        One draw per (world, model, case, seed) decides about the whole conversation, so that its requests,
        which come one by one, agree. `offered` names the tools of the request (a text variant's stand in
        the conversation): others are never called. `odds` is what trouble leaves of the pass rate.
        """
        in_words = conversation.variant != variants.NATIVE
        named = conversation.offered if in_words else offered
        answer = self._answer(model_id, conversation, seed=seed, offered=named, odds=odds)
        if answer.calls and self._is_unreadable(model_id, conversation, seed):
            answer = Answer(calls=answer.calls, malformed=True)
        return _in_text(answer, conversation.variant) if in_words else answer

    def _is_unreadable(self, model_id: str, conversation: Conversation, seed: int | str) -> bool:
        trouble = self.models[model_id].trouble
        if trouble.unreadable_in and conversation.variant not in trouble.unreadable_in:
            return False
        luck = uniforms(1, self.seed, model_id, "unreadable", conversation.opening, seed)[0]
        return luck < trouble.unreadable_share

    def _answer(
        self,
        model_id: str,
        conversation: Conversation,
        *,
        seed: int | str,
        offered: Sequence[str],
        odds: float,
    ) -> Answer:
        script = self.scripts.get(conversation.opening)
        if script is None:
            return Answer(text=UNKNOWN)
        chance = self.chances[model_id].get(conversation.opening)
        if chance is None:
            return Answer(text=UNDECLARED)
        if conversation.turn >= len(script.right):
            return Answer(text=AT_THE_END)
        if conversation.tools_answered:
            return Answer(text=script.replies[conversation.turn])
        luck, *draws = uniforms(5, self.seed, model_id, script.case_id, seed)
        answer = _right(script, conversation.turn)
        if luck >= chance * odds:
            share = self.models[model_id].malformed_share
            answer = _failed(script, conversation.turn, malformed_share=share, draws=draws)
        if {call.name for call in answer.calls} <= set(offered):
            return answer
        return Answer(text=ABSTAINED)

    def knows(self, conversation: Conversation) -> bool:
        """Return whether a conversation is about a case of the suites."""
        return conversation.opening in self.scripts

    def latency_s(self, model_id: str, conversation: Conversation, *, seed: int | str) -> float:
        """Return how long the model takes for this request: lognormal, the same for the same request."""
        model = self.models[model_id]
        one, two = uniforms(2, self.seed, model_id, seed, conversation.length, conversation.opening)
        normal = math.sqrt(-2 * math.log(1 - one)) * math.cos(2 * math.pi * two)
        late_s = model.trouble.slow_s if conversation.opening in self.slow.get(model_id, ()) else 0.0
        return model.latency_s * math.exp(model.latency_spread * normal) + late_s


def prepare(world: SimulatedWorld, suites: Mapping[str, Suite]) -> Playbook:
    """Index every case of the suites by its first words, and work out how each model fares.

    A parametric case is indexed once per row of its values; all rows are equally hard.

    Raises
    ------
    InputError
        Two cases start with the same words, or a case can't be failed (it offers no tool).
    """
    scripts: dict[str, Script] = {}
    chances: dict[str, dict[str, float]] = {model.id: {} for model in world.models}
    troubled = {"slow": dict[str, frozenset[str]](), "cached": dict[str, frozenset[str]]()}
    for suite in _distinct(suites.values()):
        openings = [(row.turns[0].user.strip(), row) for case in suite.cases for row in rows(case)]
        for opening, case in openings:
            if opening in scripts:
                cure = "cure: change the words of one"
                both = f"{scripts[opening].case_id!r} and {case.id!r}"
                raise InputError(f"suite {suite.name}: cases {both} start with the same words; {cure}")
            scripts[opening] = _script(suite, case)
        for model in world.models:
            if declared(world, model.id, suite.name):
                table = probabilities(world, model.id, suite)
                chances[model.id].update({opening: table[case.id] for opening, case in openings})
            for name, share in (("slow", model.trouble.slow_share), ("cached", model.trouble.cached_share)):
                ids = marked(share, suite, world.seed, model.id, name)
                here = {opening for opening, case in openings if case.id in ids}
                troubled[name][model.id] = troubled[name].get(model.id, frozenset()) | here
    models = {model.id: model for model in world.models}
    return Playbook(seed=world.seed, models=models, scripts=scripts, chances=chances, **troubled)


def follow(messages: Sequence[Message]) -> Conversation:
    """Return where a conversation stands."""
    opening, turns, tools_answered = "", 0, False
    variant, offered = variants.NATIVE, tuple[str, ...]()
    for message in messages:
        text = _text(message.content)
        if message.role == "tool" or (message.role == "user" and variants.are_results(text)):
            tools_answered = True
        elif message.role == "user":
            opening = opening if turns else text.strip()
            turns += 1
            tools_answered = False
        elif message.role == "system":
            variant, offered = variants.offered(text) or (variant, offered)
    return Conversation(opening, max(turns - 1, 0), tools_answered, len(messages), variant, offered)


def _distinct(suites: Iterable[Suite]) -> list[Suite]:
    """Leave out a suite that is there under two names (two phases may share it)."""
    found: list[Suite] = []
    for suite in suites:
        if suite not in found:
            found.append(suite)
    return found


def _script(suite: Suite, case: Case) -> Script:
    failures = {
        number: ways
        for number, turn in enumerate(case.turns)
        if wants_call(turn) or not case.wants_call
        if (ways := mistakes(suite, case, turn))
    }
    if not failures:
        cure = "cure: let it offer a tool that no answer needs"
        raise InputError(f"suite {suite.name}, case {case.id!r}: no simulated model can fail it; {cure}")
    return Script(
        case_id=case.id,
        right=tuple(reference(turn) for turn in case.turns),
        replies=tuple(turn.reply for turn in case.turns),
        failures=failures,
    )


def _right(script: Script, turn: int) -> Answer:
    calls = script.right[turn]
    return Answer(calls=calls) if calls else Answer(text=script.replies[turn])


def _failed(script: Script, turn: int, *, malformed_share: float, draws: Sequence[float]) -> Answer:
    """Return the answer of a conversation that fails: right until its bad turn, and right again after it."""
    which, broken, kind, variant = draws
    if turn != _pick(tuple(script.failures), which):
        return _right(script, turn)
    if script.right[turn] and broken < malformed_share:
        return Answer(calls=script.right[turn], malformed=True)
    calls = _pick(_pick(tuple(script.failures[turn].values()), kind), variant)
    return Answer(calls=calls) if calls else Answer(text=ABSTAINED)


def _in_text(answer: Answer, variant: str) -> Answer:
    """Return an answer whose calls stand in its text; a malformed one is torn off before its end."""
    if not answer.calls:
        return answer
    text = write(variant, answer.calls)
    return Answer(text=text[:-TORN] if answer.malformed else text)


def _pick(choices: Sequence[Any], draw: float) -> Any:  # noqa: ANN401 - it returns what it was given
    return choices[int(draw * len(choices))]


def _text(content: str | Sequence[Mapping[str, Any]] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(str(part.get("text", "")) for part in content if part.get("type") == "text")
