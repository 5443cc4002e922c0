"""What a scenario touches: one life of an adapter at its other side, a session's account manager, and short words."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar

import attrs
import trio

from brokers.account_books import AccountBooks, BooksStatistics, books_name
from brokers.account_manager import AccountManager
from brokers.broker import Broker
from brokers.errors import BrokerError
from brokers.gateway import LinkNews, News, OrderNews
from brokers.instruments import Instrument
from brokers.keys import new_key
from brokers.market import MarketEvent, Quote
from brokers.model import Change, Fill, Order, OrderGroup, OrderReport, OrderState, OrderType
from brokers.order_log import MemoryLog, OrderLog
from brokers.sides import Side
from runtime import Name, Runtime, Supervisor, SupervisorRef, open_runtime
from runtime.errors import CallError
from runtime.simulation import SimulatedWorld
from tests.conformance.candidate import Candidate, OtherSide, Show

T = TypeVar("T")
D = Decimal
PATIENCE = 240.0  # virtual seconds: an order in doubt may need the broker's longest silence
LONGEST_QUOTA = 300.0  # seconds until a fixed window of requests has run out
LIVE = (OrderState.WORKING, OrderState.HELD, OrderState.PARTIALLY_FILLED)


@attrs.define(eq=False)
class Floor:
    """One broker and one session at it."""

    world: SimulatedWorld
    candidate: Candidate
    side: OtherSide
    runtime: Runtime
    broker: Broker
    show_event: Show | None  # None: the market moves by itself
    news: list[News]
    market: list[MarketEvent | LinkNews]
    manager: Name[AccountManager] | None = None
    session: SupervisorRef | None = None
    sent: set[str] = attrs.field(factory=set)  # keys of the orders that plays have asked for
    strangers: int = 0  # orders that others are to place

    # Prices.

    @property
    def symbol(self) -> str:
        return self.candidate.symbols[0]

    @property
    def instrument(self) -> Instrument:
        return self.side.exchange.instruments[self.symbol]

    @property
    def quoted(self) -> Quote:
        quote = self.side.exchange.quote(self.symbol)
        assert quote is not None, "the other side has shown no quote yet"
        return quote

    @property
    def bid(self) -> Decimal:
        assert self.quoted.bid is not None
        return self.quoted.bid

    @property
    def ask(self) -> Decimal:
        assert self.quoted.ask is not None
        return self.quoted.ask

    def ticks(self, number: int) -> Decimal:
        return self.instrument.tick * number

    async def show(self, move: int = 0, size: int = 1000, symbol: str | None = None) -> Quote:
        """The market moves by so many ticks and shows so much on each side."""
        assert self.show_event is not None, "this scenario's market moves by itself"
        symbol = symbol or self.symbol
        before = self.side.exchange.quote(symbol)
        assert before is not None
        assert before.bid is not None
        tick = self.side.exchange.instruments[symbol].tick
        bid = before.bid + move * tick
        now = self.world.clock.wall_ns()
        quote = Quote(symbol, bid, bid + tick, Decimal(size), Decimal(size), now)
        self.show_event(quote)
        await trio.sleep(0.01)
        return quote

    # Orders.

    def order(self, side: Side = Side.BUY, quantity: int = 1, **terms: Any) -> Order:
        """A market order for the first symbol, unless the terms say otherwise; a limit makes it a limit order."""
        kind = terms.pop("type", OrderType.LIMIT if "limit_price" in terms else OrderType.MARKET)
        key = str(new_key(1, self.world.chance))
        return Order(key, terms.pop("symbol", self.symbol), side, kind, Decimal(quantity), **terms)

    def resting(self, side: Side = Side.BUY, quantity: int = 1, away: int = 40, **terms: Any) -> Order:
        """A limit order so many ticks behind the market."""
        price = self.bid - self.ticks(away) if side is Side.BUY else self.ask + self.ticks(away)
        return self.order(side, quantity, limit_price=price, **terms)

    @property
    def account(self) -> Name[AccountManager]:
        assert self.manager is not None, "this broker takes no orders"
        return self.manager

    @property
    def books(self) -> Name[AccountBooks]:
        return self.runtime.name(books_name(self.broker.name, self.candidate.account), AccountBooks)

    async def submit(
        self, order: Order | OrderGroup, account: Name[AccountManager] | None = None
    ) -> tuple[OrderReport, ...]:
        self.sent |= {order.key} if isinstance(order, Order) else {one.key for one in order.orders}
        return await self.broker.submit_order(account or self.account, order)

    async def flatten(self, symbol: str | None = None) -> tuple[OrderReport, ...]:
        closing = await self.broker.flatten(self.account, symbol)
        self.sent |= {one.order.key for one in closing}
        return closing

    async def attempt(self, order: Order) -> None:
        """Submits an order whose request may fail or find nobody's patience."""
        with contextlib.suppress(BrokerError, CallError):
            await self.submit(order)

    async def working(self, order: Order) -> Order:
        """Places an order and waits until it lives."""
        await self.submit(order)
        await self.becomes(order, *LIVE)
        return order

    async def modify(self, order: Order, **terms: Decimal) -> OrderReport:
        return await self.broker.modify_order(self.account, Change(order.key, **terms))

    async def cancel(self, order: Order) -> OrderReport:
        return await self.broker.cancel_order(self.account, order.key)

    async def report(self, order: Order) -> OrderReport:
        return await self.account.call(AccountManager.order, order.key)

    async def becomes(self, order: Order, *states: OrderState, seconds: float = PATIENCE) -> OrderReport:
        """The report of an order once it is in one of the states."""
        with trio.move_on_after(seconds):
            while (report := await self.report(order)).state not in states:  # noqa: ASYNC110 - it has no event
                await trio.sleep(0.05)
            return report
        wanted = ", ".join(one.value for one in states)
        raise AssertionError(f"expected the order to become {wanted}, after {seconds:g} s it is {report}")

    async def filled(self, order: Order, quantity: int | None = None) -> OrderReport:
        report = await self.becomes(order, OrderState.FILLED)
        assert report.filled == (order.quantity if quantity is None else quantity), report
        return report

    async def holds(self, quantity: int, symbol: str | None = None) -> None:
        """Waits until our books hold so much."""
        held = D(0)
        with trio.move_on_after(PATIENCE):
            while (held := await self.held(symbol)) != quantity:  # noqa: ASYNC110 - the same
                await trio.sleep(0.05)
        assert held == quantity, f"expected the books to hold {quantity}, they hold {held}"

    async def held(self, symbol: str | None = None) -> Decimal:
        """What the account holds by our books."""
        symbol = symbol or self.symbol
        positions = await self.books.call(AccountBooks.positions)
        return sum((one.quantity for one in positions if one.symbol == symbol), D(0))

    async def statistics(self) -> BooksStatistics:
        return await self.books.call(AccountBooks.statistics)

    # What was heard.

    def happened(self, kind: type[T]) -> list[T]:
        """What happened to orders, of one kind."""
        return [one.event for one in self.news if isinstance(one, OrderNews) and isinstance(one.event, kind)]

    def seen(self, kind: type[T], symbol: str | None = None) -> list[T]:
        """Market events of one kind and symbol."""
        return [one for one in self.market if isinstance(one, kind) and _of(one, symbol or self.symbol)]

    def links(self) -> list[bool]:
        """The states of the market's link, as told."""
        return [one.up for one in self.market if isinstance(one, LinkNews)]

    async def until(self, holds: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Waits until something holds."""
        with trio.move_on_after(seconds):
            while not holds():  # noqa: ASYNC110 - what is waited for has no event
                await trio.sleep(0.05)
            return
        raise AssertionError(f"expected {what} within {seconds:g} s")

    # The other side's books: the oracle.

    def truly_held(self) -> Counter[str]:
        """What the broker's own books hold, over all accounts."""
        exchange, found = self.side.exchange, Counter[str]()
        for account in exchange.accounts:
            for position in exchange.positions(account):
                found[position.symbol] += position.quantity  # type: ignore[assignment]  # Decimal counts exactly
        return found

    def truly_filled(self) -> tuple[Fill, ...]:
        exchange = self.side.exchange
        return tuple(fill for account in exchange.accounts for fill in exchange.fills_since(account, 0))

    def truly_open(self) -> int:
        exchange = self.side.exchange
        return sum(len(exchange.engine.open_orders(account)) for account in exchange.accounts)

    def sent_once(self) -> None:
        """No order came to the broker that nobody asked for: nothing was sent twice."""
        exchange = self.side.exchange
        there = [report for account in exchange.accounts for report in exchange.orders_since(account, 0)]
        asked = len(self.sent) + self.strangers
        assert len(there) <= asked, f"{asked} orders were asked for, the broker has had {len(there)}: {there}"

    async def agree(self) -> None:
        """Our books come to hold what the broker's hold, with as many orders open and none in doubt."""
        found = ""
        with trio.move_on_after(PATIENCE):
            while found := await self._difference():  # noqa: ASYNC110 - the same
                await trio.sleep(0.5)
        assert not found, found

    async def _difference(self) -> str:
        ours = {one.symbol: one.quantity for one in await self.books.call(AccountBooks.positions) if one.quantity}
        theirs = {symbol: held for symbol, held in self.truly_held().items() if held}
        known = await self.statistics()
        if ours != theirs:
            return f"our books hold {ours}, the broker's {theirs}"
        if known.unknown_orders:
            return f"{known.unknown_orders} orders are in doubt: {known.last_problem}"
        if known.open_orders != self.truly_open():
            return f"{known.open_orders} orders are open in our books, {self.truly_open()} at the broker"
        return "" if known.reconciled else "the books were not reconciled"


def _of(event: object, symbol: str) -> bool:
    return getattr(event, "symbol", symbol) == symbol


@asynccontextmanager
async def _life(
    world: SimulatedWorld,
    candidate: Candidate,
    side: OtherSide,
    logs: dict[str, OrderLog],
    show: Show | None = None,
    *,
    still: bool = True,
    session: str = "session",
) -> AsyncIterator[Floor]:
    """One life of the daemon at a broker; `logs` carry the books from one life to the next."""
    async with open_runtime(world) as runtime:
        broker = await side.open(runtime, lambda account: logs.setdefault(account, MemoryLog(keep=True)))
        held = side.still() if still and show is None else show
        floor = Floor(world, candidate, side, runtime, broker, held, [], [])
        if broker.feed is not None:
            broker.feed.listen(floor.market.append)
        if broker.orders is not None:
            broker.orders.listen(candidate.account, floor.news.append)
            await seated(floor, session)
        if held is not None and _shows(candidate):
            for symbol in candidate.symbols:
                await floor.show(symbol=symbol)
        yield floor


def _shows(candidate: Candidate) -> bool:
    """Whether the broker trades or quotes, so that a scene begins with a deep quote of each symbol."""
    data = candidate.capability.data
    return candidate.capability.orders is not None or (data is not None and data.quotes)


async def seated(floor: Floor, session: str) -> Name[AccountManager]:
    """Starts a session's account manager; the first is the floor's own."""
    child = floor.broker.account_manager(floor.candidate.account, session=session, epoch=1, name=f"manager-{session}")
    tree = await floor.runtime.start(Supervisor([child]), session)
    name = floor.runtime.name(f"manager-{session}", AccountManager)
    if floor.manager is None:
        floor.manager, floor.session = name, tree
    return name


@attrs.define(eq=False)
class Stage:
    """A broker that outlives the adapter: what a play of several lives gets."""

    world: SimulatedWorld
    candidate: Candidate
    side: OtherSide
    logs: dict[str, OrderLog] = attrs.field(factory=dict)

    def opened(self, **options: Any) -> AbstractAsyncContextManager[Floor]:
        """One life; the books are those of the life before."""
        return _life(self.world, self.candidate, self.side, self.logs, **options)
