"""TradeStation's names: @ES for a continuous future, ESZ25 for a contract, its own roots, and yen prices times 100."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from brokers.errors import Code, broker_error
from brokers.instruments import EXACT
from brokers.symbols import NameForms, SymbolError, SymbolMap
from brokers.tradestation.settings import BROKER
from config.instruments import InstrumentTable

RENAMES: Final[Mapping[str, str]] = {
    "6A": "AD",
    "6B": "BP",
    "6C": "CD",
    "6E": "EC",
    "6J": "JY",
    "6L": "BR",
    "6M": "MP1",
    "6N": "NE1",
    "6R": "RU",
    "6S": "SF",
    "6Z": "RA",
    "B": "BRN",
    "GE": "ED",
    "GF": "FC",
    "HE": "LH",
    "KE": "KW",
    "LBS": "LB",
    "LE": "LC",
    "NKD": "NK",
    "TN": "TEN",
    "ZB": "US",
    "ZC": "C",
    "ZF": "FV",
    "ZL": "BO",
    "ZM": "SM",
    "ZN": "TY",
    "ZO": "O",
    "ZS": "S",
    "ZT": "TU",
    "ZW": "W",
}
SCALES: Final[Mapping[str, Decimal]] = {root: Decimal(100) for root in ("6J", "J7", "MJY", "ENY")}
FORMS: Final = NameForms(
    dated="{root}{month}{yy}",
    continuous="@{root}",
    plain={"stock": "{root}"},
    renames=RENAMES,
    also_dated=("@{root}{month}{yy}", "@{root}{month}{yy}.D", "@{root}{month}{yy}.P"),
    also_continuous=("@{root}.D", "@{root}.P"),
)
_ANY_DAY: Final = dt.date(2000, 1, 1)  # two digits of a year mean the same on every day


def tradestation_symbols(table: InstrumentTable) -> SymbolMap:
    """The adapter for the futures and stocks of the table."""
    return SymbolMap(BROKER, table, FORMS)


class Names:
    """Both directions of names and prices; what is asked often is kept."""

    def __init__(self, symbols: SymbolMap) -> None:
        self._symbols = symbols
        self._scales: dict[str, Decimal | None] = {}

    def broker(self, symbol: str) -> str:
        """The broker's name; raises OrderRefused with symbol_not_found."""
        try:
            return self._symbols.to_broker_symbol(symbol)
        except SymbolError as error:
            raise broker_error(BROKER, Code.SYMBOL_NOT_FOUND, str(error)) from error

    def tradable(self, symbol: str) -> str:
        """The broker's name of what can be ordered; raises OrderRefused for a continuous future too."""
        name = self.broker(symbol)
        if name.startswith("@"):
            text = f"{symbol} is continuous and cannot be ordered; name a contract, such as {symbol}Z26"
            raise broker_error(BROKER, Code.SYMBOL_NOT_FOUND, text)
        return name

    def canonical(self, name: str) -> str | None:
        """The canonical symbol, None for what the instrument table does not hold."""
        try:
            return self._symbols.to_canonical_symbol(name, _ANY_DAY)
        except SymbolError:
            return None

    def scale(self, symbol: str) -> Decimal | None:
        """How many times the exchange's price the broker quotes; None where both are the same."""
        if symbol not in self._scales:
            self._scales[symbol] = SCALES.get(self._symbols.to_root_symbol(self._symbols.to_broker_symbol(symbol)))
        return self._scales[symbol]

    def outward(self, symbol: str, price: Decimal) -> Decimal:
        """A price of ours as the broker quotes it."""
        scale = self.scale(symbol)
        return price if scale is None else EXACT.multiply(price, scale)

    def inward(self, symbol: str, price: Decimal) -> Decimal:
        """The broker's price as the exchange quotes it."""
        scale = self.scale(symbol)
        return price if scale is None else EXACT.divide(price, scale)
