"""The board: changes become whole quotes, volume becomes trades, and what cannot be is kept out."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.instruments import Kind
from brokers.market import Bar, MarketEvent, Quote, Trade
from brokers.thinkorswim import Activity, Delayed, Quarantined
from brokers.thinkorswim.board import Board
from brokers.thinkorswim.wire import Batch

D = Decimal
NOW = 1_767_625_200_000_000_000
STAMP = NOW // 1_000_000
ES, AMD = "/ESZ25", "AMD"


def a_board(*, delayed_data: bool = False) -> Board:
    board = Board(lot_shares=100, delayed_data=delayed_data)
    board.watch(ES, "ESZ25", Kind.FUTURE)
    board.watch(AMD, "AMD", Kind.STOCK)
    return board


def say(board: Board, key: str = ES, service: str = "", stamp: int = STAMP, **fields: Any) -> list[MarketEvent]:
    """The events of one row; `f1=2` is field 1."""
    row = {"key": key, **{name.removeprefix("f"): value for name, value in fields.items()}}
    named = service or ("LEVELONE_FUTURES" if key == ES else "LEVELONE_EQUITIES")
    return list(board.take(Batch(named, msgspec.Raw(json.dumps([row]).encode()), stamp), NOW))


def kept_out(board: Board) -> list[str]:
    return [one.field for one in board.told() if isinstance(one, Quarantined)]


def test_a_change_is_merged_with_what_was_said_before() -> None:
    board = a_board()
    say(board, f1=100.25, f2=100.5, f4=3, f5=4, f10=STAMP - 5)
    (quote,) = say(board, f1=100.5, f10=STAMP)
    assert quote == Quote("ESZ25", D("100.5"), D("100.5"), D(3), D(4), NOW)


def test_the_first_word_may_leave_a_side_open() -> None:
    assert say(a_board(), f1=5.25, f4=1) == [Quote("ESZ25", D("5.25"), None, D(1), D(0), NOW)]


def test_without_a_time_of_the_market_the_message_s_own_counts_and_else_ours() -> None:
    assert say(a_board(), f1=1, stamp=STAMP - 7)[0].time_ns == NOW - 7_000_000
    assert say(a_board(), f1=1, stamp=0)[0].time_ns == NOW
    assert say(a_board(), f1=1, f10=5, stamp=STAMP)[0].time_ns == NOW


def test_displayed_sizes_of_stocks_are_lots_and_those_of_futures_contracts() -> None:
    (quote,) = say(a_board(), AMD, f1=217.5, f2=217.6, f4=2, f5=3)
    assert isinstance(quote, Quote)
    assert (quote.bid_size, quote.ask_size) == (D(200), D(300))


def test_volume_makes_trades_but_the_first_word_of_it_does_not() -> None:
    board = a_board()
    assert not [one for one in say(board, f3=100, f8=5000) if isinstance(one, Trade)]
    assert say(board, f3=100.25, f8=5007, f11=STAMP + 1) == [Trade("ESZ25", D("100.25"), D(7), NOW + 1_000_000)]
    assert say(board, f8=5008) == [Trade("ESZ25", D("100.25"), D(1), NOW + 1_000_000)]
    assert say(board, f8=5008) == []


def test_a_new_day_counts_its_volume_from_nothing() -> None:
    board = a_board()
    say(board, f3=100, f8=5000)
    (trade,) = say(board, f8=4)
    assert isinstance(trade, Trade)
    assert trade.size == D(4)


def test_after_an_interruption_nothing_old_is_left() -> None:
    board = a_board()
    say(board, f1=100, f2=101, f4=1, f5=1, f3=100, f8=5000)
    board.forget_prices()
    assert say(board, f2=102, f8=5100, f3=101) == [Quote("ESZ25", None, D(102), D(0), D(0), NOW)]


def test_symbols_that_nobody_watches_are_counted_and_dropped() -> None:
    board = a_board()
    board.leave(ES)
    assert say(board, f1=1) == []
    assert board.statistics().strays == 1


@pytest.mark.parametrize(
    ("key", "fields", "field"),
    [
        (ES, {"f1": "NaN"}, "bid"),
        (ES, {"f2": "Infinity"}, "ask"),
        (ES, {"f1": "1" * 50}, "bid"),
        (ES, {"f1": "1e-300"}, "bid"),
        (ES, {"f4": -1}, "bid_size"),
        (ES, {"f8": -1}, "volume"),
        (ES, {"f1": 0, "f4": 5}, "bid"),
        (AMD, {"f2": -1.5}, "ask"),
        (AMD, {"f3": -1.5}, "last"),
        (ES, {"f1": {}}, "bid"),
        (ES, {"f1": True}, "bid"),
        (ES, {"f4": "sNaN"}, "bid_size"),
        (ES, {"f4": {}}, "row"),
        (ES, {"f10": "soon"}, "row"),
    ],
)
def test_F39_what_cannot_be_is_kept_out_and_counts_as_not_known(key: str, fields: dict[str, Any], field: str) -> None:
    board = a_board()
    say(board, key, f1=100, f2=101, f4=1, f5=1)
    for event in say(board, key, **fields):
        assert isinstance(event, Quote)
        for side, size in ((event.bid, event.bid_size), (event.ask, event.ask_size)):
            assert side is None or side > 0
            assert size >= 0
    assert kept_out(board) == [field]
    assert say(board, key, f1=100, f2=101, f4=1, f5=1)


def activity(board: Board, seq: int, kind: str, body: Any) -> None:
    say(board, "Account Activity", "ACCT_ACTIVITY", seq=seq, f1="12345678", f2=kind, f3=body)


def test_account_activity_is_told_once_with_its_order_and_without_the_account_s_whole_number() -> None:
    board = a_board()
    activity(board, 0, "SUBSCRIBED", None)
    for _ in range(2):
        activity(board, 1, "OrderCreated", '{"SchwabOrderID":"1002345678901","AccountNumber":"12345678"}')
    activity(board, 2, "OrderFillCompleted", "{}")
    assert board.told() == [
        Activity("5678", "OrderCreated", "1002345678901"),
        Activity("5678", "OrderFillCompleted", ""),
    ]
    board.forget_prices()
    activity(board, 1, "CancelAccepted", '{"SchwabOrderID":"7"}')
    activity(board, 2, "ERROR", "EXPIRED_KEY")
    assert [type(one) for one in board.told()] == [Activity, Quarantined]
    assert board.statistics().strays == 0


def test_a_row_that_cannot_be_read_may_have_changed_anything() -> None:
    board = a_board()
    say(board, f1=100, f2=101, f4=1, f5=1)
    say(board, f4=[])
    assert say(board, f2=102) == [Quote("ESZ25", None, D(102), D(0), D(0), NOW)]


def test_prices_of_futures_may_be_negative_and_no_price_is_none() -> None:
    board = a_board()
    (quote,) = say(board, f1=-37.63, f4=1, f2=0, f5=0)
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.ask) == (D("-37.63"), None)
    assert kept_out(board) == []


def test_delayed_data_is_told_once_and_not_passed_on_unless_it_is_wanted() -> None:
    board = a_board()
    assert say(board, delayed=True, f1=1) == []
    assert say(board, f1=2) == []
    assert board.told() == [Delayed("ESZ25")]
    assert board.statistics().delayed == ("ESZ25",)
    assert len(say(a_board(delayed_data=True), delayed=True, f1=1)) == 1


@pytest.mark.parametrize(
    "wrong",
    [{"f3": 5}, {"f4": 99}, {"f6": -1}, {"f1": 7}, {"f2": "NaN"}, {"f5": 10**50}],
)
def test_F39_a_bar_that_cannot_be_is_kept_out(wrong: dict[str, Any]) -> None:
    board = a_board()
    good: dict[str, Any] = {"f1": STAMP, "f2": 10, "f3": 12, "f4": 9, "f5": 11, "f6": 100}
    assert say(board, service="CHART_FUTURES", **{**good, **wrong}) == []
    assert len(board.told()) == 1
    (bar,) = say(board, service="CHART_FUTURES", **good)
    assert isinstance(bar, Bar)
    assert bar.time_ns == NOW + 60 * 10**9


def test_F14_a_bar_that_comes_again_or_late_is_not_given_out_twice() -> None:
    board = a_board()
    for place, news in ((0, True), (0, False), (1, True), (0, False)):
        fields: dict[str, Any] = {"f1": STAMP + 60_000 * place, "f2": 10, "f3": 12, "f4": 9, "f5": 11, "f6": 100}
        assert bool(say(board, service="CHART_FUTURES", **fields)) is news
    assert board.statistics().repeated_bars == 2


def test_content_that_is_no_list_is_kept_out() -> None:
    board = a_board()
    assert board.take(Batch("LEVELONE_FUTURES", msgspec.Raw(b'{"key":1}'), STAMP), NOW) == []
    assert kept_out(board) == ["content"]


CHANGES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "1": st.integers(1, 10**6).map(lambda ticks: D(ticks) / 4),
            "2": st.integers(1, 10**6).map(lambda ticks: D(ticks) / 4),
            "4": st.integers(0, 500).map(D),
            "5": st.integers(0, 500).map(D),
        },
    ),
    max_size=12,
)


@given(CHANGES)
def test_whatever_changes_in_whatever_order_the_quote_is_the_sum_of_all_words(
    changes: list[dict[str, Decimal]],
) -> None:
    board, known = a_board(), {"1": None, "2": None, "4": D(0), "5": D(0)}
    for change in changes:
        known |= change
        row = ",".join([f'"key":"{ES}"', *(f'"{field}":{value}' for field, value in change.items())])
        events = board.take(Batch("LEVELONE_FUTURES", msgspec.Raw(f"[{{{row}}}]".encode()), STAMP), NOW)
        assert events == ([Quote("ESZ25", known["1"], known["2"], known["4"], known["5"], NOW)] if change else [])  # type: ignore[arg-type]  # sizes are never None
    assert kept_out(board) == []


@given(st.lists(st.integers(0, 50), max_size=20))
def test_trades_add_up_to_the_volume_that_went_by(steps: list[int]) -> None:
    board, total, traded = a_board(), 1000, D(0)
    say(board, f3=100, f8=total)
    for step in steps:
        total += step
        traded += sum((one.size for one in say(board, f8=total) if isinstance(one, Trade)), D(0))
    assert traded == sum(steps)
