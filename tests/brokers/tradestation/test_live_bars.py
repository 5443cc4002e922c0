"""Live bars over the emulator: what was told is the history that is asked afterwards, whatever happened between."""

from collections.abc import Sequence

import pytest
import trio

from brokers.errors import BrokerError, Code
from brokers.gateway import LinkNews
from brokers.market import Bar, Interval
from brokers.news_hub import Quarantined
from brokers.tokens.token_store import TokenStore
from brokers.tradestation.bar_stream import BarStream
from brokers.tradestation.feed import MOST_BAR_STREAMS
from tests.brokers.tradestation.kit import ES, LOGIN, Desk, played, until

MINUTE, FIVE = Interval.parse("1m"), Interval.parse("5m")
MINUTE_NS = 60 * 10**9


def told(desk: Desk, symbol: str = ES, interval: Interval = MINUTE) -> list[Bar]:
    return [one for one in desk.market if isinstance(one, Bar) and (one.symbol, one.interval) == (symbol, interval)]


def links(desk: Desk) -> list[bool]:
    return [one.up for one in desk.market if isinstance(one, LinkNews)]


async def followed(desk: Desk, minutes: float, symbol: str = ES, interval: Interval = MINUTE) -> Sequence[Bar]:
    """Follows a series for some minutes, to just before the next one ends, and checks it against its history."""
    begun = desk.world.clock.wall_ns()
    await desk.feed.subscribe_bars(symbol, interval)
    await trio.sleep(minutes * 60)
    into = desk.world.clock.wall_ns() % MINUTE_NS / 10**9
    await trio.sleep((45 - into) % 60)
    heard = told(desk, symbol, interval)
    assert heard == list(await desk.feed.bars(symbol, interval, begun, desk.world.clock.wall_ns()))
    assert len(heard) >= minutes * MINUTE_NS // interval.nanoseconds - 1
    return heard


@pytest.mark.parametrize(
    "fault", ["slice=90*always", "clump=3*always", "blank-lines", "go-away=300*always", "stream-drop=200*always"]
)
def test_f01_f02_finished_bars_are_the_history_whatever_happens_to_the_bytes(fault: str) -> None:
    async def play(desk: Desk) -> None:
        desk.emulator.faults.on(fault)
        await followed(desk, 4)

    played(play, symbols=(ES,))


def test_f01_what_was_missed_while_the_host_was_away_is_told_once_and_in_order() -> None:
    async def play(desk: Desk) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(followed, desk, 12)
            await trio.sleep(150)
            before = len(told(desk))
            desk.emulator.house.spawn(desk.emulator.door.shut, 240.0)
            await trio.sleep(0.1)
            for line in list(desk.emulator.door.lines):
                await line.reset()
            await trio.sleep(200)
            assert len(told(desk)) == before
            assert links(desk)[-1:] == [False]
        assert links(desk)[-1:] == [True]
        assert len({one.time_ns for one in told(desk)}) == len(told(desk)) > before + 6

    played(play, symbols=(ES,))


def test_f11_tokens_that_are_renewed_and_refused_in_mid_stream_cost_no_bar() -> None:
    async def play(desk: Desk) -> None:
        store = desk.runtime.name(LOGIN.store_key, TokenStore)
        before = (await store.call(TokenStore.token)).generation
        desk.emulator.faults.on("stream-drop=400*always")
        await followed(desk, 6)
        assert (await store.call(TokenStore.token)).generation >= before + 4

    played(play, "rotate-tokens", "short-tokens=60", symbols=(ES,))


def test_f03_a_half_open_stream_costs_no_bar() -> None:
    async def play(desk: Desk) -> None:
        desk.emulator.faults.on("half-open=150/stream*3")
        await followed(desk, 6)

    played(play, symbols=(ES,))


def test_a_crash_of_the_reader_costs_no_bar() -> None:
    async def play(desk: Desk) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(followed, desk, 5)
            await trio.sleep(130)
            reader = desk.runtime.name(("live-bars", "tradestation", "main", "paper"), BarStream).resolve()
            assert reader is not None
            reader.kill("a crash")
            await trio.sleep(30)
            assert not reader.alive

    played(play, symbols=(ES,))


def test_series_of_one_symbol_and_of_others_are_told_apart() -> None:
    async def play(desk: Desk) -> None:
        async with trio.open_nursery() as nursery:
            for symbol, interval in ((ES, MINUTE), (ES, FIVE), ("ES", MINUTE)):
                nursery.start_soon(followed, desk, 10, symbol, interval)
        assert not [one for one in desk.told if isinstance(one, Quarantined)]
        assert links(desk) == []

    played(play, symbols=(ES,))


def test_a_series_ends_with_its_last_user_and_one_too_many_is_fine() -> None:
    async def play(desk: Desk) -> None:
        for _ in range(2):
            await desk.feed.subscribe_bars(ES, MINUTE)
        await desk.feed.unsubscribe_bars(ES, MINUTE)
        await trio.sleep(130)
        assert told(desk)
        for _ in range(2):
            await desk.feed.unsubscribe_bars(ES, MINUTE)
        desk.market.clear()
        await trio.sleep(130)
        assert desk.market == []

    played(play, symbols=(ES,))


def test_a_series_that_is_given_up_while_it_is_down_takes_its_link_news_along() -> None:
    async def play(desk: Desk) -> None:
        await desk.feed.subscribe_bars(ES, MINUTE)
        await trio.sleep(5)
        desk.emulator.house.spawn(desk.emulator.door.shut, 600.0)
        await trio.sleep(0.1)
        for line in list(desk.emulator.door.lines):
            await line.reset()
        await until(lambda: links(desk)[-1:] == [False])
        await desk.feed.unsubscribe_bars(ES, MINUTE)
        assert links(desk)[-1:] == [True]
        await trio.sleep(60)
        assert links(desk)[-1:] == [True]

    played(play, symbols=(ES,))


def test_what_cannot_be_streamed_is_refused_and_counts_for_nothing() -> None:
    async def play(desk: Desk) -> None:
        for symbol, interval, code in (
            ("ES", "7s", Code.UNSUPPORTED),
            ("ES", "2d", Code.UNSUPPORTED),
            ("NOSUCH", "1m", Code.SYMBOL_NOT_FOUND),
        ):
            with pytest.raises(BrokerError) as caught:
                await desk.feed.subscribe_bars(symbol, Interval.parse(interval))
            assert caught.value.code is code
        for minutes in range(1, MOST_BAR_STREAMS + 1):
            await desk.feed.subscribe_bars(ES, Interval.parse(f"{minutes}m"))
        with pytest.raises(BrokerError) as caught:
            await desk.feed.subscribe_bars("ES", MINUTE)
        assert caught.value.code is Code.RATE_LIMITED
        await desk.feed.subscribe_bars(ES, MINUTE)
        await trio.sleep(30)
        assert links(desk) == []

    played(play, symbols=(ES,))
