"""One round of questions to a broker about one account; a question that failed is told apart from an empty answer."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from brokers.connection import Connection
from brokers.errors import BrokerError
from brokers.gateway import Lists, ListsGateway
from brokers.model import OrderReport, Position
from brokers.reconciliation import Answer, Ask, Held, Listing, Told, Truth
from runtime.world import Clock

T = TypeVar("T")
S = TypeVar("S")


class Inquiry:
    """Asks, guarded, and counts the questions that failed."""

    def __init__(self, connection: Connection, account: str, clock: Clock) -> None:
        self.failed = 0
        self.last_failure = ""
        self._connection = connection
        self._gateway = connection.need_orders()
        self._account = account
        self._clock = clock

    async def truth(
        self,
        since_wall_ns: int,
        asks: Iterable[Ask],
        forgotten: Callable[[OrderReport], bool],
        known: Callable[[Listing[Held]], bool],
    ) -> Truth:
        """The broker's answers, with positions read before everything else, and after it unless they are `known`.

        Lists of finished things reach back to `since_wall_ns`; orders of which `forgotten` is true are left out. Where
        the books still hold just what was read before, there is no difference that a second reading could vouch for.
        """
        gateway, account = self._gateway, self._account

        def told(report: OrderReport) -> Told | None:
            return None if forgotten(report) else Told(report)

        before = await self._list(partial(gateway.positions, account), _held)
        if isinstance(gateway, ListsGateway):
            lists, asked_ns = await self._lists(gateway, since_wall_ns)
            open_orders = None if lists is None else _listing(lists.open_orders, told, asked_ns)
            orders = None if lists is None else _listing(lists.orders, told, asked_ns, since_wall_ns)
            fills = None if lists is None else _listing(lists.fills, _same, asked_ns, since_wall_ns)
        else:
            open_orders = await self._list(partial(gateway.open_orders, account), told)
            orders = await self._list(partial(gateway.orders_since, account, since_wall_ns), told, since_wall_ns)
            fills = await self._list(partial(gateway.fills_since, account, since_wall_ns), _same, since_wall_ns)
        answers = {ask.key: await self._answer(ask) for ask in asks}
        told_of = {key: answer for key, answer in answers.items() if answer is not None}
        if before is not None and known(before):
            return Truth(account, open_orders, orders, fills, told_of, before, before)
        after = await self._list(partial(gateway.positions, account), _held)
        return Truth(account, open_orders, orders, fills, told_of, before, after)

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """A guarded question; raises BrokerError."""
        return await self._connection.ask(question, self._account)

    async def _list(
        self,
        question: Callable[[], Awaitable[Sequence[S]]],
        see: Callable[[S], T | None],
        since_wall_ns: int | None = None,
    ) -> Listing[T] | None:
        asked_ns = self._clock.monotonic_ns()
        try:
            items = await self.ask(question)
        except BrokerError as error:
            self._note(error)
            return None
        return _listing(items, see, asked_ns, since_wall_ns)

    async def _lists(self, gateway: ListsGateway, since_wall_ns: int) -> tuple[Lists | None, int]:
        """All lists of one reading, and when it was asked for."""
        asked_ns = self._clock.monotonic_ns()
        try:
            return await self.ask(partial(gateway.lists, self._account, since_wall_ns)), asked_ns
        except BrokerError as error:
            self._note(error)
            return None, asked_ns

    async def _answer(self, ask: Ask) -> Answer | None:
        asked_ns = self._clock.monotonic_ns()
        try:
            report = await self.ask(partial(self._gateway.order, self._account, ask.key, ask.broker_order_id))
        except BrokerError as error:
            self._note(error)
            return None
        return Answer(None if report is None else Told(report), asked_ns)

    def _note(self, error: BrokerError) -> None:
        self.failed += 1
        self.last_failure = str(error)


def _listing(
    items: Iterable[S], see: Callable[[S], T | None], asked_ns: int, since_wall_ns: int | None = None
) -> Listing[T]:
    return Listing(tuple(one for one in map(see, items) if one is not None), asked_ns, since_wall_ns)


def _held(position: Position) -> Held:
    return Held(position.symbol, position.quantity, position.average_price)


def _same(item: T) -> T:
    return item
