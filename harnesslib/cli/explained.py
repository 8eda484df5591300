"""A route's explanation in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from harnesslib.cli.output import table
from harnesslib.records import GateResult, Rule
from harnesslib.route_explanation import Evidence, Explanation
from harnesslib.stats.wording import points


def in_words(explanation: Explanation) -> str:
    """Return an explanation for people: one question a line, then the gates of each decision."""
    rule = explanation.rule
    rows = [
        ("rule", _rule(explanation)),
        ("since", f"{explanation.since:%Y-%m-%d %H:%M:%S} UTC, generation {explanation.since_generation}"),
        ("why", rule.reason),
        ("says", _said_by(rule)),
        ("served", _served(explanation)),
        *(("to change it", way) for way in explanation.to_change),
        ("measured again", explanation.review),
    ]
    width = max(len(label) for label, _ in rows)
    facts = [f"  {label.ljust(width)}  {text}" for label, text in rows]
    parts = ["\n".join([f"{explanation.model} in {explanation.phase}", *facts])]
    parts += [_evidence("Evidence", each) for each in explanation.evidence]
    if explanation.last_trial:
        parts.append(_evidence("The newest trial", explanation.last_trial))
    return "\n\n".join(parts)


def _rule(explanation: Explanation) -> str:
    rule, name = explanation.rule, explanation.model
    if not rule.allow:
        return f"{name} is denied; {explanation.answer.model} serves its requests"
    extra = ", and warmed up before its first call" if rule.enable_warmup else ""
    role = f"serves the phase ('auto' is {name})" if explanation.serves else "is allowed, and not the best"
    return f"{name} {role}{extra}"


def _said_by(rule: Rule) -> str:
    who = {"init": "harness.toml, when the workspace was made", "person": "a person", "cycle": "a cycle"}
    decision = f", decision {rule.decision_id}" if rule.decision_id else ""
    return f"{who[rule.source]}{decision}; {rule.status}"


def _served(explanation: Explanation) -> str:
    settings = explanation.answer.settings
    then = ", ".join(explanation.answer.fallbacks) or "nobody"
    return f"{explanation.answer.model}, timeout {settings.timeout_s:g} s; if it fails: {then}"


def _evidence(title: str, evidence: Evidence) -> str:
    return "\n".join(_evidence_lines(title, evidence))


def _evidence_lines(title: str, evidence: Evidence) -> Iterator[str]:
    decision = evidence.decision
    if decision is None:
        yield f"{title}: decision {evidence.decision_id}. Its run can't be shown: {evidence.missing}"
        return
    yield f"{title}: {decision.verdict} {decision.id}"
    yield f"  {decision.reason}"
    yield f"  effect when it was decided: {points(decision.effect)}"
    if evidence.verification:
        again = evidence.verification
        end = "kept" if again.kept else "rolled back"
        yield f"  measured again: {points(again.effect)}, {end}: {again.reason}"
    yield from (f"  {line}" for line in _gates(decision.gates))


def _gates(gates: tuple[GateResult, ...]) -> list[str]:
    if not gates:
        return []
    rows = [(gate.verdict, gate.name, gate.observed, gate.threshold) for gate in gates]
    return [*table(("gate", "", "observed", "asked for"), rows).splitlines(), *_settling(gates)]


def _settling(gates: tuple[GateResult, ...]) -> list[str]:
    return [f"{gate.name} would be settled by: {gate.settle}" for gate in gates if gate.settle]
