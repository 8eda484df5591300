"""What the samples say: estimates, summaries, findings, recommendations, decisions."""

from __future__ import annotations

from typing import Literal

from harnesslib.records.base import Record
from harnesslib.records.measure import Outcome, Prompt, Spec


class Estimate(Record):
    """A number with its interval; without enough data it has no bounds, and says why in `reason`."""

    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    method: str
    reason: str = ""


class Significance(Record):
    """What a test found. `p_value` is none where it can't be given, and `reason` says why.

    `statistic` is the number that the test judges, as its method defines it; `alternative` says in words what
    a small p-value speaks for; `n` counts the units that were tested.
    """

    p_value: float | None
    statistic: float | None
    n: int
    method: str
    alternative: str
    reason: str = ""


class CaseResult(Record):
    """One case under one spec. `outcomes` are in order of repeat."""

    case_id: str
    skill: str
    wants_call: bool
    outcomes: tuple[Outcome, ...]

    @property
    def passes(self) -> int:
        """Samples that passed."""
        return self.outcomes.count("pass")

    @property
    def valid(self) -> int:
        """Samples that count: all but infrastructure errors."""
        return len(self.outcomes) - self.outcomes.count("infra_error")


class Repeats(Record):
    """What repeats of the same cases say.

    `k` is the number of valid calls that every repeated case has, at most 8. `pass_at_k` is the chance that
    at least one of k calls passes, `pass_hat_k` (pass^k) that all of them do, both averaged over cases. `icc`
    is the share of a single result's variance that its case explains; the variances (squared shares) are
    those of cases, of whole runs, and of single calls. `runs` tests whether some runs were worse than others.
    """

    k: int | None
    pass_at_k: Estimate
    pass_hat_k: Estimate
    icc: Estimate
    case_variance: float | None
    run_variance: float | None
    call_variance: float | None
    runs: Significance


class SpecSummary(Record):
    """One spec in one stage. Served accuracy counts a timeout as a failure; skill accuracy leaves it out.

    `selected` is true where its cases were chosen because the baseline failed them: its shares then say
    nothing about the suite. Tokens are summed over the `token_samples` that know both numbers, `cost` over
    the `cost_samples` that know it; none where no sample does. Files of older versions don't hold these two
    counts, `repeats` and `latency_p99_s`.
    """

    spec: Spec
    stage: str
    samples: int
    outcomes: dict[str, int]
    served: Estimate
    skill: Estimate
    restraint: Estimate
    latency_p50_s: Estimate
    latency_p95_s: Estimate
    infra_share: float
    requests: int
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    cases: tuple[CaseResult, ...]
    selected: bool = False
    token_samples: int | None = None
    cost_samples: int | None = None
    latency_p99_s: Estimate | None = None
    repeats: Repeats | None = None


class LookResult(Record):
    """One look at a comparison that is measured in rounds.

    `fraction` is the share of the planned information; `statistic` the candidate's weighted passes, of which
    `critical` would have been enough (none: no number would); `spent` the error spent so far. `futile` says
    that the gain looked for has become implausible.
    """

    round: int
    fraction: float
    statistic: int
    critical: int | None
    spent: float
    crossed: bool
    futile: bool
    effect: float | None
    calls: int


class Comparison(Record):
    """A candidate beside the baseline, paired by case, in one stage.

    `effect` is the difference of served accuracy on these cases (points as a share: 0.1 = 10 points);
    `p_value` one-sided for "better", `harm_p_value` for "worse"; `generalisation` is the interval for new
    cases of the same kind; `latency_ratio` and `cost_ratio` candidate over baseline, paired by case;
    `restraint_e` the e-value and `restraint_p_value` the anytime-valid p-value against "restraint is lower by
    the margin" (none where the suite has no case for it); `overdispersion_p` small where runs differ more
    than chance.
    """

    stage: str
    phase: str
    candidate: Spec
    baseline: Spec
    cases: int
    repeats: int
    effect: Estimate
    p_value: float | None
    harm_p_value: float | None
    generalisation: Estimate
    standard_error: float | None
    latency_ratio: Estimate
    latency_p_value: float | None
    restraint_effect: Estimate
    restraint_e: float | None
    restraint_harm_p_value: float | None
    overdispersion_p: float | None
    dropped_blocks: int = 0
    restraint_p_value: float | None = None
    looks: tuple[LookResult, ...] = ()
    cost_ratio: Estimate | None = None


class SessionComparison(Record):
    """First calls after a load, with and without warm-up, paired by session.

    `warmup_s` is the median time from the first request after an unload to its answer.
    """

    stage: str
    phase: str
    model: str
    sessions: int
    cold: Estimate
    warm: Estimate
    effect: Estimate
    p_value: float | None
    warmup_s: float | None


class Summary(Record):
    """Everything computed from the samples of one run. `leaders` maps a phase to the candidate confirmed."""

    run_id: str
    specs: tuple[SpecSummary, ...]
    comparisons: tuple[Comparison, ...]
    sessions: tuple[SessionComparison, ...]
    leaders: dict[str, str]

    def spec(self, spec_id: str, stage: str) -> SpecSummary | None:
        """Return one spec's summary in a stage, or none."""
        found = (item for item in self.specs if item.spec.id == spec_id and item.stage == stage)
        return next(found, None)

    def comparison(self, candidate_id: str, stage: str) -> Comparison | None:
        """Return a candidate's comparison in a stage, or none."""
        found = (c for c in self.comparisons if c.candidate.id == candidate_id and c.stage == stage)
        return next(found, None)


Cause = Literal[
    "cold_start",
    "capability_limit",
    "over_calling",
    "flaky",
    "infrastructure",
    "timeout_bound",
    "format_mismatch",
    "concurrency_dependent",
    "cached_replicates",
    "drift",
]


class Finding(Record):
    """A cause with its evidence, and the experiment that would refute it.

    `spec_id` is what was measured, in run `run_id`; `statistic` is the number that was judged, as `method`
    defines it.
    """

    cause: Cause
    phase: str
    model: str
    certainty: Literal["probable", "confirmed"]
    headline: str
    evidence: tuple[str, ...]
    refute: str
    case_ids: tuple[str, ...] = ()
    p_value: float | None = None
    posterior: float | None = None
    run_id: str = ""
    spec_id: str = ""
    statistic: float | None = None
    method: str = ""


Action = Literal["promote", "enable_warmup", "deny", "allow"]


class Recommendation(Record):
    """A proposed rule change. `id` is ``phase-action-model``, and what else is changed where settings are.

    `label` says in words what would serve ("" = the model as it is); `prompt` is the text of its variant
    where that is one of somebody's own.
    """

    id: str
    action: Action
    phase: str
    spec: Spec
    hypothesis: str
    fallback_model: str | None = None
    label: str = ""
    prompt: Prompt | None = None

    @property
    def serving(self) -> str:
        """What would serve, in words."""
        return self.label or self.spec.model


class Feedback(Record):
    """What the diagnosis found, and what it proposes."""

    run_id: str
    findings: tuple[Finding, ...]
    recommendations: tuple[Recommendation, ...]


Verdict = Literal["PROMOTE", "HOLD", "REJECT"]


class GateResult(Record):
    """One gate: what was observed, what was asked for, and what would settle an unknown."""

    name: str
    verdict: Literal["pass", "fail", "unknown"]
    observed: str
    threshold: str
    settle: str = ""


class Decision(Record):
    """Any gate that fails = REJECT; else any unknown = HOLD; else PROMOTE. Every gate is always shown."""

    id: str
    recommendation: Recommendation
    verdict: Verdict
    gates: tuple[GateResult, ...]
    reason: str
    effect: Estimate


class Decisions(Record):
    """All decisions of one cycle."""

    run_id: str
    decisions: tuple[Decision, ...]

    @property
    def promoted(self) -> tuple[Decision, ...]:
        """The decisions that change the routing."""
        return tuple(decision for decision in self.decisions if decision.verdict == "PROMOTE")


class Verification(Record):
    """A change measured again, on fresh samples, through the config as an application uses it.

    `effect` is the gain that is credited.
    """

    decision_id: str
    kept: bool
    effect: Estimate
    p_value: float | None
    reason: str


class Verifications(Record):
    """All verifications of one cycle; `generation` is the one in force afterwards."""

    run_id: str
    generation_before: int
    generation_applied: int
    generation: int
    verifications: tuple[Verification, ...]
    evidence: Summary | None = None
