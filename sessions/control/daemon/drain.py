"""The last minutes: no new risk, and a wait until the fate of every order that is on its way is known."""

from typing import Final

import trio

from brokers.account_books import AccountBooks, books_name
from brokers.errors import BrokerError
from brokers.guards.ladder import Cause, Raised
from brokers.model import OrderState
from runtime.errors import CallError
from sessions.control.daemon.house import House

LOOK_SECONDS: Final = 0.05
KEEP_SECONDS: Final = 2.0
_ENDING: Final = Raised(Cause.HELD_BACK, "the daemon ends")
_ON_THEIR_WAY: Final = frozenset(
    {
        OrderState.CREATED,
        OrderState.PENDING_NEW,
        OrderState.PENDING_REPLACE,
        OrderState.PENDING_CANCEL,
        OrderState.UNKNOWN,
    }
)


async def drain(house: House, seconds: float) -> tuple[str, ...]:
    """Returns the keys of the orders whose fate is still not known; they are looked up at the next start.

    Orders that rest at a broker stay there, as they do when a session is stopped.
    """
    for session in house.gate.sessions():
        house.gate.tell(session, _ENDING, house.world.clock.wall_ns())
    with trio.move_on_after(seconds):
        while not house.hurries and await _unsettled(house):  # noqa: ASYNC110 - the books are asked, they tell no event of it
            await trio.sleep(LOOK_SECONDS)
    return await _unsettled(house)


async def keep_switch(house: House) -> None:
    """Waits a moment for the risk desk to bring the kill switch to the disk, so that a stop outlives this process."""
    with trio.move_on_after(KEEP_SECONDS):
        while not house.switch.kept:  # noqa: ASYNC110 - a signal handler sets it, which can tell no event
            await trio.sleep(LOOK_SECONDS)


async def _unsettled(house: House) -> tuple[str, ...]:
    found: list[str] = []
    for name, broker in tuple(house.brokers.items()):
        settings = house.settings.brokers.get(name)
        for account in settings.accounts if settings is not None else ():
            books = house.runtime.name(books_name(broker.name, account), AccountBooks)
            try:
                reports = await books.call(AccountBooks.orders)
            except (BrokerError, CallError):
                continue  # whoever does not answer is looked up at the next start
            found += (report.order.key for report in reports if report.state in _ON_THEIR_WAY)
    return tuple(found)
