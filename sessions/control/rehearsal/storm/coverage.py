"""What states orders were in when a fault struck: which cells of fault class and order state a run has seen."""

from brokers.account_books import AccountBooks, books_name
from runtime.server import ActorCell
from sessions.control.daemon.house import House

IDLE = "none"  # the state of orders where there is no order that lives


def order_states(house: House | None) -> tuple[str, ...]:
    """The states of the orders that live in a daemon's books, each once."""
    if house is None:
        return (IDLE,)
    seats = {(one.broker, one.account) for one in house.settings.sessions.values()}
    found = {state for name, account in seats for state in _of_account(house, name, account)}
    return tuple(sorted(found)) or (IDLE,)


def _of_account(house: House, name: str, account: str) -> set[str]:
    broker = house.brokers.get(name)
    ref = None if broker is None else house.runtime.registry.whereis(books_name(broker.name, account))
    cell = None if ref is None else ref.cell()
    books = cell.actor if isinstance(cell, ActorCell) else None
    if not isinstance(books, AccountBooks) or not hasattr(books, "desk"):
        return set()
    return {entry.life.state.value for entry in books.desk.open.values()}
