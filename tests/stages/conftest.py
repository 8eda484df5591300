"""A demo cycle's samples, made up from declared truths and a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest

from harnesslib.harness_feedback_loop import cold_calls, diagnose, recommend, suspects
from harnesslib.records import (
    Call,
    Confirmation,
    Confirmed,
    Decisions,
    Feedback,
    PhaseConfig,
    PhasePlan,
    Plan,
    PolicyConfig,
    Sample,
    Screened,
    Settings,
    Spec,
    Summary,
)
from harnesslib.self_optimizing_policy import Measured, decide_all
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

    def screen(self) -> dict[str, Spec]:
        """Sweep the baselines, ask candidates what they failed, probe the hopeless; returns the leaders."""
        leaders = {}
        for phase in PHASES:
            self.take("screen", [spec_of("steady", phase)], 1)
            failed = {s.case_id for s in self.of("screen", "steady", phase) if s.outcome != "pass"}
            models = [model for model, name in self.truths if name == phase and model != "steady"]
            headroom = [
                case for case in range(sum(CASES[phase, "search"])) if f"{phase}-{case:02d}" in failed
            ]
            for number in (1, 2):
                self.take("screen", [spec_of(model, phase) for model in models], 2, headroom, number)
            for model in models:
                if self.gain(model, phase) <= 0:
                    wanted = list(range(CASES[phase, "search"][0]))
                    self.take("probe", [spec_of(model, phase)], 2, wanted)
            fit = [model for model in models if self.reason(model, phase) == ""]
            if fit:
                leaders[phase] = spec_of(max(fit, key=lambda model: self.gain(model, phase)), phase)
        return leaders

    def everybody(self, repeats: int = 2) -> None:
        """Ask every model every search case, interleaved by case and repeat."""
        for phase in PHASES:
            models = [model for model, name in self.truths if name == phase]
            self.take("screen", [spec_of(model, phase) for model in models], repeats, number=0)

    def of(self, stage: str, model: str, phase: str) -> list[Sample]:
        return [s for s in self.samples if (s.stage, s.model, s.phase) == (stage, model, phase)]

    def gain(self, model: str, phase: str) -> float:
        """Return what a model's calls in the screen promise for the whole suite."""
        calls = [s for s in self.of("screen", model, phase) if s.outcome != "timeout"]
        shares = [s.outcome == "pass" for s in calls]
        cases = len({s.case_id for s in calls})
        return cases * (sum(shares) / max(1, len(shares)) - 0.19) / sum(CASES[phase, "search"])

    def reason(self, model: str, phase: str) -> str:
        if self.gain(model, phase) < 0.03:
            return "on the cases that the baseline failed it promises too little"
        slow = self.truths[model, phase].latency_s > (1 + PHASES[phase].max_slowdown) * 0.02
        return "it takes too long" if slow else ""

    def measured(self, leaders: dict[str, Spec]) -> Measured:
        """Return the records of a screen and of confirmations that went to a crossing."""
        screened = tuple(
            Screened(
                phase=phase,
                spec=spec_of(model, phase),
                passes=sum(s.outcome == "pass" for s in self.of("screen", model, phase)),
                calls=len(self.of("screen", model, phase)),
                gain=self.gain(model, phase),
                reason=""
                if leaders.get(phase) == spec_of(model, phase)
                else self.reason(model, phase) or "another one promises more",
            )
            for model, phase in self.truths
            if model != "steady"
        )
        confirmed = tuple(
            Confirmed(
                phase=phase,
                candidate=leader,
                baseline=spec_of("steady", phase),
                ended="crossed",
                rounds=3,
                reason="",
            )
            for phase, leader in leaders.items()
        )
        baselines = {phase: spec_of("steady", phase) for phase in PHASES}
        return Measured(screened, Confirmation(run_id="r1", phases=confirmed), baselines)

    def confirm(self, leaders: dict[str, Spec], sweeps: int = 3, guard: int = 6) -> None:
        for phase, spec in leaders.items():
            arms = [spec_of("steady", phase), spec]
            self.take("confirm", arms, sweeps)
            self.take("guard", arms, guard)

    def take(
        self,
        stage: str,
        specs: list[Spec],
        repeats: int,
        cases: list[int] | None = None,
        number: int | None = None,
        split: str = "search",
    ) -> None:
        phase = specs[0].phase
        wanted, unwanted = CASES[phase, split]
        asked = range(wanted + unwanted) if cases is None else cases
        first = 0 if number is None else number * repeats
        blocks = [(case, first + repeat) for repeat in range(repeats) for case in asked]
        started: dict[str, int] = {}
        for case, repeat in (blocks[i] for i in self.rng.permutation(len(blocks))):
            for index in self.rng.permutation(len(specs)):
                spec = specs[index]
                started[spec.id] = started.get(spec.id, 0) + 1
                cold = stage == "screen" and first <= 2 and number is not None and started[spec.id] <= 4
                place = (case, wanted, unwanted)
                self.add(stage, spec, place, repeat=repeat, number=number, loading=cold)

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
        number: int | None = None,
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
                round=repeat if number is None else number,
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
        return summarize(
            self.samples,
            self.specs,
            [("confirm", spec.id, spec_of("steady", phase).id) for phase, spec in leaders.items()],
            run_id="r1",
            leaders={phase: spec.id for phase, spec in leaders.items()},
            policy=self.policy,
            cold=cold_calls(self.samples),
            selected={spec_of(model, phase).id for model, phase in self.truths if model != "steady"},
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
    leaders = bench.screen()
    found = suspects(bench.samples)
    bench.confirm(leaders)
    for model, phase in found:
        bench.sessions(model, phase)
    summary = bench.summary(leaders)
    findings = diagnose(summary, bench.samples, policy=bench.policy, phases=PHASES)
    proposed = recommend(summary, findings, plan=bench.plan(), policy=bench.policy)
    feedback = Feedback(run_id="r1", findings=findings, recommendations=proposed)
    decisions = decide_all(feedback, summary, bench.measured(leaders), policy=bench.policy, phases=PHASES)
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
