"""Load suites: the packaged ones by name, a user's own by path."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections import Counter
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import msgspec

from harnesslib.errors import InputError
from harnesslib.records import Suite
from harnesslib.suites.checks import check as check
from harnesslib.suites.checks import structure_problems
from harnesslib.suites.examples import example as example
from harnesslib.suites.examples import variants as variants
from harnesslib.suites.parametric import instantiate as instantiate
from harnesslib.suites.parametric import rows as rows
from harnesslib.suites.parts import quick as quick
from harnesslib.suites.parts import smoke as smoke

PARTS = {"-smoke": smoke, "-quick": quick}
"""What is added to a packaged suite's name to get a part of it as a suite."""

_ENDINGS = (".toml", ".json")
_HEAD = "suite.toml"
_SHOWN_PROBLEMS = 5


def packaged() -> tuple[str, ...]:
    """Return the names of the suites that come with harnesslib."""
    return tuple(sorted(_places()))


def load_suite(name_or_path: str, *, root: Path) -> Suite:
    """Load a suite and refuse a bad one.

    Parameters
    ----------
    name_or_path
        A packaged name (``atomic``), one with ``-quick`` or ``-smoke`` behind it (a third of its cases, or
        its few smoke cases, as a suite of that name), or the path of a ``.toml`` or ``.json`` file.
    root
        Folder that a relative path starts from.

    Raises
    ------
    InputError
        No such suite; not TOML or JSON; an unknown, missing or mistyped field; any problem that `check`
        finds. The message names the file, the case and the cure.

    Notes
    -----
    A packaged suite gets the checks that need no schema library, so that a command starts fast; the
    full check of the packaged suites is a test.
    """
    if name_or_path in packaged():
        return _packaged(name_or_path)
    for ending, part in PARTS.items():
        if name_or_path.removesuffix(ending) in packaged():
            return part(_packaged(name_or_path.removesuffix(ending)), name_or_path)
    path = _existing(name_or_path, root)
    where = str(path)
    suite = _suite(_parsed(_text(path), path.suffix, where), where)
    _refuse(check(suite), where)
    return suite


def _places() -> dict[str, Traversable]:
    """Return where each packaged suite lies: a file ``NAME.toml``, or a folder ``NAME`` with its parts."""
    found: dict[str, Traversable] = {}
    for entry in resources.files(__name__).iterdir():
        if entry.name.endswith(".toml"):
            found[entry.name.removesuffix(".toml")] = entry
        elif entry.is_dir() and entry.joinpath(_HEAD).is_file():
            found[entry.name] = entry
    return found


def _packaged(name: str) -> Suite:
    place, where = _places()[name], f"packaged suite {name}"
    suite = _suite(_assembled(place, where) if place.is_dir() else _read(place, where), where)
    _refuse(structure_problems(suite), where)
    return suite


def _assembled(folder: Traversable, where: str) -> dict[str, Any]:
    """Put a suite together: ``suite.toml`` holds all but the cases, every other file some of them.

    The cases are dealt from the files in turn, so that the first ones of a suite are of all kinds.
    """
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    parts = {entry.name: _read(entry, f"{where}, {entry.name}") for entry in entries}
    head = parts.pop(_HEAD)
    for name, part in parts.items():
        if list(part) != ["cases"]:
            raise InputError(f"{where}, {name}: expected cases and nothing else; cure: move it to {_HEAD}")
    dealt = chain.from_iterable(zip_longest(*(part["cases"] for part in parts.values())))
    return head | {"cases": [case for case in dealt if case is not None]}


def _read(entry: Traversable, where: str) -> dict[str, Any]:
    parsed = _parsed(entry.read_text(encoding="utf-8"), ".toml", where)
    assert isinstance(parsed, dict)  # noqa: S101 - a TOML document is a table
    return parsed


def _existing(name_or_path: str, root: Path) -> Path:
    path = root / name_or_path
    if path.suffix in _ENDINGS and path.is_file():
        return path
    known = (*packaged(), *(f"{name}{ending}" for name in packaged() for ending in PARTS))
    names = ", ".join(known)
    near = difflib.get_close_matches(name_or_path, known, n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    got = f"expected one of {names}, or a .toml or .json file below {root}"
    raise InputError(
        f"suite {name_or_path!r}: not found; {guess}{got}; cure: correct `suite` in harness.toml"
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read: {error}; cure: save it as UTF-8 text") from error


def _parsed(text: str, ending: str, where: str) -> object:
    try:
        if ending == ".toml":
            return tomllib.loads(text)
        msgspec.json.decode(text)  # refuses half a character, which no record could hold
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        kind = ending.removeprefix(".").upper()
        raise InputError(f"{where}: not {kind}: {error}; cure: correct the file at that place") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = min(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _suite(data: object, where: str) -> Suite:
    try:
        return msgspec.convert(data, Suite)
    except (msgspec.ValidationError, RecursionError) as error:
        place = _place(str(error), data)
        cure = "compare the field with a packaged suite and correct it"
        raise InputError(f"{where}{place}: {error}; cure: {cure}") from error


def _place(message: str, data: object) -> str:
    """Name the case or tool that a message of msgspec points at with ``$.cases[3]``."""
    found = re.search(r"\$\.(cases|tools)\[(\d+)\]", message)
    if found is None or not isinstance(data, dict):
        return ""
    kind, index = found.group(1), int(found.group(2))
    entry = data[kind][index]
    key = "id" if kind == "cases" else "name"
    name = entry.get(key, "without id") if isinstance(entry, dict) else "that is not a table"
    return f", {kind.removesuffix('s')} {name} (number {index + 1})"


def _refuse(problems: tuple[str, ...], where: str) -> None:
    if not problems:
        return
    shown = "; ".join(problems[:_SHOWN_PROBLEMS])
    more = len(problems) - _SHOWN_PROBLEMS
    rest = f"; and {more} more" if more > 0 else ""
    raise InputError(f"{where}: {shown}{rest}; cure: correct the named places")
