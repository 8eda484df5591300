"""A call that can't be read is asked for again where settings say so, with another seed, and it costs."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from harnesslib.executors.attempt import Target, take
from harnesslib.records import Assignment, Prompt, Settings, Spec
from harnesslib.testing import FakeClient, FakeClock, reply, right_answer, tiny_suite

SUITE = tiny_suite("atomic")
CASE = SUITE.cases[0]


def sample(answer, prompt=None, **settings):
    clock = FakeClock()
    client = FakeClient(answer, models=("m",))
    job = Assignment(
        stage="run",
        spec=Spec(model="m", phase="atomic", settings=Settings(**settings)),
        case_id=CASE.id,
        repeat=0,
        position=0,
        seed=5,
        requested_model="m",
    )

    async def taken():
        async with client:
            return await take(job, CASE, SUITE, Target(client, clock, "1", prompt=prompt))

    return asyncio.run(taken()), client


def broken_first(times: int):
    seen = []

    def answer(request):
        seen.append(request.seed)
        if len(seen) <= times:
            return reply(text="{", malformed="torn", latency_s=0.02, input_tokens=10, output_tokens=2)
        return msgspec.structs.replace(
            right_answer(request), latency_s=0.02, input_tokens=10, output_tokens=2
        )

    return answer, seen


def test_without_the_setting_a_broken_call_is_the_answer():
    answer, seen = broken_first(1)
    found, _ = sample(answer, retries=3)
    assert ("malformed", 1, 1) == (found.outcome, found.attempts, len(seen))


def test_with_it_another_seed_is_asked_and_all_answers_count_in_time_and_tokens():
    answer, seen = broken_first(2)
    found, _ = sample(answer, retries=2, retry_malformed=True)
    assert ("pass", 3) == (found.outcome, found.attempts)
    assert 3 == len(set(seen[:3]))
    assert found.latency_s == pytest.approx(0.02 * found.requests)
    assert (10 * found.requests, 2 * found.requests) == (found.input_tokens, found.output_tokens)


def test_it_ends_with_the_tries():
    answer, seen = broken_first(9)
    found, _ = sample(answer, retries=2, retry_malformed=True)
    assert ("malformed", 3, 3) == (found.outcome, found.attempts, len(seen))


@pytest.mark.parametrize("form", ["native", "tags"])
def test_a_prompt_of_ones_own_is_what_the_system_says(form):
    prompt = Prompt(format=form, system_prompt="Be kind.")
    _, client = sample(right_answer, prompt, variant=prompt.pinned("kind"))
    first = client.requests[0]
    said = [message["content"] for message in first.messages if message["role"] == "system"]
    assert 1 == len(said)
    assert "Be kind." in said[0]
    assert (form == "native") == bool(first.tools)
