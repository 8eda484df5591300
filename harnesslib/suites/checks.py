"""Find what is wrong with a suite, in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from harnesslib.records import SPLITS, Case, ExpectedCall, Suite, Tool, Turn
from harnesslib.suites.examples import variants
from harnesslib.suites.parametric import placeholders, rows
from harnesslib.suites.values import DEEPEST, argument_problems, is_json

WORLDS = ("", "office")
_SUPPORTED_VERSION = 1
_FEWEST_VALUES = 4
_CASE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PARAMETER_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check(suite: Suite) -> tuple[str, ...]:
    """Return the problems of a suite in words; an empty tuple means that it is good.

    Notes
    -----
    Each accepted call is instantiated (see `variants`) and validated against its tool's JSON Schema,
    draft 2020-12, dates included. The schemas can't reach the network. They are looked at only once the
    structure is sound.
    """
    return structure_problems(suite) or tuple(_schema_problems(suite))


def structure_problems(suite: Suite) -> tuple[str, ...]:
    """Return the problems that can be seen without a schema library."""
    return tuple(_structure(suite))


def _structure(suite: Suite) -> Iterator[str]:
    if suite.schema_version != _SUPPORTED_VERSION:
        yield f"schema_version: got {suite.schema_version}, this version reads {_SUPPORTED_VERSION}"
    for field in ("name", "version", "title"):
        if not getattr(suite, field).strip():
            yield f"{field}: empty, expected some text"
    only_smoke = bool(suite.cases) and all(case.smoke for case in suite.cases)
    for split in SPLITS[:1] if only_smoke else SPLITS:  # a quick run proves nothing, so it needs no holdout
        if not suite.part(split):
            yield f"cases: none in the split {split!r}, expected at least one in each of {', '.join(SPLITS)}"
    yield from _twice("tool", (tool.name for tool in suite.tools))
    yield from _twice("case id", (case.id for case in suite.cases))
    asked = (row.turns[0].user.strip() for case in suite.cases if case.turns for row in rows(case))
    yield from _twice("first user text", asked)
    for tool in suite.tools:
        yield from _tool_problems(tool)
    names = {tool.name for tool in suite.tools}
    for case in suite.cases:
        yield from _case_problems(case, names)


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{what} {name!r}: used {count} times, expected once"


def _tool_problems(tool: Tool) -> Iterator[str]:
    if _TOOL_NAME.fullmatch(tool.name) is None:
        yield f"tool {tool.name!r}: the name may hold 1 to 64 letters, digits, '_' and '-'"
    if not tool.description.strip():
        yield f"tool {tool.name}: no description, a model needs one"
    if tool.parameters.get("type") != "object":
        yield f"tool {tool.name}: parameters.type is {tool.parameters.get('type')!r}, expected 'object'"
    if not is_json(tool.parameters):
        yield f"tool {tool.name}: parameters hold a value that JSON doesn't have (a date, NaN)"


def _case_problems(case: Case, names: set[str]) -> Iterator[str]:
    where = f"case {case.id}"
    if _CASE_ID.fullmatch(case.id) is None:
        yield f"case {case.id!r}: the id may hold letters, digits, '.', '_' and '-'"
    for field in ("skill", "notes"):
        if not getattr(case, field).strip():
            yield f"{where}: {field} is empty, expected some text"
    if case.world not in WORLDS:
        yield f"{where}: no world {case.world!r}, expected one of {', '.join(map(repr, WORLDS))}"
    if not case.tools:
        yield f"{where}: offers no tool, expected at least one"
    yield from (f"{where}: {problem}" for problem in _twice("tool", case.tools))
    for name in sorted(set(case.tools) - names):
        yield f"{where}: no tool {name!r} in the suite, expected one of {', '.join(sorted(names))}"
    if not case.turns:
        yield f"{where}: has no turn, expected at least one"
    yield from (f"{where}: {problem}" for problem in chain(_mark_problems(case), _parameter_problems(case)))
    for place, turn in _turns(case):
        yield from (f"{where}, {place}: {problem}" for problem in _turn_problems(turn, case.tools))


def _mark_problems(case: Case) -> Iterator[str]:
    if case.smoke and case.split != "search":
        yield f"smoke cases are taken from the split 'search', got {case.split!r}"
    yield from _twice("harmless tool", case.harmless)
    for name in sorted(set(case.harmless) - set(case.tools)):
        yield f"{name!r} is harmless but not offered by this case"
    if not is_json(case.final_state):
        yield f"final_state is no JSON value of at most {DEEPEST} levels (quote dates)"
    if case.final_state is not None and not case.world:
        yield "final_state needs a world: nothing keeps a state here"


def _turns(case: Case) -> Iterator[tuple[str, Turn]]:
    """Yield every turn of every row of a case, with the words that say where it stands."""
    for row_number, row in enumerate(rows(case), start=1):
        row_words = f"row {row_number}, " if case.parameters else ""
        for number, turn in enumerate(row.turns, start=1):
            yield f"{row_words}turn {number}", turn


def _parameter_problems(case: Case) -> Iterator[str]:
    if not case.parameters:
        return
    counts = {name: len(values) for name, values in case.parameters.items()}
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{name} {count}" for name, count in counts.items())
        yield f"the parameters have unequal numbers of values ({shown}); the k-th of all make a row"
    uses = list(placeholders(case))
    for name, values in case.parameters.items():
        if _PARAMETER_NAME.fullmatch(name) is None:
            yield f"parameter {name!r}: the name may hold small letters, digits and '_'"
        if len(values) < _FEWEST_VALUES:
            yield f"parameter {name}: {len(values)} values, expected at least {_FEWEST_VALUES}"
        if name not in {used for used, _ in uses}:
            yield f"parameter {name}: {{{name}}} stands nowhere"
        if not all(is_json(value) for value in values):
            yield f"parameter {name}: a value is no JSON value of at most {DEEPEST} levels (quote dates)"
        if (name, True) in uses and not all(_can_be_written(value) for value in values):
            yield f"parameter {name}: it is written into a text, so its values have to be texts or numbers"
    for name in sorted({used for used, _ in uses} - set(case.parameters)):
        yield f"{{{name}}} stands for no parameter, expected one of {', '.join(case.parameters)}"


def _can_be_written(value: object) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)


def _turn_problems(turn: Turn, offered: tuple[str, ...]) -> Iterator[str]:
    if not turn.user.strip():
        yield "the user says nothing"
    if not turn.reply.strip():
        yield "reply is empty, expected a reference answer in words"
    if not turn.accept:
        yield "accept is empty; write [[]] where no call is right"
    if turn.any_call and not all(turn.accept):
        yield "any call is right, so accept has to hold an example of one"
    for expected in (call for alternative in turn.accept for call in alternative):
        if expected.name not in offered:
            yield f"{expected.name}: not offered by this case, which offers {', '.join(offered)}"
        for name in sorted(set(expected.optional) - set(expected.arguments)):
            yield f"{expected.name}: optional names {name!r}, which is not among its arguments"
        if not is_json(expected.arguments):
            yield f"{expected.name}: an argument is no JSON value of at most {DEEPEST} levels (quote dates)"
        else:
            yield from (f"{expected.name}: {problem}" for problem in argument_problems(expected))


def _schema_problems(suite: Suite) -> Iterator[str]:
    validators: dict[str, Callable[[object], str]] = {}
    for tool in suite.tools:
        problem, validators[tool.name] = _validator(tool)
        if problem:
            yield f"tool {tool.name}: {problem}"
            return
    required = {tool.name: set(tool.parameters.get("required", ())) for tool in suite.tools}
    for where, expected in _expected_calls(suite):
        for name in sorted(required[expected.name] & set(expected.optional)):
            yield f"{where}: {name!r} is optional here but required by the tool"
        found = (validators[expected.name](call.arguments) for call in variants(expected))
        yield from (f"{where}: {problem}" for problem in dict.fromkeys(found) if problem)


def _expected_calls(suite: Suite) -> Iterator[tuple[str, ExpectedCall]]:
    """Yield every acceptable call with the words that say where it stands."""
    for case in suite.cases:
        for place, turn in _turns(case):
            for expected in chain.from_iterable(turn.accept):
                yield f"case {case.id}, {place}, {expected.name}", expected


def _validator(tool: Tool) -> tuple[str, Callable[[object], str]]:
    """Return what is wrong with a tool's schema, and a function from arguments to what is wrong with them."""
    import jsonschema
    import referencing
    import referencing.exceptions

    kind = jsonschema.Draft202012Validator
    # An empty registry: a $ref to an address is an error, never a download.
    validator = kind(tool.parameters, format_checker=kind.FORMAT_CHECKER, registry=referencing.Registry())

    def problem_with(arguments: object) -> str:
        try:
            error = jsonschema.exceptions.best_match(validator.iter_errors(arguments))
        except referencing.exceptions.Unresolvable as unresolvable:
            return f"the schema refers to {unresolvable.ref!r}, which it doesn't hold"
        return "" if error is None else f"against the schema at {error.json_path}: {error.message}"

    try:
        kind.check_schema(tool.parameters)
    except jsonschema.SchemaError as error:
        return f"parameters are no JSON Schema at {error.json_path}: {error.message}", problem_with
    return "", problem_with
