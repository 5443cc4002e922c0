"""Names in both directions."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.errors import BrokerError
from brokers.symbols import Contract
from brokers.tradestation.symbols import Names, tradestation_symbols
from config.instruments import shipped_instruments

TABLE = shipped_instruments()
SYMBOLS = tradestation_symbols(TABLE)
NAMES = Names(SYMBOLS)
FUTURES = [root for root in TABLE.roots() if TABLE[root].kind == "future"]
prices = st.decimals(min_value="-99999", max_value="99999", places=7)


@pytest.mark.parametrize(
    ("canonical", "theirs"),
    [("ES", "@ES"), ("6E", "@EC"), ("6EZ25", "ECZ25"), ("ZBH26", "USH26"), ("ZCZ25", "CZ25"), ("AAPL", "AAPL")],
)
def test_names_are_those_of_the_broker(canonical: str, theirs: str) -> None:
    assert NAMES.broker(canonical) == theirs
    assert NAMES.canonical(theirs.lower()) == canonical


@given(st.sampled_from(FUTURES), st.integers(2000, 2099), st.integers(1, 12), prices)
def test_a_contract_and_its_price_come_back_as_they_were(root: str, year: int, month: int, price: Decimal) -> None:
    symbol = Contract(root, year, month).symbol
    assert NAMES.canonical(NAMES.tradable(symbol)) == symbol
    assert NAMES.canonical("@" + NAMES.tradable(symbol)) == symbol
    assert NAMES.inward(symbol, NAMES.outward(symbol, price)) == price


@pytest.mark.parametrize("symbol", ["ES", "BTC-USD", "nonsense"])
def test_what_cannot_be_ordered_is_refused(symbol: str) -> None:
    with pytest.raises(BrokerError):
        NAMES.tradable(symbol)


@pytest.mark.parametrize("name", ["MSFT 220916C305", "$SPX.X", "BTCUSD", ""])
def test_what_the_table_does_not_hold_has_no_canonical_name(name: str) -> None:
    assert NAMES.canonical(name) is None
