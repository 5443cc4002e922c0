"""The paper broker's names are the canonical ones."""

from collections.abc import Sequence

from brokers.instruments import Instrument
from brokers.symbols import NameForms, SymbolMap
from config.instruments import InstrumentTable

FORMS = NameForms(
    dated="{root}{month}{yy}",
    continuous="{root}",
    plain=dict.fromkeys(("stock", "spot", "perpetual", "inverse"), "{root}"),
)


def paper_symbols(table: InstrumentTable, instruments: Sequence[Instrument]) -> SymbolMap:
    """The adapter for the roots of what is traded."""
    return SymbolMap("paper", table, FORMS, only={instrument.root for instrument in instruments})
