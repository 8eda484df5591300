"""Judge as the Berkeley Function-Calling Leaderboard does, and say where and why we judge otherwise.

The rules of its single-turn categories, written anew from their description. Where they accept what is
wrong or refuse what is right, `explain` names the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from harnesslib.records import Call, Case, ExpectedCall, Score
from harnesslib.records.base import Record
from harnesslib.records.bfcl import BfclQuestion, api_name
from harnesslib.scoring import score
from harnesslib.scoring.arguments import differing
from harnesslib.scoring.assignment import cheapest_pairs
from harnesslib.scoring.bfcl_values import is_literal, value_problem
from harnesslib.scoring.words import cut, shown_call, shown_text, shown_value

RULES = {
    "malformed": "a call that can't be read counts as no call there, and earns the credit for restraint",
    "pairing": "parallel calls are paired greedily there, so that a right answer can fail by its order",
    "text": "case, blanks and ,./-_*^ don't count in strings there, so that -5 is 5 and 1.5 is 15",
    "letters": "an object's answer that is a text alone, no list of them, is read letter by letter there",
    "type": "types are compared as Python's there, so 5.0 is no integer; JSON has one kind of number",
    "literal": 'values of Java and JavaScript are literals in strings there, as "5L" and "new int[]{1}"',
    "offered": "where any call is right, calls of tools count there that nobody offered",
    "schema": "values are accepted there that the tool's own schema forbids",
}
"""Where the two judge differently."""

_OTHER_NAME = 1_000
T = TypeVar("T")


class Difference(Record):
    """One reason why the two verdicts differ. `rule` is a key of `RULES`, or "other"."""

    rule: str
    detail: str


class _Problem(NamedTuple):
    """Why a call isn't right: what kind of reason, which argument, and in words."""

    rule: str
    argument: str
    words: str


def strict(question: BfclQuestion, calls: Sequence[Call], malformed: str) -> Score:
    """Return the leaderboard's verdict on one reply.

    Parameters
    ----------
    question
        The row.
    calls
        The calls that were read; names with underscores where the row has dots.
    malformed
        Why a call could not be read; "" when all could. Then the whole reply counts as having no call.

    Notes
    -----
    No call where none is right passes, broken ones included; where any is right, any does. Otherwise there
    must be as many calls as answers; with several, each answer takes the first call left that is right. A
    call has the answer's name, all required arguments, and none that the schema or the answer lacks. Types
    are checked one level deep, an integer does for a float and a list for a tuple; a value must be among
    the alternatives, strings without case, blanks and some punctuation, also in lists and one level inside
    objects. An answer of another type than the schema's stands for a variable and is compared exactly. In
    questions of Java and JavaScript every argument is a string, and what counts is the literal in it.
    """
    readable = () if malformed else tuple(calls)
    if question.kind == "no_call":
        if not readable:
            return Score(outcome="pass", detail="no call that can be read")
        return Score(outcome="overcalled", detail=cut(f"got {shown_call(readable[0])}"))
    if malformed:
        return Score(outcome="malformed", detail=cut(f"a call can't be read: {malformed}"))
    if not readable:
        return Score(outcome="abstained", detail="no call")
    problem = "" if question.kind == "any_call" else _greedy_problem(question, readable)
    return Score(outcome="wrong" if problem else "pass", detail=cut(problem or "accepted"))


def explain(
    question: BfclQuestion, case: Case, turns: Sequence[tuple[Call, ...]], malformed: str
) -> tuple[Difference, ...]:
    """Return every reason why the leaderboard's verdict and ours differ; () when they agree.

    Parameters
    ----------
    question
        The row.
    case
        The case that it was imported as; its tools stand in the order of the row's functions.
    turns
        The calls of each turn, as a sample holds them.
    malformed
        Why a call could not be read; "" when all could.
    """
    ours = score(case, turns, malformed)
    names = dict(zip(case.tools, question.names, strict=True))
    made = [call for turn in turns for call in turn]
    calls = [replace(call, name=names.get(call.name, call.name)) for call in made]
    theirs = strict(question, calls, malformed)
    if (ours.outcome == "pass") == (theirs.outcome == "pass"):
        return ()
    if theirs.outcome == "pass":
        found = tuple(_too_lenient(question, case, made, malformed))
    else:
        found = tuple(_too_severe(question, calls))
    other = Difference(rule="other", detail=f"{theirs.outcome} ({theirs.detail}) and {ours.outcome}")
    return tuple(dict.fromkeys(found)) or (other,)


def _greedy_problem(question: BfclQuestion, calls: Sequence[Call]) -> str:
    if len(calls) != len(question.answers):
        return f"{len(calls)} calls, expected {len(question.answers)}"
    left = list(calls)
    for answer in question.answers:
        found = [_call_problem(question, answer, call) for call in left]
        taken = next((place for place, problem in enumerate(found) if problem is None), None)
        if taken is None:
            return next(problem.words for problem in found if problem)
        del left[taken]
    return ""


def _call_problem(
    question: BfclQuestion, answer: dict[str, dict[str, list[Any]]], call: Call
) -> _Problem | None:
    """Return the first thing that is wrong with a call, none when it is right."""
    return next(_call_problems(question, answer, call), None)


def _call_problems(
    question: BfclQuestion, answer: dict[str, dict[str, list[Any]]], call: Call
) -> Iterator[_Problem]:
    name, accepted = next(iter(answer.items()))
    if call.name != api_name(name):
        yield _Problem("name", "", f"{shown_text(call.name)} called instead of {shown_text(name)}")
        return
    schema = question.schema_of(name)
    properties = schema.get("properties", {})
    for argument in schema.get("required", ()):
        if argument not in call.arguments:
            yield _Problem("required", argument, f"{shown_text(argument)} is required")
    for argument, value in call.arguments.items():
        if argument not in properties or argument not in accepted:
            yield _Problem("unexpected", argument, f"{shown_text(argument)} is unexpected")
        elif rule := value_problem(value, accepted[argument], properties[argument], question.language):
            expected = shown_value(accepted[argument])
            yield _Problem(
                rule, argument, f"{argument}: expected one of {expected}; got {shown_value(value)}"
            )
    for argument, alternatives in accepted.items():
        if argument not in call.arguments and "" not in alternatives:
            yield _Problem("optional", argument, f"{shown_text(argument)} is missing")


def _too_lenient(
    question: BfclQuestion, case: Case, made: Sequence[Call], malformed: str
) -> Iterator[Difference]:
    """Yield why they accept what we don't."""
    if malformed:
        yield Difference(rule="malformed", detail=cut(malformed))
        return
    if question.kind == "any_call":
        unknown = [call for call in made if call.name not in case.tools]
        yield Difference(rule="offered", detail=cut(", ".join(map(shown_call, unknown))))
        return
    alternatives = case.turns[0].accept[0] if case.turns else ()
    for expected, call in _paired(alternatives, made, _our_cost):
        answer = question.answers[alternatives.index(expected)]
        name, arguments = next(iter(answer.items()))
        for argument in differing(expected, call):
            accepted, value = arguments.get(argument, []), call.arguments.get(argument)
            schema = question.schema_of(name).get("properties", {}).get(argument, {})
            literal = is_literal(value, schema, question.language)
            rule = "literal" if literal else "schema" if value in accepted else "text"
            detail = f"{shown_text(argument)}: {shown_value(value)} for {shown_value(accepted)}"
            yield Difference(rule=rule, detail=cut(detail))


def _too_severe(question: BfclQuestion, calls: Sequence[Call]) -> Iterator[Difference]:
    """Yield why they refuse what we accept."""
    pairs = _paired(question.answers, calls, partial(_their_cost, question))
    problems = [problem for answer, call in pairs for problem in _call_problems(question, answer, call)]
    if not problems:
        yield Difference(rule="pairing", detail=cut(", ".join(map(shown_call, calls))))
    for problem in problems:
        yield Difference(rule=problem.rule if problem.rule in RULES else "other", detail=cut(problem.words))


def _our_cost(expected: ExpectedCall, call: Call) -> int:
    return len(differing(expected, call)) if expected.name == call.name else _OTHER_NAME


def _their_cost(question: BfclQuestion, answer: dict[str, dict[str, list[Any]]], call: Call) -> int:
    problems = list(_call_problems(question, answer, call))
    return sum(_OTHER_NAME if problem.rule == "name" else 1 for problem in problems)


def _paired(
    expected: Sequence[T], calls: Sequence[Call], cost: Callable[[T, Call], int]
) -> list[tuple[T, Call]]:
    costs = [[cost(one, call) for call in calls] for one in expected]
    return [(expected[row], calls[column]) for row, column in cheapest_pairs(costs)]
