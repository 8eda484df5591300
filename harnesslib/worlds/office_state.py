"""What calls can change in the office: events, tickets, files and the mails that were sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harnesslib.worlds.office_records import ATTENDEES, EVENTS, FILES, TICKETS

_FIRST_NEW_EVENT = 201
_FIRST_NEW_TICKET = 401
_Entries = dict[str, dict[str, Any]]


def _first_events() -> _Entries:
    return {
        key: {**entry, "attendees": list(ATTENDEES.get(key, ())), "cancelled": False}
        for key, entry in EVENTS.items()
    }


def _first_tickets() -> _Entries:
    return {key: dict(entry) for key, entry in TICKETS.items()}


def _first_files() -> _Entries:
    return {path: {"text": text, "deleted": False} for path, text in FILES.items()}


@dataclass
class Office:
    """The office between two calls; it lives as long as one conversation is replayed.

    What is cancelled or deleted stays, marked, so that a state can say that it is gone.
    """

    events: _Entries = field(default_factory=_first_events)
    tickets: _Entries = field(default_factory=_first_tickets)
    files: _Entries = field(default_factory=_first_files)
    sent: list[dict[str, str]] = field(default_factory=list)

    def calendar(self) -> _Entries:
        """Return the events that are not cancelled."""
        return {key: entry for key, entry in self.events.items() if not entry["cancelled"]}

    def folder(self) -> dict[str, str]:
        """Return the texts of the files that are not deleted, by path."""
        return {path: entry["text"] for path, entry in self.files.items() if not entry["deleted"]}

    def add_event(self, entry: dict[str, Any]) -> str:
        """Put an event into the calendar and return its id."""
        event_id = f"EV-{_FIRST_NEW_EVENT + len(self.events) - len(EVENTS)}"
        self.events[event_id] = {"attendees": [], **entry, "cancelled": False}
        return event_id

    def add_ticket(self, entry: dict[str, Any]) -> str:
        """Open a ticket and return its id."""
        ticket_id = f"TK-{_FIRST_NEW_TICKET + len(self.tickets) - len(TICKETS)}"
        self.tickets[ticket_id] = {**entry, "status": "open", "assignee": ""}
        return ticket_id

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain data.

        ``changed`` counts the entries that are not as they were at the beginning: an expectation says with
        it that nothing else was touched.
        """
        changed = {
            "events": _differing(self.events, _first_events()),
            "tickets": _differing(self.tickets, _first_tickets()),
            "files": _differing(self.files, _first_files()),
            "sent": len(self.sent),
        }
        return {
            "events": self.events,
            "tickets": self.tickets,
            "files": self.files,
            "sent": self.sent,
            "changed": changed,
        }


def _differing(now: Mapping[str, object], before: Mapping[str, object]) -> int:
    return sum(before.get(key) != entry for key, entry in now.items())
