"""What a paper broker must not forget: steps as they happen, and the memory that is their fold.

A step is all that one command or market event changed, so a prefix of the steps is a state in which the exchange was.
The memory is bounded as the exchange's own is: it holds what is open, and the latest of what is over.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, TypeVar

import attrs
import msgspec

from brokers.instruments import Instrument
from brokers.ledger import AccountTerms, CashFlow, Ledger, dump, load
from brokers.market import Quote
from brokers.matching.kept import KeptMarket, KeptOrder, KeptTie, VenueMemory
from brokers.model import Fill

FORMAT = 1
ROWS = 500  # orders or fills in one line
_NO_MARKETS: dict[str, KeptMarket] = {}

T = TypeVar("T")


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that one step of the exchange changed; orders and groups as they are after it."""

    time_ns: int
    sequence: int = 0  # of the last event
    orders: tuple[KeptOrder, ...] = ()  # by number
    gone: tuple[int, ...] = ()  # orders that ended and are forgotten already
    ties: tuple[KeptTie, ...] = ()
    fills: tuple[Fill, ...] = ()
    flows: tuple[CashFlow, ...] = ()
    quotes: tuple[Quote, ...] = ()  # what the traded symbols were worth
    markets: dict[str, KeptMarket] = _NO_MARKETS
    liquidations: int = 0


class Steps(msgspec.Struct, frozen=True, tag=True):
    """One append: steps that became durable together."""

    steps: tuple[Step, ...]


class Head(msgspec.Struct, frozen=True, tag=True):
    """Where the counters stand; `lines` is how many lines a whole memory has, this one included."""

    format: int
    lines: int
    time_ns: int
    sequence: int
    number: int
    trade: int
    liquidations: int
    markets: dict[str, KeptMarket]
    quotes: tuple[Quote, ...]


class Account(msgspec.Struct, frozen=True, tag=True):
    """The money and positions of one account."""

    id: str
    currency: str
    ledger: dict[str, Any]


class Orders(msgspec.Struct, frozen=True, tag=True):
    """Open orders, and finished ones in the order in which they ended."""

    orders: tuple[KeptOrder, ...]


class Ties(msgspec.Struct, frozen=True, tag=True):
    """Groups of which something is open."""

    ties: tuple[KeptTie, ...]


class Fills(msgspec.Struct, frozen=True, tag=True):
    """Remembered executions, which the ledgers hold already."""

    fills: tuple[Fill, ...]


Line = Head | Account | Orders | Ties | Fills | Steps


@attrs.define(eq=False)
class KeptAccount:
    """One account: its money, and the latest of its executions and finished orders."""

    ledger: Ledger
    fills: deque[Fill]
    finished: deque[KeptOrder]


class PaperMemory:
    """The fold of all steps; `instrument` tells the terms of a symbol and raises LookupError or SymbolError."""

    def __init__(self, accounts: Iterable[AccountTerms], instrument: Callable[[str], Instrument], keep: int) -> None:
        self.instruments: dict[str, Instrument] = {}
        self.accounts: dict[str, KeptAccount] = {}
        self.open: dict[int, KeptOrder] = {}
        self.ties: dict[int, KeptTie] = {}
        self.markets: dict[str, KeptMarket] = {}
        self.quotes: dict[str, Quote] = {}
        self.time_ns = self.sequence = self.number = self.trade = self.liquidations = 0
        self._terms = {terms.account: terms for terms in accounts}
        self._instrument = instrument
        self._keep = keep

    # The fold.

    def take_all(self, steps: Iterable[Step]) -> None:
        """Folds steps, as `take` does."""
        for step in steps:
            self.take(step)

    def take(self, step: Step) -> None:
        """Folds one step; raises KeyError for a strange account, LedgerError for what no ledger can book."""
        self.time_ns = max(self.time_ns, step.time_ns)
        self.sequence = max(self.sequence, step.sequence)
        self.liquidations = max(self.liquidations, step.liquidations)
        for fill in step.fills:
            self.know(fill.symbol)
            self.accounts[fill.account].ledger.apply(fill)
        self._remember_all(step.fills)
        for flow in step.flows:
            self.accounts[flow.account].ledger.post(flow)
        for order in step.orders:
            self._take_order(order)
        self._take_ties(step.ties)
        if step.gone:
            self._forget(step.gone)
        self.quotes.update((quote.symbol, quote) for quote in step.quotes)
        self.markets.update(step.markets)

    def take_line(self, line: Line) -> None:
        """Takes over a line of a whole memory, or folds the steps of an append; raises as `take`, and BadState."""
        match line:
            case Steps(steps):
                self.take_all(steps)
            case Head():
                self._take_head(line)
            case Account():
                self._take_account(line)
            case Orders(orders):
                self._place_all(orders)
            case Ties(ties):
                self._take_ties(ties)
            case Fills(fills):
                self._remember_all(fills)

    def open_account(self, account: str, flows: Iterable[CashFlow]) -> None:
        """Opens an account that was not there before."""
        ledger = Ledger(self._terms[account], self.instruments)
        for flow in flows:
            ledger.post(flow)
        self._add(account, ledger)

    def know(self, symbol: str) -> None:
        """Looks up the terms of a symbol, once."""
        if symbol not in self.instruments:
            self.instruments[symbol] = self._instrument(symbol)

    # What it comes to.

    def held(self) -> tuple[str, ...]:
        """The symbols in which something is open."""
        symbols = {order.order.symbol for order in self.open.values()}
        for account in self.accounts.values():
            symbols.update(symbol for symbol in account.ledger.symbols() if account.ledger.quantity(symbol))
        return tuple(sorted(symbols))

    def venue(self) -> VenueMemory:
        """What the matching engine is put back to."""
        finished = sorted(chain.from_iterable(one.finished for one in self.accounts.values()), key=_ended)
        return VenueMemory(
            now_ns=self.time_ns,
            sequence=self.sequence,
            number=self.number,
            trade=self.trade,
            open=self.open.values(),
            finished=finished,
            ties=self.ties.values(),
            positions={
                (id_, symbol): account.ledger.quantity(symbol)
                for id_, account in self.accounts.items()
                for symbol in account.ledger.symbols()
            },
            markets=self.markets,
        )

    def lines(self) -> Iterator[Line]:
        """The whole memory; the head comes first."""
        body = list(self._body())
        markets, quotes = dict(self.markets), tuple(self.quotes.values())
        counters = self.time_ns, self.sequence, self.number, self.trade, self.liquidations
        yield Head(FORMAT, len(body) + 1, *counters, markets, quotes)
        yield from body

    def _body(self) -> Iterator[Line]:
        for id_, account in self.accounts.items():
            yield Account(id_, self._terms[id_].currency, dump(account.ledger))
            yield from map(Fills, _rows(account.fills))
            yield from map(Orders, _rows(account.finished))
        yield from map(Orders, _rows(self.open.values()))
        yield from map(Ties, _rows(self.ties.values()))

    # Within.

    def _take_head(self, head: Head) -> None:
        self.time_ns, self.sequence, self.number = head.time_ns, head.sequence, head.number
        self.trade, self.liquidations = head.trade, head.liquidations
        self.markets = dict(head.markets)
        self.quotes = {quote.symbol: quote for quote in head.quotes}

    def _take_account(self, account: Account) -> None:
        for book in account.ledger["books"]:
            self.know(book["symbol"])
        self._add(account.id, load(account.ledger, self._terms[account.id], self.instruments))

    def _add(self, account: str, ledger: Ledger) -> None:
        self.accounts[account] = KeptAccount(ledger, deque(maxlen=self._keep), deque(maxlen=self._keep))

    def _take_order(self, order: KeptOrder) -> None:
        """An order that was finished before stays where it is, whatever is said of it."""
        if order.number in self.open or order.number > self.number:
            self.open.pop(order.number, None)
            self._place(order)
            self.number = max(self.number, order.number)

    def _place_all(self, orders: Iterable[KeptOrder]) -> None:
        for order in orders:
            self._place(order)

    def _place(self, order: KeptOrder) -> None:
        if order.state.final:
            self.accounts[order.account].finished.append(order)
        else:
            self.know(order.order.symbol)
            self.open[order.number] = order

    def _forget(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.open.pop(number, None)
            self.number = max(self.number, number)
        self.ties = {number: tie for number, tie in self.ties.items() if self._is_living(tie)}

    def _take_ties(self, ties: Iterable[KeptTie]) -> None:
        for tie in ties:
            self.ties.pop(tie.number, None)
            if self._is_living(tie):
                self.ties[tie.number] = tie

    def _is_living(self, tie: KeptTie) -> bool:
        return any(member.number in self.open for member in tie.members)

    def _remember_all(self, fills: Iterable[Fill]) -> None:
        for fill in fills:
            self.accounts[fill.account].fills.append(fill)
            if fill.order_key is not None:  # that of a settlement has no number
                self.trade = max(self.trade, int(fill.id))


def _ended(order: KeptOrder) -> int:
    return order.sequence


def _rows(values: Iterable[T]) -> Iterator[tuple[T, ...]]:
    rest = iter(values)
    while rows := tuple(islice(rest, ROWS)):
        yield rows
