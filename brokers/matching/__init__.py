"""The venue that the paper broker and every broker emulator share: orders in, market data in, events out.

`MatchingEngine` is all there is to call; `VenueRules` says how the venue behaves, `events` what it answers.
Accounts, margin and money live above it: they hear of the fills, and refuse orders by its admission hook.
"""

from brokers.matching.desk import Admit
from brokers.matching.engine import MatchingEngine
from brokers.matching.events import BadMarketDataError, Code, Event, Refusal, UnknownSymbolError
from brokers.matching.outbox import Events
from brokers.matching.rules import (
    DuplicateKeys,
    Latency,
    OutsideHours,
    TriggerSource,
    VenueRules,
    WithoutPrice,
)

__all__ = [
    "Admit",
    "BadMarketDataError",
    "Code",
    "DuplicateKeys",
    "Event",
    "Events",
    "Latency",
    "MatchingEngine",
    "OutsideHours",
    "Refusal",
    "TriggerSource",
    "UnknownSymbolError",
    "VenueRules",
    "WithoutPrice",
]
