"""The capability record: what a broker can do, free of contradictions, and readable as a table."""

from typing import Any

import attrs
import pytest

from brokers.capability import (
    NO_KEYS,
    SECOND_NS,
    Capability,
    ClientKeys,
    DataSupport,
    Environment,
    InvalidCapability,
    KeyClass,
    OrderSupport,
    RateLimit,
    Replace,
    Scope,
    rows,
)
from brokers.instruments import Kind
from brokers.keys import BASE62, UUID
from brokers.market import BarUnit, MarketStatus
from brokers.model import GroupKind, OrderType, TimeInForce
from tests.brokers.model_strategies import evolved

ALPHANUMERIC = "".join(sorted(BASE62.characters))
KEYS = ClientKeys(KeyClass.UNIQUE, BASE62, ALPHANUMERIC, 48, lifetime_ns=86_400 * SECOND_NS, query=True)
DATA = DataSupport(
    frozenset({Kind.FUTURE}), trades=True, depth_levels=10, bars=frozenset({BarUnit.MINUTE, BarUnit.DAY})
)
ORDERS = OrderSupport(
    kinds=frozenset({Kind.FUTURE}),
    types=frozenset({OrderType.MARKET, OrderType.LIMIT}),
    times_in_force=frozenset({TimeInForce.DAY, TimeInForce.GTC}),
    keys=KEYS,
    effect_ns=60 * SECOND_NS,
    visibility_ns=10 * SECOND_NS,
    retention_ns=86_400 * SECOND_NS,
    signs=(),
    groups=frozenset({GroupKind.BRACKET, GroupKind.OCO}),
    oco_reduce=True,
    replace=Replace.IN_PLACE,
    fill_ids=True,
)
FULL = Capability(
    "demo",
    frozenset({Environment.PAPER, Environment.LIVE}),
    DATA,
    ORDERS,
    (RateLimit("orders", 10, SECOND_NS, Scope.ACCOUNT),),
)


def refused(make: Any, **fields: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidCapability) as caught:
        make(**fields)
    assert all(problem in str(caught.value) for problem in caught.value.problems)
    return caught.value.problems


def spoilt(record: Any, **fields: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidCapability) as caught:
        evolved(record, **fields)
    return caught.value.problems


def test_a_broker_with_data_only_has_no_orders_and_no_order_types_to_speak_of() -> None:
    record = Capability("feed", frozenset({Environment.LIVE}), data=DATA)
    assert record.orders is None
    assert ("orders", "no") in rows(record)
    assert not any(name == "order types" for name, _ in rows(record))


def test_a_broker_with_orders_only_has_no_data() -> None:
    record = Capability("desk", frozenset({Environment.PAPER}), orders=ORDERS)
    assert ("data", "no") in rows(record)


def test_a_broker_with_nothing_is_no_broker() -> None:
    assert len(refused(Capability, broker="", environments=frozenset())) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"kinds": frozenset()},
        {"types": frozenset()},
        {"times_in_force": frozenset()},
        {"sessions": frozenset()},
        {"effect_ns": 0},
        {"visibility_ns": -1},
        {"retention_ns": 75 * SECOND_NS},
        {"groups": frozenset()},
        {"types": frozenset({OrderType.MARKET}), "post_only": True},
        {"trail_percent": True},
    ],
)
def test_order_support_that_contradicts_itself_is_refused(fields: dict[str, Any]) -> None:
    assert len(spoilt(ORDERS, **fields)) == 1


@pytest.mark.parametrize(
    "fields",
    [{"kinds": frozenset()}, {"depth_levels": -1}, {"bars": frozenset(), "live_bars": True}],
)
def test_data_support_that_contradicts_itself_is_refused(fields: dict[str, Any]) -> None:
    assert len(spoilt(DATA, **fields)) == 1


def test_data_without_anything_in_it_is_refused() -> None:
    assert len(refused(DataSupport, kinds=frozenset(Kind), quotes=False)) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"form": None},
        {"max_length": 21},
        {"alphabet": ALPHANUMERIC.replace("z", "")},
        {"form": UUID},  # its dash is not in the alphabet
        {"lifetime_ns": 0},
        {"kind": KeyClass.ECHOED},
        {"kind": KeyClass.UNIQUE_WHILE_OPEN},
    ],
)
def test_keys_that_do_not_fit_the_field_are_refused(fields: dict[str, Any]) -> None:
    assert len(spoilt(KEYS, **fields)) == 1


def test_without_a_key_field_nothing_is_said_of_one() -> None:
    assert NO_KEYS.form is None
    assert spoilt(NO_KEYS, query=True) == ("no key field, yet it is described",)
    assert spoilt(NO_KEYS, form=BASE62, max_length=22, alphabet=ALPHANUMERIC)


@pytest.mark.parametrize("fields", [{"count": 0}, {"window_ns": 0}])
def test_a_limit_that_allows_nothing_is_refused(fields: dict[str, Any]) -> None:
    assert len(spoilt(FULL.limits[0], **fields)) == 1


def test_what_is_not_said_of_a_broker_it_does_not_do() -> None:
    least = OrderSupport(
        frozenset(Kind), frozenset(OrderType), frozenset(TimeInForce), NO_KEYS, SECOND_NS, 0, None, signs=()
    )
    flags = [field.name for field in attrs.fields(OrderSupport) if field.type is bool]
    assert not any(getattr(least, name) for name in flags)
    assert (least.sessions, least.replace) == (frozenset({MarketStatus.OPEN}), Replace.NONE)
    assert not least.groups
    quotes = DataSupport(frozenset(Kind))
    assert (quotes.quotes, quotes.trades, quotes.depth_levels, quotes.live_bars) == (True, False, 0, False)
    assert (NO_KEYS.alphabet, NO_KEYS.max_length, NO_KEYS.lifetime_ns, NO_KEYS.query) == ("", 0, None, False)


def test_the_least_figures_are_allowed() -> None:
    assert RateLimit("orders", 1, 1).window_ns == 1
    assert evolved(KEYS, max_length=22, lifetime_ns=1).max_length == 22
    assert evolved(ORDERS, effect_ns=1, visibility_ns=0, retention_ns=5 * SECOND_NS + 2).effect_ns == 1


def test_o04_the_quiet_period_is_longer_than_effect_and_lag_together() -> None:
    assert ORDERS.quiet_ns == 75 * SECOND_NS


def test_the_record_reads_as_a_table_of_words() -> None:
    table = dict(rows(FULL))
    assert len(table) == len(rows(FULL))
    expected = {
        "broker": "demo",
        "environments": "live, paper",
        "data": "future",
        "trades": "yes",
        "depth": "10 levels",
        "bars": "d, m",
        "order types": "limit, market",
        "times in force": "day, gtc",
        "taken while": "open",
        "bracket": "yes",
        "oco": "yes",
        "oto": "no",
        "replace": "in_place",
        "client key": "class A, 22 of 48 characters, remembered 1 d",
        "query by key": "yes",
        "request may act for (D)": "1 min",
        "answers may lag by (L)": "10 s",
        "finished orders kept": "1 d",
        "execution ids": "yes",
        "limit: orders": "10 in 1 s per account",
    }
    assert expected.items() <= table.items()


def test_keys_of_each_class_read_plainly() -> None:
    def word(keys: ClientKeys) -> str:
        return dict(rows(evolved(FULL, orders=evolved(ORDERS, keys=keys))))["client key"]

    assert word(NO_KEYS) == "none (class N)"
    assert word(evolved(KEYS, lifetime_ns=None)) == "class A, 22 of 48 characters, remembered for ever"
    assert word(evolved(KEYS, kind=KeyClass.ECHOED, lifetime_ns=None)) == "class C, 22 of 48 characters"


def test_every_field_of_the_record_is_in_the_table() -> None:
    """Each field, changed alone to something else that is allowed, changes the table."""
    orders = evolved(ORDERS, types=frozenset(OrderType))
    record = evolved(FULL, orders=orders)
    for field in attrs.fields(OrderSupport):
        if field.type is bool:
            other = evolved(orders, **{field.name: not getattr(orders, field.name)})
            assert rows(evolved(record, orders=other)) != rows(record), field.name
    for field in attrs.fields(DataSupport):
        if field.type is bool:
            flipped = evolved(DATA, **{field.name: not getattr(DATA, field.name)})
            assert rows(evolved(record, data=flipped)) != rows(record), field.name


def test_orders_may_be_taken_while_the_market_is_closed() -> None:
    orders = evolved(ORDERS, sessions=frozenset({MarketStatus.OPEN, MarketStatus.CLOSED}))
    assert dict(rows(evolved(FULL, orders=orders)))["taken while"] == "closed, open"
