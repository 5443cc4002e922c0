"""Fills and news made of records: each fill once, whatever repeats, and nothing made of what was not watched."""

import os
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.gateway import OrderNews
from brokers.lifecycle import OrderLife, advance
from brokers.model import Change, Order, OrderState, OrderType
from brokers.order_events import (
    Busted,
    CancelRefused,
    Corrected,
    Event,
    Filled,
    Rejected,
    ReplaceConfirmed,
    ReplaceRequested,
    Sent,
    Snapshot,
)
from brokers.sides import Side
from brokers.tradestation.order_memory import MARGIN_NS, OrderMemory
from brokers.tradestation.wire import BadPayload
from brokers.tradestation.wire_orders import Seen

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
OLD, NEW, NOW = 1, MARGIN_NS + 1, 2 * MARGIN_NS
LIMIT = Order("1", "ESZ25", Side.BUY, OrderType.LIMIT, Decimal(10), limit_price=Decimal(100))
WORDS = {"ACK": OrderState.WORKING, "FPR": OrderState.PARTIALLY_FILLED, "FLL": OrderState.FILLED}


def sight(filled: int = 0, average: str | None = "100", status: str | None = None, **changed: Any) -> Seen:
    named = status or ("ACK" if not filled else "FLL" if filled == 10 else "FPR")
    fields: dict[str, Any] = {
        "account": "A",
        "order": LIMIT,
        "status": named,
        "word": WORDS.get(named, OrderState.UNKNOWN),
        "filled": Decimal(filled),
        "average": Decimal(average) if filled and average else None,
        "opened_ns": NEW,
        "closed_ns": None,
        "reason": "",
    }
    return Seen(**{**fields, **changed})


def events(news: tuple[OrderNews, ...], kind: type[Any] = object) -> list[Any]:
    return [one.event for one in news if isinstance(one.event, kind)]


def test_the_increment_of_a_running_average_has_its_own_price() -> None:
    memory = OrderMemory(0)
    (first,) = events(memory.take(sight(1, "6890.25"), NOW), Filled)
    (second,) = events(memory.take(sight(3, "6890.75"), NOW), Filled)
    assert (first.fill.id, first.fill.quantity, first.fill.price) == ("1/1", 1, Decimal("6890.25"))
    assert (second.fill.id, second.fill.quantity, second.fill.price) == ("1/3", 2, Decimal("6891.00"))


@pytest.mark.parametrize("off_ns", [-MARGIN_NS * 60, MARGIN_NS * 60])
def test_F21_whether_an_order_is_older_than_our_watch_is_told_by_the_brokers_clock_and_not_by_ours(off_ns: int) -> None:
    there = 10**18  # the broker's clock when we began
    memory = OrderMemory(there + off_ns, began_ns=lambda: there)
    old, new = there + MARGIN_NS, there + MARGIN_NS + 1
    assert not events(memory.take(sight(1, opened_ns=old), new), Filled), "some of it may be known"
    young = sight(1, opened_ns=new, order=attrs.evolve(LIMIT, key="2"))
    assert events(memory.take(young, new), Filled), "all of it was watched"


@given(st.lists(st.tuples(st.integers(1, 3), st.decimals(-1, 5, places=2)), min_size=1, max_size=5))
def test_the_fees_of_the_fills_come_to_the_commission_of_the_order(steps: list[tuple[int, Decimal]]) -> None:
    memory, filled, fees, told = OrderMemory(0), 0, Decimal(0), Decimal(0)
    for more, fee in steps:
        filled, fees = filled + more, fees + fee
        (event,) = events(
            memory.take(sight(filled, order=attrs.evolve(LIMIT, quantity=Decimal(99)), fees=fees), NOW), Filled
        )
        told += event.fill.fee
    assert told == fees


def test_of_an_older_order_only_the_commission_of_what_was_watched_is_a_fee() -> None:
    memory = OrderMemory(0)
    memory.take(sight(4, opened_ns=OLD, fees=Decimal("9.2")), NOW)
    (filled,) = events(memory.take(sight(6, opened_ns=OLD, fees=Decimal("13.8")), NOW), Filled)
    assert filled.fill.fee == Decimal("4.6")


def test_the_same_sight_twice_is_no_news() -> None:
    memory = OrderMemory(0)
    assert memory.take(sight(1), NOW)
    assert memory.take(sight(1), NOW) == ()


def test_a_fill_on_an_ack_is_not_told_again_with_the_word_filled() -> None:
    memory = OrderMemory(0)
    assert len(events(memory.take(sight(10, status="ACK"), NOW), Filled)) == 1
    assert events(memory.take(sight(10, status="FLL"), NOW), Filled) == []


def test_an_order_older_than_our_watch_is_told_by_its_count() -> None:
    memory = OrderMemory(0)
    news = memory.take(sight(4, opened_ns=OLD), NOW)
    assert events(news, Filled) == []
    (told,) = events(news, Snapshot)
    assert told.filled == 4
    (filled,) = events(memory.take(sight(6, opened_ns=OLD), NOW), Filled)
    assert filled.fill.quantity == 2
    assert [fill.quantity for fill in memory.fills_since("A", 0)] == [2]


def test_shortly_after_the_start_a_list_may_lag_so_old_orders_are_counted_only() -> None:
    memory = OrderMemory(0)
    assert events(memory.take(sight(0, opened_ns=OLD), 5), Filled) == []
    assert events(memory.take(sight(3, opened_ns=OLD), 6), Filled) == []
    assert events(memory.take(sight(5, opened_ns=OLD), NOW), Filled) == []
    assert len(events(memory.take(sight(6, opened_ns=OLD), NOW), Filled)) == 1


def test_an_order_that_we_placed_is_watched_from_its_beginning() -> None:
    memory = OrderMemory(0)
    memory.expect("1", attrs.evolve(LIMIT, key="key"), NOW)
    (news, _) = memory.take(sight(3, opened_ns=OLD), 5)
    assert news.key == "key"
    assert isinstance(news.event, Filled)
    assert news.event.fill.order_key == "key"
    assert (memory.id_of("key"), memory.key_of("1")) == ("1", "key")


def test_an_order_of_ours_whose_first_sight_overtook_the_reply_is_watched_from_its_beginning_too() -> None:
    memory = OrderMemory(0)
    memory.take(sight(0, None, opened_ns=OLD), OLD)
    memory.expect("1", attrs.evolve(LIMIT, key="key"), NOW)
    (fill,) = events(memory.take(sight(4, opened_ns=OLD), OLD), Filled)
    assert (fill.fill.quantity, fill.fill.order_key) == (4, "key")


@pytest.mark.parametrize(
    "lie",
    [
        sight(11),
        sight(3, order=attrs.evolve(LIMIT, side=Side.SELL)),
        sight(3, order=attrs.evolve(LIMIT, symbol="NQZ25")),
    ],
    ids=["more than was ordered", "the other side", "another contract"],
)
def test_f39_a_sight_that_cannot_be_of_our_order_is_put_aside_and_the_truth_after_it_counts(lie: Seen) -> None:
    memory = OrderMemory(0)
    memory.expect("1", attrs.evolve(LIMIT, key="key"), NOW)
    with pytest.raises(BadPayload, match="order 1"):
        memory.take(lie, NOW)
    assert memory.take(lie, NOW, listed=True) == ()
    (told,) = events(memory.take(sight(3), NOW), Filled)
    assert (told.fill.side, told.fill.quantity) == (Side.BUY, 3)
    assert memory.fills_since("A", 0) == (told.fill,)


def test_f39_a_fill_of_the_other_side_that_overtook_the_reply_is_forgotten_with_it() -> None:
    memory = OrderMemory(0)
    memory.take(sight(3, order=attrs.evolve(LIMIT, side=Side.SELL)), NOW)
    memory.expect("1", attrs.evolve(LIMIT, key="key"), NOW)
    assert memory.fills_since("A", 0) == ()
    (told,) = events(memory.take(sight(3), NOW), Filled)
    assert (told.fill.side, told.fill.order_key) == (Side.BUY, "key")


def test_an_order_of_ours_that_was_filled_before_the_reply_came_has_its_fill_however_young_the_process_is() -> None:
    memory = OrderMemory(0)
    assert events(memory.take(sight(0, None, opened_ns=OLD), OLD), Filled) == []
    assert events(memory.take(sight(10, opened_ns=OLD), OLD), Filled) == [], "it may be older than our watch"
    (told,) = events(memory.expect("1", attrs.evolve(LIMIT, key="key"), OLD), Filled)
    assert (told.fill.quantity, told.fill.order_key) == (10, "key")
    assert memory.fills_since("A", 0) == (told.fill,)
    assert events(memory.take(sight(10, opened_ns=OLD), OLD), Filled) == []


def test_a_fill_that_overtook_the_reply_is_handed_on_under_the_key() -> None:
    memory = OrderMemory(0)
    news, _ = memory.take(sight(3), NOW)
    assert news.key is None
    memory.expect("1", attrs.evolve(LIMIT, key="key"), NOW)
    keyed = memory.keyed(news)
    assert keyed.key == "key"
    assert isinstance(keyed.event, Filled)
    assert keyed.event.fill.order_key == memory.fills_since("A", 0)[0].order_key == "key"


def test_new_terms_of_a_living_order_are_a_confirmed_replace() -> None:
    memory = OrderMemory(0)
    memory.expect("1", attrs.evolve(LIMIT, key="key"), NOW)
    memory.take(sight(), NOW)
    lower = attrs.evolve(LIMIT, limit_price=Decimal(99))
    (told,) = events(memory.take(sight(order=lower), NOW), ReplaceConfirmed)
    assert told.terms == Change("key", limit_price=Decimal(99))


def test_a_list_that_lags_behind_the_stream_changes_nothing() -> None:
    memory = OrderMemory(0)
    memory.take(sight(), NOW)
    lower = attrs.evolve(LIMIT, limit_price=Decimal(99))
    memory.take(sight(order=lower), NOW)
    assert memory.take(sight(), NOW, listed=True) == ()
    assert len(events(memory.take(sight(2, order=lower), NOW, listed=True), Filled)) == 1


def test_a_cancel_that_came_too_late_is_refused() -> None:
    memory = OrderMemory(0)
    memory.take(sight(), NOW)
    news = memory.take(sight(10, status="LAT"), NOW)
    assert [type(one) for one in events(news)] == [Filled, CancelRefused]


def test_a_reject_after_the_receipt_is_told_with_its_reason() -> None:
    memory = OrderMemory(0)
    memory.take(sight(), NOW)
    (told,) = events(memory.take(sight(status="REJ", word=OrderState.REJECTED, reason="EC602: no"), NOW), Rejected)
    assert told.text == "EC602: no"


def test_f18_a_correction_voids_what_was_told_and_counts_anew() -> None:
    memory = OrderMemory(0)
    memory.take(sight(2), NOW)
    memory.take(sight(5), NOW)
    news = memory.take(sight(4, "101", status="COR"), NOW)
    assert [one.execution_id for one in events(news, Busted)] == ["1/2", "1/5"]
    (filled,) = events(news, Filled)
    assert (filled.fill.id, filled.fill.quantity, filled.fill.price) == ("1/4/1", 4, 101)
    assert [fill.id for fill in memory.fills_since("A", 0)] == ["1/4/1"]


def test_f18_a_price_correction_is_told_as_one_and_leaves_a_filled_order_filled() -> None:
    memory = OrderMemory(0)
    life = advance(OrderLife(LIMIT), Sent())
    told: list[Any] = []
    for seen in (sight(4), sight(10), sight(10, "101", status="COR"), sight(10, "101"), sight(10, "99", status="COR")):
        told += events(memory.take(seen, NOW))
    for event in told:
        life = advance(life, event)
    assert not any(isinstance(one, Busted) for one in told)
    assert life.state is OrderState.FILLED
    assert life.filled == 10
    assert life.executions.average_price == 99
    corrected = [one.execution_id for one in told if isinstance(one, Corrected)]
    assert corrected == ["1/4", "1/10", "1/4/1", "1/10/1"]
    kept = memory.fills_since("A", 0)
    assert [(one.id, int(one.quantity), int(one.price)) for one in kept] == [("1/4/1/2", 4, 99), ("1/10/1/2", 6, 99)]


def test_f18_a_corrected_fill_is_handed_on_under_the_key_that_became_known() -> None:
    memory = OrderMemory(0)
    memory.take(sight(2), NOW)
    (news, *_) = memory.take(sight(2, "101", status="COR"), NOW)
    memory.expect("1", attrs.evolve(LIMIT, key="key"), NOW)
    event = memory.keyed(news).event
    assert isinstance(event, Corrected)
    assert event.fill.order_key == "key"


def test_f18_a_correction_without_a_price_takes_nothing_back() -> None:
    memory = OrderMemory(0)
    memory.take(sight(2), NOW)
    assert events(memory.take(sight(2, None, status="COR"), NOW)) == []
    assert [fill.id for fill in memory.fills_since("A", 0)] == ["1/2"]


def test_a_broken_order_voids_its_fills() -> None:
    memory = OrderMemory(0)
    memory.take(sight(2), NOW)
    news = memory.take(sight(2, status="BRO", word=OrderState.CANCELED), NOW)
    assert [type(one) for one in events(news)] == [Busted, Snapshot]
    assert memory.fills_since("A", 0) == ()


def test_f18_a_list_older_than_a_bust_does_not_bring_the_fill_back_and_a_bust_that_only_a_list_shows_counts() -> None:
    bust = sight(0, None, status="BRO", word=OrderState.CANCELED)
    for listed in (False, True):
        memory = OrderMemory(0)
        (told,) = events(memory.take(sight(2), NOW), Filled)
        assert events(memory.take(bust, NOW, listed=listed), Busted) == [Busted(told.fill.id)]
        assert memory.take(sight(2), NOW, listed=True) == ()
        assert memory.fills_since("A", 0) == ()


def test_what_is_forgotten_counts_as_old_when_it_shows_up_again() -> None:
    memory = OrderMemory(0, keep=1)
    for number in (1, 2):
        order = attrs.evolve(LIMIT, key=str(number))
        memory.take(sight(10, order=order), NOW)
    again = memory.take(sight(10, order=attrs.evolve(LIMIT, key="1")), NOW)
    assert events(again, Filled) == []


@settings(max_examples=150 * NIGHTLY)
@given(
    st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=12),
    st.dictionaries(st.integers(1, 10), st.decimals("0.25", 9999, places=2), min_size=10, max_size=10),
)
def test_f14_f16_whatever_order_and_however_often_counts_come_the_fills_sum_to_the_highest(
    sights: list[tuple[int, bool]], averages: dict[int, Decimal]
) -> None:
    memory, life, told = (
        OrderMemory(0),
        advance(OrderLife(attrs.evolve(LIMIT, key="key")), Sent()),
        dict[str, Decimal](),
    )
    memory.expect("1", attrs.evolve(LIMIT, key="key"), NOW)
    for filled, listed in sights:
        for one in memory.take(sight(filled, str(averages.get(filled, 1))), NOW, listed=listed):
            event: Event = one.event
            if isinstance(event, Filled):
                told[event.fill.id] = event.fill.quantity
                assert event.fill.price > 0
            life = advance(life, event)
    highest = max(filled for filled, _ in sights)
    assert sum(told.values()) == highest == life.filled
    assert [fill.id for fill in memory.fills_since("A", 0)] == list(told)


def test_a_replace_of_ours_is_answered_by_the_record_that_shows_it() -> None:
    memory, life = OrderMemory(0), advance(OrderLife(attrs.evolve(LIMIT, key="key")), Sent())
    memory.expect("1", attrs.evolve(LIMIT, key="key"), NOW)
    for one in memory.take(sight(), NOW):
        life = advance(life, one.event)
    life = advance(life, ReplaceRequested(Change("key", limit_price=Decimal(99))))
    for one in memory.take(sight(order=attrs.evolve(LIMIT, limit_price=Decimal(99))), NOW):
        life = advance(life, one.event)
    assert life.state is OrderState.WORKING
    assert life.order.limit_price == 99
