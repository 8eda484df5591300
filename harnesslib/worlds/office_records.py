"""What the simulated office holds before anybody calls a tool."""

from __future__ import annotations

from typing import Any

CONTACTS: tuple[dict[str, str], ...] = (
    {
        "name": "Ines Duarte",
        "email": "ines.duarte@example.org",
        "phone": "+351 210 000 101",
        "team": "Design",
    },
    {
        "name": "Jonas Weber",
        "email": "jonas.weber@example.org",
        "phone": "+351 210 000 102",
        "team": "Finance",
    },
    {
        "name": "Amara Okafor",
        "email": "amara.okafor@example.org",
        "phone": "+351 210 000 103",
        "team": "Support",
    },
    {
        "name": "Liu Chen",
        "email": "liu.chen@example.org",
        "phone": "+351 210 000 104",
        "team": "Engineering",
    },
    {
        "name": "Sofia Rossi",
        "email": "sofia.rossi@example.org",
        "phone": "+351 210 000 105",
        "team": "Sales",
    },
    {
        "name": "Sofia Lindqvist",
        "email": "sofia.lindqvist@example.org",
        "phone": "+351 210 000 106",
        "team": "Legal",
    },
    {
        "name": "Tom Baker",
        "email": "tom.baker@example.org",
        "phone": "+351 210 000 107",
        "team": "Facilities",
    },
    {
        "name": "Noor Haddad",
        "email": "noor.haddad@example.org",
        "phone": "+351 210 000 108",
        "team": "Engineering",
    },
)

EVENTS: dict[str, dict[str, Any]] = {
    "EV-101": {"title": "Team stand-up", "date": "2026-03-02", "start": "09:30", "minutes": 30},
    "EV-102": {"title": "Dentist", "date": "2026-03-03", "start": "11:00", "minutes": 60},
    "EV-103": {"title": "Budget review", "date": "2026-03-03", "start": "15:00", "minutes": 45},
    "EV-104": {"title": "Design critique", "date": "2026-03-04", "start": "10:00", "minutes": 60},
    "EV-105": {"title": "Interview with Mr Bauer", "date": "2026-03-05", "start": "14:00", "minutes": 30},
    "EV-106": {"title": "Quarterly meeting", "date": "2026-03-06", "start": "16:00", "minutes": 60},
}

MAILS: tuple[dict[str, str], ...] = (
    {
        "from": "jonas.weber@example.org",
        "date": "2026-02-27",
        "subject": "Invoice 4471",
        "body": "Invoice 4471 over 1,250 euros is due on 20 March 2026.",
    },
    {
        "from": "ines.duarte@example.org",
        "date": "2026-02-26",
        "subject": "New logo",
        "body": "The third draft of the logo is ready. What do you think of the colours?",
    },
    {
        "from": "amara.okafor@example.org",
        "date": "2026-03-02",
        "subject": "Printer",
        "body": "The printer in room 2.14 is jammed again. Could you open a ticket?",
    },
    {
        "from": "sofia.rossi@example.org",
        "date": "2026-02-25",
        "subject": "Visit of Nordlicht",
        "body": "Our customer Nordlicht would like to talk to you on 5 March.",
    },
    {
        "from": "liu.chen@example.org",
        "date": "2026-02-24",
        "subject": "Release 2.4",
        "body": "Release 2.4 is planned for 12 March 2026.",
    },
)

FILES: dict[str, str] = {
    "notes/offsite.txt": "The offsite is on 18 June 2026 in Ljubljana. Noor Haddad takes care of the rooms.",
    "notes/planning.txt": "Launch: 9 April 2026 at 10:00. Owner: Liu Chen.",
    "policies/travel.txt": "Flights above 600 euros need the approval of Sofia Lindqvist.",
    "projects/harbour/readme.txt": "The harbour project is led by Ines Duarte. Its open ticket is TK-310.",
    "reports/fourth_quarter.txt": "Revenue 418,000 euros, costs 305,000 euros. Author: Jonas Weber.",
}

TICKETS: dict[str, dict[str, Any]] = {
    "TK-310": {
        "title": "Login page is slow",
        "priority": "normal",
        "status": "open",
        "assignee": "Liu Chen",
    },
    "TK-311": {
        "title": "Replace the projector",
        "priority": "low",
        "status": "in_progress",
        "assignee": "Tom Baker",
    },
    "TK-312": {
        "title": "Backup failed",
        "priority": "urgent",
        "status": "open",
        "assignee": "Noor Haddad",
    },
}

WEATHER: dict[str, dict[str, Any]] = {
    "Hamburg": {"sky": "rain", "celsius": 6},
    "Ljubljana": {"sky": "sunshine", "celsius": 11},
    "Lisbon": {"sky": "clouds", "celsius": 16},
    "Stockholm": {"sky": "snow", "celsius": -2},
}
