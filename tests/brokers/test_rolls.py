"""Claims about expiries, rolls and the adjusted series."""

import datetime as dt
import itertools
import os
from collections.abc import Sequence
from decimal import Decimal

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.catalogue import Catalogue
from brokers.instruments import Kind
from brokers.market import Bar, Interval
from brokers.rolls import (
    ByCalendar,
    ByVolume,
    DailyVolumes,
    DaysBefore,
    NoFutureError,
    NoSpliceError,
    NthWeekday,
    RollRule,
    RollSchedule,
    back_adjusted,
    front_contract,
    roll_rule,
)
from brokers.symbols import Contract, SymbolError
from config.instruments import RollRecord, UnknownRootError

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
CATALOGUE = Catalogue.shipped()
FUTURES = CATALOGUE.table.roots("future")
LISTINGS = {root: CATALOGUE.listing(root) for root in FUTURES}
HOUR = Interval.parse("1h")

dates = st.dates(dt.date(2015, 1, 1), dt.date(2045, 12, 31))
futures = st.sampled_from(FUTURES)
rules = st.one_of(
    st.none(),
    st.builds(DaysBefore, st.integers(0, 12)),
    st.builds(NthWeekday, st.integers(1, 4), st.integers(0, 4), st.integers(-1, 0), st.builds(DaysBefore)),
)


@st.composite
def roll_calendars(draw: st.DrawFn, root: str, start: dt.date) -> ByCalendar:
    """Days that a user might state, in any order and on any day."""
    contracts = itertools.islice(LISTINGS[root].contracts(start, LISTINGS[root].cycle), 4)
    offsets = st.integers(-90, 400).map(lambda days: start + dt.timedelta(days=days))
    return ByCalendar({contract.symbol: draw(offsets) for contract in contracts})


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


# Published last trading days.
EXPIRIES = {
    "ESZ25": "2025-12-19",
    "ESM26": "2026-06-18",  # the third Friday is Juneteenth
    "NQH26": "2026-03-20",
    "6EZ25": "2025-12-15",
    "6CZ25": "2025-12-16",
    "CLF26": "2025-12-19",  # the 25th is Christmas
    "CLZ25": "2025-11-20",
    "MCLF26": "2025-12-18",
    "NGF26": "2025-12-29",
    "GCZ25": "2025-12-29",
    "SIH26": "2026-03-27",
    "ZNZ25": "2025-12-19",
    "ZBH26": "2026-03-20",
    "ZFZ25": "2025-12-31",
    "ZCZ25": "2025-12-12",
    "ZSF26": "2026-01-14",
    "VXF26": "2026-01-21",
    "VXK26": "2026-05-19",  # the Friday thirty days later is Juneteenth
    "MBTZ25": "2025-12-26",
}


@pytest.mark.parametrize(("symbol", "expiry"), EXPIRIES.items())
def test_a_contract_expires_on_its_published_day(symbol: str, expiry: str) -> None:
    assert CATALOGUE.instrument(symbol).expiry == day(expiry)


@given(futures, dates)
def test_contracts_expire_in_the_order_of_delivery_on_business_days(root: str, start: dt.date) -> None:
    listing = LISTINGS[root]
    contracts = listing.contracts(start)
    expiries = [listing.expiry(next(contracts)) for _ in range(6)]
    assert start <= expiries[0]
    assert expiries == sorted(set(expiries))
    assert all(listing.calendar.is_business_day(expiry) for expiry in expiries)


def test_a_brokers_stated_expiry_goes_before_the_rule() -> None:
    stated = {"ESZ26": day("2026-12-17")}
    listing = attrs.evolve(LISTINGS["ES"], expiries=stated)
    assert listing.expiry(Contract.parse("ESZ26")) == day("2026-12-17")
    assert listing.expiry(Contract.parse("ESH27")) == day("2027-03-19")


@given(futures, dates, rules)
def test_the_front_contract_is_never_expired_nor_past_its_first_notice(
    root: str, today: dt.date, rule: RollRule | None
) -> None:
    listing = LISTINGS[root]
    front = front_contract(listing, today, rule)
    assert today < listing.last_safe_day(front) <= listing.expiry(front)
    assert front.code in listing.cycle


@settings(max_examples=40 * NIGHTLY, deadline=None)
@given(futures, dates, rules, st.integers(0, 800), st.booleans(), st.data())
def test_a_schedule_and_the_front_contract_agree_every_day(
    root: str, start: dt.date, rule: RollRule | None, length: int, stated: bool, data: st.DataObject
) -> None:
    listing, end = LISTINGS[root], start + dt.timedelta(days=length)
    rule = data.draw(roll_calendars(root, start)) if stated else rule
    schedule = RollSchedule.of(listing, start, end, rule)
    for passed in range(0, length + 1, 7):
        today = start + dt.timedelta(days=passed)
        assert schedule.front(today) == front_contract(listing, today, rule)
        following = next(roll for roll in schedule.rolls if roll.day > today)
        assert following.old == schedule.front(today)
        assert front_contract(listing, following.day - dt.timedelta(days=1), rule) == following.old
        assert front_contract(listing, following.day, rule) == schedule.front(following.day)


def test_the_shipped_rules_roll_where_the_market_does() -> None:
    assert CATALOGUE.front("ES", day("2026-12-11")).symbol == "ESZ26"
    assert CATALOGUE.front("ES", day("2026-12-14")).symbol == "ESH27"  # Monday of the week of expiry
    assert CATALOGUE.front("GC", day("2026-11-24")).symbol == "GCZ26"
    assert CATALOGUE.front("GC", day("2026-11-26")).symbol == "GCG27"  # not into January, which nobody trades
    assert CATALOGUE.front("AAPL", day("2026-11-26")).symbol == "AAPL"


def test_a_rule_by_weekday_rolls_on_the_second_thursday() -> None:
    assert LISTINGS["ES"].roll_day(Contract("ES", 2026, 12), Contract("ES", 2027, 3), NthWeekday()) == day("2026-12-10")


def test_a_users_roll_calendar_goes_before_the_rule_but_never_behind_the_last_safe_day() -> None:
    pair = Contract("ES", 2026, 12), Contract("ES", 2027, 3)
    early = ByCalendar({"ESZ26": day("2026-12-01")})
    late = ByCalendar({"ESZ26": day("2026-12-30")}, DaysBefore(2))
    assert LISTINGS["ES"].roll_day(*pair, early) == day("2026-12-01")
    assert LISTINGS["ES"].roll_day(*pair, late) == day("2026-12-16")
    assert LISTINGS["ES"].roll_day(*pair, ByCalendar({}, DaysBefore(3))) == day("2026-12-15")


def volumes(*days: tuple[str, int | None, int | None]) -> DailyVolumes:
    return {
        day(text): {symbol: Decimal(size) for symbol, size in (("ESZ26", old), ("ESH27", new)) if size is not None}
        for text, old, new in days
    }


def test_volume_rolls_on_the_business_day_after_the_lead_is_confirmed() -> None:
    traded = volumes(
        ("2026-12-08", 90, 10),
        ("2026-12-09", 40, 60),
        ("2026-12-10", 60, 40),  # the run is broken
        ("2026-12-11", 40, 60),
    )
    listing, one, two = LISTINGS["ES"], ByVolume(1), ByVolume(2)
    assert front_contract(listing, day("2026-12-09"), one, traded).symbol == "ESZ26"
    assert front_contract(listing, day("2026-12-10"), one, traded).symbol == "ESH27"
    assert front_contract(listing, day("2026-12-14"), two, traded).symbol == "ESZ26"
    confirmed = {**traded, **volumes(("2026-12-14", 1, 2))}
    assert front_contract(listing, day("2026-12-15"), two, confirmed).symbol == "ESH27"


def test_volume_without_word_of_both_contracts_waits_for_the_latest_day() -> None:
    silent = volumes(("2026-12-08", None, 10), ("2026-12-09", 10, None))
    pair = Contract("ES", 2026, 12), Contract("ES", 2027, 3)
    assert LISTINGS["ES"].roll_day(*pair, ByVolume(1, DaysBefore(1)), silent) == day("2026-12-17")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20), st.integers(1, 3))
def test_a_roll_by_volume_is_never_taken_back(traded: list[tuple[int, int]], confirm: int) -> None:
    fed: dict[dt.date, dict[str, Decimal]] = {}
    rolled = False
    for passed, (old, new) in enumerate(traded):
        today = day("2026-11-20") + dt.timedelta(days=passed)
        front = front_contract(LISTINGS["ES"], today, ByVolume(confirm), fed)
        assert not rolled or front.symbol == "ESH27"
        rolled = front.symbol == "ESH27"
        fed[today] = {"ESZ26": Decimal(old), "ESH27": Decimal(new)}


def test_a_record_describes_its_rule() -> None:
    dates_of_mine = {"ESZ26": day("2026-12-01")}
    assert roll_rule(RollRecord(days=3)) == DaysBefore(3)
    assert roll_rule(RollRecord("nth_weekday", 2, nth=1, weekday=4)) == NthWeekday(1, 4, 0, DaysBefore(2))
    assert roll_rule(RollRecord("volume", 2, confirm=3)) == ByVolume(3, DaysBefore(2))
    assert roll_rule(RollRecord("calendar", dates=dates_of_mine)) == ByCalendar(dates_of_mine, DaysBefore(1))


def test_only_listed_contracts_of_futures_become_instruments() -> None:
    assert CATALOGUE.instrument("BTCUSD-INV").kind is Kind.INVERSE
    assert CATALOGUE.instrument("BTCUSD-INV").settlement == "BTC"
    for symbol in ("ES", "ESF26", "ES:adjusted"):
        with pytest.raises(SymbolError):
            CATALOGUE.instrument(symbol)
    with pytest.raises(UnknownRootError):
        CATALOGUE.instrument("XXZ26")
    with pytest.raises(NoFutureError, match="AAPL is a stock"):
        CATALOGUE.listing("AAPL")


# ---------------------------------------------------------------------------------------------- adjusted series

START = 1_765_000_000 // 3600 * 3600  # in early December 2025
SCHEDULE = RollSchedule.of(LISTINGS["ES"], day("2025-12-05"), day("2026-06-30"))
CALENDAR = LISTINGS["ES"].calendar


def series(symbol: str, closes: Sequence[Decimal], first_hour: int = 0) -> list[Bar]:
    """Hourly bars over the trading hours that follow."""
    found, time_ns = [], (START + first_hour * 3600) * 10**9
    for close in closes:
        while not CALENDAR.is_open(time_ns - 1):
            time_ns += 3600 * 10**9
        found.append(Bar(symbol, HOUR, close, close + 1, close - 1, close, Decimal(1), time_ns))
        time_ns += 3600 * 10**9
    return found


prices = st.lists(st.integers(100, 999999).map(lambda cents: Decimal(cents) / 100), min_size=150, max_size=150)


@settings(max_examples=15 * NIGHTLY, deadline=None)
@given(prices, st.decimals(-500, 500, places=2))
def test_back_adjusting_a_parallel_contract_gives_its_own_prices_exactly(walk: list[Decimal], gap: Decimal) -> None:
    bars = {"ESZ25": series("ESZ25", [price - gap for price in walk]), "ESH26": series("ESH26", walk)}
    adjusted = back_adjusted(SCHEDULE, bars, CALENDAR)
    assert [(bar.time_ns, bar.open, bar.high, bar.low, bar.close) for bar in adjusted] == [
        (bar.time_ns, bar.open, bar.high, bar.low, bar.close) for bar in bars["ESH26"]
    ]
    assert {bar.symbol for bar in adjusted} == {"ES:adjusted"}


def test_a_session_belongs_to_one_contract_up_to_its_last_bar() -> None:
    bars = {
        symbol: [attrs.evolve(bar, trades=mark) for bar in series(symbol, [Decimal(100)] * 300)]
        for symbol, mark in (("ESZ25", 1), ("ESH26", 2))
    }
    marks = {bar.time_ns: bar.trades for bar in back_adjusted(SCHEDULE, bars, CALENDAR)}
    eve = CALENDAR.previous_session(CALENDAR.session_of(SCHEDULE.rolls[0].day) or pytest.fail("no session"))
    assert {marks[time] for time in marks if eve.start_ns < time <= eve.end_ns} == {1}
    assert eve.end_ns in marks
    assert {marks[time] for time in marks if time > eve.end_ns} == {2}


def test_gaps_add_up_over_two_rolls() -> None:
    hours = 24 * 110
    flat = {symbol: [Decimal(level)] * hours for symbol, level in (("ESZ25", 100), ("ESH26", 110), ("ESM26", 125))}
    bars = {symbol: series(symbol, closes) for symbol, closes in flat.items()}
    adjusted = back_adjusted(SCHEDULE, bars, CALENDAR)
    assert {bar.close for bar in adjusted} == {Decimal(125)}
    assert len(adjusted) == hours


def test_contracts_that_share_no_bar_before_their_roll_are_refused() -> None:
    bars = {"ESZ25": series("ESZ25", [Decimal(100)] * 10), "ESH26": series("ESH26", [Decimal(110)] * 10, 400)}
    with pytest.raises(NoSpliceError, match="no bar of ESZ25 and ESH26") as caught:
        back_adjusted(SCHEDULE, bars, CALENDAR)
    assert caught.value.roll.new.symbol == "ESH26"


def test_a_missing_contract_between_two_others_is_refused_and_not_skipped() -> None:
    bars = {"ESZ25": series("ESZ25", [Decimal(100)]), "ESM26": series("ESM26", [Decimal(110)], 4000)}
    with pytest.raises(NoSpliceError):
        back_adjusted(SCHEDULE, bars, CALENDAR)


def test_one_contract_alone_keeps_its_prices_and_none_gives_none() -> None:
    only = {"ESH26": series("ESH26", [Decimal(110)] * 300)}
    assert {bar.close for bar in back_adjusted(SCHEDULE, only, CALENDAR)} == {Decimal(110)}
    assert back_adjusted(SCHEDULE, {}, CALENDAR) == []
