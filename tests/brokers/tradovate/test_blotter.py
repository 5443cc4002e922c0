"""The fold of entity rows into news, on the vendor's own frames, in any order, doubled and torn apart."""

import datetime as dt
import json
import os
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.catalogue import Catalogue
from brokers.errors import Code
from brokers.gateway import OrderNews
from brokers.lifecycle import OrderLife, advance
from brokers.model import Change, Order, OrderState, OrderType
from brokers.order_events import (
    Acknowledged,
    Busted,
    CancelRefused,
    CancelRequested,
    Corrected,
    Event,
    Filled,
    Rejected,
    ReplaceConfirmed,
    ReplaceRefused,
    ReplaceRequested,
    Sent,
    Snapshot,
    Working,
)
from brokers.sides import Side
from brokers.tradovate.blotter import Blotter
from brokers.tradovate.symbols import Contracts, tradovate_symbols
from brokers.tradovate.wire_entities import KINDS, ContractRow, MaturityRow, Row

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
ES, KEY, NOW = 3570918, "pb-1", 5
AT = "2025-12-01T14:30:03.101Z"
ORDER = {"id": 7, "accountId": 1009, "contractId": ES, "timestamp": AT, "action": "Buy", "ordStatus": "PendingNew"}
VERSION = {"id": 7, "orderId": 7, "orderQty": 3, "orderType": "Limit", "price": 6890.25, "timeInForce": "Day"}
COMMAND = {"id": 7, "orderId": 7, "timestamp": AT, "commandType": "New", "commandStatus": "Pending", "clOrdId": KEY}
FILLS = [
    {"id": 9, "orderId": 7, "contractId": ES, "timestamp": AT, "action": "Buy", "qty": 1, "price": 6890.25},
    {"id": 11, "orderId": 7, "contractId": ES, "timestamp": AT, "action": "Buy", "qty": 2, "price": 6890.0},
]
LIFE: list[tuple[str, dict[str, Any]]] = [
    ("order", ORDER),
    ("orderVersion", VERSION),
    ("command", COMMAND),
    ("commandReport", {"id": 8, "commandId": 7, "commandStatus": "AtExecution", "ordStatus": "Working"}),
    ("order", ORDER | {"ordStatus": "Working"}),
    ("executionReport", {"id": 10, "commandId": 7, "orderId": 7, "execType": "Trade", "cumQty": 1}),
    ("fill", FILLS[0]),
    ("fillFee", {"id": 9, "commission": 1.5, "exchangeFee": 0.59}),
    ("fill", FILLS[1]),
    ("order", ORDER | {"ordStatus": "Filled"}),
]


def row(kind: str, fields: dict[str, Any]) -> Row:
    found: Row = msgspec.json.decode(json.dumps(fields), type=KINDS[kind])
    return found


def blotter() -> Blotter:
    contracts = Contracts(tradovate_symbols(Catalogue.shipped().table))
    contracts.learn([ContractRow(ES, "ESZ5", 2)], [MaturityRow(2, 202512)], dt.date(2025, 12, 1))
    made = Blotter(contracts)
    made.names = {1009: "DEMO"}
    return made


def told(made: Blotter, *frame: tuple[str, dict[str, Any]]) -> list[Event]:
    return [one.event for one in made.take([row(*one) for one in frame], NOW)]


def life_after(news: Iterable[OrderNews]) -> OrderLife:
    life = OrderLife(Order(KEY, "ESZ25", Side.BUY, OrderType.LIMIT, Decimal(3), limit_price=Decimal("6890.25")))
    life = advance(advance(life, Sent()), Acknowledged(broker_order_id="7"))
    for one in news:
        life = advance(life, one.event)
    return life


def test_a_life_in_the_vendors_order_becomes_news_under_our_key() -> None:
    made = blotter()
    news = made.take([row(*one) for one in LIFE[:3]], NOW)
    assert [(one.account, one.key, one.broker_order_id, one.event) for one in news] == [
        ("DEMO", KEY, "7", Snapshot(OrderState.PENDING_NEW, broker_order_id="7"))
    ]
    (working,) = told(made, *LIFE[3:5])
    assert working == Snapshot(OrderState.WORKING, broker_order_id="7")
    (filled,) = told(made, *LIFE[5:8])
    assert isinstance(filled, Filled)
    assert (filled.fill.id, filled.fill.fee, filled.fill.order_key) == ("9", Decimal("2.09"), KEY)
    last = told(made, *LIFE[8:])
    assert [type(one) for one in last] == [Filled, Snapshot]


@settings(max_examples=40 * NIGHTLY)
@given(st.permutations(LIFE), st.lists(st.sampled_from(LIFE), max_size=4), st.lists(st.integers(0, 14), max_size=6))
def test_any_order_doubles_and_tears_end_in_the_same_quantities_f14_f16(
    life: list[tuple[str, dict[str, Any]]], twice: list[tuple[str, dict[str, Any]]], cuts: list[int]
) -> None:
    made, rows = blotter(), [row(*one) for one in (*life, *twice)]
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    news = [one for a, b in pairwise(edges) for one in made.take(rows[a:b], NOW)]
    after = life_after(news)
    assert (after.filled, after.state) == (Decimal(3), OrderState.FILLED)
    assert sorted(one.event.fill.id for one in news if isinstance(one.event, Filled)) == ["11", "9"]
    assert not made.bad
    assert made.undescribed() == []


@settings(max_examples=40 * NIGHTLY)
@given(st.lists(st.sampled_from(LIFE), max_size=12))
def test_any_pieces_of_a_life_tell_nothing_that_did_not_happen(pieces: list[tuple[str, dict[str, Any]]]) -> None:
    made = blotter()
    news = [one for piece in pieces for one in made.take([row(*piece)], NOW)]
    fills = {one["id"] for kind, one in pieces if kind == "fill"}
    assert {int(one.event.fill.id) for one in news if isinstance(one.event, Filled)} <= fills
    assert life_after(news).filled <= 3


def test_a_fill_before_its_order_waits_and_is_asked_for_f16() -> None:
    made = blotter()
    assert told(made, ("fill", FILLS[0])) == []
    assert made.undescribed() == [7]
    first, *_ = told(made, *LIFE[:3])
    assert isinstance(first, Filled)
    assert made.undescribed() == []


def test_what_the_broker_never_describes_is_let_go_of() -> None:
    made = blotter()
    told(made, ("fill", FILLS[0]))
    made.give_up(7)
    assert made.undescribed() == []


def test_news_that_came_before_the_key_are_named_when_the_reply_has_it() -> None:
    made = blotter()
    news = made.take([row(*one) for one in (*LIFE[:2], ("fill", FILLS[0]))], NOW)
    assert {one.key for one in news} == {None}
    made.expect(7, KEY)
    named = [made.keyed(one) for one in news]
    assert {one.key for one in named} == {KEY}
    assert [one.event.fill.order_key for one in named if isinstance(one.event, Filled)] == [KEY]
    assert made.id_of(KEY) == 7


def working() -> Blotter:
    made = blotter()
    told(made, *LIFE[:5])
    return made


MODIFY = {"id": 20, "orderId": 7, "commandType": "Modify", "commandStatus": "Pending"}
NEWER = VERSION | {"id": 20, "price": 6891.0, "orderQty": 2}


@pytest.mark.parametrize("shuffled", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)])
def test_a_change_is_confirmed_with_its_terms_once_it_was_answered(shuffled: Sequence[int]) -> None:
    made = working()
    events = told(made, ("command", MODIFY), ("order", ORDER | {"ordStatus": "PendingReplace"}))
    assert events == [Snapshot(OrderState.PENDING_REPLACE, broker_order_id="7")]
    assert made.settled(7) is None
    answer = [
        ("orderVersion", NEWER),
        ("executionReport", {"id": 21, "commandId": 20, "orderId": 7, "execType": "Replaced"}),
        ("order", ORDER | {"ordStatus": "Working"}),
    ]
    events = told(made, *(answer[n] for n in shuffled))
    (confirmed,) = [one for one in events if isinstance(one, ReplaceConfirmed)]
    assert confirmed.terms is not None
    assert (confirmed.terms.quantity, confirmed.terms.limit_price) == (Decimal(2), Decimal("6891.0"))
    settled = made.settled(7)
    assert settled is not None
    assert settled.order.limit_price == Decimal("6891.0")


def test_a_refused_change_leaves_the_old_terms_in_force() -> None:
    made = working()
    told(made, ("command", MODIFY), ("orderVersion", NEWER), ("order", ORDER | {"ordStatus": "PendingReplace"}))
    report = {
        "id": 22,
        "commandId": 20,
        "commandStatus": "ExecutionRejected",
        "rejectReason": "TooLate",
        "text": "late",
    }
    events = told(made, ("commandReport", report), ("order", ORDER | {"ordStatus": "Working"}))
    assert events == [
        ReplaceRefused(Code.ORDER_NOT_OPEN, "late", broker_order_id="7"),
        Snapshot(OrderState.WORKING, broker_order_id="7"),
    ]
    settled = made.settled(7)
    assert settled is not None
    assert settled.order.limit_price == Decimal("6890.25")


@pytest.mark.parametrize("report_first", [False, True])
def test_a_refused_cancel_is_about_the_command_and_not_the_order(report_first: bool) -> None:
    made = working()
    command = ("command", {"id": 30, "orderId": 7, "commandType": "Cancel", "commandStatus": "Pending"})
    report = ("commandReport", {"id": 31, "commandId": 30, "commandStatus": "ExecutionRejected", "text": "too late"})
    frames = [report, command] if report_first else [command, report]
    events = [event for frame in frames for event in told(made, frame)]
    assert events == [CancelRefused(Code.ORDER_REJECTED, "too late", broker_order_id="7")]


def test_a_rejection_after_the_id_carries_the_risk_checks_reason() -> None:
    made = blotter()
    told(made, *LIFE[:3])
    report = {
        "id": 8,
        "commandId": 7,
        "commandStatus": "RiskRejected",
        "rejectReason": "MaxPosLimitReached",
        "text": "limit",
    }
    events = told(made, ("commandReport", report), ("order", ORDER | {"ordStatus": "Rejected"}))
    assert events == [Rejected(Code.POSITION_SIZE_EXCEEDED, "limit", broker_order_id="7")]


def test_a_fill_that_is_no_longer_active_is_void_and_another_price_a_correction_f18() -> None:
    made = working()
    told(made, ("fill", FILLS[0]))
    (corrected,) = told(made, ("fill", FILLS[0] | {"price": 6890.5}))
    assert isinstance(corrected, Corrected)
    assert (corrected.execution_id, corrected.fill.price) == ("9", Decimal("6890.5"))
    assert told(made, ("fill", FILLS[0] | {"price": 6890.5, "active": False})) == [Busted("9")]


def test_a_fill_that_is_void_before_anybody_heard_of_it_is_told_before_its_end_f18() -> None:
    filled, busted = told(working(), ("fill", FILLS[0] | {"active": False}))
    assert isinstance(filled, Filled)
    assert busted == Busted("9")


def test_a_fee_that_comes_after_its_fill_restates_it_once() -> None:
    made = working()
    (filled,) = told(made, ("fill", FILLS[0]))
    assert isinstance(filled, Filled)
    (restated,) = told(made, ("fillFee", {"id": 9, "commission": 1.5, "exchangeFee": 0.59}))
    assert isinstance(restated, Corrected)
    assert (restated.execution_id, restated.fill.fee) == ("9", Decimal("2.09"))
    assert (restated.fill.quantity, restated.fill.price) == (filled.fill.quantity, filled.fill.price)
    assert told(made, ("fillFee", {"id": 9, "commission": 1.5, "exchangeFee": 0.59})) == []
    (corrected,) = told(made, ("fill", FILLS[0] | {"price": 6890.5}))
    assert isinstance(corrected, Corrected)
    assert corrected.fill.fee == Decimal("2.09")


@pytest.mark.parametrize("fee_first", [True, False])
def test_a_fee_finds_its_fill_that_waits_to_be_described(*, fee_first: bool) -> None:
    made = blotter()
    rows: list[tuple[str, dict[str, Any]]] = [("fill", FILLS[0]), ("fillFee", {"id": 9, "commission": 2})]
    for row in reversed(rows) if fee_first else rows:
        assert told(made, row) == []
    filled = [one for one in told(made, *LIFE[:3]) if isinstance(one, Filled)]
    assert [one.fill.fee for one in filled] == [Decimal(2)]


OTHER = FILLS[0] | {"id": 909}  # the execution of FILLS[0] under another id


def trade(number: int, counted: int) -> tuple[str, dict[str, Any]]:
    return "executionReport", {"id": number, "orderId": 7, "execType": "Trade", "cumQty": counted}


def test_f14_an_execution_under_a_second_id_is_no_news_while_the_exchange_counts_it_once() -> None:
    made = working()
    assert len(told(made, trade(10, 1), ("fill", FILLS[0]))) == 1
    assert told(made, ("fill", OTHER)) == []
    assert told(made, ("fill", OTHER)) == []


def test_an_equal_execution_is_news_once_the_exchange_counts_both() -> None:
    made = working()
    told(made, trade(10, 1), ("fill", FILLS[0]))
    assert told(made, ("fill", OTHER)) == []
    (late,) = told(made, trade(12, 2))
    assert isinstance(late, Filled)
    assert late.fill.id == "909"
    assert told(made, ("fill", OTHER)) == []


def test_without_a_count_equal_executions_are_news_up_to_the_orders_quantity_f14() -> None:
    made = working()
    news = [told(made, ("fill", FILLS[0] | {"id": number})) for number in (9, 90, 91, 92)]
    assert [len(one) for one in news] == [1, 1, 1, 0]


def test_f18_a_bust_under_the_second_id_voids_the_execution_that_was_told() -> None:
    made = working()
    told(made, trade(10, 1), ("fill", FILLS[0]))
    assert told(made, ("fill", OTHER)) == []
    assert told(made, ("fill", OTHER | {"active": False})) == [Busted("9")]
    assert told(made, ("order", ORDER | {"ordStatus": "Working"}), ("fill", OTHER)) == []


def test_f18_a_bust_leaves_no_room_for_the_second_id_of_what_was_void() -> None:
    made = working()
    told(made, trade(10, 1), ("fill", FILLS[0]))
    told(made, ("fill", OTHER))
    assert told(made, ("fill", FILLS[0] | {"active": False})) == [Busted("9")]
    assert told(made, trade(12, 1)) == []


def test_f14_f18_a_correction_under_the_second_id_is_of_the_execution_that_was_told() -> None:
    made = working()
    told(made, trade(10, 1), ("fill", FILLS[0]))
    (corrected,) = told(made, ("fill", OTHER | {"price": 6890.5}))
    assert isinstance(corrected, Corrected)
    assert (corrected.execution_id, corrected.fill.id) == ("9", "9")
    assert told(made, ("fill", OTHER | {"price": 6890.5})) == []
    (late,) = told(made, trade(12, 2), ("fill", OTHER | {"id": 910, "price": 6890.5}))
    assert isinstance(late, Filled), "the exchange counts another one"


def test_f14_f18_an_execution_that_is_listed_under_its_other_id_corrected_by_now_keeps_the_id_it_was_told_under() -> (
    None
):
    made = working()
    told(made, trade(10, 1), ("fill", FILLS[0]))
    corrected = row("fill", OTHER | {"price": 6890.5})
    told_ids: Any = made.told_ids
    assert told_ids([corrected]) == {909: 9}


def test_f14_a_listed_execution_keeps_the_id_it_was_told_under() -> None:
    made = working()
    told(made, trade(10, 1), ("fill", FILLS[0]), ("fill", FILLS[1]))
    rows = {number: row("fill", one) for number, one in {9: FILLS[0], 909: OTHER, 11: FILLS[1]}.items()}
    strange = row("fill", FILLS[0] | {"id": 910, "orderId": 8})
    third = row("fill", FILLS[0] | {"id": 911})
    told_ids: Any = made.told_ids
    assert told_ids([rows[9], rows[909], rows[11], strange]) == {9: 9, 909: 909, 11: 11, 910: 910}
    for _ in range(2):
        assert told_ids([rows[909], rows[11], third]) == {909: 9, 11: 11, 911: 911}, "one id has one other"
    (corrected,) = told(made, ("fill", OTHER | {"price": 6890.5}))
    assert isinstance(corrected, Corrected)
    assert (corrected.execution_id, corrected.fill.id) == ("9", "9")


@pytest.mark.parametrize(
    "lie",
    [
        ("fill", FILLS[0] | {"qty": -1}),
        ("fill", FILLS[0] | {"action": "Gift"}),
        ("fill", FILLS[0] | {"contractId": 1}),
        ("orderVersion", VERSION | {"id": 40, "orderQty": -3}),
    ],
)
def test_what_cannot_be_is_kept_apart_and_nothing_crashes_f39(lie: tuple[str, dict[str, Any]]) -> None:
    made = working()
    assert told(made, lie) == []
    assert len(made.bad) == 1


def test_orders_of_other_accounts_and_of_what_we_do_not_trade_are_no_news() -> None:
    made = blotter()
    assert told(made, ("order", ORDER | {"accountId": 5}), *LIFE[1:3]) == []
    made = blotter()
    assert told(made, ("order", ORDER | {"contractId": 1}), *LIFE[1:3], ("fill", FILLS[0])) == []
    assert made.undescribed() == []


def test_the_state_of_things_at_the_start_is_no_news_and_an_older_one_takes_nothing_back_f16() -> None:
    made = blotter()
    made.begin([row(*one) for one in LIFE], NOW)
    assert made.begun
    assert told(made, *LIFE[:5], *LIFE[6:9]) == []
    assert made.id_of(KEY) == 7


def test_the_oldest_finished_orders_are_forgotten() -> None:
    contracts = blotter()._contracts
    made = Blotter(contracts, keep=2)
    made.names = {1009: "DEMO"}
    for number in range(5):
        order = ORDER | {"id": number, "ordStatus": "Filled"}
        made.take(
            [
                row("order", order),
                row("orderVersion", VERSION | {"id": number, "orderId": number}),
                row("command", COMMAND | {"id": number, "orderId": number, "clOrdId": f"k{number}"}),
            ],
            NOW,
        )
    assert [made.id_of(f"k{number}") for number in range(5)] == [None, None, None, 3, 4]
    assert len(made._entries) == len(made._orders) == 2


def test_a_change_and_a_cancel_under_way_fit_the_lifecycle() -> None:
    made = working()
    life = advance(life_after([]), Working(broker_order_id="7"))
    life = advance(life, ReplaceRequested(Change(KEY, limit_price=Decimal(6891), quantity=Decimal(2))))
    frame = (
        ("command", MODIFY),
        ("orderVersion", NEWER),
        ("executionReport", {"id": 21, "commandId": 20, "orderId": 7, "execType": "Replaced"}),
    )
    for event in told(made, *frame):
        life = advance(life, event)
    assert (life.state, life.order.quantity) == (OrderState.WORKING, Decimal(2))
    life = advance(life, CancelRequested())
    for event in told(made, ("order", ORDER | {"ordStatus": "Canceled"})):
        life = advance(life, event)
    assert life.state is OrderState.CANCELED
