"""Refusals at each stage: before anything is sent, by the broker's answer, inside a success, and after acceptance."""

import pytest
import trio

from brokers.errors import BrokerError, Certainty, Code, DuplicateKey, InvalidOrder, OrderRefused
from brokers.model import OrderState, OrderType
from brokers.sides import Side
from tests.conformance.floor import D, Floor
from tests.conformance.scenario import of_orders, scenario, takes

LIMIT = takes(OrderType.LIMIT)
HUGE = 500_000


async def _nothing_there(floor: Floor) -> None:
    await trio.sleep(10)
    assert floor.truly_open() == 0
    assert floor.truly_filled() == ()


@scenario("refusal.off-the-grid-is-refused-before-it-is-sent", LIMIT)
async def off_grid(floor: Floor) -> None:
    with pytest.raises(InvalidOrder):
        await floor.submit(floor.order(limit_price=floor.bid - floor.instrument.tick / 3))
    await _nothing_there(floor)


@scenario("refusal.an-unknown-symbol-is-refused-before-it-is-sent", LIMIT)
async def unknown_symbol(floor: Floor) -> None:
    with pytest.raises(OrderRefused) as caught:
        await floor.submit(floor.order(symbol="NO-SUCH-THING"))
    assert caught.value.code is Code.SYMBOL_NOT_FOUND
    await _nothing_there(floor)


@scenario("refusal.a-quantity-of-nothing-is-refused-before-it-is-sent", LIMIT)
async def no_quantity(floor: Floor) -> None:
    with pytest.raises(InvalidOrder):
        await floor.submit(floor.order(quantity=0, limit_price=floor.bid))
    await _nothing_there(floor)


@scenario(
    "refusal.what-the-record-excludes-is-refused-before-it-is-sent",
    LIMIT & of_orders("no post-only", lambda orders: not orders.post_only),
)
async def excluded(floor: Floor) -> None:
    with pytest.raises(InvalidOrder):
        await floor.submit(floor.resting(post_only=True))
    await _nothing_there(floor)


@scenario("refusal.an-order-beyond-the-margin-is-a-definite-no", LIMIT)
async def margin(floor: Floor) -> None:
    order = floor.resting(quantity=HUGE)
    await floor.attempt(order)
    assert (await floor.becomes(order, OrderState.REJECTED)).filled == 0
    await _nothing_there(floor)


@scenario("refusal.after-a-no-the-next-order-is-taken", LIMIT)
async def goes_on(floor: Floor) -> None:
    order = floor.resting(quantity=HUGE)
    await floor.attempt(order)
    await floor.becomes(order, OrderState.REJECTED)
    await floor.working(floor.resting())


@scenario("refusal.inside-a-success-is-a-no", LIMIT, switches=("refuse-order",))
async def in_200(floor: Floor) -> None:
    floor.side.fault("refuse-order")
    order = floor.resting()
    with pytest.raises(BrokerError) as caught:
        await floor.submit(order)
    assert caught.value.certainty is Certainty.DEFINITE
    assert (await floor.report(order)).state is OrderState.REJECTED
    await _nothing_there(floor)


@scenario("refusal.after-acceptance-ends-the-order", LIMIT, switches=("reject-later",))
async def later(floor: Floor) -> None:
    floor.side.fault("reject-later")
    order = floor.resting()
    await floor.attempt(order)
    assert (await floor.becomes(order, OrderState.REJECTED)).filled == 0
    await _nothing_there(floor)


@scenario("duplicate.the-same-order-again-is-the-same-order", LIMIT)
async def same_again(floor: Floor) -> None:
    order = await floor.working(floor.resting())
    (report,) = await floor.submit(order)
    assert report.state is OrderState.WORKING
    assert floor.truly_open() == 1


@scenario("duplicate.another-order-under-a-known-key-is-refused", LIMIT)
async def same_key(floor: Floor) -> None:
    order = await floor.working(floor.resting())
    other = floor.resting(Side.SELL, 2)
    with pytest.raises(DuplicateKey):
        await floor.submit(type(order)(order.key, other.symbol, other.side, other.type, D(2), other.limit_price))
    assert floor.truly_open() == 1
