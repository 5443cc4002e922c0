"""One life of the daemon after another: the books stay those of the broker."""

import trio

from brokers.account_books import AccountBooks
from brokers.account_manager import AccountManager
from brokers.emulation.emulator import Emulator
from brokers.model import OrderState
from brokers.order_log import OrderLog
from brokers.sides import Side
from runtime.simulation import SimulatedWorld
from tests.brokers.tradestation.kit import FUTURES, Desk, opened, reported, staged


async def _agrees(desk: Desk, quantity: int) -> None:
    """The books hold what the broker holds, no correction was needed and nothing is in doubt."""
    await trio.sleep(40)
    books = desk.books()
    (ours,) = await books.call(AccountBooks.positions)
    (theirs,) = await desk.orders.positions(FUTURES)
    assert ours.quantity == theirs.quantity == quantity
    statistics = await books.call(AccountBooks.statistics)
    assert (statistics.reconciled, statistics.unknown_orders, statistics.problems) == (True, 0, 0)


def test_fills_of_the_life_before_are_not_booked_again() -> None:
    async def scene(world: SimulatedWorld, emulator: Emulator) -> None:
        logs: dict[str, OrderLog] = {}
        async with opened(world, emulator, logs) as desk:
            manager = await desk.manager()
            order = desk.order(quantity=2)
            await manager.call(AccountManager.submit, order)
            await reported(manager, order.key, OrderState.FILLED)
        await trio.sleep(30)
        for number in (2, 3):
            async with opened(world, emulator, logs) as desk:
                await _agrees(desk, 2)
                desk.number = 10 * number
        async with opened(world, emulator, logs) as desk:
            desk.number = 100
            manager = await desk.manager()
            await manager.call(AccountManager.submit, desk.order(Side.SELL))
            await _agrees(desk, 1)

    staged(scene)


def test_a_fill_that_came_while_nobody_watched_is_booked_once() -> None:
    async def scene(world: SimulatedWorld, emulator: Emulator) -> None:
        logs: dict[str, OrderLog] = {}
        async with opened(world, emulator, logs) as desk:
            manager = await desk.manager()
            await manager.call(AccountManager.submit, desk.order(quantity=1))
            quote = await desk.quote()
            assert quote.bid is not None
            resting = desk.order(limit_price=quote.bid - 2, quantity=3)
            await manager.call(AccountManager.submit, resting)
        while True:
            await trio.sleep(60)
            async with opened(world, emulator, logs) as desk:
                manager = await desk.manager()
                report = await manager.call(AccountManager.order, resting.key)
                if report.state is OrderState.FILLED:
                    return await _agrees(desk, 4)

    staged(scene)
