"""What the simulated office holds before anybody calls a tool."""

from __future__ import annotations

from typing import Any

TODAY = "2026-03-02"
FORECAST_ENDS = "2026-03-15"

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
    {
        "name": "Marek Novak",
        "email": "marek.novak@example.org",
        "phone": "+351 210 000 109",
        "team": "Engineering",
    },
    {
        "name": "Marek Zelenka",
        "email": "marek.zelenka@example.org",
        "phone": "+351 210 000 110",
        "team": "Sales",
    },
    {
        "name": "Yuki Tanaka",
        "email": "yuki.tanaka@example.org",
        "phone": "+351 210 000 111",
        "team": "Support",
    },
    {
        "name": "Elena Petrova",
        "email": "elena.petrova@example.org",
        "phone": "+351 210 000 112",
        "team": "Legal",
    },
    {
        "name": "Hana Kim",
        "email": "hana.kim@example.org",
        "phone": "+351 210 000 113",
        "team": "Reception",
    },
)

EVENTS: dict[str, dict[str, Any]] = {
    "EV-101": {"title": "Team stand-up", "date": "2026-03-02", "start": "09:30", "minutes": 30},
    "EV-102": {"title": "Dentist", "date": "2026-03-03", "start": "11:00", "minutes": 60},
    "EV-103": {"title": "Budget review", "date": "2026-03-03", "start": "15:00", "minutes": 45},
    "EV-104": {"title": "Design critique", "date": "2026-03-04", "start": "10:00", "minutes": 60},
    "EV-105": {"title": "Interview with Mr Bauer", "date": "2026-03-05", "start": "14:00", "minutes": 30},
    "EV-106": {"title": "Quarterly meeting", "date": "2026-03-06", "start": "16:00", "minutes": 60},
    "EV-107": {"title": "Team stand-up", "date": "2026-03-09", "start": "09:30", "minutes": 30},
    "EV-108": {"title": "One-on-one with Liu", "date": "2026-03-09", "start": "10:00", "minutes": 30},
    "EV-109": {"title": "Supplier call", "date": "2026-03-10", "start": "14:00", "minutes": 45},
    "EV-110": {"title": "First aid training", "date": "2026-03-11", "start": "13:00", "minutes": 120},
    "EV-111": {"title": "Piano lesson", "date": "2026-03-13", "start": "17:30", "minutes": 45},
    "EV-112": {"title": "Board preparation", "date": "2026-03-16", "start": "09:00", "minutes": 60},
    "EV-113": {"title": "Board meeting", "date": "2026-03-16", "start": "11:00", "minutes": 120},
    "EV-114": {"title": "Vendor demo", "date": "2026-03-17", "start": "10:00", "minutes": 60},
    "EV-115": {"title": "Vendor demo", "date": "2026-03-17", "start": "15:00", "minutes": 60},
    "EV-116": {"title": "Car inspection", "date": "2026-03-18", "start": "08:00", "minutes": 60},
    "EV-117": {"title": "Farewell lunch", "date": "2026-03-19", "start": "12:00", "minutes": 90},
}

ATTENDEES: dict[str, tuple[str, ...]] = {
    "EV-104": ("ines.duarte@example.org", "liu.chen@example.org"),
    "EV-108": ("liu.chen@example.org",),
    "EV-112": ("jonas.weber@example.org", "sofia.lindqvist@example.org"),
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
    {
        "from": "elena.petrova@example.org",
        "date": "2026-03-01",
        "subject": "Farewell lunch",
        "body": "My farewell lunch is on 19 March 2026 at 12:00. Please bring a story.",
    },
    {
        "from": "marek.novak@example.org",
        "date": "2026-02-28",
        "subject": "Deployment window",
        "body": "The deployment window is 17 March 2026, 20:00 to 22:00. Its ticket is TK-313.",
    },
    {
        "from": "yuki.tanaka@example.org",
        "date": "2026-03-01",
        "subject": "Harlow Foods",
        "body": "Harlow Foods still waits for a refund of 380 euros; the case is HF-77.",
    },
    {
        "from": "hana.kim@example.org",
        "date": "2026-02-27",
        "subject": "Visitor badges",
        "body": "I need the names of your visitors of 10 March by noon of the day before.",
    },
    {
        "from": "tom.baker@example.org",
        "date": "2026-02-26",
        "subject": "Heating in room 3.07",
        "body": "The heating is repaired on 6 March 2026 from 08:00 to 12:00.",
    },
    {
        "from": "jonas.weber@example.org",
        "date": "2026-02-20",
        "subject": "Invoice 4402",
        "body": "Invoice 4402 over 980 euros was paid on 18 February 2026.",
    },
    {
        "from": "liu.chen@example.org",
        "date": "2026-02-28",
        "subject": "Load test",
        "body": "The load test is done; the results are in reports/load_test.txt.",
    },
    {
        "from": "sofia.lindqvist@example.org",
        "date": "2026-02-27",
        "subject": "Contract with Nordlicht",
        "body": "It ends on 31 May 2026. Notice has to be given by 10 March 2026.",
    },
)

FILES: dict[str, str] = {
    "drafts/newsletter.txt": "Spring newsletter, second draft. Still missing: the date of the summer party.",
    "drafts/newsletter_old.txt": "Spring newsletter, first draft. Replaced by the second draft.",
    "lists/inventory.txt": "Chairs 40, desks 22, projectors 3, whiteboards 6.",
    "lists/lunch.txt": "Monday soup, Tuesday pasta, Wednesday curry, Thursday salad, Friday fish.",
    "notes/ideas.txt": "A shorter stand-up. Plants for room 3.07. A reading club on Thursdays.",
    "notes/old_ideas.txt": "A table football. Bicycle racks.",
    "notes/offsite.txt": "The offsite is on 18 June 2026 in Ljubljana. Noor Haddad takes care of the rooms.",
    "notes/planning.txt": "Launch: 9 April 2026 at 10:00. Owner: Liu Chen.",
    "policies/holidays.txt": "More than ten days need four weeks of notice. Requests go to Elena Petrova.",
    "policies/remote_work.txt": "Up to three days a week. Core hours: 10:00 to 15:00.",
    "policies/travel.txt": "Flights above 600 euros need the approval of Sofia Lindqvist.",
    "projects/aurora/readme.txt": "Led by Marek Novak. Budget 42,000 euros. The open ticket is TK-314.",
    "projects/aurora/risks.txt": "Highest risk: the supplier Kestrel delivers late. Owner: Yuki Tanaka.",
    "projects/harbour/readme.txt": "The harbour project is led by Ines Duarte. Its open ticket is TK-310.",
    "reports/fourth_quarter.txt": "Revenue 418,000 euros, costs 305,000 euros. Author: Jonas Weber.",
    "reports/load_test.txt": "1,900 users, median answer 240 milliseconds, 0.2 percent errors.",
    "tmp/export_a.csv": "day,visits\n1,204\n2,198",
    "tmp/export_b.csv": "day,orders\n1,17\n2,21",
    "tmp/export_c.csv": "day,returns\n1,2\n2,0",
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
    "TK-313": {
        "title": "Deploy release 2.4",
        "priority": "normal",
        "status": "waiting",
        "assignee": "Marek Novak",
    },
    "TK-314": {
        "title": "Aurora sensor reads zero",
        "priority": "high",
        "status": "open",
        "assignee": "Liu Chen",
    },
    "TK-315": {
        "title": "New badge for Hana",
        "priority": "low",
        "status": "open",
        "assignee": "Tom Baker",
    },
    "TK-316": {
        "title": "VPN drops every hour",
        "priority": "normal",
        "status": "open",
        "assignee": "Noor Haddad",
    },
    "TK-317": {
        "title": "VPN drops every hour",
        "priority": "normal",
        "status": "open",
        "assignee": "",
    },
    "TK-318": {
        "title": "Heating in room 3.07",
        "priority": "high",
        "status": "in_progress",
        "assignee": "Tom Baker",
    },
}

WEATHER: dict[str, dict[str, Any]] = {
    "Hamburg": {"sky": "rain", "celsius": 6},
    "Ljubljana": {"sky": "sunshine", "celsius": 11},
    "Lisbon": {"sky": "clouds", "celsius": 16},
    "Oslo": {"sky": "snow", "celsius": -4},
    "Porto": {"sky": "rain", "celsius": 14},
    "Stockholm": {"sky": "snow", "celsius": -2},
    "Vienna": {"sky": "wind", "celsius": 9},
}
