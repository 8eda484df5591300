"""Simulated worlds: what tools answer, as a pure function of the calls so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harnesslib.records import Call
from harnesslib.worlds import office

NAMES = ("", "office")


def respond(world: str, calls_so_far: Sequence[Call], call: Call) -> dict[str, Any]:
    """Return what a tool answers, as a JSON object.

    Parameters
    ----------
    world
        ``"office"``, or ``""`` for tools whose result doesn't matter: they acknowledge the call and say that
        the user has seen the result.
    calls_so_far
        All calls of this conversation before `call`, oldest first, those that failed included.
    call
        The call to answer. An unknown tool, unfit arguments and an unknown world give ``{"error": ...}``.
    """
    if world == "":
        return {"ok": True, "note": "Done. The result has been shown to the user."}
    if world == "office":
        return office.respond(calls_so_far, call)
    return {"error": f"there is no world {world!r}"}


def state(world: str, calls: Sequence[Call]) -> dict[str, Any]:
    """Return what a world holds after the calls, as a JSON object.

    Parameters
    ----------
    world
        ``"office"``; every other world has no state, which is an empty object.
    calls
        All calls of the conversation, oldest first, those that failed included.

    Notes
    -----
    The office: ``events`` and ``tickets`` by id, ``files`` by path, ``sent`` mails in order, and ``changed``
    with the number of each that is not as it was at the beginning. What was cancelled or deleted is marked
    so and stays.
    """
    return office.state(calls) if world == "office" else {}
