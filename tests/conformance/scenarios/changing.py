"""Replaces and cancels, and their races with fills."""

import contextlib

import pytest
import trio

from brokers.capability import Replace
from brokers.errors import BrokerError, InvalidOrder
from brokers.lifecycle import LifecycleError
from brokers.model import Order, OrderState, OrderType
from brokers.sides import Side
from tests.conformance.floor import D, Floor
from tests.conformance.scenario import of_orders, scenario, takes

LIMIT = takes(OrderType.LIMIT)
REPLACES = LIMIT & of_orders("changes of live orders", lambda orders: orders.replace is not Replace.NONE)
IN_PLACE = of_orders("changes that keep the id", lambda orders: orders.replace is Replace.IN_PLACE)
STOP = takes(OrderType.STOP)


async def replaced(floor: Floor, key: str, price: object) -> None:
    """Waits until the terms are in force."""
    with trio.fail_after(60):
        while True:
            found = {one.order.key: one for one in await floor.broker.account_orders(floor.account)}[key]
            if found.state is OrderState.WORKING and found.order.limit_price == price:
                return
            await trio.sleep(0.05)


@scenario("replace.a-new-price-is-in-force", REPLACES)
async def price(floor: Floor) -> None:
    order = await floor.working(floor.resting(away=30))
    nearer = floor.bid - floor.ticks(5)
    await floor.modify(order, limit_price=nearer)
    await replaced(floor, order.key, nearer)
    assert floor.truly_open() == 1
    await floor.show(-10)
    assert (await floor.filled(order)).average_price == nearer


@scenario("replace.a-new-quantity-counts-what-is-filled", REPLACES)
async def quantity(floor: Floor) -> None:
    await floor.show(size=2)
    order = floor.order(quantity=5, limit_price=floor.ask)
    await floor.submit(order)
    await floor.becomes(order, OrderState.PARTIALLY_FILLED)
    await floor.show(40, size=2)
    await floor.modify(order, quantity=D(8))
    await trio.sleep(10)
    await floor.show(-50, size=50)
    await floor.filled(order, 8)
    await floor.holds(8)


@scenario("replace.to-where-it-trades-fills-it", REPLACES)
async def into_market(floor: Floor) -> None:
    order = await floor.working(floor.resting(away=30))
    await floor.modify(order, limit_price=floor.ask + floor.ticks(2))
    await floor.filled(order)


@scenario("replace.the-id-stays-where-the-record-says-so", REPLACES & IN_PLACE)
async def same_id(floor: Floor) -> None:
    order = await floor.working(floor.resting(away=30))
    before = (await floor.report(order)).broker_order_ids
    nearer = floor.bid - floor.ticks(20)
    await floor.modify(order, limit_price=nearer)
    await replaced(floor, order.key, nearer)
    assert (await floor.report(order)).broker_order_ids == before


@scenario("replace.twice-in-a-row", REPLACES)
async def twice(floor: Floor) -> None:
    order = await floor.working(floor.resting(away=30))
    for away in (20, 10):
        wanted = floor.bid - floor.ticks(away)
        await floor.modify(order, limit_price=wanted)
        await replaced(floor, order.key, wanted)
    assert floor.truly_open() == 1


@scenario("replace.a-stop-is-moved", REPLACES & STOP)
async def stop(floor: Floor) -> None:
    order = await floor.working(floor.order(Side.SELL, type=OrderType.STOP, stop_price=floor.bid - floor.ticks(40)))
    await floor.modify(order, stop_price=floor.bid - floor.ticks(10))
    await trio.sleep(10)
    await floor.show(-15)
    await floor.filled(order)


@scenario("replace.without-a-new-term-is-refused-before-it-is-sent", REPLACES)
async def nothing_new(floor: Floor) -> None:
    order = await floor.working(floor.resting())
    with pytest.raises(InvalidOrder):
        await floor.modify(order, limit_price=order.limit_price or D(0))
    assert (await floor.report(order)).state is OrderState.WORKING


@scenario("race.a-replace-meets-a-fill", REPLACES)
async def replace_meets_fill(floor: Floor) -> None:
    order = await floor.working(floor.resting(quantity=3, away=4))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_quietly_modify, floor, order)
        await floor.show(-10)
    report = await floor.becomes(order, OrderState.FILLED, OrderState.WORKING)
    await floor.holds(int(report.filled))


async def _quietly_modify(floor: Floor, order: Order) -> None:
    with contextlib.suppress(BrokerError, LifecycleError):
        await floor.modify(order, limit_price=floor.bid - floor.ticks(30))


@scenario("cancel.a-resting-order-ends", LIMIT)
async def cancel(floor: Floor) -> None:
    order = await floor.working(floor.resting())
    await floor.cancel(order)
    await floor.becomes(order, OrderState.CANCELED)
    assert floor.truly_open() == 0


@scenario("cancel.twice-is-asked-for-once", LIMIT)
async def cancel_twice(floor: Floor) -> None:
    order = await floor.working(floor.resting())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(floor.cancel, order)
        nursery.start_soon(floor.cancel, order)
    await floor.becomes(order, OrderState.CANCELED)
    assert (await floor.statistics()).problems == 0


@scenario("cancel.a-filled-order-is-refused", LIMIT)
async def cancel_filled(floor: Floor) -> None:
    await floor.submit(order := floor.order(limit_price=floor.ask + floor.ticks(1)))
    await floor.filled(order)
    with pytest.raises(LifecycleError):
        await floor.cancel(order)


@scenario("cancel.an-unknown-order-is-refused", LIMIT)
async def cancel_unknown(floor: Floor) -> None:
    with pytest.raises(BrokerError):
        await floor.cancel(floor.order())


@scenario("cancel.before-the-answer-to-the-order-still-ends-it", LIMIT)
async def cancel_early(floor: Floor) -> None:
    order = floor.resting()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(floor.submit, order)
        await trio.sleep(0.0001)
        with contextlib.suppress(BrokerError):
            await floor.cancel(order)
    if (await floor.report(order)).state is not OrderState.CANCELED:
        await floor.until(lambda: floor.truly_open() == 0, "no order at the broker")
    await floor.becomes(order, OrderState.CANCELED)


@scenario("race.a-cancel-meets-a-fill", LIMIT)
async def cancel_meets_fill(floor: Floor) -> None:
    order = await floor.working(floor.resting(quantity=3, away=4))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_quietly_cancel, floor, order)
        await floor.show(-10)
    report = await floor.becomes(order, OrderState.FILLED, OrderState.CANCELED)
    await floor.agree()
    await floor.holds(int(report.filled))


@scenario("race.a-fill-comes-before-the-cancel-arrives", LIMIT)
async def fill_first(floor: Floor) -> None:
    order = await floor.working(floor.resting(quantity=3, away=4))
    await floor.show(-10)
    await _quietly_cancel(floor, order)
    await floor.filled(order)


async def _quietly_cancel(floor: Floor, order: Order) -> None:
    with contextlib.suppress(BrokerError, LifecycleError):
        await floor.cancel(order)


@scenario("race.a-replace-and-a-cancel-at-once", REPLACES)
async def both(floor: Floor) -> None:
    order = await floor.working(floor.resting(away=30))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_quietly_modify, floor, order)
        nursery.start_soon(_quietly_cancel, floor, order)
    await trio.sleep(5)
    if not (await floor.report(order)).state.final:
        await _quietly_cancel(floor, order)
    await floor.becomes(order, OrderState.CANCELED)
    assert floor.truly_open() == 0
