"""The office answers as a pure function of the calls so far, and turns every bad call into an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harnesslib.records import Call, encode
from harnesslib.suites import load_suite
from harnesslib.worlds import respond, state
from harnesslib.worlds.office_tools import TOOLS as OFFICE_TOOLS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ARGUMENT_NAMES = sorted({name for _, needed, optional in OFFICE_TOOLS.values() for name in needed | optional})
CALLS = st.builds(
    Call,
    name=st.sampled_from(sorted(OFFICE_TOOLS)) | st.text(max_size=5),
    arguments=st.dictionaries(
        st.sampled_from(ARGUMENT_NAMES) | st.text(max_size=3),
        JSON
        | st.sampled_from(
            ["2026-03-03", "11:00", "EV-102", "TK-310", "high", "closed", "a@b", "Hamburg", 30]
        ),
        max_size=5,
    ),
)


def call(name: str, /, **arguments: Any) -> Call:
    return Call(name=name, arguments=arguments)


def meeting(start: str, **changes: Any) -> Call:
    return call(
        "create_event", **({"title": "M", "date": "2026-03-09", "start": start, "minutes": 60} | changes)
    )


def after(*calls: Call) -> dict[str, Any]:
    """Return the answer to the last call, after the others."""
    return respond("office", calls[:-1], calls[-1])


# ------------------------------------------------------------------------------------------- in general


@settings(deadline=None)
@given(st.lists(CALLS, max_size=5), CALLS)
def test_no_call_makes_the_office_raise_and_the_same_calls_get_the_same_answer(so_far, last):
    answer = respond("office", so_far, last)
    assert encode(answer) == encode(respond("office", so_far, last))


@settings(deadline=None)
@given(st.lists(CALLS, max_size=6))
def test_the_state_is_json_and_counts_at_most_one_change_per_call(calls):
    found = state("office", calls)
    assert encode(found) == encode(state("office", calls))
    assert sum(found["changed"].values()) <= len(calls)


def test_a_call_that_failed_or_only_looked_changes_nothing():
    looked = [
        call("find_contact", name="Ines"),
        call("list_events", date="2026-03-03"),
        call("search_mail", text="printer"),
        call("search_files", text="launch"),
        call("read_file", path="notes/planning.txt"),
        call("search_tickets", text="open"),
        call("get_ticket", ticket_id="TK-310"),
        call("get_weather", city="Hamburg", date="2026-03-05"),
    ]
    failed = [
        call("cancel_event", event_id="EV-999"),
        call("move_event", event_id="EV-102", start="15:00"),
        call("delete_file", path="notes/none.txt"),
        call("write_file", path="notes/ideas.txt", text="New."),
        call("update_ticket", ticket_id="TK-310"),
        call("update_ticket", ticket_id="TK-310", assignee="Tom", status="closed"),
        call("send_mail", to="Tom", subject="s", body="b"),
        call("fly"),
    ]
    assert state("office", []) == state("office", [*looked, *failed])
    assert set(state("office", [])["changed"].values()) == {0}


def test_a_world_without_things_has_no_state():
    assert state("", [call("anything")]) == {}
    assert state("moon", []) == {}


def test_a_tool_of_no_world_is_acknowledged_whatever_it_is():
    assert respond("", [], call("anything", x=[1]))["ok"] is True


def test_an_unknown_world_is_an_error():
    assert respond("moon", [], call("find_contact", name="Ines")) == {"error": "there is no world 'moon'"}


def test_an_unknown_tool_is_an_error_that_names_the_known_ones():
    assert "there is no tool 'fly'; there are find_contact" in after(call("fly"))["error"]


def test_the_office_has_exactly_the_tools_and_arguments_of_the_extended_suite(tmp_path):
    declared = {
        tool.name: (set(tool.parameters["required"]), set(tool.parameters["properties"]))
        for tool in load_suite("extended", root=tmp_path).tools
    }
    actual = {
        name: (set(needed), set(needed | optional)) for name, (_, needed, optional) in OFFICE_TOOLS.items()
    }
    assert declared == actual


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (call("find_contact"), "name is missing"),
        (call("find_contact", name=" "), "name doesn't fit, expected some text"),
        (call("find_contact", name="Ines", team="Design"), "there is no argument 'team'; there are name"),
        (call("list_events", date="2026-02-30"), "expected a day as YYYY-MM-DD"),
        (call("list_events", date="20260302"), "expected a day as YYYY-MM-DD"),
        (meeting("24:00"), "expected a time as HH:MM"),
        (meeting("9:00"), "expected a time as HH:MM"),
        (meeting("09:00", minutes=True), "a whole number from 5 to 720"),
        (meeting("09:00", minutes=7.5), "a whole number from 5 to 720"),
        (meeting("09:00", minutes=10**400), "a whole number from 5 to 720"),
        (meeting("09:00", minutes=float("nan")), "a whole number from 5 to 720"),
        (meeting("09:00", attendees=["Jonas Weber"]), "a list of mail addresses"),
        (call("send_mail", to="Jonas", subject="s", body="b"), "expected a mail address"),
        (call("create_ticket", title="t", priority="High"), "one of low, normal, high, urgent"),
        (call("update_ticket", ticket_id="TK-310", status=[]), "one of open, in_progress, waiting, closed"),
        (call("update_ticket", ticket_id="TK-310"), "nothing to change"),
        (call("update_ticket", ticket_id="TK-999", status="open"), "there is no ticket 'TK-999'"),
        (call("get_ticket", ticket_id="TK-" + "9" * 500), "...'"),
        (call("cancel_event", event_id="EV-999"), "there is no event 'EV-999'"),
        (call("read_file", path="notes/none.txt"), "there is no file 'notes/none.txt'"),
        (call("move_event", event_id="EV-999", start="10:00"), "there is no event 'EV-999'"),
        (call("move_event", event_id="EV-102"), "nowhere to move it"),
        (call("move_event", event_id="EV-102", start="15:30"), "15:00 for 45 minutes is taken by 'Budget"),
        (call("write_file", path="notes/ideas.txt", text="x"), "there is already a file 'notes/ideas.txt'"),
        (call("write_file", path="a.txt", text="x", overwrite="yes"), "expected true or false"),
        (call("delete_file", path="notes/none.txt"), "there is no file 'notes/none.txt'"),
        (call("update_ticket", ticket_id="TK-310", assignee="Tom"), "nobody here has the full name 'Tom'"),
        (call("get_weather", city="Hamburg", date="2026-03-16"), "only from 2026-03-02 to 2026-03-15"),
        (call("get_weather", city="Atlantis", date="2026-03-03"), "there is no forecast for 'Atlantis'"),
    ],
)
def test_a_bad_call_gets_an_error_that_says_why(bad, words):
    assert words in after(bad)["error"]


# -------------------------------------------------------------------------------------------- the tools


@pytest.mark.parametrize(
    ("name", "emails"),
    [
        ("Sofia", ["sofia.rossi@example.org", "sofia.lindqvist@example.org"]),
        ("ines design", ["ines.duarte@example.org"]),
        ("HADDAD", ["noor.haddad@example.org"]),
        ("Nobody", []),
    ],
)
def test_contacts_are_found_by_all_words_whatever_the_case(name, emails):
    assert [entry["email"] for entry in after(call("find_contact", name=name))["contacts"]] == emails


def test_events_of_a_day_are_listed_earliest_first_new_ones_too():
    early = meeting("08:00", date="2026-03-03")
    events = after(early, call("list_events", date="2026-03-03"))["events"]
    assert [(event["event_id"], event["start"]) for event in events] == [
        ("EV-201", "08:00"),
        ("EV-102", "11:00"),
        ("EV-103", "15:00"),
    ]


def test_a_taken_time_is_refused_and_takes_no_number():
    first, clash, second = meeting("13:00"), meeting("13:30"), meeting("14:00", minutes=30.0)
    assert after(first) == {"event_id": "EV-201", "created": True}
    assert after(first, clash) == {"error": "13:00 for 60 minutes is taken by 'M'"}
    assert after(first, clash, second) == {"event_id": "EV-202", "created": True}


def test_a_cancelled_event_is_gone_and_its_time_is_free():
    cancel = call("cancel_event", event_id="EV-201")
    assert after(meeting("13:00"), cancel)["cancelled"] is True
    assert "error" in after(meeting("13:00"), cancel, cancel)
    assert after(meeting("13:00"), cancel, meeting("13:00"))["event_id"] == "EV-202"


def test_an_event_moves_to_another_time_or_day_and_may_overlap_its_old_time():
    later = call("move_event", event_id="EV-102", start="11:30")
    other_day = call("move_event", event_id=" EV-102 ", date="2026-03-12")
    assert after(later)["start"] == "11:30"
    moved = state("office", [later, other_day])["events"]["EV-102"]
    assert (moved["date"], moved["start"], moved["cancelled"]) == ("2026-03-12", "11:30", False)


def test_a_file_is_written_read_replaced_on_request_and_deleted():
    write = call("write_file", path="notes/new.txt", text="One. ")
    replace = call("write_file", path="notes/new.txt", text="Two.", overwrite=True)
    read, delete = call("read_file", path="notes/new.txt"), call("delete_file", path="notes/new.txt")
    assert after(write) == {"path": "notes/new.txt", "written": True, "replaced": False}
    assert after(write, read)["text"] == "One."
    assert "error" in after(write, write)
    assert after(write, replace)["replaced"] is True
    assert after(write, replace, read)["text"] == "Two."
    assert "error" in after(write, delete, read)
    assert "notes/new.txt" in after(write, call("search_files", text="new one"))["paths"]
    assert after(write, delete, call("search_files", text="new one")) == {"paths": []}


def test_tickets_are_found_by_all_that_stands_in_them():
    def found(text: str) -> list[str]:
        return [ticket["ticket_id"] for ticket in after(call("search_tickets", text=text))["tickets"]]

    assert found("vpn") == ["TK-316", "TK-317"]
    assert found("Tom in progress") == ["TK-311", "TK-318"]
    assert found("TK-312 urgent") == ["TK-312"]
    assert found("nothing like that") == []


def test_the_state_tells_what_is_gone_what_is_new_and_how_much_was_touched():
    calls = [
        meeting("13:00", title=" Roadmap ", minutes=30.0),
        call("cancel_event", event_id="EV-102"),
        call("delete_file", path="notes/ideas.txt"),
        call("update_ticket", ticket_id="TK-317", assignee="tom baker"),
        call("update_ticket", ticket_id="TK-317", status="in_progress"),
        call("send_mail", to="a@example.org", subject="s", body="b"),
    ]
    found = state("office", calls)
    assert found["changed"] == {"events": 2, "tickets": 1, "files": 1, "sent": 1}
    assert found["events"]["EV-102"]["cancelled"] is True
    assert found["events"]["EV-201"] == {
        "title": "Roadmap",
        "date": "2026-03-09",
        "start": "13:00",
        "minutes": 30,
        "attendees": [],
        "cancelled": False,
    }
    assert found["files"]["notes/ideas.txt"]["deleted"] is True
    assert (found["tickets"]["TK-317"]["assignee"], found["tickets"]["TK-317"]["status"]) == (
        "Tom Baker",
        "in_progress",
    )
    assert found["sent"] == [{"to": "a@example.org", "subject": "s", "body": "b"}]


def test_what_is_put_back_as_it_was_counts_as_unchanged():
    there = call("update_ticket", ticket_id="TK-311", priority="high")
    back = call("update_ticket", ticket_id="TK-311", priority="low")
    assert state("office", [there, back])["changed"]["tickets"] == 0


def test_mails_and_files_are_found_by_all_words():
    assert [mail["subject"] for mail in after(call("search_mail", text="release 2.4"))["mails"]] == [
        "Release 2.4"
    ]
    assert after(call("search_mail", text="release 9.9")) == {"mails": []}
    assert after(call("search_files", text="Lindqvist approval")) == {"paths": ["policies/travel.txt"]}


def test_sent_mails_are_counted():
    mail = call("send_mail", to="a@example.org", subject="s", body="b")
    assert after(mail, mail) == {"sent": True, "number": 2, "to": "a@example.org"}


def test_a_ticket_keeps_what_was_changed_and_only_that():
    create = call("create_ticket", title="Leak", priority="low")
    raise_it = call("update_ticket", ticket_id="TK-401", priority="high")
    show = call("get_ticket", ticket_id="TK-401")
    expected = {"ticket_id": "TK-401", "title": "Leak", "priority": "high", "status": "open", "assignee": ""}
    assert after(create) == {"ticket_id": "TK-401", "status": "open"}
    assert after(create, raise_it) == expected
    assert after(create, raise_it, show) == expected


def test_what_one_conversation_changes_no_other_one_sees():
    after(call("update_ticket", ticket_id="TK-310", status="closed"))
    assert after(call("get_ticket", ticket_id="TK-310"))["status"] == "open"


def test_the_forecast_is_the_same_for_each_spelling_of_the_city():
    assert after(call("get_weather", city=" hamburg", date="2026-03-03")) == {
        "city": "hamburg",
        "date": "2026-03-03",
        "sky": "rain",
        "celsius": 6,
    }
