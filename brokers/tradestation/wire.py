"""TradeStation's payloads, decoded straight into frozen structs; unknown fields are passed over.

Numbers come as strings or as JSON numbers; both become Decimals from their own text. Everything that cannot be is a
BadPayload, whatever the bytes are: broken JSON, deep nesting, NaN, or a negative quantity.
"""

import datetime as dt
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

from brokers.figures import Figure, decoder
from brokers.instruments import sane

T = TypeVar("T")

MAX_DOCUMENT: Final = 8 * 1024 * 1024
MAX_LINE: Final = 1024 * 1024
_SHOWN: Final = 200
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


class BadPayload(ValueError):
    """What the broker sent cannot be: `what` it was, what was `expected`, and the `excerpt` that came instead."""

    def __init__(self, what: str, expected: str, excerpt: object) -> None:
        self.what = what
        self.expected = expected
        self.excerpt = repr(excerpt)[:_SHOWN]
        super().__init__(f"{what}: expected {expected}, got {self.excerpt}; put aside; ask the broker again")


def _wire_name(name: str) -> str:
    return "".join("ID" if part == "id" else part.capitalize() for part in name.split("_"))


class Payload(msgspec.Struct, frozen=True, gc=False, rename=_wire_name):
    """What all payloads are: frozen, with TradeStation's spelling of the field names."""


class Fault(Payload, frozen=True):
    """An error object, alone or as one entry of `Errors`."""

    error: str = ""
    message: str = ""
    account_id: str = ""
    order_id: str = ""
    symbol: str = ""


class Account(Payload, frozen=True):
    """An account of the login."""

    account_id: str
    currency: str = "USD"
    status: str = ""
    account_type: str = ""


class Accounts(Payload, frozen=True):
    """The answer about accounts."""

    accounts: tuple[Account, ...]


class CurrencyDetail(Payload, frozen=True):
    """The part of a futures account in one currency."""

    currency: str = ""


class BalanceDetail(Payload, frozen=True):
    """Figures that depend on the kind of account."""

    realized_profit_loss: Decimal = Decimal(0)
    unrealized_profit_loss: Decimal = Decimal(0)
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    required_margin: Decimal | None = None


class Balance(Payload, frozen=True):
    """The money of one account."""

    account_id: str
    cash_balance: Decimal
    equity: Decimal
    buying_power: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    balance_detail: BalanceDetail = BalanceDetail()
    currency_details: tuple[CurrencyDetail, ...] = ()


class Balances(Payload, frozen=True):
    """The answer about money."""

    balances: tuple[Balance, ...] = ()
    errors: tuple[Fault, ...] | None = None


class PositionRecord(Payload, frozen=True):
    """A position; in a stream of changes only what changed, and the stream's control words."""

    account_id: str = ""
    position_id: str = ""
    symbol: str = ""
    long_short: str = ""
    quantity: Decimal | None = None
    average_price: Decimal | None = None
    last: Decimal | None = None
    unrealized_profit_loss: Decimal | None = None
    deleted: bool = False
    heartbeat: int = 0
    stream_status: str = ""
    error: str = ""
    message: str = ""


class Positions(Payload, frozen=True):
    """The answer about positions."""

    positions: tuple[PositionRecord, ...] = ()
    errors: tuple[Fault, ...] | None = None


class TrailingStop(Payload, frozen=True):
    """How far a stop follows."""

    amount: Decimal | None = None
    percent: Decimal | None = None


class Leg(Payload, frozen=True):
    """One leg of an order with its cumulative quantities."""

    symbol: str
    buy_or_sell: str
    quantity_ordered: Decimal
    exec_quantity: Decimal = Decimal(0)
    execution_price: Decimal | None = None


class OrderRecord(Payload, frozen=True):
    """An order as lists and streams show it, always complete; a stream's control words stand beside it."""

    account_id: str = ""
    order_id: str = ""
    status: str = ""
    status_description: str = ""
    order_type: str = ""
    duration: str = ""
    legs: tuple[Leg, ...] = ()
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trailing_stop: TrailingStop | None = None
    filled_price: Decimal | None = None
    commission_fee: Decimal = Decimal(0)
    good_till_date: str = ""
    opened_date_time: str = ""
    closed_date_time: str = ""
    reject_reason: str = ""
    heartbeat: int = 0
    stream_status: str = ""
    error: str = ""
    message: str = ""


class Orders(Payload, frozen=True):
    """One page of orders."""

    orders: tuple[OrderRecord, ...] = ()
    errors: tuple[Fault, ...] | None = None
    next_token: str | None = None


class Placed(Payload, frozen=True):
    """One order that was sent on."""

    order_id: str = ""
    message: str = ""


class Placement(Payload, frozen=True):
    """The answer to an order or a group; `Errors` or `Orders` may be missing. An HTTP error has `Error` alone."""

    orders: tuple[Placed, ...] | None = None
    errors: tuple[Fault, ...] | None = None
    error: str = ""
    message: str = ""


class BarRecord(Payload, frozen=True):
    """One bar; its stamp is its end."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    time_stamp: str
    total_volume: Decimal = Decimal(0)
    total_ticks: int = 0
    bar_status: str = "Closed"


class BarLine(Payload, frozen=True):
    """What must be known of every line of a bar stream; the figures of a bar are read when it has closed."""

    time_stamp: str = ""
    bar_status: str = ""
    error: str = ""
    message: str = ""


class Bars(Payload, frozen=True):
    """The answer about bars; an error may come in a reply of success."""

    bars: tuple[BarRecord, ...] | None = None
    error: str = ""
    message: str = ""


class PriceFormat(Payload, frozen=True):
    """The grid of prices and the worth of a point."""

    increment: Decimal
    point_value: Decimal


class SymbolRecord(Payload, frozen=True):
    """What is traded under a name."""

    symbol: str
    price_format: PriceFormat
    asset_type: str = ""
    currency: str = "USD"
    exchange: str = ""
    description: str = ""
    underlying: str = ""


class Symbols(Payload, frozen=True):
    """The answer about names."""

    symbols: tuple[SymbolRecord, ...] = ()
    errors: tuple[Fault, ...] | None = None


class MarketFlags(Payload, frozen=True):
    """What is special about a symbol's data."""

    is_delayed: bool = False
    is_halted: bool = False


class QuoteLine(Payload, frozen=True):
    """A line of the quote stream: whole at first, then only what changed; or one of the stream's control words."""

    symbol: str = ""
    bid: Figure = None
    ask: Figure = None
    bid_size: Figure = None
    ask_size: Figure = None
    last: Figure = None
    last_size: Figure = None
    volume: Decimal | None = None  # never the same again
    trade_time: str = ""
    market_flags: MarketFlags | None = None
    heartbeat: int = 0
    error: str = ""
    message: str = ""


_DECODERS: Final[dict[type[Any], msgspec.json.Decoder[Any]]] = {}


def _decoder(kind: type[Any]) -> msgspec.json.Decoder[Any]:
    found = _DECODERS[kind] = decoder(kind)
    return found


def decode(kind: type[T], data: bytes, limit: int = MAX_DOCUMENT) -> T:
    """The payload in these bytes; raises BadPayload."""
    if len(data) > limit:
        raise BadPayload(kind.__name__, f"at most {limit} bytes", len(data))
    try:
        found: T = (_DECODERS.get(kind) or _decoder(kind)).decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadPayload(f"{kind.__name__} ({str(error)[:_SHOWN]})", "a whole object of this kind", data) from None
    return found


def quantity(value: Decimal | None, what: str) -> Decimal:
    """A quantity of zero or more; raises BadPayload."""
    if value is None or not sane(value) or value < 0:
        raise BadPayload(what, "a finite number of zero or more", value)
    return value


def price(value: Decimal | None, what: str) -> Decimal | None:
    """A price or none; raises BadPayload for NaN and its like."""
    if value is not None and not sane(value):
        raise BadPayload(what, "a finite price", value)
    return value


def money(value: Decimal, what: str) -> Decimal:
    """An amount; raises BadPayload for NaN and its like."""
    if not sane(value):
        raise BadPayload(what, "a finite amount", value)
    return value


def time_ns(text: str, what: str) -> int:
    """A stamp as nanoseconds since 1970 UTC; raises BadPayload."""
    try:
        moment = dt.datetime.fromisoformat(text)
        return (moment - _EPOCH) // _MICROSECOND * 1_000
    except (ValueError, TypeError, OverflowError):
        raise BadPayload(what, "a time like 2025-12-01T14:30:05Z", text) from None


def stamp(at_ns: int) -> str:
    """The time as requests write it, whole seconds."""
    return dt.datetime.fromtimestamp(at_ns // 1_000_000_000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
