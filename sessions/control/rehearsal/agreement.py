"""When a daemon is whole again: every session runs, and its books are those of the brokers."""

from decimal import Decimal
from typing import Final

import trio

from brokers.account_books import AccountBooks, BooksStatistics, books_name
from brokers.emulation.emulator import Emulator
from runtime.errors import CallError
from sessions.control.daemon.house import House
from sessions.control.rehearsal.cast import Cast
from sessions.control.rehearsal.lives import Lives
from sessions.sessions import Condition, Sessions

LOOK_SECONDS: Final = 0.5


async def agreed(cast: Cast, lives: Lives) -> None:
    """Returns when everything agrees, for the first time that it is looked at."""
    while await difference(cast, lives):  # noqa: ASYNC110 - what is compared lies on two sides and has no event
        await trio.sleep(LOOK_SECONDS)


async def difference(cast: Cast, lives: Lives) -> str:
    """What does not agree yet, in words; empty when all does."""
    if lives.house is None:
        return "the daemon is not up"
    try:
        return await _sessions(lives.house) or await _books(cast, lives.house)
    except CallError as error:
        return str(error)


async def _sessions(house: House) -> str:
    for status in await house.sessions.call(Sessions.statuses):
        if status.wanted and status.condition is not Condition.RUNNING:
            return f"{status.session} is {status.condition.value}: {status.why}"
    return ""


async def _books(cast: Cast, house: House) -> str:
    seats = {(one.broker, one.account) for one in house.settings.sessions.values()}
    for name, account in sorted(seats):
        emulator, broker = cast.emulators.get(name), house.brokers.get(name)
        if broker is None:
            return f"{name} is not open"
        books = house.runtime.name(books_name(broker.name, account), AccountBooks)
        known = await books.call(AccountBooks.statistics)
        if not known.reconciled or known.unknown_orders:
            return f"{name} {account}: reconciled {known.reconciled}, {known.unknown_orders} in doubt"
        if emulator is not None:
            held = {one.symbol: one.quantity for one in await books.call(AccountBooks.positions) if one.quantity}
            if found := _compared(emulator, account, held, known):
                return f"{name} {account}: {found}"
    return ""


def _compared(emulator: Emulator, account: str, held: dict[str, Decimal], known: BooksStatistics) -> str:
    exchange = emulator.desk.exchange
    there = next((one for one in exchange.accounts if one == account), None) or _known_as(emulator, account)
    true = {one.symbol: one.quantity for one in exchange.positions(there) if one.quantity}
    if held != true:
        return f"our books hold {held}, the broker's {true}"
    open_there = len(exchange.engine.open_orders(there))
    return "" if known.open_orders == open_there else f"{known.open_orders} orders are open here, {open_there} there"


def _known_as(emulator: Emulator, account: str) -> str:
    """The exchange's own name of an account that the protocol shows under another."""
    return list(emulator.desk.exchange.accounts)[emulator.accounts.index(account)]
