from __future__ import annotations

import pytest

from harnesslib.simulator.loading import Residence, parse_keep_alive


def test_a_model_is_unloaded_until_the_first_request_and_loads_once():
    residence = Residence(load_s=2, keep_alive_s=10)
    assert residence.state(0) == "unloaded"
    assert residence.load(5) == 2
    assert residence.state(6) == "loading"
    assert residence.load(6.5) == 0.5
    assert residence.state(7) == "loaded"
    assert residence.load(8) == 0


def test_a_model_that_loads_in_no_time_is_ready_at_once():
    residence = Residence(load_s=0, keep_alive_s=10)
    assert residence.load(3) == 0
    assert residence.state(3) == "loaded"


def test_a_model_goes_when_nobody_asked_for_the_keep_alive_and_not_while_somebody_waits():
    residence = Residence(load_s=2, keep_alive_s=10)
    residence.load(0)
    residence.begin()
    assert residence.state(100) == "loaded"
    residence.end(100)
    assert residence.expires_in_s(103) == 7
    assert residence.state(110) == "loaded"
    assert residence.state(110.1) == "unloaded"
    assert residence.load(111) == 2


def test_a_load_that_nobody_waits_for_is_kept_from_its_end_on():
    residence = Residence(load_s=2, keep_alive_s=1)
    residence.load(0)
    assert residence.state(3) == "loaded"
    assert residence.state(3.1) == "unloaded"


def test_keep_alive_zero_unloads_at_once_and_negative_keeps_for_good():
    residence = Residence(load_s=1, keep_alive_s=10)
    residence.load(0)
    residence.keep(0)
    assert residence.state(2) == "unloaded"
    residence.load(3)
    residence.keep(-1)
    assert residence.state(1e9) == "loaded"
    assert residence.expires_in_s(1e9) is None


def test_the_wish_of_one_request_does_not_outlive_the_next():
    residence = Residence(load_s=0, keep_alive_s=10)
    for keep_alive_s, lasts in ((100, True), (None, False)):
        residence.load(0)
        residence.begin()
        residence.end(0, keep_alive_s)
        assert lasts == (residence.state(50) == "loaded")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (0, 0),
        (2.5, 2.5),
        ("5m", 300),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("-1", -1),
        ("-1m", -60),
        ("0", 0),
    ],
)
def test_keep_alive_is_read_in_all_its_forms(value, expected):
    assert expected == parse_keep_alive(value)


@pytest.mark.parametrize("value", ["", "soon", "5 minutes", "m", "5mx"])
def test_keep_alive_that_is_no_duration_is_refused(value):
    with pytest.raises(ValueError, match="could not convert"):
        parse_keep_alive(value)
