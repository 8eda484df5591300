"""Load suites: the packaged ones by name, a user's own by path."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from harnesslib.errors import InputError
from harnesslib.records import Suite
from harnesslib.suites.checks import check as check
from harnesslib.suites.checks import structure_problems
from harnesslib.suites.examples import example as example
from harnesslib.suites.examples import variants as variants

_ENDINGS = (".toml", ".json")
_SHOWN_PROBLEMS = 5


def packaged() -> tuple[str, ...]:
    """Return the names of the suites that come with harnesslib."""
    names = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_suite(name_or_path: str, *, root: Path) -> Suite:
    """Load a suite and refuse a bad one.

    Parameters
    ----------
    name_or_path
        A packaged name (``atomic``), or the path of a ``.toml`` or ``.json`` file.
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
        text = resources.files(__name__).joinpath(f"{name_or_path}.toml").read_text(encoding="utf-8")
        where = f"packaged suite {name_or_path}"
        suite = _suite(_parsed(text, ".toml", where), where)
        _refuse(structure_problems(suite), where)
        return suite
    path = _existing(name_or_path, root)
    where = str(path)
    suite = _suite(_parsed(_text(path), path.suffix, where), where)
    _refuse(check(suite), where)
    return suite


def _existing(name_or_path: str, root: Path) -> Path:
    path = root / name_or_path
    if path.suffix in _ENDINGS and path.is_file():
        return path
    names = ", ".join(packaged())
    near = difflib.get_close_matches(name_or_path, packaged(), n=1)
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
        return json.loads(text, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        kind = ending.removeprefix(".").upper()
        raise InputError(f"{where}: not {kind}: {error}; cure: correct the file at that place") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"the key {twice[0]!r} stands twice in one object")
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
