"""A question of the Berkeley Function-Calling Leaderboard, as its public files hold it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from harnesslib.records.base import Record

_TYPES = {
    "string": ("string", "str", "char"),
    "integer": ("integer", "int", "long", "short", "byte", "bigint"),
    "number": ("number", "float", "double"),
    "boolean": ("boolean", "bool"),
    "array": ("array", "tuple", "list", "arraylist", "set", "queue", "stack"),
    "object": ("object", "dict", "hashmap", "hashtable"),
    "any": ("any",),
}
_KINDS = {name: kind for kind, names in _TYPES.items() for name in names}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64


class BfclQuestion(Record):
    """One row of a question file with its row of answers.

    `messages` are those of its only turn. `functions` are the tools as the file has them, types included.
    `answers` holds one ``{name: {parameter: [alternatives]}}`` per call; "" among the alternatives means
    that the parameter may be left out. It is empty where no call is right, and where any is.
    """

    id: str
    category: str
    messages: tuple[dict[str, Any], ...]
    functions: tuple[dict[str, Any], ...]
    answers: tuple[dict[str, dict[str, list[Any]]], ...] = ()

    @property
    def kind(self) -> Literal["calls", "no_call", "any_call"]:
        """What is right: the calls of `answers`, none, or any."""
        if self.category.endswith("irrelevance"):
            return "no_call"
        return "any_call" if self.category.endswith("relevance") else "calls"

    @property
    def language(self) -> Literal["python", "java", "javascript"]:
        """Whose types the functions have."""
        if self.category.endswith("javascript"):
            return "javascript"
        return "java" if self.category.endswith("java") else "python"

    def schema_of(self, name: str) -> Mapping[str, Any]:
        """Return the parameters of a function as the file has them; none where it isn't offered."""
        function = next((one for one in self.functions if one.get("name") == name), {})
        found: Mapping[str, Any] = function.get("parameters", {})
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the functions, as an API accepts them."""
        return tuple(api_name(str(function.get("name", ""))) for function in self.functions)


def api_name(name: str) -> str:
    """Return a name as APIs accept it: dots, and whatever else is not allowed, become underscores."""
    return _NOT_IN_A_NAME.sub("_", name)[:_LONGEST_NAME] or "_"


def json_kind(type_name: object) -> str:
    """Return JSON's name of a type, or "any"; "" for a name that isn't known."""
    return _KINDS.get(type_name.lower(), "") if isinstance(type_name, str) else ""
