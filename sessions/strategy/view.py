"""What a strategy sees: a read-only View over the Picture that its trader keeps.

One view serves all events. It holds nothing of its own and works out an answer only when it is asked, so telling a
strategy of a quote costs the quote, not a copy of the world. Each method takes a root or a contract; a root means the
contract that is in front now.
"""

from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Generic, TypeVar

import attrs

from brokers.calendar import SessionCalendar
from brokers.guards.ladder import Rung
from brokers.instruments import Instrument
from brokers.market import Bar, Interval, MarketStatus, Quote, Trade
from brokers.model import AccountSummary, OrderReport, Position
from brokers.validation import Rounding, round_to_lot, round_to_tick
from sessions.strategy.wants import Hours, Wants, hours_at

S_co = TypeVar("S_co", covariant=True)

_ZERO: Final = Decimal(0)


class UnknownSymbol(LookupError):
    """A symbol that the strategy's session does not follow."""

    def __init__(self, symbol: str, known: tuple[str, ...]) -> None:
        self.symbol = symbol
        self.known = known
        super().__init__(
            f"{symbol!r} is not followed by this session, which follows {', '.join(known) or 'nothing'}; "
            "name it in the strategy's wants"
        )


@attrs.define(eq=False)
class Picture:
    """All that one strategy may know, kept current by its trader and read through the view.

    `orders` holds the open orders by tag, from the moment a decision is accepted: an order that is decided but not
    yet confirmed is there too, or the next quote would decide it again.
    """

    calendar_of: Callable[[str], SessionCalendar]
    now_ns: int = 0
    state: object = None
    rung: Rung = Rung.FULL
    account: AccountSummary | None = None
    fronts: dict[str, str] = attrs.field(factory=dict)  # root -> contract in front
    instruments: dict[str, Instrument] = attrs.field(factory=dict)  # by contract
    positions: dict[str, Position] = attrs.field(factory=dict)  # by contract
    orders: dict[str, OrderReport] = attrs.field(factory=dict)  # by tag
    quotes: dict[str, Quote] = attrs.field(factory=dict)  # by contract
    trades: dict[str, Trade] = attrs.field(factory=dict)  # by contract
    bars: dict[tuple[str, Interval], deque[Bar]] = attrs.field(factory=dict)  # by contract

    def follow(self, root: str, instrument: Instrument, wants: Wants) -> None:
        """Takes a contract as the one that a root, or its own name, means from now on; its bars begin empty."""
        self.fronts[root] = instrument.symbol
        self.instruments[instrument.symbol] = instrument
        for series in wants.bars:
            if series.symbol == root:
                self.bars[instrument.symbol, series.interval] = deque(maxlen=max(series.history, 1))

    def leave(self, symbol: str) -> None:
        """Forgets a contract that is followed no longer."""
        self.instruments.pop(symbol, None)
        self.quotes.pop(symbol, None)
        self.trades.pop(symbol, None)
        for key in [key for key in self.bars if key[0] == symbol]:
            del self.bars[key]

    def add_bar(self, bar: Bar) -> None:
        """Adds a finished bar to its window; one that nobody asked for is dropped."""
        window = self.bars.get((bar.symbol, bar.interval))
        if window is not None:
            window.append(bar)


class View(Generic[S_co]):
    """What a strategy may ask while it decides; what it returns is frozen."""

    __slots__ = ("_picture",)

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    # ------------------------------------------------------------------ the session

    @property
    def now_ns(self) -> int:
        """The instant of the event, in nanoseconds since 1970 UTC: the only clock a strategy has."""
        return self._picture.now_ns

    @property
    def state(self) -> S_co:
        """The state that was kept last."""
        return self._picture.state  # type: ignore[return-value]  # the trader holds it by its declared class

    @property
    def rung(self) -> Rung:
        """What the session may still do; ask `rung.permits(Action.ADD_RISK)`."""
        return self._picture.rung

    @property
    def account(self) -> AccountSummary | None:
        """The account's money as last told, or None."""
        return self._picture.account

    # ------------------------------------------------------------------ orders and positions

    @property
    def orders(self) -> Mapping[str, OrderReport]:
        """The strategy's open orders by tag, those on their way included."""
        return MappingProxyType(self._picture.orders)

    def order(self, tag: str) -> OrderReport | None:
        """The open order with a tag; None when it is done or never was."""
        return self._picture.orders.get(tag)

    def position(self, symbol: str) -> Position | None:
        """The session's own position, or None before its first trade."""
        return self._picture.positions.get(self.symbol(symbol))

    def held(self, symbol: str) -> Decimal:
        """The signed size of the position; 0 when flat."""
        position = self.position(symbol)
        return _ZERO if position is None else position.quantity

    # ------------------------------------------------------------------ market

    def symbol(self, name: str) -> str:
        """The contract behind a root or a contract; raises UnknownSymbol."""
        picture = self._picture
        found = picture.fronts.get(name)
        if found is not None:
            return found
        if name in picture.instruments:
            return name
        raise UnknownSymbol(name, (*picture.fronts, *picture.instruments))

    def quote(self, symbol: str) -> Quote | None:
        """The last quote."""
        return self._picture.quotes.get(self.symbol(symbol))

    def trade(self, symbol: str) -> Trade | None:
        """The last print."""
        return self._picture.trades.get(self.symbol(symbol))

    def bars(self, symbol: str, interval: Interval, last: int | None = None) -> tuple[Bar, ...]:
        """The last bars, oldest first: all that are kept, or so many of them."""
        window = self._picture.bars.get((self.symbol(symbol), interval))
        if not window:
            return ()
        if last is None or last >= len(window):
            return tuple(window)
        return tuple(window[at] for at in range(-last, 0))

    def status(self, symbol: str) -> MarketStatus:
        """What the market should be doing now by its calendar."""
        return self._picture.calendar_of(self.symbol(symbol)).status(self.now_ns)

    def hours(self, symbol: str) -> Hours:
        """The regular hours of now, or else the next ones."""
        return hours_at(self._picture.calendar_of(self.symbol(symbol)), self.now_ns)

    # ------------------------------------------------------------------ instruments

    def instrument(self, symbol: str) -> Instrument:
        """The facts of a contract; raises UnknownSymbol."""
        contract = self.symbol(symbol)
        found = self._picture.instruments.get(contract)
        if found is None:
            raise UnknownSymbol(contract, tuple(self._picture.instruments))
        return found

    def tick_down(self, symbol: str, price: Decimal) -> Decimal:
        """The nearest price of the grid that is not above this one."""
        return round_to_tick(price, self.instrument(symbol).tick, Rounding.DOWN)

    def tick_up(self, symbol: str, price: Decimal) -> Decimal:
        """The nearest price of the grid that is not below this one."""
        return round_to_tick(price, self.instrument(symbol).tick, Rounding.UP)

    def whole_lots(self, symbol: str, quantity: Decimal) -> Decimal:
        """The largest size of the lot grid within a size that is not negative."""
        return round_to_lot(quantity, self.instrument(symbol).lot, Rounding.DOWN)
