"""Schwab's names: a slash before futures and inside class shares, and roots that follow the front."""

import datetime as dt
from collections.abc import Iterable
from typing import Final

from brokers.catalogue import Catalogue
from brokers.instruments import Instrument, Kind

FUTURES: Final = ("ES", "NQ", "6E", "CL", "GC", "ZC")
STOCKS: Final = ("AAPL", "MSFT")


def listed(catalogue: Catalogue, now_ns: int) -> tuple[str, ...]:
    """The canonical symbols to trade: front contracts, the next one of ES, and a few stocks."""
    fronts = [catalogue.front(root, catalogue.calendar(root).trading_day(now_ns)) for root in FUTURES]
    expiry = fronts[0].expiry or dt.date.max
    following = catalogue.front(FUTURES[0], expiry + dt.timedelta(days=1))
    return (*(one.symbol for one in fronts), following.symbol, *STOCKS)


class Names:
    """Both directions between canonical symbols and Schwab's."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments: dict[str, Instrument] = {}
        self._names: dict[str, str] = {}
        self._fronts: dict[str, Instrument] = {}
        for instrument in instruments:
            name = _name(instrument)
            self._instruments[name] = instrument
            self._names[instrument.symbol] = name
            if instrument.kind is Kind.FUTURE:
                self._fronts.setdefault(product(instrument), instrument)

    def name(self, symbol: str) -> str:
        """Schwab's name of a canonical symbol."""
        return self._names[symbol]

    def instrument(self, name: str) -> Instrument | None:
        """What a name shows: of a future's root the contract that is active."""
        name = name.upper()
        return self._instruments.get(name) or self._fronts.get(name)

    def active(self, instrument: Instrument) -> str:
        """The name of the active contract of a future's root."""
        return _name(self._fronts[product(instrument)])

    @property
    def stocks(self) -> list[tuple[str, Instrument]]:
        """The stocks by name; futures cannot be searched for."""
        return [(name, one) for name, one in self._instruments.items() if one.kind is Kind.STOCK]


def product(instrument: Instrument) -> str:
    """The root of a future."""
    return f"/{instrument.root}"


def _name(instrument: Instrument) -> str:
    if instrument.kind is Kind.FUTURE:
        return f"/{instrument.symbol}"
    return instrument.symbol.replace(".", "/")
