"""One series told exactly: every bar that is over once and in order, and none before that is sure."""

import os
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from brokers.market import Bar, Interval
from brokers.tradovate.bar_tail import SETTLE_NS, BarTail

NIGHTLY = int(os.environ.get("PITBOSS_NIGHTLY", "1"))
MINUTE = Interval.parse("1m")
PRICE = Decimal(100)


def closing(minute: int) -> int:
    return minute * MINUTE.nanoseconds


def bars(*minutes: int) -> list[Bar]:
    return [Bar("ESZ25", MINUTE, PRICE, PRICE, PRICE, PRICE, Decimal(1), closing(one)) for one in minutes]


def tail_at(minute: int = 0) -> BarTail:
    return BarTail("ESZ25", MINUTE, closing(minute))


def test_the_newest_bar_is_told_once_a_later_one_was_seen_and_not_before() -> None:
    tail = tail_at()
    assert tail.see(bars(1), closing(1))
    assert tail.over(bars(1), closing(1)) == []
    assert not tail.see(bars(1), closing(1))
    assert tail.see(bars(2), closing(1))
    assert tail.over(bars(2, 1), closing(1)) == bars(1)
    assert tail.over(bars(1, 2), closing(1)) == []


def test_a_bar_that_nothing_follows_is_asked_for_once_when_its_time_is_long_up_and_told_then() -> None:
    tail = tail_at()
    tail.see(bars(1), closing(1))
    over_ns = closing(1) + SETTLE_NS
    assert not tail.due(over_ns - 1)
    assert tail.over(bars(1), over_ns - 1) == []
    assert tail.due(over_ns)
    assert not tail.due(over_ns)
    assert tail.over(bars(1), over_ns) == bars(1)


def test_f39_a_bar_of_the_future_finishes_none_that_runs_and_hides_none_that_comes() -> None:
    tail = tail_at()
    assert not tail.see(bars(500), closing(0))
    assert tail.see(bars(1), closing(0))
    assert tail.over(bars(1, 500), closing(0)) == []
    assert tail.see(bars(2), closing(1))
    assert tail.over(bars(1, 2, 500), closing(1)) == bars(1)


@given(st.data())
@settings(max_examples=100 * NIGHTLY, deadline=None)
def test_f01_f14_every_bar_is_told_once_in_order_and_none_that_runs(data: st.DataObject) -> None:
    closed = sorted(data.draw(st.sets(st.integers(1, 30), min_size=1)))
    begun = data.draw(st.integers(0, 10))
    tail, told = tail_at(begun), list[Bar]()
    for now in range(begun, 32):
        if data.draw(st.booleans()):
            tail.see(bars(*[one for one in closed if one <= now + 1][-2:]), closing(now))
        if data.draw(st.booleans()):
            running_too = data.draw(st.permutations([one for one in closed if one <= now + 1]))
            found = tail.over(bars(*running_too), closing(now) + 1)
            assert all(one.time_ns <= closing(now) for one in found)
            told += found
    told += tail.over(bars(*closed), closing(60))
    assert told == bars(*[one for one in closed if one > begun])
