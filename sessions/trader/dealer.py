"""Decisions on their way to the broker: judged by risk, given keys, tagged in the log, and sent once.

A decision is shown as an open order at once, and nobody waits for its answer: the strategy goes on meanwhile. What
became of it comes as news of the account; only a definite no that leaves no trace there is learnt from the answer.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final

import attrs
from outcome import Error, Outcome

from brokers.account_desk import AccountDesk
from brokers.account_manager import AccountManager
from brokers.connection import Connection
from brokers.errors import BrokerError, Code
from brokers.instruments import Instrument
from brokers.keys import new_key
from brokers.ledger import LedgerError
from brokers.lifecycle import LifecycleError
from brokers.market import MarketStatus, Quote
from brokers.model import Order, OrderGroup, OrderType
from brokers.sides import Side
from runtime import Name, Ref, World
from runtime.errors import CallError
from sessions.risk.case import Amend, Cancel, Facts, unit_worth
from sessions.risk.events import ChangeSettled, Closed, Marked
from sessions.risk.gate import Denied, Origin, RiskGate
from sessions.strategy import Denied as ToldDenied
from sessions.strategy import Event, Modify, Submit
from sessions.trader.blotter import Blotter, Ticket
from sessions.trader.log import SessionLog
from sessions.trader.market import Market

_ONE: Final = Decimal(1)
_TWO: Final = Decimal(2)
_MARK_NS: Final = 100_000_000  # orders mark their symbol no more often; `mark` does it once a second in any case
_OWN: Final[Decimal | None] = attrs.fields(Facts).rate.default  # the rate of the account's own currency

Request = Callable[..., None]  # Actor.request


@attrs.define(eq=False)
class Dealer:
    """One session's way to its account."""

    session: str
    epoch: int
    world: World
    orders: Connection
    account: Ref[AccountManager] | Name[AccountManager]
    gate: RiskGate
    desk: AccountDesk
    blotter: Blotter
    market: Market
    log: SessionLog
    request: Request
    tell: Callable[[Event], None]
    _sending: set[str] = attrs.field(factory=set)
    _marked: dict[str, Quote] = attrs.field(factory=dict)  # what the account was told last, by symbol
    _marked_ns: dict[str, int] = attrs.field(factory=dict)  # and when

    # What can be decided.

    def submit(self, submit: Submit, origin: Origin = Origin.STRATEGY) -> bool:
        """Sends an order or a group, if risk lets it; otherwise tells the strategy why not."""
        now_ns = self.world.clock.wall_ns()
        request = self.blotter.enter(submit, self._new_key, now_ns)
        symbol = _symbol_of(request)
        verdict = self.gate.admit(self.session, request, self._facts(symbol, now_ns), origin)
        tags = self.blotter.tags_of(request)
        if isinstance(verdict, Denied):
            self._withdraw(tuple(tags), str(verdict.denial), recorded=False)
            return False
        self.log.keep_tags(tags)
        if now_ns - self._marked_ns.get(symbol, 0) >= _MARK_NS:
            self._mark(symbol, now_ns)
        self._sending.update(tags)
        objection = partial(self.gate.objection, self.session, verdict.action, origin)
        self.request(self.account, partial(self._sent, tuple(tags)), AccountManager.submit, request, objection)
        return True

    def modify(self, modify: Modify) -> None:
        """Asks for other terms of an open order, if risk lets it."""
        ticket = self.blotter.tagged(modify.tag)
        if ticket is None:
            return  # done meanwhile, and the news of that are on their way
        if not ticket.known:
            self.tell(ToldDenied(modify.tag, "the broker has not answered about this order yet; change it when it has"))
            return
        order, now_ns = ticket.report.order, self.world.clock.wall_ns()
        change = attrs.evolve(modify.change, key=order.key)
        verdict = self.gate.admit(self.session, Amend(order, change), self._facts(order.symbol, now_ns))
        if isinstance(verdict, Denied):
            self.tell(ToldDenied(modify.tag, str(verdict.denial)))
            return
        ticket.changing = True
        self.request(self.account, partial(self._changed, ticket), AccountManager.modify, change)

    def cancel(self, ticket: Ticket, origin: Origin = Origin.STRATEGY) -> None:
        """Asks for the end of an open order; one that is still being sent is cancelled once it is known."""
        verdict = self.gate.judge(self.session, Cancel(ticket.key), self._facts(ticket.report.order.symbol, 0), origin)
        if isinstance(verdict, Denied):
            self.tell(ToldDenied(ticket.tag, str(verdict.denial)))
        elif not ticket.known:
            ticket.cancel_wanted = True
        else:
            ticket.cancel_wanted = False
            self.request(self.account, partial(self._cancelled, ticket), AccountManager.cancel, ticket.key)

    def close(self, symbol: str, quantity: Decimal, tag: str, origin: Origin = Origin.STRATEGY) -> bool:
        """Trades away so much of a position, at the market."""
        capability = self.orders.capability.orders
        same_side = self.desk.ledger.quantity(symbol) * quantity > 0  # the account's net may stand on the other
        order = Order(
            tag,
            symbol,
            Side.SELL if quantity > 0 else Side.BUY,
            OrderType.MARKET,
            abs(quantity),
            reduce_only=capability is not None and capability.reduce_only and same_side,
        )
        return self.submit(Submit(order), origin)

    # What is answered.

    def _sent(self, keys: tuple[str, ...], answer: Outcome[Any]) -> None:
        refusal = _refusal(answer)
        self._sending.difference_update(keys)
        if refusal is not None:
            self._withdraw(keys, str(refusal), recorded=True)
            return
        for key in keys:
            ticket = self.blotter.tickets.get(key)
            if ticket is not None:
                ticket.known = True
                if ticket.cancel_wanted:
                    self.cancel(ticket, Origin.OPERATOR)  # it was judged when it was wanted

    def _changed(self, ticket: Ticket, answer: Outcome[Any]) -> None:
        refusal = _refusal(answer)
        if refusal is not None:
            if ticket.changing:
                ticket.changing = False
                settled = ChangeSettled(self.session, ticket.key, ticket.report.order.quantity)
                self.gate.record(settled, self.world.clock.wall_ns())
            self.tell(ToldDenied(ticket.tag, str(refusal)))

    def _cancelled(self, ticket: Ticket, answer: Outcome[Any]) -> None:
        refusal = _refusal(answer)
        gone = isinstance(refusal, LifecycleError) or getattr(refusal, "code", None) is Code.ORDER_NOT_FOUND
        if refusal is not None and not gone:
            self.tell(ToldDenied(ticket.tag, str(refusal)))

    def _withdraw(self, keys: tuple[str, ...], why: str, *, recorded: bool) -> None:
        """Takes orders back of which nothing left the process, and tells the strategy once."""
        tickets = [self.blotter.tickets[key] for key in keys if key in self.blotter.tickets]
        for ticket in tickets:
            self.blotter.drop(ticket)
            if recorded:
                self.gate.record(Closed(self.session, ticket.key), self.world.clock.wall_ns())
        if tickets:
            self.tell(ToldDenied(tickets[0].tag, why))

    def sweep(self) -> None:
        """Takes back orders that nobody answers for and that are not in the account's books."""
        lost = [
            key
            for key, ticket in self.blotter.tickets.items()
            if not ticket.known and key not in self._sending and key not in self.desk.entries
        ]
        for key in lost:
            self._withdraw((key,), "nothing was sent: the account manager does not know it", recorded=True)

    # What risk wants to know.

    def mark(self, now_ns: int) -> None:
        """Tells the account and risk what positions are worth now."""
        for symbol, line in self.market.lines.items():
            self._mark(symbol, now_ns)
            worth = unit_worth(self._facts(symbol, now_ns), ())
            if worth is not None and line.quote is not None:
                self.gate.record(Marked(self.session, symbol, worth), now_ns)

    def _mark(self, symbol: str, now_ns: int) -> None:
        line = self.market.lines.get(symbol)
        if line is not None and line.quote is not None and self._marked.get(symbol) is not line.quote:
            self._marked[symbol], self._marked_ns[symbol] = line.quote, now_ns
            self.account.cast(AccountManager.mark, line.quote)

    def _facts(self, symbol: str, now_ns: int) -> Facts:
        line = self.market.lines.get(symbol)
        if line is None:
            return Facts(now_ns, None, None, None)
        quote = line.quote
        last = None
        if quote is not None:
            bid, ask = quote.bid, quote.ask
            last = (bid + ask) / _TWO if bid is not None and ask is not None else (bid if ask is None else ask)
        instrument = line.instrument
        return Facts(now_ns, instrument, last, line.heard_ns, self._rate(instrument), self._status(instrument, now_ns))

    def _status(self, instrument: Instrument, now_ns: int) -> MarketStatus:
        told = self.orders.need_orders().market_status(instrument.symbol)
        return told or self.orders.catalogue.calendars[instrument.calendar].status(now_ns)

    def _rate(self, instrument: Instrument) -> Decimal | None:
        """What one unit of an instrument's price currency is worth in the account's; None where nobody knows."""
        ledger = self.desk.ledger
        if instrument.currency == ledger.account.terms.currency:
            return _OWN
        try:
            return ledger.convert(_ONE, instrument.currency).amount
        except LedgerError:
            return None

    def _new_key(self) -> str:
        return str(new_key(self.epoch, self.world.chance))


def _refusal(answer: Outcome[Any]) -> BrokerError | LifecycleError | None:
    """A definite no, or None: then the account's news tell what becomes of it, or the session ends with its account."""
    if not isinstance(answer, Error) or isinstance(answer.error, CallError):
        return None
    if isinstance(answer.error, BrokerError | LifecycleError):
        return answer.error
    raise answer.error


def _symbol_of(request: Order | OrderGroup) -> str:
    """The symbol of a request's first order; risk denies a group with another one."""
    return request.symbol if isinstance(request, Order) else request.orders[0].symbol
