"""One sample as people read it: what was asked, what would have been right, what the model did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from harnesslib.records import Call, Case, ExpectedCall
from harnesslib.report.html import Safe, Section, definitions, join, paragraph, section, tag
from harnesslib.suites import instantiate

Turns = tuple[tuple[Call, ...], ...]
_FACTS = ("model", "stage", "outcome", "detail", "repeat", "seed", "started_at", "run_id")


def conversation(sample: Mapping[str, Any], case: Case | None, *, changed: bool = False) -> Section:
    """Return a sample turn by turn; `case` is none where its suite no longer holds it.

    `changed` says that the suite is not the one that was asked: the question may have been another.

    Everything that a model said is escaped.
    """
    made = msgspec.json.decode(sample["turns"], type=Turns)
    asked = instantiate(case, int(sample["seed"])) if case else None
    blocks = [
        _turn(number, asked, made) for number in range(max(len(made), len(asked.turns) if asked else 0))
    ]
    if asked is None:
        blocks.insert(0, paragraph("The suite no longer holds this case, so its question can't be shown."))
    elif changed:
        blocks.insert(0, paragraph("The suite has changed since, so the question may have been another."))
    answer = sample["text"] or "no text"
    facts = ((name, sample[name], name in {"seed", "run_id"}) for name in _FACTS)
    closing = (tag("h4", "What it said at the end"), tag("blockquote", answer), definitions(facts))
    return section("conversation", str(sample["case_id"]), *blocks, *closing)


def _turn(number: int, case: Case | None, made: Turns) -> Safe:
    calls = made[number] if number < len(made) else None
    parts = [tag("h4", f"Turn {number + 1}")]
    if case is not None and number < len(case.turns):
        turn = case.turns[number]
        parts += [_line("asked", turn.user), _line("right", _accepted(turn.accept))]
    did = "nothing: the conversation had ended" if calls is None else _calls(calls) or "no call"
    return join((*parts, _line("did", did)), "\n")


def _line(name: str, words: str) -> Safe:
    return paragraph(join((tag("b", f"{name}: "), words)))


def _accepted(accept: Sequence[Sequence[ExpectedCall]]) -> str:
    return " or ".join(_calls(alternative) or "no call" for alternative in accept)


def _calls(calls: Sequence[Call | ExpectedCall]) -> str:
    return ", ".join(f"{call.name}({_arguments(call.arguments)})" for call in calls)


def _arguments(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={msgspec.json.encode(value).decode()}" for name, value in arguments.items())
