"""One sample: a case is put to a model, turn by turn, until it is answered or its deadline has passed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from harnesslib import scoring, variants, worlds
from harnesslib.executors.pace import Gate
from harnesslib.parsers import write
from harnesslib.ports import Client, Clock
from harnesslib.records import (
    Assignment,
    Call,
    Case,
    ChatRequest,
    Failure,
    Prompt,
    Reply,
    Sample,
    Score,
    Spec,
    Suite,
)
from harnesslib.records.base import Record, encode
from harnesslib.suites.parametric import instantiate

MAX_REQUESTS_PER_TURN = 6
MAX_TEXT = 2000
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
PAUSE_GROWTH = 1.6
WARM_UP_MESSAGE = "Are you ready? Answer with one word."
WARM_UP_FAILURES = 5
_NOT_WORTH_RETRYING = frozenset(range(400, 500)) - {408, 425, 429}
_TOKENS_PER_PRICE = 1_000_000
Price: TypeAlias = tuple[float | None, float | None]
"""Of a million tokens read and written; none = unknown."""


@dataclass(frozen=True)
class Target:
    """What samples of one model in one run share.

    `concurrency` is the number of samples that the endpoint works on, this one included. `gate` keeps the
    endpoint's pace; none where one sample stands alone. `prompt` is the text of the variant where that is
    one of somebody's own.
    """

    client: Client
    clock: Clock
    run_id: str
    price: Price = (None, None)
    concurrency: int = 1
    gate: Gate | None = None
    prompt: Prompt | None = None


class WarmUp(Record):
    """How a warm-up ended. `seconds` is what it took; no sample contains it."""

    model: str
    ok: bool
    seconds: float
    detail: str


async def take(assignment: Assignment, case: Case, suite: Suite, target: Target) -> Sample:
    """Take one sample.

    Parameters
    ----------
    assignment
        What is asked of whom, and under which seed.
    case
        The case of the assignment; of a parametric one the assignment's seed chooses the values.
    suite
        The suite that the case belongs to: it holds the tools.
    target
        Endpoint, clock, run and price.

    Returns
    -------
    Sample
        Always: a timeout or an infrastructure failure is an outcome. `attempts` counts tries after an
        infrastructure failure, `requests` all that was sent. `latency_s` is the time of the answers alone:
        neither pauses nor failed tries. `load_s` is what the endpoint said it spent loading, or how long it
        refused because it was loading. Answers that could not be read and were asked for again count in time,
    tokens and cost.

    Notes
    -----
    One deadline for the whole case. A model that is still loading is asked again until then; other failures
    are retried ``settings.retries`` times, after the pause that the endpoint asks for. What a client's error
    (4xx) says will not change by asking again.
    """
    started_at, started = target.clock.now(), target.clock.monotonic()
    deadline = started + assignment.spec.settings.timeout_s
    attempt = _Attempt(assignment, instantiate(case, assignment.seed), suite, target, deadline)
    failure = await attempt.converse()
    return attempt.sample(failure, started_at=started_at, elapsed_s=target.clock.monotonic() - started)


def lost(
    assignment: Assignment, case: Case, suite: Suite, target: Target, *, detail: str, started_at: datetime
) -> Sample:
    """Return the sample of an attempt that got lost with the process that made it."""
    attempt = _Attempt(assignment, instantiate(case, assignment.seed), suite, target, deadline=0.0)
    failure = Failure(kind="infra_error", detail=detail)
    elapsed_s = (target.clock.now() - started_at).total_seconds()
    return attempt.sample(failure, started_at=started_at, elapsed_s=elapsed_s)


async def warm_up(client: Client, spec: Spec, *, clock: Clock, budget_s: float) -> WarmUp:
    """Ask a model something small until it answers.

    Parameters
    ----------
    client
        The endpoint.
    spec
        Whose model is warmed up.
    clock
        Measures, and waits between tries.
    budget_s
        Seconds after which to give up. A refusal that stays the same ends it sooner.
    """
    started = clock.monotonic()
    request = ChatRequest(
        model=spec.model,
        messages=({"role": "user", "content": WARM_UP_MESSAGE},),
        tools=(),
        temperature=spec.settings.temperature,
        seed=0,
    )
    pause, refused = FIRST_PAUSE_S, 0
    while True:
        left = started + budget_s - clock.monotonic()
        answer = await client.chat(request, left)
        if isinstance(answer, Reply):
            return WarmUp(model=spec.model, ok=True, seconds=clock.monotonic() - started, detail="answered")
        refused += answer.kind == "infra_error"
        left = started + budget_s - clock.monotonic()
        if left <= 0 or refused >= WARM_UP_FAILURES:
            seconds = clock.monotonic() - started
            return WarmUp(model=spec.model, ok=False, seconds=seconds, detail=answer.detail)
        await clock.sleep(min(max(pause, answer.retry_after_s or 0.0), left))
        pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_S)


@dataclass
class _Attempt:
    """The state of one conversation: what was said, and what it took."""

    assignment: Assignment
    case: Case
    suite: Suite
    target: Target
    deadline: float
    messages: list[dict[str, Any]] = field(default_factory=list)
    turns: list[tuple[Call, ...]] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    discarded: list[Reply] = field(default_factory=list)
    attempts: int = 1
    requests: int = 0
    refused_loading_s: float = 0.0

    async def converse(self) -> Failure | None:
        """Go through the turns; returns the failure that ended it, if one did."""
        said = self.target.prompt.system_prompt if self.target.prompt else ""
        self.messages += variants.messages(self.format, self.suite.tools_of(self.case), said)
        for turn in self.case.turns:
            self.messages.append({"role": "user", "content": turn.user})
            self.turns.append(())
            for _ in range(MAX_REQUESTS_PER_TURN):
                reply = await self._ask()
                if isinstance(reply, Failure):
                    return reply
                self.replies.append(reply)
                self._note(reply)
                if reply.malformed or not reply.calls:
                    break
            if self.replies[-1].malformed or self.replies[-1].calls:
                break  # it can't be read, or it calls without end: a next turn would mean nothing
        return None

    @property
    def format(self) -> str:
        """How tools are offered and calls are written."""
        return variants.format_of(self.assignment.spec.settings.variant, self.target.prompt)

    @property
    def answers(self) -> list[Reply]:
        """All that was answered: also what could not be read and was asked for again."""
        return [*self.discarded, *self.replies]

    def sample(self, failure: Failure | None, *, started_at: datetime, elapsed_s: float) -> Sample:
        """Return what was observed."""
        score = self._failed(failure) if failure else self._scored()
        first, last = (self.replies[0], self.replies[-1]) if self.replies else (None, None)
        read, written = (None, None) if failure else self._tokens()
        return Sample(
            **_identity(self.assignment, self.case),
            run_id=self.target.run_id,
            served_model=last.served_model if last else "",
            started_at=started_at,
            outcome=score.outcome,
            detail=score.detail,
            turns=tuple(self.turns),
            text=last.text[:MAX_TEXT] if last else "",
            latency_s=None if failure else sum(reply.latency_s for reply in self.answers),
            elapsed_s=elapsed_s,
            ttfb_s=first.ttfb_s if first else None,
            load_s=self._load_s(),
            attempts=self.attempts,
            requests=self.requests,
            concurrency=self.target.concurrency,
            input_tokens=read,
            output_tokens=written,
            cost=_cost((read, written), self.target.price),
        )

    async def _ask(self) -> Reply | Failure:
        """Ask until there is an answer that can be read, or no more time or tries."""
        job = self.assignment
        request = ChatRequest(
            model=job.spec.model,
            messages=tuple(self.messages),
            tools=self.suite.tools_of(self.case) if self.format == variants.NATIVE else (),
            temperature=job.spec.settings.temperature,
            seed=job.seed,
        )
        while True:
            answer = await self._hear(request)
            if isinstance(answer, Failure) or not self._ask_again_for(answer):
                return answer
            # The same seed would give the same answer again.
            request = msgspec.structs.replace(request, seed=job.seed ^ self.attempts)

    async def _hear(self, request: ChatRequest) -> Reply | Failure:
        """Ask until there is an answer, or no more time or tries."""
        clock = self.target.clock
        pause = FIRST_PAUSE_S
        while True:
            if self.target.gate:
                await self.target.gate.rest(self.deadline)
            asked = clock.monotonic()
            if asked >= self.deadline:
                return Failure(kind="timeout", detail="")
            answer = await self._ask_once(request, self.deadline - asked)
            if isinstance(answer, Reply):
                return variants.read(self.format, answer)
            if answer.kind == "timeout":
                return answer
            left = self.deadline - clock.monotonic()
            wait = max(pause, answer.retry_after_s or 0.0)
            if answer.kind == "infra_error":
                if not self._may_retry(answer) or wait >= left:
                    return answer
                self.attempts += 1
            await clock.sleep(max(0.0, min(wait, left)))
            if answer.kind == "loading":
                self.refused_loading_s += clock.monotonic() - asked
                if clock.monotonic() >= self.deadline:
                    return answer
            pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_S)

    async def _ask_once(self, request: ChatRequest, timeout_s: float) -> Reply | Failure:
        gate = self.target.gate
        wave = gate.pace.wave if gate else 0
        answer = await self.target.client.chat(request, timeout_s)
        self.requests += 1
        if gate:
            gate.note(answer, wave)
        return answer

    def _may_retry(self, failure: Failure) -> bool:
        return failure.status not in _NOT_WORTH_RETRYING and (
            self.attempts <= self.assignment.spec.settings.retries
        )

    def _ask_again_for(self, reply: Reply) -> bool:
        """Whether a reply is put aside, because its calls can't be read and settings say to ask again."""
        settings = self.assignment.spec.settings
        if not reply.malformed or settings.retry_malformed is not True or self.attempts > settings.retries:
            return False
        self.attempts += 1
        self.discarded.append(reply)
        return True

    def _note(self, reply: Reply) -> None:
        """Write the reply into the conversation, with the results of its calls."""
        if not reply.calls or reply.malformed:
            self.messages.append({"role": "assistant", "content": reply.text})
        elif self.format == variants.NATIVE:
            self._note_calls(reply)
        else:
            said = reply.text or write(self.format, reply.calls)
            self.messages.append({"role": "assistant", "content": said})
            self.messages.append(variants.results(reply.calls, self._results(reply)))
        self.turns[-1] += reply.calls

    def _note_calls(self, reply: Reply) -> None:
        first = sum(map(len, self.turns))
        ids = [f"call_{first + index}" for index in range(len(reply.calls))]
        written = [_written(id_, call) for id_, call in zip(ids, reply.calls, strict=True)]
        self.messages.append({"role": "assistant", "content": reply.text, "tool_calls": written})
        for id_, result in zip(ids, self._results(reply), strict=True):
            self.messages.append({"role": "tool", "tool_call_id": id_, "content": encode(result).decode()})

    def _results(self, reply: Reply) -> list[dict[str, Any]]:
        """Return what the tools answer; each knows all calls before it, those of the same reply too."""
        earlier = [call for turn in self.turns for call in turn]
        return [
            worlds.respond(self.case.world, [*earlier, *reply.calls[:index]], call)
            for index, call in enumerate(reply.calls)
        ]

    def _scored(self) -> Score:
        return scoring.score(self.case, self.turns, self.replies[-1].malformed)

    def _failed(self, failure: Failure) -> Score:
        if failure.kind == "infra_error":
            return Score(outcome="infra_error", detail=failure.detail)
        timeout_s = self.assignment.spec.settings.timeout_s
        where = f"no answer to request {len(self.replies) + 1} by the deadline of {timeout_s:g} s"
        why = "; the model was still loading" if failure.kind == "loading" else ""
        return Score(outcome="timeout", detail=where + why)

    def _tokens(self) -> tuple[int | None, int | None]:
        return (
            _sum_of_known(reply.input_tokens for reply in self.answers),
            _sum_of_known(reply.output_tokens for reply in self.answers),
        )

    def _load_s(self) -> float | None:
        stated = [reply.load_s for reply in self.replies if reply.load_s is not None]
        if self.refused_loading_s:
            return self.refused_loading_s + sum(stated)
        return sum(stated) if stated else None


def _identity(assignment: Assignment, case: Case) -> dict[str, Any]:
    """Return the fields of a sample that were known before it was taken."""
    planned = {name: getattr(assignment, name) for name in Assignment.__struct_fields__ if name != "spec"}
    spec = assignment.spec
    asked = {"spec_id": spec.id, "model": spec.model, "phase": spec.phase}
    return planned | asked | {"skill": case.skill, "wants_call": case.wants_call}


def _sum_of_known(counts: Iterable[int | None]) -> int | None:
    """Return the sum, or none where a part of it is unknown."""
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def _cost(tokens: tuple[int | None, int | None], price: Price) -> float | None:
    """Return what tokens cost; what is free costs nothing, however many there were."""
    total = 0.0
    for count, each in zip(tokens, price, strict=True):
        if each is None or (count is None and each):
            return None
        total += (count or 0) * each
    return total / _TOKENS_PER_PRICE


def _written(id_: str, call: Call) -> dict[str, Any]:
    """Return a call as it stands in an assistant's message."""
    arguments = msgspec.json.encode(call.arguments).decode()
    return {"id": id_, "type": "function", "function": {"name": call.name, "arguments": arguments}}
