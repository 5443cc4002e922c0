"""Orders of each type and each time in force, from placing to their end."""

import contextlib

import trio

from brokers.errors import OrderRefused
from brokers.model import OrderState, OrderType, TimeInForce
from brokers.sides import Side
from tests.conformance.floor import D, Floor
from tests.conformance.scenario import Need, Scenario, lasts, of_orders, scenario, takes

MARKET, LIMIT = takes(OrderType.MARKET), takes(OrderType.LIMIT)


@scenario("order.market-fills-at-the-other-side", MARKET)
async def market(floor: Floor) -> None:
    order, ask = floor.order(quantity=2), floor.ask
    await floor.submit(order)
    report = await floor.filled(order)
    assert report.average_price == ask
    await floor.holds(2)


@scenario("order.market-sells-short", MARKET)
async def short(floor: Floor) -> None:
    order, bid = floor.order(Side.SELL, 3), floor.bid
    await floor.submit(order)
    assert (await floor.filled(order)).average_price == bid
    await floor.holds(-3)


@scenario("order.limit-rests-and-fills-at-its-price", LIMIT)
async def limit(floor: Floor) -> None:
    order = await floor.working(floor.resting(away=4))
    assert (await floor.report(order)).filled == 0
    await floor.show(-10)
    assert (await floor.filled(order)).average_price == order.limit_price


@scenario("order.a-marketable-limit-fills-at-once-and-no-worse", LIMIT)
async def marketable(floor: Floor) -> None:
    order, ask = floor.order(limit_price=floor.ask + floor.ticks(5)), floor.ask
    await floor.submit(order)
    assert (await floor.filled(order)).average_price == ask


@scenario("order.stop-waits-for-its-price", takes(OrderType.STOP))
async def stop(floor: Floor) -> None:
    order = await floor.working(floor.order(Side.SELL, type=OrderType.STOP, stop_price=floor.bid - floor.ticks(8)))
    await floor.show(-4)
    await trio.sleep(3)
    assert (await floor.report(order)).filled == 0
    shown = await floor.show(-8)
    assert (await floor.filled(order)).average_price == shown.bid


@scenario("order.stop-limit-rests-behind-its-stop", takes(OrderType.STOP_LIMIT))
async def stop_limit(floor: Floor) -> None:
    trigger = floor.ask + floor.ticks(6)
    order = floor.order(type=OrderType.STOP_LIMIT, stop_price=trigger, limit_price=trigger + floor.ticks(1))
    await floor.working(order)
    await floor.show(20)  # through the stop and beyond the limit: it rests
    await trio.sleep(3)
    assert (await floor.report(order)).filled == 0
    await floor.show(-20)
    report = await floor.filled(order)
    assert report.average_price is not None
    assert report.average_price <= trigger + floor.ticks(1)


@scenario("order.a-trailing-stop-follows-the-market", takes(OrderType.TRAILING_STOP))
async def trailing(floor: Floor) -> None:
    order = floor.order(Side.SELL, type=OrderType.TRAILING_STOP, trail_offset=floor.ticks(8))
    await floor.working(order)
    await floor.show(20)
    await floor.show(-6)
    await trio.sleep(3)
    assert (await floor.report(order)).filled == 0
    await floor.show(-6)
    await floor.filled(order)


@scenario(
    "order.a-trailing-stop-follows-by-percent",
    takes(OrderType.TRAILING_STOP) & of_orders("trailing by percent", lambda orders: orders.trail_percent),
)
async def trailing_percent(floor: Floor) -> None:
    order = floor.order(Side.SELL, type=OrderType.TRAILING_STOP, trail_percent=D(1))
    await floor.working(order)
    one_percent = int(floor.bid / 100 / floor.instrument.tick)
    await floor.show(-one_percent // 2)
    await trio.sleep(3)
    assert (await floor.report(order)).filled == 0
    await floor.show(-one_percent)
    await floor.filled(order)


@scenario("order.fills-in-parts-add-up", LIMIT)
async def parts(floor: Floor) -> None:
    await floor.show(size=2)
    order = floor.order(quantity=7, limit_price=floor.ask)
    await floor.submit(order)
    report = await floor.becomes(order, OrderState.PARTIALLY_FILLED)
    assert report.filled == 2
    assert report.remaining == 5
    await floor.show(size=3)
    await floor.until(lambda: sum(fill.quantity for fill in floor.truly_filled()) == 5, "three more")
    await floor.show(-5, size=50)
    await floor.filled(order)
    await floor.holds(7)


@scenario("order.a-part-filled-order-can-be-cancelled", LIMIT)
async def part_cancelled(floor: Floor) -> None:
    await floor.show(size=2)
    order = floor.order(quantity=5, limit_price=floor.ask)
    await floor.submit(order)
    await floor.becomes(order, OrderState.PARTIALLY_FILLED)
    await floor.cancel(order)
    report = await floor.becomes(order, OrderState.CANCELED)
    assert report.filled == 2
    await floor.holds(2)


# How long they live.


def _rests(kind: TimeInForce) -> Scenario:
    @scenario(f"tif.{kind.value}-rests-and-is-cancelled", LIMIT & lasts(kind))
    async def play(floor: Floor) -> None:
        expires = None
        if kind is TimeInForce.GTD:
            expires = floor.world.clock.wall_ns() + 3 * 86_400 * 10**9
        order = await floor.working(floor.resting(time_in_force=kind, expires_ns=expires))
        await trio.sleep(30)
        report = await floor.report(order)
        assert report.filled == 0
        assert report.order.time_in_force is kind
        await floor.cancel(order)
        await floor.becomes(order, OrderState.CANCELED)

    return play


RESTING = tuple(_rests(kind) for kind in (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD))
IOC, FOK = LIMIT & lasts(TimeInForce.IOC), LIMIT & lasts(TimeInForce.FOK)
ENDED = (OrderState.CANCELED, OrderState.EXPIRED, OrderState.REJECTED)


@scenario("tif.ioc-takes-what-is-there", IOC)
async def ioc(floor: Floor) -> None:
    await floor.show(size=2)
    order = floor.order(quantity=5, limit_price=floor.ask, time_in_force=TimeInForce.IOC)
    await floor.submit(order)
    assert (await floor.becomes(order, *ENDED)).filled == 2


@scenario("tif.ioc-out-of-reach-ends-without-a-fill", IOC)
async def ioc_away(floor: Floor) -> None:
    order = floor.resting(time_in_force=TimeInForce.IOC)
    await floor.submit(order)
    assert (await floor.becomes(order, *ENDED)).filled == 0


@scenario("tif.fok-fills-whole-or-not-at-all", FOK)
async def fok(floor: Floor) -> None:
    await floor.show(size=4)
    small = floor.order(quantity=3, limit_price=floor.ask, time_in_force=TimeInForce.FOK)
    await floor.submit(small)
    await floor.filled(small)
    large = floor.order(quantity=9, limit_price=floor.ask, time_in_force=TimeInForce.FOK)
    await floor.submit(large)
    assert (await floor.becomes(large, *ENDED)).filled == 0


@scenario("tif.day-ends-with-the-session", LIMIT & lasts(TimeInForce.DAY))
async def day_ends(floor: Floor) -> None:
    order = await floor.working(floor.resting())
    floor.side.end_session(floor.symbol)
    told_apart = floor.broker.capability.orders is not None and floor.broker.capability.orders.explicit_expiry
    report = await floor.becomes(order, OrderState.EXPIRED if told_apart else OrderState.CANCELED)
    assert report.filled == 0


REDUCE: Need = of_orders("reduce-only", lambda orders: orders.reduce_only)
POST: Need = of_orders("post-only", lambda orders: orders.post_only)


@scenario("order.reduce-only-never-turns-a-position", MARKET & REDUCE)
async def reduce_only(floor: Floor) -> None:
    await floor.submit(opening := floor.order(quantity=2))
    await floor.filled(opening)
    await floor.submit(closing := floor.order(Side.SELL, 2, reduce_only=True))
    await floor.filled(closing)
    await floor.holds(0)


@scenario("order.post-only-never-takes", LIMIT & POST)
async def post_only(floor: Floor) -> None:
    order = floor.order(limit_price=floor.ask, post_only=True)
    with contextlib.suppress(OrderRefused):  # some refuse it, some take it and cancel it
        await floor.submit(order)
    assert (await floor.becomes(order, *ENDED)).filled == 0


@scenario("order.many-at-once-all-live", LIMIT)
async def many(floor: Floor) -> None:
    orders = [floor.resting(away=20 + number) for number in range(12)]
    async with trio.open_nursery() as nursery:
        for order in orders:
            nursery.start_soon(floor.submit, order)
    for order in orders:
        await floor.becomes(order, OrderState.WORKING)
    assert floor.truly_open() == 12
    async with trio.open_nursery() as nursery:
        for order in orders:
            nursery.start_soon(floor.cancel, order)
    for order in orders:
        await floor.becomes(order, OrderState.CANCELED)


@scenario("order.each-fill-is-told-once-with-its-price", LIMIT)
async def told_once(floor: Floor) -> None:
    for number in range(3):
        order = floor.order(quantity=number + 1, limit_price=floor.ask + floor.ticks(2))
        await floor.submit(order)
        await floor.filled(order)
    await floor.holds(6)
    assert sum(fill.quantity for fill in floor.truly_filled()) == 6
    assert (await floor.statistics()).problems == 0
