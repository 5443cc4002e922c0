"""The state of risk of one scope, as a fold of events: positions, what may still fill, pace, and the day's result.

A book is a fold: the same events under the same limits give the same state, whatever was saved and restored between.
It does no I/O and has no clock. A portfolio's book takes the events of all sessions and adds up without netting,
because each session may close or lose its position for itself.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from brokers import codec
from brokers.instruments import EXACT, sane
from brokers.sides import Side
from sessions.risk.day_result import DayResult, Standing
from sessions.risk.events import (
    ChangeAsked,
    ChangeSettled,
    Closed,
    DayBegan,
    Filled,
    LossLifted,
    Marked,
    Placed,
    Positioned,
    RiskEvent,
    Valued,
)
from sessions.risk.limits import Limits
from sessions.risk.lines import Lines
from sessions.risk.open_orders import Holding, OpenGroup, OpenOrder, OpenOrders
from sessions.risk.pace import Pace

_ZERO = Decimal(0)


class BadRiskEvent(ValueError):
    """An event with a number that cannot be meant; nothing of it was taken."""

    def __init__(self, event: RiskEvent, field: str, value: object, expected: str) -> None:
        self.event = event
        self.field = field
        self.value = value
        super().__init__(f"{type(event).__name__}.{field}: expected {expected}, got {value!r}; the book is unchanged")


@attrs.frozen
class HeldPosition:
    """A position of a session."""

    session: str
    symbol: str
    quantity: Decimal


@attrs.frozen
class UnitWorth:
    """What one unit of a symbol was last worth."""

    symbol: str
    worth: Decimal


@attrs.frozen
class Snapshot:
    """All of a book as data."""

    positions: tuple[HeldPosition, ...]
    worths: tuple[UnitWorth, ...]
    orders: tuple[OpenOrder, ...]
    groups: tuple[OpenGroup, ...]
    stamps: tuple[int, ...]
    standings: tuple[Standing, ...]
    day: dt.date | None
    tripped: bool

    def to_json(self) -> str:
        """One line of JSON."""
        return codec.encode(self)

    @classmethod
    def from_json(cls, document: str | bytes) -> "Snapshot":
        """The snapshot in a JSON document; raises InvalidJson with all that is wrong."""
        return codec.decode(document, cls, max_bytes=64 << 20)


class RiskBook:
    """One scope's state; `session` is None for the portfolio, else only that session's events count."""

    def __init__(self, session: str | None, limits: Limits) -> None:
        self.session = session
        self.lines = Lines()
        self.orders = OpenOrders(self.lines)
        self.pace = Pace(limits.orders_per_minute)
        self.result = DayResult(limits.daily_loss, resets_daily=limits.loss_reset == "trading_day")

    # Questions.

    def position(self, holding: Holding) -> Decimal:
        """What a session holds."""
        line = self.lines.known.get(holding)
        return _ZERO if line is None else line.held

    def worst(self, holding: Holding) -> Decimal:
        """The largest position, long or short, that could come of a holding and its open orders."""
        line = self.lines.known.get(holding)
        return _ZERO if line is None else line.worst

    def gross(self, symbol: str) -> Decimal:
        """The worst positions of all sessions in a symbol, added up."""
        return self.lines.gross(symbol)

    @property
    def exposure(self) -> Decimal | None:
        """The money value of the worst positions; None while one of them has no price."""
        return self.lines.exposure

    # The fold.

    def apply(self, event: RiskEvent) -> None:
        """Takes an event; one of another scope or of an order that is not open changes nothing; raises BadRiskEvent."""
        if self.session is None or event.session == self.session:
            need_sense(event)
            self.take(event)

    def take(self, event: RiskEvent) -> None:
        """The same for an event of this scope whose numbers are known to make sense."""
        self._folds[type(event)](self, event)

    def _place(self, event: Placed) -> None:
        orders, lines, key = self.orders, self.lines, event.key
        if key in orders.orders:
            return
        self.pace.count(event.time_ns)
        order = OpenOrder(event.session, key, event.symbol, event.side, event.quantity, _ZERO, event.group)
        line = orders.place(order, event.parent)
        lines.weigh(line)
        lines.price(line.total, event.worth)

    def _close(self, event: Closed) -> None:
        line = self.orders.close(event.key)
        if line is not None:
            self.lines.weigh(line)

    def _ask_change(self, event: ChangeAsked) -> None:
        self.pace.count(event.time_ns)
        order = self.orders.orders.get(event.key)
        if order is not None:
            self._resize(event.key, max(order.quantity, event.quantity))
            self.lines.price(self.lines.total(order.symbol), event.worth)

    def _settle_change(self, event: ChangeSettled) -> None:
        self._resize(event.key, event.quantity)

    def _resize(self, key: str, quantity: Decimal) -> None:
        """Gives an open order another quantity."""
        order = self.orders.orders.get(key)
        if order is not None:
            self.orders.resize(key, quantity)
            self.lines.weigh(self.lines.line(order.session, order.symbol))

    def _fill(self, event: Filled) -> None:
        key, side, quantity = event.key, event.side, event.quantity
        if key is not None and not self.orders.fits(key, event.session, event.symbol, side):
            raise BadRiskEvent(event, "key", key, f"an order to {side.value} {event.symbol}")
        line = self.lines.line(event.session, event.symbol)
        line.hold((EXACT.add if side is Side.BUY else EXACT.subtract)(line.held, quantity))
        if key is not None:
            self.orders.fill(key, quantity, line)
        self.lines.weigh(line)

    def _set_position(self, event: Positioned) -> None:
        line = self.lines.line(event.session, event.symbol)
        line.hold(event.quantity)
        self.lines.weigh(line)

    def _mark(self, event: Marked) -> None:
        self.lines.price(self.lines.total(event.symbol), event.worth)

    def _value(self, event: Valued) -> None:
        self.result.value(event)

    def _begin_day(self, event: DayBegan) -> None:
        if event.session == self.session:
            self.result.begin(event.day)

    def _lift_loss(self, event: LossLifted) -> None:
        if event.session == self.session:
            self.result.lift()

    # One look-up instead of a row of comparisons: a book takes several events for each order.
    _folds: ClassVar[Mapping[type, Callable[[Any, Any], None]]] = {
        Placed: _place,
        Filled: _fill,
        Closed: _close,
        Valued: _value,
        Marked: _mark,
        ChangeAsked: _ask_change,
        ChangeSettled: _settle_change,
        Positioned: _set_position,
        DayBegan: _begin_day,
        LossLifted: _lift_loss,
    }

    # Keeping.

    def snapshot(self) -> Snapshot:
        """All state as data."""
        return Snapshot(
            positions=tuple(
                HeldPosition(*holding, line.held) for holding, line in sorted(self.lines.known.items()) if line.held
            ),
            worths=tuple(
                UnitWorth(symbol, total.worth)
                for symbol, total in sorted(self.lines.totals.items())
                if total.worth is not None
            ),
            orders=tuple(self.orders.orders.values()),
            groups=tuple(self.orders.groups.values()),
            stamps=tuple(self.pace.stamps),
            standings=tuple(self.result.standings.values()),
            day=self.result.day,
            tripped=self.result.tripped,
        )

    @classmethod
    def restored(cls, session: str | None, limits: Limits, snapshot: Snapshot) -> "RiskBook":
        """The book that a snapshot was taken of; other limits than then hold from now on."""
        book = cls(session, limits)
        book.pace = Pace(limits.orders_per_minute, snapshot.stamps)
        book.result.restore(snapshot.standings, snapshot.day, tripped=snapshot.tripped)
        lines = book.lines
        for unit in snapshot.worths:
            lines.total(unit.symbol).worth = unit.worth
        for position in snapshot.positions:
            lines.line(position.session, position.symbol).hold(position.quantity)
        book.orders.restore(snapshot.orders, snapshot.groups)
        for line in lines.known.values():
            lines.weigh(line)
        return book


def fold(book: RiskBook, events: Iterable[RiskEvent]) -> RiskBook:
    """The book after the events."""
    for event in events:
        book.apply(event)
    return book


def need_sense(event: RiskEvent) -> None:
    """Lets an event pass whose numbers can be meant; raises BadRiskEvent."""
    kind = type(event)
    if kind in _SIZED:
        _need_positive(event, "quantity", event.quantity)  # type: ignore[union-attr]  # the kind was asked for
    elif kind is Positioned and not sane(event.quantity):  # type: ignore[union-attr]
        raise BadRiskEvent(event, "quantity", event.quantity, "a finite decimal")  # type: ignore[union-attr]
    if kind in _PRICED:
        _need_worth(event, event.worth)  # type: ignore[union-attr]


_SIZED = frozenset({Placed, Filled, ChangeAsked, ChangeSettled})
_PRICED = frozenset({Placed, Marked, ChangeAsked})


def _need_positive(event: RiskEvent, field: str, value: Decimal) -> None:
    if not (sane(value) and value > 0):
        raise BadRiskEvent(event, field, value, "a finite decimal above 0")


def _need_worth(event: RiskEvent, worth: Decimal | None) -> None:
    if worth is not None and not (sane(worth) and worth >= 0):
        raise BadRiskEvent(event, "worth", worth, "a finite decimal of at least 0")
