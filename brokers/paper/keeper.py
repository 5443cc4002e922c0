"""Makes what happens at the paper exchange durable before anybody is told: notes steps, and writes them in groups.

The exchange goes on while a write is under way; all that has happened meanwhile goes into the next one. The keeper
outlives a crash of the actor that runs it, as the exchange does.
"""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from itertools import chain

import trio

from brokers.errors import Code, broker_error
from brokers.ledger import AccountTerms, CashFlow
from brokers.market import MarketStatus
from brokers.matching.kept import KeptOrder, KeptTie
from brokers.paper.exchange import BROKER, Cascade, PaperExchange, opening
from brokers.paper.keep import PaperMemory, Step
from brokers.paper.settings import PaperSettings
from brokers.paper.source import MarketSource
from brokers.paper.store import PaperStore
from runtime.world import Threads

RETRY_SECONDS = 1.0  # between attempts to write to a disk that fails

Release = Callable[[tuple[Cascade, ...]], None]


def terms_of(settings: PaperSettings) -> list[AccountTerms]:
    """The terms of the accounts in the settings."""
    return [AccountTerms(BROKER, account.id, account.currency) for account in settings.accounts]


def open_accounts(memory: PaperMemory, settings: PaperSettings, now: int) -> None:
    """Opens the accounts of the settings that the memory does not have, each with its deposit."""
    for account in settings.accounts:
        if account.id not in memory.accounts:
            memory.open_account(account.id, opening(account, now))


class Keeper:
    """Between the exchange and those who hear of it."""

    def __init__(self, exchange: PaperExchange, store: PaperStore, threads: Threads) -> None:
        self._exchange = exchange
        self._store = store
        self._threads = threads
        self._steps: list[Step] = []  # those that are not durable yet
        self._held: deque[tuple[int, tuple[Cascade, ...]]] = deque()
        self._trails: dict[int, KeptOrder] = {}
        self._noted = 0
        self._durable = 0
        self._failure: OSError | None = None  # of the last write
        self._wake = trio.Event()
        self._written = trio.Event()

    # Notes.

    def note(self, cascades: tuple[Cascade, ...]) -> None:
        """Keeps what a step did, and holds its cascades back until that is durable."""
        step = self._step(cascades)
        if step is not None:
            self._put(step)
        self._held.append((self._noted, cascades))

    def note_market(self, symbol: str) -> None:
        """Keeps the state of a symbol's market."""
        engine = self._exchange.engine
        self._put(Step(engine.now_ns, markets={symbol: engine.kept_market(symbol)}))

    async def settled(self) -> None:
        """Returns when all that has happened is durable, so that it may be told; raises BrokerError."""
        self._note_trails()
        goal = self._noted
        while self._durable < goal:
            if self._failure is not None:
                raise broker_error(BROKER, Code.CONNECTION_FAILED, f"the venue cannot keep its books: {self._failure}")
            await self._written.wait()

    def _put(self, step: Step) -> None:
        self._steps.append(step)
        self._noted += 1
        self._wake.set()

    def _step(self, cascades: tuple[Cascade, ...]) -> Step | None:
        events = [event for cascade in cascades for event in cascade.events]
        fills = tuple(chain.from_iterable(cascade.executions for cascade in cascades))
        flows: tuple[CashFlow, ...] = tuple(chain.from_iterable(cascade.flows for cascade in cascades))
        if not (events or flows):
            return None
        orders: dict[int, KeptOrder] = {}
        gone: list[int] = []
        ties: dict[int, KeptTie] = {}
        exchange = self._exchange
        for account, key, order_id in dict.fromkeys((e.account, e.key, e.order_id) for e in events if e.order_id):
            order, tie = exchange.engine.kept_order(account, key, order_id)
            if order is None:
                gone.append(int(order_id))
                continue
            orders[order.number] = order
            if tie is not None:
                ties[tie.number] = tie
        quotes = [exchange.quote(symbol) for symbol in dict.fromkeys(fill.symbol for fill in fills)]
        return Step(
            time_ns=exchange.engine.now_ns,
            sequence=max((event.sequence for event in events), default=0),
            orders=tuple(orders[number] for number in sorted(orders)),
            gone=tuple(gone),
            ties=tuple(ties.values()),
            fills=fills,
            flows=flows,
            quotes=tuple(quote for quote in quotes if quote is not None),
            liquidations=exchange.liquidations,
        )

    def _note_trails(self) -> None:
        """Keeps how far stops have trailed, which no event tells; done before anybody is shown it."""
        trails = {order.number: order for order in self._exchange.engine.kept_trails()}
        moved = [order for order in trails.values() if self._trails.get(order.number) != order]
        self._trails = trails
        if moved:
            self._put(Step(self._exchange.engine.now_ns, orders=tuple(sorted(moved, key=lambda order: order.number))))

    # Writing.

    async def run(self, release: Release, trouble: Callable[[OSError | None], None]) -> None:
        """Writes steps as they come and releases what they held back; tells of trouble with the disk and of its end."""
        while True:
            self._settle(release)
            if not self._steps:
                self._wake = trio.Event()
                await self._wake.wait()
            failed_before = self._failure is not None
            try:
                await self._threads.run(partial(self._store.write, tuple(self._steps)))
            except OSError as error:
                self._failure = error
                self._wake_askers()
                if not failed_before:
                    trouble(error)
                await trio.sleep(RETRY_SECONDS)
                continue
            self._failure = None
            if failed_before:
                trouble(None)

    def _settle(self, release: Release) -> None:
        """Takes over how much is on disk: the store knows it also when nobody waited for its last write."""
        del self._steps[: self._store.written - self._durable]
        self._durable = self._store.written
        self._wake_askers()
        while self._held and self._held[0][0] <= self._durable:
            release(self._held.popleft()[1])

    def _wake_askers(self) -> None:
        written, self._written = self._written, trio.Event()
        written.set()


def restore(keeper: Keeper, exchange: PaperExchange, source: MarketSource, memory: PaperMemory, now: int) -> None:
    """Puts an exchange that nobody has used yet back to what was kept, and lets the time pass since then."""
    exchange.restore(memory)
    if not memory.time_ns:
        return
    for symbol, cascades in _hours_since(exchange, source, now):
        keeper.note(cascades)
        keeper.note_market(symbol)


def _hours_since(exchange: PaperExchange, source: MarketSource, now: int) -> Iterable[tuple[str, tuple[Cascade, ...]]]:
    """Lets the hours pass since the exchange's time: sessions end, orders expire, contracts are settled."""
    changes: list[tuple[int, str, MarketStatus]] = []
    for instrument in source.instruments:
        symbol, time_ns = instrument.symbol, exchange.engine.now_ns
        while (change := source.next_status(symbol, time_ns)) is not None and change[0] <= now:
            time_ns = change[0]
            changes.append((time_ns, symbol, change[1]))
    for time_ns, symbol, status in sorted(changes, key=lambda change: change[:2]):
        yield symbol, exchange.set_status(symbol, status, time_ns)
        price = exchange.last_price(symbol)
        if status is MarketStatus.CLOSED and price is not None and source.is_over(symbol, time_ns):
            yield symbol, exchange.settle(symbol, price, time_ns)
