"""The market-data source, written once: subscriptions counted, the latest kept, everything on a topic."""

from decimal import Decimal

import pytest
import trio

from brokers.errors import OrderRefused
from brokers.gateway import LinkNews
from brokers.market import Interval, Quote, Trade
from brokers.market_data import MarketDataSource, market_topic
from runtime.inspection import inspect, resume, suspend
from tests.brokers.desk import ES, Desk, at_the_desk


def trade(desk: Desk, price: int) -> Trade:
    return Trade(ES, Decimal(price), Decimal(1), desk.world.clock.wall_ns())


def test_what_is_subscribed_is_published_and_the_latest_is_kept() -> None:
    async def play(desk: Desk) -> None:
        with desk.runtime.topics.subscribe(market_topic("paper", ES)) as heard:
            desk.quote("6801", "6801.25")
            await desk.broker.subscribe(desk.source, ES)
            desk.quote("6802", "6802.25")
            desk.venue.market(trade(desk, 6802))
            await trio.sleep(0.01)
            assert [type(event) for event in heard.take()] == [Quote, Trade]
        quote = await desk.source.call(MarketDataSource.latest_quote, ES)
        assert quote is not None
        assert quote.bid == Decimal(6802)
        assert await desk.source.call(MarketDataSource.latest_quote, "AAPL") is None

    at_the_desk(play)


def test_a_stream_ends_with_its_last_subscriber_and_one_too_many_is_fine() -> None:
    async def play(desk: Desk) -> None:
        for _ in range(2):
            await desk.broker.subscribe(desk.source, ES)
        await desk.broker.unsubscribe(desk.source, ES)
        assert ES in desk.hub.wanted
        for _ in range(2):
            await desk.broker.unsubscribe(desk.source, ES)
        assert ES not in desk.hub.wanted
        await desk.broker.subscribe(desk.source, ES)
        assert ES in desk.hub.wanted

    at_the_desk(play)


def test_an_unknown_symbol_is_refused_and_counts_for_nothing() -> None:
    async def play(desk: Desk) -> None:
        for symbol in ("NOSUCH", "ESH27"):
            with pytest.raises(OrderRefused, match=symbol):
                await desk.broker.subscribe(desk.source, symbol)
        statistics = await desk.source.call(MarketDataSource.statistics)
        assert sum(one.subscribers for one in statistics.symbols) == 0

    at_the_desk(play)


def test_quotes_are_conflated_while_the_source_is_held_up_but_trades_never() -> None:
    async def play(desk: Desk) -> None:
        await desk.broker.subscribe(desk.source, ES)
        with desk.runtime.topics.subscribe(market_topic("paper", ES)) as heard:
            suspend(desk.source)
            for price in range(6800, 6810):
                desk.quote(f"{price}", f"{price}.25")
                desk.venue.market(trade(desk, price))
            resume(desk.source)
            await trio.sleep(0.01)
            events = heard.take()
        assert [event.bid for event in events if isinstance(event, Quote)] == [6809]
        assert [event.price for event in events if isinstance(event, Trade)] == list(range(6800, 6810))

    at_the_desk(play)


def test_what_is_said_in_one_breath_is_heard_in_its_order_and_costs_one_message() -> None:
    async def play(desk: Desk) -> None:
        await desk.broker.subscribe(desk.source, ES)
        await trio.sleep(0.01)
        before = inspect(desk.source).handled
        with desk.runtime.topics.subscribe(market_topic("paper", ES)) as heard:
            for price in range(600):
                desk.venue.market(trade(desk, price))
            await trio.sleep(0.01)
            assert [event.price for event in heard.take() if isinstance(event, Trade)] == list(range(600))
        assert inspect(desk.source).handled - before == 1

    at_the_desk(play)


def test_what_there_is_no_room_for_is_counted_and_the_newest_quote_still_gets_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("brokers.market_data.MOST_WAITING", 3)

    async def play(desk: Desk) -> None:
        await desk.broker.subscribe(desk.source, ES)
        with desk.runtime.topics.subscribe(market_topic("paper", ES)) as heard:
            suspend(desk.source)
            desk.quote("6801", "6801.25")
            for price in (1, 2, 3, 4):
                desk.venue.market(trade(desk, price))
            desk.quote("6802", "6802.25")
            resume(desk.source)
            await trio.sleep(0.01)
            quote, *trades = heard.take()
            assert isinstance(quote, Quote)
            assert quote.bid == 6802
            assert [event.price for event in trades if isinstance(event, Trade)] == [1, 2]
            assert (await desk.source.call(MarketDataSource.statistics)).missed == 2
            desk.venue.market(trade(desk, 5))
            await trio.sleep(0.01)
            assert [event.price for event in heard.take() if isinstance(event, Trade)] == [5]

    at_the_desk(play)


def test_the_statistics_tell_of_the_link_and_of_the_age_of_data() -> None:
    async def play(desk: Desk) -> None:
        await desk.broker.subscribe(desk.source, ES)
        desk.quote("6802", "6802.25")
        await trio.sleep(3)
        desk.hub.set_line(LinkNews(False, "cut", 1))
        statistics = await desk.source.call(MarketDataSource.statistics)
        (symbol,) = statistics.symbols
        assert (statistics.up, statistics.link_text) == (False, "cut")
        assert (symbol.subscribers, symbol.events) == (1, 1)
        assert symbol.age_ns is not None
        assert abs(symbol.age_ns - 3_000_000_000) < 1_000_000
        desk.hub.set_line(LinkNews(True, "back", 2))
        assert (await desk.source.call(MarketDataSource.statistics)).up

    at_the_desk(play)


def test_a_move_takes_the_new_contract_first_and_a_refused_one_leaves_the_old() -> None:
    async def play(desk: Desk) -> None:
        await desk.broker.subscribe(desk.source, ES)
        with pytest.raises(OrderRefused):
            await desk.source.call(MarketDataSource.move, ES, "NOSUCH")
        assert list(desk.hub.wanted) == [ES]
        await desk.source.call(MarketDataSource.move, ES, ES)
        assert list(desk.hub.wanted) == [ES]

    at_the_desk(play)


def test_history_is_asked_of_the_broker() -> None:
    async def play(desk: Desk) -> None:
        now = desk.world.clock.wall_ns()
        assert await desk.source.call(MarketDataSource.history, ES, Interval.parse("1m"), now - 60, now) == ()

    at_the_desk(play)
