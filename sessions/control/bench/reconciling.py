"""How long it takes to compare a large account with its broker: 1,000 open orders, 5,000 fills, 100 positions."""

from collections.abc import Iterable
from decimal import Decimal
from time import perf_counter
from typing import Final

import attrs

from brokers.catalogue import Catalogue
from brokers.lifecycle import OrderLife, advance
from brokers.model import Fill, Order, OrderReport, OrderState, OrderType
from brokers.order_events import Acknowledged, Sent, Working
from brokers.paper import CAPABILITY
from brokers.reconciliation import Books, Claim, Held, Holding, Listing, Now, Told, Truth, reconcile
from brokers.sides import Side
from sessions.control.bench.report import Measurements

ORDERS: Final = 1_000
FILLS: Final = 5_000
POSITIONS: Final = 100
_BROKER, _ACCOUNT = "paper", "paper-1"
_SECOND: Final = 1_000_000_000
_NOW: Final = Now(100 * _SECOND, 1_800_000_100 * _SECOND)
_PRICE: Final = Decimal(4_500)


def measure_reconciliation(results: Measurements) -> None:
    """Adds the seconds of one comparison in which every fill is news and every order has moved."""
    orders = [_order(number) for number in range(ORDERS)]
    books, truth = _books(orders), _truth(orders)
    began = perf_counter()
    found = reconcile(books, truth, _NOW, CAPABILITY)
    results.add("reconcile_large_account", perf_counter() - began, "s")
    if len(found.events) != FILLS:
        raise RuntimeError(f"expected {FILLS} fills to be found, got {len(found.events)} events; the figure is void")


def _order(number: int) -> Order:
    symbol = f"S{number % POSITIONS}"
    return Order(f"{number:022d}", symbol, Side.BUY, OrderType.LIMIT, Decimal(10), limit_price=_PRICE)


def _books(orders: Iterable[Order]) -> Books:
    future = Catalogue.shipped().instrument("ESZ26")
    symbols = [f"S{number}" for number in range(POSITIONS)]
    claims = {order.key: Claim(_working(order), "bench", sent_wall_ns=_NOW.wall_ns - _NOW.ns) for order in orders}
    return Books(
        _BROKER,
        _ACCOUNT,
        {symbol: attrs.evolve(future, symbol=symbol) for symbol in symbols},
        claims,
        {(symbol, None): Holding(Decimal(0), None) for symbol in symbols},
    )


def _working(order: Order) -> OrderLife:
    life = OrderLife(order)
    for event in (Sent(), Acknowledged(broker_order_id=_broker_id(order)), Working()):
        life = advance(life, event)
    return attrs.evolve(life, facts=())


def _broker_id(order: Order) -> str:
    return f"B{order.key}"


def _truth(orders: list[Order]) -> Truth:
    listed = Listing(tuple(_told(order) for order in orders), _NOW.ns)
    fills = tuple(_fill(number, orders[number % ORDERS]) for number in range(FILLS))
    each = Decimal(FILLS // POSITIONS)
    positions = Listing(tuple(Held(f"S{number}", each, _PRICE) for number in range(POSITIONS)), _NOW.ns)
    return Truth(_ACCOUNT, listed, listed, Listing(fills, _NOW.ns), {}, positions, positions)


def _told(order: Order) -> Told:
    filled, state = Decimal(FILLS // ORDERS), OrderState.PARTIALLY_FILLED
    created_ns = _NOW.wall_ns - _NOW.ns
    report = OrderReport(
        order, _ACCOUNT, state, filled, order.quantity - filled, _PRICE, (_broker_id(order),), created_ns
    )
    return Told(report, created_ns)


def _fill(number: int, order: Order) -> Fill:
    time_ns = _NOW.wall_ns - _NOW.ns + number
    one = Decimal(1)
    key, id_ = order.key, _broker_id(order)
    return Fill(f"X{number}", _BROKER, _ACCOUNT, order.symbol, Side.BUY, one, _PRICE, time_ns, key, id_)
