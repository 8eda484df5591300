"""Write calls in each text format, so that they are read back equal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from harnesslib.errors import InputError
from harnesslib.parsers.literals import NAME
from harnesslib.records import Call

_NAME = re.compile(NAME)
_IDENTIFIER = re.compile(r"[^\W\d]\w*", re.ASCII)


def write(form: str, calls: Sequence[Call]) -> str:
    """Return calls as a model writes them in a format; "" for no calls.

    Raises
    ------
    InputError
        There is no such format, or it has no way to write a name (one with a blank in it).
    """
    if form not in _WRITERS:
        raise InputError(f"format: got {form!r}, expected one of {', '.join(_WRITERS)}; cure: correct it")
    return _WRITERS[form](calls) if calls else ""


def _bracket(calls: Sequence[Call]) -> str:
    return f"[{', '.join(map(_signature, calls))}]"


def _function(calls: Sequence[Call]) -> str:
    return "\n".join(map(_signature, calls))


def _tags(calls: Sequence[Call]) -> str:
    return "\n".join(f"<tool_call>\n{_json_text(_object(call))}\n</tool_call>" for call in calls)


def _json(calls: Sequence[Call]) -> str:
    objects = [_object(call) for call in calls]
    return _json_text(objects if len(objects) > 1 else objects[0])


def _object(call: Call) -> dict[str, Any]:
    return {"name": call.name, "arguments": call.arguments}


def _json_text(value: object) -> str:
    """Return JSON in which no text can be taken for a tag."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def _signature(call: Call) -> str:
    if _NAME.fullmatch(call.name) is None:
        raise InputError(f"call {call.name!r}: this format writes names of letters, digits, '_', '-' and '.'")
    plain = {key: value for key, value in call.arguments.items() if _IDENTIFIER.fullmatch(key)}
    others = {key: value for key, value in call.arguments.items() if key not in plain}
    written = [f"{key}={_literal(value)}" for key, value in plain.items()]
    return f"{call.name}({', '.join([*written, *[f'**{_literal(others)}'] * bool(others)])})"


def _literal(value: object) -> str:
    match value:
        case None | bool():
            return str(value)
        case list():
            return f"[{', '.join(map(_literal, value))}]"
        case dict():
            return f"{{{', '.join(f'{_literal(key)}: {_literal(entry)}' for key, entry in value.items())}}}"
    return _json_text(value)


_WRITERS: dict[str, Callable[[Sequence[Call]], str]] = {
    "bracket": _bracket,
    "tags": _tags,
    "json": _json,
    "function": _function,
}
