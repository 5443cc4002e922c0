"""One round of questions: positions are read again at its end, unless the books hold just what was read before."""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar, cast

import pytest

from brokers.connection import Connection
from brokers.errors import Code, broker_error
from brokers.gateway import Lists, ListsGateway
from brokers.inquiry import Inquiry
from brokers.model import Fill, OrderReport, Position
from brokers.reconciliation import Held, Listing, Truth
from runtime.real import SystemClock

T = TypeVar("T")
HELD = Position("a", "ES", Decimal(2), Decimal(6800), None, Decimal(0), Decimal(0), "USD", 0)


class Gateway:
    """Answers every question, and keeps in which order they came."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down = False

    async def positions(self, account: str) -> Sequence[Position]:
        self.asked.append("positions")
        if self.down:
            raise broker_error("acme", Code.CONNECTION_FAILED, "down")
        return (HELD,)

    async def open_orders(self, account: str) -> Sequence[OrderReport]:
        self.asked.append("open orders")
        return ()

    async def orders_since(self, account: str, time_ns: int) -> Sequence[OrderReport]:
        self.asked.append("orders")
        return ()

    async def fills_since(self, account: str, time_ns: int) -> Sequence[Fill]:
        self.asked.append("fills")
        return ()


class Way:
    """A connection that lets every question pass."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def need_orders(self) -> Gateway:
        return self.gateway

    async def ask(self, question: Callable[[], Awaitable[T]], account: str) -> T:
        return await question()


async def round_of(gateway: Gateway, known: Callable[[Listing[Held]], bool]) -> Truth:
    connection = cast("Connection", cast("Any", Way(gateway)))
    return await Inquiry(connection, "a", SystemClock()).truth(0, (), lambda _: False, known)


async def test_positions_that_the_books_hold_are_read_once() -> None:
    gateway = Gateway()
    truth = await round_of(gateway, lambda listing: listing.items[0].quantity == 2)
    assert gateway.asked == ["positions", "open orders", "orders", "fills"]
    assert truth.complete
    assert truth.positions_before is truth.positions_after


async def test_positions_that_differ_from_the_books_are_read_again_after_everything_else() -> None:
    gateway = Gateway()
    truth = await round_of(gateway, lambda _: False)
    assert gateway.asked == ["positions", "open orders", "orders", "fills", "positions"]
    assert truth.positions_before is not truth.positions_after


async def test_the_books_are_asked_what_they_hold_when_the_lists_are_there() -> None:
    gateway = Gateway()
    seen: list[list[str]] = []

    def known(_: Listing[Held]) -> bool:
        seen.append(list(gateway.asked))
        return True

    await round_of(gateway, known)
    assert seen == [["positions", "open orders", "orders", "fills"]]


async def test_a_reading_that_failed_is_tried_again_and_proves_nothing() -> None:
    gateway = Gateway()
    gateway.down = True
    truth = await round_of(gateway, lambda _: pytest.fail("there is nothing to compare"))
    assert gateway.asked.count("positions") == 2
    assert not truth.complete


def _never_asked(*_: object) -> None:
    """What a round of questions does not use."""
    raise AssertionError


class OneReading(Gateway):
    """Answers for all lists at once."""

    def __init__(self, gateway: type[Any]) -> None:
        super().__init__()
        for name in set(dir(gateway)) - set(dir(self)):
            setattr(self, name, _never_asked)

    async def lists(self, account: str, time_ns: int) -> Lists:
        self.asked.append("lists")
        if self.down:
            raise broker_error("acme", Code.CONNECTION_FAILED, "down")
        return Lists((), (), ())


async def test_a_gateway_that_reads_all_lists_at_once_is_asked_for_them_once() -> None:
    gateway = OneReading(ListsGateway)
    truth = await round_of(gateway, lambda _: True)
    assert gateway.asked == ["positions", "lists"]
    assert truth.complete
    assert truth.orders is not None
    assert truth.fills is not None
    assert truth.orders.asked_ns == truth.fills.asked_ns


async def test_lists_that_cannot_be_read_at_once_leave_the_round_without_all_of_them() -> None:
    gateway = OneReading(ListsGateway)
    gateway.down = True
    truth = await round_of(gateway, lambda _: True)
    assert (truth.open_orders, truth.orders, truth.fills) == (None, None, None)
    assert not truth.complete
