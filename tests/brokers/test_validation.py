"""Validation: what cannot be right is refused before it is sent, all at once, with what would be right."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brokers.capability import (
    NO_KEYS,
    SECOND_NS,
    Capability,
    DataSupport,
    Environment,
    OrderSupport,
    Replace,
)
from brokers.errors import Code, InvalidOrder
from brokers.instruments import Instrument, Kind
from brokers.market import MarketStatus
from brokers.model import Change, GroupKind, Order, OrderGroup, OrderType, TimeInForce
from brokers.sides import Side
from brokers.validation import (
    Circumstances,
    Rounding,
    round_to_lot,
    round_to_tick,
    validate_change,
    validate_group,
    validate_order,
)
from tests.brokers.model_strategies import NIGHTLY, anything, evolved, refusal

NOW = 1_790_000_000 * SECOND_NS  # 2026-09-21
ES = Instrument(
    "ESZ26", "ES", Kind.FUTURE, "USD", Decimal("0.25"), multiplier=Decimal(50), expiry=dt.date(2026, 12, 18)
)
BTC = Instrument(
    "BTC-USD",
    "BTC",
    Kind.SPOT,
    "USD",
    Decimal("0.01"),
    lot=Decimal("0.001"),
    min_quantity=Decimal("0.002"),
    max_quantity=Decimal(10),
    min_notional=Decimal(100),
)
EVERYTHING = OrderSupport(
    kinds=frozenset(Kind),
    types=frozenset(OrderType),
    times_in_force=frozenset(TimeInForce),
    keys=NO_KEYS,
    effect_ns=SECOND_NS,
    visibility_ns=0,
    retention_ns=None,
    signs=(),
    sessions=frozenset({MarketStatus.OPEN, MarketStatus.EXTENDED}),
    groups=frozenset(GroupKind),
    oco_reduce=True,
    replace=Replace.IN_PLACE,
    reduce_only=True,
    post_only=True,
    trail_percent=True,
)
NOTHING = evolved(
    EVERYTHING,
    kinds=frozenset({Kind.STOCK}),
    types=frozenset({OrderType.MARKET}),
    times_in_force=frozenset({TimeInForce.DAY}),
    sessions=frozenset({MarketStatus.OPEN}),
    groups=frozenset(),
    oco_reduce=False,
    replace=Replace.NONE,
    reduce_only=False,
    post_only=False,
    trail_percent=False,
)
GIVEN = Circumstances(
    Capability("demo", frozenset({Environment.PAPER}), orders=EVERYTHING),
    {"ESZ26": ES, "BTC-USD": BTC},
    MarketStatus.OPEN,
    NOW,
)
LIMIT = Order("K1", "ESZ26", Side.BUY, OrderType.LIMIT, Decimal(2), limit_price=Decimal("4500.25"))
MARKET = Order("K1", "ESZ26", Side.BUY, OrderType.MARKET, Decimal(2))
STOP = Order("K1", "ESZ26", Side.BUY, OrderType.STOP, Decimal(2), stop_price=Decimal("4500.25"))
STOP_LIMIT = evolved(STOP, type=OrderType.STOP_LIMIT, limit_price=Decimal(4501))
TRAIL = Order("K1", "ESZ26", Side.BUY, OrderType.TRAILING_STOP, Decimal(2), trail_offset=Decimal(5))
COIN = Order("K1", "BTC-USD", Side.BUY, OrderType.LIMIT, Decimal("0.5"), limit_price=Decimal(60_000))


def order(base: Order, **fields: Any) -> Order:
    numbers = {
        name: Decimal(value) if isinstance(value, str) and name != "symbol" else value for name, value in fields.items()
    }
    changed: Order = evolved(base, **numbers)
    return changed


def around(**fields: Any) -> Circumstances:
    changed: Circumstances = evolved(GIVEN, **fields)
    return changed


def under(orders: OrderSupport | None) -> Circumstances:
    data = DataSupport(frozenset(Kind))
    return around(capability=Capability("demo", frozenset({Environment.PAPER}), data, orders))


def problems(check: Callable[..., None], *what: Any) -> dict[str, str]:
    with pytest.raises(InvalidOrder) as caught:
        check(*what)
    error = caught.value
    assert (error.broker, error.code) == ("demo", Code.INVALID_ORDER)
    assert all(str(problem) in str(error) for problem in error.problems)
    return {problem.field: problem.expected for problem in error.problems}


def wrong(one: Order, given: Circumstances = GIVEN) -> dict[str, str]:
    return problems(validate_order, one, given)


@pytest.mark.parametrize("good", [LIMIT, MARKET, STOP, STOP_LIMIT, TRAIL, COIN], ids=lambda one: one.type.value)
@pytest.mark.parametrize("side", Side)
def test_a_sound_order_of_each_type_passes(good: Order, side: Side) -> None:
    validate_order(evolved(good, side=side), GIVEN)


# Quantities.


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("0", "more than 0"),
        ("-1", "more than 0"),
        ("NaN", "a finite decimal of at most 40 places on each side of its point"),
        ("sNaN", "a finite decimal of at most 40 places on each side of its point"),
        ("Infinity", "a finite decimal of at most 40 places on each side of its point"),
        ("1E+41", "a finite decimal of at most 40 places on each side of its point"),
        ("1.5", "whole lots of 1, such as 1 or 2"),
        ("0.5", "whole lots of 1, such as 1"),
    ],
)
def test_g11_a_quantity_without_sense_or_off_the_lot_is_refused(quantity: str, expected: str) -> None:
    assert wrong(order(MARKET, quantity=quantity)) == {"quantity": expected}


def test_a_quantity_that_is_no_decimal_at_all_is_refused() -> None:
    assert set(wrong(evolved(MARKET, quantity=1.5))) == {"quantity"}


def test_g11_a_quantity_outside_the_instruments_bounds_is_refused() -> None:
    assert wrong(order(COIN, quantity="0.001", limit_price="500000")) == {"quantity": "at least 0.002"}
    assert wrong(order(COIN, quantity="10.001")) == {"quantity": "at most 10"}


def test_g11_an_order_too_small_in_money_is_refused() -> None:
    expected = "a size worth at least 100 USD; this is worth 0.40000"
    assert wrong(order(COIN, quantity="0.002", limit_price="200.00")) == {"quantity": expected}
    market = evolved(COIN, type=OrderType.MARKET, limit_price=None, quantity=Decimal("0.002"))
    assert "quantity" in wrong(market, around(reference_price=Decimal(40_000)))
    validate_order(market, around(reference_price=Decimal(60_000)))
    validate_order(market, GIVEN)


def test_the_notional_of_an_inverse_contract_is_its_size() -> None:
    inverse = evolved(BTC, kind=Kind.INVERSE, base="BTC", lot=Decimal(1), multiplier=Decimal(10))
    given = around(instruments={"BTC-USD": inverse})
    validate_order(order(COIN, quantity="10"), given)
    assert "worth 90" in wrong(order(COIN, quantity="9"), given)["quantity"]


# Prices.


@pytest.mark.parametrize(
    ("base", "field"),
    [(LIMIT, "limit_price"), (STOP, "stop_price"), (STOP_LIMIT, "limit_price"), (STOP_LIMIT, "stop_price")],
)
def test_a_missing_price_is_refused(base: Order, field: str) -> None:
    assert wrong(evolved(base, **{field: None})) == {field: f"a price: {base.type.value} needs one"}


@pytest.mark.parametrize(
    ("base", "field"),
    [
        (MARKET, "limit_price"),
        (MARKET, "stop_price"),
        (LIMIT, "stop_price"),
        (STOP, "limit_price"),
        (TRAIL, "limit_price"),
        (MARKET, "trail_offset"),
        (LIMIT, "trail_percent"),
    ],
)
def test_a_price_that_the_type_does_not_have_is_refused(base: Order, field: str) -> None:
    found = wrong(evolved(base, **{field: Decimal(5)}))
    assert set(found) == {field}
    assert found[field].startswith("None")


@pytest.mark.parametrize(
    ("base", "field"),
    [(LIMIT, "limit_price"), (STOP, "stop_price"), (TRAIL, "trail_offset"), (TRAIL, "stop_price")],
)
@pytest.mark.parametrize("price", ["4500.10", "NaN", "-Infinity", "1E-41"])
def test_a_price_off_the_tick_or_without_sense_is_refused(base: Order, field: str, price: str) -> None:
    found = wrong(order(base, **{field: price}))
    assert set(found) == {field}
    if price == "4500.10":
        assert found[field] == "a multiple of the tick 0.25, such as 4500.00 or 4500.25"


def test_a_price_of_zero_or_less_is_refused_except_for_futures() -> None:
    for price in ("0", "-1"):
        assert wrong(order(COIN, limit_price=price))["limit_price"] == "more than 0"
        validate_order(order(LIMIT, limit_price=price), GIVEN)


def test_a_trailing_stop_trails_by_an_offset_or_a_percentage_and_not_both() -> None:
    validate_order(order(TRAIL, trail_offset=None, trail_percent="1.5"), GIVEN)
    both = "either trail_offset or trail_percent"
    assert wrong(order(TRAIL, trail_percent="1")) == {"trail_offset": both}
    assert wrong(order(TRAIL, trail_offset=None)) == {"trail_offset": both}
    for offset in ("0", "-0.25"):
        assert wrong(order(TRAIL, trail_offset=offset)) == {"trail_offset": "more than 0"}
    for percent in ("0", "-1", "100", "NaN"):
        assert set(wrong(order(TRAIL, trail_offset=None, trail_percent=percent))) == {"trail_percent"}


# Symbols, times, markets.


def test_g11_an_unknown_symbol_is_refused() -> None:
    assert wrong(order(LIMIT, symbol="XXX")) == {"symbol": "a symbol of this broker"}


def test_an_expired_contract_is_refused_from_the_day_after_its_last() -> None:
    last_day = int(dt.datetime(2026, 12, 18, 23, 59, 59, tzinfo=dt.UTC).timestamp()) * SECOND_NS
    validate_order(LIMIT, around(now_ns=last_day))
    assert "expired on 2026-12-18" in wrong(LIMIT, around(now_ns=last_day + SECOND_NS))["symbol"]


def test_gtd_needs_an_expiry_to_come_and_nothing_else_has_one() -> None:
    gtd = evolved(LIMIT, time_in_force=TimeInForce.GTD, expires_ns=NOW + 1)
    validate_order(gtd, GIVEN)
    for expires in (None, NOW, NOW - 1):
        assert wrong(evolved(gtd, expires_ns=expires)) == {"expires_ns": f"a time after now, {NOW}"}
    assert wrong(evolved(LIMIT, expires_ns=NOW + 1)) == {"expires_ns": "None, or time_in_force gtd"}


@pytest.mark.parametrize(
    "market", [MarketStatus.CLOSED, MarketStatus.HALTED, MarketStatus.BREAK, MarketStatus.PRE_OPEN]
)
def test_a_market_that_is_not_open_is_refused_with_when_to_try(market: MarketStatus) -> None:
    assert wrong(LIMIT, around(market=market)) == {"market": "extended, open; try again then"}


def test_extended_hours_take_only_orders_that_ask_for_them() -> None:
    extended = around(market=MarketStatus.EXTENDED)
    assert set(wrong(LIMIT, extended)) == {"market"}
    validate_order(evolved(LIMIT, extended_hours=True), extended)


def test_a_broker_that_queues_takes_orders_at_any_time_but_a_halt() -> None:
    queueing = under(evolved(EVERYTHING, sessions=frozenset({MarketStatus.OPEN, MarketStatus.CLOSED})))
    for market in MarketStatus:
        given = evolved(queueing, market=market)
        if market is MarketStatus.HALTED:
            assert set(wrong(LIMIT, given)) == {"market"}
        else:
            validate_order(LIMIT, given)


# What the broker offers.


def test_what_the_broker_does_not_offer_is_refused_by_its_record() -> None:
    asked = evolved(
        TRAIL,
        trail_offset=None,
        trail_percent=Decimal(1),
        time_in_force=TimeInForce.GTC,
        extended_hours=True,
        reduce_only=True,
        side=Side.SELL,
    )
    found = wrong(asked, evolved(under(NOTHING), position=Decimal(2)))
    assert set(found) == {"type", "time_in_force", "extended_hours", "reduce_only", "trail_percent", "symbol"}
    assert (found["type"], found["symbol"]) == ("one of market", "one of the kinds stock")


def test_post_only_where_it_is_not_offered_is_refused() -> None:
    only = evolved(EVERYTHING, post_only=False)
    assert wrong(evolved(LIMIT, post_only=True), under(only)) == {"post_only": "False: this broker does not offer it"}


def test_a_broker_without_orders_takes_none() -> None:
    assert wrong(LIMIT, under(None)) == {"broker": "a broker that takes orders"}


@pytest.mark.parametrize("base", [MARKET, STOP, STOP_LIMIT, TRAIL], ids=lambda one: one.type.value)
def test_post_only_is_for_limit_orders(base: Order) -> None:
    assert set(wrong(evolved(base, post_only=True))) == {"post_only"}


@pytest.mark.parametrize("at_once", [TimeInForce.IOC, TimeInForce.FOK])
def test_post_only_cannot_be_for_once(at_once: TimeInForce) -> None:
    assert set(wrong(evolved(LIMIT, post_only=True, time_in_force=at_once))) == {"post_only"}
    validate_order(evolved(LIMIT, post_only=True), GIVEN)


@pytest.mark.parametrize(
    ("position", "side", "reducible"),
    [("0", Side.BUY, 0), ("5", Side.BUY, 0), ("-5", Side.SELL, 0), ("1", Side.SELL, 1), ("-1", Side.BUY, 1)],
)
def test_reduce_only_that_would_increase_or_flip_is_refused(position: str, side: Side, reducible: int) -> None:
    found = wrong(evolved(MARKET, side=side, reduce_only=True), around(position=Decimal(position)))
    assert set(found) == {"quantity"}
    assert found["quantity"].startswith(f"at most {reducible}, ")


def test_reduce_only_that_reduces_passes() -> None:
    validate_order(evolved(MARKET, side=Side.SELL, reduce_only=True), around(position=Decimal(2)))
    validate_order(evolved(MARKET, side=Side.BUY, reduce_only=True), around(position=Decimal(-3)))


def test_all_problems_are_told_at_once_with_what_stood_there() -> None:
    bad = evolved(
        LIMIT, quantity=Decimal("-1.5"), limit_price=Decimal("0.1"), stop_price=Decimal(1), expires_ns=5, symbol="ESZ26"
    )
    with pytest.raises(InvalidOrder) as caught:
        validate_order(bad, around(market=MarketStatus.CLOSED))
    told = {problem.field: problem.value for problem in caught.value.problems}
    assert told == {
        "quantity": Decimal("-1.5"),
        "limit_price": Decimal("0.1"),
        "stop_price": Decimal(1),
        "expires_ns": 5,
        "market": MarketStatus.CLOSED,
    }


# Groups.

TARGET = Order("T", "ESZ26", Side.SELL, OrderType.LIMIT, Decimal(2), limit_price=Decimal(4600))
GUARD = Order("S", "ESZ26", Side.SELL, OrderType.STOP, Decimal(2), stop_price=Decimal(4400))
BRACKET = OrderGroup("G", GroupKind.BRACKET, LIMIT, (TARGET, GUARD))
OCO = OrderGroup("G", GroupKind.OCO, None, (TARGET, GUARD))
OTO = OrderGroup("G", GroupKind.OTO, LIMIT, (TARGET,))


def mistaken(group: OrderGroup, given: Circumstances = GIVEN) -> dict[str, str]:
    return problems(validate_group, group, given)


@pytest.mark.parametrize("group", [BRACKET, OCO, OTO], ids=lambda group: group.kind.value)
def test_a_sound_group_of_each_kind_passes(group: OrderGroup) -> None:
    validate_group(group, GIVEN)


def test_a_breakout_oco_may_have_both_sides() -> None:
    above = evolved(GUARD, key="U", side=Side.BUY, stop_price=Decimal(4700))
    validate_group(evolved(OCO, children=(above, GUARD)), GIVEN)


def test_a_bracket_of_a_sell_passes_too() -> None:
    parent = evolved(LIMIT, side=Side.SELL)
    target = evolved(TARGET, side=Side.BUY, limit_price=Decimal(4400))
    guard = evolved(GUARD, side=Side.BUY, stop_price=Decimal(4600))
    validate_group(evolved(BRACKET, parent=parent, children=(target, guard)), GIVEN)


@pytest.mark.parametrize(
    ("group", "fields"),
    [
        (evolved(BRACKET, parent=None), {"parent"}),
        (evolved(OTO, parent=None), {"parent"}),
        (evolved(OCO, parent=LIMIT), {"parent"}),
        (evolved(BRACKET, children=()), {"children"}),
        (evolved(OCO, children=(TARGET,)), {"children"}),
        (evolved(OTO, reduce_size=True), {"reduce_size"}),
        (evolved(BRACKET, children=(TARGET, evolved(GUARD, side=Side.BUY))), {"children[1].side"}),
        (evolved(BRACKET, children=(TARGET, evolved(GUARD, quantity=Decimal(1)))), {"children[1].quantity"}),
        (evolved(OCO, children=(TARGET, evolved(GUARD, quantity=Decimal(1)))), {"children[1].quantity"}),
        (evolved(BRACKET, children=(TARGET, evolved(GUARD, key="T"))), {"children[1].key"}),
        (evolved(BRACKET, children=(evolved(TARGET, key="K1"), GUARD)), {"children[0].key"}),
        (evolved(OTO, key="K1"), {"parent.key"}),
        (
            evolved(OCO, children=(evolved(TARGET, limit_price=Decimal(4400)), GUARD)),
            {"children[0].limit_price"},
        ),
    ],
)
def test_a_group_whose_orders_do_not_fit_together_is_refused(group: OrderGroup, fields: set[str]) -> None:
    assert set(mistaken(group)) == fields


def test_a_missing_or_needless_parent_is_told_apart() -> None:
    assert mistaken(evolved(BRACKET, parent=None))["parent"] == "an order to enter with"
    assert mistaken(evolved(OCO, parent=LIMIT))["parent"].startswith("None")


def test_a_group_over_two_symbols_is_refused() -> None:
    coin = evolved(COIN, key="T", side=Side.SELL, quantity=Decimal(2))
    assert mistaken(evolved(BRACKET, children=(coin, GUARD))) == {"children[0].symbol": "'ESZ26', as in parent"}


def test_a_group_in_a_group_is_refused() -> None:
    nested: Any = (TARGET, OCO)
    assert mistaken(evolved(BRACKET, children=nested)) == {"children[1]": "one order: groups do not nest"}


def test_every_order_of_a_group_is_checked_under_its_own_name() -> None:
    spoilt = evolved(
        BRACKET,
        parent=evolved(LIMIT, limit_price=Decimal("0.1")),
        children=(evolved(TARGET, limit_price=None), evolved(GUARD, quantity=Decimal("NaN"))),
    )
    assert set(mistaken(spoilt)) == {"parent.limit_price", "children[0].limit_price", "children[1].quantity"}


def test_a_group_kind_the_broker_lacks_is_refused_with_those_it_has() -> None:
    only = under(evolved(EVERYTHING, groups=frozenset({GroupKind.OCO}), oco_reduce=False))
    found = mistaken(evolved(BRACKET, reduce_size=True), only)
    assert (found["kind"], set(found)) == ("one of oco", {"kind", "reduce_size"})
    assert (
        mistaken(BRACKET, under(evolved(EVERYTHING, groups=frozenset(), oco_reduce=False)))["kind"]
        == "single orders only"
    )


def test_children_reduce_what_their_parent_opens_and_an_oco_what_there_is() -> None:
    children = tuple(evolved(child, reduce_only=True) for child in (TARGET, GUARD))
    validate_group(evolved(BRACKET, children=children), GIVEN)
    assert set(mistaken(evolved(OCO, children=children))) == {"children[0].quantity", "children[1].quantity"}
    validate_group(evolved(OCO, children=children), around(position=Decimal(2)))


# Changes.


def unfit(change: Change, filled: str = "0", given: Circumstances = GIVEN, base: Order = LIMIT) -> dict[str, str]:
    return problems(validate_change, base, change, Decimal(filled), given)


def test_a_sound_change_passes() -> None:
    validate_change(LIMIT, Change("K1", quantity=Decimal(5), limit_price=Decimal(4501)), Decimal(1), GIVEN)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (Change("K2", quantity=Decimal(5)), "key"),
        (Change("K1"), "change"),
        (Change("K1", quantity=Decimal(2)), "change"),
        (Change("K1", quantity=Decimal("1.5")), "quantity"),
        (Change("K1", quantity=Decimal("sNaN")), "quantity"),
        (Change("K1", limit_price=Decimal("4500.1")), "limit_price"),
        (Change("K1", stop_price=Decimal(4500)), "stop_price"),
        (Change("K1", trail_offset=Decimal(1)), "trail_offset"),
    ],
)
def test_new_terms_are_checked_like_an_order(change: Change, field: str) -> None:
    assert set(unfit(change)) == {field}


def test_e11_a_quantity_at_or_below_what_is_filled_is_refused() -> None:
    for quantity in (1, 2):
        found = unfit(Change("K1", quantity=Decimal(quantity)), filled="2", base=evolved(LIMIT, quantity=Decimal(9)))
        assert found == {"quantity": "more than the 2 filled already; else cancel the rest"}


def test_a_broker_that_changes_nothing_is_asked_for_no_change() -> None:
    never = under(evolved(EVERYTHING, replace=Replace.NONE))
    assert set(unfit(Change("K1", quantity=Decimal(5)), given=never)) == {"replace"}


def test_a_change_of_a_reduce_only_order_counts_what_is_still_open() -> None:
    reducing = evolved(LIMIT, side=Side.SELL, reduce_only=True)
    given = around(position=Decimal(3))
    validate_change(reducing, Change("K1", quantity=Decimal(4)), Decimal(1), given)
    assert set(unfit(Change("K1", quantity=Decimal(5)), "1", given, reducing)) == {"quantity"}


# Rounding.


@pytest.mark.parametrize(
    ("value", "down", "nearest", "up"),
    [
        ("4500.10", "4500.00", "4500.00", "4500.25"),
        ("4500.125", "4500.00", "4500.00", "4500.25"),
        ("4500.375", "4500.25", "4500.50", "4500.50"),
        ("4500.20", "4500.00", "4500.25", "4500.25"),
        ("-0.10", "-0.25", "0", "0"),
        ("-0.20", "-0.25", "-0.25", "0"),
        ("4500.25", "4500.25", "4500.25", "4500.25"),
    ],
)
def test_a_price_is_rounded_the_way_that_is_said(value: str, down: str, nearest: str, up: str) -> None:
    tick = Decimal("0.25")
    rounded = [round_to_tick(Decimal(value), tick, way) for way in (Rounding.DOWN, Rounding.NEAREST, Rounding.UP)]
    assert rounded == [Decimal(down), Decimal(nearest), Decimal(up)]


sizes = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places), st.integers(-(10**30), 10**30), st.integers(0, 20)
)
steps = st.builds(lambda digits, places: Decimal(digits).scaleb(-places), st.integers(1, 10**6), st.integers(0, 12))


@settings(max_examples=150 * NIGHTLY)
@given(sizes, steps)
def test_rounding_is_exact_on_any_grid(value: Decimal, step: Decimal) -> None:
    low, near, high = (round_to_lot(value, step, way) for way in (Rounding.DOWN, Rounding.NEAREST, Rounding.UP))
    exact = Fraction(value) / Fraction(step)
    assert Fraction(low) == exact.__floor__() * Fraction(step)
    assert Fraction(high) == exact.__ceil__() * Fraction(step)
    assert Fraction(near) == round(exact) * Fraction(step)


@pytest.mark.parametrize(("value", "step"), [("NaN", "1"), ("1", "0"), ("1", "-1"), ("1", "NaN"), ("1E+99", "1")])
def test_figures_without_sense_are_not_rounded(value: str, step: str) -> None:
    with pytest.raises(ValueError, match="cannot round"):
        round_to_tick(Decimal(value), Decimal(step), Rounding.DOWN)


# Anything at all.

WILD = st.sampled_from(
    [Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"), Decimal("1E+999999"), Decimal("1E-999999")]
)


@st.composite
def wild_orders(draw: st.DrawFn) -> Order:
    one: Order = draw(anything(Order))
    names = draw(st.sets(st.sampled_from(["quantity", "limit_price", "stop_price", "trail_offset", "trail_percent"])))
    symbol = draw(st.sampled_from(["ESZ26", "BTC-USD", one.symbol]))
    wild: Order = evolved(one, symbol=symbol, **{name: draw(WILD) for name in names})
    return wild


@settings(max_examples=75 * NIGHTLY, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(wild_orders(), st.lists(wild_orders(), max_size=3), st.sampled_from(GroupKind), anything(Change))
def test_f39_s53_whatever_comes_is_passed_or_refused_with_the_one_error(
    one: Order, children: list[Order], kind: GroupKind, change: Change
) -> None:
    group = OrderGroup("G", kind, one if kind is not GroupKind.OCO else None, tuple(children))
    for check, arguments in (
        (validate_order, (one, GIVEN)),
        (validate_group, (group, GIVEN)),
        (validate_change, (one, change, Decimal(1), GIVEN)),
    ):
        error = refusal(InvalidOrder, check, *arguments)
        assert error is None or (error.problems and str(error).isprintable())
