"""The neutral vocabulary: frozen values, and the few things they know of themselves."""

import datetime as dt
import decimal
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers import instruments, market, model
from brokers.instruments import EXACT, Instrument, Kind, sane
from brokers.market import BarUnit, Interval
from brokers.model import Change, Fill, GroupKind, Order, OrderGroup, OrderState, OrderType
from brokers.sides import Side

ORDER = Order("K1", "ESZ26", Side.BUY, OrderType.LIMIT, Decimal(3), limit_price=Decimal(4500))
VALUES = [
    kind
    for module in (model, market, instruments)
    for kind in vars(module).values()
    if attrs.has(kind) and kind.__module__ == module.__name__
]


@pytest.mark.parametrize("kind", VALUES)
def test_every_class_of_the_vocabulary_is_frozen(kind: type) -> None:
    value: object = object.__new__(kind)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, attrs.fields(kind)[0].name, None)


def test_final_words_are_the_five_that_end_an_order() -> None:
    assert {state.name for state in OrderState if state.final} == {
        "FILLED",
        "CANCELED",
        "EXPIRED",
        "REJECTED",
        "REPLACED",
    }


def test_a_change_keeps_what_it_does_not_name() -> None:
    changed = Change("K1", quantity=Decimal(5)).applied_to(ORDER)
    assert changed == attrs.evolve(ORDER, quantity=Decimal(5))
    assert Change("K1").applied_to(ORDER) == ORDER


def test_every_term_of_a_change_reaches_the_order() -> None:
    terms = {field.name: Decimal(7) for field in attrs.fields(Change) if field.name != "key"}
    changed = Change("K1", **terms).applied_to(ORDER)
    assert {name: getattr(changed, name) for name in terms} == terms


def test_a_groups_orders_are_its_parent_and_children() -> None:
    child = attrs.evolve(ORDER, key="K2", side=Side.SELL)
    assert OrderGroup("G", GroupKind.OTO, ORDER, (child,)).orders == (ORDER, child)
    assert OrderGroup("G", GroupKind.OCO, None, (child,)).orders == (child,)


@pytest.mark.parametrize(("side", "signed"), [(Side.BUY, 2), (Side.SELL, -2)])
def test_a_fills_signed_quantity_follows_its_side(side: Side, signed: int) -> None:
    fill = Fill("X1", "paper", "A1", "ESZ26", side, Decimal(2), Decimal(4500), 0)
    assert fill.signed_quantity == signed
    assert side.opposite.sign == -side.sign
    assert side.opposite.opposite is side


def test_an_instrument_of_which_no_more_is_said_trades_in_ones_without_margin() -> None:
    plain = Instrument("AAPL", "AAPL", Kind.STOCK, "USD", Decimal("0.01"))
    assert (plain.lot, plain.multiplier, plain.initial_margin, plain.maintenance_margin) == tuple(
        map(Decimal, (1, 1, 0, 0))
    )


def test_profit_of_an_inverse_contract_is_paid_in_its_base() -> None:
    inverse = Instrument("BTCUSD", "BTCUSD", Kind.INVERSE, "USD", Decimal("0.5"), base="BTC")
    assert inverse.settlement == "BTC"
    assert attrs.evolve(inverse, kind=Kind.PERPETUAL).settlement == "USD"


@given(st.integers(1, 999_999), st.sampled_from(BarUnit))
def test_an_interval_reads_back_from_its_text(count: int, unit: BarUnit) -> None:
    interval = Interval(count, unit)
    assert Interval.parse(str(interval)) == interval
    seconds = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}[unit.value]
    assert interval.nanoseconds == dt.timedelta(seconds=count * seconds) // dt.timedelta(microseconds=1) * 1000


@pytest.mark.parametrize("text", ["", "15", "m", "0m", "-1m", "1M", "1 m", "01m", "1m\n", "1_0m", "\u0661m"])
def test_what_is_no_interval_is_refused_with_the_allowed_form(text: str) -> None:
    with pytest.raises(ValueError, match="such as 1m, 15m, 4h, 1d") as caught:
        Interval.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("number", ["0", "-0", "1", "-12.5", "1E+39", "1E-40", "123456789012345678901234567890.5"])
def test_figures_of_up_to_forty_places_each_side_are_sane(number: str) -> None:
    assert sane(Decimal(number))


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+40", "1E-41", "1E+999999"])
def test_figures_without_end_or_sense_are_not(number: str) -> None:
    assert not sane(Decimal(number))


@given(st.text("0123456789", min_size=1, max_size=90), st.integers(-90, 90), st.sampled_from(["", "-"]))
def test_sane_is_what_the_places_of_the_digits_say(digits: str, exponent: int, sign: str) -> None:
    number = Decimal(f"{sign}{digits}E{exponent}")
    assert sane(number) == (number.adjusted() < 40 and number.as_tuple().exponent >= -40)  # type: ignore[operator]


@pytest.mark.parametrize("value", [1, 1.5, "1", None])
def test_only_decimals_are_figures(value: object) -> None:
    assert not sane(value)


def test_exact_arithmetic_raises_sooner_than_it_rounds() -> None:
    with pytest.raises(decimal.Inexact):
        EXACT.divide(Decimal(1), Decimal(3))
    widest = Decimal("9" * 40 + "." + "9" * 40)
    assert EXACT.multiply(widest, widest) != 0
