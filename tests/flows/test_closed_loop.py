"""The loop closes: what is tried, held back, moved, submitted, denied; on models whose answers we decide."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import msgspec
import pytest

from harnesslib import adoption, routing
from harnesslib.cycle_history import APPLIES, load_records, why_not_resumable
from harnesslib.cycle_planning import plan_cycle
from harnesslib.errors import ConflictError
from harnesslib.meta_harness_loop import Cycle
from harnesslib.proposal_store import ProposalFolder
from harnesslib.records import (
    Call,
    Drift,
    Manifest,
    ModelInfo,
    Prompt,
    Proposed,
    ProposerConfig,
    SearchConfig,
    sha256,
)
from harnesslib.routing_enforcer import rollback
from harnesslib.sentinel import run_sentinel
from harnesslib.testing import (
    EPOCH,
    FakeClient,
    memory_effects,
    reply,
    right_answer,
    tiny_harness,
    tiny_suite,
)

CASES = 24
DAY = 86_400.0


def share(request, salt: str = "") -> float:
    """Return a number from 0 to 1 that is the same for every repeat of a case."""
    return int(sha256(f"{salt}{asked(request)}".encode())[:8], 16) / 16**8


def asked(request) -> str:
    """Return the first words of the user."""
    return next(message["content"] for message in request.messages if message["role"] == "user")


def split_of(request) -> str:
    return asked(request).partition("-")[0]


def system(request) -> str:
    return "".join(message["content"] for message in request.messages if message["role"] == "system")


def wrong():
    return reply(Call(name="double", arguments={"number": -1}))


def knowing(request, part: float):
    """Answer rightly in a share of the cases that want a call."""
    right = right_answer(request)
    return right if not right.calls or share(request) < part else wrong()


class Endpoint(FakeClient):
    """A fake endpoint that also names digests."""

    digests: dict[str, str] = {}  # noqa: RUF012 - each test sets its own

    async def models(self):
        offered = await super().models()
        return tuple(ModelInfo(id=info.id, digest=self.digests.get(info.id, "")) for info in offered)


@pytest.fixture
def bench(tmp_path):
    def make(answer, *models, variants=None, proposer="", **phase):
        config = tiny_harness(*models, timeout_s=5.0)
        phases = {"atomic": msgspec.structs.replace(config.phases["atomic"], **phase)}
        config = msgspec.structs.replace(
            config, phases=phases, variants=variants or {}, proposer=ProposerConfig(model=proposer)
        )
        client = Endpoint(answer, models=models)
        suites = {"atomic": tiny_suite("atomic", cases=CASES)}
        made = memory_effects(config, routing.initial(config, now=EPOCH), {"local": client}, suites)
        return dataclasses.replace(made, proposals=ProposalFolder(tmp_path / "proposals"))

    return make


def manifest(effects, run_id: str, kind: str = "cycle", **parameters) -> Manifest:
    return Manifest(
        run_id=run_id,
        kind=kind,
        status="running",
        started_at=effects.clock.now(),
        parameters=parameters,
        environment={},
        simulated=False,
        pid=1,
        pid_started=0.0,
    )


def cycle(effects, run_id: str) -> Cycle:
    effects.clock.advance(60)
    effects.runs.create(manifest(effects, run_id))
    made = Cycle(effects, run_id)
    made.run()
    return made


def drop(effects, name: str, **fields) -> None:
    effects.proposals.folder.mkdir(exist_ok=True)
    proposal = {"name": name, "phase": "atomic", "hypothesis": "it helps"} | fields
    (effects.proposals.folder / f"{name}.json").write_text(json.dumps(proposal))


class TestCandidates:
    def test_another_call_format_is_promoted_served_and_the_next_baseline(self, bench):
        def answer(request):
            if request.tools and share(request, "m") < 0.5:
                return reply(text="{", malformed="the arguments end early")
            return right_answer(request)

        # A conversation that breaks off is short: whoever ends more of them takes longer.
        search = SearchConfig(variants=("tags",))
        effects = bench(answer, "base", search=search, max_slowdown=1.0)
        first = cycle(effects, "1")
        [decision] = first.decide().decisions
        assert "atomic-promote-base-variant-tags" == decision.recommendation.id
        assert "promoted" == first.record().status
        assert first.record().headline.startswith("Atomic is now served by base with variant tags (+")
        told = routing.resolve(effects.config.routing(), "auto", "atomic")
        assert ("base", "tags", "tags", "") == (
            told.model,
            told.settings.variant,
            told.call_format,
            told.system_prompt,
        )
        second = cycle(effects, "2")
        assert "tags" == second.plan().phases[0].baseline.settings.variant
        assert "unchanged" == second.record().status

    def test_a_deadline_that_cuts_answers_off_is_doubled_by_the_next_cycle(self, bench):
        def answer(request):
            too_short = effects.clients["local"].timeouts[-1] < 7.0
            return timeout() if too_short and share(request, "slow") < 0.4 else right_answer(request)

        effects = bench(answer, "base")
        assert () == cycle(effects, "1").plan().phases[0].candidates
        assert ["timeout_bound"] == [one.cause for one in Cycle(effects, "1").diagnose().findings]
        second = cycle(effects, "2")
        [longer] = second.plan().phases[0].candidates
        assert 10.0 == longer.settings.timeout_s
        assert second.plan().phases[0].origins[longer.id].startswith("finding: timeout_bound; a case")
        assert "promoted" == second.record().status
        assert 10.0 == effects.config.routing().rule("base", "atomic").settings.timeout_s

    def test_a_prompt_of_ones_own_is_measured_with_its_text_and_handed_to_applications(self, bench):
        def answer(request):
            return knowing(request, 1.0 if "carefully" in system(request) else 0.5)

        careful = Prompt(system_prompt="Read carefully.")
        effects = bench(
            answer, "base", variants={"careful": careful}, search=SearchConfig(variants=("careful",))
        )
        assert "promoted" == cycle(effects, "1").record().status
        in_force = effects.config.routing()
        name = careful.pinned("careful")
        assert {name: careful} == in_force.prompts
        told = routing.resolve(in_force, "auto", "atomic")
        assert (name, "native", "Read carefully.") == (
            told.settings.variant,
            told.call_format,
            told.system_prompt,
        )
        assert () == routing.check(in_force)
        # The text stands in the routing: what people write may change, what is served does not.
        without = msgspec.structs.replace(effects.config.harness(), variants={})
        without = msgspec.structs.replace(without, phases={"atomic": tiny_harness("base").phases["atomic"]})
        first = msgspec.structs.replace(in_force, generation=1, parent_sha256="")
        later = memory_effects(without, first, effects.clients, effects.suites)
        assert "unchanged" == cycle(later, "1").record().status
        assert later.clients["local"].requests[-1].messages[0]["content"] == "Read carefully."


def timeout():
    from harnesslib.records import Failure

    return Failure(kind="timeout", detail="")


class TestWhatMayBeApplied:
    def test_propose_changes_nothing_and_writes_the_generation_that_would_be(self, bench):
        effects = bench(
            lambda r: knowing(r, 1.0 if r.model == "better" else 0.5), "base", "better", auto_apply="propose"
        )
        before = effects.config.routing_sha256()
        made = cycle(effects, "1")
        assert "proposed" == made.record().status
        assert "Not applied (propose): better would serve atomic" in made.record().headline
        assert made.record().headline.endswith("To take it: harness apply 1.")
        assert before == effects.config.routing_sha256()
        proposed = effects.runs.load("1", "proposed", Proposed)
        assert "better" == proposed.routing.baselines["atomic"].spec.model
        assert before == proposed.parent_sha256

    def test_a_person_takes_it_and_a_copy_of_the_cycle_proves_it(self, bench):
        effects = bench(
            lambda r: knowing(r, 1.0 if r.model == "better" else 0.5), "base", "better", auto_apply="propose"
        )
        cycle(effects, "1")
        taken = adoption.on_offer(effects, "1")
        run_id = adoption.adopt(effects, taken, manifest(effects, "2", **{APPLIES: "1"}))
        assert 2 == Cycle(effects, run_id).enforce().generation
        assert "probation" == effects.config.routing().rule("better", "atomic").status
        before = len(effects.clients["local"].requests)
        outcome = Cycle(effects, run_id).run()
        assert "promoted" == outcome.status
        stages = {sample.stage for sample in effects.runs.samples(run_id)} - {
            sample.stage for sample in effects.runs.samples("1")
        }
        assert {"verify"} == stages
        assert before < len(effects.clients["local"].requests)
        assert "confirmed" == effects.config.routing().rule("better", "atomic").status
        assert ["init", "intent", "applied", "intent", "confirmed"] == [
            e.event for e in effects.log.entries()
        ]

    def test_what_was_measured_for_another_routing_is_not_taken(self, bench):
        effects = bench(
            lambda r: knowing(r, 1.0 if r.model == "better" else 0.5), "base", "better", auto_apply="propose"
        )
        cycle(effects, "1")
        cycle(effects, "2")
        first = adoption.on_offer(effects, "1")
        adoption.adopt(effects, first, manifest(effects, "3", **{APPLIES: "1"}))
        Cycle(effects, "3").enforce()
        with pytest.raises(
            ConflictError, match="proposes a change of generation 1, in force is generation 2"
        ):
            adoption.on_offer(effects, "1")

    def test_off_decides_and_offers_nothing(self, bench):
        effects = bench(
            lambda r: knowing(r, 1.0 if r.model == "better" else 0.5), "base", "better", auto_apply="off"
        )
        made = cycle(effects, "1")
        assert "Not applied (off): better would serve atomic" in made.record().headline
        assert "harness apply" not in made.record().headline
        assert adoption.on_offer(effects, "1") is None
        assert 1 == effects.config.routing().generation

    def test_a_cycle_that_died_is_not_gone_on_with_under_another_routing(self, bench):
        effects = bench(lambda r: knowing(r, 1.0 if r.model == "better" else 0.5), "base", "better")
        effects.runs.create(manifest(effects, "1"))
        assert "" == why_not_resumable(effects, "1")
        Cycle(effects, "1").plan()
        assert "" == why_not_resumable(effects, "1")
        cycle(effects, "2")
        assert "it began with generation 1, in force is 3" == why_not_resumable(effects, "1")


class TestDrift:
    def model_that_moves(self, bench, *models, **phase):
        state = {"share": 0.9}

        def answer(request):
            return knowing(request, state["share"] if request.model == "base" else 0.9)

        return bench(answer, *models, **phase), state

    def test_a_model_that_was_swapped_silently_is_found_and_nothing_is_applied(self, bench):
        effects, state = self.model_that_moves(bench, "base", "other")
        cycle(effects, "1")
        cycle(effects, "2")
        assert "base" == effects.config.routing().baselines["atomic"].spec.model
        before = effects.config.routing_sha256()
        state["share"] = 0.4
        effects.clock.advance(8 * DAY)  # the other model is due again, and now it is much better
        found = [cycle(effects, "3"), cycle(effects, "4")]
        frozen = [one for one in found if one.drift().frozen]
        assert frozen
        assert (
            frozen[0].record().headline.startswith("Drift in atomic: base has become worse without a change")
        )
        assert "drift" == frozen[0].diagnose().findings[0].cause
        assert before == effects.config.routing_sha256()
        assert {"drift"} == {one.because for made in frozen for one in made.held()}

    def test_another_digest_is_enough(self, bench):
        effects, _ = self.model_that_moves(bench, "base")
        effects.clients["local"].digests = {"base": "one"}
        assert not cycle(effects, "1").drift().frozen
        effects.clients["local"].digests = {"base": "two"}
        moved = cycle(effects, "2").drift()
        assert {"atomic"} == moved.frozen
        assert "base is another model than before: its digest has changed" == moved.phases[0].headline
        # What it measured is the new reference: the next cycle is free again.
        assert not cycle(effects, "3").drift().frozen

    def test_a_digest_noted_at_promotion_is_remembered(self, bench):
        effects = bench(lambda r: knowing(r, 1.0 if r.model == "better" else 0.5), "base", "better")
        effects.clients["local"].digests = {"better": "one"}
        assert "promoted" == cycle(effects, "1").record().status
        effects.clients["local"].digests = {"better": "two"}
        moved = cycle(effects, "2").drift().phases[0]
        assert moved.digest_changed
        assert moved.way_back.startswith("harness routes rollback --to 1 puts base back")

    def test_a_change_of_ours_is_no_drift(self, bench):
        effects = bench(lambda r: knowing(r, 1.0 if r.model == "better" else 0.5), "base", "better")
        cycle(effects, "1")
        assert [None] == [one.moved for one in cycle(effects, "2").drift().phases]
        rollback(1, effects, reason="a test")
        assert not cycle(effects, "3").drift().frozen

    def test_the_sentinel_measures_baselines_only_and_leaves_the_freezing_to_the_cycle(self, bench):
        effects, state = self.model_that_moves(bench, "base", "other")
        cycle(effects, "1")
        effects.clients["local"].requests.clear()
        effects.clock.advance(60)
        assert not run_sentinel(effects, manifest(effects, "2", "sentinel")).frozen
        assert {"base"} == {request.model for request in effects.clients["local"].requests}
        state["share"] = 0.1
        effects.clock.advance(60)
        assert {"atomic"} == run_sentinel(effects, manifest(effects, "3", "sentinel")).frozen
        assert "done" == effects.runs.manifest("3").status
        assert {"atomic"} == cycle(effects, "4").drift().frozen
        assert {"atomic"} == effects.runs.load("3", "drift", Drift).frozen
        assert () == load_records(effects, "3").plan.phases[0].candidates


class TestHarm:
    def test_a_proposal_that_harms_the_holdout_only_is_rolled_back_byte_for_byte(self, bench):
        def answer(request):
            if "hurry" not in system(request):
                return knowing(request, 0.6)
            return knowing(request, 1.0 if split_of(request) == "search" else 0.5)

        effects = bench(answer, "base")
        drop(effects, "hurry", patch={"system_prompt": "hurry"}, expected_delta=0.2)
        before = effects.config.routing_sha256()
        made = cycle(effects, "1")
        assert ["PROMOTE"] == [one.verdict for one in made.decide().decisions]
        assert "rolled_back" == made.record().status
        assert before == effects.config.routing_sha256()
        verdict = effects.proposals.verdict("hurry")
        assert ("rolled_back", "1", 0.2) == (verdict.status, verdict.run_id, verdict.expected_delta)
        assert verdict.effect.value > 0 > verdict.verified.value
        assert verdict.decision_id.startswith("1:atomic-promote-base-variant-hurry@")

    def test_a_model_that_degrades_after_it_was_applied_is_rolled_back_byte_for_byte(self, bench):
        def answer(request):
            degraded = effects.config.routing().generation > 1
            return knowing(request, 0.6 if request.model == "base" else 0.5 if degraded else 1.0)

        effects = bench(answer, "base", "fickle")
        before = effects.config.routing_sha256()
        assert "rolled_back" == cycle(effects, "1").record().status
        assert before == effects.config.routing_sha256()
        assert ["init", "intent", "applied", "intent", "rolled_back"] == [
            entry.event for entry in effects.log.entries()
        ]


STATES = ("plan", "confirm", "summarize", "drift", "diagnose", "decide", "held", "enforce", "keep", "record")


class TestCrashes:
    @pytest.mark.parametrize("auto_apply", ["on", "propose"])
    @pytest.mark.parametrize("done", range(len(STATES)), ids=STATES)
    def test_a_cycle_that_died_after_any_state_ends_the_same(self, bench, done, auto_apply):
        def answer(request):
            return knowing(request, 1.0 if "calm" in system(request) else 0.6)

        ends = []
        for states in ((), STATES[: done + 1]):
            effects = bench(answer, "base", auto_apply=auto_apply)
            drop(effects, "calm", patch={"system_prompt": "calm"})
            effects.runs.create(manifest(effects, "1"))
            broken = Cycle(effects, "1")
            for state in states:
                getattr(broken, state)()
            outcome = Cycle(effects, "1").run()
            verdict = effects.proposals.verdict("calm")
            keys = [sample.key for sample in effects.runs.samples("1")]
            assert len(keys) == len(set(keys))
            ends.append((outcome.headline, outcome.status, verdict.status, verdict.reason, sorted(keys)))
        assert ends[0] == ends[1]
        assert ("promoted" if auto_apply == "on" else "proposed") == ends[0][1]


class TestProposals:
    def test_a_good_one_is_kept_and_its_answer_names_the_gain(self, bench):
        def answer(request):
            return knowing(request, 1.0 if request.temperature == 0.5 else 0.5)

        effects = bench(answer, "base")
        drop(effects, "warmer", patch={"temperature": 0.5})
        assert "promoted" == cycle(effects, "1").record().status
        verdict = effects.proposals.verdict("warmer")
        assert "kept" == verdict.status
        assert verdict.verified.low is not None
        # It serves now: the next cycle says so, and does not measure it against itself.
        assert () == cycle(effects, "2").plan().phases[0].candidates
        assert "serving" == effects.proposals.verdict("warmer").status

    def test_a_broken_one_is_answered_and_stops_nothing(self, bench):
        effects = bench(lambda r: knowing(r, 0.6), "base")
        drop(effects, "typo", patch={"temprature": 0.5})
        drop(effects, "elsewhere", phase="atomik", patch={"retries": 2})
        (effects.proposals.folder / "torn.toml").write_text("name = ")
        assert "unchanged" == cycle(effects, "1").record().status
        said = {name: effects.proposals.verdict(name) for name in ("typo", "elsewhere", "torn")}
        assert {"invalid"} == {verdict.status for verdict in said.values()}
        assert "patch.temprature: unknown key; did you mean 'temperature'?" == said["typo"].reason
        assert "did you mean 'atomic'?" in said["elsewhere"].reason
        assert said["torn"].reason.startswith("not TOML")

    def test_one_that_was_tried_waits_and_keeps_its_answer_until_its_text_changes(self, bench):
        effects = bench(lambda r: knowing(r, 0.6), "base")
        drop(effects, "calm", patch={"system_prompt": "calm"})
        cycle(effects, "1")
        first = effects.proposals.verdict("calm")
        assert first.status in {"rejected", "held"}
        assert [] == list(cycle(effects, "2").plan().phases[0].candidates)
        assert first == effects.proposals.verdict("calm")
        drop(effects, "calm", patch={"system_prompt": "calmer"})
        assert 1 == len(cycle(effects, "3").plan().phases[0].candidates)
        assert "3" == effects.proposals.verdict("calm").run_id

    def test_many_wait_for_one_another(self, bench):
        effects = bench(lambda r: knowing(r, 0.6), "base")
        for number in range(7):
            drop(effects, f"p{number}", patch={"temperature": 0.1 + number / 10})
        plan = plan_cycle(effects, effects.config.harness(), "1")
        assert 5 == len(plan.phases[0].candidates)
        assert 2 == sum("other proposals" in one.reason for one in plan.phases[0].skipped)
        cycle(effects, "1")
        assert "waiting" == effects.proposals.verdict("p6").status
        assert 2 == len(cycle(effects, "2").plan().phases[0].candidates)

    def test_a_model_may_write_one_and_its_text_is_only_data(self, bench):
        def answer(request):
            if request.model == "writer" and "improve the system prompt" in system(request):
                told.append(json.loads(asked(request)))
                return reply(text="\x1b[31mCall the tool\x00 only for numbers." + "x" * 9000)
            if asked(request) and right_answer(request).calls:
                return right_answer(request)
            over = reply(Call(name="double", arguments={"number": 1}))
            return over if request.messages[-1]["role"] == "user" else right_answer(request)

        told = []
        effects = bench(answer, "base", "writer", proposer="writer")
        cycle(effects, "1")
        [submitted] = effects.proposals.submitted()
        proposal = json.loads(submitted.text)
        assert "over_calling" in {finding["cause"] for finding in told[0]["findings"]}
        text = proposal["patch"]["system_prompt"]
        assert text.startswith("[31mCall the tool only for numbers.")
        assert 2000 == len(text)
        assert "writer" == proposal["author"]
        second = plan_cycle(effects, effects.config.harness(), "2")
        assert f"proposal: {submitted.name}" in second.phases[0].origins.values()

    def test_a_writer_that_says_nothing_leaves_no_file(self, bench):
        def answer(request):
            if "improve the system prompt" in system(request):
                return reply(text=" \x00 ")
            return reply(Call(name="double", arguments={"number": 1}))

        effects = bench(answer, "base", proposer="base")
        cycle(effects, "1")
        assert () == effects.proposals.submitted()
        assert any("no proposal for atomic" in said[1] for said in effects.events.said)


class TestDeniedRoutes:
    def test_a_denied_model_is_probed_again_when_its_review_is_due(self, bench):
        state = {"able": False}

        def answer(request):
            if request.model == "lost":
                return knowing(request, 1.0 if state["able"] else 0.0)
            return knowing(request, 0.6)

        effects = bench(answer, "base", "lost")
        denied = [one.recommendation.action for one in cycle(effects, "1").decide().promoted]
        assert ["deny"] == denied
        rule = effects.config.routing().rule("lost", "atomic")
        assert not rule.allow
        assert effects.clock.now() < rule.review_after <= effects.clock.now() + timedelta(days=7)
        [skipped] = cycle(effects, "2").plan().phases[0].skipped
        assert "denied since" in skipped.reason
        state["able"] = True
        effects.clock.advance(8 * DAY)
        assert "promoted" == cycle(effects, "3").record().status
        rule = effects.config.routing().rule("lost", "atomic")
        assert (True, None) == (rule.allow, rule.review_after)
        assert "lost" == effects.config.routing().baselines["atomic"].spec.model

    def test_one_that_is_able_again_and_no_better_serves_requests_for_it_again(self, bench):
        state = {"able": False}

        def answer(request):
            known = 0.0 if request.model == "lost" and not state["able"] else 0.6
            return knowing(request, known) if state["able"] is False else tired(request)

        def tired(request):
            """Both pass each case at times: none is better, and the failed cases are no wall."""
            right = right_answer(request)
            lucky = int(sha256(f"{request.seed}{request.model}".encode())[:8], 16) / 16**8 < 0.7
            return right if not right.calls or lucky else wrong()

        effects = bench(answer, "base", "lost", accuracy_floor=0.3)
        cycle(effects, "1")
        assert not effects.config.routing().rule("lost", "atomic").allow
        state["able"] = True
        ended = []
        for number in range(2, 6):
            effects.clock.advance(8 * DAY)
            ended.append(cycle(effects, str(number)).record())
            if effects.config.routing().rule("lost", "atomic").allow:
                break
        rule = effects.config.routing().rule("lost", "atomic")
        assert (True, None, "confirmed") == (rule.allow, rule.review_after, rule.status)
        assert "base" == effects.config.routing().baselines["atomic"].spec.model
        assert "Lost serves requests for it in atomic again" in ended[-1].headline
        assert "lost" == routing.resolve(effects.config.routing(), "lost", "atomic").model

    def test_one_that_is_still_lost_stays_denied_and_waits_again(self, bench):
        effects = bench(lambda r: knowing(r, 0.0 if r.model == "lost" else 0.6), "base", "lost")
        cycle(effects, "1")
        effects.clock.advance(8 * DAY)
        assert ["lost"] == [spec.model for spec in cycle(effects, "2").plan().phases[0].candidates]
        assert not effects.config.routing().rule("lost", "atomic").allow
        effects.clock.advance(DAY)
        assert () == cycle(effects, "3").plan().phases[0].candidates
