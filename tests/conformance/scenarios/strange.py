"""What the broker says twice, late, out of order, not at all or wrongly, and what others do in the account."""

from decimal import Decimal

import trio

from brokers.model import OrderState, OrderType
from brokers.order_events import Filled
from tests.conformance.floor import Floor
from tests.conformance.scenario import Scenario, of_orders, scenario, takes

LIMIT = takes(OrderType.LIMIT)


def _disturbed(id_: str, switch: str) -> Scenario:
    """Whatever is told, the books hold what was traded, once."""

    @scenario(id_, LIMIT, switches=(switch.partition("=")[0].partition("*")[0],))
    async def play(floor: Floor) -> None:
        await trio.sleep(2)
        floor.side.fault(switch)
        resting = floor.resting(quantity=2, away=4)
        await floor.submit(resting)
        await floor.until(lambda: floor.truly_open() == 1, "the order at the broker")
        await trio.sleep(2)
        await floor.show(-10)
        report = await floor.becomes(resting, OrderState.FILLED, OrderState.CANCELED)  # a late fill ends no life anew
        await floor.holds(2)
        await trio.sleep(20)
        assert (await floor.report(resting)).filled == report.order.quantity
        await floor.holds(2)

    return play


DISTURBED = (
    _disturbed("told.an-update-twice", "update-twice*5"),
    _disturbed("told.a-fill-twice", "fill-twice"),
    _disturbed("told.a-fill-under-two-ids", "fill-two-ids"),
    _disturbed("told.a-fill-after-a-cancel", "late-fill=2"),
    _disturbed("told.updates-out-of-order", "out-of-order"),
    _disturbed("told.an-update-never", "lose-update"),
    _disturbed("told.a-fill-never", "lose-fill*3"),
)


@scenario("told.a-fill-taken-back", LIMIT, switches=("bust",))
async def busted(floor: Floor) -> None:
    await trio.sleep(2)
    floor.side.fault("bust=2")
    await floor.submit(order := floor.order(quantity=2, limit_price=floor.ask + floor.ticks(1)))
    await floor.until(floor.truly_filled, "the fill")
    await floor.until(lambda: not any(floor.truly_held().values()), "the bust")
    await floor.agree()
    await floor.holds(0)
    assert (await floor.report(order)).state.final


@scenario("told.a-price-corrected", LIMIT, switches=("correction",))
async def corrected(floor: Floor) -> None:
    await trio.sleep(2)
    floor.side.fault("correction=2")
    await floor.submit(order := floor.order(quantity=2, limit_price=floor.ask + floor.ticks(1)))
    await floor.filled(order)
    await trio.sleep(20)
    await floor.holds(2)


@scenario("told.a-replaced-order-as-out-first", LIMIT, switches=("out-on-replace",))
async def out_first(floor: Floor) -> None:
    order = await floor.working(floor.resting(away=30))
    floor.side.fault("out-on-replace")
    await floor.modify(order, limit_price=floor.bid - floor.ticks(5))
    await trio.sleep(20)
    await floor.show(-10)
    await floor.filled(order)


def _lied(word: str) -> Scenario:
    @scenario(f"told.a-lie-{word}", LIMIT, switches=("lie",))
    async def play(floor: Floor) -> None:
        """What cannot be is put aside, and the truth is asked for."""
        await trio.sleep(2)
        floor.side.fault(f"lie={word}")
        order = floor.resting(quantity=2, away=4)
        await floor.submit(order)
        await floor.until(lambda: floor.truly_open() == 1, "the order at the broker")
        await trio.sleep(15)
        await floor.show(-10)
        await floor.filled(order)
        await floor.holds(2)

    return play


LIES = tuple(_lied(word) for word in ("negative-quantity", "zero-price", "unknown-status", "wrong-side"))


@scenario("stranger.an-order-from-another-screen-is-taken-into-the-books", LIMIT, switches=("external-order",))
async def external(floor: Floor) -> None:
    await trio.sleep(2)
    floor.side.fault("external-order")
    floor.strangers = 1
    await floor.submit(order := floor.order(limit_price=floor.ask + floor.ticks(1)))
    await floor.filled(order)
    await floor.until(lambda: sum(floor.truly_held().values()) == 2, "the stranger's fill")
    await floor.agree()
    await floor.holds(2)
    (mine,) = [one for one in await floor.broker.account_positions(floor.account) if one.quantity]
    assert mine.quantity == 1, "the stranger's share is not the session's"


@scenario("stranger.a-finished-order-that-the-broker-forgets", LIMIT, switches=("forget-finished",))
async def forgotten(floor: Floor) -> None:
    floor.side.fault("forget-finished=5")
    await floor.submit(order := floor.order(limit_price=floor.ask + floor.ticks(1)))
    await floor.filled(order)
    await trio.sleep(120)
    assert (await floor.report(order)).state is OrderState.FILLED
    await floor.holds(1)


@scenario(
    "fill.ids-and-money-are-the-broker-s",
    LIMIT & of_orders("execution ids", lambda orders: orders.fill_ids),
)
async def fill_ids(floor: Floor) -> None:
    await trio.sleep(2)
    await floor.submit(order := floor.order(quantity=2, limit_price=floor.ask + floor.ticks(1)))
    await floor.filled(order)
    await floor.until(lambda: floor.happened(Filled), "the news of the fill")
    fills = {event.fill.id: event.fill for event in floor.happened(Filled)}
    assert sum((fill.quantity for fill in fills.values()), Decimal(0)) == 2
    assert {fill.price for fill in fills.values()} == {floor.truly_filled()[0].price}
