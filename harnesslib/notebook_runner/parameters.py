"""What a notebook may be given: the names and types that its parameters cell declares, and nothing else."""

from __future__ import annotations

import ast
import difflib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harnesslib.errors import InputError

_SECRET = re.compile(r"token|secret|passw(or)?d|api_?key|credential", re.IGNORECASE)
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "list": (list, tuple),
    "dict": (dict,),
    "None": (type(None),),
}


def declared(source: str) -> dict[str, str]:
    """Return the names that a parameters cell assigns, each with its annotation ("" where it has none)."""
    names: dict[str, str] = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names[statement.target.id] = ast.unparse(statement.annotation)
        elif isinstance(statement, ast.Assign):
            names.update({target.id: "" for target in statement.targets if isinstance(target, ast.Name)})
    return names


def check(notebook: Path, names: Mapping[str, str], given: Mapping[str, Any]) -> None:
    """Refuse parameters that the notebook does not declare, of a wrong type, or that must not be stored.

    Raises
    ------
    InputError
        A typo would silently use the default; a secret would stand in the executed notebook in clear; NaN
        would make its file no JSON.
    """
    for name, value in given.items():
        where = f"{notebook.name}, parameter '{name}'"
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            known = ", ".join(names) or "none (no cell is tagged 'parameters')"
            raise InputError(f"{where}: unknown{hint} It has: {known}")
        _refuse_secrets(where, name, value)
        _refuse_foreign(where, value)
        if not _fits(value, names[name]):
            raise InputError(f"{where}: got {value!r}, expected {names[name]}; correct its type")


def _refuse_secrets(where: str, name: str, value: Any) -> None:  # noqa: ANN401 - any JSON value
    if _SECRET.search(name):
        raise InputError(
            f"{where}: looks like a secret, and parameters are stored in clear; pass the name of an "
            "environment variable under another name"
        )
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _refuse_secrets(where, str(key), inner)


def _refuse_foreign(where: str, value: Any) -> None:  # noqa: ANN401 - whatever a caller passes
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{where}: got {value}, which is no JSON; pass a finite number")
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise InputError(f"{where}: the keys of an object must be strings")
        for inner in value.values():
            _refuse_foreign(where, inner)
    elif isinstance(value, list):
        for inner in value:
            _refuse_foreign(where, inner)
    elif not (value is None or type(value) in (str, int, float, bool)):
        raise InputError(f"{where}: got a {type(value).__name__}, which is no JSON; pass a JSON value")


def _fits(value: Any, annotation: str) -> bool:  # noqa: ANN401 - any JSON value
    options = [option.strip().partition("[")[0] for option in annotation.split("|")]
    if not all(option in _TYPES for option in options):
        return True
    return any(
        isinstance(value, _TYPES[option]) and (option == "bool" or not isinstance(value, bool))
        for option in options
    )
