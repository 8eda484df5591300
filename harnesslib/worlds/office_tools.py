"""What the tools of the office do. Their arguments have been checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from harnesslib.worlds.arguments import (
    ADDRESS,
    ADDRESSES,
    DAY,
    FLAG,
    LENGTH,
    TEXT,
    TIME,
    Kind,
    choice,
    quoted,
)
from harnesslib.worlds.office_records import CONTACTS, FORECAST_ENDS, MAILS, TODAY, WEATHER
from harnesslib.worlds.office_state import Office

_PRIORITY = choice("low", "normal", "high", "urgent")
_STATUS = choice("open", "in_progress", "waiting", "closed")


def _holds(words: str, *texts: str) -> bool:
    """Whether the texts hold each of the words, case folded."""
    together = " ".join(texts).casefold()
    return all(word in together for word in re.findall(r"[^\W_]+(?:[.][^\W_]+)*", words.casefold()))


def _error(message: str) -> dict[str, Any]:
    return {"error": message}


def _find_contact(_: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    found = [entry for entry in CONTACTS if _holds(arguments["name"], entry["name"], entry["team"])]
    return {"contacts": [dict(entry) for entry in found]}


def _list_events(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    found = [
        {"event_id": key, **_visible(entry)}
        for key, entry in office.calendar().items()
        if entry["date"] == arguments["date"]
    ]
    return {"date": arguments["date"], "events": sorted(found, key=lambda entry: str(entry["start"]))}


def _visible(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "cancelled"}


def _create_event(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    entry = {**arguments, "minutes": int(arguments["minutes"])}
    taken = _taken(office.calendar(), entry)
    return taken or {"event_id": office.add_event(entry), "created": True}


def _move_event(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    changes = {name: value for name, value in arguments.items() if name != "event_id"}
    others = office.calendar()
    entry = others.pop(arguments["event_id"], None)
    if entry is None:
        return _error(f"there is no event {quoted(arguments['event_id'])}")
    if not changes:
        return _error("nowhere to move it: expected date, start or both")
    taken = _taken(others, entry | changes)
    if not taken:
        entry.update(changes)
    return taken or {"event_id": arguments["event_id"], **_visible(entry), "moved": True}


def _taken(entries: Mapping[str, dict[str, Any]], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the error that names what stands in the way; empty when the time is free."""
    for entry in entries.values():
        if entry["date"] == wanted["date"] and _overlap(entry, wanted):
            return _error(f"{entry['start']} for {entry['minutes']} minutes is taken by {entry['title']!r}")
    return {}


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    start, other_start = _minute(one["start"]), _minute(other["start"])
    return bool(start < other_start + other["minutes"] and other_start < start + one["minutes"])


def _minute(time: str) -> int:
    hours, minutes = time.split(":")
    return int(hours) * 60 + int(minutes)


def _cancel_event(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    event_id = arguments["event_id"]
    entry = office.calendar().get(event_id)
    if entry is None:
        return _error(f"there is no event {quoted(event_id)}")
    entry["cancelled"] = True
    return {"event_id": event_id, "title": entry["title"], "cancelled": True}


def _search_mail(_: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    found = [mail for mail in MAILS if _holds(arguments["text"], mail["from"], mail["subject"], mail["body"])]
    return {"mails": [dict(mail) for mail in found]}


def _send_mail(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    office.sent.append(dict(arguments))
    return {"sent": True, "number": len(office.sent), "to": arguments["to"]}


def _search_files(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    found = (path for path, text in office.folder().items() if _holds(arguments["text"], path, text))
    return {"paths": sorted(found)}


def _read_file(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    path, folder = arguments["path"], office.folder()
    return {"path": path, "text": folder[path]} if path in folder else _no_file(path)


def _write_file(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    path, exists = arguments["path"], arguments["path"] in office.folder()
    if exists and not arguments.get("overwrite", False):
        return _error(f"there is already a file {quoted(path)}; only with overwrite its text is replaced")
    office.files[path] = {"text": arguments["text"], "deleted": False}
    return {"path": path, "written": True, "replaced": exists}


def _delete_file(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    path = arguments["path"]
    if path not in office.folder():
        return _no_file(path)
    office.files[path]["deleted"] = True
    return {"path": path, "deleted": True}


def _no_file(path: str) -> dict[str, Any]:
    return _error(f"there is no file {quoted(path)}")


def _create_ticket(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"ticket_id": office.add_ticket(arguments), "status": "open"}


def _get_ticket(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    ticket_id = arguments["ticket_id"]
    if ticket_id not in office.tickets:
        return _error(f"there is no ticket {quoted(ticket_id)}")
    return {"ticket_id": ticket_id, **office.tickets[ticket_id]}


def _search_tickets(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    found = [
        {"ticket_id": key, **entry}
        for key, entry in office.tickets.items()
        if _holds(arguments["text"], key, *entry.values())
    ]
    return {"tickets": found}


def _update_ticket(office: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    changes = {name: value for name, value in arguments.items() if name != "ticket_id"}
    shown = _get_ticket(office, arguments)
    if "error" in shown:
        return shown
    if not changes:
        return _error("nothing to change: expected status, priority or assignee")
    if "assignee" in changes:
        names = {entry["name"].casefold(): entry["name"] for entry in CONTACTS}
        if changes["assignee"].casefold() not in names:
            return _error(f"nobody here has the full name {quoted(changes['assignee'])}")
        changes["assignee"] = names[changes["assignee"].casefold()]
    office.tickets[shown["ticket_id"]].update(changes)
    return {**shown, **changes}


def _get_weather(_: Office, arguments: dict[str, Any]) -> dict[str, Any]:
    city, day = arguments["city"], arguments["date"]
    known = {name.casefold(): name for name in WEATHER}
    if city.casefold() not in known:
        return _error(f"there is no forecast for {quoted(city)}")
    if not TODAY <= day <= FORECAST_ENDS:
        return _error(f"there is no forecast for {day}, only from {TODAY} to {FORECAST_ENDS}")
    return {"city": city, "date": day, **WEATHER[known[city.casefold()]]}


Work = Callable[[Office, dict[str, Any]], dict[str, Any]]
TOOLS: dict[str, tuple[Work, dict[str, Kind], dict[str, Kind]]] = {
    "find_contact": (_find_contact, {"name": TEXT}, {}),
    "list_events": (_list_events, {"date": DAY}, {}),
    "create_event": (
        _create_event,
        {"title": TEXT, "date": DAY, "start": TIME, "minutes": LENGTH},
        {"attendees": ADDRESSES},
    ),
    "move_event": (_move_event, {"event_id": TEXT}, {"date": DAY, "start": TIME}),
    "cancel_event": (_cancel_event, {"event_id": TEXT}, {}),
    "search_mail": (_search_mail, {"text": TEXT}, {}),
    "send_mail": (_send_mail, {"to": ADDRESS, "subject": TEXT, "body": TEXT}, {}),
    "search_files": (_search_files, {"text": TEXT}, {}),
    "read_file": (_read_file, {"path": TEXT}, {}),
    "write_file": (_write_file, {"path": TEXT, "text": TEXT}, {"overwrite": FLAG}),
    "delete_file": (_delete_file, {"path": TEXT}, {}),
    "search_tickets": (_search_tickets, {"text": TEXT}, {}),
    "get_ticket": (_get_ticket, {"ticket_id": TEXT}, {}),
    "create_ticket": (_create_ticket, {"title": TEXT, "priority": _PRIORITY}, {}),
    "update_ticket": (
        _update_ticket,
        {"ticket_id": TEXT},
        {"status": _STATUS, "priority": _PRIORITY, "assignee": TEXT},
    ),
    "get_weather": (_get_weather, {"city": TEXT, "date": DAY}, {}),
}
"""By name: what a tool does, the arguments it needs, and those it may get besides."""
