"""The state of risk of one scope, as a fold of events: positions, what may still fill, pace, and the day's result.

A book is a fold: the same events under the same limits give the same state, whatever was saved and restored between.
It does no I/O and has no clock. A portfolio's book takes the events of all sessions and adds up without netting,
because each session may close or lose its position for itself.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

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
from sessions.risk.open_orders import Holding, OpenGroup, OpenOrder, OpenOrders, holding_of
from sessions.risk.pace import Pace

K = TypeVar("K")

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
        self.orders = OpenOrders()
        self.pace = Pace(limits.orders_per_minute)
        self.result = DayResult(limits.daily_loss, resets_daily=limits.loss_reset == "trading_day")
        self._positions: dict[Holding, Decimal] = {}
        self._worst: dict[Holding, Decimal] = {}
        self._gross: dict[str, Decimal] = {}
        self._worths: dict[str, Decimal] = {}
        self._exposures: dict[str, Decimal] = {}
        self._exposure = _ZERO
        self._unpriced: set[str] = set()

    # Questions.

    def position(self, holding: Holding) -> Decimal:
        """What a session holds."""
        return self._positions.get(holding, _ZERO)

    def worst(self, holding: Holding) -> Decimal:
        """The largest position, long or short, that could come of a holding and its open orders."""
        return self._worst.get(holding, _ZERO)

    def worst_with(self, holding: Holding, buys: Decimal, sells: Decimal) -> Decimal:
        """The same if so much more could fill."""
        long, short = _sum(self.orders.live(holding, Side.BUY), buys), _sum(self.orders.live(holding, Side.SELL), sells)
        held = self._positions.get(holding)
        if held is not None:
            long, short = EXACT.add(long, held), EXACT.subtract(short, held)
        return max(long, short)

    def gross(self, symbol: str) -> Decimal:
        """The worst positions of all sessions in a symbol, added up."""
        return self._gross.get(symbol, _ZERO)

    @property
    def exposure(self) -> Decimal | None:
        """The money value of the worst positions; None while one of them has no price."""
        return None if self._unpriced else self._exposure

    def exposure_with(self, symbol: str, growth: Decimal, worth: Decimal) -> Decimal | None:
        """The same if a symbol's worst position grew, at this worth of one unit; None while another has no price."""
        if self._unpriced and self._unpriced != {symbol}:
            return None
        others = EXACT.subtract(self._exposure, self._exposures.get(symbol, _ZERO))
        return _sum(EXACT.multiply(_sum(growth, self.gross(symbol)), worth), others)

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
        if event.key in self.orders.orders:
            return
        self.pace.count(event.time_ns)
        order = OpenOrder(event.session, event.key, event.symbol, event.side, event.quantity, _ZERO, event.group)
        self.orders.place(order, event.parent)
        self._weigh(holding_of(event.session, event.symbol))
        self._price(event.symbol, event.worth)

    def _close(self, event: Closed) -> None:
        self._resize(event.key, None)

    def _ask_change(self, event: ChangeAsked) -> None:
        self.pace.count(event.time_ns)
        order = self.orders.orders.get(event.key)
        if order is not None:
            self._resize(event.key, max(order.quantity, event.quantity))
            self._price(order.symbol, event.worth)

    def _settle_change(self, event: ChangeSettled) -> None:
        self._resize(event.key, event.quantity)

    def _resize(self, key: str, quantity: Decimal | None) -> None:
        """Gives an open order another quantity, or closes it."""
        order = self.orders.orders.get(key)
        if order is None:
            return
        if quantity is None:
            self.orders.close(key)
        else:
            self.orders.resize(key, quantity)
        self._weigh(holding_of(order.session, order.symbol))

    def _fill(self, event: Filled) -> None:
        holding = holding_of(event.session, event.symbol)
        if event.key is not None and not self.orders.fits(event.key, holding, event.side):
            raise BadRiskEvent(event, "key", event.key, f"an order to {event.side.value} {event.symbol}")
        moved = event.quantity if event.side is Side.BUY else event.quantity.copy_negate()
        self._hold(holding, _sum(moved, self.position(holding)))
        if event.key is not None:
            self.orders.fill(event.key, event.quantity)
        self._weigh(holding)

    def _set_position(self, event: Positioned) -> None:
        holding = holding_of(event.session, event.symbol)
        self._hold(holding, event.quantity)
        self._weigh(holding)

    def _mark(self, event: Marked) -> None:
        self._price(event.symbol, event.worth)

    def _value(self, event: Valued) -> None:
        self.result.value(event)

    def _begin_day(self, event: DayBegan) -> None:
        if event.session == self.session:
            self.result.begin(event.day)

    def _lift_loss(self, event: LossLifted) -> None:
        if event.session == self.session:
            self.result.lift()

    def _hold(self, holding: Holding, quantity: Decimal) -> None:
        if quantity:
            self._positions[holding] = quantity
        else:
            self._positions.pop(holding, None)

    def _price(self, symbol: str, worth: Decimal | None) -> None:
        if worth is not None and worth != self._worths.get(symbol):
            self._worths[symbol] = worth
            self._expose(symbol)

    def _weigh(self, holding: Holding) -> None:
        """Brings a holding's worst position and all sums over it up to date."""
        symbol = holding.symbol
        worst, before = self.worst_with(holding, _ZERO, _ZERO), self.worst(holding)
        if worst == before:
            return  # as after most fills: what was open is held now
        gross = _sum(EXACT.subtract(worst, before), self.gross(symbol))
        _keep(self._worst, holding, worst)
        _keep(self._gross, symbol, gross)
        self._expose(symbol)

    def _expose(self, symbol: str) -> None:
        gross, worth = self.gross(symbol), self._worths.get(symbol)
        if gross and worth is None:
            self._unpriced.add(symbol)
        else:
            self._unpriced.discard(symbol)
        exposure = EXACT.multiply(gross, worth) if gross and worth is not None else _ZERO
        grown = EXACT.subtract(exposure, self._exposures.get(symbol, _ZERO))
        self._exposure = _sum(grown, self._exposure)
        _keep(self._exposures, symbol, exposure)

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
            positions=tuple(HeldPosition(*holding, quantity) for holding, quantity in sorted(self._positions.items())),
            worths=tuple(UnitWorth(symbol, worth) for symbol, worth in sorted(self._worths.items())),
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
        book._worths = {one.symbol: one.worth for one in snapshot.worths}
        book._positions = {Holding(one.session, one.symbol): one.quantity for one in snapshot.positions}
        book.orders.restore(snapshot.orders, snapshot.groups)
        touched = {*book._positions, *(Holding(order.session, order.symbol) for order in snapshot.orders)}
        for holding in sorted(touched):
            book._weigh(holding)
        return book


def fold(book: RiskBook, events: Iterable[RiskEvent]) -> RiskBook:
    """The book after the events."""
    for event in events:
        book.apply(event)
    return book


def _keep(sums: dict[K, Decimal], key: K, value: Decimal) -> None:
    if value:
        sums[key] = value
    else:
        sums.pop(key, None)


def _sum(one: Decimal, other: Decimal) -> Decimal:
    """Both together; most often there is nothing to add to."""
    return EXACT.add(one, other) if other else one


def need_sense(event: RiskEvent) -> None:
    """Lets an event pass whose numbers can be meant; raises BadRiskEvent."""
    if isinstance(event, _SIZED):
        _need_positive(event, "quantity", event.quantity)
    elif isinstance(event, Positioned) and not sane(event.quantity):
        raise BadRiskEvent(event, "quantity", event.quantity, "a finite decimal")
    if isinstance(event, _PRICED):
        _need_worth(event, event.worth)


_SIZED = (Placed, Filled, ChangeAsked, ChangeSettled)
_PRICED = (Placed, Marked, ChangeAsked)


def _need_positive(event: RiskEvent, field: str, value: Decimal) -> None:
    if not (sane(value) and value > 0):
        raise BadRiskEvent(event, field, value, "a finite decimal above 0")


def _need_worth(event: RiskEvent, worth: Decimal | None) -> None:
    if worth is not None and not (sane(worth) and worth >= 0):
        raise BadRiskEvent(event, "worth", worth, "a finite decimal of at least 0")
