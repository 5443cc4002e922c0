"""Order bodies as they come in: read with the checks of the order interface, and turned into orders of the exchange."""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import attrs

from brokers.instruments import Instrument
from brokers.model import Order, OrderType, TimeInForce
from brokers.sides import Side
from brokers.tradestation.emulator.words import SECOND_NS, RefusedError, number, read_time

TYPES: Final = ("Market", "Limit", "StopMarket", "StopLimit")
GROUPS: Final = ("OCO", "BRK", "NORMAL")
_ACTIONS: Final[Mapping[str, tuple[str, Side]]] = {
    "BUY": ("Buy", Side.BUY),
    "SELL": ("Sell", Side.SELL),
    "BUYTOCOVER": ("BuyToCover", Side.BUY),
    "SELLSHORT": ("SellShort", Side.SELL),
}
_DURATIONS: Final[Mapping[str, tuple[str, TimeInForce, bool]]] = {  # its word in records, and whether it is extended
    "DAY": ("DAY", TimeInForce.DAY, False),
    "DYP": ("DAY+", TimeInForce.DAY, True),
    "GTC": ("GTC", TimeInForce.GTC, False),
    "GCP": ("GTC+", TimeInForce.GTC, True),
    "GTD": ("GTD", TimeInForce.GTD, False),
    "GDP": ("GTD+", TimeInForce.GTD, True),
    "IOC": ("IOC", TimeInForce.IOC, False),
    "FOK": ("FOK", TimeInForce.FOK, False),
    "1": ("1 min", TimeInForce.GTD, False),
    "3": ("3 min", TimeInForce.GTD, False),
    "5": ("5 min", TimeInForce.GTD, False),
}
_NEUTRAL: Final[Mapping[str, OrderType]] = {
    "Market": OrderType.MARKET,
    "Limit": OrderType.LIMIT,
    "StopMarket": OrderType.STOP,
    "StopLimit": OrderType.STOP_LIMIT,
}
_SHOWN: Final = {"Market": "Market", "Limit": "Limit", "StopMarket": "Stop Market", "StopLimit": "Stop Limit"}
_DAY_NS: Final = 86_400 * SECOND_NS


@attrs.frozen
class Ticket:
    """One order body that is well-formed."""

    account: str
    symbol: str
    quantity: Decimal
    type: str
    action: str
    side: Side
    duration: str
    expires: str | None
    limit: Decimal | None
    stop: Decimal | None
    trail_amount: Decimal | None
    trail_percent: Decimal | None
    route: str
    confirm_id: str | None
    children: tuple["TicketGroup", ...]

    @property
    def trails(self) -> bool:
        """Whether it is a trailing stop."""
        return self.trail_amount is not None or self.trail_percent is not None

    @property
    def duration_shown(self) -> str:
        """The duration as records write it."""
        return _DURATIONS[self.duration][0]

    @property
    def summary(self) -> str:
        """The order in a sentence, as replies say it."""
        prices = [number(price) for price in (self.stop, self.limit) if price is not None]
        shown = f"{prices[0]} {_SHOWN[self.type]}" if prices else _SHOWN[self.type]
        if len(prices) > 1:
            shown += f" {prices[1]}"
        return f"{self.action} {number(self.quantity)} {self.symbol} @ {shown}"

    def order(self, key: str, instrument: Instrument, now_ns: int) -> Order:
        """The exchange's order."""
        _, life, extended = _DURATIONS[self.duration]
        return Order(
            key=key,
            symbol=instrument.symbol,
            side=self.side,
            type=OrderType.TRAILING_STOP if self.trails else _NEUTRAL[self.type],
            quantity=self.quantity,
            limit_price=self.limit,
            stop_price=self.stop,
            trail_offset=self.trail_amount,
            trail_percent=self.trail_percent,
            time_in_force=life,
            expires_ns=self._expiry(now_ns) if life is TimeInForce.GTD else None,
            extended_hours=extended,
        )

    def _expiry(self, now_ns: int) -> int:
        if self.duration.isdigit():
            return now_ns + int(self.duration) * 60 * SECOND_NS
        day_ns = read_time(self.expires or "")
        return day_ns - day_ns % _DAY_NS + _DAY_NS


@attrs.frozen
class TicketGroup:
    """Orders that belong together."""

    type: str
    tickets: tuple[Ticket, ...]


@attrs.frozen
class Amendment:
    """A replace body that is well-formed; None keeps a term."""

    quantity: Decimal | None
    limit: Decimal | None
    stop: Decimal | None
    trail_amount: Decimal | None
    trail_percent: Decimal | None
    to_market: bool


def read_json(body: bytes) -> dict[str, Any]:
    """A body that must be a JSON object; raises RefusedError (400)."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusedError(400, "Invalid JSON") from None
    return _object(value, "body")


def read_ticket(fields: dict[str, Any], *, child: bool = False) -> Ticket:
    """An order body, which as a child sends no further orders; raises RefusedError (400) that names the field."""
    if child and fields.get("OSOs"):
        raise RefusedError(400, "Invalid field: OSOs")
    force = _object(_needed(fields, "TimeInForce"), "TimeInForce")
    duration = _one_of(str(_needed(force, "Duration")).upper(), "TimeInForce.Duration", tuple(_DURATIONS))
    if duration in {"GTD", "GDP"}:
        read_time(str(_needed(force, "Expiration")))
    kind = _type(_needed(fields, "OrderType"))
    action = _one_of(str(_needed(fields, "TradeAction")).upper(), "TradeAction", tuple(_ACTIONS))
    trail_amount, trail_percent = _trail(fields)
    confirm_id = fields.get("OrderConfirmID")
    if confirm_id is not None and not (isinstance(confirm_id, str) and 1 <= len(confirm_id) <= 22):
        raise RefusedError(400, "Invalid field: OrderConfirmID")
    return Ticket(
        account=str(_needed(fields, "AccountID")),
        symbol=str(_needed(fields, "Symbol")).upper(),
        quantity=_decimal(_needed(fields, "Quantity"), "Quantity"),
        type=kind,
        action=_ACTIONS[action][0],
        side=_ACTIONS[action][1],
        duration=duration,
        expires=None if "Expiration" not in force else str(force["Expiration"]),
        limit=_price(fields, "LimitPrice", wanted=kind in {"Limit", "StopLimit"}),
        stop=_price(fields, "StopPrice", wanted=kind in {"StopMarket", "StopLimit"} and trail_amount == trail_percent),
        trail_amount=trail_amount,
        trail_percent=trail_percent,
        route=str(fields.get("Route", "Intelligent")),
        confirm_id=confirm_id,
        children=tuple(read_group(_object(one, "OSOs"), child=True) for one in _list(fields.get("OSOs", []), "OSOs")),
    )


def read_group(fields: dict[str, Any], *, child: bool = False) -> TicketGroup:
    """A group of order bodies; raises RefusedError (400)."""
    kind = _one_of(str(_needed(fields, "Type")).upper(), "Type", GROUPS)
    tickets = tuple(
        read_ticket(_object(one, "Orders"), child=child) for one in _list(_needed(fields, "Orders"), "Orders")
    )
    if not tickets:
        raise RefusedError(400, "Missing required field: Orders")
    return TicketGroup(kind, tickets)


def read_amendment(fields: dict[str, Any]) -> Amendment:
    """A replace body; raises RefusedError (400)."""
    kind = fields.get("OrderType")
    if kind is not None and kind != "Market":
        raise RefusedError(400, "Invalid field: OrderType")
    quantity = fields.get("Quantity")
    trail_amount, trail_percent = _trail(fields)
    return Amendment(
        quantity=None if quantity is None else _decimal(quantity, "Quantity"),
        limit=_price(fields, "LimitPrice", wanted=False),
        stop=_price(fields, "StopPrice", wanted=False),
        trail_amount=trail_amount,
        trail_percent=trail_percent,
        to_market=kind == "Market",
    )


def _needed(fields: Mapping[str, Any], name: str) -> Any:
    value = fields.get(name)
    if value is None or value == "":
        raise RefusedError(400, f"Missing required field: {name}")
    return value


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RefusedError(400, f"Invalid field: {name}")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise RefusedError(400, f"Invalid field: {name}")
    return value


def _one_of(value: str, name: str, words: tuple[str, ...]) -> str:
    if value not in words:
        raise RefusedError(400, f"Invalid field: {name}")
    return value


def _type(value: Any) -> str:
    for word in TYPES:
        if str(value).lower() == word.lower():
            return word
    raise RefusedError(400, "Invalid field: OrderType")


def _decimal(value: Any, name: str) -> Decimal:
    """A number from a string, or from a JSON number, which is accepted too."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise RefusedError(400, f"Invalid field: {name}") from None
    if isinstance(value, bool) or not found.is_finite() or abs(found.adjusted()) > 20:
        raise RefusedError(400, f"Invalid field: {name}")
    return found


def _price(fields: Mapping[str, Any], name: str, *, wanted: bool) -> Decimal | None:
    value = _needed(fields, name) if wanted else fields.get(name)
    return None if value is None else _decimal(value, name)


def _trail(fields: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
    options = _object(fields.get("AdvancedOptions") or {}, "AdvancedOptions")
    trail = _object(options.get("TrailingStop") or {}, "TrailingStop")
    amount, percent = _price(trail, "Amount", wanted=False), _price(trail, "Percent", wanted=False)
    if amount is not None and percent is not None:
        raise RefusedError(400, "Invalid field: TrailingStop")
    return amount, percent
