"""Credentials that end, are refused or renewed while everything runs."""

import trio

from brokers.market import Quote
from brokers.model import OrderState, OrderType
from tests.conformance.floor import Floor
from tests.conformance.scenario import DATA, QUOTES, scenario, takes
from tests.conformance.scenarios.market import MINUTE, MINUTE_NS, flows, streaming

LIMIT = takes(OrderType.LIMIT)


@scenario("token.a-stream-outlives-its-token", QUOTES, switches=("short-tokens",))
async def stream(floor: Floor) -> None:
    floor.side.fault("short-tokens=40")
    await streaming(floor)
    for _ in range(10):
        await trio.sleep(20)
        await flows(floor)
    floor.side.calm("short-tokens")
    assert floor.seen(Quote)


@scenario("token.orders-go-on-across-refreshes", LIMIT, switches=("short-tokens",))
async def orders(floor: Floor) -> None:
    floor.side.fault("short-tokens=40")
    resting = await floor.working(floor.resting(away=60))
    for number in range(4):
        await trio.sleep(35)
        await floor.submit(order := floor.order(limit_price=floor.ask + floor.ticks(1)))
        await floor.filled(order)
        await floor.holds(number + 1)
    await floor.cancel(resting)
    await floor.becomes(resting, OrderState.CANCELED)
    floor.side.calm("short-tokens")


@scenario("token.a-refused-token-is-renewed-once", DATA, switches=("unauthorized",))
async def refused(floor: Floor) -> None:
    await trio.sleep(60)  # the refresh of the login lies behind
    floor.side.fault("unauthorized/query")
    symbol = floor.candidate.history or floor.symbol
    end = floor.world.clock.wall_ns() // MINUTE_NS * MINUTE_NS - 60 * MINUTE_NS
    assert await floor.broker.historical_bars(symbol, MINUTE, end - 5 * MINUTE_NS, end)


@scenario("token.a-refused-order-is-settled", LIMIT, switches=("unauthorized",))
async def refused_order(floor: Floor) -> None:
    await trio.sleep(60)  # the refresh of the login lies behind
    floor.side.fault("unauthorized/command")
    await floor.attempt(floor.resting())
    await floor.agree()
    await trio.sleep(10)
    await floor.working(floor.resting(away=33))


@scenario("token.a-refresh-that-fails-is-tried-again", DATA, switches=("refresh-fails", "short-tokens"))
async def refresh_fails(floor: Floor) -> None:
    floor.side.fault("short-tokens=60")
    floor.side.fault("refresh-fails*2")
    await streaming(floor)
    await trio.sleep(120)
    floor.side.calm("short-tokens")
    await flows(floor)


@scenario("token.refresh-tokens-that-rotate", DATA, switches=("rotate-tokens", "short-tokens"))
async def rotating(floor: Floor) -> None:
    floor.side.fault("rotate-tokens")
    floor.side.fault("short-tokens=60")
    await streaming(floor)
    await trio.sleep(400)
    await flows(floor)
