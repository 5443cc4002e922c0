"""TradeStation's names for what is traded: its own roots, dated contracts, continuous ones that only point."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from brokers.catalogue import Catalogue
from brokers.instruments import Instrument, Kind
from brokers.tradestation.emulator.words import date_stamp, number

ROOTS: Final[Mapping[str, str]] = {  # only those that differ from the exchange's
    "6E": "EC",
    "6A": "AD",
    "6B": "BP",
    "6C": "CD",
    "6S": "SF",
    "ZB": "US",
    "ZN": "TY",
    "ZF": "FV",
    "ZT": "TU",
    "ZC": "C",
    "ZW": "W",
    "ZS": "S",
}
FUTURES: Final = ("ES", "NQ", "6E", "CL", "GC", "ZC")
STOCKS: Final = ("AAPL", "MSFT")
_FRACTIONS: Final[Mapping[str, Mapping[str, str]]] = {"ZC": {"Format": "Fraction", "Fraction": "8"}}
_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
_LETTERS: Final = "FGHJKMNQUVXZ"
INVALID: Final = "FAILED, INVALID SYMBOL"


def listed(catalogue: Catalogue, now_ns: int) -> tuple[str, ...]:
    """The canonical symbols to trade: front contracts, the next one of ES, and a few stocks."""
    fronts = [catalogue.front(root, catalogue.calendar(root).trading_day(now_ns)) for root in FUTURES]
    expiry = fronts[0].expiry or dt.date.max
    following = catalogue.front(FUTURES[0], expiry + dt.timedelta(days=1))
    return (*(one.symbol for one in fronts), following.symbol, *STOCKS)


class Names:
    """Both directions between canonical symbols and TradeStation's."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._instruments: dict[str, Instrument] = {}
        self._names: dict[str, str] = {}
        self._fronts: dict[str, Instrument] = {}
        for instrument in instruments:
            name = _name(instrument)
            self._instruments[name] = instrument
            self._names[instrument.symbol] = name
            if instrument.kind is Kind.FUTURE:
                self._fronts.setdefault(f"@{root_name(instrument)}", instrument)

    def name(self, symbol: str) -> str:
        """TradeStation's name of a canonical symbol."""
        return self._names[symbol]

    def dated(self, name: str) -> Instrument | None:
        """What is traded under a name; nothing for a continuous one, which cannot be traded."""
        return self._instruments.get(name.upper())

    def instrument(self, name: str) -> Instrument | None:
        """What a name shows: of a continuous one the contract that it points to."""
        name = name.upper()
        return self._fronts.get(name) or self._instruments.get(name.removeprefix("@"))

    def search(self, root: str) -> list[str]:
        """All names of a root."""
        found = [name for name, one in self._instruments.items() if root in ("", root_name(one))]
        return [*found, *(name for name in self._fronts if root in ("", name[1:]))]

    def detail(self, name: str) -> dict[str, Any] | None:
        """The record of a symbol, None for an unknown one."""
        name = name.upper()
        instrument = self.instrument(name)
        if instrument is None:
            return None
        record = {
            "AssetType": asset_type(instrument),
            "Country": "United States",
            "Currency": instrument.currency,
            "Description": instrument.description,
            "Exchange": instrument.exchange,
            "Symbol": name,
            "Root": root_name(instrument),
        }
        if instrument.kind is Kind.FUTURE:
            record |= self._future(name, instrument)
        return record | _formats(instrument)

    def _future(self, name: str, instrument: Instrument) -> dict[str, str]:
        month = _month(instrument)
        if name in self._fronts:
            said = f"{instrument.description} Continuous Contract [{month[:3]}{month[-2:]}]"
            return {"Description": said, "FutureType": "Electronic", "Underlying": _name(instrument)}
        record = {"Description": f"{instrument.description} {month}", "FutureType": "Electronic"}
        if instrument.expiry is not None:
            record["ExpirationDate"] = date_stamp(instrument.expiry)
        return record


def root_name(instrument: Instrument) -> str:
    """TradeStation's root."""
    return ROOTS.get(instrument.root, instrument.root)


def asset_type(instrument: Instrument) -> str:
    """TradeStation's word for the kind."""
    return "FUTURE" if instrument.kind is Kind.FUTURE else "STOCK"


def v2_record(detail: Mapping[str, Any]) -> dict[str, Any]:
    """A symbol's record in the older form that searches answer with."""
    increment = detail["PriceFormat"]["Increment"]
    return {
        "Name": detail["Symbol"],
        "Description": detail["Description"],
        "Category": "Future" if detail["AssetType"] == "FUTURE" else "Stock",
        "Root": detail["Root"],
        "Underlying": detail.get("Underlying", ""),
        "Exchange": detail["Exchange"],
        "ExchangeID": 1,
        "Country": detail["Country"],
        "Currency": detail["Currency"],
        "ExpirationDate": detail.get("ExpirationDate"),
        "FutureType": detail.get("FutureType"),
        "MinMove": round(float(increment) * 100_000),
        "PointValue": float(detail["PriceFormat"]["PointValue"]),
        "DisplayType": 6,  # five decimals, so that the least move of everything here is whole
        "OptionType": None,
        "StrikePrice": 0,
        "Error": "",
    }


def _formats(instrument: Instrument) -> dict[str, Any]:
    places = str(max(-int(instrument.tick.normalize().as_tuple().exponent), 2))
    kind = _FRACTIONS.get(instrument.root, {"Format": "Decimal", "Decimals": places})
    lot = number(instrument.lot)
    return {
        "PriceFormat": {
            **kind,
            "IncrementStyle": "Simple",
            "Increment": number(instrument.tick),
            "PointValue": number(instrument.multiplier),
        },
        "QuantityFormat": {
            "Format": "Decimal",
            "Decimals": "0",
            "IncrementStyle": "Simple",
            "Increment": lot,
            "MinimumTradeQuantity": number(instrument.min_quantity or instrument.lot),
        },
    }


def _name(instrument: Instrument) -> str:
    return root_name(instrument) + instrument.symbol.removeprefix(instrument.root)


def _month(instrument: Instrument) -> str:
    """The delivery month of a future in words, such as Dec 2026."""
    code = _LETTERS.index(instrument.symbol[-3])
    return f"{_MONTHS[3 * code : 3 * code + 3]} 20{instrument.symbol[-2:]}"
