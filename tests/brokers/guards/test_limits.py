"""What the meters promise, checked against servers that count for themselves."""

import random
from collections import defaultdict, deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.guards.limits import Bucket, Limit, RateMeter, Rolling, Window
from brokers.guards.operation import Priority, Usage
from brokers.guards.timeline import SECOND_NS
from tests.brokers.guards.rig import MS, NIGHTLY

NOW = 1_767_625_200 * SECOND_NS  # a whole minute
ARRIVALS = 10_000 * NIGHTLY
ANY, SPARE = Priority.REDUCE, Priority.QUERY


def admit(meter: RateMeter, cost: int, now: int, priority: Priority = ANY) -> bool:
    if meter.wait_ns(cost, priority, now):
        return False
    meter.take(cost, now)
    return True


def arrivals(chance: random.Random, period: int, number: int, lull: int) -> list[int]:
    """Arrival times with bursts, lulls, and everything between."""
    now, times = NOW, []
    for _ in range(number):
        gaps = (0, 0, 1, period // 200, chance.randrange(period // 50 + 1), chance.randrange(period))
        now += chance.choice(gaps) if chance.random() < 0.98 else chance.randrange(lull)
        times.append(now)
    return times


def worst_excess(limit: Bucket, admitted: list[tuple[int, int]]) -> int:
    """The largest (admitted - r t - b) over all windows, times the period; never positive if the promise holds."""
    worst, lowest, total = -limit.burst * limit.period_ns, 0, 0
    for number, (when, cost) in enumerate(admitted):
        elapsed = (when - admitted[0][0]) * limit.amount
        lowest = min(lowest, total - elapsed) if number else total - elapsed
        total += cost * limit.period_ns
        worst = max(worst, total - elapsed - lowest - limit.burst * limit.period_ns)
    return worst


@pytest.mark.parametrize(("amount", "burst"), [(1, 1), (10, 10), (10, 3), (7, 50), (1200, 100)])
def test_b11_no_window_admits_more_than_rate_times_time_plus_burst(amount: int, burst: int) -> None:
    limit, chance = Bucket("b", amount, SECOND_NS, burst=burst), random.Random(amount * burst)
    meter, admitted, refused = limit.meter(), [], 0
    for now in arrivals(chance, SECOND_NS // amount, ARRIVALS, 10 * SECOND_NS):
        cost = chance.randint(1, min(burst, 3))
        if admit(meter, cost, now):
            admitted.append((now, cost))
        else:
            refused += 1
    assert worst_excess(limit, admitted) <= 0
    assert min(len(admitted), refused) > ARRIVALS // 20, "both sides were tried"


@given(
    amount=st.integers(1, 50),
    period=st.integers(1, 10**10),
    burst=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 50)), max_size=80),
)
def test_b11_holds_for_any_bucket(amount: int, period: int, burst: int, steps: list[tuple[int, int]]) -> None:
    limit = Bucket("b", amount, period, burst=burst)
    meter, admitted, now = limit.meter(), [], NOW
    for gap, cost in steps:
        now += gap
        if cost <= burst and admit(meter, cost, now):
            admitted.append((now, cost))
    assert worst_excess(limit, admitted) <= 0


@given(amount=st.integers(1, 50), period=st.integers(1, 10**10), burst=st.integers(1, 50), seed=st.integers(0, 2**32))
def test_b11_a_caller_that_always_comes_at_the_first_moment_gets_no_more_either(
    amount: int, period: int, burst: int, seed: int
) -> None:
    limit, chance = Bucket("b", amount, period, burst=burst), random.Random(seed)
    meter, admitted, now = limit.meter(), [], NOW
    for _ in range(60):
        cost = chance.randint(1, burst)
        now += meter.wait_ns(cost, ANY, now)
        assert admit(meter, cost, now)
        admitted.append((now, cost))
    assert worst_excess(limit, admitted) <= 0


METERS: list[Limit] = [
    Bucket("bucket", 7, SECOND_NS, burst=10),
    Rolling("rolling", 10, SECOND_NS),
    Window("aligned", 10, 10 * SECOND_NS),
    Window("opened", 10, 10 * SECOND_NS, aligned=False),
]


@pytest.mark.parametrize("limit", METERS, ids=lambda limit: limit.name)
@given(seed=st.integers(0, 2**32), priority=st.sampled_from(Priority))
def test_b11_a_meter_has_room_when_it_says_it_will_and_never_earlier(
    limit: Limit, seed: int, priority: Priority
) -> None:
    meter, chance = limit.meter(), random.Random(seed)
    now = NOW
    for _ in range(40):
        now += chance.randrange(limit.period_ns // 4)
        cost = chance.randint(1, 4)
        wait = meter.wait_ns(cost, priority, now)
        assert wait >= 0
        if wait:
            assert meter.wait_ns(cost, priority, now + wait - 1)
            now += wait
        while isinstance(limit, Window) and (wait := meter.wait_ns(cost, priority, now)):
            now += wait  # what one window passes on may fill the next
        assert admit(meter, cost, now, priority)


class StrictServer:
    """At most `amount` in any period, counted when calls arrive."""

    def __init__(self, amount: int, period: int) -> None:
        self.period, self.seen = period, deque[tuple[int, int]]()

    def count(self, when: int, cost: int) -> int:
        while self.seen and self.seen[0][0] <= when - self.period:
            self.seen.popleft()
        self.seen.append((when, cost))
        return sum(cost for _, cost in self.seen)


class AlignedServer:
    """Fixed windows on the server's own clock."""

    def __init__(self, amount: int, period: int) -> None:
        self.period, self.counts = period, defaultdict[int, int](int)

    def count(self, when: int, cost: int) -> int:
        self.counts[when // self.period] += cost
        return self.counts[when // self.period]


class OpeningServer:
    """A window opens with the first call after the last one has ended."""

    def __init__(self, amount: int, period: int) -> None:
        self.period, self.ends, self.used = period, 0, 0

    def count(self, when: int, cost: int) -> int:
        if when >= self.ends:
            self.ends, self.used = when + self.period, 0
        self.used += cost
        return self.used


Server = Callable[[int, int], StrictServer | AlignedServer | OpeningServer]


def highest_count(limit: Rolling | Window, server: Server, chance: random.Random, number: int) -> tuple[int, int]:
    """The most the server ever counts when it hears every call we admit, late and by another clock; and how many."""
    meter = limit.meter()
    skew = chance.randint(-limit.slack_ns, 0) if server is AlignedServer else 0
    sent: list[tuple[int, int]] = []
    for now in arrivals(chance, limit.period_ns // limit.amount // 4, number, 2 * limit.period_ns):
        cost = chance.randint(1, 3)
        if admit(meter, cost, now):
            late = chance.choice((0, chance.randint(0, limit.slack_ns), limit.slack_ns - 1))
            sent.append((now + skew + late, cost))
    counting = server(limit.amount, limit.period_ns)
    return max(counting.count(when, cost) for when, cost in sorted(sent)), len(sent)


@pytest.mark.parametrize(
    ("limit", "server"),
    [
        (Rolling("10 a second", 10, SECOND_NS), StrictServer),
        (Rolling("250 a minute", 250, 60 * SECOND_NS), StrictServer),
        (Window("50 in 10 s", 50, 10 * SECOND_NS), AlignedServer),
        (Window("60 a minute", 60, 60 * SECOND_NS), AlignedServer),
        (Window("30 in 5 min", 30, 300 * SECOND_NS, aligned=False), OpeningServer),
        (Window("30 in 10 s", 30, 10 * SECOND_NS, aligned=False), OpeningServer),
    ],
    ids=lambda value: getattr(value, "name", value.__name__ if isinstance(value, type) else str(value)),
)
def test_b15_i15_the_broker_never_counts_more_than_it_allows(limit: Rolling | Window, server: Server) -> None:
    used_up = 0
    for seed in range(20):
        highest, sent = highest_count(limit, server, random.Random(seed), ARRIVALS // 20)
        assert highest <= limit.amount, seed
        assert sent > 0
        used_up += highest > 0.9 * limit.amount
    assert used_up, "the limit was put to the test"


@given(
    gaps=st.lists(st.integers(0, 4 * SECOND_NS), min_size=1, max_size=60),
    lates=st.lists(st.integers(0, 500 * MS), min_size=60, max_size=60),
)
def test_b15_windows_opened_by_the_first_call_hold_for_any_timing(gaps: list[int], lates: list[int]) -> None:
    limit = Window("w", 3, 5 * SECOND_NS, aligned=False)
    meter, sent, now = limit.meter(), [], NOW
    for gap, late in zip(gaps, lates, strict=False):
        now += gap
        if admit(meter, 1, now):
            sent.append(now + late)
    server = OpeningServer(3, 5 * SECOND_NS)
    assert all(server.count(when, 1) <= 3 for when in sorted(sent))


def test_b15_a_window_opened_by_a_call_of_doubtful_membership_is_not_taken_for_a_later_one() -> None:
    """The broker's second window opens with the late call; ours must not think it ends any later than that."""
    limit = Window("w", 10, 10 * SECOND_NS, aligned=False)
    meter, server, slack = limit.meter(), OpeningServer(10, 10 * SECOND_NS), limit.slack_ns
    end = NOW + 10 * SECOND_NS
    sent = [(NOW, 0, 1), (end - slack, slack, 1), (end + 5 * SECOND_NS, 0, 1)]
    sent += [(end + 10 * SECOND_NS, 0, 1)] * 20 + [(end + 16 * SECOND_NS, 0, 1)] * 20
    assert max(server.count(now + late, cost) for now, late, cost in sent if admit(meter, cost, now)) <= 10


def test_b15_a_fixed_window_does_not_slide_but_frees_everything_at_its_end() -> None:
    meter = Window("orders", 250, 300 * SECOND_NS, aligned=False, slack_ns=0).meter()
    for number in range(250):
        assert admit(meter, 1, NOW + number * SECOND_NS)
    now = NOW + 250 * SECOND_NS
    assert meter.wait_ns(1, ANY, now) == 50 * SECOND_NS
    assert not admit(meter, 1, NOW + 300 * SECOND_NS - 1)
    assert all(admit(meter, 1, NOW + 300 * SECOND_NS) for _ in range(250))


def test_b15_an_aligned_window_ends_with_the_clock_not_with_the_first_call() -> None:
    meter = Window("weight", 5, 60 * SECOND_NS, slack_ns=0).meter()
    assert all(admit(meter, 1, NOW + 59 * SECOND_NS) for _ in range(5))
    assert meter.wait_ns(1, ANY, NOW + 59 * SECOND_NS) == SECOND_NS
    assert admit(meter, 5, NOW + 60 * SECOND_NS)


def test_b15_calls_at_the_end_of_a_window_do_not_count_for_one_that_is_not_its_next() -> None:
    for limit in (Window("w", 5, 10 * SECOND_NS), Window("w", 5, 10 * SECOND_NS, aligned=False)):
        meter = limit.meter()
        assert admit(meter, 1, NOW)
        assert admit(meter, 4, NOW + 10 * SECOND_NS - 100 * MS)
        idle = limit.meter()
        for when, cost in ((NOW, 1), (NOW + 10 * SECOND_NS - 100 * MS, 4)):
            assert admit(idle, cost, when)
        assert meter.used(NOW + 11 * SECOND_NS) == 4, "they may have been counted by the next"
        assert admit(idle, 5, NOW + 25 * SECOND_NS)


def test_b12_a_header_with_more_used_than_we_know_is_believed_at_once() -> None:
    meter = Window("weight", 6000, 60 * SECOND_NS).meter()
    now = NOW + 10 * SECOND_NS
    assert admit(meter, 20, now)
    meter.correct(Usage("weight", used=5990), now, now + 100 * MS)
    assert meter.used(now + 100 * MS) == 5990
    assert admit(meter, 10, now + 100 * MS)
    assert not admit(meter, 1, now + 100 * MS)


def test_b12_a_header_with_less_used_never_makes_room() -> None:
    for limit in METERS:
        meter = limit.meter()
        assert admit(meter, 8, NOW + SECOND_NS)
        meter.correct(Usage(limit.name, remaining=10), NOW + SECOND_NS, NOW + SECOND_NS)
        meter.correct(Usage(limit.name, used=0), NOW + SECOND_NS, NOW + SECOND_NS)
        assert meter.used(NOW + SECOND_NS) == 8


def test_b12_remaining_calls_are_believed_by_every_meter() -> None:
    for limit in METERS:
        meter = limit.meter()
        now = NOW + 2 * SECOND_NS
        assert admit(meter, 1, now)
        meter.correct(Usage(limit.name, remaining=2), now, now)
        assert meter.used(now) == 8
        assert admit(meter, 2, now)
        assert not admit(meter, 1, now)


def test_b12_a_late_report_on_the_last_window_does_not_spoil_the_present_one() -> None:
    meter = Window("weight", 100, 10 * SECOND_NS).meter()
    sent = NOW + 9 * SECOND_NS
    assert admit(meter, 1, sent)
    meter.correct(Usage("weight", used=100), sent, NOW + 11 * SECOND_NS)
    assert meter.used(NOW + 11 * SECOND_NS) <= 1


def test_b12_a_late_report_on_a_forgotten_second_takes_nothing_from_the_present_one() -> None:
    meter = Rolling("orders", 10, SECOND_NS).meter()
    assert admit(meter, 1, NOW)
    meter.correct(Usage("orders", remaining=0), NOW, NOW + 3 * SECOND_NS)
    assert meter.used(NOW + 3 * SECOND_NS) == 0


def test_b12_a_stated_reset_moves_the_window() -> None:
    meter = Window("quota", 10, 300 * SECOND_NS, aligned=False).meter()
    assert admit(meter, 1, NOW)
    meter.correct(Usage("quota", remaining=0, resets_in_ns=20 * SECOND_NS), NOW, NOW)
    wait = meter.wait_ns(1, ANY, NOW)
    assert 20 * SECOND_NS <= wait <= 21 * SECOND_NS
    assert admit(meter, 10, NOW + wait)


def test_b12_a_reset_that_shows_a_new_window_frees_what_the_old_one_held() -> None:
    meter = Window("quota", 10, 300 * SECOND_NS, aligned=False).meter()
    for _ in range(8):
        assert admit(meter, 1, NOW)
    now = NOW + 300 * SECOND_NS + 100 * MS  # the broker has turned, we are not sure yet
    assert admit(meter, 1, now)
    meter.correct(Usage("quota", remaining=9, resets_in_ns=299_900 * MS), now, now + 10 * MS)
    assert meter.used(now + 10 * MS) == 1


@given(st.data())
def test_b12_after_an_answer_the_estimate_is_never_below_the_servers(data: st.DataObject) -> None:
    limit = data.draw(st.sampled_from([limit for limit in METERS if limit.name != "bucket"]))
    meter, others, now = limit.meter(), 0, NOW + SECOND_NS
    for _ in range(data.draw(st.integers(1, 8))):
        others += data.draw(st.integers(0, 2))  # somebody else with the same key
        if not admit(meter, 1, now):
            break
        used = min(meter.used(now) + others, 10)
        meter.correct(Usage(limit.name, used=used), now, now)
        assert meter.used(now) >= used


@pytest.mark.parametrize("limit", METERS, ids=lambda limit: limit.name)
def test_b13_only_risk_reduction_spends_the_reserve(limit: Limit) -> None:
    meter = limit.meter()
    now = NOW + SECOND_NS
    assert sum(admit(meter, 1, now, SPARE) for _ in range(20)) == 8, "ten less a fifth"
    assert sum(admit(meter, 1, now, ANY) for _ in range(20)) == 2


def test_b13_a_limit_too_small_for_a_reserve_still_serves_everybody() -> None:
    meter = Rolling("orders list", 1, 5 * SECOND_NS).meter()
    assert admit(meter, 1, NOW, SPARE)


def test_b13_a_call_larger_than_what_the_reserve_leaves_goes_when_the_limit_is_untouched() -> None:
    for limit in METERS:
        meter = limit.meter()
        assert admit(meter, 10, NOW + 9 * SECOND_NS, SPARE), limit.name


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Bucket("b", 0, SECOND_NS),
        lambda: Bucket("b", 1, 0),
        lambda: Rolling("r", 1, SECOND_NS, reserve_percent=91),
        lambda: Window("w", 1, SECOND_NS, slack_ns=SECOND_NS // 4),
    ],
)
def test_a_limit_that_cannot_work_is_refused(wrong: Callable[[], Limit]) -> None:
    with pytest.raises(ValueError, match="must be"):
        wrong()
