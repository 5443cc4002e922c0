"""Bookkeeping on the account's news, the moment they are published: risk, positions, open orders.

Whatever changes the account's books changes the session's book of risk in the same instant, so no order is ever
judged against a book that is behind. Only what the strategy is told waits, in the inbox.
"""

from decimal import Decimal
from typing import Final

from brokers.account_desk import AccountDesk
from brokers.instruments import EXACT
from brokers.ledger import LedgerError
from brokers.model import Fill, OrderReport, OrderState, Position
from sessions.risk.events import ChangeSettled, Closed, Filled, Placed, Positioned, Valued
from sessions.risk.gate import RiskGate
from sessions.strategy import Filled as ToldFill
from sessions.strategy import Picture
from sessions.trader.blotter import Blotter
from sessions.trader.inbox import Inbox

_ZERO: Final = Decimal(0)
_UNSETTLED: Final = frozenset({OrderState.PENDING_REPLACE, OrderState.PENDING_CANCEL, OrderState.UNKNOWN})


class Clerk:
    """One session's bookkeeping; it reads the account's desk and never writes to it."""

    def __init__(
        self, session: str, desk: AccountDesk, gate: RiskGate, blotter: Blotter, picture: Picture, inbox: Inbox
    ) -> None:
        self.session = session
        self.desk = desk
        self._gate = gate
        self._book = gate.book(session)
        self._blotter = blotter
        self._picture = picture
        self._inbox = inbox
        self._results: dict[str, tuple[Decimal, Decimal]] = {}  # by symbol: realised after fees, unrealised

    # News.

    def fill(self, fill: Fill, now_ns: int) -> None:
        """Books a fill; raises InboxFull."""
        event = Filled(self.session, fill.order_key, fill.symbol, fill.side, fill.quantity)
        self._gate.record(event, now_ns)
        self._look_at(fill.symbol, now_ns)
        self.value(now_ns)
        self._inbox.put(ToldFill(self._blotter.tag_of(fill.order_key), fill))

    def report(self, report: OrderReport, now_ns: int) -> None:
        """Takes in what is known of an order; raises InboxFull."""
        key = report.order.key
        ticket = self._blotter.tickets.get(key)
        if report.state.final:
            self._gate.record(Closed(self.session, key), now_ns)
        elif ticket is None:
            self._place(report, now_ns)
        elif ticket.changing and report.state not in _UNSETTLED:
            ticket.changing = False
            self._gate.record(ChangeSettled(self.session, key, report.order.quantity), now_ns)
        if ticket is not None:
            ticket.known = True
        event = self._blotter.hear(report)
        self._true_up(report.order.symbol, now_ns)
        if event is not None:
            self._inbox.put(event)

    # The whole.

    def compare(self, now_ns: int) -> None:
        """Brings positions and open orders to what the account's desk holds: at the start, and for what is not told."""
        for symbol in self.desk.ledger.symbols():
            self._true_up(symbol, now_ns)
            self._look_at(symbol, now_ns)
        for key, entry in self.desk.open.items():
            if entry.session == self.session and key not in self._book.orders.orders:
                self._place(self.desk.report(entry), now_ns)
        for key in [key for key in self._book.orders.orders if key not in self.desk.open]:
            if key not in self._blotter.tickets:
                self._gate.record(Closed(self.session, key), now_ns)
        self.value(now_ns)

    def value(self, now_ns: int) -> None:
        """Tells risk what the session has earned so far."""
        realised = unrealised = _ZERO
        for earned, hoped in self._results.values():
            realised = EXACT.add(realised, earned)
            unrealised = EXACT.add(unrealised, hoped)
        self._gate.record(Valued(self.session, realised, unrealised), now_ns)

    def _place(self, report: OrderReport, now_ns: int) -> None:
        """An order that risk does not know yet: adopted, or from before a restart."""
        order = report.order
        quantity = max(report.remaining, order.quantity - report.filled)
        if quantity > 0:
            self._gate.record(Placed(self.session, order.key, order.symbol, order.side, quantity, now_ns), now_ns)

    def _true_up(self, symbol: str, now_ns: int) -> None:
        """Tells risk of a position that changed without a fill: a bust, a correction."""
        held = self.desk.quantity(symbol, self.session)
        if held != self._book.lines.seen(self.session, symbol).held:
            self._gate.record(Positioned(self.session, symbol, held), now_ns)
            self._look_at(symbol, now_ns)

    def _look_at(self, symbol: str, now_ns: int) -> None:
        """Shows the session's share of a position to its strategy, and notes what it has earned."""
        try:
            ledger = self.desk.ledger
            share = ledger.session_position(symbol, self.session)
        except LedgerError as error:
            self.desk.problem(error)
            return
        if share is not None:
            self._picture.positions[symbol] = share
            fees = ledger.session_fees(symbol, self.session)
            self._results[symbol] = (EXACT.subtract(share.realised, fees), share.unrealised)

    def positions(self) -> tuple[Position, ...]:
        """What the session holds, flat positions left out."""
        return tuple(one for one in self._picture.positions.values() if one.quantity)
