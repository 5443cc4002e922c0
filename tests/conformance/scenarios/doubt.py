"""Requests whose outcome is not known, and how it is proved: the order is found, or proved never to have been."""

import contextlib

import trio

from brokers.errors import BrokerError
from brokers.lifecycle import LifecycleError
from brokers.model import OrderState, OrderType
from runtime.errors import CallError
from tests.conformance.floor import Floor
from tests.conformance.scenario import Scenario, of_orders, scenario, takes

LIMIT = takes(OrderType.LIMIT)
SETTLED = (OrderState.WORKING, OrderState.REJECTED, OrderState.CANCELED)


def _lived(id_: str, switch: str) -> Scenario:
    """The request took effect and its answer was lost: the order is found, once, and is never sent again."""

    @scenario(f"doubt.{id_}-is-found-alive", LIMIT, switches=(switch.partition("=")[0],))
    async def play(floor: Floor) -> None:
        await trio.sleep(2)
        floor.side.fault(f"{switch}/command")
        order = floor.resting()
        await floor.attempt(order)
        report = await floor.becomes(order, OrderState.WORKING)
        assert len(report.broker_order_ids) == 1
        assert floor.truly_open() == 1

    return play


def _never(id_: str, switch: str) -> Scenario:
    """The request had no effect and nobody said so: absence is proved, and the order ends without a trace."""

    @scenario(f"doubt.{id_}-is-proved-absent", LIMIT, switches=(switch.partition("=")[0],))
    async def play(floor: Floor) -> None:
        await trio.sleep(2)
        floor.side.fault(f"{switch}/command")
        order = floor.resting()
        await floor.attempt(order)
        with contextlib.suppress(BrokerError):  # taken out of the books where it is known that nothing left
            await floor.becomes(order, OrderState.REJECTED)
        assert floor.truly_open() == 0

    return play


LIVED = (
    _lived("an-error-after-acceptance", "error-after=504"),
    _lived("a-reset-after-acceptance", "reset=after"),
    _lived("a-reply-cut-short", "cut=20"),
    _lived("a-reply-that-never-comes", "hang=head"),
    _lived("a-reply-that-stops-half-way", "hang=middle"),
    _lived("a-truncated-body", "body=truncated"),
    _lived("a-body-that-is-no-json", "body=not-json"),
    _lived("an-empty-body", "body=empty"),
    _lived("a-body-of-another-kind", "body=wrong-schema"),
)
NEVER = (
    _never("an-error-without-effect", "error-before=500"),
    _never("a-reset-before-it-was-read", "reset=before"),
)


@scenario("doubt.a-market-order-in-doubt-fills-once", takes(OrderType.MARKET), switches=("error-after",))
async def market(floor: Floor) -> None:
    await trio.sleep(2)
    floor.side.fault("error-after=504/command")
    order = floor.order(quantity=2)
    await floor.attempt(order)
    await floor.filled(order)
    await floor.holds(2)
    assert len({fill.order_key for fill in floor.truly_filled()}) == 1


@scenario("doubt.a-lost-answer-to-a-cancel-still-ends-the-order", LIMIT, switches=("error-after",))
async def cancel(floor: Floor) -> None:
    order = await floor.working(floor.resting())
    floor.side.fault("error-after=504/command")
    with contextlib.suppress(BrokerError, CallError):
        await floor.cancel(order)
    await floor.becomes(order, OrderState.CANCELED)


@scenario("doubt.a-cancel-without-effect-can-be-repeated", LIMIT, switches=("error-before",))
async def cancel_again(floor: Floor) -> None:
    order = await floor.working(floor.resting())
    floor.side.fault("error-before=500/command")
    with contextlib.suppress(BrokerError, CallError):
        await floor.cancel(order)
    report = await floor.becomes(order, OrderState.CANCELED, OrderState.WORKING)
    if report.state is OrderState.WORKING:
        with contextlib.suppress(LifecycleError):
            await floor.cancel(order)
    await floor.becomes(order, OrderState.CANCELED)


@scenario(
    "doubt.a-lost-answer-to-a-change-is-looked-up",
    LIMIT & of_orders("changes that keep the id", lambda orders: orders.replace.value == "in_place"),
    switches=("error-after",),
)
async def change(floor: Floor) -> None:
    order = await floor.working(floor.resting(away=30))
    floor.side.fault("error-after=504/command")
    with contextlib.suppress(BrokerError, CallError):
        await floor.modify(order, limit_price=floor.bid - floor.ticks(5))
    await floor.becomes(order, OrderState.WORKING)
    await floor.show(-10)
    await floor.filled(order)


@scenario("doubt.an-equal-order-waits-until-the-doubt-is-over", LIMIT, switches=("hang",))
async def equal(floor: Floor) -> None:
    await trio.sleep(2)
    floor.side.fault("hang=head/command")
    first = floor.resting()
    await floor.attempt(first)
    await floor.becomes(first, OrderState.WORKING)
    second = floor.resting()
    await floor.working(second)
    assert floor.truly_open() == 2
