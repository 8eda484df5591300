"""What a cycle comes to, in one sentence; and for simulated models, beside the truth."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from harnesslib import routing
from harnesslib.conclusions import Trial, compare_with_truth, conclude
from harnesslib.records import (
    Decision,
    Decisions,
    Estimate,
    GateResult,
    Recommendation,
    SimulatedModel,
    SimulatedPhase,
    SimulatedWorld,
    Spec,
    Verification,
    Verifications,
)
from harnesslib.testing import EPOCH, tiny_harness, tiny_suite

CONFIG = tiny_harness("base", "best", "weak", "slow", timeout_s=1.0)
FIRST = routing.initial(CONFIG, now=EPOCH)
NO_EFFECT = Estimate(value=None, low=None, high=None, level=0.95, n=0, method="none", reason="test")


def decision(action: str, model: str, verdict: str = "PROMOTE", gate: str = "pass") -> Decision:
    spec = Spec(model=model, phase="atomic", settings=CONFIG.settings_of(model, "atomic"))
    proposed = Recommendation(
        id=f"atomic-{action}-{model}",
        action=action,
        phase="atomic",
        spec=spec,
        hypothesis="",
        fallback_model="base",
    )
    gates = (GateResult(name="infra_share", verdict=gate, observed="", threshold=""),)
    return Decision(
        id=f"r:{proposed.id}",
        recommendation=proposed,
        verdict=verdict,
        gates=gates,
        reason="so",
        effect=NO_EFFECT,
    )


def ended(*made: Decision, kept: tuple[bool, ...] = (), gain: float | None = 0.1, halted=None):
    verified = Verifications(
        run_id="r",
        generation_before=1,
        generation_applied=2,
        generation=3,
        verifications=tuple(
            Verification(
                decision_id=item.id,
                kept=held,
                effect=msgspec.structs.replace(NO_EFFECT, value=gain),
                p_value=None,
                reason="",
            )
            for item, held in zip(made, kept, strict=False)
        ),
    )
    decisions = Decisions(run_id="r", decisions=made)
    return conclude(
        decisions, verified if kept else None, FIRST, phases=("atomic",), ended_at=EPOCH, halted=halted
    )


def test_what_was_kept_is_said_with_its_gain():
    outcome = ended(decision("promote", "best"), kept=(True,))
    assert (outcome.status, outcome.headline) == (
        "promoted",
        "Atomic is now served by best (+10 points on fresh cases).",
    )


def test_a_loss_has_a_true_minus_sign_and_an_unknown_gain_is_left_out():
    assert "\N{MINUS SIGN}10 points" in ended(decision("promote", "best"), kept=(True,), gain=-0.1).headline
    assert "points" not in ended(decision("promote", "best"), kept=(True,), gain=None).headline


@pytest.mark.parametrize(
    ("kept", "status"),
    [((True, False), "partly_kept"), ((False, False), "rolled_back"), ((True, True), "promoted")],
)
def test_what_was_not_confirmed_is_said_to_be_rolled_back(kept, status):
    outcome = ended(decision("enable_warmup", "slow"), decision("deny", "weak"), kept=kept)
    assert outcome.status == status
    assert outcome.headline.count("rolled back") == kept.count(False)


def test_nothing_decided_is_not_the_same_as_nothing_better():
    assert ended().headline.startswith("Nothing was due")
    rejected = ended(decision("promote", "best", "REJECT"))
    assert (rejected.status, rejected.headline) == (
        "unchanged",
        "Nothing left to improve: no candidate beats base in atomic.",
    )
    undecided = ended(decision("deny", "best", "HOLD", gate="unknown"))
    assert undecided.status == "undecided"
    assert undecided.headline.startswith("Undecided: too few sound samples")
    halted = ended(decision("promote", "best", "HOLD"), halted={"atomic": "budget.max_calls is 9"})
    assert ("undecided", "Undecided (atomic: budget.max_calls is 9); base in atomic keep serving.") == (
        halted.status,
        halted.headline,
    )


def simulated(model: str, accuracy: float, **fields) -> SimulatedModel:
    truth = SimulatedPhase(accuracy=accuracy, restraint=fields.pop("restraint", 0.98))
    return SimulatedModel(id=model, phases={"atomic": truth}, **fields)


def rows(*models: SimulatedModel, config=FIRST):
    trial = Trial(
        world=SimulatedWorld(version=1, models=models),
        config=CONFIG,
        suites={"atomic": tiny_suite("atomic")},
        routing=config,
        decisions=Decisions(run_id="r", decisions=(decision("promote", "slow", "REJECT"),)),
    )
    return {row.model: row for row in compare_with_truth(replace(trial))}


def test_the_first_generation_is_right_where_the_first_baseline_is_the_best():
    found = rows(simulated("base", 0.9), simulated("slow", 0.95, latency_s=0.2))
    assert {model: row.right for model, row in found.items()} == {"base": True, "slow": True}
    assert "the best that may serve" in found["base"].declared
    assert found["slow"].concluded == "does not serve: so"


@pytest.mark.parametrize(
    ("model", "wrong"),
    [
        (simulated("best", 0.99), "best"),
        (simulated("weak", 0.02), "weak"),
        (simulated("slow", 0.5, load_s=5.0), "slow"),
    ],
)
def test_what_should_have_been_found_and_was_not_is_called_wrong(model, wrong):
    assert rows(simulated("base", 0.8), model)[wrong].right is False


def test_a_better_model_that_calls_too_much_must_not_serve():
    assert rows(simulated("base", 0.8), simulated("best", 0.99, restraint=0.2))["best"].right is True


def test_a_denied_hopeless_model_and_a_warmed_sleeper_are_right():
    changed = tuple(
        msgspec.structs.replace(rule, allow=False, fallback_model="base")
        if rule.model == "weak"
        else msgspec.structs.replace(rule, enable_warmup=True)
        if rule.model == "slow"
        else rule
        for rule in FIRST.rules
    )
    found = rows(
        simulated("base", 0.8),
        simulated("weak", 0.02),
        simulated("slow", 0.5, load_s=5.0),
        config=msgspec.structs.replace(FIRST, rules=changed),
    )
    assert (found["weak"].right, found["weak"].concluded) == (True, "denied, served by base")
    assert found["slow"].right
    assert found["slow"].concluded.startswith("warmed up; ")
