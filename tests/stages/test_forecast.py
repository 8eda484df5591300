"""What a plan would take, from what requests took before."""

from __future__ import annotations

import msgspec
import pytest

from harnesslib import planning, routing
from harnesslib.forecast import forecast, rates_of
from harnesslib.records import EndpointConfig, Rate
from harnesslib.testing import EPOCH, tiny_harness, tiny_suite

SUITE = tiny_suite("atomic", cases=8)
HARNESS = tiny_harness("base", "other")


def plan(config=HARNESS):
    return planning.make_plan(
        planning.PlanInputs(
            run_id="plan",
            config=config,
            routing=routing.initial(config, now=EPOCH),
            suites={"atomic": SUITE},
            tried=(),
            digests={},
            now=EPOCH,
            seed=1,
        )
    )


def rate(model, seconds=0.5, cost=0.01):
    return Rate(model=model, seconds=seconds, cost=cost, requests=100)


def made(*rates, config=HARNESS):
    return forecast(plan(config), config, {"atomic": SUITE}, rates, ["1"])


def test_a_sweep_asks_twice_where_a_call_is_wanted():
    # 8 search cases, of which every fourth wants no call.
    assert 6 * 2 + 2 == sum(case.requests for case in SUITE.part("search"))


def test_what_was_never_measured_is_unknown_and_not_free():
    found = made(rate("base"))
    assert (None, None, ("other",)) == (found.seconds, found.cost, found.unknown_models)
    assert (None, None) == (found.phases[0].candidates[0].seconds, found.phases[0].candidates[0].cost)


def test_time_and_cost_are_those_of_the_predicted_requests():
    found = made(rate("base", 0.2, 0.01), rate("other", 0.6, 0.03))
    requests = plan().predicted_requests
    assert requests == found.requests
    assert found.seconds == pytest.approx(requests * 0.4 / HARNESS.endpoints["local"].concurrency)
    assert found.cost == pytest.approx(requests * 0.02)
    [candidate] = found.phases[0].candidates
    assert (14, 0.6 * 14) == (candidate.requests, pytest.approx(candidate.seconds))


def test_endpoints_work_at_the_same_time():
    models = (HARNESS.models[0], msgspec.structs.replace(HARNESS.models[1], endpoint="second"))
    second = EndpointConfig(base_url="http://127.0.0.1:2", concurrency=2)
    config = msgspec.structs.replace(HARNESS, models=models, endpoints=HARNESS.endpoints | {"second": second})
    both = made(rate("base"), rate("other"), config=config)
    assert both.seconds == pytest.approx(made(rate("base"), rate("other")).seconds / 2)


def test_an_unknown_price_leaves_the_cost_unknown():
    found = made(rate("base"), rate("other", cost=None))
    assert None is found.cost
    assert found.seconds is not None


def test_no_samples_give_no_rates():
    assert () == rates_of(())
