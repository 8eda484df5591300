"""An office with contacts, a calendar, mail, files, tickets and a weather service.

It starts anew in each conversation. Its first day is Monday, 2 March 2026.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harnesslib.records import Call
from harnesslib.worlds.arguments import (
    ADDRESS,
    ADDRESSES,
    DAY,
    LENGTH,
    TEXT,
    TIME,
    Kind,
    choice,
    problems,
    quoted,
)
from harnesslib.worlds.office_records import CONTACTS, EVENTS, FILES, MAILS, TICKETS, WEATHER

_FIRST_NEW_EVENT = 201
_FIRST_NEW_TICKET = 401
_PRIORITY = choice("low", "normal", "high", "urgent")
_STATUS = choice("open", "in_progress", "waiting", "closed")


@dataclass
class _Office:
    """The part of the office that calls can change; it lives as long as one answer."""

    events: dict[str, dict[str, Any]] = field(default_factory=lambda: _copied(EVENTS))
    tickets: dict[str, dict[str, Any]] = field(default_factory=lambda: _copied(TICKETS))
    next_event: int = _FIRST_NEW_EVENT
    next_ticket: int = _FIRST_NEW_TICKET
    sent: int = 0


def respond(calls_so_far: Sequence[Call], call: Call) -> dict[str, Any]:
    """Answer `call` after `calls_so_far`; the same calls always give the same answer."""
    office = _Office()
    for earlier in calls_so_far:
        _answer(office, earlier)
    return _answer(office, call)


def _copied(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {key: dict(entry) for key, entry in entries.items()}


def _answer(office: _Office, call: Call) -> dict[str, Any]:
    tool = _TOOLS.get(call.name)
    if tool is None:
        return _error(f"there is no tool {quoted(call.name)}; there are {', '.join(_TOOLS)}")
    work, needed, optional = tool
    problem = next(problems(call.arguments, needed, optional), "")
    return _error(f"{call.name}: {problem}") if problem else work(office, call.arguments)


def _error(message: str) -> dict[str, Any]:
    return {"error": message}


def _holds(words: str, *texts: str) -> bool:
    """Whether the texts hold each of the words, case folded."""
    together = " ".join(texts).casefold()
    return all(word in together for word in re.findall(r"[^\W_]+(?:[.][^\W_]+)*", words.casefold()))


def _find_contact(_: _Office, arguments: dict[str, Any]) -> dict[str, Any]:
    found = [entry for entry in CONTACTS if _holds(arguments["name"], entry["name"], entry["team"])]
    return {"contacts": [dict(entry) for entry in found]}


def _list_events(office: _Office, arguments: dict[str, Any]) -> dict[str, Any]:
    found = [
        {"event_id": key, **entry}
        for key, entry in office.events.items()
        if entry["date"] == arguments["date"]
    ]
    return {"date": arguments["date"], "events": sorted(found, key=lambda entry: str(entry["start"]))}


def _create_event(office: _Office, arguments: dict[str, Any]) -> dict[str, Any]:
    for entry in office.events.values():
        if entry["date"] == arguments["date"] and _overlap(entry, arguments):
            return _error(f"{entry['start']} for {entry['minutes']} minutes is taken by {entry['title']!r}")
    event_id = f"EV-{office.next_event}"
    office.next_event += 1
    office.events[event_id] = {"attendees": [], **arguments}
    return {"event_id": event_id, "created": True}


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    start, other_start = _minute(one["start"]), _minute(other["start"])
    return start < other_start + int(other["minutes"]) and other_start < start + int(one["minutes"])


def _minute(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


def _cancel_event(office: _Office, arguments: dict[str, Any]) -> dict[str, Any]:
    event_id = arguments["event_id"].strip()
    entry = office.events.pop(event_id, None)
    if entry is None:
        return _error(f"there is no event {quoted(event_id)}")
    return {"event_id": event_id, "title": entry["title"], "cancelled": True}


def _search_mail(_: _Office, arguments: dict[str, Any]) -> dict[str, Any]:
    found = [mail for mail in MAILS if _holds(arguments["text"], mail["from"], mail["subject"], mail["body"])]
    return {"mails": [dict(mail) for mail in found]}


def _send_mail(office: _Office, arguments: dict[str, Any]) -> dict[str, Any]:
    office.sent += 1
    return {"sent": True, "number": office.sent, "to": arguments["to"].strip()}


def _search_files(_: _Office, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"paths": [path for path, text in FILES.items() if _holds(arguments["text"], path, text)]}


def _read_file(_: _Office, arguments: dict[str, Any]) -> dict[str, Any]:
    path = arguments["path"].strip()
    if path not in FILES:
        return _error(f"there is no file {quoted(path)}")
    return {"path": path, "text": FILES[path]}


def _create_ticket(office: _Office, arguments: dict[str, Any]) -> dict[str, Any]:
    ticket_id = f"TK-{office.next_ticket}"
    office.next_ticket += 1
    office.tickets[ticket_id] = {**arguments, "status": "open", "assignee": ""}
    return {"ticket_id": ticket_id, "status": "open"}


def _get_ticket(office: _Office, arguments: dict[str, Any]) -> dict[str, Any]:
    ticket_id = arguments["ticket_id"].strip()
    if ticket_id not in office.tickets:
        return _error(f"there is no ticket {quoted(ticket_id)}")
    return {"ticket_id": ticket_id, **office.tickets[ticket_id]}


def _update_ticket(office: _Office, arguments: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {name: arguments[name] for name in ("status", "priority") if name in arguments}
    shown = _get_ticket(office, arguments)
    if "error" in shown:
        return shown
    if not changes:
        return _error("nothing to change: expected status, priority or both")
    office.tickets[shown["ticket_id"]].update(changes)
    return {**shown, **changes}


def _get_weather(_: _Office, arguments: dict[str, Any]) -> dict[str, Any]:
    city = arguments["city"].strip()
    known = {name.casefold(): name for name in WEATHER}
    if city.casefold() not in known:
        return _error(f"there is no forecast for {quoted(city)}")
    return {"city": city, "date": arguments["date"], **WEATHER[known[city.casefold()]]}


_Work = Callable[[_Office, dict[str, Any]], dict[str, Any]]
_TOOLS: dict[str, tuple[_Work, dict[str, Kind], dict[str, Kind]]] = {
    "find_contact": (_find_contact, {"name": TEXT}, {}),
    "list_events": (_list_events, {"date": DAY}, {}),
    "create_event": (
        _create_event,
        {"title": TEXT, "date": DAY, "start": TIME, "minutes": LENGTH},
        {"attendees": ADDRESSES},
    ),
    "cancel_event": (_cancel_event, {"event_id": TEXT}, {}),
    "search_mail": (_search_mail, {"text": TEXT}, {}),
    "send_mail": (_send_mail, {"to": ADDRESS, "subject": TEXT, "body": TEXT}, {}),
    "read_file": (_read_file, {"path": TEXT}, {}),
    "search_files": (_search_files, {"text": TEXT}, {}),
    "create_ticket": (_create_ticket, {"title": TEXT, "priority": _PRIORITY}, {}),
    "get_ticket": (_get_ticket, {"ticket_id": TEXT}, {}),
    "update_ticket": (
        _update_ticket,
        {"ticket_id": TEXT},
        {"status": _STATUS, "priority": _PRIORITY},
    ),
    "get_weather": (_get_weather, {"city": TEXT, "date": DAY}, {}),
}
