"""One sample: retries, deadlines, loading, conversations, and what is written down about them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from harnesslib import variants
from harnesslib.executors.attempt import MAX_REQUESTS_PER_TURN, MAX_TEXT
from harnesslib.parsers import write
from harnesslib.records import Assignment, Call, Case, ExpectedCall, Failure, Settings, Spec, Suite, Turn
from harnesslib.run_benchmark import Target, take, warm_up
from harnesslib.suites.parametric import instantiate
from harnesslib.testing import EPOCH, FakeClient, FakeClock, reply, right_answer, tiny_suite

SUITE = tiny_suite("atomic")
CASE = SUITE.cases[0]
RIGHT = Call(name="double", arguments={"number": 1})
REFUSED = Failure(kind="infra_error", detail="can't connect: refused")
LOADING = Failure(kind="loading", detail="Loading model", status=503)


class Endpoint:
    """Says one thing after the other; every answer takes a tenth of a second, a timeout all there is."""

    def __init__(self, *script) -> None:
        self.clock = FakeClock()
        self.script = list(script)
        self.client = FakeClient(self.answer)

    def answer(self, request):
        said = self.script.pop(0) if self.script else right_answer
        if isinstance(said, Failure) and said.kind == "timeout":
            self.clock.advance(self.client.timeouts[-1])
        else:
            self.clock.advance(0.1)
        return said(request) if isinstance(said, Callable) else said

    def take(
        self,
        case: Case = CASE,
        suite: Suite = SUITE,
        assignment: Assignment | None = None,
        *,
        price=(2.0, 10.0),
        **settings,
    ):
        """Take one sample."""
        spec = Spec(model="m", phase="atomic", settings=Settings(**({"timeout_s": 10.0} | settings)))
        job = assignment or Assignment(
            stage="screen", spec=spec, case_id=case.id, repeat=2, position=7, seed=5, requested_model="asked"
        )
        target = Target(self.client, self.clock, "run-1", price=price, concurrency=3)

        async def main():
            async with self.client:
                return await take(job, case, suite, target)

        return asyncio.run(main())


def conversation(*accept: tuple[ExpectedCall, ...], world: str = "") -> tuple[Case, Suite]:
    """Return a case of several turns, and its suite."""
    turns = tuple(Turn(user=f"turn {number}", accept=(calls,)) for number, calls in enumerate(accept))
    case = Case(
        id="long", skill="talk", split="search", turns=turns, tools=("double",), notes="", world=world
    )
    return case, Suite(name="s", version="1", title="", description="", tools=SUITE.tools, cases=(case,))


def double(number: int) -> Call:
    return Call(name="double", arguments={"number": number})


def wanted(number: int) -> tuple[ExpectedCall, ...]:
    return (ExpectedCall(name="double", arguments={"number": number}),)


def test_a_right_answer_passes_with_everything_written_down():
    sample = Endpoint(
        reply(RIGHT, input_tokens=100, output_tokens=20, latency_s=0.1, ttfb_s=0.05, load_s=0.4),
        reply(text="Done.", input_tokens=150, output_tokens=5, latency_s=0.2, ttfb_s=0.15),
    ).take()
    assert ("pass", ((RIGHT,),), "Done.") == (sample.outcome, sample.turns, sample.text)
    assert ("run-1", "screen", "m", "asked", "served") == (
        sample.run_id, sample.stage, sample.model, sample.requested_model, sample.served_model
    )  # fmt: skip
    assert (2, 7, 5, 3, EPOCH) == (
        sample.repeat, sample.position, sample.seed, sample.concurrency, sample.started_at
    )  # fmt: skip
    assert pytest.approx(0.3) == sample.latency_s
    assert pytest.approx(0.2) == sample.elapsed_s
    assert (0.05, 0.4, 1, 2) == (sample.ttfb_s, sample.load_s, sample.attempts, sample.requests)
    assert (250, 25) == (sample.input_tokens, sample.output_tokens)
    assert pytest.approx((250 * 2 + 25 * 10) / 1e6) == sample.cost


@pytest.mark.parametrize(
    ("silent", "price", "read", "cost"),
    [
        ({}, (2.0, 10.0), 250, (250 * 2 + 25 * 10) / 1e6),
        ({}, (2.0, None), 250, None),
        ({"input_tokens": None}, (2.0, 10.0), None, None),
        ({"input_tokens": None}, (0.0, 10.0), None, 25 * 10 / 1e6),
        ({"input_tokens": None, "output_tokens": None}, (0.0, 0.0), None, 0.0),
    ],
)
def test_tokens_and_cost_are_unknown_unless_every_answer_and_price_is_stated(silent, price, read, cost):
    first = {"input_tokens": 100, "output_tokens": 20}
    sample = Endpoint(
        reply(RIGHT, **first), reply(text="Done.", **({"input_tokens": 150, "output_tokens": 5} | silent))
    ).take(price=price)
    assert (read, cost) == (sample.input_tokens, pytest.approx(cost) if cost else sample.cost)


def test_a_sample_that_failed_has_unknown_tokens_and_costs_nothing_only_where_it_is_free():
    stated = reply(RIGHT, input_tokens=100, output_tokens=20)
    for price, cost in (((2.0, 10.0), None), ((0.0, 0.0), 0.0)):
        sample = Endpoint(stated, Failure(kind="timeout", detail="")).take(price=price)
        assert ("timeout", None, None, cost) == (
            sample.outcome, sample.input_tokens, sample.output_tokens, sample.cost
        )  # fmt: skip


def test_a_call_and_its_result_stand_in_the_next_request_in_openais_form():
    endpoint = Endpoint()
    endpoint.take()
    question, call, result = endpoint.client.requests[1].messages
    assert {"role": "user", "content": "search-1: 1"} == question
    function = {"name": "double", "arguments": '{"number":1}'}
    assert [{"id": "call_0", "type": "function", "function": function}] == call["tool_calls"]
    assert ("tool", "call_0") == (result["role"], result["tool_call_id"])
    assert json.loads(result["content"])["ok"]
    assert (5, 0.0, SUITE.tools) == (
        endpoint.client.requests[0].seed,
        endpoint.client.requests[0].temperature,
        endpoint.client.requests[0].tools,
    )


def test_a_conversation_keeps_calls_by_turn_and_numbers_them_on():
    case, suite = conversation(wanted(1), (), wanted(3), world="office")
    endpoint = Endpoint(
        reply(double(1)), reply(text="ok"), reply(text="just words"), reply(double(3), double(3)), reply()
    )
    sample = endpoint.take(case, suite)
    assert ((double(1),), (), (double(3), double(3))) == sample.turns
    messages = endpoint.client.requests[-1].messages
    roles = [message["role"] for message in messages]
    assert [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
        "assistant",
        "user",
        "assistant",
        "tool",
        "tool",
    ] == roles
    assert ["call_0", "call_1", "call_2"] == [m["tool_call_id"] for m in messages if m["role"] == "tool"]
    assert {"role": "assistant", "content": "just words"} == messages[5]
    assert "wrong" == sample.outcome


def test_a_tool_answers_knowing_all_calls_before_it_those_of_the_same_reply_too(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "harnesslib.worlds.respond", lambda world, earlier, call: seen.append((earlier, call)) or {}
    )
    case, suite = conversation(wanted(1), wanted(2))
    Endpoint(reply(double(1)), reply(), reply(double(2), double(3)), reply()).take(case, suite)
    assert [([], 1), ([double(1)], 2), ([double(1), double(2)], 3)] == [
        (earlier, call.arguments["number"]) for earlier, call in seen
    ]


def test_a_malformed_call_ends_the_conversation_and_is_no_restraint():
    case, suite = conversation((), ())
    endpoint = Endpoint(reply(malformed="arguments are no JSON"))
    sample = endpoint.take(case, suite)
    assert ("malformed", 1) == (sample.outcome, sample.requests)
    assert "arguments are no JSON" in sample.detail


def test_calls_without_end_are_cut_off():
    case, suite = conversation(wanted(1), wanted(2))
    endpoint = Endpoint(*[reply(double(1))] * 20)
    sample = endpoint.take(case, suite)
    assert ("wrong", MAX_REQUESTS_PER_TURN) == (sample.outcome, sample.requests)
    assert ((double(1),) * MAX_REQUESTS_PER_TURN,) == sample.turns


def test_an_infrastructure_failure_is_retried_and_its_pause_is_no_latency():
    endpoint = Endpoint(REFUSED, reply(RIGHT, latency_s=0.1), reply(latency_s=0.1))
    sample = endpoint.take(retries=1)
    assert ("pass", 2, 3) == (sample.outcome, sample.attempts, sample.requests)
    assert pytest.approx(0.2) == sample.latency_s
    assert pytest.approx(0.3 + sum(endpoint.clock.pauses)) == sample.elapsed_s
    assert 1 == len(endpoint.clock.pauses)


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_are_counted_and_what_stays_broken_is_an_infra_error(retries):
    endpoint = Endpoint(*[REFUSED] * 9)
    sample = endpoint.take(retries=retries)
    assert ("infra_error", "can't connect: refused") == (sample.outcome, sample.detail)
    assert (retries + 1, retries + 1) == (sample.attempts, sample.requests)
    assert (None, (()), "") == (sample.latency_s, sample.turns[0], sample.served_model)


def test_retries_are_for_the_whole_case():
    endpoint = Endpoint(REFUSED, reply(RIGHT), REFUSED)
    assert ("infra_error", 2) == (endpoint.take(retries=1).outcome, 3 - 1)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_what_asking_again_will_not_change_is_not_asked_again(status):
    endpoint = Endpoint(*[Failure(kind="infra_error", detail=f"HTTP {status}: no", status=status)] * 9)
    assert ("infra_error", 1) == ((sample := endpoint.take(retries=5)).outcome, sample.requests)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_what_may_pass_is_asked_again(status):
    endpoint = Endpoint(Failure(kind="infra_error", detail=f"HTTP {status}: later", status=status))
    assert ("pass", 2) == ((sample := endpoint.take(retries=1)).outcome, sample.attempts)


def test_retry_after_is_honoured_and_is_no_latency():
    endpoint = Endpoint(Failure(kind="infra_error", detail="HTTP 429: slow", status=429, retry_after_s=3.0))
    sample = endpoint.take(retries=1)
    assert ([3.0], "pass") == (endpoint.clock.pauses, sample.outcome)
    assert sample.latency_s < 1.0
    assert sample.elapsed_s > 3.0


def test_a_retry_after_beyond_the_deadline_is_not_waited_for():
    endpoint = Endpoint(Failure(kind="infra_error", detail="HTTP 429: slow", status=429, retry_after_s=60.0))
    sample = endpoint.take(retries=1)
    assert ([], "infra_error", "HTTP 429: slow") == (endpoint.clock.pauses, sample.outcome, sample.detail)


def test_one_deadline_holds_for_the_whole_case():
    endpoint = Endpoint(REFUSED, reply(RIGHT), reply())
    endpoint.take(timeout_s=2.0, retries=1)
    pause = endpoint.clock.pauses[0]
    assert pytest.approx([2.0, 1.9 - pause, 1.8 - pause]) == endpoint.client.timeouts


def test_no_answer_by_the_deadline_is_a_timeout():
    sample = Endpoint(reply(RIGHT), Failure(kind="timeout", detail="no answer")).take(timeout_s=2.0)
    assert ("timeout", None, 2.0) == (sample.outcome, sample.latency_s, sample.elapsed_s)
    assert "no answer to request 2 by the deadline of 2 s" == sample.detail
    assert ((RIGHT,),) == sample.turns


def test_nothing_is_asked_after_the_deadline():
    endpoint = Endpoint()
    endpoint.script = [lambda request: (endpoint.clock.advance(5.0), reply(RIGHT))[1]]
    sample = endpoint.take(timeout_s=2.0)
    assert ("timeout", 1) == (sample.outcome, sample.requests)


def test_a_loading_model_is_asked_until_it_answers_without_using_up_retries():
    endpoint = Endpoint(*[LOADING] * 5)
    sample = endpoint.take(retries=0)
    assert ("pass", 1, 7) == (sample.outcome, sample.attempts, sample.requests)
    assert pytest.approx(0.5 + sum(endpoint.clock.pauses)) == sample.load_s
    assert endpoint.clock.pauses == sorted(endpoint.clock.pauses)
    assert sample.latency_s < 0.1


def test_a_model_that_loads_too_long_is_a_timeout_that_says_so():
    endpoint = Endpoint(*[LOADING] * 999)
    sample = endpoint.take(timeout_s=2.0)
    assert "timeout" == sample.outcome
    assert sample.detail.endswith("the model was still loading")
    assert pytest.approx(2.0, abs=0.1) == sample.load_s == sample.elapsed_s


def in_variant(variant: str, *script, case: Case = CASE, suite: Suite = SUITE):
    endpoint = Endpoint(*script)
    return endpoint.take(case, suite, variant=variant), endpoint.client.requests


@pytest.mark.parametrize("variant", [name for name in variants.NAMES if name != variants.NATIVE])
class TestTextVariants:
    """Tools are offered in words, and calls are read from the text."""

    def test_no_tools_are_sent_and_the_prompt_holds_them(self, variant):
        sample, requests = in_variant(variant, reply(text=write(variant, (RIGHT,))), reply(text="Done."))
        assert {()} == {request.tools for request in requests}
        assert variants.messages(variant, SUITE.tools) == requests[0].messages[:1]
        assert ("pass", ((RIGHT,),), "Done.") == (sample.outcome, sample.turns, sample.text)

    def test_what_the_model_said_and_the_results_go_back_in_words(self, variant):
        said = write(variant, (RIGHT, RIGHT))
        _, requests = in_variant(variant, reply(text=said), reply(text="Done."))
        spoken, results = requests[1].messages[-2:]
        assert {"role": "assistant", "content": said} == spoken
        assert "user" == results["role"]
        assert variants.are_results(results["content"])
        assert 2 == results["content"].count('{"tool": "double", "result": ')

    def test_a_call_that_cannot_be_read_is_malformed(self, variant):
        sample, requests = in_variant(variant, reply(text=write(variant, (RIGHT,))[:-2]))
        assert ("malformed", 1) == (sample.outcome, len(requests))

    def test_words_alone_are_no_call(self, variant):
        sample, _ = in_variant(variant, reply(text="I can double numbers."))
        assert "abstained" == sample.outcome

    def test_calls_in_the_field_of_the_api_count_as_well(self, variant):
        sample, requests = in_variant(variant, reply(RIGHT), reply(text="Done."))
        assert "pass" == sample.outcome
        assert {"role": "assistant", "content": write(variant, (RIGHT,))} == requests[1].messages[-2]


def test_calls_in_the_text_are_not_read_where_tools_have_a_field():
    sample = Endpoint(reply(text='[double(number=1)] {"name": "double", "arguments": {"number": 1}}')).take()
    assert ("abstained", ((),)) == (sample.outcome, sample.turns)


def test_a_parametric_case_is_asked_and_scored_with_the_values_of_its_seed():
    case = Case(
        id="any", skill="doubling", split="search", notes="", tools=("double",),
        parameters={"number": (7, 8, 9, 10)},
        turns=(Turn(
            user="Double {number}.",
            accept=((ExpectedCall(name="double", arguments={"number": "{number}"}),),),
        ),),
    )  # fmt: skip
    for seed in range(8):
        spec = Spec(model="m", phase="atomic", settings=Settings())
        job = Assignment(
            stage="run", spec=spec, case_id="any", repeat=0, position=0, seed=seed, requested_model="m"
        )
        endpoint = Endpoint(lambda request: reply(double(int(request.messages[0]["content"][7:-1]))), reply())
        sample = endpoint.take(case, SUITE, job)
        asked = endpoint.client.requests[0].messages[0]["content"]
        assert f"Double {instantiate(case, seed).turns[0].accept[0][0].arguments['number']}." == asked
        assert ("pass", "any") == (sample.outcome, sample.case_id)


def test_a_long_text_is_cut():
    sample = Endpoint(reply(text="a" * 3000)).take()
    assert "a" * MAX_TEXT == sample.text


def test_sessions_and_coldness_come_from_the_assignment():
    spec = Spec(model="m", phase="atomic", settings=Settings())
    job = Assignment(
        stage="sessions", spec=spec, case_id=CASE.id, repeat=0, position=0, seed=1,
        requested_model="m", session=3, cold=True,
    )  # fmt: skip
    sample = Endpoint().take(assignment=job)
    assert (3, True) == (sample.session, sample.cold)
    assert job.key == sample.key


def warm(endpoint: Endpoint, budget_s: float = 10.0):
    async def main():
        async with endpoint.client:
            spec = Spec(model="m", phase="atomic", settings=Settings())
            return await warm_up(endpoint.client, spec, clock=endpoint.clock, budget_s=budget_s)

    return asyncio.run(main())


def test_a_warm_up_asks_until_the_model_answers():
    endpoint = Endpoint(LOADING, LOADING, reply(text="yes"))
    result = warm(endpoint)
    assert (True, "m", "answered") == (result.ok, result.model, result.detail)
    assert pytest.approx(0.3 + sum(endpoint.clock.pauses)) == result.seconds
    assert () == endpoint.client.requests[0].tools


def test_a_warm_up_keeps_to_its_budget():
    result = warm(Endpoint(*[LOADING] * 999), budget_s=3.0)
    assert (False, "Loading model") == (result.ok, result.detail)
    assert pytest.approx(3.0, abs=0.2) == result.seconds


def test_a_warm_up_of_a_broken_endpoint_gives_up_soon():
    endpoint = Endpoint(*[REFUSED] * 99)
    result = warm(endpoint, budget_s=300.0)
    assert (False, "can't connect: refused", 5) == (result.ok, result.detail, len(endpoint.client.requests))


def test_a_warm_up_that_hangs_ends_with_its_budget():
    result = warm(Endpoint(Failure(kind="timeout", detail="no answer")), budget_s=3.0)
    assert (False, 3.0) == (result.ok, result.seconds)
