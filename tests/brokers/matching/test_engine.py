"""The engine from outside: time, identity, memory, bad data, and what may be asked of it."""

import os
import random
import subprocess
import sys
from decimal import Decimal

import attrs
import pytest

from brokers.instruments import Instrument, Kind
from brokers.market import Bar, Depth, Interval, Level, MarketEvent, MarketStatus, Quote, Trade
from brokers.matching import (
    BadMarketDataError,
    DuplicateKeys,
    Latency,
    MatchingEngine,
    Refusal,
    UnknownSymbolError,
    VenueRules,
)
from brokers.matching.events import Accepted, Filled, Rejected
from brokers.model import Liquidity, Order, OrderState
from brokers.sides import Side
from tests.brokers.matching.acts import Session, random_session
from tests.brokers.matching.play import ACCOUNT, SYMBOL, X, bought, buy, engine_with, play, quote, said, sold

D = Decimal
_STANDING = VenueRules(standing_ns=None)


def _quote(bid: object = 99, ask: object = 101, size: object = 10, symbol: str = SYMBOL) -> Quote:
    return Quote(symbol, D(str(bid)), D(str(ask)), D(str(size)), D(str(size)), 0)


# time


def test_an_account_sends_in_order_whatever_the_latencies_are() -> None:
    engine = engine_with(VenueRules(order_latency=Latency((0, 50, 100))))
    events = [engine.submit(ACCOUNT, bought(str(n), 1, limit=90), n) for n in range(50)]
    told = [event for batch in [*events, engine.advance(1000)] for event in batch]
    assert [event.key for event in told] == [str(n) for n in range(50)]
    assert len({event.time_ns for event in told}) > 1


def test_accounts_do_not_wait_for_each_other() -> None:
    engine = engine_with(VenueRules(order_latency=Latency((1, 100))))
    for n in range(30):
        engine.submit(f"account {n}", bought("a", 1, limit=90), 0)
    early, late = engine.advance(99), engine.advance(100)
    assert len(early) > 5
    assert len(late) > 5


def test_events_are_known_later_than_they_happen_and_in_their_order() -> None:
    engine = engine_with(VenueRules(ack_latency=Latency((1, 500))))
    events = play(engine, [quote(99, 101)] + [buy(str(n), 1, limit=90) for n in range(30)])
    known = [event.known_ns for event in events]
    assert known == sorted(known)
    assert all(event.known_ns > event.time_ns for event in events)
    assert len({event.known_ns - event.time_ns for event in events}) > 1


def test_next_due_tells_when_to_come_back() -> None:
    engine = engine_with(VenueRules(order_latency=Latency((10,))))
    due = [engine.next_due]
    assert engine.submit(ACCOUNT, bought("a", 1, limit=90, tif="gtd", expires_ns=500), 5) == ()
    due.append(engine.next_due)
    assert [said(event) for event in engine.advance(15)] == ["accepted a"]
    due.append(engine.next_due)
    assert [event.time_ns for event in engine.advance(900)] == [500]
    assert [*due, engine.next_due] == [None, 15, 500, None]


def test_a_clock_that_steps_back_delays_and_reorders_nothing() -> None:
    engine = engine_with(_STANDING)
    engine.quote(_quote(), 1000)
    events = engine.submit(ACCOUNT, bought("a", 1), 10)
    assert [said(event) for event in events] == ["accepted a", "filled a 1@101 taker displayed"]
    assert {event.time_ns for event in events} == {1000}


def test_the_layer_above_is_asked_at_arrival_and_not_before() -> None:
    asked: list[tuple[str, Order]] = []

    def admit(account: str, order: Order) -> Refusal | None:
        asked.append((account, order))
        return None

    engine = engine_with(VenueRules(order_latency=Latency((10,))), admit)
    order = bought("a", 1)
    engine.submit(ACCOUNT, order, 0)
    asked_before = len(asked)
    engine.advance(10)
    assert (asked_before, asked) == (0, [(ACCOUNT, order)])


# identity


def test_a_fill_says_whose_it_is() -> None:
    engine = engine_with(VenueRules(name="sim", standing_ns=None))
    engine.quote(_quote(), 7)
    accepted, filled = engine.submit(ACCOUNT, sold("a", 2), 9)
    assert isinstance(accepted, Accepted)
    assert isinstance(filled, Filled)
    fill = filled.fill
    assert (fill.broker, fill.account, fill.symbol, fill.order_key) == ("sim", ACCOUNT, SYMBOL, "a")
    assert fill.broker_order_id == accepted.order_id == filled.order_id
    assert (fill.side, fill.quantity, fill.price, fill.time_ns) == (Side.SELL, D(2), D(99), 9)
    assert fill.liquidity is Liquidity.TAKER


def test_ids_go_on_where_an_earlier_venue_left_off() -> None:
    engine = MatchingEngine(_STANDING, [X], random.Random(1), first_number=700)
    engine.quote(_quote(), 1)
    events = engine.submit(ACCOUNT, bought("a", 1), 2)
    assert [event.order_id for event in events] == ["700", "700"]
    assert [event.fill.id for event in events if isinstance(event, Filled)] == ["700"]


def test_fills_are_numbered_apart_from_orders_and_never_alike() -> None:
    engine = engine_with(_STANDING)
    engine.quote(_quote(size=100), 1)
    events = [event for n in range(20) for event in engine.submit(ACCOUNT, bought(str(n), 1), 2)]
    ids = [event.fill.id for event in events if isinstance(event, Filled)]
    assert len(set(ids)) == 20


def test_events_are_frozen() -> None:
    (event,) = engine_with(VenueRules()).submit(ACCOUNT, bought("a", 1), 0)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.sequence = 5  # type: ignore[misc]  # wrong on purpose


# queries


def test_reports_keep_quantities_apart_from_the_word() -> None:
    engine = engine_with(_STANDING)
    engine.quote(_quote(size=4), 1)
    engine.submit(ACCOUNT, bought("a", 10, limit=103), 2)
    engine.quote(_quote(ask=102, size=4), 3)
    report = engine.order(ACCOUNT, "a")
    assert report is not None
    assert report.state is OrderState.PARTIALLY_FILLED
    assert (report.filled, report.remaining, report.average_price) == (D(8), D(2), D("101.5"))
    engine.cancel(ACCOUNT, "a", 4)
    report = engine.order(ACCOUNT, "a")
    assert report is not None
    assert report.state is OrderState.CANCELED
    assert (report.filled, report.remaining, report.reason) == (D(8), D(0), "canceled: requested")
    assert engine.order("B", "a") is None


def test_open_orders_are_an_account_s_own_the_oldest_first() -> None:
    engine = engine_with(VenueRules())
    for key in "abc":
        engine.submit(ACCOUNT, bought(key, 1, limit=90), 1)
    engine.submit("B", bought("d", 1, limit=90), 1)
    engine.cancel(ACCOUNT, "b", 2)
    assert [report.order.key for report in engine.open_orders(ACCOUNT)] == ["a", "c"]
    assert engine.open_orders("nobody") == ()


def test_a_report_shows_where_a_trailing_stop_stands() -> None:
    engine = engine_with(VenueRules())
    engine.submit(ACCOUNT, sold("a", 1, trail_offset=3), 1)
    assert engine.open_orders(ACCOUNT)[0].order.stop_price is None
    engine.quote(_quote(), 2)
    assert engine.open_orders(ACCOUNT)[0].order.stop_price == 96


def test_a_rejected_order_is_remembered_with_its_reason() -> None:
    engine = engine_with(VenueRules())
    (event,) = engine.submit(ACCOUNT, bought("a", 0), 1)
    assert isinstance(event, Rejected)
    report = engine.order(ACCOUNT, "a")
    assert report is not None
    assert (report.state, report.reason) == (OrderState.REJECTED, "quantity must be above 0, got 0")


def test_positions_follow_fills_and_what_is_stated() -> None:
    engine = engine_with(_STANDING)
    engine.set_position(ACCOUNT, SYMBOL, D(5), 0)
    engine.quote(_quote(), 1)
    engine.submit(ACCOUNT, sold("a", 7), 2)
    assert engine.position(ACCOUNT, SYMBOL) == -2
    assert engine.position("B", SYMBOL) == 0


# memory


def test_finished_orders_are_dropped_by_number_and_their_keys_with_them() -> None:
    engine = engine_with(VenueRules(keep_finished=3))
    for n in range(10):
        engine.submit(ACCOUNT, bought(str(n), 1, limit=90), n)
        engine.cancel(ACCOUNT, str(n), n)
    assert [n for n in range(10) if engine.order(ACCOUNT, str(n)) is not None] == [7, 8, 9]
    assert [said(event) for event in engine.submit(ACCOUNT, bought("0", 1, limit=90), 99)] == ["accepted 0"]
    assert [said(event) for event in engine.submit(ACCOUNT, bought("9", 1), 99)] == ["rejected 9 duplicate_key"]


def test_finished_orders_are_dropped_by_age() -> None:
    engine = engine_with(VenueRules(keep_finished_ns=100))
    engine.submit(ACCOUNT, bought("a", 1, limit=90), 0)
    engine.cancel(ACCOUNT, "a", 50)
    engine.advance(150)
    assert engine.order(ACCOUNT, "a") is not None
    engine.advance(151)
    assert engine.order(ACCOUNT, "a") is None


def test_open_orders_are_never_dropped() -> None:
    engine = engine_with(VenueRules(keep_finished=0, keep_finished_ns=0, duplicates=DuplicateKeys.ACCEPT))
    engine.submit(ACCOUNT, bought("a", 1, limit=90), 0)
    engine.submit(ACCOUNT, bought("a", 0), 1)
    engine.advance(1000)
    report = engine.order(ACCOUNT, "a")
    assert report is not None
    assert report.state is OrderState.WORKING


def test_ended_gtd_orders_leave_nothing_planned() -> None:
    engine = engine_with(VenueRules(keep_finished=1))
    for n in range(2000):
        engine.submit(ACCOUNT, bought(str(n), 1, limit=90, tif="gtd", expires_ns=10**15), n)
        engine.cancel(ACCOUNT, str(n), n)
    assert engine.next_due is None
    assert len(engine._agenda._heap) <= 1


# bad data

_MINUTE = Interval.parse("1m")
_BAD: list[MarketEvent] = [
    _quote(bid="NaN"),
    _quote(ask="Infinity"),
    _quote(size=-1),
    _quote(size="NaN"),
    Trade(SYMBOL, D("NaN"), D(1), 0),
    Trade(SYMBOL, D(100), D(-1), 0),
    Depth(SYMBOL, (Level(D(98), D(1)), Level(D(99), D(1))), (), 0),
    Depth(SYMBOL, (), (Level(D(99), D(1)), Level(D(99), D(1))), 0),
    Depth(SYMBOL, (), (Level(D("NaN"), D(1)),), 0),
    Depth(SYMBOL, (), (Level(D(99), D("-1")),), 0),
    Bar(SYMBOL, _MINUTE, D(100), D(99), D(98), D(99), D(1), 0),
    Bar(SYMBOL, _MINUTE, D(100), D(100), D("NaN"), D(99), D(1), 0),
    Bar(SYMBOL, _MINUTE, D(100), D(100), D(98), D(99), D("Infinity"), 0),
]


@pytest.mark.parametrize("primed", [False, True], ids=["fresh", "with a quiet band"])
@pytest.mark.parametrize("bad", _BAD, ids=lambda bad: str(bad)[:60])
def test_bad_data_is_refused_and_changes_nothing(bad: MarketEvent, primed: bool) -> None:
    engine, untouched = engine_with(_STANDING), engine_with(_STANDING)
    if primed:
        for one in (engine, untouched):
            one.quote(_quote(), 1)
            one.quote(_quote(), 1)
    with pytest.raises(BadMarketDataError) as caught:
        engine.market(bad, 2)
    assert caught.value.data is bad
    assert "ignored" in str(caught.value)
    for one in (engine, untouched):
        one.advance(2)
    sent = bought("a", 1)
    assert engine.submit(ACCOUNT, sent, 3) == untouched.submit(ACCOUNT, sent, 3)


@pytest.mark.parametrize("price", ["NaN", "Infinity"])
def test_a_mark_or_settlement_that_is_no_number_is_refused(price: str) -> None:
    engine = engine_with(VenueRules())
    with pytest.raises(BadMarketDataError):
        engine.mark(SYMBOL, D(price), 1)
    with pytest.raises(BadMarketDataError):
        engine.settle(SYMBOL, D(price), 1)


def test_data_for_a_symbol_that_is_not_listed_is_refused_by_name() -> None:
    engine = engine_with(VenueRules())
    with pytest.raises(UnknownSymbolError, match="'Z' is not listed here") as caught:
        engine.quote(_quote(symbol="Z"), 1)
    assert caught.value.symbol == "Z"
    with pytest.raises(UnknownSymbolError):
        engine.set_status("Z", MarketStatus.OPEN, 1)


# symbols


def test_an_instrument_can_be_listed_later_and_only_once() -> None:
    engine = engine_with(VenueRules())
    other = Instrument("Z", "Z", Kind.STOCK, "USD", tick=D("0.01"))
    engine.list_instrument(other, MarketStatus.CLOSED)
    engine.list_instrument(other, MarketStatus.OPEN)
    assert engine.status("Z") is MarketStatus.CLOSED
    (event,) = engine.submit(ACCOUNT, bought("a", 1, symbol="Z", limit="-1"), 1)
    assert said(event) == "rejected a bad_price"


def test_bounds_of_an_instrument_are_kept() -> None:
    coin = Instrument(
        "C", "C", Kind.SPOT, "USD", D("0.01"), D("0.1"), min_quantity=D(1), max_quantity=D(9), min_notional=D(50)
    )
    engine = MatchingEngine(VenueRules(), [coin], random.Random(1))
    sent = {"small": ("0.5", 100), "large": ("9.1", 100), "cheap": (1, "49.99"), "fits": ("1.1", 50)}
    answers = {
        key: said(engine.submit(ACCOUNT, bought(key, quantity, limit=price, symbol="C"), 1)[0])
        for key, (quantity, price) in sent.items()
    }
    assert answers == {
        "small": "rejected small bad_quantity",
        "large": "rejected large bad_quantity",
        "cheap": "rejected cheap bad_quantity",
        "fits": "accepted fits",
    }


def test_symbols_do_not_touch_each_other() -> None:
    engine = engine_with(VenueRules())
    engine.submit(ACCOUNT, bought("a", 1), 1)
    assert engine.quote(_quote(symbol="Y"), 2) == ()
    assert [said(event) for event in engine.quote(_quote(), 3)] == ["filled a 1@101 taker displayed"]


# determinism


def _digest(seeds: range) -> str:
    """What many random sessions answer, as text."""
    words = []
    for seed in seeds:
        venue, acts = random_session(seed, 60)
        words += [repr(event) for event in Session(venue, seed).run(acts).events]
    return "".join(words)


def test_P08_nothing_depends_on_the_order_of_hashes() -> None:
    code = (
        "import hashlib; from tests.brokers.matching.test_engine import _digest;"
        "print(hashlib.sha256(_digest(range(5)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(  # noqa: S603 - our own words, run by our own interpreter
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_the_random_sessions_see_every_kind_of_event() -> None:
    seen = set()
    for seed in range(60):
        venue, acts = random_session(seed, 80)
        for event in Session(venue, seed).run(acts).events:
            seen.add(type(event).__name__)
            for detail in ("cause", "reason"):
                if hasattr(event, detail):
                    seen.add(getattr(event, detail).value)
    assert seen >= {
        "Accepted", "Rejected", "Released", "Triggered", "PartiallyFilled", "Filled", "Canceled", "Expired",
        "Replaced", "ReplaceRefused", "CancelRefused", "LegActivated", "LegResized",
        "displayed", "queue", "through", "print",
        "requested", "immediate_or_cancel", "fill_or_kill", "post_only", "reduce_only", "sibling_traded",
        "sibling_ended", "parent_ended", "day_end",
    }  # fmt: skip
