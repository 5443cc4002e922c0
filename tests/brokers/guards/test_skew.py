"""F21, S60: the broker's clock is known within a second from the Date of its answers, whatever our own does."""

from email.utils import formatdate

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.guards.skew import SPAN_NS, Bounds, BrokerClock, ClockMoved, Learned, Skew
from brokers.guards.timeline import SECOND_NS

MS = SECOND_NS // 1000
EPOCH_NS = 1_767_625_200 * SECOND_NS
Trip = tuple[int, int, int]  # since the answer before, there, and back
trips = st.lists(
    st.tuples(st.integers(0, 400 * SECOND_NS), st.integers(0, 3 * SECOND_NS), st.integers(0, 3 * SECOND_NS)),
    min_size=1,
    max_size=30,
)
offsets = st.integers(-4000 * SECOND_NS, 4000 * SECOND_NS)


@attrs.define(eq=False)
class Clock:
    """A clock that the test turns; `off_ns` is how far its wall is ahead of the broker's."""

    steady_ns: int = 0
    off_ns: int = 0

    def monotonic_ns(self) -> int:
        return self.steady_ns

    def wall_ns(self) -> int:
        return EPOCH_NS + self.steady_ns + self.off_ns


@attrs.define(eq=False)
class Broker:
    """A broker whose clock is right, asked by a daemon whose clock need not be."""

    clock: Clock = attrs.field(factory=Clock)
    told: list[ClockMoved] = attrs.field(factory=list)
    off_s: int = 0  # of the machine that answers
    known: BrokerClock = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.known = BrokerClock("acme", self.clock, self.told.append)

    def asked(self, trip: Trip = (SECOND_NS, 20 * MS, 20 * MS)) -> None:
        wait_ns, there_ns, back_ns = trip
        self.clock.steady_ns += wait_ns
        sent_ns = self.known.sending()
        self.clock.steady_ns += there_ns
        date = formatdate((EPOCH_NS + self.clock.steady_ns) // SECOND_NS + self.off_s, usegmt=True)
        self.clock.steady_ns += back_ns
        self.known.answered(sent_ns, date)

    @property
    def skews(self) -> list[Skew]:
        return [moved.skew for moved in self.told]


@given(trips)
def test_F21_the_true_offset_is_always_within_what_was_learned(told: list[Trip]) -> None:
    broker = Broker()
    for trip in told:
        broker.asked(trip)
        found = broker.known.learned.bounds
        assert found is not None
        assert found.low_ns <= EPOCH_NS < found.high_ns
        assert found.high_ns - found.low_ns <= SECOND_NS + trip[1] + trip[2], "and no wider than the last answer"


@given(trips, offsets)
def test_S60_nobody_is_accused_of_more_than_is_certain(told: list[Trip], off_ns: int) -> None:
    broker = Broker(Clock(off_ns=off_ns))
    for trip in told:
        broker.asked(trip)
    for moved in broker.told:
        assert abs(moved.ahead_ns) <= abs(off_ns)
        assert moved.ahead_ns * off_ns >= 0
    if abs(off_ns) <= 2 * SECOND_NS:
        assert not broker.told, "a clock that is right, or nearly so, is left in peace whatever the network does"


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("off_s", "skew"), [(1.9, None), (3.2, Skew.NOTICED), (29, Skew.NOTICED), (32, Skew.FAR)])
def test_S60_two_seconds_are_noticed_and_thirty_are_far(off_s: float, skew: Skew | None, sign: int) -> None:
    broker = Broker(Clock(off_ns=round(sign * off_s * SECOND_NS)))
    for _ in range(3):
        broker.asked()
    assert broker.skews == ([] if skew is None else [skew])


def test_F21_a_wall_that_is_set_is_known_with_the_next_answer_and_once_it_is_right_again_too() -> None:
    broker = Broker()
    for off_s, skews in ((0, []), (3600, [Skew.FAR]), (-3600, []), (5, [Skew.NOTICED]), (0, [Skew.NONE])):
        broker.clock.off_ns = off_s * SECOND_NS
        before = len(broker.told)
        broker.asked()
        broker.asked()
        assert broker.skews[before:] == skews
    assert broker.skews[-1] is Skew.NONE


def test_S60_one_answer_alone_is_not_believed_for_it_may_come_from_a_store_on_the_way() -> None:
    broker = Broker(off_s=3600)
    broker.asked()
    assert not broker.told
    assert broker.known.latest_ns(0) is None
    broker.off_s = 0
    for _ in range(3):
        broker.asked()
    assert not broker.told


def test_F21_a_suspended_machine_whose_steady_clock_stood_still_learns_anew() -> None:
    broker = Broker()
    broker.asked()
    broker.off_s = 600  # what passed in the world while it slept
    broker.clock.off_ns = 600 * SECOND_NS  # its wall was set right when it woke
    for _ in range(3):
        broker.asked()
    assert not broker.told


def test_what_was_learned_long_ago_counts_no_more() -> None:
    learned = Learned().after(Bounds(0, 10), 0).after(Bounds(5, 15), SPAN_NS)
    assert learned.bounds == Bounds(5, 10), "of the span before"
    assert learned.after(Bounds(6, 20), 2 * SPAN_NS).bounds == Bounds(6, 15)
    assert learned.after(Bounds(6, 20), 9 * SPAN_NS).bounds == Bounds(6, 20)


@pytest.mark.parametrize("date", ["", "soon", "Mon, 99 Jan 2026 15:00:00 GMT", "Mon, 05 Jan 20260000 15:00:00 GMT"])
def test_a_date_that_nobody_can_read_says_nothing(date: str) -> None:
    broker = Broker()
    broker.known.answered(broker.known.sending(), date)
    assert broker.known.learned == Learned()


@given(trips)
def test_F21_our_start_is_known_by_the_brokers_clock_within_a_second_and_never_too_early(told: list[Trip]) -> None:
    broker = Broker(Clock(off_ns=3600 * SECOND_NS))
    for trip in told:
        broker.asked(trip)
    latest_ns = broker.known.latest_ns(0)
    assert latest_ns is None or EPOCH_NS < latest_ns <= EPOCH_NS + SECOND_NS + told[-1][1] + told[-1][2]
