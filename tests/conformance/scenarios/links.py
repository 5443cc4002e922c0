"""Orders over a line that breaks: what happened meanwhile is asked for, and nothing is counted twice."""

import trio

from brokers.gateway import LinkNews
from brokers.model import OrderState, OrderType
from tests.conformance.floor import LONGEST_QUOTA, Floor
from tests.conformance.scenario import scenario, takes

LIMIT = takes(OrderType.LIMIT)


def _links(floor: Floor) -> list[bool]:
    return [one.up for one in floor.news if isinstance(one, LinkNews)]


@scenario("gap.a-fill-of-the-outage-is-booked-once", LIMIT)
async def fill(floor: Floor) -> None:
    order = await floor.working(floor.resting(quantity=2, away=4))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(floor.side.sever)
        await trio.sleep(0.0005)
        await floor.show(-10)
    await floor.filled(order)
    await trio.sleep(20)
    await floor.holds(2)


@scenario("gap.an-outage-is-told-and-its-end", LIMIT)
async def told(floor: Floor) -> None:
    await trio.sleep(5)
    await floor.side.sever()
    await floor.until(lambda: _links(floor)[-2:] == [False, True], "down and up")


@scenario("gap.orders-survive-an-outage", LIMIT)
async def survive(floor: Floor) -> None:
    orders = [await floor.working(floor.resting(away=10 + number)) for number in range(3)]
    await floor.side.sever()
    await trio.sleep(30)
    for order in orders:
        assert (await floor.report(order)).state is OrderState.WORKING
    await floor.cancel(orders[0])
    await floor.becomes(orders[0], OrderState.CANCELED)


@scenario("gap.an-order-placed-as-the-line-breaks-is-settled", LIMIT)
async def placed(floor: Floor) -> None:
    await trio.sleep(2)
    order = floor.resting()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(floor.attempt, order)
        await floor.side.sever()
    await floor.agree()


@scenario("gap.three-outages-and-trades-between-them", LIMIT)
async def often(floor: Floor) -> None:
    for number in range(3):
        await floor.submit(order := floor.order(limit_price=floor.ask + floor.ticks(1)))
        await floor.side.sever()
        await floor.filled(order)
        await trio.sleep(20)
        await floor.holds(number + 1)


@scenario("gap.a-half-open-stream-of-orders-is-noticed", LIMIT, switches=("half-open",))
async def half_open(floor: Floor) -> None:
    await trio.sleep(2)
    floor.side.fault("half-open=1")
    order = floor.resting(quantity=2, away=4)
    await floor.submit(order)
    await trio.sleep(5)
    await floor.show(-10)
    await floor.filled(order)
    await floor.holds(2)


@scenario("gap.a-stream-that-drops-again-and-again", LIMIT, switches=("stream-drop",))
async def drops(floor: Floor) -> None:
    floor.side.fault("stream-drop=2*4")
    for _ in range(3):
        await floor.submit(order := floor.order(limit_price=floor.ask + floor.ticks(1)))
        await floor.filled(order)
        await trio.sleep(10)
    await floor.holds(3)


@scenario("gap.a-snapshot-that-is-one-update-behind", LIMIT, switches=("stale-snapshot",))
async def stale(floor: Floor) -> None:
    order = await floor.working(floor.resting(quantity=2, away=4))
    floor.side.fault("stale-snapshot")
    await floor.show(-10)
    await floor.side.sever()
    await floor.filled(order)
    await floor.holds(2)


@scenario("quota.questions-wait-and-orders-go-on", LIMIT, switches=("quota",))
async def quota(floor: Floor) -> None:
    await trio.sleep(2)
    floor.side.fault("quota=429,2/query*2")
    order = await floor.working(floor.resting())
    await floor.cancel(order)
    await floor.becomes(order, OrderState.CANCELED)
    await trio.sleep(LONGEST_QUOTA)


@scenario("quota.an-order-that-meets-it-is-settled", LIMIT, switches=("quota",))
async def order_quota(floor: Floor) -> None:
    await trio.sleep(2)
    floor.side.fault("quota=429,2/command")
    await floor.attempt(floor.resting())
    await trio.sleep(LONGEST_QUOTA)
    await floor.agree()
    await floor.working(floor.resting(away=33))
