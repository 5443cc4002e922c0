"""Where prices come from: a market that opens when it is asked for, history that joins it, and recordings."""

import datetime as dt
import itertools
from decimal import Decimal

import pytest

from brokers.market import Bar, Interval, MarketStatus, Quote, Trade
from brokers.paper import ROOTS, traded
from brokers.paper.source import ReplaySource, SyntheticSource
from brokers.synthetic.market import UnknownInstrumentError
from tests.brokers.paper.floor import AAPL, CATALOGUE, ES, SECOND, SPOT

MINUTE = Interval.parse("1m")


def at(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()) * SECOND


SATURDAY, OPEN = at("2026-01-10 12:00"), at("2026-01-05 15:00")


@pytest.mark.parametrize("now", [SATURDAY, OPEN, at("2026-01-01 20:00"), at("2026-01-07 02:30")])
def test_the_synthetic_market_is_open_at_once_whatever_the_hour(now: int) -> None:
    source = SyntheticSource(CATALOGUE, [ES, AAPL, SPOT], 1, now)
    assert {source.status(symbol, now) for symbol in (ES, AAPL, SPOT)} == {MarketStatus.OPEN}
    first = next(source.events())
    assert now <= first.time_ns < now + 60 * SECOND


def test_while_everything_is_open_the_hours_are_the_real_ones() -> None:
    assert SyntheticSource(CATALOGUE, [ES, AAPL], 1, OPEN).offset_ns == 0
    assert SyntheticSource(CATALOGUE, [ES, AAPL], 1, SATURDAY).offset_ns > 0


@pytest.mark.parametrize("now", [SATURDAY, OPEN])
def test_history_joins_the_live_stream_without_gap_or_overlap(now: int) -> None:
    source = SyntheticSource(CATALOGUE, [AAPL, SPOT], 1, now)
    end = now + 20 * 60 * SECOND
    live = list(itertools.takewhile(lambda one: one.time_ns < end, source.events()))
    trades = [one for one in live if isinstance(one, Trade) and one.symbol == SPOT]
    bars = list(source.bars(SPOT, MINUTE, now, end))
    assert sum(bar.volume for bar in bars) == sum(trade.size for trade in trades)
    assert [bar.close for bar in bars][-1] == trades[-1].price
    before = list(source.bars(SPOT, MINUTE, now - 20 * 60 * SECOND, now))
    both = list(source.bars(SPOT, MINUTE, now - 20 * 60 * SECOND, end))
    assert before + bars == both
    times = [bar.time_ns for bar in both]
    assert times == sorted(set(times))
    assert before[-1].time_ns <= now < bars[0].time_ns


def test_the_same_seed_is_the_same_market_and_another_is_another() -> None:
    def first(seed: int) -> list[object]:
        return list(itertools.islice(SyntheticSource(CATALOGUE, [ES], seed, OPEN).events(), 200))

    assert first(1) == first(1)
    assert first(1) != first(2)


def test_a_symbol_that_is_not_traded_is_a_lookup_error() -> None:
    with pytest.raises(UnknownInstrumentError):
        list(SyntheticSource(CATALOGUE, [ES], 1, OPEN).bars(AAPL, MINUTE, OPEN, OPEN + SECOND))


def test_hours_are_told_on_the_paper_brokers_own_time_line() -> None:
    source = SyntheticSource(CATALOGUE, [AAPL], 1, SATURDAY)
    change = source.next_status(AAPL, SATURDAY)
    assert change is not None
    time_ns, status = change
    assert SATURDAY < time_ns < SATURDAY + 24 * 3600 * SECOND
    assert source.status(AAPL, time_ns) is status is not MarketStatus.OPEN


def test_a_contract_is_over_when_its_last_session_has_closed() -> None:
    source = SyntheticSource(CATALOGUE, ["ESH26", AAPL], 1, OPEN)
    assert not source.is_over("ESH26", at("2026-03-20 12:00"))
    assert source.is_over("ESH26", at("2026-03-21 12:00"))
    assert not source.is_over(AAPL, at("2036-03-21 12:00"))


def recording(start: int) -> list[Quote | Trade | Bar]:
    def price(number: int) -> Decimal:
        return Decimal(6800 + number)

    bars = [
        Bar(ES, MINUTE, price(1), price(3), price(0), price(n), Decimal(9), start + n * 60 * SECOND) for n in (1, 2, 3)
    ]
    return [Quote(ES, price(0), price(1), Decimal(5), Decimal(5), start), *bars]


def test_a_recording_begins_now_and_keeps_its_distances() -> None:
    source = ReplaySource(CATALOGUE, recording(OPEN), SATURDAY)
    assert [event.time_ns - SATURDAY for event in source.events()] == [0, *(n * 60 * SECOND for n in (1, 2, 3))]
    assert [one.symbol for one in source.instruments] == [ES]
    assert source.status(ES, SATURDAY) is MarketStatus.OPEN, "the hours are those of the recording"


def test_a_recordings_bars_close_inside_what_was_asked() -> None:
    source = ReplaySource(CATALOGUE, recording(OPEN), SATURDAY)
    bars = list(source.bars(ES, MINUTE, SATURDAY + 60 * SECOND, SATURDAY + 180 * SECOND))
    assert [bar.time_ns - SATURDAY for bar in bars] == [120 * SECOND, 180 * SECOND]
    assert list(source.bars(ES, Interval.parse("5m"), SATURDAY, SATURDAY + 900 * SECOND)) == []


def test_an_empty_recording_is_a_market_without_instruments() -> None:
    source = ReplaySource(CATALOGUE, [], SATURDAY)
    assert (list(source.events()), list(source.instruments)) == ([], [])


def test_a_recording_that_can_be_read_only_once_is_refused() -> None:
    with pytest.raises(TypeError, match="give a sequence"):
        ReplaySource(CATALOGUE, iter(recording(OPEN)), SATURDAY)


def test_the_embedded_default_trades_the_fronts_of_today() -> None:
    assert next(traded(CATALOGUE, ROOTS, OPEN)) == "ESH26"
    assert next(traded(CATALOGUE, ROOTS, at("2026-11-21 12:00"))) == "ESZ26"


def test_a_root_stands_for_what_is_traded_of_it_now_and_a_symbol_for_itself() -> None:
    found = list(traded(CATALOGUE, ("ES", "NQM26", "BTC-USD", "AAPL"), OPEN))
    assert found == ["ESH26", "NQM26", "BTC-USD", "AAPL"]
