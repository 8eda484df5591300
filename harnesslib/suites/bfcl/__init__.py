"""Import the public files of the Berkeley Function-Calling Leaderboard (v4) as a suite.

Read are the single-turn categories: questions in ``BFCL_v4_<category>.json``, one JSON object per line, and
their answers in the file of the same name in ``possible_answer/`` beside it, joined by id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from harnesslib.errors import InputError
from harnesslib.records import Suite
from harnesslib.records.base import Record
from harnesslib.records.bfcl import BfclQuestion
from harnesslib.suites.bfcl.cases import LeftOut as LeftOut
from harnesslib.suites.bfcl.cases import suite_from as suite_from
from harnesslib.suites.checks import check

CATEGORIES = (
    *("simple", "simple_python", "simple_java", "simple_javascript", "multiple", "parallel"),
    *("parallel_multiple", "irrelevance", "live_simple", "live_multiple", "live_parallel"),
    *("live_parallel_multiple", "live_irrelevance", "live_relevance"),
)
ANSWERS = "possible_answer"
_FILE_NAME = re.compile(r"BFCL_v\d+_(?P<category>[a-z_]+)\.json")
_CURE = "cure: give the leaderboard's own file, whole and unchanged"
_SHOWN = 3
T = TypeVar("T")


class Imported(Record):
    """What an import gave: the suite, the questions that are not in it, and files of other categories."""

    suite: Suite
    left_out: tuple[LeftOut, ...]
    not_read: tuple[str, ...] = ()


class _Row(msgspec.Struct):
    id: str
    question: tuple[tuple[dict[str, Any], ...], ...]
    function: tuple[dict[str, Any], ...] = ()


class _Answer(msgspec.Struct):
    id: str
    ground_truth: tuple[dict[str, dict[str, list[Any]]], ...]


def import_suite(path: Path) -> Imported:
    """Import one question file, or all of a folder.

    Raises
    ------
    InputError
        No file of a category that can be read; a line that is no row; answers that are missing; too few
        cases for a suite. The message names the file and the line.
    """
    files = _files(path)
    known = [file for file in files if _category(file) in CATEGORIES]
    if not known:
        names = ", ".join(file.name for file in files[:_SHOWN]) or "nothing"
        raise InputError(
            f"{path}: got {names}, expected BFCL_v4_<category>.json of {', '.join(CATEGORIES)}; {_CURE}"
        )
    questions = [question for file in known for question in read_questions(file)]
    name = f"bfcl-{_category(known[0])}" if len(known) == 1 else "bfcl"
    suite, left_out = suite_from(questions, name)
    problems = check(suite)
    if problems:
        cure = "cure: import more questions, or another category"
        reasons = "; ".join([*problems[:_SHOWN], *(f"{one.id}: {one.reason}" for one in left_out[:_SHOWN])])
        raise InputError(f"{path}: no suite can be made of it: {reasons}; {cure}")
    return Imported(
        suite=suite, left_out=left_out, not_read=tuple(file.name for file in files if file not in known)
    )


def read_questions(path: Path) -> tuple[BfclQuestion, ...]:
    """Read one question file, with its answers where its category has some.

    Raises
    ------
    InputError
        As `import_suite`.
    """
    category = _category(path)
    answers: Mapping[str, _Answer] = {}
    if not category.endswith("relevance"):
        answers = {row.id: row for row in _rows(path.parent / ANSWERS / path.name, _Answer)}
    found = []
    for row in _rows(path, _Row):
        if len(row.question) != 1:
            raise InputError(f"{path}, {row.id}: got {len(row.question)} turns, expected 1; {_CURE}")
        answer = answers.get(row.id)
        if answer is None and answers:
            raise InputError(f"{path}, {row.id}: has no line in {ANSWERS}/{path.name}; {_CURE}")
        truth = answer.ground_truth if answer else ()
        if not all(truth):
            raise InputError(f"{path.parent / ANSWERS / path.name}, {row.id}: an empty answer; {_CURE}")
        found.append(
            BfclQuestion(
                id=row.id,
                category=category,
                messages=row.question[0],
                functions=row.function,
                answers=truth,
            )
        )
    return tuple(found)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.glob("*.json") if _FILE_NAME.fullmatch(file.name))
    if not path.is_file():
        raise InputError(f"{path}: there is no such file or folder; {_CURE}")
    return [path]


def _category(path: Path) -> str:
    found = _FILE_NAME.fullmatch(path.name)
    return found["category"] if found else ""


def _rows(path: Path, type_: type[T]) -> Iterator[T]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read: {error}; {_CURE}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                value = json.loads(line, parse_constant=_no_constant)
                msgspec.json.decode(line)  # refuses half a character, which no record could hold
                yield msgspec.convert(value, type_)
            except (ValueError, RecursionError, msgspec.ValidationError) as error:
                raise InputError(f"{path}, line {number}: {error}; {_CURE}") from error


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
