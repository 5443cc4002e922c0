"""What numbers stand for: contracts and accounts, asked for once and then known."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Final

from brokers.errors import BrokerError, Code, broker_error
from brokers.symbols import SymbolMap
from brokers.tradovate.rest import Rest
from brokers.tradovate.settings import BROKER
from brokers.tradovate.symbols import Contracts, broker_name
from brokers.tradovate.wire_entities import AccountRow, ContractRow, MaturityRow
from runtime.world import Clock

_DAY_NS: Final = 86_400_000_000_000
_EPOCH: Final = dt.date(1970, 1, 1)


class Directory:
    """Asks the broker what it names by number."""

    def __init__(self, rest: Rest, symbols: SymbolMap, contracts: Contracts, clock: Clock) -> None:
        self._rest = rest
        self._symbols = symbols
        self._contracts = contracts
        self._clock = clock

    async def accounts(self, wanted: Iterable[str]) -> Mapping[str, int]:
        """The accounts that can be traded in, or those that are wanted of them, with their numbers.

        Raises BrokerError, also for one that is wanted and not there.
        """
        rows = await self._rest.rows(AccountRow, "account")
        usable = {row.name: row.id for row in rows if row.active and not row.archived and not row.readonly}
        chosen = tuple(wanted) or tuple(usable)
        if strange := [name for name in chosen if name not in usable]:
            text = f"no account {strange[0]!r} to trade in at this login; there are {', '.join(usable)}"
            raise broker_error(BROKER, Code.FORBIDDEN, text)
        return {name: usable[name] for name in chosen}

    async def learn(self, ids: Iterable[int]) -> None:
        """Has contracts explained that nobody knows yet; raises BrokerError."""
        missing = self._contracts.missing(ids)
        if missing:
            await self._date(await self._rest.rows_of(ContractRow, "contract/items", missing, "ids"))
            self._contracts.unknown(missing)

    async def contract_id(self, symbol: str) -> int:
        """The number of a canonical symbol; raises BrokerError."""
        known = self._contracts.id_of(symbol)
        if known is not None:
            return known
        name = broker_name(self._symbols, symbol)
        try:
            row = await self._rest.get(ContractRow, "contract/find", name=name)
        except BrokerError as error:
            if error.code is not Code.ORDER_NOT_FOUND:
                raise
            raise broker_error(BROKER, Code.SYMBOL_NOT_FOUND, f"the broker has no contract {name}") from error
        await self._date([row])
        if self._contracts.id_of(symbol) is None:
            text = f"the broker's {name} is not {symbol} but a contract of another year"
            raise broker_error(BROKER, Code.SYMBOL_NOT_FOUND, text)
        return row.id

    def take(self, contracts: Iterable[ContractRow], maturities: Iterable[MaturityRow]) -> None:
        """Learns from a synchronisation what it explains with its maturity; the rest is asked for when it is needed."""
        months = tuple(maturities)
        known = {one.id for one in months}
        self._take([row for row in contracts if row.contract_maturity_id in known], months)

    async def _date(self, rows: list[ContractRow]) -> None:
        ids = sorted({row.contract_maturity_id for row in rows if row.contract_maturity_id})
        self._take(rows, await self._rest.rows_of(MaturityRow, "contractMaturity/items", ids, "ids"))

    def _take(self, rows: Iterable[ContractRow], maturities: Iterable[MaturityRow]) -> None:
        today = _EPOCH + dt.timedelta(days=self._clock.wall_ns() // _DAY_NS)
        self._contracts.learn(rows, maturities, today)
