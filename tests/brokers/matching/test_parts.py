"""The small parts: what is still to happen, and what a display has left."""

from decimal import Decimal
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.market import Depth, Level, Quote
from brokers.matching import Latency, VenueRules
from brokers.matching.agenda import NEVER, Agenda
from brokers.matching.book import Book
from brokers.matching.prices import on_grid
from brokers.sides import Side

D = Decimal


def _nothing() -> None:
    pass


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans())))
def test_the_agenda_gives_by_time_then_by_turn_what_was_not_struck_out(plan: list[tuple[int, bool]]) -> None:
    agenda = Agenda()
    done: list[tuple[int, int]] = []
    expected = []
    for turn, (time_ns, stays) in enumerate(plan):
        ticket = agenda.put(time_ns, partial(done.append, (time_ns, turn)))
        if stays:
            expected.append((time_ns, turn))
        else:
            agenda.strike(ticket)
        assert agenda.next_ns == min((time_ns for time_ns, _ in expected), default=NEVER)
    assert len(agenda) == len(expected)
    while (due := agenda.take(20)) is not None:
        due[1]()
    assert done == sorted(expected)


def test_the_agenda_keeps_no_room_for_what_was_struck_out() -> None:
    agenda = Agenda()
    for _ in range(10_000):
        agenda.strike(agenda.put(5, _nothing))
    tickets = [agenda.put(time_ns, _nothing) for time_ns in range(1000)]
    for ticket in tickets[1:]:
        agenda.strike(ticket)
    assert len(agenda) == 1
    assert len(agenda._heap) <= 2


def test_the_agenda_gives_nothing_that_is_not_due() -> None:
    agenda = Agenda()
    agenda.put(5, _nothing)
    assert agenda.take(4) is None
    assert agenda.take(5) == (5, _nothing)
    assert agenda.take(5) is None


def _book() -> Book:
    book = Book()
    asks = (Level(D(101), D(3)), Level(D(102), D(5)))
    book.show(Depth("X", (Level(D(99), D(4)), Level(D(97), D(6))), asks, 0), 1)
    return book


def test_a_book_knows_the_size_at_a_price_or_that_it_cannot_know() -> None:
    book = _book()
    shown = {price: book.displayed(Side.BUY, D(price)) for price in (100, 99, 98, 97, 96)}
    assert shown == {100: 0, 99: 4, 98: 0, 97: 6, 96: None}
    assert book.displayed(Side.SELL, D(103)) is None
    assert book.displayed(Side.SELL, D(100)) == 0


def test_a_side_without_any_display_has_no_size_anywhere() -> None:
    book = Book()
    book.show(Quote("X", None, D(101), D(0), D(5), 0), 1)
    assert book.displayed(Side.BUY, D(90)) == 0


def test_what_is_taken_is_gone_for_that_side_until_the_next_display() -> None:
    book = _book()
    assert book.take(Side.BUY, None, D(2)) == Level(D(101), D(2))
    assert book.available(Side.BUY, D(101)) == 1
    assert book.take(Side.BUY, D(101), D(9)) == Level(D(101), D(1))
    assert book.take(Side.BUY, D(101), D(9)) is None
    assert book.available(Side.BUY, None) == 5
    assert book.available(Side.SELL, None) == 10
    book.show(Quote("X", D(99), D(101), D(4), D(3), 0), 2)
    assert book.available(Side.BUY, None) == 3


def test_impact_never_invents_a_price_below_zero_out_of_one_above() -> None:
    book = Book()
    book.show(Quote("X", D(2), D(3), D(1), D(1), 0), 1)
    assert book.overdraw(Side.SELL, D(1), D(1)) == 1
    assert book.overdraw(Side.SELL, D(1), D(1)) is None
    assert Book().overdraw(Side.SELL, D(1), D(1)) is None


def test_a_number_too_large_for_its_grid_is_off_it() -> None:
    assert not on_grid(D("1e400"), D("0.01"))


@pytest.mark.parametrize("samples", [(), (5, -1)])
def test_a_latency_needs_delays_of_zero_or_more(samples: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one delay of 0 ns or more"):
        Latency(samples)


@pytest.mark.parametrize(
    "wrong",
    [
        {"standing_ns": -1},
        {"impact_ticks": -1},
        {"traded_share": D(0)},
        {"traded_share": D(2)},
        {"touch_chance": 1.5},
        {"bar_slippage_ticks": -1},
        {"keep_finished": -1},
    ],
)
def test_senseless_rules_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        VenueRules(**wrong)  # type: ignore[arg-type]  # wrong on purpose
