"""What the tests put before a strategy: a picture of one instrument, and reports of its orders."""

import datetime as dt
from decimal import Decimal
from typing import Any

import attrs

from brokers.calendar import SECOND_NS
from brokers.catalogue import Catalogue
from brokers.market import Interval, Quote
from brokers.model import Fill, Order, OrderReport, OrderState, OrderType, Position
from brokers.sides import Side
from sessions.strategy import Picture, Series, Wants

CATALOGUE = Catalogue.shipped()
ES = CATALOGUE.instrument("ESZ26")
ONE_MINUTE = Interval.parse("1m")


def utc(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()) * SECOND_NS


T0 = utc("2026-11-19 15:00")


def picture(state: object = None, *, history: int = 10) -> Picture:
    made = Picture(CATALOGUE.calendar, now_ns=T0, state=state)
    made.follow("ES", ES, Wants(bars=(Series("ES", ONE_MINUTE, history),)))
    return made


def order(tag: str = "entry", **terms: Any) -> Order:
    plain = Order(tag, "ESZ26", Side.BUY, OrderType.LIMIT, Decimal(1), limit_price=Decimal(4500))
    return attrs.evolve(plain, **terms)


def report(order: Order, state: OrderState = OrderState.WORKING) -> OrderReport:
    return OrderReport(order, "A1", state, Decimal(0), order.quantity, None, (), T0)


def quote(bid: str = "4500", ask: str = "4500.25", time_ns: int = T0) -> Quote:
    return Quote("ESZ26", Decimal(bid), Decimal(ask), Decimal(10), Decimal(10), time_ns)


def position(quantity: int | Decimal, average: Decimal | None = None, symbol: str = "ESZ26") -> Position:
    size = Decimal(quantity)
    return Position("A1", symbol, size, average if size else None, None, Decimal(0), Decimal(0), "USD", T0)


def fill(number: int, order: Order, price: Decimal, time_ns: int = T0) -> Fill:
    return Fill(str(number), "paper", "A1", order.symbol, order.side, order.quantity, price, time_ns, order.key)
