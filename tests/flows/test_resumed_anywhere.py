"""A cycle that goes on from any part of its journal measures exactly what the unbroken one measured."""

from __future__ import annotations

import random

import pytest

from harnesslib import routing
from harnesslib.meta_harness_loop import Cycle
from harnesslib.records import Call, Manifest, Plan, sha256
from harnesslib.testing import (
    EPOCH,
    FakeClient,
    memory_effects,
    reply,
    right_answer,
    tiny_harness,
    tiny_suite,
)

RUN = "20260102T030405Z-cycle-7f3a"
ABLE = {"base": 0.55, "better": 0.95, "other": 0.75, "weak": 0.1}
RESTRAINED = {"better": 0.94}
CI = 16
SEED = 5


def answer(request):
    """Pass as a share of the seeds; another one keeps its hands still where no call is wanted."""
    right = right_answer(request)
    if request.messages[-1]["role"] != "user":
        return right
    lot = int(sha256(f"{request.model}{request.seed}".encode())[:8], 16) / 16**8
    share = ABLE[request.model] if right.calls else RESTRAINED.get(request.model, 1.0)
    return right if lot < share else reply(Call(name="double", arguments={"number": -1}))


def effects_with(plan=None, samples=()):
    config = tiny_harness(*ABLE, timeout_s=5.0)
    client = FakeClient(answer, models=tuple(ABLE))
    suites = {"atomic": tiny_suite("atomic", cases=24)}
    effects = memory_effects(config, routing.initial(config, now=EPOCH), {"local": client}, suites)
    effects.runs.create(
        Manifest(
            run_id=RUN,
            kind="cycle",
            status="running",
            started_at=effects.clock.now(),
            parameters={},
            environment={},
            simulated=False,
            pid=1,
            pid_started=0.0,
        )
    )
    if plan is not None:
        effects.runs.put(RUN, "plan", plan)
    with effects.runs.journal(RUN) as journal:
        for sample in samples:
            journal.append(sample)
    return effects


def measured(effects):
    Cycle(effects, RUN).run()
    return effects.runs.samples(RUN)


@pytest.fixture(scope="module")
def unbroken():
    effects = effects_with()
    samples = measured(effects)
    return effects.runs.load(RUN, "plan", Plan), samples


def names(samples):
    return sorted((sample.key, sample.seed, sample.outcome) for sample in samples)


def differing(unbroken, lengths):
    """Return the lengths of journal from which a cycle ends with other samples, or counts one twice."""
    plan, samples = unbroken
    return [n for n in lengths if names(measured(effects_with(plan, samples[:n]))) != names(samples)]


def test_the_unbroken_cycle_has_every_stage_that_is_decided_by_rounds(unbroken):
    rounds = {stage: {s.round for s in unbroken[1] if s.stage == stage} for stage in ("screen", "confirm")}
    assert {"screen", "probe", "confirm", "guard", "verify", "verify_fallback"} == {
        sample.stage for sample in unbroken[1]
    }
    assert len(rounds["screen"]) >= 3
    assert len(rounds["confirm"]) >= 3


def test_a_cycle_goes_on_from_some_lengths_of_its_journal(unbroken):
    lengths = sorted(random.Random(SEED).sample(range(1, len(unbroken[1])), CI))
    assert [] == differing(unbroken, lengths)


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_a_cycle_goes_on_from_every_length_of_its_journal(unbroken):
    assert [] == differing(unbroken, range(len(unbroken[1]) + 1))
