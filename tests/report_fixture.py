"""A finished demo cycle made up from a seed: what the report's tests show."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from harnesslib.records import (
    OUTCOMES,
    Applied,
    Baseline,
    CaseResult,
    Comparison,
    Confirmation,
    Confirmed,
    CycleOutcome,
    CycleRecords,
    Decision,
    Decisions,
    Estimate,
    Feedback,
    Finding,
    GateResult,
    LogEntry,
    LookResult,
    Manifest,
    PhasePlan,
    Plan,
    Recommendation,
    RoutingConfig,
    Rule,
    Sample,
    Screened,
    Selection,
    SessionComparison,
    Settings,
    Skipped,
    Spec,
    SpecSummary,
    Summary,
    TruthRow,
    Verification,
    Verifications,
)

RUN = "20260102T030405Z-cycle-7f3a"
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SETTINGS = Settings(timeout_s=2.0)
SLEEPY = Settings(timeout_s=0.4)
TRUTH = {  # (model, phase): accuracy, restraint, seconds of a case
    ("steady", "atomic"): (0.78, 0.98, 0.021),
    ("twin", "atomic"): (0.78, 0.98, 0.021),
    ("sprinter", "atomic"): (0.97, 0.98, 0.021),
    ("better", "atomic"): (0.92, 0.98, 0.047),
    ("sleepy", "atomic"): (0.78, 0.98, 0.021),
    ("eager", "atomic"): (0.85, 0.25, 0.021),
    ("steady", "extended"): (0.60, 0.98, 0.062),
    ("twin", "extended"): (0.60, 0.98, 0.062),
    ("sprinter", "extended"): (0.02, 0.98, 0.062),
    ("better", "extended"): (0.93, 0.98, 0.088),
    ("eager", "extended"): (0.60, 0.25, 0.062),
}
LEADERS = {"atomic": "sprinter", "extended": "better"}
CASES = {"atomic": (15, 9), "extended": (12, 6)}
HOLDOUT = 500  # the number of the first holdout case
REPEATS = {"screen": 2, "confirm": 5, "verify": 5}
SKILLS = ("pick_tool", "arguments", "parallel", "dates", "units")


def spec(model: str, phase: str, *, warmup: bool = False) -> Spec:
    settings = SLEEPY if model == "sleepy" else SETTINGS
    if warmup:
        settings = Settings(timeout_s=settings.timeout_s, warmup=True)
    return Spec(model=model, phase=phase, settings=settings)


def estimate(value: float | None, half: float = 0.05, n: int = 100, reason: str = "") -> Estimate:
    if value is None:
        return Estimate(value=None, low=None, high=None, level=0.95, n=0, method="none", reason=reason)
    return Estimate(value=value, low=value - half, high=value + half, level=0.95, n=n, method="made up")


def case_id(phase: str, number: int) -> str:
    return f"{phase[:3]}-{number + 1:02d}"


def samples(dice: random.Random) -> Iterator[Sample]:
    position = 0
    for model, phase in TRUTH:
        both = model in {"steady", LEADERS[phase]}
        for stage in ("screen", "confirm", "verify") if both else ("screen",):
            for number in range(sum(CASES[phase])):
                for repeat in range(REPEATS[stage]):
                    position += 1
                    # As blocks are: either arm first by the toss of a coin, both beside each other.
                    late = (model == "steady") == ((number + repeat) % 2 == 0)
                    where = 4 * (1000 * repeat + number) + late
                    yield sample(dice, (stage, model, phase), number, repeat, where, seed=position)
    for session in range(1, 6):
        for warm in (False, True):
            for number in range(4):
                position += 1
                yield first_call(dice, session, number, position, warm=warm)


def sample(
    dice: random.Random,
    where: tuple[str, str, str],
    number: int,
    repeat: int,
    position: int,
    *,
    seed: int = 0,
) -> Sample:
    stage, model, phase = where
    accuracy, restraint, seconds = TRUTH[model, phase]
    wants = number < CASES[phase][0]
    share = accuracy if wants else restraint
    hardness = (number * 7 % CASES[phase][0]) / CASES[phase][0] if wants else 0.5
    chance = 0.5 if wants and abs(hardness - share) < 0.04 else 0.985 if hardness < share else 0.03
    right = dice.random() < (chance if wants else share)
    wrong = dice.choice(("wrong", "wrong", "abstained", "malformed")) if wants else "overcalled"
    latency = seconds * dice.lognormvariate(0, 0.22)
    outcome = "pass" if right else wrong
    if dice.random() < 0.002:
        outcome = "infra_error"
    return Sample(
        run_id=RUN,
        stage=stage,  # type: ignore[arg-type]
        spec_id=spec(model, phase).id,
        model=model,
        requested_model=model,
        served_model=model,
        phase=phase,
        case_id=case_id(phase, number + HOLDOUT * (stage == "verify")),
        skill=SKILLS[number % len(SKILLS)],
        wants_call=wants,
        repeat=repeat,
        seed=seed,
        position=position,
        started_at=START + timedelta(milliseconds=20 * position),
        outcome=outcome,  # type: ignore[arg-type]
        detail="" if right else "argument city: 'Paris' expected, 'London' given",
        latency_s=None if outcome == "infra_error" else latency,
        elapsed_s=latency,
        requests=1 if phase == "atomic" else 3,
        input_tokens=210,
        output_tokens=34,
    )


def first_call(dice: random.Random, session: int, number: int, position: int, *, warm: bool) -> Sample:
    base = sample(dice, ("sessions", "sleepy", "atomic"), number, 0, position)
    waited = 0.022 * dice.lognormvariate(0, 0.2)
    late = not warm and number < 3
    fields = {name: getattr(base, name) for name in base.__struct_fields__}
    fields.update(
        spec_id=spec("sleepy", "atomic", warmup=warm).id,
        session=session,
        cold=not warm and number == 0,
        outcome="timeout" if late else base.outcome,
        elapsed_s=0.4 if late else waited + (0.0 if warm else 0.21),
        latency_s=None if late else waited,
    )
    return Sample(**fields)


def spec_summary(found: list[Sample], this: Spec, stage: str) -> SpecSummary:
    mine = [s for s in found if s.spec_id == this.id and s.stage == stage]
    valid = [s for s in mine if s.outcome != "infra_error"]
    calm = [s for s in valid if not s.wants_call]
    answered = [s for s in valid if s.outcome != "timeout"]
    waits = sorted(s.latency_s for s in mine if s.latency_s is not None) or [0.1]
    cases = dict.fromkeys(s.case_id for s in mine)
    return SpecSummary(
        spec=this,
        stage=stage,
        samples=len(mine),
        outcomes={name: sum(s.outcome == name for s in mine) for name in OUTCOMES},
        served=share(valid),
        skill=share(answered),
        restraint=share(calm) if calm else estimate(None, reason="no case without a call"),
        latency_p50_s=estimate(waits[len(waits) // 2], 0.001),
        latency_p95_s=estimate(waits[int(0.95 * (len(waits) - 1))], 0.002),
        infra_share=1 - len(valid) / max(1, len(mine)),
        requests=sum(s.requests for s in mine),
        input_tokens=sum(s.input_tokens for s in mine),
        output_tokens=sum(s.output_tokens for s in mine),
        cost=None,
        token_samples=len(mine),
        cost_samples=0,
        cases=tuple(case_result([s for s in mine if s.case_id == name]) for name in cases),
    )


def case_result(mine: list[Sample]) -> CaseResult:
    return CaseResult(
        case_id=mine[0].case_id,
        skill=mine[0].skill,
        wants_call=mine[0].wants_call,
        outcomes=tuple(s.outcome for s in mine),
    )


def share(found: list[Sample]) -> Estimate:
    number = len(found)
    value = sum(s.outcome == "pass" for s in found) / number
    half = 1.96 * (value * (1 - value) / number + 1 / (4 * number**2)) ** 0.5
    low, high = max(0.0, value - half), min(1.0, value + half)
    return Estimate(value=value, low=low, high=high, level=0.95, n=number, method="made up")


def comparison(specs: dict[tuple[str, str], SpecSummary], model: str, phase: str, stage: str) -> Comparison:
    ours, theirs = specs[spec(model, phase).id, stage], specs[spec("steady", phase).id, stage]
    gain = (ours.served.value or 0) - (theirs.served.value or 0)
    half = {"screen": 0.11, "confirm": 0.06, "verify": 0.055}[stage]
    ratio = (ours.latency_p50_s.value or 1) / (theirs.latency_p50_s.value or 1)
    return Comparison(
        stage=stage,
        phase=phase,
        candidate=ours.spec,
        baseline=theirs.spec,
        cases=len(ours.cases),
        repeats=2 if stage == "screen" else 5,
        effect=estimate(gain, half),
        p_value=0.0004 if gain > half else 0.4,
        harm_p_value=0.9,
        generalisation=estimate(gain, half * 1.4),
        standard_error=half / 1.96,
        latency_ratio=estimate(ratio, 0.08),
        latency_p_value=0.5,
        restraint_effect=estimate(0.0, 0.05),
        restraint_e=24.0,
        restraint_harm_p_value=0.8,
        overdispersion_p=0.6,
        looks=looks(len(ours.cases), gain),
    )


def looks(cases: int, gain: float) -> tuple[LookResult, ...]:
    """Return three looks, of which the first can't end it and the last does."""
    return tuple(
        LookResult(
            round=number,
            fraction=(number + 1) / 6,
            statistic=int((number + 1) * cases * (0.5 + gain)),
            critical=None if number == 0 else int((number + 1) * cases * 0.5) + 4 - number,
            spent=0.01 * number,
            crossed=number == 2,
            futile=False,
            effect=gain,
            calls=2 * cases * (number + 1),
        )
        for number in range(3)
    )


def selection() -> Selection:
    """Return what the screen promised: the leaders go on, sleepy had nothing to answer."""
    rows = tuple(
        Screened(
            phase=phase,
            spec=spec(model, phase),
            passes=0 if model == "sleepy" else int(20 * TRUTH[model, phase][0]),
            calls=0 if model == "sleepy" else 20,
            gain=None if model == "sleepy" else TRUTH[model, phase][0] - TRUTH["steady", phase][0] + 0.02,
            reason="" if LEADERS[phase] == model else "another one promises more",
        )
        for model, phase in TRUTH
        if model != "steady"
    )
    leaders = {phase: spec(model, phase) for phase, model in LEADERS.items()}
    return Selection(run_id=RUN, leaders=leaders, suspects=(), screened=rows)


def confirmation() -> Confirmation:
    made = tuple(
        Confirmed(
            phase=phase,
            candidate=spec(model, phase),
            baseline=spec("steady", phase),
            ended="crossed",
            rounds=3,
            reason=f"{model} is better beside steady",
        )
        for phase, model in LEADERS.items()
    )
    return Confirmation(run_id=RUN, phases=made)


def summary(found: list[Sample]) -> Summary:
    wanted = {(s.spec_id, s.stage): s for s in found}
    specs = {}
    for (spec_id, stage), one in wanted.items():
        warm = spec_id != spec(one.model, one.phase).id
        specs[spec_id, stage] = spec_summary(found, spec(one.model, one.phase, warmup=warm), stage)
    compared = [
        comparison(specs, model, phase, stage)
        for model, phase in TRUTH
        for stage in ("confirm", "verify")
        if model != "steady" and (spec(model, phase).id, stage) in specs
    ]
    sessions = SessionComparison(
        stage="sessions",
        phase="atomic",
        model="sleepy",
        sessions=5,
        cold=estimate(0.2, 0.15),
        warm=estimate(0.85, 0.14),
        effect=estimate(0.65, 0.21),
        p_value=0.031,
        warmup_s=0.6,
    )
    leaders = {phase: spec(model, phase).id for phase, model in LEADERS.items()}
    return Summary(
        run_id=RUN,
        specs=tuple(specs.values()),
        comparisons=tuple(compared),
        sessions=(sessions,),
        leaders=leaders,
    )


def plan() -> Plan:
    def phase(name: str, held: int, smallest: float) -> PhasePlan:
        models = [model for model, served in TRUTH if served == name and model != "steady"]
        skipped = Skipped(
            spec=spec("twin", name, warmup=True), reason="tried 2 cycles ago, nothing changed since"
        )
        return PhasePlan(
            phase=name,
            suite=name,
            suite_version="1.0",
            suite_hash=("9c1e" if name == "atomic" else "41b7") + "c0ffee" * 10,
            baseline=spec("steady", name),
            candidates=tuple(spec(model, name) for model in models),
            skipped=(skipped,) if name == "atomic" else (),
            search_cases=sum(CASES[name]),
            holdout_cases=held,
            smallest_effect=smallest,
        )

    return Plan(
        run_id=RUN,
        seed=1,
        generation=1,
        phases=(phase("atomic", 16, 0.09), phase("extended", 12, 0.12)),
        predicted_samples=1420,
        predicted_requests=2890,
        digests={"steady": "sim-51ab", "better": "sim-77fe"},
    )


def gate(name: str, verdict: str, observed: str, threshold: str, settle: str = "") -> GateResult:
    known = {"name": name, "observed": observed, "threshold": threshold, "settle": settle}
    return GateResult(verdict=verdict, **known)  # type: ignore[arg-type]


def decision(model: str, phase: str, action: str, verdict: str, said: tuple[str, float, str]) -> Decision:
    reason, effect, weak = said
    gates = [
        gate("infra_share", "pass", "0.2 % of samples", "at most 10 %"),
        gate("coverage", "pass", "24 of 24 cases in both arms", "all"),
        gate("accuracy_gain", "pass", "+17.5 points, p < 0.001", "p at most 0.05"),
        gate("restraint", "pass", "97.8 %, e = 24 against a loss of 15 points", "at least 80 %"),
        gate("latency", "pass", "ratio 1.01 [0.97, 1.05]", "at most 1.20"),
    ]
    bad = "unknown" if verdict == "HOLD" else "fail"
    settle = "about 12 more repeats per case" if verdict == "HOLD" else ""
    gates = [gate(g.name, bad, reason, g.threshold, settle) if g.name == weak else g for g in gates]
    name = f"{phase}-{action}-{model}"
    fallback = LEADERS[phase] if action == "deny" else None
    return Decision(
        id=f"{RUN}:{name}",
        recommendation=Recommendation(
            id=name,
            action=action,  # type: ignore[arg-type]
            phase=phase,
            spec=spec(model, phase, warmup=action == "enable_warmup"),
            hypothesis=f"{model} does {phase} work better than what serves it now",
            fallback_model=fallback,
        ),
        verdict=verdict,  # type: ignore[arg-type]
        gates=tuple(gates),
        reason=reason,
        effect=estimate(effect, 0.07),
    )


def decisions() -> Decisions:
    rows = (
        ("sprinter", "atomic", "promote", "PROMOTE", ("All gates passed.", 0.127, "")),
        ("better", "extended", "promote", "PROMOTE", ("All gates passed.", 0.22, "")),
        (
            "sleepy",
            "atomic",
            "enable_warmup",
            "PROMOTE",
            ("First calls fail without warm-up only.", 0.65, ""),
        ),
        ("sprinter", "extended", "deny", "PROMOTE", ("At most 9 % of cases can pass.", -0.39, "")),
        ("better", "atomic", "promote", "REJECT", ("2.2 times slower; 20 % is allowed.", 0.09, "latency")),
        ("eager", "atomic", "promote", "REJECT", ("Calls a tool where none is wanted.", -0.24, "restraint")),
        (
            "eager",
            "extended",
            "promote",
            "REJECT",
            ("Calls a tool where none is wanted.", -0.25, "restraint"),
        ),
        ("sprinter", "extended", "promote", "REJECT", ("No gain: 39 points worse.", -0.39, "accuracy_gain")),
        ("twin", "atomic", "promote", "HOLD", ("No gain in the screen.", 0.004, "accuracy_gain")),
        ("sleepy", "atomic", "promote", "HOLD", ("No gain in the screen.", -0.01, "accuracy_gain")),
        ("twin", "extended", "promote", "HOLD", ("No gain in the screen.", -0.02, "accuracy_gain")),
    )
    return Decisions(run_id=RUN, decisions=tuple(decision(*row) for row in rows))


def verifications() -> Verifications:
    def one(name: str, effect: float, p_value: float | None, reason: str) -> Verification:
        return Verification(
            decision_id=f"{RUN}:{name}",
            kept=True,
            effect=estimate(effect, 0.055),
            p_value=p_value,
            reason=reason,
        )

    return Verifications(
        run_id=RUN,
        generation_before=1,
        generation_applied=2,
        generation=3,
        verifications=(
            one("atomic-promote-sprinter", 0.118, 0.0004, "The gain holds on 16 fresh cases."),
            one("extended-promote-better", 0.205, 0.0001, "The gain holds on 12 fresh cases."),
            one("atomic-enable_warmup-sleepy", 0.67, 0.125, "First calls pass after a warm-up."),
            one(
                "extended-deny-sprinter", 0.0, None, "Requests for sprinter are served by better, 94 % right."
            ),
        ),
    )


def feedback() -> Feedback:
    findings = (
        Finding(
            cause="cold_start",
            phase="atomic",
            model="sleepy",
            certainty="confirmed",
            headline="The first calls after a load time out; later ones don't.",
            evidence=(
                "3 of 4 first calls time out in each of 5 sessions without warm-up, none with it",
                "the endpoint states 0.60 s of loading against a deadline of 0.4 s",
            ),
            refute="Start sessions with and without warm-up again: equal failures would refute it.",
            p_value=0.031,
        ),
        Finding(
            cause="capability_limit",
            phase="extended",
            model="sprinter",
            certainty="confirmed",
            headline="At most 9 % of the extended cases can pass.",
            evidence=("2 of 36 samples pass; upper bound 9.1 %, below the floor of 30 %",),
            refute="Any settings under which more than 30 % pass would refute it.",
            case_ids=tuple(case_id("extended", n) for n in range(12)),
            posterior=0.998,
        ),
        Finding(
            cause="over_calling",
            phase="atomic",
            model="eager",
            certainty="probable",
            headline="Calls a tool in three of four cases that want none.",
            evidence=("14 of 18 samples without need were calls",),
            refute="A system prompt that allows plain answers would restore restraint.",
        ),
    )
    return Feedback(
        run_id=RUN, findings=findings, recommendations=tuple(d.recommendation for d in decisions().decisions)
    )


def routing(generation: int, serving: dict[str, str]) -> RoutingConfig:
    baselines = {
        phase: Baseline(
            spec=spec(model, phase), accuracy=estimate(TRUTH[model, phase][0]), restraint=estimate(0.98)
        )
        for phase, model in serving.items()
    }
    rules = tuple(
        Rule(
            model=model,
            phase=phase,
            allow=True,
            settings=SETTINGS,
            reason="in harness.toml",
            source="init",
            timestamp=START,
        )
        for model, phase in TRUTH
    )
    return RoutingConfig(
        generation=generation, parent_sha256="0" * 64, timestamp=START, rules=rules, baselines=baselines
    )


def outcome() -> CycleOutcome:
    rows = (
        ("steady", "atomic", "accuracy 0.78, restraint 0.98, 20 ms", "does not serve any more"),
        ("sprinter", "atomic", "accuracy 0.97, restraint 0.98, 20 ms; the best that may serve", "serves"),
        ("better", "atomic", "accuracy 0.92, restraint 0.98, 44 ms", "does not serve: slower than allowed"),
        ("sleepy", "atomic", "accuracy 0.78; loads for 0.6 s, longer than its timeout", "warmed up"),
        ("eager", "atomic", "accuracy 0.85, restraint 0.25", "does not serve: over-calling"),
        ("sprinter", "extended", "accuracy 0.02, restraint 0.98", "denied, served by better"),
        ("better", "extended", "accuracy 0.93, restraint 0.98; the best that may serve", "serves"),
        ("twin", "extended", "accuracy 0.60, restraint 0.98; equal to steady", "does not serve: no gain"),
    )
    return CycleOutcome(
        run_id=RUN,
        ended_at=START + timedelta(seconds=11.4),
        headline="Atomic is now served by sprinter (+12 points on fresh cases); "
        "extended is now served by better "
        "(+21 points on fresh cases); sleepy is warmed up before atomic; sprinter no longer serves "
        "extended (better does).",
        status="promoted",
        generation_before=1,
        generation=3,
        baselines=dict(LEADERS),
        accuracy={"atomic": 0.967, "extended": 0.942},
        truth=tuple(TruthRow(model=m, phase=p, declared=d, concluded=c, right=True) for m, p, d, c in rows),
    )


def log() -> tuple[LogEntry, ...]:
    said = (
        (
            "intent",
            2,
            "promote sprinter for atomic, better for extended; warm sleepy up; deny sprinter for extended",
        ),
        ("applied", 2, "generation 2 is in force, on probation"),
        ("confirmed", 3, "4 changes confirmed on fresh samples"),
    )
    return tuple(
        LogEntry(
            seq=n + 2,
            time=START + timedelta(seconds=7 + n),
            event=event,  # type: ignore[arg-type]
            generation=generation,
            config_sha256="ab" * 32,
            summary=summary_text,
            run_id=RUN,
            prev_sha256="cd" * 32,
            sha256=f"{n}e5f" * 16,
        )
        for n, (event, generation, summary_text) in enumerate(said)
    )


def manifest(status: str = "done") -> Manifest:
    names = ("plan", "journal.jsonl", "samples.parquet", "summary", "findings", "decisions", "verification")
    return Manifest(
        run_id=RUN,
        kind="cycle",
        status=status,  # type: ignore[arg-type]
        started_at=START,
        parameters={"resumed": False},
        environment={
            "python": "3.11.7",
            "machine": "Linux x86_64, 2 cores",
            "harnesslib": "0.0.1",
            "numpy": "2.4.6",
            "scipy": "1.17.1",
        },
        simulated=True,
        pid=1,
        pid_started=0.0,
        files={name if "." in name else f"{name}.json": "5d0c" * 16 for name in names},
    )


def demo_records() -> CycleRecords:
    """Return the records of a whole cycle of the demo workspace."""
    found = list(samples(random.Random(7)))  # noqa: S311 - made-up data
    earlier = CycleOutcome(
        run_id="20260101T030405Z-cycle-11aa",
        ended_at=START - timedelta(days=1),
        headline="Nothing left to improve.",
        status="unchanged",
        generation_before=1,
        generation=1,
        baselines={"atomic": "steady", "extended": "steady"},
        accuracy={"atomic": 0.781, "extended": 0.604},
    )
    return CycleRecords(
        manifest=manifest(),
        plan=plan(),
        selection=selection(),
        confirmation=confirmation(),
        samples=tuple(found),
        summary=summary([s for s in found if s.stage != "verify"]),
        feedback=feedback(),
        decisions=decisions(),
        applied=Applied(run_id=RUN, generation_before=1, generation=2),
        verifications=verifications(),
        outcome=outcome(),
        routing_before=routing(1, {"atomic": "steady", "extended": "steady"}),
        routing_after=routing(3, dict(LEADERS)),
        log=log(),
        history=(earlier,),
    )
