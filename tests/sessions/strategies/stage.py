"""A stage for one strategy: events in time order, orders filled at the quote, everything that was decided kept."""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import attrs

from brokers.instruments import Instrument
from brokers.market import Bar, Quote
from brokers.model import Fill, GroupKind, Order, OrderGroup, OrderReport, OrderState, OrderType
from brokers.sides import Side
from sessions.strategy import (
    Cancel,
    CancelAll,
    Event,
    Filled,
    Flatten,
    Modify,
    OrderUpdate,
    Picture,
    Started,
    Strategy,
    Submit,
    TimerDue,
    View,
    consult,
    encode_state,
    next_due,
    restore_state,
    wants_of,
)
from sessions.strategy.checking import Act
from tests.sessions.strategy.desk import CATALOGUE, position

OPEN = {OrderState.WORKING, OrderState.HELD}


class Stage:
    def __init__(self, strategy: Strategy[Any, Any], root: str, instrument: Instrument, now_ns: int) -> None:
        self.strategy = strategy
        self.wants = wants_of(strategy)
        self.symbol = instrument.symbol
        self.picture = Picture(CATALOGUE.calendar, now_ns=now_ns, state=strategy.first_state())
        self.picture.follow(root, instrument, self.wants)
        self.view: View[Any] = View(self.picture)
        self.told: deque[Event] = deque()
        self.acts: list[Act] = []
        self.decided: list[tuple[Event, tuple[Act, ...], object]] = []
        self.fills: list[Fill] = []
        self.parents: dict[str, str] = {}  # child -> parent
        self.rivals: dict[str, set[str]] = {}

    def restart(self) -> None:
        """Another instance goes on with what was journalled."""
        kind = type(self.strategy)
        text = encode_state(kind, self.picture.state)
        self.strategy = kind(self.strategy.parameters)
        self.picture.state = restore_state(kind, text)
        self.view = View(self.picture)

    # ------------------------------------------------------------------ events

    def run(self, events: Iterable[Event]) -> "Stage":
        for event in events:
            self.tell(event)
        return self

    def start(self, history: Iterable[Bar] = ()) -> "Stage":
        for bar in history:
            self.picture.add_bar(bar)
        return self.run([Started(restored=False)])

    def tell(self, event: Event) -> None:
        if isinstance(event, Bar | Quote):
            self._time(event.time_ns)
        if isinstance(event, Quote):
            self.picture.quotes[event.symbol] = event
            self._match()
        elif isinstance(event, Bar):
            if self.view.quote(self.symbol) is None or not self.wants.quotes:
                self.tell(_flat_quote(event))
            self.picture.add_bar(event)
        self.told.append(event)
        self._settle()

    def _time(self, now_ns: int) -> None:
        """Timers that are due on the way come first."""
        for timer in self.wants.timers:
            due = next_due(timer, CATALOGUE.calendar, self.picture.now_ns)
            if due <= now_ns:
                self.picture.now_ns = due
                self.told.append(TimerDue(timer.name, due))
                self._settle()
        self.picture.now_ns = now_ns

    def _settle(self) -> None:
        while self.told:
            event = self.told.popleft()
            answer = consult(self.strategy, event, self.view)
            if answer.state_json is not None:
                self.picture.state = answer.state
            self.decided.append((event, answer.acts, self.picture.state))
            for act in answer.acts:
                self.acts.append(act)
                self._carry_out(act)
            self._match()

    # ------------------------------------------------------------------ orders

    def _carry_out(self, act: Act) -> None:
        match act:
            case Submit():
                self._place(act)
            case Modify():
                held = self.picture.orders[act.tag]
                self.picture.orders[act.tag] = attrs.evolve(held, order=act.change.applied_to(held.order))
            case Cancel():
                self._end(act.tag, OrderState.CANCELED)
            case CancelAll() | Flatten():
                for tag in list(self.picture.orders):
                    self._end(tag, OrderState.CANCELED)
        if isinstance(act, Flatten) and (held_now := self.view.held(self.symbol)):
            side = Side.SELL if held_now > 0 else Side.BUY
            self._fill(Order("flatten." + self.symbol, self.symbol, side, OrderType.MARKET, abs(held_now)))

    def _place(self, submit: Submit) -> None:
        request = submit.request
        for order in submit.orders:
            waits = isinstance(request, OrderGroup) and request.parent is not None and order is not request.parent
            state = OrderState.HELD if waits else OrderState.WORKING
            self.picture.orders[order.key] = OrderReport(
                order, "A1", state, Decimal(0), order.quantity, None, (), self.picture.now_ns
            )
            if waits and isinstance(request, OrderGroup) and request.parent is not None:
                self.parents[order.key] = request.parent.key
        if isinstance(request, OrderGroup) and request.kind is not GroupKind.OTO:
            tags = {order.key for order in request.children}
            self.rivals |= {tag: tags - {tag} for tag in tags}

    def _match(self) -> None:
        quote = self.picture.quotes.get(self.symbol)
        if quote is None:
            return
        for tag, report in list(self.picture.orders.items()):
            if tag in self.picture.orders and report.state is OrderState.WORKING and _trades(report.order, quote):
                self._fill(report.order)

    def _fill(self, order: Order) -> None:
        quote = self.picture.quotes[self.symbol]
        at_market = quote.ask if order.side is Side.BUY else quote.bid
        price = order.limit_price or at_market
        assert price is not None
        fill = Fill(
            str(len(self.fills)), "paper", "A1", order.symbol, order.side, order.quantity, price, self.picture.now_ns
        )
        self.fills.append(fill)
        self._book(fill)
        self.told.append(Filled(order.key, fill))
        self._end(order.key, OrderState.FILLED)
        for tag in self.rivals.pop(order.key, ()):
            self._end(tag, OrderState.CANCELED)
        for child in [child for child, parent in self.parents.items() if parent == order.key]:
            del self.parents[child]
            self.picture.orders[child] = attrs.evolve(self.picture.orders[child], state=OrderState.WORKING)

    def _end(self, tag: str, state: OrderState) -> None:
        report = self.picture.orders.pop(tag, None)
        if report is not None:
            self.told.append(OrderUpdate(tag, attrs.evolve(report, state=state)))

    def _book(self, fill: Fill) -> None:
        before = self.view.position(self.symbol)
        held = before.quantity if before else Decimal(0)
        average = before.average_price if before and held * fill.signed_quantity > 0 else fill.price
        self.picture.positions[self.symbol] = position(held + fill.signed_quantity, average, self.symbol)


def _flat_quote(bar: Bar) -> Quote:
    return Quote(bar.symbol, bar.close, bar.close, Decimal(1), Decimal(1), bar.time_ns)


def _trades(order: Order, quote: Quote) -> bool:
    price = quote.ask if order.side is Side.BUY else quote.bid
    if price is None:
        return False
    limit, stop, sign = order.limit_price, order.stop_price, order.side.sign
    if stop is not None:
        return (price - stop) * sign >= 0
    return limit is None or (price - limit) * sign <= 0
