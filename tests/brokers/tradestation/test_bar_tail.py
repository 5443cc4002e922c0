"""One series told exactly: every finished bar once and in order, whatever is cut off, lost, repeated or made up."""

import contextlib
import itertools
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.market import Bar, Interval
from brokers.tradestation.bar_tail import MARGIN_NS, OVERDUE_NS, REREAD, SPARE, BarTail
from brokers.tradestation.lines import GOODBYE
from brokers.tradestation.symbols import Names, tradestation_symbols
from brokers.tradestation.wire import BadPayload, stamp
from brokers.tradestation.wire_market import bar_stream_target
from config.instruments import shipped_instruments

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
NAMES = Names(tradestation_symbols(shipped_instruments()))
SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
NOON_NS = 1_764_590_400 * SECOND_NS  # 2025-12-01T12:00:00Z
HEARTBEAT = b'{"Heartbeat":1,"Timestamp":"2025-12-01T12:00:05Z"}'


def closing(minute: int) -> int:
    """When the bar of a minute after noon closes."""
    return NOON_NS + minute * MINUTE_NS


def line(minute: int, status: str = "Closed", **changed: Any) -> bytes:
    """A line about the bar of a minute after noon."""
    prices = dict.fromkeys(("Open", "High", "Low", "Close"), "6900.25")
    bar = {**prices, "TimeStamp": stamp(closing(minute)), "TotalVolume": "7", "TotalTicks": 3, "BarStatus": status}
    return json.dumps({**bar, **changed}).encode()


def tail_at(minute: int = 0) -> BarTail:
    return BarTail("ESZ25", Interval.parse("1m"), closing(minute))


def take(tail: BarTail, wire: bytes, minute: float = 5) -> Bar | str | None:
    return tail.take(wire, NAMES, NOON_NS + int(minute * MINUTE_NS))


def test_a_bar_is_told_when_it_has_closed_with_its_close_as_its_time() -> None:
    tail = tail_at()
    assert take(tail, line(1, "Open")) is None
    bar = take(tail, line(1, Close="6900.250"))
    price = Decimal("6900.25")
    interval = Interval.parse("1m")
    assert bar == Bar("ESZ25", interval, price, price, price, price, Decimal(7), closing(1), 3)


@pytest.mark.parametrize("status", ["Open", "", "closed", "Done"])
def test_nothing_but_the_word_closed_makes_a_bar_a_finished_one(status: str) -> None:
    assert take(tail_at(), line(1, status), 1) is None


def test_a_finished_bar_that_comes_again_or_from_before_the_subscription_is_not_told() -> None:
    tail = tail_at(2)
    assert take(tail, line(2)) is None
    assert isinstance(take(tail, line(3)), Bar)
    assert take(tail, line(3)) is None
    assert take(tail, line(1)) is None


@pytest.mark.parametrize("status", ["Open", "Closed"])
def test_a_bar_whose_end_was_never_told_is_asked_for_once_before_a_later_one_is_told(status: str) -> None:
    tail = tail_at()
    take(tail, line(1, "Open"))
    assert take(tail, line(2, status)) is REREAD
    tail.opened()
    assert isinstance(take(tail, line(1)), Bar)
    assert isinstance(take(tail, line(2)), Bar)


def test_a_bar_that_the_broker_does_not_know_any_more_is_asked_for_once_only() -> None:
    tail = tail_at()
    take(tail, line(1, "Open"))
    assert take(tail, line(2)) is REREAD
    assert take(tail, line(1, "Open")) is None
    assert isinstance(take(tail, line(2)), Bar)
    assert take(tail, line(3, "Open")) is None


def test_a_bar_whose_end_is_not_told_in_time_is_asked_for_once_though_nothing_trades() -> None:
    tail = tail_at()
    take(tail, line(1, "Open"))
    due = 1 + OVERDUE_NS / MINUTE_NS
    assert take(tail, HEARTBEAT, due) is None
    assert take(tail, HEARTBEAT, due + 0.01) is REREAD
    tail.opened()
    assert take(tail, line(1, "Open"), due + 0.1) is None
    assert take(tail, HEARTBEAT, due + 0.2) is None


def test_a_stream_that_opens_anew_owes_nothing_for_what_ran_before() -> None:
    tail = tail_at()
    take(tail, line(1, "Open"))
    tail.opened()
    assert take(tail, line(0), 9) is None
    assert isinstance(take(tail, line(3), 9), Bar)


def test_f39_a_finished_bar_that_cannot_be_is_asked_for_again() -> None:
    for lie in ({"High": "1"}, {"TotalVolume": "-1"}, {"Close": "NaN"}, {"Close": None}):
        tail = tail_at()
        with pytest.raises(BadPayload):
            take(tail, line(1, **lie))
        assert take(tail, line(2, "Open")) is REREAD
        assert isinstance(take(tail, line(1)), Bar)


def test_f39_a_finished_bar_of_the_future_is_none_and_holds_nothing_up() -> None:
    tail = tail_at()
    late = 1 + MARGIN_NS // MINUTE_NS
    with pytest.raises(BadPayload) as caught:
        take(tail, line(late), 0.9)
    assert caught.value.what == "bar"
    assert isinstance(take(tail, line(1), 1), Bar)


def test_words_of_control_end_the_stream_and_a_heartbeat_does_not() -> None:
    tail = tail_at()
    assert take(tail, HEARTBEAT) is None
    assert take(tail, b'{"Error":"GoAway","Message":"The server is about to shut down."}') == GOODBYE
    assert take(tail, b'{"Error":"Failed","Message":"RESET"}') == "Failed: RESET"


def test_more_bars_are_asked_for_than_can_have_closed_since_the_last_told_one() -> None:
    assert tail_at().missed(NOON_NS) == SPARE
    assert tail_at().missed(closing(-3)) == SPARE
    assert tail_at().missed(closing(90)) == 90 + SPARE
    assert bar_stream_target("@ES", Interval.parse("2h"), 7) == (
        "/v3/marketdata/stream/barcharts/@ES?unit=Minute&interval=120&barsback=7"
    )


@given(st.integers(0, len(line(1)) - 1))
def test_f02_a_finished_bar_that_is_cut_short_is_refused_and_not_told(length: int) -> None:
    tail = tail_at()
    with pytest.raises(BadPayload):
        take(tail, line(1)[:length])
    assert tail.told_ns == NOON_NS


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(msgspec.json.encode))
@settings(max_examples=200 * NIGHTLY)
def test_f36_bytes_of_any_kind_are_taken_or_refused(wire: bytes) -> None:
    with contextlib.suppress(BadPayload):
        take(tail_at(), wire)


def session(tail: BarTail, closed: list[int], now: int, data: st.DataObject) -> Iterator[tuple[int, bytes]]:
    """What a stream sends that opens when the bar of `now` has closed, each line with the bar that is then the last.

    History comes whole and every bar begins; its later lines may come twice or not at all.
    """
    tail.opened()
    for minute in [one for one in closed if one <= now][-tail.missed(closing(now)) :]:
        yield now, line(minute)
    for minute in [one for one in closed if one > now]:
        yield minute - 1, line(minute, "Open")
        for status in ("Open", "Closed"):
            for _ in range(data.draw(st.sampled_from((0, 1, 1, 2)))):
                yield minute - (status == "Open"), line(minute, status)


@given(st.data())
@settings(max_examples=100 * NIGHTLY, deadline=None)
def test_f01_f14_f17_every_finished_bar_is_told_once_in_order_though_lines_and_streams_are_lost(
    data: st.DataObject,
) -> None:
    closed = sorted(data.draw(st.sets(st.integers(1, 30), min_size=1)))
    now = begun = data.draw(st.integers(0, 10))
    tail, told = tail_at(begun), list[int]()
    while now < 30:
        cut = data.draw(st.integers(1, 40))
        for now, wire in itertools.islice(session(tail, closed, now, data), cut):  # noqa: B020  the next stream goes on
            found = take(tail, wire, now + 0.1)
            if found is REREAD:
                break
            told += [found.time_ns] if isinstance(found, Bar) else []
        else:
            now += 1
    for _, wire in session(tail, closed, now, data):
        found = take(tail, wire, now)
        told += [found.time_ns] if isinstance(found, Bar) else []
    assert told == [closing(one) for one in closed if one > begun]
