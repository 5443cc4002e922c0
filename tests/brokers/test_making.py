"""A maker gives what the class gives, sooner."""

from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.making import maker
from brokers.market import Quote, Trade, quoted, traded
from brokers.model import Fill
from brokers.sides import Side

PRICES = st.none() | st.decimals(allow_nan=False, allow_infinity=False)
SIZES = st.decimals(min_value=0, allow_nan=False, allow_infinity=False)


@given(st.text(), PRICES, PRICES, SIZES, SIZES, st.integers())
def test_what_is_made_is_the_very_same_value(
    symbol: str, bid: Decimal | None, ask: Decimal | None, bid_size: Decimal, ask_size: Decimal, time_ns: int
) -> None:
    plain = Quote(symbol, bid, ask, bid_size, ask_size, time_ns)
    made = quoted(symbol, bid, ask, bid_size, ask_size, time_ns)
    assert type(made) is Quote
    assert (made, hash(made), repr(made)) == (plain, hash(plain), repr(plain))


def test_what_is_made_is_frozen() -> None:
    made = traded("ESH26", Decimal(1), Decimal(2), 3)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.price = Decimal(5)  # type: ignore[misc]  # this is the claim
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del made.price
    assert made == Trade("ESH26", Decimal(1), Decimal(2), 3)


def test_what_is_left_out_has_its_default() -> None:
    terms = ("1", "paper", "SIM", "ESH26", Side.BUY, Decimal(1), Decimal(5), 7)
    assert maker(Fill)(*terms, fee=Decimal(2)) == Fill(*terms, fee=Decimal(2))


def test_a_class_that_works_on_its_instances_is_refused() -> None:
    @attrs.frozen
    class Checked:
        count: int

        def __attrs_post_init__(self) -> None:
            assert self.count

    with pytest.raises(TypeError, match="Checked"):
        maker(Checked)
    with pytest.raises(TypeError, match="attrs class"):
        maker(int)
