"""Orders as Schwab keeps and writes them: trees whose inner nodes may have no order of their own."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

import attrs

from brokers.instruments import Instrument
from brokers.model import Fill
from brokers.thinkorswim.emulator.market import cusip
from brokers.thinkorswim.emulator.tickets import Ticket
from brokers.thinkorswim.emulator.words import plain, stamp

CLOSED: Final = frozenset({"FILLED", "CANCELED", "EXPIRED", "REJECTED", "REPLACED"})
_NOTHING: Final = Decimal(0)

At = Callable[[int], int]


@attrs.define(eq=False)
class Record:
    """One order."""

    order_id: int
    account: str
    kind: str  # of its strategy
    entered_ns: int
    ticket: Ticket | None  # none for an OCO, which is only its children
    instrument: Instrument | None
    parent: "Record | None" = None
    children: list["Record"] = attrs.field(factory=list)
    key: str = ""  # under which the exchange knows it
    ahead: Decimal = _NOTHING  # what earlier ids of the same order at the exchange have filled
    quantity: Decimal = _NOTHING
    word: str = "NEW"
    reason: str = ""
    closed_ns: int | None = None
    fills: dict[str, tuple[int, Fill]] = attrs.field(factory=dict)  # by the exchange's id, with a number of their own
    shown: str | None = None  # a status that is told instead of the true one
    lie: str | None = None  # how it is told untruly
    last: dict[str, Any] | None = None  # the record at the last update, of a root
    before: dict[str, Any] | None = None  # and at the one before

    @property
    def root(self) -> "Record":
        """The top of its tree."""
        return self if self.parent is None else self.parent.root

    @property
    def tree(self) -> Iterator["Record"]:
        """Itself and everything below, what can be traded only."""
        if self.ticket is not None:
            yield self
        for child in self.children:
            yield from child.tree

    @property
    def status(self) -> str:
        """The status; an OCO's comes from its children."""
        return self.shown or (self.word if self.ticket is not None else self._of_children())

    @property
    def open(self) -> bool:
        """Whether anything can still happen to it."""
        return self.status not in CLOSED

    @property
    def filled(self) -> Decimal:
        """How much has traded."""
        return sum((fill.quantity for _, fill in self.fills.values()), _NOTHING)

    @property
    def average(self) -> Decimal:
        """The average price of what has traded, nought before."""
        cost = sum((fill.quantity * fill.price for _, fill in self.fills.values()), _NOTHING)
        return (cost / self.filled).quantize(Decimal("1e-6")) if self.fills else _NOTHING

    def take_place_of(self, old: "Record") -> None:
        """Stands in the tree where the other one stood, beside it."""
        self.parent, self.children, old.children = old.parent, old.children, []
        for child in self.children:
            child.parent = self
        if self.parent is not None:
            self.parent.children.append(self)

    def _of_children(self) -> str:
        words = [child.status for child in self.children]
        for word in ("FILLED", "REJECTED"):
            if word in words and all(one in CLOSED for one in words):
                return word
        return next((word for word in words if word not in CLOSED), words[0])

    # Writing.

    def write(self, at: At) -> dict[str, Any]:
        """The record with everything below it; `at` is the wire's clock."""
        head: dict[str, Any] = self._head(at)
        if self.ticket is not None and self.instrument is not None:
            head = {**self._terms(self.ticket), **head} | self._activities(at, self.instrument)
        if self.children:
            head["childOrderStrategies"] = [child.write(at) for child in self.children]
        return head if self.lie is None else untrue_record(self.lie, head)

    def _head(self, at: At) -> dict[str, Any]:
        written: dict[str, Any] = {
            "orderStrategyType": self.kind,
            "orderId": self.order_id,
            "cancelable": self.open,
            "editable": self.open and self.kind == "SINGLE",
            "status": self.status,
            "enteredTime": stamp(at(self.entered_ns)),
            "tag": "API_TOS:pitboss",
            "accountNumber": int(self.account),
        }
        if self.closed_ns is not None and not self.open:
            written["closeTime"] = stamp(at(self.closed_ns))
        if self.reason and self.status == "REJECTED":
            written["statusDescription"] = self.reason
        return written

    def _terms(self, ticket: Ticket) -> dict[str, Any]:
        filled = _NOTHING if self.shown else self.filled
        remaining = self.quantity - filled if self.open else _NOTHING
        written: dict[str, Any] = {
            "session": ticket.session,
            "duration": ticket.duration,
            "orderType": ticket.type,
            "complexOrderStrategyType": "NONE",
            "quantity": plain(self.quantity),
            "filledQuantity": plain(filled),
            "remainingQuantity": plain(remaining),
            "requestedDestination": "AUTO",
            "destinationLinkName": "AutoRoute",
        }
        if ticket.price is not None:
            written["price"] = plain(ticket.price)
        if ticket.stop is not None:
            written["stopPrice"] = plain(ticket.stop)
        written |= _trailing(ticket)
        written["orderLegCollection"] = [self._leg(ticket)]
        return written

    def _leg(self, ticket: Ticket) -> dict[str, Any]:
        return {
            "orderLegType": "EQUITY",
            "legId": 1,
            "instrument": {
                "assetType": "EQUITY",
                "cusip": cusip(ticket.symbol),
                "symbol": ticket.symbol,
                "instrumentId": instrument_id(ticket.symbol),
            },
            "instruction": ticket.instruction,
            "positionEffect": "OPENING" if ticket.opens else "CLOSING",
            "quantity": plain(self.quantity),
        }

    def _activities(self, at: At, instrument: Instrument) -> dict[str, Any]:
        """Executions, and the cancel, which looks like one at a price of nought."""
        left, activities = self.quantity, []
        for number, fill in self.fills.values() if self.shown is None else ():
            left -= fill.quantity
            activities.append(_activity("FILL", number, fill.quantity, left, fill.price, stamp(at(fill.time_ns))))
        if self.status == "CANCELED" and self.closed_ns is not None:
            number = self.order_id * 10
            activities.append(_activity("CANCELED", number, left, _NOTHING, _NOTHING, stamp(at(self.closed_ns))))
        for activity in activities:
            activity["executionLegs"][0]["instrumentId"] = instrument_id(instrument.symbol)
        return {"orderActivityCollection": activities} if activities else {}


def instrument_id(symbol: str) -> int:
    """The number of an instrument, made of its letters."""
    return int.from_bytes(symbol.encode()[:4])


def _trailing(ticket: Ticket) -> dict[str, Any]:
    offset = ticket.trail_amount or ticket.trail_percent
    if offset is None:
        return {}
    return {
        "stopPriceLinkBasis": ticket.link_basis,
        "stopPriceLinkType": "VALUE" if ticket.trail_amount is not None else "PERCENT",
        "stopPriceOffset": plain(offset),
    }


def _activity(kind: str, number: int, quantity: Decimal, left: Decimal, price: Decimal, time: str) -> dict[str, Any]:
    leg = {"legId": 1, "quantity": plain(quantity), "mismarkedQuantity": 0, "price": plain(price), "time": time}
    return {
        "activityType": "EXECUTION",
        "activityId": number,
        "executionType": kind,
        "quantity": plain(quantity),
        "orderRemainingQuantity": plain(left),
        "executionLegs": [leg],
    }


def untrue_record(word: str, written: dict[str, Any]) -> dict[str, Any]:
    """An order record with a fact in it that cannot be."""
    leg = dict(written["orderLegCollection"][0]) if "orderLegCollection" in written else {}
    match word:
        case "negative-quantity":
            written |= {"filledQuantity": -1, "quantity": -1}
        case "zero-price":
            executed = _activity("FILL", 1, Decimal(1), _NOTHING, _NOTHING, written["enteredTime"])
            written |= {"price": 0, "orderActivityCollection": [executed]}
        case "unknown-status":
            written["status"] = "TELEPORTED"
        case "unknown-symbol":
            leg["instrument"] = {**leg.get("instrument", {}), "symbol": "XXZZ"}
        case "wrong-side":
            leg["instruction"] = "SELL" if str(leg.get("instruction")).startswith("BUY") else "BUY"
        case _:
            written["filledQuantity"] = written.get("quantity", Decimal(0)) + 1
    return written | ({"orderLegCollection": [leg]} if leg else {})
