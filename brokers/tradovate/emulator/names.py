"""What is traded, as Tradovate names it: contracts with one digit for the year, their maturities and products."""

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Final

from brokers.catalogue import Catalogue
from brokers.instruments import Instrument, Kind
from brokers.tradovate.emulator.store import Entity, Store
from brokers.tradovate.emulator.words import AnsweredError

ROOTS: Final = ("ES", "NQ", "MES", "6E", "CL", "GC")
_FIRST_CONTRACT: Final = 3_570_918
_FIRST_MATURITY: Final = 50_941
_FIRST_PRODUCT: Final = 43
_USD: Final = 1
_LETTERS: Final = "FGHJKMNQUVXZ"


def listed(catalogue: Catalogue, now_ns: int) -> tuple[str, ...]:
    """The canonical symbols to trade: front contracts, and the next one of the first root."""
    fronts = [catalogue.front(root, catalogue.calendar(root).trading_day(now_ns)) for root in ROOTS]
    expiry = fronts[0].expiry or dt.date.max
    following = catalogue.front(ROOTS[0], expiry + dt.timedelta(days=1))
    return (*(one.symbol for one in fronts), following.symbol)


def name_of(instrument: Instrument) -> str:
    """ESZ25 is ESZ5."""
    return instrument.symbol[:-2] + instrument.symbol[-1]


class Names:
    """Both directions between contracts and instruments, and the rows that describe them."""

    def __init__(self, store: Store, catalogue: Catalogue, instruments: Iterable[Instrument]) -> None:
        self._store = store
        self._by_id: dict[int, Instrument] = {}
        self._ids: dict[str, int] = {}
        products: dict[str, int] = {}
        exchanges: dict[str, int] = {}
        store.put("currency", {"id": _USD, "name": "USD", "symbol": "$"})
        for index, instrument in enumerate(instruments):
            if instrument.kind is not Kind.FUTURE or instrument.expiry is None:
                raise ValueError(f"{instrument.symbol} is no future, and Tradovate trades nothing else; leave it out")
            exchange = exchanges.setdefault(instrument.exchange, 7 + len(exchanges))
            store.put("exchange", {"id": exchange, "name": instrument.exchange})
            front = instrument.root not in products
            product = products.setdefault(instrument.root, _FIRST_PRODUCT + len(products))
            months = catalogue.record(instrument.symbol).months or ""
            store.put("product", _product(product, exchange, months, instrument))
            maturity = _FIRST_MATURITY + index
            store.put("contractMaturity", _maturity(maturity, product, instrument, instrument.expiry, front=front))
            contract = _FIRST_CONTRACT + index
            store.put("contract", {"id": contract, "name": name_of(instrument), "contractMaturityId": maturity})
            self._by_id[contract] = instrument
            self._ids[instrument.symbol] = contract

    def contract_id(self, symbol: str) -> int:
        """The contract of a canonical symbol."""
        return self._ids[symbol]

    def find(self, name: object) -> Instrument | None:
        """What is traded under a name or a contract id."""
        if isinstance(name, int):
            return self._by_id.get(name)
        text = str(name)
        row = self._store.named("contract", text.upper())
        if row is None:
            return self._by_id.get(int(text)) if text.isascii() and text.isdigit() and len(text) < 19 else None
        return self._by_id[row["id"]]

    def roll(self, name: str, *, forward: bool, if_expired: bool, is_over: Callable[[str], bool]) -> Entity:
        """The contract after or before a named one; raises AnsweredError where there is none."""
        instrument = self.find(name)
        if instrument is None:
            raise AnsweredError({"errorText": f"Contract not found: {name[:40]}"})
        if if_expired and not is_over(instrument.symbol):
            return self._row(instrument)
        family = sorted(
            (one for one in self._by_id.values() if one.root == instrument.root),
            key=lambda one: one.expiry or dt.date.max,
        )
        place = family.index(instrument) + (1 if forward else -1)
        if not 0 <= place < len(family):
            raise AnsweredError({"errorText": f"No contract to roll to: {name[:40]}"})
        return self._row(family[place])

    def _row(self, instrument: Instrument) -> Entity:
        found = self._store.get("contract", self._ids[instrument.symbol])
        assert found is not None, instrument  # noqa: S101 - contracts are never hidden
        return found


def _product(product: int, exchange: int, months: str, instrument: Instrument) -> Entity:
    return {
        "id": product,
        "name": instrument.root,
        "currencyId": _USD,
        "productType": "Futures",
        "description": instrument.description,
        "exchangeId": exchange,
        "contractGroupId": 1,
        "riskDiscountContractGroupId": None,
        "status": "Verified",
        "months": months,
        "isSecured": False,
        "valuePerPoint": instrument.multiplier,
        "priceFormatType": "Decimal",
        "priceFormat": max(-int(instrument.tick.normalize().as_tuple().exponent), 0),
        "tickSize": instrument.tick,
    }


def _maturity(maturity: int, product: int, instrument: Instrument, expiry: dt.date, *, front: bool) -> Entity:
    month = _LETTERS.index(instrument.symbol[-3]) + 1
    return {
        "id": maturity,
        "productId": product,
        "expirationMonth": int(f"20{instrument.symbol[-2:]}{month:02d}"),
        "expirationDate": f"{expiry.isoformat()}T14:30:00.000Z",
        "isFront": front,
    }
