"""A synthetic market: seeded, deterministic quotes, trades, depth and history for rehearsal."""

from brokers.synthetic.market import SyntheticMarket, UnknownInstrumentError
from brokers.synthetic.path import REGIMES, Regime
from brokers.synthetic.profiles import SHIPPED, NoProfileError, Profile

__all__ = [
    "REGIMES",
    "SHIPPED",
    "NoProfileError",
    "Profile",
    "Regime",
    "SyntheticMarket",
    "UnknownInstrumentError",
]
