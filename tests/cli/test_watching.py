"""The live view of a cycle: from a recorded list of events to what is shown."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest

from harnesslib.cli import output
from harnesslib.cli.watching import (
    Watched,
    counts,
    drops,
    duration,
    follow,
    headline,
    plain_lines,
    seconds_left,
    table_rows,
)
from harnesslib.executors.watch import Progress
from harnesslib.records import Event, Sample, Standing
from harnesslib.testing import FakeClock, MemoryEvents

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def arm(phase: str, model: str, passes: int, calls: int) -> Standing:
    return Standing(phase=phase, model=model, spec_id=f"{model}/{phase}/1", passes=passes, calls=calls)


def event(second: float, state: str, message: str = "", **facts: object) -> Event:
    return Event(time=START + timedelta(seconds=second), state=state, message=message, **facts)


RECORDED = (
    event(0, "plan", "who is measured against whom"),
    event(1, "plan", "tried two cycles ago", dropped="twin in atomic"),
    event(2, "selection", "a first look at every candidate"),
    event(2, "screen", "0 of 100 samples", done=0, total=100, requests=0, cost=0.0),
    event(
        12,
        "screen",
        "50 of 100 samples",
        done=50,
        total=100,
        requests=80,
        cost=0.25,
        standings=(arm("atomic", "old", 6, 10), arm("atomic", "new", 9, 10), arm("extended", "old", 1, 4)),
    ),
    event(22, "screen", "100 of 100 samples", done=100, total=100, requests=160, cost=0.5),
    event(22, "screen", "no headroom left", dropped="eager in atomic"),
    event(23, "confirm", "fresh calls for the leaders", round=1, rounds=5),
    event(24, "confirm", "10 of 40 samples", done=10, total=40, requests=170, cost=0.6),
    event(30, "summary", "samples to numbers"),
    event(31, "confirm", "fresh calls for the leaders"),
    event(32, "decisions", "every gate"),
)


def after(number: int) -> Watched:
    known = Watched()
    for one in RECORDED[:number]:
        known = follow(known, one)
    return known


def test_the_steps_are_named_once_and_the_last_is_the_present_one():
    assert "starting …" == headline(Watched())
    assert "plan ✓  screen …" == headline(after(4))
    assert "plan ✓  screen ✓  confirm ✓  decide …" == headline(after(len(RECORDED)))


def test_the_counts_say_how_much_what_it_took_and_how_long_it_takes():
    assert "3 specs, 50 of 100 samples, 80 calls, cost 0.2500, about 10 s left" == counts(after(5))
    assert "3 specs, 100 of 100 samples, 160 calls, cost 0.5000" == counts(after(6))


def test_rounds_are_said_where_there_are_any():
    assert "round 1 of 5" in counts(after(9))
    assert "round" not in counts(after(10))


def test_the_time_left_is_not_guessed_from_nothing():
    assert seconds_left(after(4)) is None
    assert 10.0 == seconds_left(after(5))
    assert seconds_left(after(9)) is None


def test_who_is_in_front_stands_first():
    assert (("atomic", "new", "90% of 10", "old 60%"), ("extended", "old", "25% of 4", "")) == table_rows(
        after(5)
    )


def test_an_arm_without_a_sample_that_counts_is_not_divided_by_zero():
    known = follow(Watched(), event(0, "screen", standings=(arm("p", "m", 0, 0),)))
    assert (("p", "m", "0% of 0", ""),) == table_rows(known)


def test_what_was_dropped_says_why_and_only_the_newest_are_shown():
    assert ("twin in atomic: tried two cycles ago", "eager in atomic: no headroom left") == drops(after(9))
    known = Watched(dropped=tuple("abcdefg"))
    assert ("2 dropped earlier", "c", "d", "e", "f", "g") == drops(known)


def test_a_log_has_a_line_for_what_is_new_and_the_counts_at_the_end_of_a_step():
    lines, known = [], Watched()
    for one in RECORDED:
        before, known = known, follow(known, one)
        lines += plain_lines(before, known, one)
    assert [
        "03:04:05 plan: who is measured against whom",
        "03:04:06 plan: dropped twin in atomic: tried two cycles ago",
        "03:04:07 selection: a first look at every candidate",
        "03:04:27 screen: dropped eager in atomic: no headroom left",
        "03:04:28 screen: 3 specs, 100 of 100 samples, 160 calls, cost 0.5000",
        "  atomic: new in front, 90% of 10; old 60%",
        "  extended: old in front, 25% of 4",
        "03:04:28 confirm: fresh calls for the leaders",
    ] == lines[:8]


@pytest.mark.parametrize("width", [80, 120])
def test_the_picture_fits_the_terminal(width):
    from rich.console import Console

    text = io.StringIO()
    console = Console(file=text, width=width, color_system=None)
    console.print(output.picture(after(9)))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "plan ✓  screen ✓  confirm …" == lines[0]
    assert any(line.startswith("atomic") and "new" in line and "90% of 10" in line for line in lines)
    assert "dropped eager in atomic: no headroom left" in text.getvalue()


def test_model_names_are_no_markup():
    from rich.console import Console

    text = io.StringIO()
    known = follow(Watched(), event(0, "screen", "[red]x", standings=(arm("p", "[bold]m", 1, 2),)))
    Console(file=text, width=80, color_system=None).print(output.picture(known))
    assert "[bold]m" in text.getvalue()
    assert "[red]x" in text.getvalue()


def test_quiet_says_nothing(capsys):
    with output.progress(lambda _: (RECORDED, 1), "starting", quiet=True):
        pass
    assert ("", "") == capsys.readouterr()


def test_without_a_terminal_there_are_plain_lines(capsys):
    sent = [False]

    def read(offset: int) -> tuple[tuple[Event, ...], int]:
        found = () if sent[0] else RECORDED
        sent[0] = True
        return found, offset

    with output.progress(read, "starting", quiet=False):
        pass
    said = capsys.readouterr().err.splitlines()
    assert ["starting", "03:04:05 plan: who is measured against whom"] == said[:2]
    assert [] == [line for line in said if "\x1b" in line]


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s")])
def test_times_are_short(seconds, words):
    assert words == duration(seconds)


def sample(number: int, *, model: str = "m", outcome: str = "pass", session: int = 0) -> Sample:
    names = dict.fromkeys(("model", "requested_model", "served_model"), model)
    return Sample(
        run_id="r",
        stage="screen",
        spec_id=f"{model}/p/1",
        phase="p",
        case_id=f"c{number}",
        skill="s",
        wants_call=True,
        repeat=0,
        seed=1,
        position=number,
        started_at=START,
        outcome=outcome,  # type: ignore[arg-type]
        detail="",
        session=session,
        requests=2,
        cost=0.5,
        **names,
    )


def test_a_measurement_tells_how_its_arms_stand_and_what_the_run_has_used():
    events, clock = MemoryEvents(), FakeClock()
    before = (sample(1), sample(2, outcome="wrong"), sample(3))
    progress = Progress(events, clock, state="screen", taken=before)
    progress.expect(4, before[:2])
    progress.step(sample(4, outcome="infra_error"))
    progress.step(sample(5, session=1))
    assert ("screen", "4 of 4 samples", 4, 4) == events.said[-1]
    last = events.facts[-1]
    assert (10, 2.5) == (last["requests"], last["cost"])
    assert [("m", 1, 2)] == [(arm.model, arm.passes, arm.calls) for arm in last["standings"]]
