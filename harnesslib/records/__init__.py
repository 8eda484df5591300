"""Every record, in the order in which they arise: suite, measure, evidence, routing, config, cycle."""

from harnesslib.records.base import (
    SCHEMA_VERSION as SCHEMA_VERSION,
)
from harnesslib.records.base import (
    Record as Record,
)
from harnesslib.records.base import (
    decode as decode,
)
from harnesslib.records.base import (
    encode as encode,
)
from harnesslib.records.base import (
    encode_pretty as encode_pretty,
)
from harnesslib.records.base import (
    sha256 as sha256,
)
from harnesslib.records.config import (
    AutoApply as AutoApply,
)
from harnesslib.records.config import (
    BudgetConfig as BudgetConfig,
)
from harnesslib.records.config import (
    CycleConfig as CycleConfig,
)
from harnesslib.records.config import (
    EndpointConfig as EndpointConfig,
)
from harnesslib.records.config import (
    HarnessConfig as HarnessConfig,
)
from harnesslib.records.config import (
    HookConfig as HookConfig,
)
from harnesslib.records.config import (
    HookEvent as HookEvent,
)
from harnesslib.records.config import (
    ModelConfig as ModelConfig,
)
from harnesslib.records.config import (
    PhaseConfig as PhaseConfig,
)
from harnesslib.records.config import (
    PolicyConfig as PolicyConfig,
)
from harnesslib.records.config import (
    ProposerConfig as ProposerConfig,
)
from harnesslib.records.config import (
    SearchConfig as SearchConfig,
)
from harnesslib.records.config import (
    SettingsPatch as SettingsPatch,
)
from harnesslib.records.cycle import (
    Applied as Applied,
)
from harnesslib.records.cycle import (
    Confirmation as Confirmation,
)
from harnesslib.records.cycle import (
    Confirmed as Confirmed,
)
from harnesslib.records.cycle import (
    CycleOutcome as CycleOutcome,
)
from harnesslib.records.cycle import (
    CycleRecords as CycleRecords,
)
from harnesslib.records.cycle import (
    Ending as Ending,
)
from harnesslib.records.cycle import (
    Event as Event,
)
from harnesslib.records.cycle import (
    Manifest as Manifest,
)
from harnesslib.records.cycle import (
    Notice as Notice,
)
from harnesslib.records.cycle import (
    PhasePlan as PhasePlan,
)
from harnesslib.records.cycle import (
    Plan as Plan,
)
from harnesslib.records.cycle import (
    ReportSeal as ReportSeal,
)
from harnesslib.records.cycle import (
    RunKind as RunKind,
)
from harnesslib.records.cycle import (
    RunLine as RunLine,
)
from harnesslib.records.cycle import (
    Screened as Screened,
)
from harnesslib.records.cycle import (
    Selection as Selection,
)
from harnesslib.records.cycle import (
    Skipped as Skipped,
)
from harnesslib.records.cycle import (
    Standing as Standing,
)
from harnesslib.records.cycle import (
    TruthRow as TruthRow,
)
from harnesslib.records.evidence import (
    CaseResult as CaseResult,
)
from harnesslib.records.evidence import (
    Cause as Cause,
)
from harnesslib.records.evidence import (
    Comparison as Comparison,
)
from harnesslib.records.evidence import (
    Decision as Decision,
)
from harnesslib.records.evidence import (
    Decisions as Decisions,
)
from harnesslib.records.evidence import (
    Estimate as Estimate,
)
from harnesslib.records.evidence import (
    Feedback as Feedback,
)
from harnesslib.records.evidence import (
    Finding as Finding,
)
from harnesslib.records.evidence import (
    GateResult as GateResult,
)
from harnesslib.records.evidence import (
    LookResult as LookResult,
)
from harnesslib.records.evidence import (
    Recommendation as Recommendation,
)
from harnesslib.records.evidence import (
    Repeats as Repeats,
)
from harnesslib.records.evidence import (
    SessionComparison as SessionComparison,
)
from harnesslib.records.evidence import (
    Significance as Significance,
)
from harnesslib.records.evidence import (
    SpecSummary as SpecSummary,
)
from harnesslib.records.evidence import (
    Summary as Summary,
)
from harnesslib.records.evidence import (
    Verification as Verification,
)
from harnesslib.records.evidence import (
    Verifications as Verifications,
)
from harnesslib.records.imported import (
    ImportedFile as ImportedFile,
)
from harnesslib.records.imported import (
    ImportedRow as ImportedRow,
)
from harnesslib.records.loop import (
    Activity as Activity,
)
from harnesslib.records.loop import (
    CandidateForecast as CandidateForecast,
)
from harnesslib.records.loop import (
    Drift as Drift,
)
from harnesslib.records.loop import (
    DriftPoint as DriftPoint,
)
from harnesslib.records.loop import (
    Forecast as Forecast,
)
from harnesslib.records.loop import (
    Heartbeat as Heartbeat,
)
from harnesslib.records.loop import (
    Held as Held,
)
from harnesslib.records.loop import (
    PhaseDrift as PhaseDrift,
)
from harnesslib.records.loop import (
    PhaseForecast as PhaseForecast,
)
from harnesslib.records.loop import (
    PlannedProposal as PlannedProposal,
)
from harnesslib.records.loop import (
    Proposal as Proposal,
)
from harnesslib.records.loop import (
    ProposalPatch as ProposalPatch,
)
from harnesslib.records.loop import (
    ProposalVerdict as ProposalVerdict,
)
from harnesslib.records.loop import (
    Proposed as Proposed,
)
from harnesslib.records.loop import (
    Rate as Rate,
)
from harnesslib.records.loop import (
    Submitted as Submitted,
)
from harnesslib.records.measure import (
    OUTCOMES as OUTCOMES,
)
from harnesslib.records.measure import (
    Assignment as Assignment,
)
from harnesslib.records.measure import (
    Call as Call,
)
from harnesslib.records.measure import (
    ChatRequest as ChatRequest,
)
from harnesslib.records.measure import (
    Failure as Failure,
)
from harnesslib.records.measure import (
    ModelInfo as ModelInfo,
)
from harnesslib.records.measure import (
    Outcome as Outcome,
)
from harnesslib.records.measure import (
    Prompt as Prompt,
)
from harnesslib.records.measure import (
    Reply as Reply,
)
from harnesslib.records.measure import (
    Sample as Sample,
)
from harnesslib.records.measure import (
    SampleKey as SampleKey,
)
from harnesslib.records.measure import (
    Score as Score,
)
from harnesslib.records.measure import (
    Settings as Settings,
)
from harnesslib.records.measure import (
    Spec as Spec,
)
from harnesslib.records.measure import (
    Stage as Stage,
)
from harnesslib.records.regression import (
    PhaseCheck as PhaseCheck,
)
from harnesslib.records.regression import (
    Reference as Reference,
)
from harnesslib.records.routing import (
    AUTO as AUTO,
)
from harnesslib.records.routing import (
    Baseline as Baseline,
)
from harnesslib.records.routing import (
    LockOwner as LockOwner,
)
from harnesslib.records.routing import (
    LogEntry as LogEntry,
)
from harnesslib.records.routing import (
    Resolution as Resolution,
)
from harnesslib.records.routing import (
    RoutingConfig as RoutingConfig,
)
from harnesslib.records.routing import (
    Rule as Rule,
)
from harnesslib.records.simulation import (
    SimulatedModel as SimulatedModel,
)
from harnesslib.records.simulation import (
    SimulatedPhase as SimulatedPhase,
)
from harnesslib.records.simulation import (
    SimulatedTrouble as SimulatedTrouble,
)
from harnesslib.records.simulation import (
    SimulatedWorld as SimulatedWorld,
)
from harnesslib.records.suite import (
    SPLITS as SPLITS,
)
from harnesslib.records.suite import (
    Case as Case,
)
from harnesslib.records.suite import (
    ExpectedCall as ExpectedCall,
)
from harnesslib.records.suite import (
    Split as Split,
)
from harnesslib.records.suite import (
    Suite as Suite,
)
from harnesslib.records.suite import (
    Tool as Tool,
)
from harnesslib.records.suite import (
    Turn as Turn,
)
