"""The order gateway of the paper broker: requests go to the venue's name, questions to the exchange itself."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import outcome

from brokers.errors import Certainty, Code, broker_error
from brokers.gateway import Leave, News, Request
from brokers.market import MarketStatus
from brokers.matching import UnknownSymbolError
from brokers.model import AccountSummary, Change, Fill, Order, OrderGroup, OrderReport, Position
from brokers.outcome import NotSent, Outcome, Unknown
from brokers.paper.exchange import BROKER, PaperExchange
from brokers.paper.hub import Hub
from brokers.paper.keeper import Keeper
from brokers.paper.venue import PaperVenue, need_line
from runtime import Name
from runtime.errors import CallError, NoSuchActor

T = TypeVar("T")


class PaperOrders:
    """One login's way to the paper accounts."""

    def __init__(
        self, venue: Name[PaperVenue], exchange: PaperExchange, hub: Hub, keeper: Keeper | None = None
    ) -> None:
        self._venue = venue
        self._exchange = exchange
        self._hub = hub
        self._keeper = keeper

    async def accounts(self) -> Sequence[str]:
        """The ids of the accounts."""
        await need_line(self._venue)
        return self._exchange.accounts

    def market_status(self, symbol: str) -> MarketStatus | None:
        """The state of a symbol's market at the venue."""
        try:
            return self._exchange.engine.status(symbol)
        except UnknownSymbolError:
            return None

    async def place(self, account: str, order: Order | OrderGroup) -> Outcome:
        """Sends an order or a group once."""
        return await self._attempt(self._venue.call(PaperVenue.place, account, order))

    def begin_place(
        self, request: Request, account: str, order: Order | OrderGroup, then: Callable[[Outcome], None]
    ) -> bool:
        """Sends an order or a group once, while the line is up; the venue answers in its own time."""
        venue = self._venue.resolve()
        if venue is None or not (venue.alive and self._hub.up and self._exchange.has(account)):
            return False
        request(venue, partial(_tell, then), PaperVenue.place, account, order)
        return True

    async def change(self, account: str, change: Change, broker_order_id: str | None) -> Outcome:
        """Asks for new terms; the venue finds the order by its key."""
        return await self._attempt(self._venue.call(PaperVenue.change, account, change))

    async def cancel(self, account: str, key: str, broker_order_id: str | None) -> Outcome:
        """Asks for the end of an order; the venue finds it by its key."""
        return await self._attempt(self._venue.call(PaperVenue.cancel, account, key))

    async def _attempt(self, request: Awaitable[Outcome]) -> Outcome:
        """An actor that died with our request in hand leaves it in doubt, as a lost connection would."""
        try:
            return await request
        except NoSuchActor as error:
            return NotSent(broker_error(BROKER, Code.CONNECTION_FAILED, str(error)))
        except CallError as error:
            return _in_doubt(error)

    async def order(self, account: str, key: str, broker_order_id: str | None) -> OrderReport | None:
        """One order, as far as the venue remembers."""
        await need_line(self._venue, account)
        return await self._kept(self._exchange.engine.order(account, key))

    async def open_orders(self, account: str) -> Sequence[OrderReport]:
        """The orders that live at the venue."""
        await need_line(self._venue, account)
        return await self._kept(self._exchange.engine.open_orders(account))

    async def orders_since(self, account: str, time_ns: int) -> Sequence[OrderReport]:
        """All orders touched since then, as far as the venue remembers."""
        await need_line(self._venue, account)
        return await self._kept(self._exchange.orders_since(account, time_ns))

    async def fills_since(self, account: str, time_ns: int) -> Sequence[Fill]:
        """All executions since then, as far as the venue remembers."""
        await need_line(self._venue, account)
        return await self._kept(self._exchange.fills_since(account, time_ns))

    async def positions(self, account: str) -> Sequence[Position]:
        """The net positions that are not flat."""
        await need_line(self._venue, account)
        return await self._kept(self._exchange.positions(account))

    async def summary(self, account: str) -> AccountSummary:
        """The account's money."""
        await need_line(self._venue, account)
        return await self._kept(self._exchange.summary(account))

    async def _kept(self, answer: T) -> T:
        """The answer, once nothing that it shows can be forgotten any more."""
        if self._keeper is not None:
            await self._keeper.settled()
        return answer

    def listen(self, account: str, hear: Callable[[News], None]) -> Leave:
        """Hands the account's news to hear."""
        return self._hub.listen(account, hear)


def _tell(then: Callable[[Outcome], None], answer: outcome.Outcome[Outcome]) -> None:
    if type(answer) is outcome.Value:
        then(answer.value)
    elif isinstance(answer, outcome.Error) and isinstance(answer.error, CallError):
        then(_in_doubt(answer.error))
    else:
        then(answer.unwrap())  # raises what nobody declared


def _in_doubt(error: CallError) -> Unknown:
    return Unknown(broker_error(BROKER, Code.TIMEOUT, str(error), certainty=Certainty.UNKNOWN))
