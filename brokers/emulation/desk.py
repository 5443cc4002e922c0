"""The exchange behind an emulator: the paper exchange and a synthetic market, both moved along by the world's clock."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal

import attrs
import trio

from brokers.catalogue import Catalogue
from brokers.emulation.log import ACCEPTED, BUSTED, ENDED, FILLED, REFUSED, EventLog
from brokers.guards.timeline import NEVER_NS, Timeline
from brokers.instruments import Instrument
from brokers.ledger import Correction
from brokers.market import MarketEvent, MarketStatus
from brokers.matching.events import Accepted, Canceled, Expired, Rejected, Traded
from brokers.model import Change, Fill, Order, OrderGroup
from brokers.paper.exchange import Cascade, PaperExchange
from brokers.paper.settings import PaperSettings
from brokers.paper.source import ReplaySource, SyntheticSource

BATCH = 256  # market events between two checkpoints when many are due at once

Hear = Callable[[Cascade], None]
Watch = Callable[[MarketEvent], None]
Leave = Callable[[], None]


class Desk:
    """Takes orders and lets the market happen; whoever listens hears of both at once."""

    def __init__(
        self,
        settings: PaperSettings,
        catalogue: Catalogue,
        chance: random.Random,
        timeline: Timeline,
        log: EventLog,
        recording: Sequence[MarketEvent] = (),
    ) -> None:
        now = timeline.now_ns()
        self.catalogue = catalogue
        self.source = (
            ReplaySource(catalogue, recording, now)
            if recording
            else SyntheticSource(catalogue, settings.symbols, settings.seed, now)
        )
        self.exchange = PaperExchange(settings, self.source.instruments, chance, now)
        self._timeline = timeline
        self._log = log
        self._events: Iterator[MarketEvent] = self.source.events()
        self._hearers: dict[Hear, None] = {}
        self._watchers: dict[Watch, None] = {}
        self._corrections = 0
        self._keys: dict[str, str | None] = {}  # the client's own, by ours
        self._due = trio.Event()

    @property
    def instruments(self) -> dict[str, Instrument]:
        """What is traded, by canonical symbol."""
        return self.exchange.instruments

    def now_ns(self) -> int:
        """The time at the exchange."""
        return self._timeline.now_ns()

    def hear(self, hear: Hear) -> Leave:
        """Hands every cascade to hear; the returned function ends that."""
        self._hearers[hear] = None

        def leave() -> None:
            self._hearers.pop(hear, None)

        return leave

    def watch(self, watch: Watch) -> Leave:
        """Hands every market event to watch, after the exchange; the returned function ends that."""
        self._watchers[watch] = None

        def leave() -> None:
            self._watchers.pop(watch, None)

        return leave

    # Commands.

    def submit(
        self, account: str, order: Order | OrderGroup, keys: Mapping[str, str | None] | None = None
    ) -> tuple[Cascade, ...]:
        """An order or a group arrives; `keys` are what the client calls its orders, for the log."""
        self._keys.update(keys or {})
        return self._tell(self.exchange.submit(account, order, self.now_ns()))

    def change(self, account: str, change: Change) -> tuple[Cascade, ...]:
        """A change arrives."""
        return self._tell(self.exchange.change(account, change, self.now_ns()))

    def cancel(self, account: str, key: str) -> tuple[Cascade, ...]:
        """A cancel arrives."""
        return self._tell(self.exchange.cancel(account, key, self.now_ns()))

    def correct(self, fill: Fill, price: Decimal | None) -> None:
        """Gives a fill another price, or takes it back for None; position and money are restated."""
        self._corrections += 1
        now, account, symbol = self.now_ns(), fill.account, fill.symbol
        name = f"correction/{self._corrections}"
        replacement = None if price is None else attrs.evolve(fill, id=name, price=price, time_ns=now)
        ledger = self.exchange.ledger(account)
        ledger.correct(Correction(name, fill, replacement, now))
        # Nothing here is reduce-only, so that a position that is set ends no order and there is nothing to tell.
        self.exchange.engine.set_position(account, symbol, ledger.position(symbol).quantity, now)
        self._log.put(BUSTED, account=account, key=fill.order_key, fill=fill.id, price=price)
        summary, position = self.exchange.summary(account), ledger.position(symbol)
        self._tell((Cascade(account, now, (), (), summary, (position,), (), ()),))

    # The course of things.

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Lets the market happen until cancelled; begins with the markets that are open now."""
        for symbol in self.instruments:
            self._status(symbol, self.source.status(symbol, self.now_ns()))
        async with trio.open_nursery() as nursery:
            for symbol in self.instruments:
                nursery.start_soon(self._keep_hours, symbol)
            nursery.start_soon(self._advance)
            nursery.start_soon(self._let_market_happen)
            task_status.started()

    async def _let_market_happen(self) -> None:
        handled = 0
        for event in self._events:
            if event.time_ns > self.now_ns():
                await self._timeline.reach(event.time_ns)
            else:
                handled += 1
                if handled % BATCH == 0:
                    await trio.lowlevel.checkpoint()
            self.market(event)

    def market(self, event: MarketEvent) -> None:
        """The market moves; the exchange comes first, then those who watch."""
        self._tell(self.exchange.market(event, max(event.time_ns, 0)))
        for watch in tuple(self._watchers):
            watch(event)

    async def _keep_hours(self, symbol: str) -> None:
        while (change := self.source.next_status(symbol, self.now_ns())) is not None:
            time_ns, status = change
            await self._timeline.reach(time_ns)
            self._status(symbol, status)
            if status is MarketStatus.CLOSED and self.source.is_over(symbol, self.now_ns()):
                self._settle(symbol)
                return

    def _status(self, symbol: str, status: MarketStatus) -> None:
        self._tell(self.exchange.set_status(symbol, status, self.now_ns()))

    def _settle(self, symbol: str) -> None:
        price = self.exchange.last_price(symbol)
        if price is not None:
            self._tell(self.exchange.settle(symbol, price, self.now_ns()))

    async def _advance(self) -> None:
        """Does what falls due at the exchange: orders whose time is up."""
        while True:
            self._due = trio.Event()
            due = self.exchange.engine.next_due
            with trio.move_on_at(self._timeline.on_trio_clock(NEVER_NS if due is None else due)):
                await self._due.wait()
                continue
            self._tell(self.exchange.advance(self.now_ns()))

    def _tell(self, cascades: tuple[Cascade, ...]) -> tuple[Cascade, ...]:
        for cascade in cascades:
            fees = {fill.id: fill.fee for fill in cascade.executions}
            for event in cascade.events:
                self._note(event, fees)
            for hear in tuple(self._hearers):
                hear(cascade)
        if cascades:
            self._due.set()
        return cascades

    def _note(self, event: object, fees: Mapping[str, Decimal]) -> None:
        if isinstance(event, Accepted):
            order = event.order
            terms = {"side": order.side.value, "quantity": order.quantity, "group": event.group}
            client = self._keys.get(event.key)
            self._log.put(ACCEPTED, account=event.account, key=event.key, symbol=event.symbol, client=client, **terms)
        elif isinstance(event, Rejected):
            self._log.put(REFUSED, account=event.account, key=event.key, why=event.refusal.sentence)
        elif isinstance(event, Traded):
            fill = event.fill
            terms = {"side": fill.side.value, "quantity": fill.quantity, "price": fill.price, "fee": fees[fill.id]}
            self._log.put(
                FILLED,
                account=event.account,
                key=event.key,
                symbol=event.symbol,
                fill=fill.id,
                left=event.remaining,
                **terms,
            )
        elif isinstance(event, Canceled | Expired):
            how = type(event).__name__.lower()
            self._log.put(ENDED, account=event.account, key=event.key, how=how, filled=event.filled)
