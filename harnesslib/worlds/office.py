"""An office with contacts, a calendar, mail, files, tickets and a weather service.

It starts anew in each conversation. Its first day is Monday, 2 March 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harnesslib.records import Call
from harnesslib.worlds.arguments import problems, quoted, stripped
from harnesslib.worlds.office_state import Office
from harnesslib.worlds.office_tools import TOOLS


def respond(calls_so_far: Sequence[Call], call: Call) -> dict[str, Any]:
    """Answer `call` after `calls_so_far`; the same calls always give the same answer."""
    return _answer(_after(calls_so_far), call)


def state(calls: Sequence[Call]) -> dict[str, Any]:
    """Return what the office holds after `calls`, those that failed included."""
    return _after(calls).as_json()


def _after(calls: Sequence[Call]) -> Office:
    office = Office()
    for call in calls:
        _answer(office, call)
    return office


def _answer(office: Office, call: Call) -> dict[str, Any]:
    tool = TOOLS.get(call.name)
    if tool is None:
        return {"error": f"there is no tool {quoted(call.name)}; there are {', '.join(TOOLS)}"}
    work, needed, optional = tool
    problem = next(problems(call.arguments, needed, optional), "")
    if problem:
        return {"error": f"{call.name}: {problem}"}
    return work(office, {name: stripped(value) for name, value in call.arguments.items()})
