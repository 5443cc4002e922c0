"""The neutral trading vocabulary: orders, groups of orders, fills, positions and accounts, all frozen."""

import enum
from decimal import Decimal
from functools import cached_property

import attrs

from brokers.sides import Side
from runtime.quick import quick


class OrderType(enum.Enum):
    """How an order's price is found."""

    __hash__ = object.__hash__  # members are singletons; the standard hash is a call into Python

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class TimeInForce(enum.Enum):
    """How long an order lives."""

    __hash__ = object.__hash__  # members are singletons; the standard hash is a call into Python

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"


class OrderState(enum.Enum):
    """The words of an order's life; the moves between them are in brokers.lifecycle."""

    __hash__ = object.__hash__  # members are singletons; the standard hash is a call into Python

    CREATED = "created"
    PENDING_NEW = "pending_new"
    HELD = "held"
    WORKING = "working"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_REPLACE = "pending_replace"
    PENDING_CANCEL = "pending_cancel"
    SUSPENDED = "suspended"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REPLACED = "replaced"

    @cached_property
    def final(self) -> bool:
        """Whether only corrections can follow."""
        return self in _FINAL


_FINAL = frozenset(
    {OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED, OrderState.REPLACED}
)


@quick
@attrs.frozen(weakref_slot=False)
class Order:
    """One neutral order; `key` is our own id, made and journalled before anything is sent."""

    key: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_offset: Decimal | None = None  # in price
    trail_percent: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    expires_ns: int | None = None  # for GTD
    extended_hours: bool = False
    reduce_only: bool = False
    post_only: bool = False


class GroupKind(enum.Enum):
    """How the orders of a group hang together."""

    BRACKET = "bracket"  # a parent; when it fills, its children live as one OCO
    OCO = "oco"  # children only: one done cancels the others
    OTO = "oto"  # a parent; when it fills, its children live independently


@attrs.frozen
class OrderGroup:
    """A bracket, OCO or OTO as one object; with `reduce_size` a part fill shrinks the siblings instead."""

    key: str
    kind: GroupKind
    parent: Order | None
    children: tuple[Order, ...]
    reduce_size: bool = False

    @property
    def orders(self) -> tuple[Order, ...]:
        """The parent, where there is one, and the children."""
        return self.children if self.parent is None else (self.parent, *self.children)


@quick
@attrs.frozen(weakref_slot=False)
class Change:
    """New terms for a live order; None keeps the term, and `quantity` counts what is filled already."""

    key: str
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_offset: Decimal | None = None
    trail_percent: Decimal | None = None

    def applied_to(self, order: Order) -> Order:
        """The order under its new terms."""
        terms = attrs.asdict(self, filter=lambda field, value: field.name != "key" and value is not None)
        return attrs.evolve(order, **terms)


class Liquidity(enum.Enum):
    """Whether a fill rested in the book or took from it."""

    MAKER = "maker"
    TAKER = "taker"
    UNKNOWN = "unknown"


@quick
@attrs.frozen(weakref_slot=False)
class Fill:
    """One execution; `(broker, account, id)` is its identity for ever."""

    id: str
    broker: str
    account: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    time_ns: int
    order_key: str | None = None
    broker_order_id: str | None = None
    fee: Decimal = Decimal(0)  # a rebate is negative
    fee_currency: str = ""  # empty: the instrument's settlement currency
    liquidity: Liquidity = Liquidity.UNKNOWN
    session: str | None = None

    @property
    def signed_quantity(self) -> Decimal:
        """Positive for a buy, negative for a sell."""
        return self.quantity if self.side is Side.BUY else -self.quantity

    def attributed(self, fee: Decimal, session: str | None) -> "Fill":
        """The execution with what it cost and whose it is; attrs.evolve costs five times as much."""
        return Fill(
            self.id,
            self.broker,
            self.account,
            self.symbol,
            self.side,
            self.quantity,
            self.price,
            self.time_ns,
            self.order_key,
            self.broker_order_id,
            fee,
            self.fee_currency,
            self.liquidity,
            session,
        )


@quick
@attrs.frozen(weakref_slot=False)
class OrderReport:
    """What is known of one order: its state word and, apart from it, its quantity facts."""

    order: Order
    account: str
    state: OrderState
    filled: Decimal
    remaining: Decimal
    average_price: Decimal | None
    broker_order_ids: tuple[str, ...]
    time_ns: int
    sequence: int = 0
    reason: str = ""


@quick
@attrs.frozen(weakref_slot=False)
class Position:
    """A net position; average and mark are None when flat or not known."""

    account: str
    symbol: str
    quantity: Decimal
    average_price: Decimal | None
    mark: Decimal | None
    unrealised: Decimal
    realised: Decimal
    currency: str
    time_ns: int


@quick
@attrs.frozen(weakref_slot=False)
class Balance:
    """Cash of one currency in an account."""

    account: str
    currency: str
    cash: Decimal
    time_ns: int


@quick
@attrs.frozen(weakref_slot=False)
class Margin:
    """What open positions tie up."""

    initial: Decimal
    maintenance: Decimal


@quick
@attrs.frozen(weakref_slot=False)
class AccountSummary:
    """An account's money in its own currency."""

    account: str
    currency: str
    cash: Decimal
    equity: Decimal
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    margin: Margin
    buying_power: Decimal
    time_ns: int
