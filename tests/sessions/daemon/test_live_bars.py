"""Following bars: each finished one once and in order, by a stream or by asking, over a broker's connections."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from brokers.broker import Broker
from brokers.errors import Code, Unsupported
from brokers.gateway import FeedGateway, Leave, LinkNews
from brokers.instruments import Instrument
from brokers.market import Bar, Interval, MarketEvent
from tests.sessions.daemon.test_rehearsal import PAPER, Stage, rehearse

MINUTE = Interval.parse("1m")
SYMBOL = "BTC-USD"
FOLLOWING = f"broker=paper&symbol={SYMBOL}&count=3&follow=1"


@attrs.define(eq=False)
class Streaming:
    """The paper market's feed, of a broker that streams minutes as well; the test says when one is over."""

    feed: FeedGateway
    asked: list[str] = attrs.field(factory=list)
    hearers: list[Callable[[MarketEvent | LinkNews], None]] = attrs.field(factory=list)
    past: Sequence[Bar] | None = None
    meanwhile: Callable[[], None] = lambda: None  # while the past is asked for

    async def instruments(self) -> Sequence[Instrument]:
        return await self.feed.instruments()

    async def bars(self, symbol: str, interval: Interval, start_ns: int, end_ns: int) -> Sequence[Bar]:
        self.meanwhile()
        if self.past is None:
            raise Unsupported("paper", Code.UNSUPPORTED, "there is no history")
        return self.past

    async def subscribe(self, symbol: str) -> None:
        await self.feed.subscribe(symbol)

    async def unsubscribe(self, symbol: str) -> None:
        await self.feed.unsubscribe(symbol)

    async def subscribe_bars(self, symbol: str, interval: Interval) -> None:
        if interval != MINUTE:
            raise Unsupported("paper", Code.UNSUPPORTED, "minutes only")
        self.asked.append(f"begin {symbol} {interval}")

    async def unsubscribe_bars(self, symbol: str, interval: Interval) -> None:
        self.asked.append(f"end {symbol} {interval}")

    def listen(self, hear: Callable[[MarketEvent | LinkNews], None]) -> Leave:
        self.hearers.append(hear)
        return lambda: self.hearers.remove(hear)

    def tell(self, bar: Bar) -> None:
        for hear in self.hearers:
            hear(bar)


def streaming(broker: Broker) -> tuple[Broker, Streaming]:
    """The broker with a stream of bars."""
    assert broker.feed is not None
    assert broker.capability.data is not None
    feed = Streaming(broker.feed)
    capability = attrs.evolve(broker.capability, data=attrs.evolve(broker.capability.data, live_bars=True))
    return attrs.evolve(broker, capability=capability, feed=feed), feed


def bar(minute: int, symbol: str = SYMBOL, interval: Interval = MINUTE) -> Bar:
    price = Decimal(100 + minute)
    return Bar(symbol, interval, price, price, price, price, Decimal(1), minute * MINUTE.nanoseconds)


def minutes(rows: list[dict[str, Any]]) -> list[int]:
    return [row["time_ns"] // MINUTE.nanoseconds for row in rows]


@asynccontextmanager
async def followed(stage: Stage, query: str = FOLLOWING) -> AsyncIterator[list[dict[str, Any]]]:
    """The rows that a client gets while it follows."""
    rows: list[dict[str, Any]] = []
    gone = trio.Event()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        rows.extend(json.loads(line) for line in message.get("body", b"").splitlines())

    scope = {
        "type": "http", "method": "GET", "path": "/v1/bars", "raw_path": b"/v1/bars", "root_path": "",
        "query_string": query.encode(), "headers": [], "http_version": "1.1", "scheme": "http",
        "extensions": {"peercred": {"uid": 0}},
    }  # fmt: skip
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.app, scope, receive, send)
        await trio.sleep(0.5)
        yield rows
        gone.set()


def test_a_broker_that_is_asked_gives_every_bar_once_soon_after_it_is_over(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        async with followed(stage) as rows:
            first = minutes(rows)
            assert len(first) == 3
            await trio.sleep(300)
            assert minutes(rows) == list(range(first[0], first[0] + 8))
        history = await stage.get(f"bars?broker=paper&symbol={SYMBOL}&count=8")
        assert rows == history

    rehearse(tmp_path, PAPER, play)


def test_a_stream_is_heard_from_before_the_past_is_asked_for_so_that_nothing_is_missed_or_told_twice(
    tmp_path: Path,
) -> None:
    async def play(stage: Stage) -> None:
        stage.house.brokers["paper"], feed = streaming(stage.house.brokers["paper"])
        feed.past = [bar(minute) for minute in (1, 2, 3)]

        def meanwhile() -> None:
            feed.tell(bar(3))
            feed.tell(bar(4))

        feed.meanwhile = meanwhile
        async with followed(stage) as rows:
            assert minutes(rows) == [1, 2, 3, 4]
            for one in (bar(4), bar(5, "ETH-USD"), bar(5, interval=Interval.parse("5m")), bar(5)):
                feed.tell(one)
            await trio.sleep(0.1)
            assert minutes(rows) == [1, 2, 3, 4, 5]
            assert feed.asked == ["begin BTC-USD 1m"]
        await trio.sleep(0.1)
        assert (feed.asked, feed.hearers) == (["begin BTC-USD 1m", "end BTC-USD 1m"], [])

    rehearse(tmp_path, PAPER, play)


def test_without_a_past_it_begins_with_what_comes(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.house.brokers["paper"], feed = streaming(stage.house.brokers["paper"])
        async with followed(stage) as rows:
            assert rows == []
            feed.tell(bar(7))
            await trio.sleep(0.1)
            assert minutes(rows) == [7]

    rehearse(tmp_path, PAPER, play)


def test_another_connection_of_the_broker_is_followed_on(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        plain = stage.house.brokers["paper"]
        stage.house.brokers["paper"], feed = streaming(plain)
        feed.past = [bar(1)]
        async with followed(stage) as rows:
            del stage.house.brokers["paper"]
            await trio.sleep(20)
            assert feed.asked[-1] == "end BTC-USD 1m"
            stage.house.brokers["paper"], other = streaming(plain)
            other.past = [bar(minute) for minute in (1, 2)]
            await trio.sleep(20)
            other.tell(bar(3))
            await trio.sleep(0.1)
            assert minutes(rows) == [1, 2, 3]

    rehearse(tmp_path, PAPER, play)


def test_bars_that_a_broker_does_not_stream_are_asked_for(tmp_path: Path) -> None:
    async def play(stage: Stage) -> None:
        stage.house.brokers["paper"], feed = streaming(stage.house.brokers["paper"])
        feed.past = [bar(5, interval=Interval.parse("5m"))]
        async with followed(stage, f"{FOLLOWING}&interval=5m") as rows:
            assert (minutes(rows), feed.asked, feed.hearers) == ([5], [], [])

    rehearse(tmp_path, PAPER, play)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("broker=nobody&symbol=BTC-USD&follow=1", "unknown_broker"),
        ("broker=paper&symbol=NOSUCH&follow=1", "symbol_not_found"),
        ("broker=paper&follow=1", "bad_request"),
        ("broker=paper&symbol=BTC-USD&interval=soon&follow=1", "bad_request"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_a_code(tmp_path: Path, query: str, code: str) -> None:
    async def play(stage: Stage) -> None:
        status, problem = await stage.ask("GET", f"/v1/bars?{query}")
        assert (status >= 400, problem["code"]) == (True, code)

    rehearse(tmp_path, PAPER, play)
