"""Market data in one vocabulary; times are integer nanoseconds since 1970 UTC."""

import enum
import re
from decimal import Decimal

import attrs

from brokers.sides import Side
from runtime.quick import quick

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@quick
@attrs.frozen(weakref_slot=False)
class Quote:
    """Best bid and offer; a missing side is None."""

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal
    ask_size: Decimal
    time_ns: int


@quick
@attrs.frozen(weakref_slot=False)
class Trade:
    """One print; `aggressor` is None where the feed does not tell."""

    symbol: str
    price: Decimal
    size: Decimal
    time_ns: int
    aggressor: Side | None = None


@quick
@attrs.frozen(weakref_slot=False)
class Level:
    """One price of a book with the size displayed there."""

    price: Decimal
    size: Decimal


@quick
@attrs.frozen(weakref_slot=False)
class Depth:
    """A book snapshot, best price first on each side."""

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    time_ns: int


class BarUnit(enum.Enum):
    """The unit of a bar's interval."""

    SECOND = "s"
    MINUTE = "m"
    HOUR = "h"
    DAY = "d"
    WEEK = "w"


@attrs.frozen
class Interval:
    """A bar's length, written like 1m, 15m, 4h, 1d."""

    count: int
    unit: BarUnit

    @classmethod
    def parse(cls, text: str) -> "Interval":
        """Reads `15m`; raises ValueError that shows the text and the allowed form."""
        match = re.fullmatch(r"([1-9]\d{0,5})([smhdw])", text)
        if match is None:
            raise ValueError(f"interval {text!r} is not <count><s|m|h|d|w>, such as 1m, 15m, 4h, 1d")
        return cls(int(match[1]), BarUnit(match[2]))

    @property
    def nanoseconds(self) -> int:
        """The nominal length; a day's bar follows the session calendar instead."""
        return self.count * _UNITS[self.unit.value] * 1_000_000_000

    def __str__(self) -> str:
        return f"{self.count}{self.unit.value}"


@quick
@attrs.frozen(weakref_slot=False)
class Bar:
    """One candle; `time_ns` is its close, and a bar without data does not exist."""

    symbol: str
    interval: Interval
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    time_ns: int
    trades: int = 0


class MarketStatus(enum.Enum):
    """What an instrument's market is doing now."""

    __hash__ = object.__hash__  # members are singletons; the standard hash is a call into Python

    PRE_OPEN = "pre_open"  # orders may come and go, nothing trades
    OPEN = "open"
    EXTENDED = "extended"  # before or after the regular session: only orders that ask for it trade
    HALTED = "halted"  # orders may come and go, nothing trades
    BREAK = "break"  # a pause inside the trading day: no new orders, day orders live on
    CLOSED = "closed"  # the trading day is over: no new orders, day orders have expired

    @property
    def trading(self) -> bool:
        """Whether anything can trade at all."""
        return self is MarketStatus.OPEN or self is MarketStatus.EXTENDED


MarketEvent = Quote | Trade | Depth | Bar
