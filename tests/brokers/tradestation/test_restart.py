"""One life of the daemon after another: the books stay those of the broker."""

import pytest
import trio

from brokers.account_books import AccountBooks
from brokers.account_manager import AccountManager
from brokers.emulation.emulator import Emulator
from brokers.model import OrderState
from brokers.order_log import OrderLog
from brokers.reconciliation import PositionCorrected
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


@pytest.mark.parametrize("seconds", [0, 90])
def test_f19_a_strangers_order_is_named_however_soon_after_our_start_it_was_filled(seconds: int) -> None:
    """The memory makes a fill only of what was made after it began for certain; before that the books count it."""

    async def scene(world: SimulatedWorld, emulator: Emulator) -> None:
        logs: dict[str, OrderLog] = {}
        for number in (1, 2):
            async with opened(world, emulator, logs) as desk:
                await trio.sleep(seconds)
                desk.number = 10 * number
                emulator.faults.on("external-order*1")
                manager = await desk.manager()
                await manager.call(AccountManager.submit, desk.order())
                await trio.sleep(30)
                orders = await desk.books().call(AccountBooks.orders)
                strangers = [one for one in orders if one.order.key.startswith("external")]
                assert [(one.state, len(one.broker_order_ids)) for one in strangers] == [
                    (OrderState.FILLED, 1)
                ] * number
                facts = await logs[FUTURES].load()
                assert not [one for one in facts if isinstance(one.what, PositionCorrected)]
                await _agrees(desk, int((await desk.orders.positions(FUTURES))[0].quantity))

    staged(scene)
