"""Order bodies as they come in: read with the checks of the order interface, and turned into orders of the exchange."""

from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final, NoReturn

import attrs

from brokers.instruments import Instrument
from brokers.matching.prices import on_grid
from brokers.model import Order, OrderType, TimeInForce
from brokers.sides import Side
from brokers.tradovate.emulator.words import Fields, fail, number, plain, read_time, violate

SIDES: Final = {"Buy": Side.BUY, "Sell": Side.SELL}
TYPES: Final[Mapping[str, OrderType | None]] = {  # None: this exchange has no such order
    "Market": OrderType.MARKET,
    "Limit": OrderType.LIMIT,
    "Stop": OrderType.STOP,
    "StopLimit": OrderType.STOP_LIMIT,
    "TrailingStop": OrderType.TRAILING_STOP,
    "MIT": None,
    "TrailingStopLimit": None,
    "QTS": None,
}
LIVES: Final = {
    "Day": TimeInForce.DAY,
    "GTC": TimeInForce.GTC,
    "GTD": TimeInForce.GTD,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
}
MOST_CONTRACTS: Final = 1_000
_MOST_KEY: Final = 64
_BY_LIMIT: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_BY_STOP: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_WITH_STOP: Final = _BY_STOP | {OrderType.TRAILING_STOP}


@attrs.frozen
class Version:
    """The terms of an order, which a change replaces as a whole."""

    quantity: Decimal
    type: str
    price: Decimal | None
    stop: Decimal | None
    peg: Decimal | None
    life: str
    expires: str | None
    text: str | None

    def written(self) -> dict[str, Any]:
        """The terms as an order version shows them; those that are not there are left out."""
        shown = {
            "orderQty": plain(self.quantity),
            "orderType": self.type,
            "price": self.price,
            "stopPrice": self.stop,
            "pegDifference": self.peg,
            "timeInForce": self.life,
            "expireTime": self.expires,
            "text": self.text,
        }
        return {name: value for name, value in shown.items() if value is not None}


@attrs.frozen
class Ticket:
    """One order body that is well-formed."""

    account: int
    action: str
    instrument: Instrument
    version: Version
    key: str | None  # the clOrdId, which is kept on the command and nowhere else
    automated: bool

    @property
    def side(self) -> Side:
        """Buy or sell."""
        return SIDES[self.action]

    def order(self, key: str) -> Order:
        """The exchange's order."""
        version = self.version
        kind = TYPES[version.type]
        assert kind is not None, version  # noqa: S101 - check_version has refused it
        return Order(
            key=key,
            symbol=self.instrument.symbol,
            side=self.side,
            type=kind,
            quantity=version.quantity,
            limit_price=version.price if kind in _BY_LIMIT else None,
            stop_price=version.stop,
            trail_offset=None if version.peg is None else abs(version.peg),
            time_in_force=LIVES[version.life],
            expires_ns=read_time(version.expires) if version.life == "GTD" else None,
        )


def read_version(fields: Fields, quantity: Decimal | None = None) -> Version:
    """The terms in a body, for a leg with the quantity of the first order; raises AnsweredError."""
    if quantity is None:
        quantity = _number(fields, "orderQty")
        if quantity is None:
            violate("required", "orderQty", None, "orderQty is required")
    kind = _one_of(fields, "orderType", TYPES, None)
    life = _one_of(fields, "timeInForce", LIVES, "Day")
    expires, text = fields.get("expireTime"), fields.get("text")
    if life == "GTD" and read_time(expires) is None:
        violate("required", "expireTime", expires, "expireTime is required for GTD")
    return Version(
        quantity=quantity,
        type=kind,
        price=_number(fields, "price"),
        stop=_number(fields, "stopPrice"),
        peg=_number(fields, "pegDifference"),
        life=life,
        expires=None if expires is None else str(expires)[:40],
        text=None if text is None else str(text)[:64],
    )


def check_version(version: Version, instrument: Instrument) -> None:
    """Refuses terms that make no order; raises AnsweredError."""
    kind = TYPES[version.type]
    if kind is None:
        fail("Unsupported", f"Order type {version.type} is not supported")
    if not on_grid(version.quantity, Decimal(1)) or version.quantity <= 0:
        fail("UnknownReason", "Invalid quantity")
    if version.quantity > MOST_CONTRACTS:
        fail("MaxOrderQtyLimitReached", "Order quantity limit reached")
    _check_price(version.price, instrument, wanted=kind in _BY_LIMIT, allowed=kind in _BY_LIMIT)
    _check_price(version.stop, instrument, wanted=kind in _BY_STOP, allowed=kind in _WITH_STOP)
    if (kind is OrderType.TRAILING_STOP) != (version.peg is not None) or version.peg == 0:
        fail("InvalidPrice", "Invalid peg difference")


def _check_price(price: Decimal | None, instrument: Instrument, *, wanted: bool, allowed: bool) -> None:
    if wanted if price is None else not (allowed and on_grid(price, instrument.tick)):
        fail("InvalidPrice", "Invalid price")


def read_action(fields: Fields) -> str:
    """Buy or Sell; raises AnsweredError."""
    return _one_of(fields, "action", SIDES, None)


def read_key(fields: Fields) -> str | None:
    """The client's own id of a command; raises AnsweredError."""
    key = fields.get("clOrdId")
    if key is not None and not (isinstance(key, str) and 0 < len(key) <= _MOST_KEY):
        violate("maxLength", "clOrdId", key, f"clOrdId must have 1 to {_MOST_KEY} characters")
    return key


def _one_of(fields: Fields, name: str, words: Mapping[str, object], default: str | None) -> str:
    value = fields.get(name, default)
    if value is None:
        violate("required", name, None, f"{name} is required")
    if not isinstance(value, str) or value not in words:
        violate("enum", name, value, f"{name} must be one of {', '.join(words)}")
    return value


def _number(fields: Fields, name: str) -> Decimal | None:
    return number(fields, name, partial(_no_number, name))


def _no_number(name: str, value: object) -> NoReturn:
    violate("number", name, value, f"{name} must be a number")
