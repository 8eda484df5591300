"""The proposals of a cycle: read when it is planned, answered when it ends; and a model that writes some."""

from __future__ import annotations

import msgspec

from harnesslib import proposals
from harnesslib.candidates import Candidate
from harnesslib.errors import HarnessError
from harnesslib.executors.local import complete
from harnesslib.ports import Effects
from harnesslib.records import (
    ChatRequest,
    CycleRecords,
    Failure,
    Finding,
    HarnessConfig,
    Held,
    PhasePlan,
    PlannedProposal,
    Prompt,
    Proposal,
    ProposalPatch,
    Reply,
    RoutingConfig,
    Submitted,
    encode,
    sha256,
)

LONGEST_TEXT = 2000
TIMEOUT_S = 120.0
LOCK_WAIT_S = 10.0
ABOUT_WORDS = frozenset({"over_calling", "format_mismatch", "capability_limit", "flaky"})
"""Causes that another system prompt may cure."""

_TASK = (
    "You improve the system prompt of an assistant that calls tools. You are told, as data, how it is asked "
    "now and what was found about its failures. Answer with the text of a better system prompt and nothing "
    "else: no heading, no quotes, no explanation, at most 1500 characters. Don't name single test cases."
)


def submitted_candidates(
    effects: Effects, config: HarnessConfig, routing: RoutingConfig
) -> tuple[tuple[Candidate, ...], tuple[PlannedProposal, ...]]:
    """Return the candidates that lie in ``proposals/``, and what is to be remembered of every file there."""
    read = [proposals.read(one, config, routing) for one in effects.proposals.submitted()]
    return tuple(found for found, _ in read if found), tuple(planned for _, planned in read)


def answer_proposals(effects: Effects, records: CycleRecords) -> None:
    """Write the answers of a cycle. An answer to the same text that says more than "waiting" is kept."""
    held = effects.runs.load(records.manifest.run_id, "held", tuple[Held, ...]) or ()
    for verdict in proposals.answers(records, held, answered_at=effects.clock.now()):
        before = effects.proposals.verdict(verdict.name)
        answered = before is not None and before.sha256 == verdict.sha256 and before.status != "waiting"
        if not (answered and verdict.status == "waiting"):
            effects.proposals.answer(verdict)


def propose_prompts(effects: Effects, records: CycleRecords) -> tuple[str, ...]:
    """Let the configured model write a system prompt for each phase whose baseline fails in a curable way.

    Returns
    -------
    The names of the proposals. Whatever goes wrong is said as an event: no cycle is stopped by it.

    Notes
    -----
    What the model writes is data: shortened, without control characters, checked like any proposal, stored as
    a file, and measured by a later cycle before anything depends on it.
    """
    config = effects.config.harness()
    if not config.proposer.model or records.plan is None or records.feedback is None:
        return ()
    written: list[str] = []
    for phase in records.plan.phases:
        found = [
            finding
            for finding in records.feedback.findings
            if (finding.phase, finding.model) == (phase.phase, phase.baseline.model)
            and finding.cause in ABOUT_WORDS
        ]
        if found:
            written += _propose_for(phase, found, effects, records, config)
    return tuple(written)


def _propose_for(
    phase: PhasePlan,
    found: list[Finding],
    effects: Effects,
    records: CycleRecords,
    config: HarnessConfig,
) -> list[str]:
    plan = records.plan
    prompt = plan.prompts.get(phase.baseline.settings.variant) if plan else None
    try:
        text = _cleaned(_asked(phase, found, prompt, effects, config))
    except HarnessError as error:
        effects.events.emit("record", f"no proposal for {phase.phase}: {error}")
        return []
    name = f"auto-{phase.phase}-{sha256(text.encode())[:8]}"[:60]
    proposal = Proposal(
        name=name,
        phase=phase.phase,
        model=phase.baseline.model,
        hypothesis=f"Another system prompt helps against: {', '.join(sorted({one.cause for one in found}))}.",
        patch=ProposalPatch(system_prompt=text),
        author=config.proposer.model,
    )
    file = encode(proposal).decode()
    submitted = Submitted(name=name, file=f"{name}.json", text=file, sha256=sha256(file.encode()))
    problem = proposals.read(submitted, config, effects.config.routing())[1].problem
    if problem:
        effects.events.emit(
            "record", f"no proposal for {phase.phase}: {config.proposer.model} wrote: {problem}"
        )
        return []
    effects.proposals.submit(name, file)
    effects.events.emit("record", f"{config.proposer.model} proposes {name}")
    return [name]


def _asked(
    phase: PhasePlan, found: list[Finding], prompt: Prompt | None, effects: Effects, config: HarnessConfig
) -> str:
    """Return what the model answers; "" when it does not."""
    told = {
        "class_of_work": phase.phase,
        "system_prompt_now": prompt.system_prompt if prompt else "",
        "findings": [{"cause": one.cause, "said": one.headline, "evidence": one.evidence} for one in found],
    }
    request = ChatRequest(
        model=config.proposer.model,
        messages=(
            {"role": "system", "content": _TASK},
            {"role": "user", "content": msgspec.json.encode(told).decode()},
        ),
        tools=(),
        temperature=0.0,
        seed=0,
    )
    endpoint = config.model(config.proposer.model).endpoint
    client = effects.clients[endpoint]

    async def ask() -> Reply | Failure:
        async with client:
            return await client.chat(request, TIMEOUT_S)

    with effects.locks.hold(f"endpoint-{endpoint}", wait_s=LOCK_WAIT_S):
        answer = complete(ask())
    return answer.text if isinstance(answer, Reply) else ""


def _cleaned(text: str) -> str:
    """Return a text that is safe to store and to show: no control characters, and not long."""
    kept = "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
    return kept.strip()[:LONGEST_TEXT]
