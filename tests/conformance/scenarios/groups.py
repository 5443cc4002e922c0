"""Brackets, one-cancels-other and one-triggers-other, as one object from placing to the last leg."""

from decimal import Decimal

import trio

from brokers.keys import new_key
from brokers.model import GroupKind, Order, OrderGroup, OrderState, OrderType
from brokers.sides import Side
from tests.conformance.floor import LIVE, Floor
from tests.conformance.scenario import groups, scenario, takes

STOPS = takes(OrderType.STOP)
BRACKET, OCO, OTO = (groups(kind) & STOPS for kind in (GroupKind.BRACKET, GroupKind.OCO, GroupKind.OTO))


def _group(floor: Floor, kind: GroupKind, parent: Order | None, *children: Order) -> OrderGroup:
    return OrderGroup(str(new_key(1, floor.world.chance)), kind, parent, children)


def _exits(floor: Floor, quantity: int = 2, away: int = 12) -> tuple[Order, Order]:
    target = floor.resting(Side.SELL, quantity, away=away)
    stop = floor.order(Side.SELL, quantity, type=OrderType.STOP, stop_price=floor.bid - floor.ticks(away))
    return target, stop


async def _entered(floor: Floor) -> tuple[Order, Order]:
    """A bracket whose entry has filled; its exits live."""
    entry = floor.order(quantity=2, limit_price=floor.ask + floor.ticks(1))
    target, stop = _exits(floor)
    await floor.submit(_group(floor, GroupKind.BRACKET, entry, target, stop))
    await floor.filled(entry)
    await floor.becomes(target, *LIVE)
    await floor.becomes(stop, *LIVE)
    return target, stop


@scenario("group.a-bracket-s-exits-sleep-until-the-entry-fills", BRACKET)
async def sleeping(floor: Floor) -> None:
    entry, (target, stop) = floor.resting(quantity=2, away=6), _exits(floor, away=30)
    reports = await floor.submit(_group(floor, GroupKind.BRACKET, entry, target, stop))
    assert [one.order.key for one in reports] == [entry.key, target.key, stop.key]
    await floor.becomes(entry, *LIVE)
    await floor.show(-8)
    await floor.filled(entry)
    await floor.holds(2)


@scenario("group.a-bracket-s-target-cancels-its-stop", BRACKET)
async def target_fills(floor: Floor) -> None:
    target, stop = await _entered(floor)
    await floor.show(20)
    await floor.filled(target)
    await floor.becomes(stop, OrderState.CANCELED)
    await floor.holds(0)


@scenario("group.a-bracket-s-stop-cancels-its-target", BRACKET)
async def stop_fills(floor: Floor) -> None:
    target, stop = await _entered(floor)
    await floor.show(-20)
    await floor.filled(stop)
    await floor.becomes(target, OrderState.CANCELED)
    await floor.holds(0)


@scenario("group.cancelling-an-entry-ends-its-exits", BRACKET)
async def entry_cancelled(floor: Floor) -> None:
    entry, (target, stop) = floor.resting(quantity=2, away=30), _exits(floor, away=60)
    await floor.submit(_group(floor, GroupKind.BRACKET, entry, target, stop))
    await floor.becomes(entry, *LIVE)
    await floor.cancel(entry)
    for order in (entry, target, stop):
        await floor.becomes(order, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED)
    assert floor.truly_open() == 0


@scenario("group.an-exit-of-a-bracket-can-be-moved", BRACKET)
async def exit_moved(floor: Floor) -> None:
    target, stop = await _entered(floor)
    assert target.limit_price is not None
    nearer: Decimal = target.limit_price - floor.ticks(4)
    await floor.modify(target, limit_price=nearer)
    await floor.until(lambda: floor.truly_open() == 2, "both exits")
    await trio.sleep(5)
    await floor.show(20)
    assert (await floor.filled(target)).average_price == nearer
    await floor.becomes(stop, OrderState.CANCELED)


@scenario("group.one-of-two-cancels-the-other", OCO)
async def oco(floor: Floor) -> None:
    await floor.submit(opening := floor.order(quantity=2))
    await floor.filled(opening)
    target, stop = _exits(floor)
    await floor.submit(_group(floor, GroupKind.OCO, None, target, stop))
    await floor.becomes(target, *LIVE)
    await floor.becomes(stop, *LIVE)
    await floor.show(-20)
    await floor.filled(stop)
    await floor.becomes(target, OrderState.CANCELED)
    await floor.holds(0)


@scenario("group.cancelling-one-of-two-ends-both", OCO)
async def oco_cancelled(floor: Floor) -> None:
    await floor.submit(opening := floor.order(quantity=2))
    await floor.filled(opening)
    target, stop = _exits(floor)
    await floor.submit(_group(floor, GroupKind.OCO, None, target, stop))
    await floor.becomes(target, *LIVE)
    await floor.cancel(target)
    await floor.becomes(target, OrderState.CANCELED)
    await floor.becomes(stop, OrderState.CANCELED)


@scenario("group.a-trigger-sends-its-orders-when-it-fills", OTO)
async def oto(floor: Floor) -> None:
    entry = floor.order(quantity=2, limit_price=floor.ask + floor.ticks(1))
    target, _ = _exits(floor)
    await floor.submit(_group(floor, GroupKind.OTO, entry, target))
    await floor.filled(entry)
    await floor.becomes(target, *LIVE)
    await floor.show(20)
    await floor.filled(target)
    await floor.holds(0)
