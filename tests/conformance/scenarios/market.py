"""Market data: streams, their interruptions, history, and history joined to what is live."""

import itertools
from collections.abc import Sequence

import pytest
import trio

from brokers.errors import BrokerError, Code, RateLimited
from brokers.gateway import FeedGateway
from brokers.market import Bar, BarUnit, Interval, Quote, Trade
from brokers.market_data import MarketDataSource, market_topic
from runtime import Supervisor
from sessions.bars.builder import BarBuilder
from sessions.bars.join import JoinedBars
from tests.conformance.candidate import SECOND_NS
from tests.conformance.floor import Floor
from tests.conformance.scenario import DATA, MINUTES, QUOTES, Need, Scenario, scenario

MINUTE = Interval(1, BarUnit.MINUTE)
MINUTE_NS = MINUTE.nanoseconds
TRADES = Need("trades", lambda record: record.data is not None and record.data.trades)


def feed(floor: Floor) -> FeedGateway:
    return floor.broker.need_feed()


async def streaming(floor: Floor) -> None:
    """Subscribes and waits for the first quote."""
    await feed(floor).subscribe(floor.symbol)
    await floor.show()
    await floor.until(lambda: floor.seen(Quote), "a quote after the subscription")


async def flows(floor: Floor) -> None:
    """What is shown arrives, exactly."""
    shown = await floor.show(3)
    await floor.until(lambda: [one for one in floor.seen(Quote) if one.bid == shown.bid], f"the quote {shown}")
    await floor.show(-3)


@scenario("data.a-quote-arrives-exactly", QUOTES)
async def quotes(floor: Floor) -> None:
    await streaming(floor)
    shown = await floor.show(7, size=13)
    await floor.until(lambda: floor.seen(Quote)[-1].bid == shown.bid, "the newest quote")
    last = floor.seen(Quote)[-1]
    assert (last.bid, last.ask) == (shown.bid, shown.ask)
    assert last.bid_size == last.ask_size == 13


@scenario("data.quotes-lie-on-the-grid-and-in-order", QUOTES, still=False)
async def grid(floor: Floor) -> None:
    await feed(floor).subscribe(floor.symbol)
    await floor.until(lambda: len(floor.seen(Quote)) > 20, "twenty quotes")
    quotes = [one for one in floor.seen(Quote) if one.bid and one.ask]
    assert all(one.bid % floor.instrument.tick == 0 for one in quotes if one.bid)
    assert all(one.bid < one.ask for one in quotes if one.bid and one.ask)
    assert all(one.time_ns <= two.time_ns for one, two in itertools.pairwise(quotes))


@scenario("data.trades-arrive", TRADES, still=False)
async def trades(floor: Floor) -> None:
    await feed(floor).subscribe(floor.symbol)
    await floor.until(lambda: len(floor.seen(Trade)) > 3, "three trades")
    assert all(one.size > 0 and one.price % floor.instrument.tick == 0 for one in floor.seen(Trade))


@scenario("data.only-what-is-subscribed-arrives", QUOTES, still=False)
async def only(floor: Floor) -> None:
    await feed(floor).subscribe(floor.symbol)
    await floor.until(lambda: len(floor.seen(Quote)) > 5, "five quotes")
    assert {one.symbol for one in floor.market if isinstance(one, Quote | Trade | Bar)} == {floor.symbol}


@scenario("data.the-last-of-two-users-ends-the-stream", QUOTES)
async def two_users(floor: Floor) -> None:
    await streaming(floor)
    await feed(floor).subscribe(floor.symbol)
    await feed(floor).unsubscribe(floor.symbol)
    await flows(floor)
    await feed(floor).unsubscribe(floor.symbol)
    await trio.sleep(60)
    seen = len(floor.seen(Quote))
    await floor.show(5)
    await trio.sleep(5)
    assert len(floor.seen(Quote)) == seen


@scenario("data.a-stream-can-begin-again", QUOTES)
async def again(floor: Floor) -> None:
    await streaming(floor)
    await feed(floor).unsubscribe(floor.symbol)
    await trio.sleep(60)
    await feed(floor).subscribe(floor.symbol)
    await flows(floor)


@scenario("data.an-unknown-symbol-is-refused", DATA)
async def unknown(floor: Floor) -> None:
    await floor.runtime.start(Supervisor([floor.broker.data_source(name="source")]), "data")
    source = floor.runtime.name("source", MarketDataSource)
    with pytest.raises(BrokerError) as caught:
        await floor.broker.subscribe(source, "NO-SUCH-THING")
    assert caught.value.code is Code.SYMBOL_NOT_FOUND


@scenario("data.a-source-publishes-for-a-session", QUOTES)
async def published(floor: Floor) -> None:
    await floor.runtime.start(Supervisor([floor.broker.data_source(name="source")]), "data")
    source = floor.runtime.name("source", MarketDataSource)
    with floor.runtime.topics.subscribe(market_topic(floor.broker.name, floor.symbol)) as heard:
        await floor.broker.subscribe(source, floor.symbol)
        shown = await floor.show(2)
        await trio.sleep(10)
        assert shown.bid in [one.bid for one in heard.take() if isinstance(one, Quote)]


@scenario("data.a-roll-moves-to-the-next-contract", QUOTES)
async def roll(floor: Floor) -> None:
    old, new = floor.candidate.symbols[:2]
    await floor.runtime.start(Supervisor([floor.broker.data_source(name="source")]), "data")
    source = floor.runtime.name("source", MarketDataSource)
    await floor.broker.subscribe(source, old)
    await floor.show(1)
    await source.call(MarketDataSource.move, old, new)
    shown = await floor.show(4, symbol=new)
    await floor.until(lambda: shown.bid in [one.bid for one in floor.seen(Quote, new)], "a quote of the next contract")
    statistics = await source.call(MarketDataSource.statistics)
    assert {one.symbol: one.subscribers for one in statistics.symbols} == {old: 0, new: 1}


@scenario("data.the-broker-lists-what-it-trades", DATA)
async def listed(floor: Floor) -> None:
    listed = await feed(floor).instruments()
    assert all(floor.broker.supports_symbol(one.symbol) for one in listed)
    assert len({one.symbol for one in listed}) == len(listed)


# The stream breaks.


@scenario("link.a-severed-stream-is-told-and-comes-back", QUOTES)
async def severed(floor: Floor) -> None:
    await streaming(floor)
    await floor.side.sever()
    await floor.until(lambda: floor.links()[-2:] == [False, True], "the link to go down and come up")
    await flows(floor)


def _shaken(id_: str, switch: str) -> Scenario:
    """A stream that a fault disturbs goes on by itself."""

    @scenario(id_, QUOTES, switches=(switch.partition("=")[0],))
    async def play(floor: Floor) -> None:
        await streaming(floor)
        floor.side.fault(switch)
        await floor.side.sever()
        for move in (1, -1, 2, -2):
            await floor.show(move)
            await trio.sleep(2)
        await trio.sleep(100)
        floor.side.calm(switch.partition("=")[0].partition("/")[0])
        await flows(floor)

    return play


SHAKEN = (
    _shaken("link.frames-cut-anywhere", "slice=3"),
    _shaken("link.frames-in-clumps", "clump=3"),
    _shaken("link.blank-lines-between-frames", "blank-lines"),
    _shaken("link.the-server-drops-the-stream", "stream-drop=3"),
    _shaken("link.a-half-open-line-is-noticed", "half-open=3"),
    _shaken("link.the-server-says-goodbye", "go-away=2"),
    _shaken("link.heartbeats-stay-away", "mute"),
    _shaken("link.all-lines-stop-and-resume", "swizzle=2"),
    _shaken("link.a-number-is-left-out", "sequence-gap"),
)


# History.


def _historic(floor: Floor) -> str:
    return floor.candidate.history or floor.symbol


@scenario("history.bars-are-whole-and-in-order", MINUTES, still=False)
async def bars(floor: Floor) -> None:
    end = floor.world.clock.wall_ns() // MINUTE_NS * MINUTE_NS - 60 * MINUTE_NS
    start = end - 20 * MINUTE_NS
    found = await floor.broker.historical_bars(_historic(floor), MINUTE, start, end)
    assert found
    assert all(start < one.time_ns <= end and one.time_ns % MINUTE_NS == 0 for one in found)
    assert all(one.time_ns < two.time_ns for one, two in itertools.pairwise(found))
    assert all(one.low <= min(one.open, one.close) <= max(one.open, one.close) <= one.high for one in found)
    assert all((one.symbol, one.interval) == (_historic(floor), MINUTE) for one in found)


@scenario("history.the-same-question-has-the-same-answer", MINUTES, still=False)
async def repeatable(floor: Floor) -> None:
    end = floor.world.clock.wall_ns() // MINUTE_NS * MINUTE_NS - 60 * MINUTE_NS
    ask = (_historic(floor), MINUTE, end - 10 * MINUTE_NS, end)
    assert await floor.broker.historical_bars(*ask) == await floor.broker.historical_bars(*ask)


@scenario("history.two-halves-are-the-whole", MINUTES, still=False)
async def halves(floor: Floor) -> None:
    end = floor.world.clock.wall_ns() // MINUTE_NS * MINUTE_NS - 60 * MINUTE_NS
    middle, start = end - 7 * MINUTE_NS, end - 20 * MINUTE_NS
    symbol, ask = _historic(floor), floor.broker.historical_bars
    whole = await ask(symbol, MINUTE, start, end)
    assert [*await ask(symbol, MINUTE, start, middle), *await ask(symbol, MINUTE, middle, end)] == list(whole)


@scenario("history.what-is-to-come-has-no-bars", MINUTES, still=False)
async def nothing_yet(floor: Floor) -> None:
    now = floor.world.clock.wall_ns()
    found = await floor.broker.historical_bars(_historic(floor), MINUTE, now - 5 * MINUTE_NS, now + 60 * MINUTE_NS)
    assert all(one.time_ns <= floor.world.clock.wall_ns() for one in found)


@scenario("history.joins-what-is-live", MINUTES, still=False)
async def joined(floor: Floor) -> None:
    """Bars from history and from prints make one series: every minute once, in order."""
    symbol, clock = _historic(floor), floor.world.clock
    await feed(floor).subscribe(symbol)
    now = clock.wall_ns()
    start = now // MINUTE_NS * MINUTE_NS - 5 * MINUTE_NS
    series = JoinedBars(BarBuilder(symbol, MINUTE, floor.broker.catalogue.calendar(symbol)), start)
    series.watched_from(now)
    found: list[Bar] = []
    read = 0
    while len(found) < 8:
        await trio.sleep(1)
        for event in floor.market[read:]:
            if isinstance(event, Trade) and event.symbol == symbol:
                found += series.trade(event, clock.wall_ns())
        read = len(floor.market)
        found += series.advance(clock.wall_ns())
        if span := series.missing(clock.wall_ns()):
            answer = await floor.broker.historical_bars(symbol, MINUTE, span.start_ns, span.end_ns)
            found += series.answer(answer, span, clock.wall_ns())
    closes = [one.time_ns for one in found]
    assert closes == sorted(set(closes))
    assert closes[0] == start + MINUTE_NS
    statistics = series.statistics()
    assert statistics.holes == ()
    assert statistics.from_history >= 5
    assert statistics.from_ticks >= 1


@scenario("history.a-used-up-quota-is-waited-for", MINUTES, switches=("quota",), still=False)
async def quota(floor: Floor) -> None:
    floor.side.fault("quota=429,3/query*2")
    end = floor.world.clock.wall_ns() // MINUTE_NS * MINUTE_NS - 60 * MINUTE_NS
    ask = (_historic(floor), MINUTE, end - 5 * MINUTE_NS, end)
    found: Sequence[Bar] = ()
    wait_ns: int | None = 0
    try:
        found = await floor.broker.historical_bars(*ask)
    except RateLimited as refused:  # a window that is long to come is not waited for: the caller is told how long
        wait_ns = refused.retry_after_ns
    assert wait_ns is not None
    await trio.sleep(wait_ns / SECOND_NS + 1)
    assert found or await floor.broker.historical_bars(*ask)


def _hostile(word: str) -> Scenario:
    @scenario(f"history.hostile-{word}", MINUTES, switches=("hostile",), still=False)
    async def play(floor: Floor) -> None:
        """Neither taken for bars nor the end of anything: the question fails or is answered well."""
        end = floor.world.clock.wall_ns() // MINUTE_NS * MINUTE_NS - 60 * MINUTE_NS
        ask = (_historic(floor), MINUTE, end - 5 * MINUTE_NS, end)
        good = await floor.broker.historical_bars(*ask)
        floor.side.fault(f"hostile={word}/query")
        try:
            assert await floor.broker.historical_bars(*ask) == good
        except BrokerError:
            assert await floor.broker.historical_bars(*ask) == good

    return play


HOSTILE = tuple(_hostile(word) for word in ("deep", "nan", "bad-utf8", "duplicate-keys", "bomb", "long-number"))
