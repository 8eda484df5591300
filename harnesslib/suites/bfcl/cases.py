"""The leaderboard's questions as cases of one suite."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from harnesslib.records import SPLITS, Case, Split, Suite, Turn
from harnesslib.records.base import Record
from harnesslib.records.bfcl import BfclQuestion
from harnesslib.suites.bfcl.answers import expectation, some_call
from harnesslib.suites.bfcl.tools import CannotBeAskedError, Tools
from harnesslib.suites.values import is_json

_FIVE = 5
_HOLDOUT_OF_FIVE = (1, 3)


class LeftOut(Record):
    """A question that did not become a case, and why."""

    id: str
    reason: str


def suite_from(questions: Sequence[BfclQuestion], name: str) -> tuple[Suite, tuple[LeftOut, ...]]:
    """Return the questions as a suite, and those that can't be asked here.

    Notes
    -----
    Two of five questions, spread over all categories, go to the holdout. A question with the words of an
    earlier one is left out: the two could not be told apart.
    """
    tools = Tools()
    splits = _splits(questions)
    cases: dict[str, Case] = {}
    words: dict[str, str] = {}
    left_out = []
    for question in questions:
        try:
            case = _case(question, tools, splits[question.id])
            _require_new(case, cases, words)
        except CannotBeAskedError as error:
            left_out.append(LeftOut(id=question.id, reason=str(error)))
        else:
            cases[case.id] = case
            words[case.turns[0].user] = case.id
    offered = {tool for case in cases.values() for tool in case.tools}
    suite = Suite(
        name=name,
        version="4",
        title=f"Berkeley Function-Calling Leaderboard v4, {name.removeprefix('bfcl-')}",
        description="Imported from its public files; the answers are theirs, the rules of scoring ours.",
        tools=tuple(tool for tool in tools.known if tool.name in offered),
        cases=tuple(cases.values()),
    )
    return suite, tuple(left_out)


def _require_new(case: Case, cases: Mapping[str, Case], words: Mapping[str, str]) -> None:
    if case.id in cases:
        raise CannotBeAskedError("has the id of an earlier one")
    if case.turns[0].user in words:
        raise CannotBeAskedError(f"asks with the words of {words[case.turns[0].user]}")


def _splits(questions: Iterable[BfclQuestion]) -> dict[str, Split]:
    """Assign questions to the splits by the hash of their ids, category by category."""
    order = sorted(
        questions, key=lambda one: (one.category, hashlib.sha256(one.id.encode(errors="replace")).digest())
    )
    return {one.id: SPLITS[place % _FIVE in _HOLDOUT_OF_FIVE] for place, one in enumerate(order)}


def _case(question: BfclQuestion, tools: Tools, split: Split) -> Case:
    if question.kind == "calls" and not question.answers:
        raise CannotBeAskedError("has no answer")
    offered = tools.of(question)
    names = [function.get("name") for function in question.functions]
    if not all(isinstance(name, str) for name in names):
        raise CannotBeAskedError("has a function whose name is no text")
    by_name = dict(zip(names, offered, strict=True))
    accepted = []
    for answer in question.answers:
        name, arguments = next(iter(answer.items()))
        if name not in by_name:
            raise CannotBeAskedError(f"the answer calls {name}, which is not offered")
        accepted.append(expectation(arguments, by_name[name]))
    if question.kind == "any_call":
        accepted.append(some_call(offered))
    return Case(
        id=question.id,
        skill=question.category,
        split=split,
        turns=(
            Turn(
                user=_words(question),
                accept=(tuple(accepted),),
                any_call=question.kind == "any_call",
            ),
        ),
        tools=tuple(tool.name for tool in offered),
        notes=f"Question {question.id} of the leaderboard's category {question.category}.",
    )


def _words(question: BfclQuestion) -> str:
    """Return the messages as one: a turn has one text, so what the system says stands before the user's."""
    others = {str(message.get("role")) for message in question.messages} - {"system", "user"}
    if others:
        raise CannotBeAskedError(f"has messages of {', '.join(sorted(others))}")
    texts = [str(message.get("content", "")).strip() for message in question.messages]
    text = "\n\n".join(filter(None, texts))
    if not text or not is_json(text):
        raise CannotBeAskedError("has no readable words")
    return text
