"""The paper exchange: venue and accounts as one deterministic state machine, without clock and without I/O.

Each command or market event gives one Cascade: executions, orders, equity, positions, in that order. It is made
when all of it is done, of frozen values, so no reader ever sees a filled order beside an old position. A position
that was closed is told once with quantity 0.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

import attrs

from brokers.gateway import OrderNews
from brokers.instruments import Instrument, Kind
from brokers.ledger import AccountTerms, CashFlow, FlowKind, Ledger, Mark, dump, load
from brokers.market import Bar, Depth, MarketEvent, MarketStatus, Quote, Trade
from brokers.matching import Code, Event, Events, MatchingEngine, Refusal
from brokers.matching.events import Settled, Traded
from brokers.model import (
    AccountSummary,
    Change,
    Fill,
    Liquidity,
    Order,
    OrderGroup,
    OrderReport,
    OrderState,
    OrderType,
    Position,
)
from brokers.paper.keep import PaperMemory
from brokers.paper.settings import SECOND_NS, Fee, PaperAccount, PaperSettings
from brokers.paper.translate import order_event
from brokers.sides import Side
from runtime.quick import quick

BROKER = "paper"
ZERO = Decimal(0)
CENT_MILLIONTH = Decimal("1e-8")  # the places that a payment is rounded to


@quick
@attrs.frozen(weakref_slot=False)
class Cascade:
    """All that one step did to one account; `known_ns` is when its owner learns of it."""

    account: str
    known_ns: int
    executions: tuple[Fill, ...]
    orders: tuple[OrderReport, ...]
    equity: AccountSummary
    positions: tuple[Position, ...]  # those that the executions touched
    news: tuple[OrderNews, ...]  # the same, as what happened to each order
    events: Events  # the same, in the venue's own words
    flows: tuple[CashFlow, ...] = ()  # cash that moved without a trade


@attrs.define(eq=False)
class _Account:
    ledger: Ledger
    fills: deque[Fill]
    orders: deque[OrderReport]
    watch_ns: int = 0  # when its margin is looked at next
    valued: AccountSummary | None = None  # the money at the last execution or valuation

    def value(self) -> AccountSummary:
        """Values the account anew."""
        self.valued = self.ledger.summary()
        return self.valued


class PaperExchange:
    """Several accounts that trade several instruments on one matching engine."""

    def __init__(
        self, settings: PaperSettings, instruments: Iterable[Instrument], chance: random.Random, now: int
    ) -> None:
        self.settings = settings
        self.instruments: dict[str, Instrument] = {one.symbol: one for one in instruments}
        self.engine = MatchingEngine(settings.rules, self.instruments.values(), chance, admit=self._admit)
        self._accounts: dict[str, _Account] = {}
        self._holders: dict[str, set[str]] = {}
        self._quotes: dict[str, Quote] = {}
        self._fees: dict[str, Fee] = {}  # by symbol, as the settings say
        self._unquoted = set(self.instruments)  # valued at their trades and bars, until a quote comes
        self.liquidations = 0
        for account in settings.accounts:
            ledger = Ledger(AccountTerms(BROKER, account.id, account.currency), self.instruments)
            for flow in opening(account, now):
                ledger.post(flow)
            keep = settings.keep
            self._accounts[account.id] = _Account(ledger, deque(maxlen=keep), deque(maxlen=keep))

    def restore(self, memory: PaperMemory) -> None:
        """Goes on where an exchange of the past stopped, which must come first; the market begins anew.

        The memory must have every account of the settings. Raises UnknownSymbolError for an open order without a
        market, BadState when the terms of an account or an instrument are others now.
        """
        self.instruments.update(memory.instruments)
        self.engine.restore(memory.venue())
        self._quotes.update(memory.quotes)
        self.liquidations = memory.liquidations
        for id_, books in self._accounts.items():
            kept = memory.accounts[id_]
            books.ledger = load(dump(kept.ledger), kept.ledger.account.terms, self.instruments)
            books.fills.extend(kept.fills)
            books.orders.extend(order.working().report() for order in kept.finished)
            for symbol in books.ledger.symbols():
                self._note_holder(id_, symbol, books.ledger)

    # Commands: each returns what it did, account by account.

    def submit(self, account: str, order: Order | OrderGroup, now: int) -> tuple[Cascade, ...]:
        """An order or a group arrives."""
        send = self.engine.submit if isinstance(order, Order) else self.engine.submit_group
        return self._told(send(account, order, now))  # type: ignore[arg-type]  # each gets its own kind

    def change(self, account: str, change: Change, now: int) -> tuple[Cascade, ...]:
        """A change arrives."""
        return self._told(self.engine.change(account, change, now))

    def cancel(self, account: str, key: str, now: int) -> tuple[Cascade, ...]:
        """A cancel arrives."""
        return self._told(self.engine.cancel(account, key, now))

    def market(self, event: MarketEvent, now: int) -> tuple[Cascade, ...]:
        """The market moves: orders fill, positions are valued, margins are watched."""
        cascades = self._told(self.engine.market(event, now))
        quote = _shown(event)
        if quote is None and event.symbol in self._unquoted:
            quote = _implied(event)
        if quote is not None:
            if isinstance(event, Quote | Depth):
                self._unquoted.discard(event.symbol)
            self._quotes[event.symbol] = quote
            if event.symbol in self._holders:
                cascades += self._value(quote, now)
        return cascades

    def advance(self, now: int) -> tuple[Cascade, ...]:
        """What was due by now happens."""
        return self._told(self.engine.advance(now))

    def set_status(self, symbol: str, status: MarketStatus, now: int) -> tuple[Cascade, ...]:
        """A symbol's market opens, pauses or closes."""
        return self._told(self.engine.set_status(symbol, status, now))

    def settle(self, symbol: str, price: Decimal, now: int) -> tuple[Cascade, ...]:
        """A contract expires at this price."""
        return self._told(self.engine.settle(symbol, price, now))

    def fund(self, symbol: str, share: Decimal, now: int) -> tuple[Cascade, ...]:
        """Holders of a perpetual pay each other a share of what their positions are worth."""
        price = self.last_price(symbol)
        if price is None:
            return ()
        return self._pay(symbol, FlowKind.FUNDING, now, lambda ledger: -ledger.notional(symbol, price) * share)

    def pay_dividend(self, symbol: str, amount: Decimal, now: int) -> tuple[Cascade, ...]:
        """Holders of a share get so much for each, and who is short pays it."""
        return self._pay(symbol, FlowKind.DIVIDEND, now, lambda ledger: ledger.quantity(symbol) * amount)

    def _pay(self, symbol: str, kind: FlowKind, now: int, due: Callable[[Ledger], Decimal]) -> tuple[Cascade, ...]:
        found: tuple[Cascade, ...] = ()
        for account in sorted(self._holders.get(symbol, ())):
            books = self._accounts[account]
            amount = due(books.ledger).quantize(CENT_MILLIONTH).normalize()
            if not amount:
                continue
            currency = self.instruments[symbol].settlement
            flow = CashFlow(f"{kind.value}/{symbol}/{now}", BROKER, account, kind, amount, currency, now, symbol)
            books.ledger.post(flow)
            position = books.ledger.position(symbol)
            found += (Cascade(account, now, (), (), books.value(), (position,), (), (), (flow,)),)
        return found

    # Questions.

    @property
    def accounts(self) -> tuple[str, ...]:
        """The ids of the accounts."""
        return tuple(self._accounts)

    def has(self, account: str) -> bool:
        """Whether there is such an account."""
        return account in self._accounts

    def summary(self, account: str) -> AccountSummary:
        """The account's money; raises KeyError."""
        return self._accounts[account].value()

    def positions(self, account: str) -> tuple[Position, ...]:
        """The positions that are not flat; raises KeyError."""
        return tuple(one for one in self._accounts[account].ledger.positions() if one.quantity)

    def last_price(self, symbol: str) -> Decimal | None:
        """The middle of the last quote, or None where there was none."""
        quote = self._quotes.get(symbol)
        if quote is None or quote.bid is None or quote.ask is None:
            return None
        return (quote.bid + quote.ask) / 2

    def quote(self, symbol: str) -> Quote | None:
        """What the symbol is valued at, or None where nothing told yet."""
        return self._quotes.get(symbol)

    def ledger(self, account: str) -> Ledger:
        """The account's books, to be read only; raises KeyError."""
        return self._accounts[account].ledger

    def fills_since(self, account: str, time_ns: int) -> tuple[Fill, ...]:
        """The remembered executions since then, oldest first; raises KeyError."""
        return tuple(fill for fill in self._accounts[account].fills if fill.time_ns >= time_ns)

    def orders_since(self, account: str, time_ns: int) -> tuple[OrderReport, ...]:
        """Open orders, and the remembered finished ones that were touched since then; raises KeyError."""
        finished = {report.order.key: report for report in self._accounts[account].orders if report.time_ns >= time_ns}
        finished.update({report.order.key: report for report in self.engine.open_orders(account)})
        return tuple(finished.values())

    # The cascade.

    def _told(self, events: Events) -> tuple[Cascade, ...]:
        if not events:
            return ()
        by_account: dict[str, list[Event]] = {}
        for event in events:
            by_account.setdefault(event.account, []).append(event)
        found: tuple[Cascade, ...] = ()
        for account, own in by_account.items():
            found += (self._cascade(account, own),)
        return found

    def _cascade(self, account: str, events: Sequence[Event]) -> Cascade:
        books = self._accounts[account]
        ledger = books.ledger
        executions: list[Fill] = []
        news: list[OrderNews] = []
        keys: dict[str, None] = {}
        touched: dict[str, None] = {}
        known_ns = 0
        for event in events:
            fill = self._executed(event)
            if fill is not None:
                ledger.apply(fill)
                books.fills.append(fill)
                executions.append(fill)
                touched[fill.symbol] = None
            said = order_event(event, fill)
            if said is not None:
                news.append(OrderNews(account, event.key, event.order_id or None, said, event.time_ns))
            if event.key:
                keys[event.key] = None
            known_ns = max(known_ns, event.known_ns)
        for symbol in touched:
            self._note_holder(account, symbol, ledger)
        return Cascade(
            account,
            known_ns,
            tuple(executions),
            self._reports(account, keys, books),
            books.value() if executions or books.valued is None else books.valued,
            tuple([ledger.position(symbol) for symbol in touched]),
            tuple(news),
            tuple(events),
        )

    def _reports(self, account: str, keys: Iterable[str], books: _Account) -> tuple[OrderReport, ...]:
        """The orders as they are now; those that are over are remembered."""
        reports = []
        for key in keys:
            report = self.engine.order(account, key)
            if report is not None:
                reports.append(report)
                if report.state.final:
                    books.orders.append(report)
        return tuple(reports)

    def _fee(self, instrument: Instrument) -> Fee:
        fee = self._fees.get(instrument.symbol)
        if fee is None:
            self._fees[instrument.symbol] = fee = self.settings.fee(instrument)
        return fee

    def _executed(self, event: Event) -> Fill | None:
        if isinstance(event, Traded):
            instrument = self.instruments[event.symbol]
            fill = event.fill
            fee = self._fee(instrument).of(instrument, fill.quantity, fill.price, fill.liquidity)
            return fill.attributed(fee, fill.session)
        if isinstance(event, Settled) and event.quantity:
            return Fill(
                id=f"settled/{event.symbol}/{event.sequence}",
                broker=BROKER,
                account=event.account,
                symbol=event.symbol,
                side=Side.SELL if event.quantity > 0 else Side.BUY,
                quantity=abs(event.quantity),
                price=event.price,
                time_ns=event.time_ns,
            )
        return None

    def _note_holder(self, account: str, symbol: str, ledger: Ledger) -> None:
        holders = self._holders.get(symbol)
        if ledger.quantity(symbol):
            if holders is None:
                holders = self._holders[symbol] = set()
            quote = self._quotes.get(symbol)
            if quote is not None and account not in holders:  # who holds already is marked with each quote
                _mark(ledger, quote)
            holders.add(account)
        elif holders is not None:
            holders.discard(account)
            if not holders:
                del self._holders[symbol]

    # Margin.

    def _admit(self, account: str, order: Order) -> Refusal | None:
        """Refuses an order whose worst case the account cannot carry; one that only reduces is always let in."""
        books = self._accounts.get(account)
        if books is None:
            return Refusal(Code.RISK, f"there is no account {account!r} here; there are {', '.join(self._accounts)}")
        ledger, instrument = books.ledger, self.instruments[order.symbol]
        summary = books.valued or books.value()
        if instrument.settlement != summary.currency:
            said = f"{order.symbol} pays in {instrument.settlement} and the account is in {summary.currency}"
            return Refusal(Code.RISK, f"{said}; nothing is converted here, use an account in {instrument.settlement}")
        if order.reduce_only:
            return None
        price = self._price(order)
        if price is None:
            return Refusal(Code.NO_PRICE, f"{order.symbol} has no price yet, so its margin cannot be told")
        held = ledger.quantity(order.symbol)
        worst = self.engine.position(account, order.symbol) + self._waiting(account, order)  # fills of this instant too
        need = self._carry(instrument, abs(worst), price) - self._carry(instrument, abs(held), price)
        need += self._fee(instrument).of(instrument, abs(worst - held), price, Liquidity.TAKER)
        if need > summary.buying_power and need > ZERO:
            free = summary.buying_power
            said = f"the order needs {need.normalize():f} {summary.currency} more, {free.normalize():f} is free"
            return Refusal(Code.MARGIN, said)
        return None

    def _waiting(self, account: str, order: Order) -> Decimal:
        """What the order and the account's open orders on the same side may still add."""
        if not self.engine.has_open(account):
            return order.quantity * order.side.sign
        known = self.engine.order(account, order.key)
        filled = known.filled if known is not None and not known.state.final else ZERO
        waiting = [
            report.remaining * report.order.side.sign
            for report in self.engine.open_orders(account)
            if report.order.symbol == order.symbol
            and report.order.key != order.key
            and report.order.side is order.side
            and not report.order.reduce_only
            and report.state is not OrderState.HELD
        ]
        return sum(waiting, (order.quantity - filled) * order.side.sign)

    def _carry(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        """What holding so much ties up."""
        if instrument.kind is Kind.FUTURE:
            return instrument.initial_margin * quantity
        share = instrument.initial_margin or Decimal(1)
        if instrument.kind is Kind.INVERSE:
            return share * quantity * instrument.multiplier / price
        return share * quantity * instrument.multiplier * price

    def _price(self, order: Order) -> Decimal | None:
        """What the order would trade at, at worst: a sale may fetch more than it asks; None where nothing tells."""
        named = order.limit_price if order.limit_price is not None else order.stop_price
        quote = self._quotes.get(order.symbol)
        if quote is None:
            return named
        sides = (quote.ask, quote.bid) if order.side is Side.BUY else (quote.bid, quote.ask)
        shown = sides[0] if sides[0] is not None else sides[1]
        if named is None or shown is None:
            return shown if named is None else named
        return named if order.side is Side.BUY else max(named, shown)

    def _value(self, quote: Quote, now: int) -> tuple[Cascade, ...]:
        """Marks the holders' positions, and once a second each looks whether its margin still carries them."""
        found: tuple[Cascade, ...] = ()
        for account in sorted(self._holders[quote.symbol]):
            books = self._accounts[account]
            _mark(books.ledger, quote)
            if now >= books.watch_ns:
                books.watch_ns = now + SECOND_NS
                found += self._watch(account, books, now)
        return found

    def _watch(self, account: str, books: _Account, now: int) -> tuple[Cascade, ...]:
        summary = books.value()
        if summary.equity >= summary.margin.maintenance:
            return (Cascade(account, now, (), (), summary, self.positions(account), (), ()),)
        found: tuple[Cascade, ...] = ()
        for report in self.engine.open_orders(account):
            found += self._told(self.engine.cancel(account, report.order.key, now, direct=True))
        for position in self.positions(account):
            self.liquidations += 1
            order = Order(
                key=f"liquidation-{self.liquidations}",
                symbol=position.symbol,
                side=Side.SELL if position.quantity > 0 else Side.BUY,
                type=OrderType.MARKET,
                quantity=abs(position.quantity),
                reduce_only=True,
            )
            found += self._told(self.engine.submit(account, order, now, direct=True))
        return found


def opening(account: PaperAccount, now: int) -> tuple[CashFlow, ...]:
    """What an account begins with."""
    if not account.deposit:
        return ()
    start = f"{account.id}/start"
    return (CashFlow(start, BROKER, account.id, FlowKind.DEPOSIT, account.deposit, account.currency, now),)


def _shown(event: MarketEvent) -> Quote | None:
    """The best bid and offer that an event shows, or None."""
    if isinstance(event, Depth):
        (bid, bid_size), (ask, ask_size) = (
            (side[0].price, side[0].size) if side else (None, Decimal(0)) for side in (event.bids, event.asks)
        )
        return Quote(event.symbol, bid, ask, bid_size, ask_size, event.time_ns)
    return event if isinstance(event, Quote) else None


def _implied(event: MarketEvent) -> Quote | None:
    """What a trade or a bar says a symbol is worth that nobody quotes."""
    price = event.price if isinstance(event, Trade) else event.close if isinstance(event, Bar) else None
    return None if price is None else Quote(event.symbol, price, price, Decimal(0), Decimal(0), event.time_ns)


def _mark(ledger: Ledger, quote: Quote) -> None:
    last = ledger.account.marks.get(quote.symbol)
    if last is not None and last.bid is quote.bid and last.ask is quote.ask and last.time_ns == quote.time_ns:
        return  # this very quote
    if quote.bid is not None or quote.ask is not None:
        ledger.mark(Mark(quote.symbol, quote.time_ns, quote.bid, quote.ask))
