"""The audit of the demo finds what it is there to find: orders too many, fills lost or made up, money that differs."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from brokers.catalogue import Catalogue
from brokers.model import Fill, Order, OrderType
from brokers.order_events import Acknowledged, Filled
from brokers.order_log import Intended, OrderFact
from brokers.reconciliation import OrderEvent
from brokers.sides import Side
from sessions.control.demo.books import BrokerSide, JournalSide
from sessions.control.demo.verdict import Verdict, judge
from sessions.order_journal import order_stream, to_entry

ACCOUNT, ES = "A1", "ESZ26"


@attrs.define(eq=False)
class Exchange(BrokerSide):
    """A broker whose record a test writes down."""

    earned: Decimal = Decimal(0)

    def realised(self) -> Mapping[str, Decimal]:
        return {ACCOUNT: self.earned}

    def fees(self) -> Mapping[str, Decimal]:
        return {ACCOUNT: Decimal(0)}


def fill(number: str, side: Side = Side.BUY, price: str = "6800.00", **more: Any) -> Fill:
    return Fill(
        f"fill-{number}",
        "tradovate",
        ACCOUNT,
        ES,
        side,
        Decimal(1),
        Decimal(price),
        1_000,
        broker_order_id=number,
        **more,
    )


def both() -> tuple[Exchange, JournalSide]:
    """A round trip of two orders, as both sides have it."""
    broker: Any = Exchange({}, None)  # type: ignore[arg-type]  # nobody asks its desk
    journal = JournalSide(Path("/nowhere"), "tradovate", {ES: Catalogue.shipped().instrument(ES)})
    for number, side, price in (("1", Side.BUY, "6800.00"), ("2", Side.SELL, "6801.00")):
        one = fill(number, side, price)
        broker.orders[number] = (ACCOUNT, ES)
        broker.fills.append(one)
        key = f"key-{number}"
        order = Order(key, ES, side, OrderType.MARKET, Decimal(1))
        for what in (
            Intended(order, "es"),
            OrderEvent(key, Acknowledged(broker_order_id=number)),
            OrderEvent(key, Filled(one)),
        ):
            journal._take(to_entry(OrderFact(1, what), order_stream("tradovate", ACCOUNT), 1))
    broker.earned = Decimal(50)
    return broker, journal


def verdict(broker: BrokerSide, journal: JournalSide) -> tuple[Verdict, list[str]]:
    found = judge(broker, journal)
    return found, list(found.broken())


def test_what_both_sides_have_alike_keeps_every_promise() -> None:
    broker, journal = both()
    found, broken = verdict(broker, journal)
    assert (found.orders, found.fills, broken) == (2, 2, [])
    assert journal.earnings("es") == found.profits[0].journal == Decimal(50)


def test_an_order_at_the_broker_that_nobody_meant_is_one_too_many() -> None:
    broker, journal = both()
    broker.orders["3"] = (ACCOUNT, ES)
    found, broken = verdict(broker, journal)
    assert found.duplicates == ("3",)
    assert broken == ["1 orders at the broker too many: 3"]


def test_two_orders_of_one_intent_are_one_too_many() -> None:
    broker, journal = both()
    broker.orders["3"] = (ACCOUNT, ES)
    journal.ids["3"] = {"key-1"}
    assert verdict(broker, journal)[0].duplicates == ("3",)


def test_a_fill_that_the_journal_lacks_is_lost_and_one_that_only_it_has_is_made_up() -> None:
    broker, journal = both()
    broker.fills[1] = attrs.evolve(broker.fills[1], price=Decimal("6801.25"))
    found, broken = verdict(broker, journal)
    assert [len(found.lost), len(found.invented)] == [1, 1]
    assert "sell 1 ESZ26 at 6801.25, order 2 of A1" in broken[0]


def test_a_fill_that_was_booked_twice_is_found_though_both_look_alike() -> None:
    broker, journal = both()
    twice = attrs.evolve(fill("1"), id="another")
    journal.fills[ACCOUNT, "another"] = twice
    assert len(verdict(broker, journal)[0].invented) == 1


@pytest.mark.parametrize("earned", ["49.99", "-50"])
def test_money_that_differs_by_a_cent_is_told_for_its_account(earned: str) -> None:
    broker, journal = both()
    broker.earned = Decimal(earned)
    assert verdict(broker, journal)[1] == [f"A1 earned 50.00 by the journal and {earned} by the broker"]
