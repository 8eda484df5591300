"""What Java's and JavaScript's literals in strings stand for, as the leaderboard reads them.

Its questions in these languages want every argument as a string that holds a literal. What is none of the
parameter's type stays the text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

Language = Literal["python", "java", "javascript"]

TYPES: Mapping[Language, Mapping[str, type]] = {
    "java": {
        **dict.fromkeys(("byte", "short", "integer", "long"), int),
        **dict.fromkeys(("float", "double"), float),
        **dict.fromkeys(("char", "String", "any"), str),
        **dict.fromkeys(("Array", "ArrayList"), list),
        "boolean": bool,
        "HashMap": dict,
    },
    "javascript": {
        **dict.fromkeys(("integer", "Bigint"), int),
        **dict.fromkeys(("String", "any"), str),
        "float": float,
        "Boolean": bool,
        "dict": dict,
        "array": list,
    },
}
"""Name of a type in a row -> what a literal of it becomes. For Java's other types there are no rules."""

LONGEST = 4_000
"""Characters of the longest literal that is read. What is longer stays text; their files hold no such."""

_WHOLE = re.compile(r"-?\d+\n?")
_DECIMAL = re.compile(r"-?\d+(\.\d+)?\n?")
_SCIENTIFIC = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?\n?")
_SUFFIXED = re.compile(r"(?P<number>.*)(?P<suffix>[A-Za-z])\n?", re.DOTALL)
_NEW_ARRAY = re.compile(r"new\s+\w+\[\]\s*\{(.*?)\}")
_LIST_OF = re.compile(r"new\s+ArrayList<\w*>\(Arrays\.asList\((.+?)\)\)")
_LIST_WITH = re.compile(r"new\s+ArrayList<\w*>\(\)\s*\{\{")
_NEW_LIST = re.compile(r"new\s+ArrayList<\w*>\(\)")
_MAP_WITH = re.compile(r"new\s+HashMap<.*?>\s*\(\)\s*\{", re.DOTALL)
_NEW_MAP = re.compile(r"new\s+HashMap<.*?>\s*\(\)")
_ADDED = re.compile(r"add\((.+?)\)")
_PUT = re.compile(r'put\("(.*?)",\s*(.*?)\)')
_FLAT = re.compile(r"\[(.*?)\]|new\s+Array\((.*?)\)")
_ROWS = re.compile(r"(?P<open>\[|new\s+Array\()\s*\[")
_NEXT_ROW = re.compile(r"\s*,\s*\[")
_ROW = re.compile(r"\[(.*?)\]")
_BRACES = re.compile(r"\{(.*?)\}")
_PAIR = re.compile(r"([^:]+):\s*(.*?)(?:,\s*(?=[^,]+:)|$)")


def read(text: str, kind: str, item_kind: str, language: Language) -> Any:  # noqa: ANN401 - any JSON value
    """Return what a literal stands for; the text itself where it is none of this type.

    Parameters
    ----------
    text
        What the model wrote.
    kind, item_kind
        The parameter's type as the row names it, and that of its entries; "" where it has none.
    language
        ``"java"`` or ``"javascript"``.
    """
    if len(text) > LONGEST:
        return text
    return _java(text, kind, item_kind) if language == "java" else _javascript(text, kind, item_kind)


def _java(text: str, kind: str, item_kind: str = "") -> Any:  # noqa: ANN401 - any JSON value
    if kind == "Array":
        return _java_array(text, item_kind)
    if kind == "ArrayList":
        return _java_list(text, item_kind)
    return _JAVA[kind](text) if kind in _JAVA else text


def _javascript(text: str, kind: str, item_kind: str = "") -> Any:  # noqa: ANN401 - any JSON value
    if kind == "array":
        return _javascript_array(text.strip(), item_kind)
    return _JAVASCRIPT[kind](text) if kind in _JAVASCRIPT else text


def _whole(text: str) -> int | str:
    return int(text) if _WHOLE.fullmatch(text) else text


def _truth(text: str) -> bool | str:
    return text == "true" if text in {"true", "false"} else text


def _unquoted(text: str) -> str:
    return text[1:-1] if _is_quoted(text) else text


def _is_quoted(text: str) -> bool:
    return any(text.startswith(quote) and text.endswith(quote) for quote in "\"'")


def _with_suffix(
    text: str, suffixes: str, number: re.Pattern[str], type_: Callable[[str], float]
) -> float | str:
    found = _SUFFIXED.fullmatch(text)
    if found is None or found["suffix"] not in suffixes or not number.fullmatch(found["number"]):
        return text
    return text if found["number"].endswith("\n") else type_(found["number"])


def _java_array(text: str, item_kind: str) -> Any:  # noqa: ANN401 - any JSON value
    found = _NEW_ARRAY.search(text)
    if found is None:
        return text
    entries = [entry.strip() for entry in found[1].split(",") if entry.strip()]
    return [_java(entry, item_kind) if item_kind else _java_value(entry) for entry in entries]


def _java_list(text: str, item_kind: str) -> Any:  # noqa: ANN401 - any JSON value
    found = _LIST_OF.search(text)
    if found is not None:
        entries = found[1].split(",")
    else:
        body = _between_double_braces(text)
        if body is None:
            return [] if _NEW_LIST.search(text) else text
        entries = _ADDED.findall(body)
    return [_java_entry(entry.strip(), item_kind) for entry in entries]


def _java_entry(entry: str, item_kind: str) -> Any:  # noqa: ANN401 - any JSON value
    if item_kind in {"char", "String"}:
        return entry[1:-1]
    return _java(entry, item_kind) if item_kind else _java_value(entry)


def _between_double_braces(text: str) -> str | None:
    """Return what a list is filled with, or none; there has to be something, if only a blank."""
    found = _LIST_WITH.search(text)
    if found is None:
        return None
    body = text[found.end() :]
    blanks = len(body) - len(body.lstrip())
    end = body.find("}}", blanks + 1)
    end = body.find("}}", 1) if end < 0 else end
    return None if end < 0 else body[:end]


def _java_map(text: str) -> Any:  # noqa: ANN401 - any JSON value
    found = _MAP_WITH.search(text)
    end = text.find("}", found.end()) if found else -1
    if found is None or end < 0:
        return {} if _NEW_MAP.search(text) else text
    return {key: _java_value(value.strip()) for key, value in _PUT.findall(text[found.end() : end])}


def _java_value(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value whose type nobody states."""
    if text in {"true", "false"}:
        return text == "true"
    if text.startswith('"') and text.endswith('"'):
        return text[1:-1]
    for kind in ("long", "float"):
        value = _java(text, kind)
        if not isinstance(value, str):
            return value
    return _number(text)


def _number(text: str) -> float | str:
    for type_ in (int, float):
        try:
            return type_(text)
        except ValueError:
            continue
    return text


def _javascript_array(text: str, item_kind: str) -> Any:  # noqa: ANN401 - any JSON value
    rows = _rows_of(text)
    if rows is not None:
        inner = [row.strip() for row in _ROW.findall(rows)]
        inner[0] = inner[0].removeprefix("[")
        return [[_javascript_value(entry) for entry in row.split(",")] for row in inner]
    found = _FLAT.match(text)
    if found is None:
        return text
    inside = (found[1] if found[1] is not None else found[2]).strip()
    entries = [entry.strip() for entry in inside.split(",")] if inside else []
    if not item_kind:
        return [_javascript_value(entry) for entry in entries]
    if item_kind not in TYPES["javascript"] and entries:
        return text
    return [_javascript(entry, item_kind) for entry in entries]


def _rows_of(text: str) -> str | None:
    """Return the part of the text that is a list of lists, or none.

    A row ends at the first ``]`` after which the rest can be read: a comma and the next row, or the end.
    """
    found = _ROWS.match(text)
    if found is None:
        return None
    closing = "]" if found["open"] == "[" else ")"
    nearest: int | None = None  # the end of the list that the next closed row leads to
    reached: dict[int, int] = {}  # where a row is opened -> where the list ends
    for place in range(len(text) - 1, found.end() - 1, -1):
        if text[place] == "\n":
            nearest = None
        elif text[place] == "]":
            end = _list_end(text, place + 1, closing, reached)
            if end is not None:
                nearest = end
        if nearest is not None:
            reached[place] = nearest
    end = reached.get(found.end())
    return None if end is None else text[:end]


def _list_end(text: str, place: int, closing: str, reached: Mapping[int, int]) -> int | None:
    """Return where a list ends one of whose rows was closed before `place`, or none."""
    following = _NEXT_ROW.match(text, place)
    if following is not None and following.end() in reached:
        return reached[following.end()]
    rest = place + len(text[place:]) - len(text[place:].lstrip())
    return rest + 1 if text[rest : rest + 1] == closing else None


def _javascript_object(text: str) -> Any:  # noqa: ANN401 - any JSON value
    found = _BRACES.match(text.strip())
    return dict(_pairs(found[1])) if found else text.strip()


def _pairs(content: str) -> Iterator[tuple[str, Any]]:
    for key, raw in _PAIR.findall(content):
        value = raw.strip()
        if value.startswith("[") and value.endswith("]"):
            read_value = _javascript_array(value, "")
        else:
            read_value = _javascript_value(value.strip("'\""))
        yield key.strip().strip("'\""), read_value


def _javascript_value(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value whose type nobody states."""
    bare = text.strip()
    if bare in {"true", "false"}:
        return bare == "true"
    return bare[1:-1] if _is_quoted(bare) else _number(bare)


_JAVA: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("byte", "short", "integer"), _whole),
    "long": lambda text: _with_suffix(text, "lL", _WHOLE, int),
    "float": lambda text: _with_suffix(text, "fF", _SCIENTIFIC, float),
    "double": lambda text: float(text) if _SCIENTIFIC.fullmatch(text) else text,
    "boolean": _truth,
    "HashMap": _java_map,
}
_JAVASCRIPT: Mapping[str, Callable[[str], Any]] = {
    "String": _unquoted,
    "integer": _whole,
    "float": lambda text: float(text) if _DECIMAL.fullmatch(text) else text,
    "Bigint": lambda text: _with_suffix(text, "n", _WHOLE, int),
    "Boolean": _truth,
    "dict": _javascript_object,
}
"""Type that stands alone -> how its literals are read."""
