"""How an instrument of a synthetic market behaves, and profiles for the roots of the shipped table.

Prices and volatilities are round figures to rehearse with; they are nobody's quotes.
"""

from collections.abc import Mapping
from decimal import Decimal

import attrs

from brokers.instruments import Instrument


@attrs.frozen
class Profile:
    """One instrument's character; instruments with the same `path` move together as one underlying does."""

    price: Decimal  # at the open of the session in which the market starts
    volatility: Decimal = Decimal("0.01")  # deviation of a day's move, as a share of the price
    trades: int = 60  # a minute, on average over a busy hour
    size: int = 3  # lots a trade, on average
    spread: int = 1  # ticks, in a calm market
    beta: Decimal = Decimal("0.5")  # correlation with the market as a whole, -1 to 1
    path: str = ""  # empty: the instrument's root

    def __attrs_post_init__(self) -> None:
        """Refuses what no market can be made of; raises ValueError."""
        if self.price <= 0 or self.volatility < 0 or min(self.trades, self.size, self.spread) < 1:
            raise ValueError(f"a profile needs a price, trades, size and spread above zero, got {self}")
        if not -1 <= self.beta <= 1:
            raise ValueError(f"a profile's beta is a correlation from -1 to 1, got {self.beta}")


class NoProfileError(LookupError):
    """An instrument whose behaviour nobody described."""

    def __init__(self, instrument: Instrument) -> None:
        self.symbol = instrument.symbol
        super().__init__(
            f"no profile for {instrument.symbol} or its root {instrument.root}; give one in `profiles`, "
            f"such as {{{instrument.root!r}: Profile(price=Decimal(100))}}"
        )


def profile_of(instrument: Instrument, given: Mapping[str, Profile]) -> Profile:
    """The given profile of the symbol or its root, else the shipped one; raises NoProfileError."""
    found = given.get(instrument.symbol) or given.get(instrument.root) or SHIPPED.get(instrument.root)
    if found is None:
        raise NoProfileError(instrument)
    return found if found.path else attrs.evolve(found, path=instrument.root)


def _of(price: str, volatility: str, trades: int, size: int, spread: int, beta: str, path: str = "") -> Profile:
    return Profile(Decimal(price), Decimal(volatility), trades, size, spread, Decimal(beta), path)


SHIPPED: Mapping[str, Profile] = {
    "ES": _of("6800", "0.010", 120, 4, 1, "0.95"),
    "MES": _of("6800", "0.010", 150, 2, 1, "0.95", "ES"),
    "NQ": _of("25000", "0.014", 120, 2, 2, "0.9"),
    "MNQ": _of("25000", "0.014", 150, 2, 2, "0.9", "NQ"),
    "RTY": _of("2500", "0.014", 60, 2, 1, "0.85"),
    "M2K": _of("2500", "0.014", 60, 2, 1, "0.85", "RTY"),
    "YM": _of("47000", "0.009", 60, 2, 2, "0.9"),
    "MYM": _of("47000", "0.009", 60, 2, 2, "0.9", "YM"),
    "6E": _of("1.15", "0.005", 60, 3, 1, "0.2"),
    "6J": _of("0.0065", "0.006", 50, 3, 1, "-0.3"),
    "6B": _of("1.32", "0.005", 50, 3, 1, "0.3"),
    "6A": _of("0.65", "0.006", 40, 3, 1, "0.5"),
    "6C": _of("0.71", "0.004", 40, 3, 1, "0.4"),
    "6S": _of("1.25", "0.006", 30, 2, 2, "-0.2"),
    "CL": _of("60", "0.020", 90, 2, 1, "0.3"),
    "MCL": _of("60", "0.020", 60, 2, 1, "0.3", "CL"),
    "NG": _of("4", "0.030", 50, 2, 1, "0.1"),
    "GC": _of("4000", "0.010", 80, 2, 1, "-0.1"),
    "MGC": _of("4000", "0.010", 80, 2, 1, "-0.1", "GC"),
    "SI": _of("50", "0.018", 40, 2, 1, "0.1"),
    "HG": _of("5", "0.014", 40, 2, 1, "0.3"),
    "ZN": _of("113", "0.003", 60, 12, 1, "-0.3"),
    "ZB": _of("117", "0.006", 50, 5, 1, "-0.3"),
    "ZF": _of("109", "0.002", 50, 12, 1, "-0.3"),
    "ZT": _of("104", "0.001", 40, 15, 1, "-0.2"),
    "ZC": _of("430", "0.014", 30, 5, 1, "0.1"),
    "ZS": _of("1100", "0.012", 30, 4, 1, "0.1"),
    "ZW": _of("540", "0.016", 30, 3, 1, "0.1"),
    "VX": _of("20", "0.040", 20, 4, 1, "-0.85"),
    "BTC": _of("90000", "0.025", 10, 1, 2, "0.4", "BTC-USD"),
    "MBT": _of("90000", "0.025", 30, 2, 2, "0.4", "BTC-USD"),
    "SPY": _of("680", "0.010", 150, 100, 1, "0.95", "ES"),
    "QQQ": _of("610", "0.014", 120, 100, 1, "0.9", "NQ"),
    "AAPL": _of("270", "0.015", 90, 80, 1, "0.7"),
    "MSFT": _of("500", "0.014", 80, 60, 1, "0.7"),
    "BTC-USD": _of("90000", "0.025", 60, 5_000_000, 100, "0.4"),
    "ETH-USD": _of("3000", "0.035", 50, 50_000_000, 10, "0.4"),
    "BTC-PERP": _of("90000", "0.025", 90, 50, 1, "0.4", "BTC-USD"),
    "ETH-PERP": _of("3000", "0.035", 80, 500, 1, "0.4", "ETH-USD"),
    "BTCUSD-INV": _of("90000", "0.025", 60, 2000, 1, "0.4", "BTC-USD"),
    "ETHUSD-INV": _of("3000", "0.035", 50, 1000, 1, "0.4", "ETH-USD"),
}
