"""Schwab's names: `/ESZ26` for a contract, `/ES` for whichever is active now, `AAPL` and `BRK/B` for stocks."""

from typing import Final

import attrs

from brokers.symbols import NameForms, SymbolMap
from brokers.thinkorswim.settings import BROKER
from config.instruments import InstrumentTable

FORMS: Final = NameForms(dated="/{root}{month}{yy}", continuous="/{root}", plain={"stock": "{root}"})


def thinkorswim_symbols(table: InstrumentTable) -> SymbolMap:
    """The adapter for the futures and stocks of the table; a class of shares follows a slash there, a dot here."""
    classes = {root: root.replace(".", "/") for root in table.roots("stock") if "." in root}
    return SymbolMap(BROKER, table, attrs.evolve(FORMS, renames=classes))
