"""A demo cycle's samples, made up from declared truths and a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest

from harnesslib.harness_feedback_loop import diagnose, recommend, suspects
from harnesslib.records import (
    Call,
    Decisions,
    Feedback,
    PhaseConfig,
    PhasePlan,
    Plan,
    PolicyConfig,
    Sample,
    Settings,
    Spec,
    Summary,
)
from harnesslib.self_optimizing_policy import decide_all, leader
from harnesslib.summarize import summarize

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CASES = {
    ("atomic", "search"): (15, 9),
    ("atomic", "holdout"): (10, 6),
    ("extended", "search"): (12, 6),
    ("extended", "holdout"): (8, 4),
}
POLICY = PolicyConfig()
PHASES = {
    "atomic": PhaseConfig(suite="atomic", baseline="steady"),
    "extended": PhaseConfig(suite="extended", baseline="steady", max_slowdown=1.5),
}


@dataclass(frozen=True)
class Truth:
    """A made-up model: pass rates with and without a wanted call, seconds per answer, seconds to load."""

    accuracy: float
    restraint: float = 0.98
    latency_s: float = 0.02
    load_s: float = 0.0


TRUTHS = {
    ("steady", "atomic"): Truth(0.78),
    ("twin", "atomic"): Truth(0.78),
    ("sprinter", "atomic"): Truth(0.97),
    ("better", "atomic"): Truth(0.92, latency_s=0.044),
    ("sleepy", "atomic"): Truth(0.78, load_s=0.6),
    ("eager", "atomic"): Truth(0.85, restraint=0.25),
    ("steady", "extended"): Truth(0.60),
    ("twin", "extended"): Truth(0.60),
    ("sprinter", "extended"): Truth(0.02),
    ("better", "extended"): Truth(0.93, latency_s=0.044),
    ("eager", "extended"): Truth(0.60, restraint=0.25),
}
TIMEOUT_S = {"sleepy": 0.4}


def spec_of(model: str, phase: str, *, warmup: bool = False) -> Spec:
    settings = Settings(timeout_s=TIMEOUT_S.get(model, 2.0), warmup=warmup)
    return Spec(model=model, phase=phase, settings=settings)


def chances(mean: float, cases: int) -> np.ndarray:
    """Return pass probabilities with this mean: easy cases first, then a flaky tenth, then hard ones."""
    flaky = max(1, cases // 10)
    hard = (cases - flaky) * (0.99 - mean) / 0.98
    low = int(min(cases - flaky, max(0, round(hard))))
    middle = 0.5 if 0.1 < mean < 0.9 else mean
    counts = cases - flaky - low, flaky, low
    levels = np.repeat([0.99, middle, 0.01], counts)
    return np.clip(levels + mean - levels.mean(), 0.0, 1.0)


@dataclass
class Bench:
    """Takes samples from the truths. Everything that follows from a seed is the same every time."""

    seed: int = 1
    truths: dict[tuple[str, str], Truth] = field(default_factory=lambda: dict(TRUTHS))
    samples: list[Sample] = field(default_factory=list)
    policy: PolicyConfig = POLICY

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def screen(self, repeats: int = 2) -> None:
        """Ask every model every search case, interleaved by case and repeat."""
        for phase in PHASES:
            models = [model for model, name in self.truths if name == phase]
            self.take("screen", [spec_of(model, phase) for model in models], repeats)

    def confirm(self, leaders: dict[str, Spec], repeats: int = 5) -> None:
        for phase, spec in leaders.items():
            self.take("confirm", [spec_of("steady", phase), spec], repeats)

    def take(self, stage: str, specs: list[Spec], repeats: int, split: str = "search") -> None:
        phase = specs[0].phase
        wanted, unwanted = CASES[phase, split]
        blocks = [(case, repeat) for repeat in range(repeats) for case in range(wanted + unwanted)]
        started: dict[str, int] = {}
        for case, repeat in (blocks[i] for i in self.rng.permutation(len(blocks))):
            for index in self.rng.permutation(len(specs)):
                spec = specs[index]
                started[spec.id] = started.get(spec.id, 0) + 1
                cold = stage == "screen" and started[spec.id] <= 4
                self.add(stage, spec, (case, wanted, unwanted), repeat=repeat, loading=cold)

    def sessions(self, model: str, phase: str, *, stage: str = "sessions", pairs: int = 5) -> None:
        for session in range(1, 2 * pairs + 1):
            warm = session % 2 == 0
            for case in range(4):
                place = (case, *CASES[phase, "search"])
                self.add(
                    stage,
                    spec_of(model, phase, warmup=warm),
                    place,
                    repeat=0,
                    session=session,
                    loading=not warm,
                )

    def add(
        self,
        stage: str,
        spec: Spec,
        place: tuple[int, int, int],
        *,
        repeat: int,
        session: int = 0,
        loading: bool = False,
    ) -> None:
        case, wanted, unwanted = place
        truth = self.truths[spec.model, spec.phase]
        wants_call = case < wanted
        chance = (
            chances(truth.accuracy, wanted)[case]
            if wants_call
            else chances(truth.restraint, unwanted)[case - wanted]
        )
        passed = bool(self.rng.random() < chance)
        outcome = "pass" if passed else "wrong" if wants_call else "overcalled"
        late = loading and truth.load_s > spec.settings.timeout_s
        self.samples.append(
            Sample(
                run_id="r1",
                stage=stage,
                spec_id=spec.id,
                model=spec.model,
                requested_model=spec.model,
                served_model=spec.model,
                phase=spec.phase,
                case_id=f"{spec.phase}-{case:02d}",
                skill="refuse" if not wants_call else f"skill-{case % 3}",
                wants_call=wants_call,
                repeat=repeat,
                session=session,
                seed=len(self.samples),
                position=len(self.samples),
                started_at=STARTED,
                outcome="timeout" if late else outcome,
                detail="",
                cold=bool(session) and loading,
                turns=() if late or outcome == "pass" else ((Call(name="send_email", arguments={}),),),
                latency_s=None if late else float(truth.latency_s * np.exp(self.rng.normal(0, 0.2))),
                load_s=truth.load_s if loading and not late and truth.load_s else None,
                warmup_s=truth.load_s if session and not loading else None,
            )
        )

    @property
    def specs(self) -> dict[str, Spec]:
        plain = [spec_of(model, phase) for model, phase in self.truths]
        warm = [spec_of(model, phase, warmup=True) for model, phase in self.truths]
        return {spec.id: spec for spec in (*plain, *warm)}

    def plan(self) -> Plan:
        phases = tuple(
            PhasePlan(
                phase=phase,
                suite=phase,
                suite_version="1",
                suite_hash="0",
                baseline=spec_of("steady", phase),
                candidates=tuple(
                    spec_of(model, phase)
                    for model, name in self.truths
                    if name == phase and model != "steady"
                ),
                skipped=(),
                search_cases=sum(CASES[phase, "search"]),
                holdout_cases=16,
                smallest_effect=None,
            )
            for phase in PHASES
        )
        return Plan(
            run_id="r1",
            seed=1,
            generation=1,
            phases=phases,
            predicted_samples=0,
            predicted_requests=0,
            digests={},
        )

    def summary(self, leaders: dict[str, Spec]) -> Summary:
        pairs = [
            ("screen", c.id, phase.baseline.id) for phase in self.plan().phases for c in phase.candidates
        ]
        pairs += [("confirm", spec.id, spec_of("steady", phase).id) for phase, spec in leaders.items()]
        return summarize(
            self.samples,
            self.specs,
            pairs,
            run_id="r1",
            leaders={phase: spec.id for phase, spec in leaders.items()},
            policy=self.policy,
        )


@dataclass(frozen=True)
class Demo:
    """A whole decided cycle."""

    bench: Bench
    leaders: dict[str, Spec]
    suspects: tuple[tuple[str, str], ...]
    summary: Summary
    feedback: Feedback
    decisions: Decisions

    def verdicts(self) -> dict[str, str]:
        return {item.recommendation.id: item.verdict for item in self.decisions.decisions}


def run_demo(seed: int) -> Demo:
    bench = Bench(seed=seed)
    bench.screen()
    screened = bench.summary({})
    chosen = {
        phase.phase: leader(screened, phase, policy=bench.policy, config=PHASES[phase.phase])
        for phase in bench.plan().phases
    }
    leaders = {phase: spec for phase, spec in chosen.items() if spec}
    found = suspects(bench.samples)
    bench.confirm(leaders)
    for model, phase in found:
        bench.sessions(model, phase)
    summary = bench.summary(leaders)
    findings = diagnose(summary, bench.samples, policy=bench.policy, phases=PHASES)
    proposed = recommend(summary, findings, plan=bench.plan(), policy=bench.policy)
    feedback = Feedback(run_id="r1", findings=findings, recommendations=proposed)
    decisions = decide_all(feedback, summary, policy=bench.policy, phases=PHASES)
    return Demo(bench, leaders, found, summary, feedback, decisions)


@pytest.fixture(scope="session")
def demo() -> Demo:
    return run_demo(seed=1)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def made_bench() -> type[Bench]:
    return Bench


@pytest.fixture(scope="session")
def truth() -> type[Truth]:
    return Truth


@pytest.fixture(scope="session", name="spec_of")
def spec_maker() -> Callable[..., Spec]:
    return spec_of


@pytest.fixture(scope="session", name="run_demo")
def demo_maker() -> Callable[[int], Demo]:
    return run_demo


@pytest.fixture(scope="session")
def phases() -> dict[str, PhaseConfig]:
    return PHASES
