"""Names: canonical to Schwab's and back, for every root, month and year."""

import datetime as dt

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.catalogue import Catalogue
from brokers.symbols import Contract, SymbolError
from brokers.thinkorswim.symbols import thinkorswim_symbols
from config.instruments import InstrumentTable

TABLE = Catalogue.shipped().table
NAMES = thinkorswim_symbols(TABLE)
DAY = dt.date(2026, 1, 5)
FUTURES = st.sampled_from(TABLE.roots("future"))


@given(FUTURES, st.integers(2000, 2099), st.integers(1, 12))
def test_every_contract_comes_back_from_its_name(root: str, year: int, month: int) -> None:
    symbol = Contract(root, year, month).symbol
    name = NAMES.to_broker_symbol(symbol)
    assert name == f"/{symbol}"
    assert NAMES.to_canonical_symbol(name, DAY) == symbol
    assert NAMES.to_canonical_symbol(name.lower(), DAY) == symbol
    assert NAMES.to_root_symbol(name) == root


@given(st.sampled_from(TABLE.roots("future", "stock")))
def test_every_root_comes_back_from_its_name(root: str) -> None:
    name = NAMES.to_broker_symbol(root)
    assert name == (f"/{root}" if TABLE[root].kind == "future" else root)
    assert NAMES.to_canonical_symbol(name, DAY) == NAMES.to_root_symbol(name) == root
    assert NAMES.supports_symbol(root)


@pytest.mark.parametrize("symbol", ["BTC-USD", "BTC-PERP", "XX", "XXZ26", "/ES", "", "ESZ6"])
def test_what_the_broker_does_not_have_is_refused(symbol: str) -> None:
    assert not NAMES.supports_symbol(symbol)
    with pytest.raises(SymbolError):
        NAMES.to_broker_symbol(symbol)


@pytest.mark.parametrize(
    "name", ["./OZCZ23C565", "AAPL  251219C00200000", "EUR/USD", "$SPX", "/ES.Z26", "//ES", "/XXZ26"]
)
def test_names_of_other_things_are_not_taken_for_ours(name: str) -> None:
    with pytest.raises(SymbolError):
        NAMES.to_canonical_symbol(name, DAY)


def test_a_class_of_shares_follows_a_slash() -> None:
    record = attrs.evolve(TABLE["AAPL"], root="BRK.B")
    names = thinkorswim_symbols(InstrumentTable("test", TABLE.as_of, {**TABLE.records, "BRK.B": record}))
    assert names.to_broker_symbol("BRK.B") == "BRK/B"
    assert names.to_canonical_symbol("BRK/B", DAY) == "BRK.B"


@given(st.text(max_size=12))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        symbol = NAMES.to_canonical_symbol(text, DAY)
    except SymbolError:
        return
    assert NAMES.to_canonical_symbol(NAMES.to_broker_symbol(symbol), DAY) == symbol
