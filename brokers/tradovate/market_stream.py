"""The market-data socket: quotes of all who want them, and charts, one after the other."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import attrs
import trio

from brokers.errors import BrokerError, Certainty, Code, broker_error
from brokers.gateway import LinkNews
from brokers.tokens.token_set import Token
from brokers.tradovate.auth import market_access
from brokers.tradovate.settings import BROKER
from brokers.tradovate.stream import Parts, Stream
from brokers.tradovate.talk import SocketLost, Talk
from brokers.tradovate.wire import BadPayload, Message, decode
from brokers.tradovate.wire_market import BarRow, ChartPacket, Charts, QuoteMerger, QuoteRow, Quotes, Reply, quotes_in
from runtime.wire.secret import Secret

CHART_SECONDS: Final = 30.0
CANCEL_SECONDS: Final = 2.0
MOST_ROWS: Final = 100_000
"""How many bars of one history are taken; the broker gives far fewer at a time."""


Follower = Callable[[Sequence[BarRow]], None]
"""Hears the bars of a chart that come after its history."""


@attrs.define(eq=False)
class Board:
    """What is followed on the market-data socket; it outlives the actor.

    `mergers` are by contract number, `packets` those of the chart that is being asked for, None between charts,
    `followers` by the id of the chart that they follow.
    """

    mergers: dict[int, QuoteMerger] = attrs.field(factory=dict)
    names: dict[str, int] = attrs.field(factory=dict)  # the broker's names of what is followed
    talk: Talk | None = None
    turned: trio.Event = attrs.field(factory=trio.Event)  # set when `talk` changes
    followers: dict[int, Follower] = attrs.field(factory=dict)
    packets: list[ChartPacket] | None = None
    rows: int = 0
    arrived: trio.Event = attrs.field(factory=trio.Event)
    asking: trio.Lock = attrs.field(factory=trio.Lock)

    def follow(self, name: str, contract_id: int, symbol: str) -> None:
        """Has quotes of a contract taken in."""
        self.names[name] = contract_id
        self.mergers[contract_id] = QuoteMerger(symbol)

    def leave(self, name: str) -> None:
        """Has them passed over."""
        self.mergers.pop(self.names.pop(name, 0), None)

    def merger(self, name: str) -> QuoteMerger | None:
        """What merges the quotes of a name that is followed."""
        return self.mergers.get(self.names.get(name, 0))

    def need_talk(self) -> Talk:
        """The open socket; raises ConnectionFailed while there is none."""
        if self.talk is None:
            raise broker_error(BROKER, Code.CONNECTION_FAILED, "the market-data socket is down; it is being reopened")
        return self.talk

    def connect(self, talk: Talk | None) -> None:
        """Has another socket, or none; nothing is followed on it yet."""
        self.talk = talk
        self.followers.clear()
        self.turned.set()
        self.turned = trio.Event()

    async def opened(self) -> Talk:
        """The socket as soon as there is one."""
        while self.talk is None:
            await self.turned.wait()
        return self.talk

    async def chart(self, body: dict[str, Any]) -> list[BarRow]:
        """The history of a chart in the order in which it came; raises BrokerError."""
        talk = self.need_talk()
        chart_id, rows = await self._history(talk, body, None)
        await self._end(talk, chart_id)
        return rows

    @asynccontextmanager
    async def followed(self, body: dict[str, Any], follower: Follower) -> AsyncIterator[list[BarRow]]:
        """Follows a chart for as long as the block takes, and gives its history; raises BrokerError."""
        talk = self.need_talk()
        chart_id, rows = await self._history(talk, body, follower)
        try:
            yield rows
        finally:
            self.followers.pop(chart_id, None)
            with trio.move_on_after(CANCEL_SECONDS, shield=True):
                await self._end(talk, chart_id)

    async def _end(self, talk: Talk, chart_id: int) -> None:
        """Has no more of a chart told; what comes of it all the same is passed over."""
        with suppress(BrokerError, SocketLost):
            await talk.ask("md/cancelChart", {"subscriptionId": chart_id})

    async def _history(self, talk: Talk, body: dict[str, Any], follower: Follower | None) -> tuple[int, list[BarRow]]:
        """The chart's id and its history, after which the follower hears all that comes; raises BrokerError."""
        async with self.asking:
            self.packets, self.rows = [], 0
            try:
                with trio.fail_after(CHART_SECONDS):
                    chart_id, ids = await self._read(talk, body)
                rows = [row for packet in self._of(ids) for row in packet.bars]
            except trio.TooSlowError:
                text = f"no history within {CHART_SECONDS:g} s"
                raise broker_error(BROKER, Code.TIMEOUT, text, certainty=Certainty.DEFINITE) from None
            except SocketLost as lost:
                raise broker_error(BROKER, Code.CONNECTION_FAILED, str(lost)) from lost
            finally:
                self.packets = None
            if follower is not None:
                self.followers[chart_id] = follower
            return chart_id, rows

    async def _read(self, talk: Talk, body: dict[str, Any]) -> tuple[int, frozenset[int]]:
        """Asks for a chart and waits until its history is whole; gives the id that ends it, and all of its ids."""
        reply = read_reply((await talk.ask("md/getChart", body))[0], str(body["symbol"]))
        ids = [one for one in (reply.realtime_id, reply.historical_id) if one is not None]
        if not ids:
            raise broker_error(
                BROKER, Code.API_ERROR, "a chart without an id: nothing can be told of it", certainty=Certainty.DEFINITE
            )
        while not any(packet.eoh for packet in self._of(ids)):
            if self.talk is not talk:
                raise SocketLost("the market-data socket went down before the history was whole")
            self.arrived = trio.Event()
            await self.arrived.wait()
        return ids[0], frozenset(ids)

    def _of(self, ids: Collection[int]) -> list[ChartPacket]:
        return [packet for packet in self.packets or () if packet.id in ids]

    def add(self, packets: Iterable[ChartPacket]) -> None:
        """Hands packets to who follows their chart, or keeps them for the one that is being asked for.

        Those may come before the reply that names their ids.
        """
        for packet in packets:
            follower = self.followers.get(packet.id)
            if follower is not None:
                follower(packet.bars)
            elif self.packets is not None and self.rows < MOST_ROWS:
                self.rows += max(len(packet.bars), 1)
                self.packets.append(packet)
        self.arrived.set()


def read_reply(data: Any, what: str) -> Reply:
    """What a market-data request was answered with; raises BrokerError for a refusal inside a success."""
    try:
        reply = decode(Reply, data) if memoryview(data) else Reply()
    except BadPayload as bad:
        raise broker_error(BROKER, Code.API_ERROR, str(bad), certainty=Certainty.DEFINITE) from bad
    if reply.error_text or reply.error_code:
        code = Code.SYMBOL_NOT_FOUND if reply.error_code == "UnknownSymbol" else Code.FORBIDDEN
        raise broker_error(BROKER, code, f"{what}: {reply.error_code} {reply.error_text}".strip())
    return reply


class MarketStream(Stream):
    """Carries the quotes of the wanted symbols."""

    what = "the market-data socket"

    def __init__(self, parts: Parts, board: Board) -> None:
        super().__init__(parts)
        self.board = board

    def origin(self) -> str:
        """Where the socket is."""
        return self.parts.settings.market_socket

    def access(self, token: Token) -> Secret:
        """The token for market data."""
        return market_access(token)

    def tell_link(self, news: LinkNews) -> None:
        """All who watch the market hear of it, and a chart that waits fails."""
        if not news.up:
            self.board.connect(None)
        self.board.arrived.set()
        self.parts.hub.market_link(news)

    async def greet(self, talk: Talk, token: Token) -> None:
        """Subscribes to all that is wanted, also to what is wanted meanwhile; one refusal leaves the others alone."""
        begun = set[str]()
        while missing := [name for name in self.board.names if name not in begun]:
            for name in missing:
                begun.add(name)
                await self._begin(talk, name)
        self.board.connect(talk)

    async def _begin(self, talk: Talk, name: str) -> None:
        merger = self.board.merger(name)
        if merger is None:
            return
        merger.forget()
        try:
            await subscribe(talk, name)
        except BrokerError as error:
            self.parts.hub.put_aside(f"quotes of {name}", str(error))

    async def take(self, events: Sequence[Message]) -> None:
        """Hands on quotes and trades, and keeps packets of charts."""
        for event in events:
            try:
                if event.e == "md":
                    self._show(decode(Quotes, event.d).quotes)
                elif event.e == "chart":
                    self.board.add(decode(Charts, event.d).charts)
            except BadPayload as bad:
                self.parts.hub.put_aside(f"market event: {bad.what}", str(bad))

    def glance(self, frame: str | bytes) -> bool:
        """Takes in a frame of mere quotes."""
        rows = quotes_in(frame)
        if rows is not None:
            self._show(rows)
        return rows is not None

    def _show(self, rows: Iterable[QuoteRow]) -> None:
        mergers, hub = self.board.mergers, self.parts.hub
        for row in rows:
            merger = mergers.get(row.contract_id)
            if merger is None:
                continue
            try:
                for event in merger.merge(row):
                    hub.show(event)
            except BadPayload as bad:
                hub.put_aside(f"quote of {merger.symbol}", str(bad))


async def subscribe(talk: Talk, name: str) -> None:
    """Begins a contract's quotes on a socket; raises BrokerError, SocketLost."""
    read_reply((await talk.ask("md/subscribeQuote", {"symbol": name}))[0], f"quotes of {name}")
