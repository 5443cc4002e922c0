"""Live bars over the emulator: what was told is the history that is asked afterwards, whatever happened between."""

from collections.abc import Sequence

import pytest
import trio

from brokers.errors import BrokerError, Code
from brokers.market import Bar, Interval
from brokers.tokens.token_store import TokenStore
from brokers.tradovate.bar_stream import BarStream
from brokers.tradovate.feed import MOST_CHARTS
from tests.brokers.tradovate.kit import ES, LOGIN, Pit, played

MINUTE, FIVE = Interval.parse("1m"), Interval.parse("5m")
MINUTE_NS = 60 * 10**9


def told(pit: Pit, symbol: str = ES, interval: Interval = MINUTE) -> list[Bar]:
    return [one for one in pit.events if isinstance(one, Bar) and (one.symbol, one.interval) == (symbol, interval)]


async def followed(pit: Pit, minutes: float, symbol: str = ES, interval: Interval = MINUTE) -> Sequence[Bar]:
    """Follows a series for some minutes, to just before the next one ends, and checks it against its history."""
    feed, begun, heard = pit.broker.need_feed(), pit.world.clock.wall_ns(), list[object]()
    leave = feed.listen(heard.append)
    await feed.subscribe_bars(symbol, interval)
    await trio.sleep(minutes * 60)
    into = pit.world.clock.wall_ns() % MINUTE_NS / 10**9
    await trio.sleep((45 - into) % 60)
    leave()
    bars = [one for one in heard if isinstance(one, Bar) and (one.symbol, one.interval) == (symbol, interval)]
    assert bars == list(await feed.bars(symbol, interval, begun, pit.world.clock.wall_ns()))
    assert len(bars) >= minutes * MINUTE_NS // interval.nanoseconds - 1
    return bars


@pytest.mark.parametrize("fault", ["", "stream-drop=400/stream*3", "half-open=300/stream*2"])
def test_f01_f03_finished_bars_are_the_history_whatever_happens_to_the_socket(fault: str) -> None:
    async def play(pit: Pit) -> None:
        if fault:
            pit.emulator.faults.on(fault)
        await followed(pit, 5)

    played(play, symbols=(ES,))


def test_f01_what_was_missed_while_the_host_was_away_is_told_once_and_in_order() -> None:
    async def play(pit: Pit) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(followed, pit, 12)
            await trio.sleep(150)
            pit.emulator.house.spawn(pit.emulator.door.shut, 240.0)
            await trio.sleep(0.1)
            for line in list(pit.emulator.door.lines):
                await line.reset()

    played(play, symbols=(ES,))


def test_f11_tokens_that_are_renewed_in_mid_stream_cost_no_bar() -> None:
    async def play(pit: Pit) -> None:
        store = pit.runtime.name(LOGIN.store_key, TokenStore)
        before = (await store.call(TokenStore.token)).generation
        await followed(pit, 6)
        assert (await store.call(TokenStore.token)).generation > before

    played(play, "short-tokens=120", symbols=(ES,))


def test_a_crash_of_the_reader_costs_no_bar() -> None:
    async def play(pit: Pit) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(followed, pit, 5)
            await trio.sleep(130)
            reader = pit.runtime.name(("live-bars", LOGIN.broker, LOGIN.login, LOGIN.environment), BarStream).resolve()
            assert reader is not None
            reader.kill("a crash")
            await trio.sleep(30)
            assert not reader.alive

    played(play, symbols=(ES,))


def test_series_are_told_apart_and_one_ends_with_its_last_user() -> None:
    async def play(pit: Pit) -> None:
        feed = pit.broker.need_feed()
        async with trio.open_nursery() as nursery:
            for interval in (MINUTE, FIVE, MINUTE):
                nursery.start_soon(followed, pit, 10, ES, interval)
        feed.listen(pit.events.append)
        for interval in (MINUTE, FIVE):
            await feed.unsubscribe_bars(ES, interval)
        await trio.sleep(70)
        assert told(pit)
        for _ in range(2):
            await feed.unsubscribe_bars(ES, MINUTE)
        pit.events.clear()
        await trio.sleep(130)
        assert pit.events == []

    played(play, symbols=(ES,))


def test_what_cannot_be_streamed_is_refused_and_counts_for_nothing() -> None:
    async def play(pit: Pit) -> None:
        feed = pit.broker.need_feed()
        for symbol, interval, code in ((ES, "7s", Code.UNSUPPORTED), ("NOSUCH", "1m", Code.SYMBOL_NOT_FOUND)):
            with pytest.raises(BrokerError) as caught:
                await feed.subscribe_bars(symbol, Interval.parse(interval))
            assert caught.value.code is code
        for minutes in range(1, MOST_CHARTS + 1):
            await feed.subscribe_bars(ES, Interval.parse(f"{minutes}m"))
        with pytest.raises(BrokerError) as caught:
            await feed.subscribe_bars("ESM26", MINUTE)
        assert caught.value.code is Code.RATE_LIMITED

    played(play, symbols=(ES,))
