"""Tradovate's names: the exchange's roots, one digit for a contract's year, and a number for every contract.

Events name a contract by its number alone. The number's maturity tells the full year; only where that is missing the
one digit is read as of today.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Final

from brokers.errors import Code, broker_error
from brokers.symbols import Contract, NameForms, SymbolError, SymbolMap
from brokers.tradovate.settings import BROKER
from brokers.tradovate.wire_entities import ContractRow, MaturityRow
from config.instruments import InstrumentTable

FORMS: Final = NameForms(dated="{root}{month}{y}", also_dated=("{root}{month}{yy}",))


def tradovate_symbols(table: InstrumentTable) -> SymbolMap:
    """The adapter for the futures of the table."""
    return SymbolMap(BROKER, table, FORMS)


def broker_name(symbols: SymbolMap, symbol: str) -> str:
    """The broker's name of a contract; raises OrderRefused with symbol_not_found."""
    try:
        return symbols.to_broker_symbol(symbol)
    except SymbolError as error:
        raise broker_error(BROKER, Code.SYMBOL_NOT_FOUND, str(error)) from error


class Contracts:
    """Which contract a number stands for; None for one that is not in the instrument table."""

    def __init__(self, symbols: SymbolMap) -> None:
        self._symbols = symbols
        self._by_id: dict[int, str | None] = {}
        self._ids: dict[str, int] = {}

    def missing(self, ids: Iterable[int]) -> list[int]:
        """The numbers that nobody has explained yet, each once."""
        return [one for one in dict.fromkeys(ids) if one not in self._by_id]

    def symbol(self, contract_id: int) -> str | None:
        """The canonical symbol; None for what is not in the table, or not learnt."""
        return self._by_id.get(contract_id)

    def id_of(self, symbol: str) -> int | None:
        """The number of a canonical symbol, if it was learnt."""
        return self._ids.get(symbol)

    def learn(self, contracts: Iterable[ContractRow], maturities: Iterable[MaturityRow], today: dt.date) -> None:
        """Takes in contracts and what is known of when they mature."""
        months = {one.id: one.expiration_month for one in maturities}
        for row in contracts:
            symbol = self._canonical(row, months.get(row.contract_maturity_id, 0), today)
            self._by_id[row.id] = symbol
            if symbol is not None:
                self._ids[symbol] = row.id

    def unknown(self, ids: Iterable[int]) -> None:
        """Notes numbers that the broker itself does not explain."""
        for one in ids:
            self._by_id.setdefault(one, None)

    def _canonical(self, row: ContractRow, year_month: int, today: dt.date) -> str | None:
        try:
            symbol = self._symbols.to_canonical_symbol(row.name, today)
            return symbol if not year_month else _dated(symbol, year_month)
        except SymbolError:
            return None


def _dated(symbol: str, year_month: int) -> str:
    """The symbol with the year of its maturity; raises SymbolError where the month is not the one in its name."""
    contract = Contract.parse(symbol)
    year, month = divmod(year_month, 100)
    if month != contract.month or year % 10 != contract.year % 10:
        raise SymbolError(symbol, f"a contract that matures in {year_month}")
    return Contract(contract.root, year, month).symbol
