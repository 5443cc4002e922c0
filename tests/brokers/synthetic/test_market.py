"""Claims about the synthetic market."""

import datetime as dt
import hashlib
import itertools
import os
import statistics
from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.calendar import SECOND_NS, UnknownCalendarError
from brokers.catalogue import Catalogue
from brokers.instruments import Instrument, Kind
from brokers.market import Depth, Interval, MarketEvent, Quote, Trade
from brokers.sides import Side
from brokers.synthetic import REGIMES, SHIPPED, NoProfileError, Profile, Regime, SyntheticMarket, UnknownInstrumentError
from brokers.synthetic.bars import trade_bars

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
CATALOGUE = Catalogue.shipped()
SYMBOLS = ("ESZ26", "NQZ26", "AAPL", "BTC-USD", "ZCZ26", "BTCUSD-INV")
MINUTE = 60 * SECOND_NS
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def utc(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()) * SECOND_NS


START = utc("2026-11-19 14:20")  # a Thursday morning, ten minutes before stocks open


def market(seed: int = 1, symbols: Iterable[str] = SYMBOLS, *, depth_levels: int = 0) -> SyntheticMarket:
    found = [CATALOGUE.instrument(symbol) for symbol in symbols]
    return SyntheticMarket(seed, found, START, CATALOGUE.calendars, depth_levels=depth_levels)


few = settings(deadline=None, max_examples=5 * NIGHTLY)
seeds = st.integers(0, 2**64)
symbols = st.sampled_from(SYMBOLS)
offsets = st.integers(-3 * DAY, 3 * DAY)


# --------------------------------------------------------------------------------------------------- determinism


@few
@given(seeds)
def test_p08_the_same_seed_gives_the_same_events(seed: int) -> None:
    first = list(itertools.islice(market(seed, SYMBOLS[:3], depth_levels=3), 500))
    assert first == list(itertools.islice(market(seed, SYMBOLS[:3], depth_levels=3), 500))
    assert first != list(itertools.islice(market(seed + 1, SYMBOLS[:3], depth_levels=3), 500))


def test_p08_events_and_bars_are_the_same_on_every_machine() -> None:
    made = market(42, depth_levels=2)
    text = "".join(map(repr, itertools.islice(made, 2000)))
    text += "".join(map(repr, made.bars("ESZ26", Interval.parse("1d"), START - 30 * DAY, START)))
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "ee5575d3ebacf571e8b0fd1c06d4a565afc317d1a194ecb85c005c5921bf501c"
    )


@few
@given(seeds, offsets)
def test_the_stream_is_the_same_from_wherever_it_is_entered(seed: int, offset: int) -> None:
    made = market(seed, SYMBOLS[:3])
    begin, end = START + offset - 3 * MINUTE, START + offset + 2 * MINUTE
    whole = list(made.events(begin, end))
    assert list(market(seed, SYMBOLS[:3]).events(START + offset, end)) == [
        e for e in whole if e.time_ns >= START + offset
    ]
    assert all(begin <= event.time_ns < end for event in whole)


@few
@given(seeds, symbols)
def test_an_instrument_does_not_depend_on_its_company(seed: int, symbol: str) -> None:
    span = START + 10 * MINUTE, START + 12 * MINUTE
    company = [event for event in market(seed).events(*span) if event.symbol == symbol]
    assert list(market(seed, [symbol]).events(*span)) == company


# ---------------------------------------------------------------------------------------------- what events are like


def check(events: Iterable[MarketEvent], instruments: dict[str, Instrument]) -> int:
    """Asserts what holds for every stream of events; the number of them."""
    reached, count = 0, 0
    quotes: dict[str, Quote] = {}
    for event in events:
        count += 1
        instrument = instruments[event.symbol]
        assert event.time_ns >= reached
        reached = event.time_ns
        assert CATALOGUE.calendars[instrument.calendar].is_open(event.time_ns, extended=True)
        if isinstance(event, Quote):
            assert event.bid is not None
            assert event.ask is not None
            assert 0 < event.bid < event.ask
            assert event.bid % instrument.tick == event.ask % instrument.tick == 0
            assert event.bid_size % instrument.lot == event.ask_size % instrument.lot == 0
            assert min(event.bid_size, event.ask_size) > 0
            quotes[event.symbol] = event
        elif isinstance(event, Trade):
            quote = quotes.get(event.symbol)
            assert event.size > 0
            assert event.size % instrument.lot == 0
            if quote is not None:
                assert event.price == (quote.ask if event.aggressor is Side.BUY else quote.bid)
        else:
            assert isinstance(event, Depth)
            quote = quotes.get(event.symbol)
            if quote is not None:
                assert (event.bids[0].price, event.bids[0].size) == (quote.bid, quote.bid_size)
                assert (event.asks[0].price, event.asks[0].size) == (quote.ask, quote.ask_size)
            for side, sign in ((event.bids, -1), (event.asks, 1)):
                steps = [(later.price - earlier.price) * sign for earlier, later in itertools.pairwise(side)]
                assert all(step == instrument.tick for step in steps)
                assert all(level.size > 0 and level.price > 0 for level in side)
    return count


@few
@given(seeds, offsets)
def test_events_are_ordered_on_the_grid_uncrossed_and_only_in_open_markets(seed: int, offset: int) -> None:
    found = {symbol: CATALOGUE.instrument(symbol) for symbol in SYMBOLS}
    begin = START + offset
    assert check(market(seed, depth_levels=3).events(begin, begin + MINUTE), found) > 0


@pytest.mark.parametrize("seed", range(NIGHTLY))
def test_every_shipped_root_makes_a_sound_market(seed: int) -> None:
    day = dt.date(2026, 11, 19)
    found = [CATALOGUE.front(root, day) for root in CATALOGUE.table.roots()]
    made = SyntheticMarket(seed, found, START, CATALOGUE.calendars)
    events = list(made.events(START + 9 * MINUTE, START + 12 * MINUTE))  # stocks open in between
    assert check(events, {instrument.symbol: instrument for instrument in found}) > 1000
    assert {event.symbol for event in events} == {instrument.symbol for instrument in found}
    assert set(SHIPPED) == set(CATALOGUE.table.roots())


@few
@given(seeds, offsets, st.sampled_from(SYMBOLS))
def test_the_quote_of_an_open_market_is_never_older_than_two_seconds(seed: int, offset: int, symbol: str) -> None:
    begin = START + offset // MINUTE * MINUTE
    calendar = CATALOGUE.calendar(symbol)
    minutes = [at for at in range(begin, begin + 5 * MINUTE, MINUTE) if calendar.status(at).trading]
    made = market(seed, [symbol])
    for at in minutes:
        shown = [event.time_ns for event in made.events(at, at + MINUTE) if isinstance(event, Quote)]
        apart = [later - earlier for earlier, later in itertools.pairwise((at, *shown, at + MINUTE))]
        assert max(apart) <= 2 * 1_000_000_000


def test_a_closed_market_is_silent_and_the_stream_goes_on_with_the_next_session() -> None:
    made = market(1, ["AAPL"])
    evening = utc("2026-11-20 20:00")
    before, after = made.events(evening, utc("2026-11-21 01:00")), made.events(utc("2026-11-21 01:00"))
    assert sum(1 for _ in before) > 0
    assert next(after).time_ns >= utc("2026-11-23 09:00")


def test_a_dated_instrument_falls_silent_after_its_expiry() -> None:
    instrument = CATALOGUE.instrument("ZCZ26")
    made = SyntheticMarket(1, [instrument], utc("2026-12-14 19:00"), CATALOGUE.calendars)
    last = [event.time_ns for event in made][-1]
    assert instrument.expiry == dt.date(2026, 12, 14)
    assert utc("2026-12-14 19:15") < last < utc("2026-12-14 19:20")


# ------------------------------------------------------------------------------------------------- history and stream


@few
@given(seeds, symbols, offsets, st.sampled_from(["5s", "30s", "1m", "3m", "15m"]))
def test_bars_made_of_the_trades_are_the_bars_of_history(seed: int, symbol: str, offset: int, text: str) -> None:
    interval, made = Interval.parse(text), market(seed, [symbol])
    begin, end = START + offset, START + offset + 20 * MINUTE
    trades = (e for e in made.events(begin - HOUR, end) if isinstance(e, Trade))
    built = trade_bars(CATALOGUE.calendar(symbol), interval, trades)
    assert [bar for bar in built if begin < bar.time_ns <= end] == list(made.bars(symbol, interval, begin, end))


@pytest.mark.parametrize("symbol", ["ESZ26", "AAPL", "BTC-USD"])
def test_long_bars_are_the_short_ones_together(symbol: str) -> None:
    made, calendar = market(5, [symbol]), CATALOGUE.calendar(symbol)
    short = list(made.bars(symbol, Interval.parse("1m"), START - 12 * DAY, START + DAY))
    for text in ("4h", "1d", "1w"):
        interval = Interval.parse(text)
        long = list(made.bars(symbol, interval, START - 6 * DAY, START + DAY))
        by_close = itertools.groupby(short, key=lambda one: calendar.bar_close(one.time_ns - 1, interval))
        parts_of = {close: list(parts) for close, parts in by_close}
        assert long
        for bar in long:
            parts = parts_of[bar.time_ns]
            assert (bar.open, bar.close) == (parts[0].open, parts[-1].close)
            assert (bar.high, bar.low) == (max(one.high for one in parts), min(one.low for one in parts))
            assert (bar.volume, bar.trades) == (sum(one.volume for one in parts), sum(one.trades for one in parts))


@few
@given(seeds, symbols, offsets, offsets, st.sampled_from(["1m", "7m", "1h", "1d"]))
def test_history_cut_anywhere_joins_without_gap_or_overlap(
    seed: int, symbol: str, cut: int, width: int, text: str
) -> None:
    made, interval = market(seed, [symbol]), Interval.parse(text)
    begin, middle, end = sorted((START - DAY, START + cut, START + cut + width))
    joined = [*made.bars(symbol, interval, begin, middle), *made.bars(symbol, interval, middle, end)]
    assert joined == list(made.bars(symbol, interval, begin, end))
    assert all(begin < bar.time_ns <= end for bar in joined)


@few
@given(seeds, symbols)
def test_history_ends_where_the_stream_begins(seed: int, symbol: str) -> None:
    made = market(seed, [symbol])
    session = CATALOGUE.calendar(symbol).next_session(START)
    inside = session.start_ns + 2 * HOUR
    last = list(made.bars(symbol, Interval.parse("1m"), session.start_ns, inside))[-1]
    first = next(event for event in made.events(inside) if isinstance(event, Quote))
    mid = ((first.bid or Decimal(0)) + (first.ask or Decimal(0))) / 2
    assert abs(mid / last.close - 1) < Decimal("0.005")


def test_the_first_price_is_the_profiles_at_the_open_of_the_first_session() -> None:
    made = market(9, ["ESZ26"])
    session = CATALOGUE.calendar("ESZ26").next_session(START)
    trade = next(event for event in made.events(session.start_ns) if isinstance(event, Trade))
    assert trade.price == SHIPPED["ES"].price


@pytest.mark.parametrize("seed", range(2 * NIGHTLY))
def test_prices_stay_above_zero_and_in_reach_for_years(seed: int) -> None:
    made = market(seed, ["ESZ26"])
    for year in (-15, 0):
        begin = START + year * 365 * DAY
        for bar in made.bars("ESZ26", Interval.parse("1d"), begin - 8 * DAY, begin):
            assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
            assert SHIPPED["ES"].price / 10 <= bar.close <= SHIPPED["ES"].price * 3


# ------------------------------------------------------------------------------------------------------- character


def moves(made: SyntheticMarket, symbol: str, days: int = 2) -> dict[int, float]:
    bars = list(made.bars(symbol, Interval.parse("1m"), START - days * DAY, START))
    return {later.time_ns: float(later.close / earlier.close - 1) for earlier, later in itertools.pairwise(bars)}


def correlation(made: SyntheticMarket, one: str, other: str) -> float:
    first, second = moves(made, one), moves(made, other)
    shared = sorted(first.keys() & second.keys())
    return statistics.correlation([first[time] for time in shared], [second[time] for time in shared])


def test_instruments_move_together_as_their_profiles_say() -> None:
    made = market(3, ["ESZ26", "NQZ26", "MESZ26", "ESH27", "VXZ26", "NGZ26"])
    assert correlation(made, "ESZ26", "NQZ26") > 0.7
    assert correlation(made, "ESZ26", "MESZ26") > 0.97  # one underlying
    assert correlation(made, "ESZ26", "ESH27") > 0.97
    assert correlation(made, "ESZ26", "VXZ26") < -0.6
    assert abs(correlation(made, "ESZ26", "NGZ26")) < 0.3


def test_days_open_with_gaps_and_are_as_volatile_as_the_profile() -> None:
    bars = list(market(3).bars("AAPL", Interval.parse("1d"), START - 100 * DAY, START))
    gaps = [float(later.open / earlier.close - 1) for earlier, later in itertools.pairwise(bars)]
    assert sum(gap != 0 for gap in gaps) > len(gaps) * 0.9
    daily = statistics.stdev(float(bar.close / bar.open - 1) for bar in bars)
    assert 0.010 < daily < 0.020  # the profile says 0.015


def test_the_day_is_busier_than_the_night_and_some_minutes_burst() -> None:
    bars = list(market(4).bars("ESZ26", Interval.parse("1m"), START - 4 * DAY, START))
    hour_of = {bar.time_ns: bar.time_ns // HOUR % 24 for bar in bars}
    day = statistics.median(bar.trades for bar in bars if hour_of[bar.time_ns] in {14, 15, 16})
    night = statistics.median(bar.trades for bar in bars if hour_of[bar.time_ns] in {3, 4, 5})
    assert day > 2.5 * night
    assert max(bar.trades for bar in bars) > 5 * statistics.median(bar.trades for bar in bars)


def test_moods_change_how_a_market_moves() -> None:
    def spread_of(regime: Regime) -> float:
        found = [CATALOGUE.instrument("ESZ26")]
        made = SyntheticMarket(6, found, START, CATALOGUE.calendars, regimes=[regime])
        return statistics.stdev(moves(made, "ESZ26").values())

    quiet, stormy = (regime for regime in REGIMES if regime.name in {"quiet", "stormy"})
    assert spread_of(stormy) > 3 * spread_of(quiet)


# ------------------------------------------------------------------------------------------------------- refusals

STRANGER = Instrument("XYZ", "XYZ", Kind.STOCK, "USD", Decimal("0.01"), calendar="us_stocks")


def test_an_instrument_without_profile_is_refused_and_with_one_is_traded() -> None:
    with pytest.raises(NoProfileError, match="no profile for XYZ"):
        SyntheticMarket(1, [STRANGER], START, CATALOGUE.calendars)
    mine = {"XYZ": Profile(Decimal(12))}
    made = SyntheticMarket(1, [STRANGER], START, CATALOGUE.calendars, profiles=mine)
    assert check(itertools.islice(made, 500), {"XYZ": STRANGER}) == 500


def test_a_price_of_too_few_ticks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"XYZ needs a price of 0\.05 or more, got 0\.03"):
        SyntheticMarket(1, [STRANGER], START, CATALOGUE.calendars, profiles={"XYZ": Profile(Decimal("0.03"))})


@pytest.mark.parametrize(
    "build",
    [
        lambda: Profile(Decimal(0)),
        lambda: Profile(Decimal(1), trades=0),
        lambda: Profile(Decimal(1), beta=Decimal(2)),
    ],
)
def test_an_impossible_profile_is_refused(build: "type[Profile]") -> None:
    with pytest.raises(ValueError, match="profile"):
        build()  # type: ignore[call-arg]  # each builds its own


def test_an_unknown_symbol_or_calendar_is_refused_by_name() -> None:
    with pytest.raises(UnknownInstrumentError, match="'CLZ26' is not in this market"):
        list(market().bars("CLZ26", Interval.parse("1m"), START, START + HOUR))
    lost = Instrument("ES", "ES", Kind.STOCK, "USD", Decimal("0.01"), calendar="mars")
    with pytest.raises(UnknownCalendarError):
        SyntheticMarket(1, [lost], START, CATALOGUE.calendars)
