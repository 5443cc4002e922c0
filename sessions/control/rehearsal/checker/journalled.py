"""What the journal says, folded by the checker's own rules and by none of the daemon's: orders, fills, positions.

A second reading of the same rows on purpose: a mistake in the daemon's fold is not made twice.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import attrs
import msgspec

from sessions.journal import Row

ZERO: Final = Decimal(0)
SIGNS: Final[Mapping[str, int]] = {"buy": 1, "sell": -1}
FINAL: Final = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
ALIVE: Final = frozenset({"held", "working", "partially_filled", "suspended"})
_WORDS: Final[Mapping[str, str]] = {
    "order.held": "held",
    "order.working": "working",
    "order.suspended": "suspended",
    "order.expired": "expired",
    "order.cancel_confirmed": "canceled",
    "order.rejected": "rejected",
}
_MADE_UP: Final = ("inferred/", "correction/", "rest/")


@lru_cache(maxsize=256)
def fields(body: str) -> dict[str, Any]:
    """The body of a row; whoever asks must not change it."""
    found = msgspec.json.decode(body)
    return found if isinstance(found, dict) else {}


@attrs.define(eq=False)
class ToldFill:
    """One execution that counts."""

    id: str
    symbol: str
    session: str | None
    signed: Decimal
    price: Decimal
    fee: Decimal
    time_ns: int
    order_key: str | None
    broker_order_id: str | None

    @classmethod
    def of(cls, said: Mapping[str, Any], session: str | None = None) -> "ToldFill":
        """The fill in a row."""
        return cls(
            said["id"],
            said["symbol"],
            said["session"] or session,
            Decimal(said["quantity"]) * SIGNS[said["side"]],
            Decimal(said["price"]),
            Decimal(said["fee"]),
            said["time_ns"],
            said["order_key"],
            said["broker_order_id"],
        )

    @property
    def made_up(self) -> bool:
        """Whether the daemon made it up, because no execution told of what had happened."""
        return self.id.startswith(_MADE_UP)


@attrs.define(eq=False)
class ToldOrder:
    """One order; `base` is its word beneath pending requests and doubt."""

    key: str
    stream: str
    session: str | None
    symbol: str
    sign: int
    quantity: Decimal
    base: str = "created"
    attempts: int = 0
    canceling: bool = False
    replacing: bool = False
    uncertain: bool = False
    escalated: bool = False
    gone: bool = False  # given up before anything left
    ours: bool = True  # not adopted
    broker_ids: list[str] = attrs.field(factory=list)
    executions: dict[str, Decimal] = attrs.field(factory=dict)
    reported: Decimal = ZERO
    counts: dict[Decimal, None] = attrs.field(factory=dict)  # all that the broker ever counted

    @property
    def filled(self) -> Decimal:
        """What is filled, by executions or by what the broker counts."""
        return max(sum(self.executions.values(), ZERO), self.reported)

    @property
    def standing(self) -> str:
        """The word beneath, brought into line with the quantities."""
        if self.base not in ALIVE:
            return self.base
        if self.filled and self.filled >= self.quantity:
            return "filled"
        if self.filled and self.base != "suspended":
            return "partially_filled"
        return "working" if self.base == "partially_filled" else self.base

    @property
    def word(self) -> str:
        """The word to show."""
        if self.uncertain:
            return "unknown"
        if self.standing not in ALIVE:
            return self.standing
        if self.canceling:
            return "pending_cancel"
        return "pending_replace" if self.replacing else self.standing


Act = Callable[[ToldOrder, Mapping[str, Any]], None]


@attrs.frozen
class Move:
    """What a row did to an order."""

    order: ToldOrder
    kind: str
    before: str
    after: str


class Journalled:
    """All that the rows so far come to."""

    def __init__(self) -> None:
        self.orders: dict[str, ToldOrder] = {}
        self.by_broker_id: dict[tuple[str, str], ToldOrder] = {}
        self.fills: dict[str, dict[str, ToldFill]] = {}  # by stream
        self.positions: dict[tuple[str, str], Decimal] = {}  # by stream and symbol
        self.shares: dict[tuple[str, str | None, str], Decimal] = {}  # by stream, session and symbol
        self.by_order: dict[tuple[str, str], Decimal] = {}  # what was booked, by stream and broker order id
        self.moves: tuple[Move, ...] = ()  # what the last row did to orders
        self.strangers: list[str] = []  # keys that the last row named and no row before

    def take(self, row: Row) -> None:
        """Takes in the next row."""
        self.moves, self.strangers = (), []
        entry = row.entry
        if not entry.stream.startswith("order/") or entry.kind == "books.snapshot":
            return
        said = fields(entry.body)
        if entry.kind.startswith("order."):
            self._happen(entry.stream, entry.kind, said)
        else:
            self._books(entry.stream, entry.kind, said)

    # Orders.

    def _books(self, stream: str, kind: str, said: Mapping[str, Any]) -> None:
        match kind:
            case "books.intended" | "books.intended_group":
                for order in members(said["request"]):
                    self._enter(stream, order, said["session"])
            case "books.attempted":
                self._each(kind, said["keys"], _attempted)
            case "books.abandoned":
                self._each(kind, said["keys"], _abandoned)
            case "books.never_sent" | "books.not_accepted":
                self._each(kind, [said["key"]], _proved_absent)
            case "books.escalated":
                self._each(kind, [said["key"]], _escalated)
            case "books.adopted" | "books.late_acceptance":
                self._admit(stream, kind, said)
            case "books.external_fill" | "books.inferred_fill" | "books.position_corrected":
                self._book(stream, ToldFill.of(said["fill"]))
            case "books.superseded":
                self._supersede(stream, said["correction"])

    def _enter(self, stream: str, order: Mapping[str, Any], session: str | None) -> ToldOrder:
        told = ToldOrder(
            order["key"], stream, session, order["symbol"], SIGNS[order["side"]], Decimal(order["quantity"])
        )
        self.orders[told.key] = told
        return told

    def _each(self, kind: str, keys: list[str], act: Act) -> None:
        for key in keys:
            self._on(key, kind, {}, act)

    def _on(self, key: str, kind: str, event: Mapping[str, Any], act: Act) -> None:
        order = self.orders.get(key)
        if order is None:
            self.strangers.append(key)
            return
        before = "gone" if order.gone else order.word
        act(order, event)
        after = "gone" if order.gone else order.word
        self.moves = (*self.moves, Move(order, kind, before, after))

    def _admit(self, stream: str, kind: str, said: Mapping[str, Any]) -> None:
        life, known = said["life"], self.orders.get(said["key"])
        before = "none" if known is None else known.word
        order = self._enter(stream, life["order"], said["session"])
        order.ours = known is not None and known.ours
        order.base, order.uncertain, order.canceling = life["standing"], life["uncertain"], life["canceling"]
        order.replacing, order.attempts = life["change"] is not None, 1
        executions = life["executions"]
        order.reported = Decimal(executions["reported"])
        order.counts = {order.reported: None}
        order.executions = {
            one: Decimal(known["quantity"]) for one, known in executions["by_id"].items() if known is not None
        }
        for broker_id in life["broker_order_ids"]:
            self._join(order, broker_id)
        self.moves = (*self.moves, Move(order, kind, before, order.word))

    def _join(self, order: ToldOrder, broker_id: str | None) -> None:
        if broker_id is not None and broker_id not in order.broker_ids:
            order.broker_ids.append(broker_id)
            self.by_broker_id[order.stream, broker_id] = order

    def _happen(self, stream: str, kind: str, said: Mapping[str, Any]) -> None:
        key, event = said["key"], said["event"]
        self._on(key, kind, event, _EVENTS.get(kind, _worded(kind)))
        order = self.orders.get(key)
        if order is None:
            return
        self._join(order, event.get("broker_order_id"))
        match kind:
            case "order.filled":
                self._book(stream, ToldFill.of(event["fill"], order.session))
            case "order.corrected":
                self._unbook(stream, event["execution_id"])
                fill = ToldFill.of(event["fill"], order.session)
                if fill.id == event["execution_id"]:
                    fill.id += "/restated"
                self._book(stream, fill)
            case "order.busted":
                self._unbook(stream, event["execution_id"])

    # Fills.

    def _book(self, stream: str, fill: ToldFill) -> None:
        """An execution counts once, whatever tells it."""
        fills = self.fills.setdefault(stream, {})
        if fill.id not in fills:
            fills[fill.id] = fill
            self._count(stream, fill, fill.signed)

    def _unbook(self, stream: str, fill_id: str) -> None:
        fills = self.fills.get(stream, {})
        fill = fills.pop(fill_id, None) or fills.pop(f"{fill_id}/restated", None)
        if fill is not None:
            self._count(stream, fill, -fill.signed)

    def _supersede(self, stream: str, correction: Mapping[str, Any]) -> None:
        self._unbook(stream, correction["original"]["id"])
        if correction["replacement"] is not None:
            self._book(stream, ToldFill.of(correction["replacement"]))

    def _count(self, stream: str, fill: ToldFill, signed: Decimal) -> None:
        whole, share = (stream, fill.symbol), (stream, fill.session, fill.symbol)
        self.positions[whole] = self.positions.get(whole, ZERO) + signed
        self.shares[share] = self.shares.get(share, ZERO) + signed
        if fill.broker_order_id is not None:
            order = (stream, fill.broker_order_id)
            self.by_order[order] = self.by_order.get(order, ZERO) + signed

    # Questions.

    def open_orders(self, stream: str) -> Iterator[ToldOrder]:
        """What is not finished."""
        return (one for one in self.orders.values() if one.stream == stream and not one.gone and one.word not in FINAL)

    def held(self, stream: str) -> dict[str, Decimal]:
        """The positions that are not flat, by symbol."""
        return {symbol: amount for (one, symbol), amount in self.positions.items() if one == stream and amount}


def members(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The order of a request, or the orders of a group."""
    if "children" not in request:
        return [request]
    parent = [] if request["parent"] is None else [request["parent"]]
    return [*parent, *request["children"]]


# What a row does to an order.


def _attempted(order: ToldOrder, _: Mapping[str, Any]) -> None:
    order.attempts += 1
    order.base = "pending_new"


def _abandoned(order: ToldOrder, _: Mapping[str, Any]) -> None:
    order.gone = True


def _proved_absent(order: ToldOrder, _: Mapping[str, Any]) -> None:
    order.base, order.uncertain, order.canceling, order.replacing = "rejected", False, False, False


def _escalated(order: ToldOrder, _: Mapping[str, Any]) -> None:
    order.escalated = True


def _nothing(_: ToldOrder, __: Mapping[str, Any]) -> None:
    """What adds an id and no more."""


def _cancel_requested(order: ToldOrder, _: Mapping[str, Any]) -> None:
    order.canceling = True


def _cancel_refused(order: ToldOrder, _: Mapping[str, Any]) -> None:
    order.canceling = False


def _replace_requested(order: ToldOrder, _: Mapping[str, Any]) -> None:
    order.replacing = True


def _replace_refused(order: ToldOrder, _: Mapping[str, Any]) -> None:
    order.replacing = False


def _replace_confirmed(order: ToldOrder, event: Mapping[str, Any]) -> None:
    order.replacing = False
    terms = event["terms"]
    if terms is not None and terms["quantity"] is not None:
        order.quantity = Decimal(terms["quantity"])


def _lost_touch(order: ToldOrder, _: Mapping[str, Any]) -> None:
    order.uncertain = True


def _reconciled(order: ToldOrder, event: Mapping[str, Any]) -> None:
    _counted(order, event)
    word = event["state"]
    wish = order.word == "pending_new" and order.canceling and word not in FINAL
    if word not in ("pending_cancel", "pending_replace", "unknown"):
        order.base = word
    elif order.base not in ALIVE:
        order.base = "working"
    order.uncertain = word == "unknown"
    order.canceling = word == "pending_cancel" or wish
    order.replacing = word == "pending_replace"
    order.escalated = False


def _snapshot(order: ToldOrder, event: Mapping[str, Any]) -> None:
    _counted(order, event)
    _stand(order, event["state"])


def _counted(order: ToldOrder, event: Mapping[str, Any]) -> None:
    if event["filled"] is not None:
        order.counts[Decimal(event["filled"])] = None
        order.reported = max(order.reported, Decimal(event["filled"]))


def _filled(order: ToldOrder, event: Mapping[str, Any]) -> None:
    fill = event["fill"]
    order.executions[fill["id"]] = Decimal(fill["quantity"])
    if order.base == "pending_new":
        order.base = "working"


def _corrected(order: ToldOrder, event: Mapping[str, Any]) -> None:
    whole = order.standing == "filled"
    was = order.executions.pop(event["execution_id"], ZERO)
    fill = event["fill"]
    order.executions[fill["id"]] = now = Decimal(fill["quantity"])
    order.reported = max(order.reported + min(now - was, ZERO), ZERO)
    _reopened(order, whole=whole)


def _busted(order: ToldOrder, event: Mapping[str, Any]) -> None:
    whole = order.standing == "filled"
    was = order.executions.pop(event["execution_id"], ZERO)
    order.reported = max(order.reported - was, ZERO)
    _reopened(order, whole=whole)


def _reopened(order: ToldOrder, *, whole: bool) -> None:
    """An order that was filled, by its word or its executions, and is not any more, has ended with less."""
    if whole and order.filled < order.quantity:
        order.base = "canceled"


def _stand(order: ToldOrder, word: str) -> None:
    if word in ("pending_new", "pending_cancel", "pending_replace", "unknown"):
        if order.base in ("created", "pending_new") and word not in ("unknown", "pending_new"):
            order.base = "working"
        return
    if order.base in FINAL:
        return
    order.base = word
    if word in FINAL and not order.uncertain:
        order.canceling = order.replacing = False


def _worded(kind: str) -> Act:
    word = _WORDS.get(kind)

    def act(order: ToldOrder, _: Mapping[str, Any]) -> None:
        if word is not None:
            _stand(order, word)

    return act


_EVENTS: Final[Mapping[str, Act]] = {
    "order.sent": _nothing,
    "order.acknowledged": _nothing,
    "order.cancel_requested": _cancel_requested,
    "order.cancel_refused": _cancel_refused,
    "order.replace_requested": _replace_requested,
    "order.replace_refused": _replace_refused,
    "order.replace_confirmed": _replace_confirmed,
    "order.lost_touch": _lost_touch,
    "order.reconciled": _reconciled,
    "order.snapshot": _snapshot,
    "order.filled": _filled,
    "order.corrected": _corrected,
    "order.busted": _busted,
}
