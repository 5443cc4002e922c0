"""The lists of orders: pages put together, all accounts of the login in one question, and one answer for many who ask.

The reconciliation of each account asks for open orders, orders and fills one after the other, each of which is the same
question here. An answer is shared for a moment, which is part of the lag that the capability record admits.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import attrs
import trio

from brokers.errors import Certainty, Code, broker_error
from brokers.guards.timeline import SECOND_NS
from brokers.tradestation.hub import Hub
from brokers.tradestation.order_memory import OrderMemory
from brokers.tradestation.rest import Rest
from brokers.tradestation.settings import BROKER
from brokers.tradestation.symbols import Names
from brokers.tradestation.wire import BadPayload, Orders
from brokers.tradestation.wire_orders import Foreign, Seen, seen_of
from runtime.world import Clock

SHARED_NS: Final = 2 * SECOND_NS
PAGE: Final = 600
MOST_PAGES: Final = 100
REACH: Final = dt.timedelta(days=89)  # of the finished orders, which go back 90 days
_DAY: Final = dt.timedelta(days=1)


@attrs.frozen
class _Reading:
    asked_ns: int
    seen: tuple[Seen, ...]
    refused: dict[str, str]  # what the broker said of accounts it would not tell about


class OrderLists:
    """What the broker lists of the orders of a login; every sight of an order goes through the memory."""

    def __init__(self, rest: Rest, names: Names, memory: OrderMemory, hub: Hub, clock: Clock) -> None:
        self.accounts: tuple[str, ...] = ()
        self._rest = rest
        self._names = names
        self._memory = memory
        self._hub = hub
        self._clock = clock
        self._readings: dict[str, _Reading] = {}
        self._lock = trio.Lock()

    async def today(self, account: str) -> list[Seen]:
        """The orders of the day and all that are open; raises BrokerError."""
        return await self._shared(account, "orders?")

    async def finished(self, account: str, since_ns: int) -> list[Seen]:
        """The orders that were finished since then, as far back as the broker goes; raises BrokerError."""
        today = dt.datetime.fromtimestamp(self._clock.wall_ns() // SECOND_NS, dt.UTC)
        wanted = dt.datetime.fromtimestamp(max(since_ns, 0) // SECOND_NS, dt.UTC) - _DAY
        since = max(wanted, today - REACH)
        return await self._shared(account, f"historicalorders?since={since:%Y-%m-%d}&")

    def forget(self) -> None:
        """Shares no answer of before now: a request of ours has just changed the orders."""
        self._readings.clear()

    async def some(self, account: str, order_ids: Sequence[str]) -> list[Seen]:
        """These orders as they stand, those of them that the broker has today; raises BrokerError."""
        reading = await self._read([account], f"orders/{','.join(order_ids)}?")
        return list(reading.seen)

    async def _shared(self, account: str, what: str) -> list[Seen]:
        async with self._lock:
            reading = self._readings.get(what)
            if reading is None or self._clock.monotonic_ns() - reading.asked_ns > SHARED_NS:
                accounts = self.accounts if account in self.accounts else (*self.accounts, account)
                reading = await self._read(accounts, what)
                self._readings = {name: one for name, one in self._readings.items() if name == "orders?"}
                self._readings[what] = reading
        if account in reading.refused:
            raise broker_error(BROKER, Code.FORBIDDEN, reading.refused[account])
        return [one for one in reading.seen if one.account == account]

    async def _read(self, accounts: Sequence[str], what: str) -> _Reading:
        asked_ns, refused = self._clock.monotonic_ns(), dict[str, str]()
        seen = await self._pages(f"/v3/brokerage/accounts/{','.join(accounts)}/{what}", refused)
        return _Reading(asked_ns, tuple(seen), refused)

    async def _pages(self, path: str, refused: dict[str, str]) -> list[Seen]:
        found, token = list[Seen](), ""
        for _ in range(MOST_PAGES):
            page = await self._rest.get(Orders, "orders", f"{path}pageSize={PAGE}{token}")
            refused |= {fault.account_id: fault.message for fault in page.errors or () if fault.account_id}
            found += self._take(page)
            if not page.next_token:
                return found
            token = f"&nextToken={quote(page.next_token, safe='')}"
        text = f"expected at most {MOST_PAGES} pages of orders, there are more; nothing was taken for complete"
        raise broker_error(BROKER, Code.API_ERROR, text, certainty=Certainty.DEFINITE)

    def _take(self, page: Orders) -> list[Seen]:
        """The orders of a page; one that cannot be spoils the list, since what is missing from it would prove wrong."""
        found = []
        for record in page.orders:
            try:
                seen = seen_of(record, self._names)
            except Foreign as foreign:
                self._hub.put_aside(f"orders for {foreign.symbol}", str(foreign))
                continue
            except BadPayload as bad:
                self._hub.put_aside(f"order {record.order_id}", str(bad))
                raise broker_error(BROKER, Code.API_ERROR, str(bad), certainty=Certainty.DEFINITE) from bad
            self._hub.tell_orders(self._memory.take(seen, self._clock.wall_ns(), listed=True))
            found.append(seen)
        return found
