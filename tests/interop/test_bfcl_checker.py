"""The leaderboard's own checker and `strict` agree on every row of its files, right and spoilt.

It runs where its package is installed: ``pip install --no-deps bfcl-eval``. No network is used.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harnesslib.records import Call
from harnesslib.records.bfcl import BfclQuestion, api_name
from harnesslib.scoring import score
from harnesslib.scoring.bfcl import RULES, explain, strict
from harnesslib.scoring.bfcl_literals import TYPES, read
from harnesslib.suites.bfcl import CATEGORIES, import_suite, read_questions

bfcl_eval = pytest.importorskip(
    "bfcl_eval", reason="the leaderboard's checker is not installed: pip install --no-deps bfcl-eval"
)
pytestmark = pytest.mark.filterwarnings("default")

# Its table of models imports the clients of all vendors; the checker asks it one thing: dots to underscores?
_MODELS = ModuleType("bfcl_eval.constants.model_config")
_MODELS.MODEL_CONFIG_MAPPING = defaultdict(lambda: SimpleNamespace(underscore_to_dot=True))
sys.modules.setdefault(_MODELS.__name__, _MODELS)

from bfcl_eval.constants.enums import Language  # noqa: E402 - only with the package
from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker  # noqa: E402 - as above

DATA = Path(bfcl_eval.__file__).parent / "data"
FILES = [file for file in sorted(DATA.glob("BFCL_v4_*.json")) if file.stem[8:] in CATEGORIES]
LANGUAGES = {"python": Language.PYTHON, "java": Language.JAVA, "javascript": Language.JAVASCRIPT}
PIECES = {
    "java": (
        *(
            "new int[]",
            "new ArrayList<Long>",
            "new HashMap<String, Long>",
            "()",
            "(Arrays.asList(",
            "))",
            "{{",
            "}}",
        ),
        *(
            "{",
            "}",
            "add(",
            "put(",
            ")",
            '"a"',
            "'a'",
            "1",
            "2L",
            "3.5f",
            "1e3",
            "true",
            ",",
            ", ",
            ";",
            " ",
            "\n",
        ),
    ),
    "javascript": (
        *("[", "]", "[", "]", "{", "}", "new Array(", ")", "(", ",", ", ", ":", ": ", "a", "'b'", '"c"', "'"),
        *("1", "2n", "3.5", "1e3", "true", "null", " ", "\n", "-", "]]", "[["),
    ),
}
ODD_VALUES = (None, True, 0, 1, 1.0, -5, "", "x", "5", "true", [], ["x"], [[1]], {}, {"x": 1})
ODD_LITERALS = {
    "java": (
        *("5", "5L", "-5l", "5.0", "5.0f", "1e3", "true", "True", "null", "'a'", '"a"', "new int[]{1, 2}"),
        *("new int[]{}", 'new String[]{"a", "b"}', "new ArrayList<>()", "new HashMap<>()", "5L\n", "{}"),
        *('new ArrayList<String>(Arrays.asList("a", "b"))', "new ArrayList<Long>() {{ add(1L); }}"),
        *("new ArrayList<>() {{ }}", 'new HashMap<String, Object>() {{ put("a", 1L); put("b", "c"); }}'),
        *("new HashMap<String, Integer>() {}", 'new HashMap<>() {{ put("a", new int[]{1}) }}', " [1] "),
    ),
    "javascript": (
        *(
            "5",
            "5n",
            "5.0",
            "1e3",
            "true",
            "false",
            "null",
            "undefined",
            "'a'",
            '"a"',
            "'",
            "[]",
            "{}",
            "[ ]",
        ),
        *("[1, 2]", "['a', \"b\"]", "new Array(1, 2)", "[[1, 2], [3]]", "[[1]", "new Array([1], [2])", "[1"),
        *(
            "{'a': 1, \"b\": true}",
            "{a: [1, 2], b: 'c'}",
            "{a: {b: 1}}",
            "[{a: 1}]",
            " [1] ",
            "{a: 'x, y: z'}",
        ),
        *(
            "[[1], [2]], [3]]",
            "[['a]b'], ['c']]",
            "[[[1]], [2]]",
            "[[\n1]]",
            "5n\n",
            "{a}",
            "{\n a: 1 }",
            "[,]",
        ),
    ),
}


def literals(value: Any, kind: str, language: str) -> list[str]:
    """Return ways to write a value as a literal of a type, good ones first."""
    shown = json.dumps(value)
    if language == "java":
        return _java(value, kind, shown)
    entries = ", ".join(json.dumps(one) for one in value) if isinstance(value, list) else ""
    pairs = (
        ", ".join(f"'{key}': {json.dumps(one)}" for key, one in value.items())
        if isinstance(value, dict)
        else ""
    )
    forms = {
        "Bigint": [f"{value}n"],
        "array": [f"[{entries}]", f"new Array({entries})"],
        "dict": [f"{{{pairs}}}"],
    }
    return [*forms.get(kind, []), str(value), shown, f"'{value}'"]


def _java(value: Any, kind: str, shown: str) -> list[str]:
    entries = ", ".join(json.dumps(one) for one in value) if isinstance(value, list) else ""
    bare = ", ".join(str(one) for one in value) if isinstance(value, list) else ""
    adds = " ".join(f"add({json.dumps(one)});" for one in value) if isinstance(value, list) else ""
    puts = (
        " ".join(f'put("{key}", {json.dumps(one)});' for key, one in value.items())
        if isinstance(value, dict)
        else ""
    )
    forms = {
        "long": [f"{value}L", f"{value}l"],
        "float": [f"{value}f"],
        "boolean": [str(value).lower()],
        "Array": [f"new Object[]{{{bare}}}", f"new Object[] {{ {entries} }}"],
        "ArrayList": [
            f"new ArrayList<>(Arrays.asList({entries}))",
            f"new ArrayList<Object>() {{{{ {adds} }}}}",
        ],
        "HashMap": [f"new HashMap<String, Object>() {{{{ {puts} }}}}"],
    }
    return [*forms.get(kind, []), str(value), shown]


def written(question: BfclQuestion, name: str, argument: str, value: Any) -> list[Any]:
    """Return ways to hand a value over: as JSON, and as literals where the question wants them."""
    if question.language == "python":
        return [value]
    kind = question.schema_of(name).get("properties", {}).get(argument, {}).get("type", "")
    plain = (
        {key: one[0] if isinstance(one, list) and one else one for key, one in value.items()}
        if isinstance(value, dict)
        else value
    )
    return [*literals(plain, kind, question.language), plain]


def right_call(question: BfclQuestion, answer: dict[str, dict[str, list[Any]]], dice: random.Random) -> Call:
    """Return a call that follows an answer, its alternatives and ways of writing drawn."""
    name, accepted = next(iter(answer.items()))
    arguments = {}
    for argument, alternatives in accepted.items():
        value = dice.choice(alternatives) if alternatives else ""
        if value != "" or dice.random() < 0.1:
            if question.language == "python":
                arguments[argument] = _opened(value, dice)
            else:
                ways = written(question, name, argument, value)
                arguments[argument] = ways[0] if dice.random() < 0.6 else dice.choice(ways)
    return Call(name=api_name(name), arguments=arguments)


def _opened(value: Any, dice: random.Random) -> Any:
    """Choose inside an object, whose values are alternatives."""
    if isinstance(value, dict):
        chosen = {
            key: dice.choice(one) if isinstance(one, list) and one else one for key, one in value.items()
        }
        return {key: one for key, one in chosen.items() if one != ""}
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        return [_opened(one, dice) for one in value]
    return value


def answers(question: BfclQuestion, dice: random.Random, count: int) -> Iterator[tuple[Call, ...]]:
    """Yield right replies and spoilt ones."""
    names = question.names
    if question.kind != "calls":
        yield ()
        yield (Call(name=names[0] if names else "f", arguments={}),)
        yield (Call(name="unheard", arguments={"x": 1}), Call(name="unheard", arguments={}))
        return
    for _ in range(count):
        calls = [right_call(question, answer, dice) for answer in question.answers]
        for _ in range(dice.choice((0, 1, 1, 2))):
            spoil(question, calls, dice)
        yield tuple(calls)


def spoil(question: BfclQuestion, calls: list[Call], dice: random.Random) -> None:
    """Change one thing about the calls."""
    kind = dice.randrange(10)
    place = dice.randrange(len(calls)) if calls else 0
    if kind == 0 or not calls:
        calls.append(Call(name=dice.choice((*question.names, "unheard")), arguments={}))
    elif kind == 1:
        del calls[place]
    elif kind == 2:
        dice.shuffle(calls)
    elif kind == 3:
        calls[place] = Call(name=dice.choice((*question.names, "unheard")), arguments=calls[place].arguments)
    elif kind == 4:
        calls[place] = Call(name=calls[place].name, arguments=calls[place].arguments | {"unheard": 1})
    else:
        arguments = dict(calls[place].arguments)
        if arguments:
            name = dice.choice(list(arguments))
            arguments[name] = spoilt(arguments.pop(name), question.language, dice)
            if dice.random() < 0.2:
                del arguments[name]
        calls[place] = Call(name=calls[place].name, arguments=arguments)


def spoilt(value: Any, language: str, dice: random.Random) -> Any:
    """Return something like a value."""
    odd: list[Any] = [dice.choice(ODD_VALUES), str(value), [value]]
    if language != "python":
        odd += dice.choices(ODD_LITERALS[language], k=6)
    if isinstance(value, str):
        odd += [value.upper(), value.replace(" ", ""), f"-{value}", f"'{value}'", value[1:], value + "x"]
    elif isinstance(value, (int, float)):
        odd += [-value, value + 1, float(value), int(value), str(value)]
    elif isinstance(value, list):
        odd += [value[::-1], value[1:], [*value, *value[:1]], [str(one).upper() for one in value]]
    elif isinstance(value, dict):
        odd += [dict(list(value.items())[1:]), value | {"x": 1}, {k: str(v) for k, v in value.items()}]
    return dice.choice(odd)


def theirs(question: BfclQuestion, calls: tuple[Call, ...]) -> bool | None:
    """Return the checker's verdict, none where it breaks down over the answer."""
    if question.kind != "calls":
        return bool(calls) == (question.kind == "any_call")
    output = [{call.name: json.loads(json.dumps(call.arguments))} for call in calls]
    functions = json.loads(json.dumps(question.functions))
    truth = json.loads(json.dumps(question.answers))
    language = LANGUAGES[question.language]
    try:
        return bool(ast_checker(functions, output, truth, language, question.category, "m")["valid"])
    except Exception:  # noqa: BLE001 - whatever it breaks down with
        return None


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem[8:])
def test_strict_and_the_leaderboards_checker_agree(file):
    dice = random.Random(file.stem)  # noqa: S311 - no secret
    counts: Counter[str] = Counter()
    differing = []
    many = 100 if "java" in file.stem else 20
    for question in read_questions(file):
        for calls in answers(question, dice, many):
            expected, found = theirs(question, calls), strict(question, calls, "").outcome
            counts[{True: "right", False: "wrong", None: "broke down"}[expected]] += 1
            if (expected is True) != (found == "pass"):
                differing.append((question.id, calls, expected, found))
        counts["rows"] += 1
    print(f"\n{file.stem}: {dict(counts)}, {len(differing)} differ")  # noqa: T201 - the figures in the docs
    assert [] == differing[:3]
    assert counts["right"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem[8:])
def test_every_difference_to_ours_has_a_rule(file):
    dice = random.Random(file.stem)  # noqa: S311 - no secret
    imported = import_suite(file)
    cases = {case.id: case for case in imported.suite.cases}
    counts: Counter[str] = Counter()
    for question in read_questions(file):
        case = cases.get(question.id)
        if case is None:
            counts["left out"] += 1
            continue
        ours = dict(zip(question.names, case.tools, strict=True))
        for calls in answers(question, dice, 10):
            made = tuple(
                Call(name=ours.get(call.name, call.name), arguments=call.arguments) for call in calls
            )
            found = explain(question, case, [made], "")
            differ = (score(case, [made], "").outcome == "pass") != (
                strict(question, calls, "").outcome == "pass"
            )
            assert differ == bool(found)
            counts.update({one.rule for one in found})
            counts["answers"] += 1
    print(f"\n{file.stem}: {dict(counts)}")  # noqa: T201 - as above
    assert set(counts) - {"answers", "left out"} <= set(RULES)


def test_the_types_are_the_checkers():
    from bfcl_eval.constants.type_mappings import JAVA_TYPE_CONVERSION, JS_TYPE_CONVERSION

    without_rules = {"Set", "Hashtable", "Queue", "Stack"}
    assert {k: v for k, v in JAVA_TYPE_CONVERSION.items() if k not in without_rules} == TYPES["java"]
    assert JS_TYPE_CONVERSION == TYPES["javascript"]


@pytest.mark.parametrize("language", ["java", "javascript"])
def test_every_literal_is_read_as_the_checker_reads_it(language):
    from bfcl_eval.eval_checker.ast_eval.type_convertor.java_type_converter import java_type_converter
    from bfcl_eval.eval_checker.ast_eval.type_convertor.js_type_converter import js_type_converter

    converter = java_type_converter if language == "java" else js_type_converter
    dice = random.Random(language)  # noqa: S311 - no secret
    kinds = [*TYPES[language]]
    for _ in range(40_000):
        text = "".join(dice.choices(PIECES[language], k=dice.randint(1, 14)))
        text = text if dice.random() < 0.8 else dice.choice(ODD_LITERALS[language])
        kind = dice.choice(kinds)
        item = dice.choice(kinds) if TYPES[language][kind] is list else None
        try:
            expected = converter(text, kind, item)
        except (ValueError, IndexError):
            continue  # it breaks down
        assert repr(expected) == repr(read(text, kind, item or "", language)), (text, kind, item)
