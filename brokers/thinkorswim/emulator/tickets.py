"""Order bodies as they come in: trees of strategies, read with the checks of the order interface."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import attrs

from brokers.instruments import Instrument
from brokers.model import Order, OrderType, TimeInForce
from brokers.sides import Side
from brokers.thinkorswim.emulator.words import EASTERN, SECOND_NS, RefusedError

STRATEGIES: Final = ("SINGLE", "TRIGGER", "OCO")
TYPES: Final[Mapping[str, OrderType]] = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOP": OrderType.STOP,
    "STOP_LIMIT": OrderType.STOP_LIMIT,
    "TRAILING_STOP": OrderType.TRAILING_STOP,
}
SIDES: Final[Mapping[str, Side]] = {
    "BUY": Side.BUY,
    "BUY_TO_COVER": Side.BUY,
    "SELL": Side.SELL,
    "SELL_SHORT": Side.SELL,
    "SELL_SHORT_EXEMPT": Side.SELL,
}
SESSIONS: Final = ("NORMAL", "AM", "PM", "SEAMLESS")
_DURATIONS: Final[Mapping[str, TimeInForce]] = {
    "DAY": TimeInForce.DAY,
    "GOOD_TILL_CANCEL": TimeInForce.GTC,
    "FILL_OR_KILL": TimeInForce.FOK,
    "IMMEDIATE_OR_CANCEL": TimeInForce.IOC,
    "END_OF_WEEK": TimeInForce.GTD,
    "END_OF_MONTH": TimeInForce.GTD,
    "NEXT_END_OF_MONTH": TimeInForce.GTD,
}
_LINKS: Final = ("VALUE", "PERCENT")
_BASES: Final = ("MANUAL", "BASE", "TRIGGER", "LAST", "BID", "ASK", "ASK_BID", "MARK", "AVERAGE")


@attrs.frozen
class Ticket:
    """One order body that is well-formed."""

    symbol: str
    instruction: str
    quantity: Decimal
    type: str
    session: str
    duration: str
    price: Decimal | None
    stop: Decimal | None
    trail_amount: Decimal | None
    trail_percent: Decimal | None
    link_basis: str

    @property
    def side(self) -> Side:
        """Buy or sell."""
        return SIDES[self.instruction]

    @property
    def opens(self) -> bool:
        """Whether its instruction is one that opens a position."""
        return self.instruction in {"BUY", "SELL_SHORT", "SELL_SHORT_EXEMPT"}

    @property
    def stops(self) -> bool:
        """Whether it waits for a price before it goes to market."""
        return self.type in {"STOP", "STOP_LIMIT", "TRAILING_STOP"}

    def order(self, key: str, instrument: Instrument, now_ns: int) -> Order:
        """The exchange's order."""
        life = _DURATIONS[self.duration]
        return Order(
            key=key,
            symbol=instrument.symbol,
            side=self.side,
            type=TYPES[self.type],
            quantity=self.quantity,
            limit_price=self.price,
            stop_price=self.stop,
            trail_offset=self.trail_amount,
            trail_percent=self.trail_percent,
            time_in_force=life,
            expires_ns=_end_ns(self.duration, now_ns) if life is TimeInForce.GTD else None,
            extended_hours=self.session != "NORMAL",
        )


@attrs.frozen
class Strategy:
    """A node of a tree of orders; an OCO has no order of its own."""

    kind: str
    ticket: Ticket | None
    children: tuple["Strategy", ...] = ()


def read_strategy(fields: Mapping[str, Any], *, depth: int = 0) -> Strategy:
    """An order body with what it triggers; raises RefusedError (400) that names the field."""
    kind = _one_of(fields, "orderStrategyType", STRATEGIES)
    below = fields.get("childOrderStrategies") or []
    if not isinstance(below, list) or not all(isinstance(one, dict) for one in below):
        raise RefusedError(400, "childOrderStrategies must be a list of orders")
    if depth > 2 or (kind == "SINGLE" and below) or (kind == "TRIGGER" and depth):
        raise RefusedError(400, "childOrderStrategies is not allowed here")
    children = tuple(read_strategy(one, depth=depth + 1) for one in below)
    kinds = {child.kind for child in children}
    if kind == "OCO":
        if len(children) != 2 or kinds != {"SINGLE"}:
            raise RefusedError(400, "An OCO order needs two orders of type SINGLE in childOrderStrategies")
        return Strategy(kind, None, children)
    if kind == "TRIGGER" and (not children or ("OCO" in kinds and len(children) > 1)):
        raise RefusedError(400, "A TRIGGER order needs an OCO or orders of type SINGLE in childOrderStrategies")
    return Strategy(kind, read_ticket(fields), children)


def read_ticket(fields: Mapping[str, Any]) -> Ticket:
    """One order; raises RefusedError (400) that names the field."""
    kind = _one_of(fields, "orderType", tuple(TYPES))
    session = _one_of(fields, "session", SESSIONS)
    if session != "NORMAL" and kind != "LIMIT":
        raise RefusedError(400, "Only LIMIT orders are allowed in extended hours sessions")
    limited = kind in {"LIMIT", "STOP_LIMIT"}
    if not limited and fields.get("price") is not None:
        raise RefusedError(400, "price is not allowed for this orderType")
    symbol, instruction, quantity = _leg(fields)
    amount, percent = _trail(fields) if kind == "TRAILING_STOP" else (None, None)
    return Ticket(
        symbol=symbol,
        instruction=instruction,
        quantity=quantity,
        type=kind,
        session=session,
        duration=_one_of(fields, "duration", tuple(_DURATIONS)),
        price=_price(fields, "price") if limited else None,
        stop=_price(fields, "stopPrice") if kind in {"STOP", "STOP_LIMIT"} else None,
        trail_amount=amount,
        trail_percent=percent,
        link_basis=str(fields.get("stopPriceLinkBasis", "")),
    )


def _leg(fields: Mapping[str, Any]) -> tuple[str, str, Decimal]:
    legs = fields.get("orderLegCollection")
    if not isinstance(legs, list) or len(legs) != 1 or not isinstance(legs[0], dict):
        raise RefusedError(400, "orderLegCollection must hold one leg")
    instrument = legs[0].get("instrument")
    if not isinstance(instrument, dict) or not isinstance(instrument.get("symbol"), str):
        raise RefusedError(400, "orderLegCollection.instrument.symbol is required")
    if instrument.get("assetType") != "EQUITY":
        raise RefusedError(400, f"assetType {str(instrument.get('assetType'))[:20]} is not supported")
    quantity = _decimal(legs[0], "quantity")
    if quantity <= 0 or quantity != quantity.to_integral_value():
        raise RefusedError(400, "quantity must be a whole number above 0")
    return instrument["symbol"].upper(), _one_of(legs[0], "instruction", tuple(SIDES)), quantity


def _trail(fields: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    """The distance of a trailing stop, as an amount or in percent."""
    _one_of(fields, "stopPriceLinkBasis", _BASES)
    link = _one_of(fields, "stopPriceLinkType", _LINKS)
    offset = _decimal(fields, "stopPriceOffset")
    if offset <= 0:
        raise RefusedError(400, "stopPriceOffset must be above 0")
    return (offset, None) if link == "VALUE" else (None, offset)


def _one_of(fields: Mapping[str, Any], name: str, words: tuple[str, ...]) -> str:
    value = fields.get(name)
    if value is None:
        raise RefusedError(400, f"{name} is required")
    if value not in words:
        raise RefusedError(400, f"{name} must be one of {', '.join(words)}")
    return str(value)


def _decimal(fields: Mapping[str, Any], name: str) -> Decimal:
    value = fields.get(name)
    if value is None or isinstance(value, bool):
        raise RefusedError(400, f"{name} is required")
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise RefusedError(400, f"{name} must be a number") from None
    if not found.is_finite() or abs(found.adjusted()) > 15:
        raise RefusedError(400, f"{name} must be a number")
    return found


def _price(fields: Mapping[str, Any], name: str) -> Decimal:
    """A price with at most two decimals, below a dollar four."""
    found = _decimal(fields, name)
    places = 2 if abs(found) >= 1 else 4
    if found <= 0 or found != round(found, places):
        raise RefusedError(400, f"{name} must be above 0 and have at most {places} decimals")
    return found


def _end_ns(duration: str, now_ns: int) -> int:
    """The last moment of the week or month."""
    today = dt.datetime.fromtimestamp(now_ns // SECOND_NS, EASTERN).date()
    if duration == "END_OF_WEEK":
        after = today + dt.timedelta(days=7 - today.weekday())
    else:
        after = _first_of_next_month(today)
        if duration == "NEXT_END_OF_MONTH":
            after = _first_of_next_month(after)
    return int(dt.datetime.combine(after, dt.time(), EASTERN).timestamp()) * SECOND_NS


def _first_of_next_month(day: dt.date) -> dt.date:
    return (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
