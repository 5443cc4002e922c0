"""Switches: how they are written, which protocol can have them, and when they strike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.emulation import (
    CATALOGUE,
    NOT_ON_THE_WIRE,
    EventLog,
    FaultError,
    Part,
    Switchboard,
    Where,
    parse_fault,
    possible_faults,
)

EVERY = frozenset(Part)


def board() -> Switchboard:
    return Switchboard(EVERY, EventLog(lambda: 0))


def test_every_fault_row_that_a_protocol_can_have_is_a_switch_and_the_others_say_why_not() -> None:
    rows = {kind.row for kind in CATALOGUE.values()}
    wanted = {f"F{number:02d}" for number in (*range(1, 21), *range(36, 41))}
    assert wanted - rows == set(NOT_ON_THE_WIRE)
    assert all(NOT_ON_THE_WIRE.values())


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_switch_can_be_written_by_its_name_alone_and_with_its_default(name: str) -> None:
    fault = parse_fault(name, EVERY)
    assert (fault.kind.name, fault.skip, fault.times) == (name, 0, CATALOGUE[name].times)
    if fault.value:
        assert parse_fault(f"{name}={fault.value}", EVERY) == fault


def test_a_switch_is_read_in_all_its_parts() -> None:
    fault = parse_fault("error-after=503,7/query@2*3", EVERY)
    assert fault.status == (503, 7)
    assert (fault.where, fault.skip, fault.times) == (frozenset({Where.QUERY}), 2, 3)
    assert parse_fault("cut=37*always", EVERY).times is None
    assert parse_fault("clock-skew=-1.5", EVERY).seconds == -1.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no such", "expected NAME"),
        ("cur=3", "there is no such fault; there are "),
        ("cut=0", "expected a whole number"),
        ("cut=x", "expected a whole number"),
        ("delay=-1", "expected a number of seconds"),
        ("delay=nan", "expected a number of seconds"),
        ("reset=maybe", "expected before, after as its value, got 'maybe'"),
        ("error-after=99", "expected an HTTP status"),
        ("mute=3", "expected nothing"),
        ("cut/moon", "expected command, query, stream, token after the slash, got 'moon'"),
        ("slice/query", "expected stream after the slash"),
        ("mute/stream", "expected no place of its own after the slash"),
    ],
)
def test_a_switch_that_cannot_be_is_refused_with_what_was_expected(text: str, said: str) -> None:
    with pytest.raises(FaultError) as caught:
        parse_fault(text, EVERY)
    assert said in str(caught.value)
    assert caught.value.text == text
    assert "nothing was switched on" in str(caught.value)


def test_a_protocol_refuses_the_faults_of_parts_that_it_lacks() -> None:
    with pytest.raises(FaultError, match="this protocol has no tickets"):
        parse_fault("ticket=5", EVERY - {Part.TICKETS})
    assert "ticket" not in possible_faults(EVERY - {Part.TICKETS})


@given(st.text(max_size=40))
def test_any_text_is_a_switch_or_a_typed_error(text: str) -> None:
    try:
        fault = parse_fault(text, EVERY)
    except FaultError as error:
        assert error.text == text  # noqa: PT017 - it may be raised, or not
    else:
        assert fault.kind.name in CATALOGUE


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 20))
def test_a_switch_skips_strikes_and_rests(skip: int, times: int, chances: int) -> None:
    switches = board()
    switches.on(f"cut@{skip}*{times}")
    struck = [switches.strikes("cut", Where.COMMAND) is not None for _ in range(chances)]
    assert struck == [skip <= number < skip + times for number in range(chances)]
    assert switches.struck == {"cut": sum(struck)}


def test_a_request_of_another_class_is_no_chance() -> None:
    switches = board()
    switches.on("cut=5/query")
    assert switches.strikes("cut", Where.COMMAND) is None
    assert switches.strikes("cut", Where.QUERY) is not None
    assert switches.strikes("cut", Where.QUERY) is None


def test_a_switch_that_is_off_does_not_strike() -> None:
    switches = board()
    switches.on("mute")
    assert switches.state("mute") is not None
    switches.off("mute")
    assert switches.state("mute") is None
    assert switches.strikes("mute") is None
