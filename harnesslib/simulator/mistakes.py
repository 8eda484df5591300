"""How a model fails one turn: wrong arguments, the wrong tool, a call too few, none, or one too many."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harnesslib.records import Call, Case, ExpectedCall, Suite, Tool, Turn
from harnesslib.suites import example

Calls = tuple[Call, ...]

_KNOWN_FORMATS = {"date": "2026-03-02", "time": "12:00:00Z", "date-time": "2026-03-02T12:00:00Z"}
_WORDS = re.compile(r"[^\W_]+")


def reference(turn: Turn) -> Calls:
    """Return calls that are right: the first alternative, matchers replaced by their first choice."""
    return tuple(example(expected) for expected in turn.accept[0]) if turn.accept else ()


def wants_call(turn: Turn) -> bool:
    """Return whether answering in words alone fails this turn."""
    return bool(turn.accept) and all(turn.accept)


def mistakes(suite: Suite, case: Case, turn: Turn) -> Mapping[str, tuple[Calls, ...]]:
    """Return what a model may do wrong in a turn, by kind of mistake; kinds that can't happen are left out.

    Every entry fails the turn under each of its alternatives: what might be accepted is left out, judged
    generously, so that a declared failure is never scored as a pass. Extra calls of the case's harmless
    tools are no mistakes.
    """
    tools = suite.tools_of(case)
    found: dict[str, tuple[Calls, ...]] = {}
    if wants_call(turn):
        right = reference(turn)
        found["abstained"] = ((),)
        found["wrong arguments"] = tuple(_wrong_arguments(right, tools))
        found["wrong tool"] = tuple(_wrong_tool(right, tools, turn.user))
        found["call missing"] = tuple(
            right[:place] + right[place + 1 :] for place in range(len(right)) if len(right) > 1
        )
    else:
        found["overcalled"] = tuple((plausible_call(tool, turn.user),) for tool in tools)
    failing = {
        kind: tuple(calls for calls in tries if not _may_pass(turn, calls, case.harmless))
        for kind, tries in found.items()
    }
    return {kind: tries for kind, tries in failing.items() if tries}


def plausible_call(tool: Tool, said: str) -> Call:
    """Return a call with the required arguments, valid against the tool's schema in the usual cases."""
    value = _plausible(tool.parameters, said)
    return Call(name=tool.name, arguments=value if isinstance(value, dict) else {})


def _wrong_arguments(right: Calls, tools: Sequence[Tool]) -> Iterator[Calls]:
    schemas = {tool.name: tool.parameters.get("properties", {}) for tool in tools}
    for place, call in enumerate(right):
        for name, value in call.arguments.items():
            schema = schemas.get(call.name, {}).get(name, {})
            for other in _other_values(value, schema if isinstance(schema, dict) else {}):
                wrong = Call(name=call.name, arguments={**call.arguments, name: other})
                yield (*right[:place], wrong, *right[place + 1 :])


def _wrong_tool(right: Calls, tools: Sequence[Tool], said: str) -> Iterator[Calls]:
    for place, call in enumerate(right):
        for tool in tools:
            if tool.name != call.name:
                yield (*right[:place], plausible_call(tool, said), *right[place + 1 :])


def _other_values(value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    """Yield values of the same type that a confused model might have written instead."""
    if "enum" in schema:
        yield from (choice for choice in schema["enum"] if choice != value)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value * 2 + 3)
    elif isinstance(value, str):
        if any(character.isdigit() for character in value):
            yield re.sub(r"\d(?=\D*$)", lambda digit: str((int(digit.group()) + 1) % 10), value)
        yield "something else"
    elif isinstance(value, list):
        yield from (value[1:], value[:-1]) if value else (["something else"],)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from ({**value, key: other} for other in _other_values(inner, {}))
    else:
        yield "something else"


def _plausible(schema: Mapping[str, Any], said: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value for a JSON Schema, using the user's own words for text."""
    named = [schema[key] for key in ("const", "default") if key in schema]
    named += [schema[key][0] for key in ("enum", "examples") if schema.get(key)]
    if named:
        return named[0]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return _plausible(schema[key][0], said)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return _of_type(kind[0] if isinstance(kind, list) else kind, schema, said)


def _of_type(kind: str, schema: Mapping[str, Any], said: str) -> Any:  # noqa: ANN401 - any JSON value
    match kind:
        case "object":
            inner = schema.get("properties", {})
            return {name: _plausible(inner.get(name, {}), said) for name in schema.get("required", ())}
        case "array":
            return [_plausible(schema.get("items", {}), said)] * max(1, schema.get("minItems", 1))
        case "integer" | "number":
            return _plausible_number(schema)
        case "boolean" | "null":
            return True if kind == "boolean" else None
    return _plausible_text(schema, said)


def _plausible_number(schema: Mapping[str, Any]) -> float:
    step = schema.get("multipleOf", 1)
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf) + step)
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf) - step)
    number: float = min(max(step, low), high)
    return number


def _plausible_text(schema: Mapping[str, Any], said: str) -> str:
    if schema.get("format") in _KNOWN_FORMATS:
        return _KNOWN_FORMATS[schema["format"]]
    words = _WORDS.findall(said)
    names = [word for word in words[1:] if word[0].isupper() and len(word) > 1]
    text = " ".join(names[:1] or words[-3:]) or "something"
    text = text.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
    pattern = schema.get("pattern")
    if pattern is None:
        return text
    tries = (text, text.upper(), "USD", "12:00", "2026-03-02", "A-1", "A1", "1", "id-1", "a@example.com")
    return next((entry for entry in tries if re.search(pattern, entry)), text)


def _may_pass(turn: Turn, calls: Calls, harmless: Sequence[str]) -> bool:
    """Return whether some alternative might accept these calls, the order being free.

    Calls of harmless tools may stand there or not.
    """
    needed = [call for call in calls if call.name not in harmless]
    return any(
        sum(expected.name not in harmless for expected in alternative) == len(needed)
        and len(alternative) <= len(calls)
        and all(any(_may_match(expected, call) for call in calls) for expected in alternative)
        and all(any(_may_match(expected, call) for expected in alternative) for call in needed)
        for alternative in turn.accept
    )


def _may_match(expected: ExpectedCall, call: Call) -> bool:
    required = set(expected.arguments) - set(expected.optional)
    return (
        expected.name == call.name
        and required <= set(call.arguments) <= set(expected.arguments)
        and all(_may_equal(expected.arguments[name], value) for name, value in call.arguments.items())
    )


def _may_equal(expected: Any, value: Any) -> bool:  # noqa: ANN401 - any JSON values
    """Compare more generously than any scorer would: types, case, spaces and punctuation don't count."""
    match expected:
        case {"$number": number}:
            return _alike(number, value)
        case {"$any": [*choices]}:
            return any(_may_equal(choice, value) for choice in choices)
        case {"$text": [*words]}:
            return all(_plain(word) in _plain(value) for word in words)
        case dict() if isinstance(value, dict):
            return all(key in value and _may_equal(inner, value[key]) for key, inner in expected.items())
        case list() if isinstance(value, list):
            return len(expected) == len(value) and all(map(_may_equal, expected, value))
    return _alike(expected, value)


def _alike(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON values
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or math.isclose(one, other, rel_tol=1e-3)
    return _plain(one) == _plain(other)


def _plain(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return "".join(_WORDS.findall(str(value).casefold()))
