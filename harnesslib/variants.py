"""How a model is asked for tool calls: by the API's own field, or in words and with calls in its text.

Some models write calls well in one format and badly in another, and some servers have no field for tools.
``settings.variant`` says which way is used; a text variant has the name of its format. A prompt variant adds
a text of one's own to one of these formats, and is pinned to that text by its hash: ``name@8 hex digits``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from harnesslib.errors import InputError
from harnesslib.parsers import FORMATS, parse_text, write
from harnesslib.records import Call, Prompt, Reply, Tool

NATIVE = "native"
NAMES = (NATIVE, *FORMATS)
"""What ``settings.variant`` may be."""

_OPENING = "Tool calls are written in the format"
_TOOLS = "The tools, one JSON object per line, their parameters as JSON Schema:"
_RESULTS = "Results of the tool calls, one JSON object per line, in the order of the calls:"
_EXAMPLES = (
    Call(name="first_tool", arguments={"city": "Oslo", "days": 3}),
    Call(name="second_tool", arguments={"words": ["a", "b"], "exact": True, "limit": None}),
)
_RULES = {
    "bracket": "a list in square brackets; arguments by name, values as Python literals; no call: no list",
    "tags": "one element tool_call per call, in it a JSON object with `name` and `arguments`",
    "json": "a JSON object with `name` and `arguments`; several calls: a list of such objects",
    "function": "one call per line, nothing else on it; arguments by name, values as Python literals",
}
_CONDUCT = (
    "Call a tool only when the user's wish needs it and a tool fits; otherwise answer in plain words, with "
    "nothing in this format. Use only the tools below and only their parameters, and don't invent values. "
    "Write independent calls in one reply. After your calls, stop: the results come with the next message."
)


def format_of(variant: str, prompt: Prompt | None = None) -> str:
    """Return the call format of a variant: its own name, or what its prompt says."""
    return prompt.format if prompt else variant


def messages(variant: str, tools: Sequence[Tool], system_prompt: str = "") -> tuple[dict[str, Any], ...]:
    """Return the messages that a conversation starts with: none, or one from the system.

    Parameters
    ----------
    variant
        One of `NAMES`.
    tools
        The tools on offer. The request of a text variant offers none in its field.
    system_prompt
        What the system says besides; "" = nothing.

    Raises
    ------
    InputError
        There is no such variant.
    """
    check(variant)
    if variant == NATIVE:
        return ({"role": "system", "content": system_prompt},) if system_prompt else ()
    offered = [
        _line({"name": tool.name, "description": tool.description, "parameters": tool.parameters})
        for tool in tools
    ]
    lines = [
        f"{_OPENING} {variant}: {_RULES[variant]}. For example:",
        "",
        write(variant, _EXAMPLES),
        "",
        _CONDUCT,
        "",
        *((system_prompt, "") if system_prompt else ()),
        _TOOLS,
        *offered,
    ]
    return ({"role": "system", "content": "\n".join(lines)},)


def parse(variant: str, text: str) -> tuple[tuple[Call, ...], str]:
    """Return the calls in a text, and why one can't be read; for ``native`` a text holds none."""
    check(variant)
    return ((), "") if variant == NATIVE else parse_text(variant, text)


def read(variant: str, reply: Reply) -> Reply:
    """Return the reply with the calls of its text.

    Notes
    -----
    A reply that has calls, or a broken one, in the API's field is left as it is: some servers read a
    model's text by themselves.
    """
    check(variant)
    if variant == NATIVE or reply.calls or reply.malformed:
        return reply
    calls, malformed = parse_text(variant, reply.text)
    return msgspec.structs.replace(reply, calls=calls, malformed=malformed)


def results(calls: Sequence[Call], answers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the user's message that hands the tools' answers back to a model that called in its text."""
    lines = [
        _line({"tool": call.name, "result": answer}) for call, answer in zip(calls, answers, strict=True)
    ]
    return {"role": "user", "content": "\n".join([_RESULTS, *lines])}


def are_results(content: str) -> bool:
    """Whether a user's message only hands results back: it is no turn of the user."""
    return content.startswith(_RESULTS)


def offered(content: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the variant and the names of the tools that a system message asks for; none for another one."""
    variant = content.removeprefix(f"{_OPENING} ").partition(":")[0]
    if not content.startswith(_OPENING) or variant not in FORMATS:
        return None
    lines = content.partition(f"\n{_TOOLS}\n")[2].split("\n")
    try:
        return variant, tuple(str(json.loads(line)["name"]) for line in lines if line)
    except (ValueError, TypeError, KeyError):
        return None


def check(variant: str) -> None:
    """Refuse a variant that doesn't exist."""
    if variant not in NAMES:
        raise InputError(
            f"variant: got {variant!r}, expected one of {', '.join(NAMES)}; "
            "cure: correct settings.variant in harness.toml"
        )


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
