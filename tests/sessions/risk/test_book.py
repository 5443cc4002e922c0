"""The book as a fold: what may fill at worst, the day's result, and the same state after a restart."""

import contextlib
import datetime as dt
import os
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.risk.book import BadRiskEvent, RiskBook, Snapshot, fold
from sessions.risk.events import (
    ChangeAsked,
    ChangeSettled,
    Closed,
    DayBegan,
    Filled,
    LossLifted,
    Marked,
    Placed,
    Positioned,
    RiskEvent,
    Valued,
    from_plain,
    to_plain,
)
from sessions.risk.open_orders import Holding
from sessions.risk.pace import MINUTE_NS, Pace
from tests.sessions.risk.kit import BUY, NOW, SELL, S, wide

D = Decimal
NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
ES = Holding("es", "ESZ26")


def placed(key: str, side: object = BUY, quantity: int = 1, **more: object) -> Placed:
    return Placed("es", key, "ESZ26", side, D(quantity), NOW, D(250_000), **more)  # type: ignore[arg-type]


def filled(key: str | None, side: object, quantity: int) -> Filled:
    return Filled("es", key, "ESZ26", side, D(quantity))  # type: ignore[arg-type]


def told(*figures: object) -> tuple[object, ...]:
    return figures


def a_book(*events: RiskEvent) -> RiskBook:
    return fold(RiskBook("es", wide()), events)


def test_the_worst_position_counts_open_orders_until_they_are_closed() -> None:
    book = a_book(placed("A", BUY, 3), placed("B", SELL, 5))
    assert book.worst(ES) == 5
    fold(book, [filled("A", BUY, 2)])
    assert told(book.position(ES), book.worst(ES)) == (2, 3)
    fold(book, [Closed("es", "A"), Closed("es", "B")])
    assert told(book.worst(ES), book.exposure, len(book.orders)) == (2, 500_000, 0)
    fold(book, [filled("A", BUY, 1)])
    assert book.position(ES) == 3, "a late fill of a closed order still moves the position"


def test_a_change_counts_on_both_terms_until_it_is_settled() -> None:
    book = a_book(placed("A", BUY, 3), ChangeAsked("es", "A", D(5), NOW))
    assert book.worst(ES) == 5
    fold(book, [ChangeSettled("es", "A", D(4))])
    assert book.worst(ES) == 4
    fold(book, [ChangeAsked("es", "A", D(1), NOW)])
    assert book.worst(ES) == 4
    assert len(book.pace.stamps) == 3


def test_the_exits_of_a_bracket_fill_no_further_than_its_entry_and_only_once() -> None:
    book = a_book(
        placed("A", BUY, 3),
        placed("A.1", SELL, 3, group="G", parent="A"),
        placed("A.2", SELL, 3, group="G", parent="A"),
    )
    assert told(book.worst(ES), book.orders.live(ES, SELL)) == (3, 0)
    fold(book, [filled("A", BUY, 2)])
    assert told(book.worst(ES), book.orders.live(ES, SELL)) == (3, 2)
    fold(book, [filled("A", BUY, 1), Closed("es", "A"), filled("A.1", SELL, 1)])
    assert told(book.position(ES), book.orders.live(ES, SELL)) == (2, 2)
    fold(book, [filled("A.1", SELL, 2), Closed("es", "A.1")])
    assert told(book.position(ES), book.worst(ES)) == (0, 0), "the sibling is about to be cancelled"
    fold(book, [Closed("es", "A.2")])
    assert book.orders.groups == {}


def test_of_an_oco_only_the_larger_order_of_a_side_counts() -> None:
    book = a_book(*(placed(key, side, n, group="G") for key, side, n in (("A", BUY, 2), ("B", BUY, 3), ("C", SELL, 4))))
    assert told(book.orders.live(ES, BUY), book.orders.live(ES, SELL), book.worst(ES)) == (3, 4, 4)
    fold(book, [Closed("es", "B")])
    assert book.orders.live(ES, BUY) == 2


def test_a_portfolio_adds_up_without_netting() -> None:
    book = RiskBook(None, wide())
    fold(book, [Positioned("a", "ESZ26", D(3)), Positioned("b", "ESZ26", D(-2))])
    assert told(book.gross("ESZ26"), book.exposure) == (5, None), "no price is known yet"
    fold(book, [Marked("a", "ESZ26", D(100))])
    assert book.exposure == 500


def test_a_session_book_ignores_what_is_not_its_own() -> None:
    book = a_book()
    before = book.snapshot()
    fold(book, [Positioned("nq", "NQZ26", D(3)), Valued("nq", D(1), D(1)), DayBegan(None, dt.date(2026, 1, 2))])
    fold(book, [Closed("es", "?"), ChangeSettled("es", "?", D(1)), LossLifted("nq", "me")])
    assert book.snapshot() == before


@pytest.mark.parametrize("number", [D(0), D(-1), D("NaN"), D("sNaN"), D("Infinity"), D("1e99")])
def test_f39_g7_a_senseless_number_is_refused_whole(number: Decimal) -> None:
    book = a_book(placed("A", BUY, 3))
    before = book.snapshot()
    bad: list[RiskEvent] = [
        Placed("es", "B", "ESZ26", BUY, number, NOW),
        Filled("es", "A", "ESZ26", BUY, number),
        ChangeAsked("es", "A", number, NOW),
        ChangeSettled("es", "A", number),
    ]
    if not number.is_finite() or number.adjusted() > 9:
        bad += [Positioned("es", "ESZ26", number)]
    if not number.is_zero():
        bad += [Marked("es", "ESZ26", number), Placed("es", "B", "ESZ26", BUY, D(1), NOW, number)]
    for event in bad:
        with pytest.raises(BadRiskEvent) as raised:
            book.apply(event)
        assert raised.value.event is event
        assert book.snapshot() == before


def test_f39_a_fill_of_another_symbol_or_side_than_its_order_is_refused() -> None:
    book = a_book(
        placed("A", BUY, 3), placed("A.1", SELL, 3, group="G", parent="A"), filled("A", BUY, 3), Closed("es", "A")
    )
    before = book.snapshot()
    for wrong in (
        Filled("es", "A.1", "NQZ26", SELL, D(1)),
        filled("A.1", BUY, 1),
        Filled("es", "A", "NQZ26", BUY, D(1)),
    ):
        with pytest.raises(BadRiskEvent):
            book.apply(wrong)
    assert book.snapshot() == before


# The day.

MONDAY, TUESDAY = dt.date(2026, 3, 9), dt.date(2026, 3, 10)


def valued(amount: int) -> Valued:
    return Valued("es", D(amount), D(0))


def losing(reset: str = "trading_day") -> RiskBook:
    return RiskBook("es", wide(daily_loss=D(100), loss_reset=reset))


def standing(book: RiskBook) -> tuple[object, bool]:
    return book.result.today, book.result.tripped


def test_the_first_valuation_is_where_the_day_begins() -> None:
    book = fold(losing(), [valued(5_000), valued(4_950)])
    assert standing(book) == (-50, False)
    book.apply(valued(4_900))
    assert book.result.tripped


def test_a_first_valuation_without_sense_hides_no_loss() -> None:
    book = fold(losing(), [Valued("es", D("NaN"), D(0)), valued(5_000), valued(4_900)])
    assert book.result.tripped


def test_a_reached_loss_stays_reached_when_the_market_comes_back() -> None:
    book = fold(losing(), [DayBegan("es", MONDAY), valued(0), valued(-100), valued(50)])
    assert standing(book) == (50, True)


def test_s44_the_loss_survives_a_restart_and_ends_with_the_trading_day() -> None:
    book = fold(losing(), [DayBegan("es", MONDAY), valued(0), valued(-100)])
    kept = Snapshot.from_json(book.snapshot().to_json())
    again = RiskBook.restored("es", wide(daily_loss=D(100)), kept)
    fold(again, [valued(-90), DayBegan("es", MONDAY)])
    assert standing(again) == (-90, True)
    fold(again, [DayBegan("es", dt.date(2026, 3, 6))])
    assert again.result.tripped, "a day that is over does not come again"
    fold(again, [DayBegan("es", TUESDAY)])
    assert standing(again) == (0, False)


def test_s44_a_loss_that_an_operator_must_lift_survives_midnight() -> None:
    book = fold(
        losing("operator"), [DayBegan("es", MONDAY), valued(0), valued(-60), DayBegan("es", TUESDAY), valued(-100)]
    )
    assert standing(book) == (-100, True)
    fold(book, [LossLifted("es", "ann")])
    assert standing(book) == (0, False)


def test_a_day_that_begins_while_the_result_is_unknown_starts_from_what_was_last_known() -> None:
    book = fold(losing(), [DayBegan("es", MONDAY), valued(0), valued(-40), Valued("es", None, None)])
    assert book.result.today is None
    fold(book, [DayBegan("es", TUESDAY), valued(-130)])
    assert standing(book) == (-90, False)


# Pace.


@given(st.lists(st.integers(0, 40 * S), max_size=60), st.integers(1, 6), st.integers(1, 3))
def test_s44_no_window_ever_holds_more_than_the_limit(gaps: list[int], most: int, more: int) -> None:
    pace, now, sent = Pace(most), NOW, list[int]()
    for gap in gaps:
        now += gap
        fits = sum(stamp > now - MINUTE_NS for stamp in sent) + more <= most
        assert pace.has_room(more, most, MINUTE_NS, now) is fits
        if fits:
            sent += [now] * more
            for _ in range(more):
                pace.count(now)


def test_a_clock_that_is_set_back_makes_no_room() -> None:
    pace = Pace(2)
    pace.count(NOW)
    pace.count(NOW - 3600 * S)
    assert not pace.has_room(1, 2, MINUTE_NS, NOW)
    assert pace.has_room(1, 2, MINUTE_NS, NOW + MINUTE_NS)


# Folding and keeping.

_keys = st.sampled_from("ABCDEF")
_sessions = st.sampled_from(["es", "nq"])
_sizes = st.integers(1, 50).map(lambda n: D(n) / 10)
_worths = st.integers(0, 10_000).map(D)
_money = st.one_of(st.none(), st.integers(-300, 300).map(D), st.just(D("NaN")))
_sides = st.sampled_from([BUY, SELL])
_symbols = st.sampled_from(["ESZ26", "NQZ26"])
_groups = st.sampled_from([(None, None), (None, None), ("G", None), ("H", "A")])


@st.composite
def _placed(draw: st.DrawFn) -> Placed:
    group, parent = draw(_groups)
    key, session, symbol = draw(_keys), draw(_sessions), draw(_symbols)
    if group is not None:  # a group is of one session and symbol
        session, symbol = "es", "ESZ26"
    worth = draw(st.one_of(st.none(), _worths))
    return Placed(session, key, symbol, draw(_sides), draw(_sizes), draw(st.integers(0, 10**12)), worth, group, parent)


EVENTS: st.SearchStrategy[RiskEvent] = st.one_of(
    _placed(),
    _placed(),
    st.builds(Filled, _sessions, st.one_of(st.none(), _keys), _symbols, _sides, _sizes),
    st.builds(ChangeAsked, _sessions, _keys, _sizes, st.integers(0, 10**12), st.one_of(st.none(), _worths)),
    st.builds(ChangeSettled, _sessions, _keys, _sizes),
    st.builds(Closed, _sessions, _keys),
    st.builds(Positioned, _sessions, _symbols, st.integers(-9, 9).map(D)),
    st.builds(Marked, _sessions, _symbols, _worths),
    st.builds(Valued, _sessions, _money, _money),
    st.builds(DayBegan, st.sampled_from([None, "es"]), st.sampled_from([MONDAY, TUESDAY])),
    st.builds(LossLifted, st.sampled_from([None, "es"]), st.just("ann")),
)


def taken(book: RiskBook, events: list[RiskEvent]) -> RiskBook:
    """The book after the events of which sense can be made."""
    for event in events:
        with contextlib.suppress(BadRiskEvent):
            book.apply(event)
    return book


def figures(book: RiskBook) -> object:
    """All that a book answers, derived sums included."""
    holdings = [Holding(session, symbol) for session in ("es", "nq") for symbol in ("ESZ26", "NQZ26")]
    return (
        book.snapshot(),
        [(book.worst(one), book.orders.live(one, BUY), book.orders.live(one, SELL)) for one in holdings],
        [book.gross(symbol) for symbol in ("ESZ26", "NQZ26")],
        book.exposure,
        (book.result.today, book.result.tripped),
    )


@settings(max_examples=80 * NIGHTLY, deadline=None)
@given(st.lists(EVENTS, max_size=40), st.integers(0, 40), st.sampled_from([None, "es"]))
def test_fold_and_restore_at_any_point_give_the_same_state(
    events: list[RiskEvent], cut: int, session: str | None
) -> None:
    limits = wide(daily_loss=D(100), orders_per_minute=5)
    whole = taken(RiskBook(session, limits), events)
    kept = taken(RiskBook(session, limits), events[:cut]).snapshot().to_json()
    again = RiskBook.restored(session, limits, Snapshot.from_json(kept))
    assert figures(taken(again, [from_plain(to_plain(event)) for event in events[cut:]])) == figures(whole)


@settings(max_examples=50 * NIGHTLY, deadline=None)
@given(st.lists(EVENTS, max_size=40))
def test_the_sums_that_are_kept_equal_the_sums_made_afresh(events: list[RiskEvent]) -> None:
    limits = wide()
    book = taken(RiskBook(None, limits), events)
    assert figures(RiskBook.restored(None, limits, book.snapshot())) == figures(book)
