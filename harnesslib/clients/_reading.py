"""What all clients share without a network: bounds, and how to read what anybody may have written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from harnesslib.records import Call, ChatRequest

MAX_ANSWER_BYTES = 8 * 1024 * 1024
EXCERPT = 160
_SHOWN_BYTES = 4096
_SHOWN_START = 60
_SHORTEST_SECRET = 8
_BLOTTED = b"***"

ParseCalls = Callable[[Any], tuple[tuple[Call, ...], str]]
"""Reads an endpoint's `tool_calls`: (calls, "" or why one of them can't be read)."""

T = TypeVar("T")


class UnreadableError(ValueError):
    """Why an answer can't be read. It never leaves the clients."""


def read_json(body: bytes, type_: type[T], content_type: str = "") -> T:
    """Decode one JSON document.

    Parameters
    ----------
    body
        What was received.
    type_
        The shape it must have.
    content_type
        What it is said to be; "" = nothing was said.

    Raises
    ------
    UnreadableError
        It is said to be something else than JSON, is no JSON, has another shape, or has a key that stands
        twice in one object: readers disagree about which of the two counts.
    """
    media = content_type.partition(";")[0].strip().lower()
    if media and not media.endswith("json"):
        raise UnreadableError(f"expected JSON ({_about(body, media)})")
    try:
        value = msgspec.json.decode(body, type=type_)
        json.loads(body.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{error} ({_about(body, media)})") from None
    return value


def without_secret(body: bytes, secret: str) -> bytes:
    """Return what was received without the key, as it is and as JSON may write it.

    An endpoint that echoes what it was sent would bring the key into samples and messages. A placeholder of
    a few letters ("none", "EMPTY") is no key: it stands in honest answers, and stays.
    """
    if len(secret) < _SHORTEST_SECRET:
        return body
    for form in {secret, secret.replace("/", "\\/"), json.dumps(secret)[1:-1]}:
        body = body.replace(form.encode(), _BLOTTED)
    return body


def one_line(text: str, secret: str = "") -> str:
    """Return what may stand in a message: on one line, without the key that a host may echo."""
    shown = text.replace(secret, "***") if secret else text
    return " ".join(shown.split())


def error_message(body: bytes) -> str:
    """Return what an error answer says: the message of its JSON, or its beginning."""
    try:
        decoded = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return body[:_SHOWN_BYTES].decode("utf-8", "replace")
    error = decoded.get("error", decoded) if isinstance(decoded, dict) else decoded
    return str(error.get("message", error) if isinstance(error, dict) else error)


def text_of(value: Any) -> str:  # noqa: ANN401 - what an endpoint sends can be anything
    """Return the text of a content, which may be none, a string or a list of parts."""
    if isinstance(value, list):
        return "".join(text_of(part.get("text")) for part in value if isinstance(part, dict))
    return value if isinstance(value, str) else ""


def count_of(value: Any) -> int | None:  # noqa: ANN401 - what an endpoint sends can be anything
    """Return a count, or none where there is no sensible one."""
    return value if type(value) is int and value >= 0 else None


def tools_of(request: ChatRequest) -> dict[str, Any]:
    """Return the part of a request that offers tools; without tools there is none."""
    offered = [{"type": "function", "function": tool} for tool in request.tools]
    return {"tools": offered} if offered else {}


def _unique(pairs: list[tuple[str, Any]]) -> None:
    """Refuse an object with a key that stands twice; what it holds is not needed here."""
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise UnreadableError(f"the key {name[:_SHOWN_START]!r} stands twice in one object")
        seen.add(name)


def _about(body: bytes, media: str) -> str:
    start = one_line(body[:_SHOWN_BYTES].decode("utf-8", "replace"))[:_SHOWN_START]
    return f"{media or 'of no stated type'}, begins with {start!r}"
