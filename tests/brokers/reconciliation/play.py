"""A small stage: our books and ledger on one side, what a broker answers on the other, and a clock between them."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from brokers.capability import NO_KEYS, Capability, ClientKeys, Environment, KeyClass, OrderSupport, Replace
from brokers.instruments import Instrument, Kind
from brokers.keys import BASE62
from brokers.ledger import AccountTerms, Ledger
from brokers.lifecycle import OrderLife, advance
from brokers.model import Fill, Order, OrderReport, OrderState, OrderType, TimeInForce
from brokers.order_events import Acknowledged, Filled, LostTouch, Sent, Working
from brokers.order_events import Event as LifeEvent
from brokers.reconciliation import (
    Answer,
    Books,
    Claim,
    Event,
    ExternalFill,
    Held,
    Holding,
    InferredFill,
    Listing,
    Now,
    OrderEvent,
    PositionCorrected,
    Reconciliation,
    Superseded,
    Told,
    Truth,
    folded,
    heard,
    reconcile,
)
from brokers.sides import Side

D = Decimal
S = OrderState
BUY, SELL = Side.BUY, Side.SELL
BROKER, ACCOUNT = "bank", "A1"
SECOND = 1_000_000_000
WALL = 1_800_000_000 * SECOND  # wall time when the monotonic clock stands at 0

ES = Instrument("ESZ26", "ES", Kind.FUTURE, "USD", D("0.25"))
BTC = Instrument("BTC-USD", "BTC", Kind.SPOT, "USD", D("0.01"), lot=D("0.0001"), base="BTC")
LISTED = {instrument.symbol: instrument for instrument in (ES, BTC)}


def keys_of(kind: KeyClass = KeyClass.UNIQUE, *, query: bool = True) -> ClientKeys:
    if kind is KeyClass.ABSENT:
        return NO_KEYS
    return ClientKeys(kind, BASE62, "".join(sorted(BASE62.characters)), 22, query=query)


def capability(kind: KeyClass = KeyClass.UNIQUE, **more: Any) -> Capability:
    """A broker with D = 2 s and L = 1 s, so T = 8 s."""
    query = more.pop("query", kind is not KeyClass.ABSENT)
    fields: dict[str, Any] = {
        "kinds": frozenset(Kind),
        "types": frozenset(OrderType),
        "times_in_force": frozenset(TimeInForce),
        "keys": keys_of(kind, query=query),
        "effect_ns": 2 * SECOND,
        "visibility_ns": SECOND,
        "retention_ns": 86_400 * SECOND,
        "signs": (),
        "replace": Replace.NEW_ID,
        "fill_ids": True,
        "explicit_expiry": True,
        **more,
    }
    return Capability(BROKER, frozenset({Environment.PAPER}), orders=OrderSupport(**fields))


NAMED, NAMELESS = capability(), capability(KeyClass.ABSENT)


def order(key: str = "K1", side: Side = BUY, quantity: Any = 1, limit: Any = 4500, **more: Any) -> Order:
    type_ = more.pop("type", OrderType.LIMIT if limit is not None else OrderType.MARKET)
    price = None if limit is None else D(str(limit))
    return Order(key, more.pop("symbol", "ESZ26"), side, type_, D(str(quantity)), limit_price=price, **more)


def life(order: Order, *events: LifeEvent) -> OrderLife:
    state = OrderLife(order)
    for event in events:
        state = advance(state, event)
    return attrs.evolve(state, facts=())


def working(order: Order, broker_order_id: str = "41", *events: LifeEvent) -> OrderLife:
    return life(order, Sent(), Acknowledged(broker_order_id=broker_order_id), Working(), *events)


def lost(order: Order) -> OrderLife:
    return life(order, Sent(), LostTouch("timed out"))


def claim(life: OrderLife, session: str | None = "es-trend", **more: Any) -> Claim:
    return Claim(life, session, **{"sent_wall_ns": WALL, **more})


def fill(id_: str, quantity: Any, price: Any = 4500, side: Side = BUY, **more: Any) -> Fill:
    at = more.pop("at", 1)
    fields: dict[str, Any] = {"symbol": "ESZ26", "time_ns": WALL + at * SECOND, "fee": D(0), **more}
    fields["fee"] = D(str(fields["fee"]))
    return Fill(id_, BROKER, ACCOUNT, side=side, quantity=D(str(quantity)), price=D(str(price)), **fields)


def told(order: Order, state: OrderState, filled: Any = 0, average: Any = None, bid: str = "41", **more: Any) -> Told:
    done = D(str(filled))
    ids = more.pop("ids", (bid,))
    created = more.pop("created", 0)
    price = None if average is None else D(str(average))
    time_ns = 0 if created is None else WALL + created * SECOND
    report = OrderReport(order, ACCOUNT, state, done, order.quantity - done, price, ids, time_ns)
    return Told(report, None if created is None else WALL + created * SECOND)


def nameless(told: Told) -> Told:
    """The same order as a broker without keys lists it."""
    return attrs.evolve(told, report=attrs.evolve(told.report, order=attrs.evolve(told.report.order, key="")))


def held(quantity: Any, average: Any = None, symbol: str = "ESZ26", position_id: str | None = None) -> Held:
    return Held(symbol, D(str(quantity)), None if average is None else D(str(average)), position_id)


class Failed:
    """Stands for a question that failed."""


FAILED = Failed()


@attrs.define
class Play:
    """The books under play; `cycle` answers one round of questions and takes in what was found."""

    books: Books
    can: Capability = NAMED
    now_ns: int = 100 * SECOND
    wall_jump_ns: int = 0
    ledger: Ledger = attrs.Factory(lambda: Ledger(AccountTerms(BROKER, ACCOUNT, "USD"), LISTED))

    @property
    def now(self) -> Now:
        return Now(self.now_ns, WALL + self.now_ns + self.wall_jump_ns)

    def cycle(self, after: float = 0, **answers: Any) -> Reconciliation:
        self.now_ns += int(after * SECOND)
        return self.take(reconcile(self.books, truth(self.now_ns, **answers), self.now, self.can))

    def hear(self, fill: Fill) -> Reconciliation:
        return self.take(heard(self.books, fill, self.now, self.can))

    def take(self, result: Reconciliation) -> Reconciliation:
        self.books = attrs.evolve(folded(self.books, result.events, self.now_ns), notes=result.notes)
        for event in result.events:
            book(self.ledger, event)
        holdings = {key: self._with_average(key, holding) for key, holding in self.books.holdings.items()}
        self.books = attrs.evolve(self.books, holdings=holdings)
        return result

    def _with_average(self, key: tuple[str, str | None], holding: Holding) -> Holding:
        if key[0] not in {position.symbol for position in self.ledger.positions()} or key[1] is not None:
            return holding
        return attrs.evolve(holding, average_price=self.ledger.position(key[0]).average_price)

    def state(self, key: str = "K1") -> OrderState:
        return self.books.claims[key].life.state

    def life(self, key: str = "K1") -> OrderLife:
        return self.books.claims[key].life

    def position(self, symbol: str = "ESZ26", position_id: str | None = None) -> Decimal:
        return self.books.holdings[symbol, position_id].quantity

    def average(self, symbol: str = "ESZ26") -> Decimal | None:
        return self.ledger.position(symbol).average_price


def book(ledger: Ledger, event: Event) -> None:
    """What the ledger does with a finding."""
    match event:
        case OrderEvent(_, Filled(fill)) | ExternalFill(fill) | InferredFill(fill) | PositionCorrected(fill):
            ledger.apply(fill)
        case Superseded(correction):
            ledger.correct(correction)


def truth(asked_ns: int, **answers: Any) -> Truth:
    """One round of answers, empty where nothing is said; FAILED stands for a question without answer."""
    account = answers.pop("account", ACCOUNT)
    orders = answers.pop("orders", ())
    default_open = () if isinstance(orders, Failed) else tuple(t for t in orders if not t.report.state.final)
    positions = answers.pop("held", ())
    after = answers.pop("held_after", positions)
    since = answers.pop("since", None)
    targeted = answers.pop("answers", {})
    return Truth(
        account,
        open_orders=listing(answers.pop("open", default_open), asked_ns),
        orders=listing(orders, asked_ns, since),
        fills=listing(answers.pop("fills", ()), asked_ns, since),
        answers={key: Answer(value, asked_ns) for key, value in targeted.items()},
        positions_before=listing(positions, asked_ns),
        positions_after=listing(after, asked_ns),
        **answers,
    )


def listing(items: Any, asked_ns: int, since: int | None = None) -> Listing[Any] | None:
    return None if isinstance(items, Failed) else Listing(tuple(items), asked_ns, since)


def books(*claims: Claim, holding: tuple[Any, Any] | None = None, **more: Any) -> Books:
    """Books with these claims and one position in ESZ26."""
    holdings: Mapping[Any, Any] = more.pop("holdings", {})
    if holding is not None:
        quantity, average = D(str(holding[0])), D(str(holding[1]))
        holdings = {("ESZ26", None): Holding(quantity, average, {"es-trend": quantity}), **holdings}
    return Books(BROKER, ACCOUNT, LISTED, {claim.key: claim for claim in claims}, holdings, **more)


def play(*claims: Claim, **more: Any) -> Play:
    """A stage with these claims and, with `holding`, a position that the ledger has too."""
    can = more.pop("can", NAMED)
    stage = Play(books(*claims, **more), can)
    for (symbol, position_id), holding in stage.books.holdings.items():
        if holding.quantity and holding.average_price is not None and position_id is None:
            side = BUY if holding.quantity > 0 else SELL
            id_ = f"opening-{symbol}"
            opening = fill(id_, abs(holding.quantity), holding.average_price, side, symbol=symbol, at=-1000)
            stage.ledger.apply(attrs.evolve(opening, session="es-trend"))
    return stage


def of(*values: Any) -> tuple[Any, ...]:
    """Several figures to compare at once, decimals with plain numbers too."""
    return values


def kinds(found: Iterable[Event]) -> list[str]:
    """The names of the findings."""
    return [type(event).__name__ for event in found]


def concerns(result: Reconciliation) -> set[str]:
    return {alert.concern.value for alert in result.alerts}
