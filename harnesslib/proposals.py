"""Candidates that somebody submits: a file's text becomes a candidate, or every reason why not."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from harnesslib.candidates import Candidate, candidate
from harnesslib.explain import convert, did_you_mean, listed
from harnesslib.harness_file import number_problems, prompt_problems
from harnesslib.records import (
    CycleRecords,
    Decision,
    Estimate,
    HarnessConfig,
    Held,
    PlannedProposal,
    Prompt,
    Proposal,
    ProposalVerdict,
    RoutingConfig,
    Settings,
    Spec,
    Submitted,
)
from harnesslib.variants import NAMES, format_of

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
LONGEST_WORDS = 1000


def read(
    submitted: Submitted, config: HarnessConfig, routing: RoutingConfig
) -> tuple[Candidate | None, PlannedProposal]:
    """Return the candidate that a file asks for, and what is to be remembered of it.

    Parameters
    ----------
    submitted
        The file. Its text is only ever data.
    config, routing
        What it is checked against, and what the settings that it does not name come from.

    Returns
    -------
    No candidate where the file is wrong; `problem` then names everything that is.
    """
    planned = PlannedProposal(name=submitted.name, sha256=submitted.sha256, problem=submitted.problem)
    if submitted.problem:
        return None, planned
    proposal, problem = _proposal(submitted)
    problems = [problem] if proposal is None else [*_problems(proposal, submitted, config, routing)]
    if proposal is None or problems:
        return None, msgspec.structs.replace(planned, problem="; ".join(problems))
    found = _candidate(proposal, config, routing)
    return found, msgspec.structs.replace(
        planned, spec_id=found.spec.id, phase=proposal.phase, expected_delta=proposal.expected_delta
    )


def answers(
    records: CycleRecords, held: Sequence[Held], *, answered_at: datetime
) -> tuple[ProposalVerdict, ...]:
    """Return what a cycle answers to every proposal that lay there when it was planned."""
    planned = records.plan.proposals if records.plan else ()
    return tuple(_answer(one, records, held, answered_at) for one in planned)


def _proposal(submitted: Submitted) -> tuple[Proposal | None, str]:
    try:
        if submitted.file.endswith(".json"):
            raw: Any = msgspec.json.decode(submitted.text)
        else:
            raw = tomllib.loads(submitted.text)
    except (ValueError, RecursionError) as error:
        kind = "JSON" if submitted.file.endswith(".json") else "TOML"
        return None, f"not {kind}: {error}"
    return convert(raw, Proposal)


def _problems(
    proposal: Proposal, submitted: Submitted, config: HarnessConfig, routing: RoutingConfig
) -> Iterator[str]:
    if proposal.name != submitted.name:
        yield f"name: got '{proposal.name}', expected the file's name '{submitted.name}'"
    for field in ("hypothesis", "author"):
        if len(getattr(proposal, field)) > LONGEST_WORDS:
            yield f"{field}: got more than {LONGEST_WORDS} characters"
    delta = proposal.expected_delta
    if delta is not None and not (math.isfinite(delta) and -1 <= delta <= 1):
        yield f"expected_delta: got {delta}, expected a share from -1 to 1 (0.05 = 5 points)"
    if proposal.phase not in config.phases or proposal.phase not in routing.baselines:
        hint = did_you_mean(proposal.phase, config.phases) or f"; expected one of {listed(config.phases)}"
        yield f"phase: there is no '{proposal.phase}'{hint}"
        return
    models = [model.id for model in config.models_of(proposal.phase)]
    if proposal.model and proposal.model not in models:
        hint = did_you_mean(proposal.model, models) or f"; expected one of {listed(models)}"
        yield f"model: there is no '{proposal.model}' in {proposal.phase}{hint}"
    yield from _patch_problems(proposal, config)


def _patch_problems(proposal: Proposal, config: HarnessConfig) -> Iterator[str]:
    patch = proposal.patch
    given = [name for name in patch.__struct_fields__ if getattr(patch, name) is not None]
    if not given and not proposal.model:
        yield "patch: changes nothing; expected at least one setting, a system_prompt, or another model"
    known = (*NAMES, *config.variants)
    if patch.variant is not None and patch.variant not in known:
        hint = did_you_mean(patch.variant, known) or f"; expected one of {listed(known)}"
        yield f"patch.variant: there is no '{patch.variant}'{hint}"
    yield from (f"patch.{problem}" for problem in number_problems(patch))
    if patch.system_prompt is not None:
        if patch.variant in config.variants:
            yield "patch.variant: expected a call format beside a system_prompt, not another prompt variant"
        yield from (f"patch.{one}" for one in prompt_problems(Prompt(system_prompt=patch.system_prompt)))


def _candidate(proposal: Proposal, config: HarnessConfig, routing: RoutingConfig) -> Candidate:
    baseline = routing.baselines[proposal.phase].spec
    named = proposal.model and proposal.model != baseline.model
    base = candidate(proposal.model, proposal.phase, config, routing) if named else baseline
    patch = proposal.patch
    settings = patch.over(base.settings)
    settings = msgspec.structs.replace(settings, variant=config.pin(settings.variant))
    prompt: Prompt | None = None
    if patch.system_prompt is not None:
        form = patch.variant or _format(base.settings, config, routing)
        prompt = Prompt(format=form, system_prompt=patch.system_prompt)
        settings = msgspec.structs.replace(settings, variant=prompt.pinned(proposal.name))
    spec = Spec(model=base.model, phase=proposal.phase, settings=settings)
    return Candidate(spec=spec, origin=f"proposal: {proposal.name}", prompt=prompt)


def _format(settings: Settings, config: HarnessConfig, routing: RoutingConfig) -> str:
    known = config.prompts | routing.prompts
    return format_of(settings.variant, known.get(settings.variant))


def _answer(
    planned: PlannedProposal, records: CycleRecords, held: Sequence[Held], answered_at: datetime
) -> ProposalVerdict:
    blank = ProposalVerdict(
        name=planned.name,
        sha256=planned.sha256,
        status="invalid",
        reason=planned.problem,
        run_id=records.manifest.run_id,
        answered_at=answered_at,
        expected_delta=planned.expected_delta,
    )
    if planned.problem:
        return blank
    judged = records.decisions.decisions if records.decisions else ()
    mine = (one for one in judged if one.recommendation.action == "promote")
    decision = next((one for one in mine if one.recommendation.spec.id == planned.spec_id), None)
    if decision is None:
        status, reason = _unmeasured(planned, records)
        return msgspec.structs.replace(blank, status=status, reason=reason)
    return _judged(blank, decision, records, held)


def _unmeasured(planned: PlannedProposal, records: CycleRecords) -> tuple[Any, str]:
    for phase in records.plan.phases if records.plan else ():
        if phase.phase == planned.phase and phase.baseline.id == planned.spec_id:
            return "serving", "what it asks for serves already"
        for one in phase.skipped:
            if one.spec.id == planned.spec_id:
                return "waiting", one.reason
    return "waiting", "no decision was made about it; the next cycle looks at it again"


def _judged(
    blank: ProposalVerdict, decision: Decision, records: CycleRecords, held: Sequence[Held]
) -> ProposalVerdict:
    verifications = records.verifications.verifications if records.verifications else ()
    proof = next((one for one in verifications if one.decision_id == decision.id), None)
    waiting = next((one for one in held if one.decision_id == decision.id), None)
    status: Any = {"REJECT": "rejected", "HOLD": "held"}.get(decision.verdict, "held")
    reason, verified = decision.reason, None
    if waiting:
        status, reason = "proposed", f"{decision.reason} {waiting.reason}."
    elif proof:
        status, reason, verified = "kept" if proof.kept else "rolled_back", proof.reason, proof.effect
    return msgspec.structs.replace(
        blank,
        status=status,
        reason=reason,
        decision_id=decision.id,
        effect=_known(decision.effect),
        verified=_known(verified),
    )


def _known(estimate: Estimate | None) -> Estimate | None:
    return estimate if estimate and estimate.value is not None else None
