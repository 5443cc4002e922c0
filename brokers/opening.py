"""How a room that trades opens: the login first, then its accounts, at the end a book for each of them."""

from collections.abc import Callable, Iterable
from typing import Any

from brokers.broker import Broker
from brokers.gateway import OrderGateway
from brokers.order_log import OrderLog
from runtime import Actor, Child, Reason, Runtime, Strategy, Supervisor
from runtime.wire.http import HttpClient


class HttpClients(Actor):
    """Holds the HTTP clients of a login: open from its start on, closed at its end, and open again in its next life."""

    def __init__(self, *clients: HttpClient) -> None:
        self.clients = clients

    async def on_start(self) -> None:
        """Opens those that a life before has closed."""
        for client in self.clients:
            client.reopen()

    async def on_stop(self, reason: Reason) -> None:
        """Closes them; what is under way ends as a failure."""
        for client in self.clients:
            await client.aclose()


async def open_login(
    runtime: Runtime, name: str, clients: Iterable[HttpClient], store: Child[Any], orders: OrderGateway
) -> tuple[str, ...]:
    """Starts what all else of a login stands on and returns its accounts.

    Raises BrokerError when they cannot be asked for, and then nothing is left running.
    """
    wire = Child("wire", lambda: HttpClients(*clients))
    base = await runtime.start(Supervisor([wire, store], strategy=Strategy.REST_FOR_ONE), f"{name}-login")
    try:
        return tuple(await orders.accounts())
    except BaseException:
        await base.stop()
        raise


async def open_books(
    runtime: Runtime, name: str, broker: Broker, accounts: Iterable[str], logs: Callable[[str], OrderLog]
) -> None:
    """Starts the books of the accounts."""
    books = [broker.account_books(account, log=logs(account)) for account in accounts]
    await runtime.start(Supervisor(books, max_restarts=10, within=60), f"{name}-books")
