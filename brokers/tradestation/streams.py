"""The stream actors of one login: its orders, its positions, and the quotes of all who want them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import attrs

from brokers.account_views import AccountViews
from brokers.errors import BrokerError
from brokers.gateway import AccountNews, DoubtNews, LinkNews
from brokers.guards.lessons import lesson_of_error
from brokers.tradestation.hub import Hub
from brokers.tradestation.lines import Lines, ending, one_by_one
from brokers.tradestation.order_memory import OrderMemory
from brokers.tradestation.orders import TradeStationOrders
from brokers.tradestation.symbols import Names
from brokers.tradestation.wire import (
    MAX_LINE,
    BadPayload,
    OrderRecord,
    PositionRecord,
    QuoteLine,
    decode,
)
from brokers.tradestation.wire_market import QuoteMerger
from brokers.tradestation.wire_orders import Foreign, seen_of
from runtime import Actor, MailboxPolicy, Reason

SETTLE_SECONDS: Final = 1.0  # changes of positions that come together are told together


@attrs.frozen(eq=False)
class Parts:
    """What the stream actors work with; all of it outlives them."""

    accounts: tuple[str, ...]
    lines: Lines
    bar_lines: Lines
    names: Names
    memory: OrderMemory
    hub: Hub
    orders: TradeStationOrders
    delayed_data: bool

    def link(self, up: bool, text: str) -> LinkNews:
        """The state of a stream as news."""
        return LinkNews(up, text, self.lines.clock.wall_ns())


class OrderStream(Actor):
    """Carries what happens to orders; up from the end of a snapshot on."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    async def on_start(self) -> None:
        """Begins to read."""
        self.parts.hub.orders_link(self.parts.link(up=False, text="the stream of orders is not open yet"))
        self.spawn(self._keep)

    async def on_stop(self, reason: Reason) -> None:
        """The link goes down with its reader."""
        self.parts.hub.orders_link(self.parts.link(up=False, text=f"the stream of orders has stopped: {reason}"))

    async def _keep(self) -> None:
        parts, reconnect = self.parts, self.parts.lines.reconnect()
        target = f"/v3/brokerage/stream/accounts/{','.join(parts.accounts)}/orders"
        while True:
            await reconnect.turn()
            why = await parts.lines.read("order-streams", target, reconnect.connected, one_by_one(self._take))
            parts.hub.orders_link(parts.link(up=False, text=why))

    def _take(self, line: bytes) -> str | None:
        parts = self.parts
        try:
            record = decode(OrderRecord, line, MAX_LINE)
            if record.heartbeat:
                return None
            if record.stream_status or record.error:
                return self._control(record)
            news = parts.memory.take(seen_of(record, parts.names), parts.lines.clock.wall_ns())
        except BadPayload as bad:
            parts.hub.doubt(DoubtNews(f"order line: {bad.what}", str(bad), parts.lines.clock.wall_ns()))
            return None
        except Foreign as foreign:
            parts.hub.put_aside(f"orders for {foreign.symbol}", str(foreign))
            return None
        parts.hub.tell_orders(news)
        return None

    def _control(self, record: OrderRecord) -> str | None:
        if record.stream_status == "EndSnapshot":
            self.parts.hub.orders_link(self.parts.link(up=True, text="the stream of orders is up"))
            return None
        return ending(record.stream_status, record.error, record.message)


class PositionStream(Actor):
    """Notices that positions or money moved, and tells one consistent view of each account that they moved in."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.owners: dict[str, str] = {}  # position id -> account
        self.views = AccountViews()

    async def on_start(self) -> None:
        """Begins to read."""
        self.spawn(self._keep)

    async def _keep(self) -> None:
        parts, reconnect = self.parts, self.parts.lines.reconnect()
        target = f"/v3/brokerage/stream/accounts/{','.join(parts.accounts)}/positions?changes=true"
        while True:
            await reconnect.turn()
            self.owners.clear()
            await parts.lines.read("position-streams", target, reconnect.connected, one_by_one(self._take))

    def _take(self, line: bytes) -> str | None:
        try:
            record = decode(PositionRecord, line, MAX_LINE)
        except BadPayload as bad:
            self.parts.hub.put_aside(f"position line: {bad.what}", str(bad))
            return None
        if record.stream_status in ("", "EndSnapshot") and not record.error:
            self._note(record)
            return None
        return ending(record.stream_status, record.error, record.message)

    def _note(self, record: PositionRecord) -> None:
        """Profit and loss tick with the market; only what a trade changes is news."""
        if record.account_id:
            self.owners[record.position_id] = record.account_id
        account = self.owners.get(record.position_id)
        if account is None or not (record.deleted or record.quantity is not None or record.average_price is not None):
            return
        if record.deleted:
            del self.owners[record.position_id]
        if self.views.note({account}):
            self.send_after(SETTLE_SECONDS, PositionStream.view)

    def view(self) -> None:
        """Asks for the accounts that moved and tells each as a whole."""
        for account in self.views.due():
            self.spawn(self._view, account)

    async def _view(self, account: str) -> None:
        orders = self.parts.orders
        try:
            positions = tuple(await orders.positions(account))
            summary = await orders.summary(account)
        except BrokerError as error:  # the next change shows it, or the next poll of the books
            host = self.parts.lines.host
            host.heed(lesson_of_error(error), host.timeline.now_ns())
        else:
            self.parts.hub.tell(account, AccountNews(account, summary, positions, summary.time_ns))
        if self.views.told(account):
            self.send_after(SETTLE_SECONDS, PositionStream.view)


class _Run:
    """One connection's life in the stream of quotes."""

    def __init__(self, symbols: tuple[str, ...], before: "_Run | None") -> None:
        self.symbols = symbols
        self.before = before
        self.retired = False  # its successor takes over: it is not opened again
        self.cancel: Callable[[], None] | None = None

    def end(self) -> None:
        """Ends this connection and those that it was to replace."""
        if self.cancel is not None:
            self.cancel()
        self.succeed()

    def succeed(self) -> None:
        """Ends what this connection replaces."""
        before, self.before = self.before, None
        if before is not None:
            before.end()


class QuoteStream(Actor):
    """Carries the quotes of the wanted symbols; when those change the next stream opens before this one ends."""

    mailbox = MailboxPolicy(capacity=10_000)

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.run: _Run | None = None

    async def on_start(self) -> None:
        """Begins with what is wanted already: subscriptions outlive this actor."""
        self.look()

    async def on_stop(self, reason: Reason) -> None:
        """The link goes down with its reader."""
        self.parts.hub.market_link(self.parts.link(up=False, text=f"the stream of quotes has stopped: {reason}"))

    def look(self) -> None:
        """Opens a stream of what is wanted now, if that is not what runs."""
        wanted = tuple(sorted(self.parts.hub.wanted))
        if self.run is not None and self.run.symbols == wanted:
            return
        before, self.run = self.run, None
        if before is not None:
            before.retired = True
        if wanted:
            self.run = run = _Run(wanted, before)
            run.cancel = self.spawn(self._keep, run)
        elif before is not None:
            before.end()
            self.parts.hub.market_link(self.parts.link(up=True, text="no quotes are wanted any more"))

    async def _keep(self, run: _Run) -> None:
        parts, reconnect = self.parts, self.parts.lines.reconnect()
        mergers = self._mergers_of(run)
        target = f"/v3/marketdata/stream/quotes/{','.join(mergers)}"

        def opened() -> None:
            reconnect.connected()
            run.succeed()
            for merger in mergers.values():
                merger.forget()
            parts.hub.market_link(parts.link(up=True, text="the stream of quotes is up"))

        # The broker's name may be echoed in another case.
        folded = mergers | {name.casefold(): merger for name, merger in mergers.items()}
        if run.before is None:
            await reconnect.turn()
        while not run.retired:
            why = await parts.lines.read("quote-streams", target, opened, partial(self._take, folded))
            if not run.retired:
                parts.hub.market_link(parts.link(up=False, text=why))
                await reconnect.turn()

    def _mergers_of(self, run: _Run) -> dict[str, QuoteMerger]:
        names = self.parts.names
        return {names.broker(symbol): QuoteMerger(symbol, names) for symbol in run.symbols}

    def _take(self, mergers: dict[str, QuoteMerger], lines: Sequence[bytes]) -> str | None:
        hub, now_ns, with_delayed = self.parts.hub, self.parts.lines.clock.wall_ns(), self.parts.delayed_data
        for line in lines:
            try:
                found = decode(QuoteLine, line, MAX_LINE)
                merger = mergers.get(found.symbol) or mergers.get(found.symbol.casefold())
                if found.error and (end := self._fault(found)) is not None:
                    return end
                if found.error or merger is None:
                    continue  # a heartbeat, or what is told of one symbol alone
                events = merger.merge(found, now_ns)
                if found.market_flags is not None:
                    self._flagged(merger)
                if with_delayed or not merger.delayed:
                    for event in events:
                        hub.show(event)
            except BadPayload as bad:
                hub.put_aside(f"quote line: {bad.what}", str(bad))
        return None

    def _flagged(self, merger: QuoteMerger) -> None:
        hub = self.parts.hub
        (hub.halted.add if merger.halted else hub.halted.discard)(merger.symbol)
        if merger.delayed and not self.parts.delayed_data:
            hub.put_aside(f"quotes of {merger.symbol}", "they are delayed; set delayed_data to see them all the same")

    def _fault(self, line: QuoteLine) -> str | None:
        """A fault of one symbol leaves the others alone."""
        if line.symbol:
            self.parts.hub.put_aside(f"quotes of {line.symbol}", f"{line.error} {line.message}")
            return None
        return ending("", line.error, line.message)
