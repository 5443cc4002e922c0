"""The broker's lists of orders and executions, put together from the entities that each is spread over.

Questions that come within a second share one reading of the lists, whichever account they are about; what is known of
finished orders is not asked for again. So the poll of a quiet account costs two requests beside its positions.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeVar

import attrs
import trio

from brokers.errors import BrokerError, Certainty, Code, broker_error
from brokers.guards.timeline import SECOND_NS
from brokers.model import Fill, OrderReport
from brokers.tradovate.blotter import Blotter
from brokers.tradovate.directory import Directory
from brokers.tradovate.hub import Hub
from brokers.tradovate.rest import Rest
from brokers.tradovate.settings import BROKER
from brokers.tradovate.symbols import Contracts
from brokers.tradovate.wire import BadPayload
from brokers.tradovate.wire_entities import (
    CommandReportRow,
    CommandRow,
    FeeRow,
    FillRow,
    OrderRow,
    PositionRow,
    VersionRow,
)
from brokers.tradovate.wire_orders import (
    FAILED,
    FINAL,
    Shown,
    fill_of,
    key_in,
    shown_of,
    version_in_force,
    void_commands,
)
from runtime.world import Clock

T = TypeVar("T")

SHARED_NS: Final = SECOND_NS
_MOST_FEES: Final = 20_000
_ZERO: Final = Decimal(0)


@attrs.frozen
class Seen:
    """One order as the lists show it."""

    shown: Shown
    reason: str


@attrs.frozen
class Listed:
    """One reading of the lists."""

    read_ns: int
    orders: Mapping[int, Seen]
    accounts: Mapping[int, str]  # of each order
    fills: tuple[FillRow, ...]

    def key_of(self, order_id: int) -> str | None:
        """Our key of an order, if it has one."""
        seen = self.orders.get(order_id)
        return None if seen is None or seen.shown.order.key == str(order_id) else seen.shown.order.key

    def reports(self, account: str) -> list[OrderReport]:
        """The orders of an account, each with what is filled of it."""
        fills = defaultdict[int, list[FillRow]](list)
        for fill in self.fills:
            if fill.active:
                fills[fill.order_id].append(fill)
        return [
            seen.shown.report(fills[order_id], seen.reason)
            for order_id, seen in self.orders.items()
            if seen.shown.account == account
        ]


class PositionList:
    """The positions of a login, read once for all accounts within a second, and anew for one that asks again."""

    def __init__(self, rest: Rest, clock: Clock) -> None:
        self._rest = rest
        self._clock = clock
        self._reading = trio.Lock()
        self._served: set[int] = set()
        self._read_ns = 0
        self._rows: tuple[PositionRow, ...] | None = None

    async def of(self, account_id: int) -> list[PositionRow]:
        """The positions of an account, flat ones too; raises BrokerError."""
        async with self._reading:
            asked_ns = self._clock.monotonic_ns()
            if self._rows is None or account_id in self._served or asked_ns - self._read_ns >= SHARED_NS:
                self._rows = await self._rest.rows(PositionRow, "position")
                self._read_ns, self._served = asked_ns, set()
            self._served.add(account_id)
            return [row for row in self._rows if row.account_id == account_id]


class OrderLists:
    """Reads the lists of a login."""

    def __init__(
        self, rest: Rest, directory: Directory, contracts: Contracts, blotter: Blotter, hub: Hub, clock: Clock
    ) -> None:
        self._rest = rest
        self._directory = directory
        self._contracts = contracts
        self._blotter = blotter
        self._hub = hub
        self._clock = clock
        self._reading = trio.Lock()
        self._latest: Listed | None = None
        self._finished: dict[int, Seen] = {}
        self._fees: OrderedDict[int, Decimal] = OrderedDict()

    async def reports(self, account: str) -> list[OrderReport]:
        """All orders of an account that the lists still show; raises BrokerError."""
        return (await self._listed()).reports(account)

    async def fills(self, account: str, since_ns: int) -> list[Fill]:
        """The executions in an account since then, oldest first, under the ids told before; raises BrokerError."""
        return await self._fills_in(await self._listed(), account, since_ns)

    async def both(self, account: str, since_ns: int) -> tuple[list[OrderReport], list[Fill]]:
        """Orders and executions, of one reading; raises BrokerError."""
        listed = await self._listed()
        return listed.reports(account), await self._fills_in(listed, account, since_ns)

    async def _fills_in(self, listed: Listed, account: str, since_ns: int) -> list[Fill]:
        strange = sorted({fill.order_id for fill in listed.fills} - set(listed.accounts))
        accounts = {**listed.accounts, **await self._accounts_of(strange)}
        rows = [row for row in listed.fills if row.active and accounts.get(row.order_id) == account]
        read = (self._fill(row, account, listed.key_of(row.order_id)) for row in rows)
        fills = [fill for fill in read if fill is not None and fill.time_ns >= since_ns]
        fees = await self._fees_of([int(fill.id) for fill in fills])
        told = self._blotter.told_ids(listed.fills)
        fills = [attrs.evolve(fill, id=str(told[int(fill.id)]), fee=fees[int(fill.id)]) for fill in fills]
        return sorted(fills, key=lambda fill: (fill.time_ns, int(fill.id)))

    async def one(self, account: str, order_id: int) -> OrderReport | None:
        """One order, open or finished; None where the broker has no such order in the account. Raises BrokerError."""
        rows = await self._rest.rows_of(OrderRow, "order/items", [order_id], "ids")
        rows = [row for row in rows if row.id == order_id and self._blotter.names.get(row.account_id) == account]
        seen = (await self._described(rows)).get(order_id)
        if seen is None:
            return None
        fills = await self._rest.rows_of(FillRow, "fill/ldeps", [order_id])
        return seen.shown.report([fill for fill in fills if fill.active], seen.reason)

    async def id_of(self, key: str) -> int | None:
        """The order that a command with our key has made; None where there is no such command. Raises BrokerError."""
        known = self._blotter.id_of(key)
        if known is not None:
            return known
        commands = await self._rest.rows(CommandRow, "command")
        return next((one.order_id for one in commands if key_in((one,)) == key), None)

    async def rows_of(self, order_ids: Sequence[int]) -> list[OrderRow | VersionRow | CommandRow]:
        """Everything that describes some orders; raises BrokerError."""
        orders = await self._rest.rows_of(OrderRow, "order/items", order_ids, "ids")
        await self._directory.learn(row.contract_id for row in orders)
        versions = await self._rest.rows_of(VersionRow, "orderVersion/ldeps", order_ids)
        commands = await self._rest.rows_of(CommandRow, "command/ldeps", order_ids)
        return [*orders, *versions, *commands]

    # One reading.

    async def _listed(self) -> Listed:
        async with self._reading:
            asked_ns = self._clock.monotonic_ns()
            if self._latest is None or asked_ns - self._latest.read_ns >= SHARED_NS:
                self._latest = await self._read(asked_ns)
            return self._latest

    async def _read(self, asked_ns: int) -> Listed:
        names = self._blotter.names
        rows = [row for row in await self._rest.rows(OrderRow, "order") if row.account_id in names]
        listed = {row.id for row in rows}
        self._finished = {order_id: seen for order_id, seen in self._finished.items() if order_id in listed}
        found = await self._described([row for row in rows if row.id not in self._finished])
        self._finished |= {order_id: seen for order_id, seen in found.items() if seen.shown.status in FINAL}
        fills = await self._rest.rows(FillRow, "fill")
        await self._directory.learn(fill.contract_id for fill in fills)
        accounts = {row.id: names[row.account_id] for row in rows}
        return Listed(asked_ns, {**self._finished, **found}, accounts, fills)

    async def _described(self, rows: Sequence[OrderRow]) -> dict[int, Seen]:
        """The orders behind rows; raises BrokerError, also where one of ours cannot be read."""
        if not rows:
            return {}
        ids = [row.id for row in rows]
        await self._directory.learn(row.contract_id for row in rows)
        versions = _by_order(await self._rest.rows_of(VersionRow, "orderVersion/ldeps", ids))
        commands = _by_order(await self._rest.rows_of(CommandRow, "command/ldeps", ids))
        failures = await self._failures(rows, commands)
        found = dict[int, Seen]()
        for row in rows:
            seen = self._seen(row, versions[row.id], commands[row.id], failures)
            if seen is not None:
                found[row.id] = seen
        return found

    async def _failures(
        self, rows: Iterable[OrderRow], commands: Mapping[int, Sequence[CommandRow]]
    ) -> dict[int, CommandReportRow]:
        """Why commands failed, asked for where an order was changed or rejected."""
        doubtful = [
            one.id
            for row in rows
            for one in commands[row.id]
            if one.command_type == "Modify" or row.ord_status == "Rejected"
        ]
        reports = await self._rest.rows_of(CommandReportRow, "commandReport/ldeps", doubtful)
        return {one.command_id: one for one in reports if one.command_status in FAILED}

    def _seen(
        self,
        row: OrderRow,
        versions: Sequence[VersionRow],
        commands: Sequence[CommandRow],
        failures: Mapping[int, CommandReportRow],
    ) -> Seen | None:
        """One order; None for one that is not ours and cannot be read or is about something that we do not trade."""
        key = key_in(commands)
        symbol = self._contracts.symbol(row.contract_id)
        made = next((failures[one.id] for one in commands if one.command_type == "New" and one.id in failures), None)
        version = version_in_force(versions, void_commands(row, commands, failures))
        try:
            shown = shown_of(self._blotter.names[row.account_id], row, version, symbol, key)
        except BadPayload as bad:
            self._hub.put_aside(bad.what, str(bad))
            if key is not None:
                raise _unreadable(bad) from bad
            return None
        return Seen(shown, "" if made is None else made.text or made.reject_reason)

    # Executions.

    async def _accounts_of(self, order_ids: Sequence[int]) -> dict[int, str]:
        """Whose orders they are that the list no longer shows."""
        rows = await self._rest.rows_of(OrderRow, "order/items", order_ids, "ids")
        names = self._blotter.names
        return {row.id: names[row.account_id] for row in rows if row.account_id in names}

    def _fill(self, row: FillRow, account: str, key: str | None) -> Fill | None:
        symbol = self._contracts.symbol(row.contract_id)
        try:
            return fill_of(row, account, symbol, key, _ZERO)
        except BadPayload as bad:
            self._hub.put_aside(bad.what, str(bad))
            if key is not None:
                raise _unreadable(bad) from bad
            return None

    async def _fees_of(self, fill_ids: Sequence[int]) -> Mapping[int, Decimal]:
        missing = [one for one in fill_ids if one not in self._fees]
        for row in await self._rest.rows_of(FeeRow, "fillFee/items", missing, "ids"):
            self._fees[row.id] = row.total
        fees = {one: self._fees.get(one, _ZERO) for one in fill_ids}
        while len(self._fees) > _MOST_FEES:
            self._fees.popitem(last=False)
        return fees


Dependant = TypeVar("Dependant", VersionRow, CommandRow)


def _by_order(rows: Iterable[Dependant]) -> Mapping[int, list[Dependant]]:
    found = defaultdict[int, list[Dependant]](list)
    for row in rows:
        found[row.order_id].append(row)
    return found


def _unreadable(bad: BadPayload) -> BrokerError:
    return broker_error(BROKER, Code.API_ERROR, str(bad), certainty=Certainty.DEFINITE)
