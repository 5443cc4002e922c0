"""The gate in time: who waits, who goes first, who is refused."""

import math
import random
from contextlib import suppress
from itertools import pairwise

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from brokers.errors import BrokerError, Certainty, Code, RateLimited
from brokers.guards.errors import CostTooLarge, GuardRefused, LimitReached, Paused, PoolFull, QueueFull, UnknownName
from brokers.guards.events import PauseBegan
from brokers.guards.guard import Admission
from brokers.guards.limiter import ORDER_WAIT_NS
from brokers.guards.limits import Bucket, Limit, Rolling, Window
from brokers.guards.operation import Charge, Kind, Operation, Pause, Priority, Usage
from brokers.guards.timeline import SECOND_NS
from tests.brokers.guards.rig import CANCEL, NIGHTLY, READ, Rig

TEN_A_SECOND = Bucket("calls", 10, SECOND_NS)
WIDE = {"orders": 10_000, "cancels": 10_000, "reads": 10_000, "sessions": 10_000}


def charged(kind: Kind, limit: str = "calls", cost: int = 1, **fields: object) -> Operation:
    return Operation(f"{kind.value} {limit}", kind, (Charge(limit, cost),), **fields)  # type: ignore[arg-type]  # fields as named


QUOTES = charged(Kind.READ)
DROP = charged(Kind.CANCEL)
BUY = charged(Kind.SUBMIT)
HISTORY = charged(Kind.READ, priority=Priority.BACKGROUND)


async def timed(rig: Rig, operation: Operation, waits: list[float], **options: object) -> None:
    asked = trio.current_time()
    async with rig.guard.admit(operation, **options):  # type: ignore[arg-type]  # options as the test names them
        waits.append(trio.current_time() - asked)


@pytest.mark.parametrize(
    "limit", [TEN_A_SECOND, Rolling("calls", 10, SECOND_NS), Window("calls", 100, 10 * SECOND_NS)], ids=repr
)
async def test_b13_a_flood_of_quote_requests_cannot_delay_a_cancel(limit: Limit, autojump_clock: MockClock) -> None:
    rig, chance = Rig([limit], pools=WIDE, longest_wait_ns=10**15), random.Random(4)
    cancels: list[float] = []
    async with trio.open_nursery() as nursery:
        for _ in range(400):
            nursery.start_soon(timed, rig, QUOTES, [])
        await wait_all_tasks_blocked()
        for _ in range(20):
            await trio.sleep(chance.uniform(0.5, 2))
            await timed(rig, DROP, cancels)
        nursery.cancel_scope.cancel()
    assert len(cancels) == 20
    assert max(cancels) <= 1


async def test_b13_the_reserve_is_a_fifth_of_the_budget(autojump_clock: MockClock) -> None:
    rig = Rig([Window("calls", 100, 3600 * SECOND_NS)], pools=WIDE)
    for operation, room in ((QUOTES, 80), (BUY, 0), (DROP, 20)):
        for _ in range(room):
            async with rig.guard.admit(operation):
                pass
        with trio.fail_after(1), pytest.raises(LimitReached):
            await rig.guard.admit(operation).__aenter__()


async def test_b14_first_come_first_served_inside_a_priority(autojump_clock: MockClock) -> None:
    rig = Rig([Bucket("calls", 10, SECOND_NS, burst=1, reserve_percent=0)], pools=WIDE)
    order: list[tuple[Priority, int]] = []

    async def call(priority: Priority, number: int) -> None:
        async with rig.guard.admit(QUOTES, priority=priority):
            order.append((priority, number))

    async with rig.guard.admit(QUOTES):
        pass
    async with trio.open_nursery() as nursery:
        for number in range(60):
            nursery.start_soon(call, random.Random(number).choice(list(Priority)), number)
            await wait_all_tasks_blocked()
    assert len(order) == 60
    assert order == sorted(order)


async def test_b14_nobody_waits_longer_than_a_minute_at_nine_tenths_load(autojump_clock: MockClock) -> None:
    rig, chance = Rig([TEN_A_SECOND], pools=WIDE, longest_wait_ns=10**15), random.Random(14)
    waits: dict[Priority, list[float]] = {priority: [] for priority in Priority}
    async with trio.open_nursery() as nursery:
        for _ in range(3_000 * NIGHTLY):
            await trio.sleep(chance.expovariate(9))
            priority = chance.choices((Priority.ORDER, Priority.QUERY, Priority.BACKGROUND), (90, 8, 2))[0]

            async def one(priority: Priority = priority) -> None:
                await timed(rig, QUOTES, waits[priority], priority=priority)

            nursery.start_soon(one)
    assert len(waits[Priority.BACKGROUND]) > 20
    assert max(waits[Priority.BACKGROUND]) <= 60
    assert max(waits[Priority.ORDER]) <= max(waits[Priority.BACKGROUND])


async def test_b14_a_call_of_the_lowest_priority_goes_within_a_minute_even_under_constant_pressure(
    autojump_clock: MockClock,
) -> None:
    rig = Rig([TEN_A_SECOND], pools=WIDE, longest_wait_ns=10**15)
    waits: list[float] = []

    async def hungry() -> None:
        while True:
            await timed(rig, BUY, [])

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(hungry)
        await trio.sleep(5)
        await timed(rig, HISTORY, waits)
        nursery.cancel_scope.cancel()
    assert 9 < waits[0] <= 60


async def test_b14_a_large_call_is_not_starved_by_small_ones(autojump_clock: MockClock) -> None:
    rig = Rig([TEN_A_SECOND], pools=WIDE)
    waits: list[float] = []

    async def hungry() -> None:
        while True:
            await timed(rig, QUOTES, [])

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(hungry)
        await trio.sleep(5)
        await timed(rig, charged(Kind.READ, cost=8), waits)
        nursery.cancel_scope.cancel()
    assert waits[0] <= 4


async def test_b14_newcomers_do_not_overtake_a_large_call_that_waits(autojump_clock: MockClock) -> None:
    rig = Rig([TEN_A_SECOND], pools=WIDE)
    waits: list[float] = []
    for _ in range(8):
        await timed(rig, QUOTES, [])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timed, rig, charged(Kind.READ, cost=8), waits)
        for _ in range(100):
            await trio.sleep(0.1)
            nursery.start_soon(timed, rig, QUOTES, [])
    assert waits[0] <= 1


async def test_b14_those_who_have_waited_long_still_let_a_cancel_pass(autojump_clock: MockClock) -> None:
    rig = Rig([Bucket("calls", 1, SECOND_NS, burst=1)], pools=WIDE, longest_wait_ns=10**15)
    cancels: list[float] = []
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(timed, rig, QUOTES, [])
        await trio.sleep(40)
        await timed(rig, DROP, cancels)
        nursery.cancel_scope.cancel()
    assert cancels[0] <= 1


async def test_a_call_that_lacks_one_limit_does_not_hold_up_those_that_need_another(autojump_clock: MockClock) -> None:
    rig = Rig([Bucket("weight", 1_000, SECOND_NS), Bucket("orders", 1, 2 * SECOND_NS, reserve_percent=0)], pools=WIDE)
    both = Operation("order", Kind.SUBMIT, (Charge("weight"), Charge("orders")))
    light = charged(Kind.READ, "weight")
    waits: list[float] = []
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(timed, rig, both, [])
        await wait_all_tasks_blocked()
        for _ in range(50):
            await timed(rig, light, waits)
    assert max(waits) == 0


@pytest.mark.parametrize("wait_s", [2, 20])
async def test_b23_an_order_does_not_wait_until_its_prices_are_of_long_ago(
    wait_s: int, autojump_clock: MockClock
) -> None:
    rig = Rig([Bucket("calls", 1, wait_s * SECOND_NS, reserve_percent=0)], pools=WIDE)
    for operation, waits_always in ((BUY, False), (QUOTES, True), (DROP, True)):
        async with rig.guard.admit(operation):
            pass
        began = trio.current_time()
        if waits_always or wait_s * SECOND_NS <= ORDER_WAIT_NS:
            async with rig.guard.admit(operation):
                assert trio.current_time() - began == pytest.approx(wait_s)
        else:
            with pytest.raises(LimitReached):
                await rig.guard.run(operation, rig.attempt)
            assert trio.current_time() == began
        await trio.sleep(2 * wait_s)


async def test_b23_an_order_that_only_reduces_risk_waits_for_its_turn(autojump_clock: MockClock) -> None:
    rig = Rig([Bucket("calls", 1, 20 * SECOND_NS, reserve_percent=0)], pools=WIDE)
    waits: list[float] = []
    for _ in range(2):
        await timed(rig, BUY, waits, priority=Priority.REDUCE)
    assert waits == pytest.approx([0, 20])


async def test_questions_without_end_leave_an_order_its_share_of_the_limit(autojump_clock: MockClock) -> None:
    limit = Bucket("calls", 3_600, 3_600 * SECOND_NS, burst=100, orders_percent=30)
    rig = Rig([limit], pools=WIDE, longest_wait_ns=10**15)
    orders: list[float] = []
    asked: list[float] = []
    async with trio.open_nursery() as nursery:
        for _ in range(400):
            nursery.start_soon(timed, rig, QUOTES, asked)
        await wait_all_tasks_blocked()
        for _ in range(30):
            await timed(rig, BUY, orders)
        nursery.cancel_scope.cancel()
    assert len(asked) == 50  # what the reserve and the share of orders leave of the burst
    assert orders == [0.0] * 30


async def test_b15_paced_questions_do_not_wait_for_the_end_of_the_window(autojump_clock: MockClock) -> None:
    rig = Rig([Window("calls", 250, 300 * SECOND_NS, aligned=False, paced=True)], pools=WIDE)
    waits: list[float] = []
    while trio.current_time() < 1_000:
        await timed(rig, QUOTES, waits)
    assert max(waits) < 3
    assert len(waits) > 600  # of 666 that four fifths of the limit allow in the time


async def test_b14_orders_without_end_leave_a_question_its_turn(autojump_clock: MockClock) -> None:
    limit = Bucket("calls", 3_600, 3_600 * SECOND_NS, burst=100, orders_percent=30)
    rig, asked = Rig([limit], pools=WIDE), list[float]()

    async def order_on() -> None:
        while True:
            with suppress(GuardRefused):
                await timed(rig, BUY, [])
            await trio.sleep(0.1)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(order_on)
        await trio.sleep(120)
        for _ in range(5):
            await timed(rig, QUOTES, asked)
        nursery.cancel_scope.cancel()
    assert max(asked) <= 12


async def test_b11_limits_of_accounts_are_apart_and_limits_of_the_host_are_shared(autojump_clock: MockClock) -> None:
    limits = [
        Rolling("orders", 1, 60 * SECOND_NS, per_account=True),
        Rolling("host", 3, 60 * SECOND_NS, reserve_percent=0),
    ]
    rig = Rig(limits, pools=WIDE)
    order = Operation("order", Kind.SUBMIT, (Charge("orders"), Charge("host")))
    for account in ("a", "b", "c"):
        async with rig.guard.admit(order, account=account):
            pass
    with trio.fail_after(1), pytest.raises(LimitReached) as caught:
        await rig.guard.admit(order, account="a").__aenter__()
    assert caught.value.limit == "orders"
    with trio.fail_after(1), pytest.raises(LimitReached) as caught:
        await rig.guard.admit(order, account="d").__aenter__()
    assert caught.value.limit == "host"


async def test_b11_connections_to_one_host_share_its_limits(autojump_clock: MockClock) -> None:
    first = Rig([Rolling("calls", 2, 60 * SECOND_NS)])
    second = Rig(host=first.host)
    for rig in (first, second):
        async with rig.guard.admit(QUOTES):
            pass
    with trio.fail_after(1), pytest.raises(LimitReached):
        await second.guard.admit(QUOTES).__aenter__()


async def test_b12_what_an_answer_reports_holds_for_the_next_call(autojump_clock: MockClock) -> None:
    rig = Rig([Window("weight", 6000, 60 * SECOND_NS, slack_ns=0)])
    operation = charged(Kind.READ, "weight", 20)
    await trio.sleep(1)

    async def attempt(admission: Admission) -> str:
        admission.report(Usage("weight", used=4_795))
        return "book"

    assert await rig.guard.run(operation, attempt) == "book"
    with trio.fail_after(10), pytest.raises(LimitReached):
        await rig.guard.run(operation, attempt)
    (use,) = rig.guard.statistics().limiter.limits
    assert (use.limit, use.used, use.most) == ("weight", 4_795, 6_000)


async def test_b12_a_report_on_a_limit_nobody_declared_costs_no_answer(autojump_clock: MockClock) -> None:
    rig = Rig()

    async def attempt(admission: Admission) -> str:
        admission.report(Usage("RAW_REQUESTS", used=1))
        return "accepted"

    assert await rig.guard.run(READ, attempt) == "accepted"


async def test_b15_a_quota_pauses_its_category_and_nothing_else(autojump_clock: MockClock) -> None:
    rig = Rig()
    accounts = Operation("balances", Kind.READ, category="accounts")
    quotes = Operation("quotes", Kind.READ, category="quotes")

    async def over_quota(admission: Admission) -> None:
        admission.pause(Pause(120 * SECOND_NS, "403 quota", "accounts"))
        raise BrokerError("acme", Code.RATE_LIMITED)

    with trio.fail_after(1), pytest.raises(BrokerError):
        await rig.guard.run(accounts, over_quota)
    start = trio.current_time()
    await rig.guard.run(quotes, rig.attempt)
    assert trio.current_time() == start
    with trio.fail_after(119), pytest.raises(Paused) as caught:
        await rig.guard.run(accounts, rig.attempt)
    assert caught.value.category == "accounts"
    with trio.fail_after(121):
        await rig.guard.run(accounts, rig.attempt)
    assert 119 < trio.current_time() - start <= 121


async def test_b15_a_quota_without_a_time_holds_its_limit_to_the_end_of_the_window(autojump_clock: MockClock) -> None:
    rig = Rig([Window("accounts", 250, 300 * SECOND_NS, aligned=False), Window("quotes", 500, 300 * SECOND_NS)])
    accounts, quotes = charged(Kind.READ, "accounts"), charged(Kind.READ, "quotes")

    async def over_quota(admission: Admission) -> None:
        admission.report(Usage("accounts", remaining=0))
        raise BrokerError("acme", Code.RATE_LIMITED)

    start = trio.current_time()
    with trio.fail_after(1), pytest.raises(BrokerError):
        await rig.guard.run(accounts, over_quota)
    await rig.guard.run(quotes, rig.attempt)
    assert trio.current_time() - start < 1
    with trio.fail_after(1_000):
        await rig.guard.run(accounts, rig.attempt)
    assert trio.current_time() - start == pytest.approx(300.5)


async def test_the_kill_path_heeds_a_ban_it_meets(autojump_clock: MockClock) -> None:
    rig = Rig()
    with pytest.raises(BrokerError):
        async with rig.guard.admit(CANCEL, priority=Priority.KILL):
            raise BrokerError("acme", Code.RATE_LIMITED, retry_after_ns=60 * SECOND_NS)
    with trio.fail_after(5), pytest.raises(Paused):
        await rig.guard.run(READ, rig.attempt)


async def test_b16_a_ban_stops_the_whole_host_until_its_end_the_kill_path_too(autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.host.pause(Pause(120 * SECOND_NS, "418"), rig.timeline.now_ns())
    banned_until = rig.timeline.now_ns() + 120 * SECOND_NS
    quotes = Operation("quotes", Kind.READ, category="quotes")
    for operation, priority in ((READ, Priority.QUERY), (quotes, Priority.QUERY), (CANCEL, Priority.KILL)):
        with trio.fail_after(5), pytest.raises(Paused) as caught:
            await rig.guard.run(operation, rig.attempt, priority=priority)
        assert caught.value.category == ""
    assert not rig.arrivals
    with trio.fail_after(200):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(rig.guard.run, READ, rig.attempt)
    assert len(rig.arrivals) == 5
    assert all(banned_until <= arrival <= banned_until + SECOND_NS for arrival in rig.arrivals)


async def test_b16_a_ban_survives_a_restart(autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.host.pause(Pause(3600 * SECOND_NS, "418"), rig.timeline.now_ns())
    (event,) = rig.told
    assert isinstance(event, PauseBegan)
    await trio.sleep(600)
    after = rig.restarted()
    with trio.fail_after(2_999), pytest.raises(Paused):
        await after.guard.run(READ, after.attempt)
    (held,) = after.guard.statistics().limiter.pauses
    assert held.until_ns == event.until_ns
    assert not after.told, "it was told before the restart"


async def test_b16_a_pause_is_never_shortened_by_a_later_one(autojump_clock: MockClock) -> None:
    rig = Rig()
    now = rig.timeline.now_ns()
    rig.host.pause(Pause(100 * SECOND_NS, "418"), now)
    rig.host.pause(Pause(1 * SECOND_NS, "429"), now)
    assert len(rig.told) == 1
    with trio.fail_after(90), pytest.raises(Paused) as caught:
        await rig.guard.run(READ, rig.attempt)
    assert "418" in caught.value.text


async def test_f13_polls_that_are_answered_429_back_off_and_a_cancel_goes_before_them(
    autojump_clock: MockClock,
) -> None:
    rig = Rig([TEN_A_SECOND], attempts=1)
    rig.script = [RateLimited("acme", Code.RATE_LIMITED)] * 3
    order: list[str] = []

    async def ask(name: str, operation: Operation) -> None:
        with suppress(BrokerError):
            await rig.guard.run(operation, rig.attempt)
        order.append(name)

    for _ in range(3):
        await ask("poll", QUOTES)
    gaps = [(later - earlier) // SECOND_NS for earlier, later in pairwise(rig.arrivals)]
    assert gaps == sorted(gaps)
    assert gaps[0] >= 1, "no poll goes into the wall that the one before it met"
    order.clear()
    async with trio.open_nursery() as nursery:
        for _ in range(30):
            nursery.start_soon(ask, "poll", QUOTES)
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, "cancel", DROP)
    under_way = 8  # ten a second, less the reserve for cancels; in which order these end is chance
    assert order.index("cancel") <= under_way, "of thirty that were there before it, only those under way already"


async def test_b18_no_more_calls_than_the_pool_holds_are_under_way(autojump_clock: MockClock) -> None:
    rig = Rig()
    under_way = highest = 0

    async def slow(_admission: Admission) -> None:
        nonlocal under_way, highest
        under_way += 1
        highest = max(highest, under_way)
        await trio.sleep(0.5)
        under_way -= 1

    for kind, size in ((Kind.SUBMIT, 4), (Kind.READ, 8)):
        highest = 0
        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(rig.guard.run, Operation("x", kind), slow)
        assert highest == size


async def test_b18_a_call_that_finds_no_place_before_its_deadline_was_not_sent(autojump_clock: MockClock) -> None:
    rig = Rig()
    rig.takes_s = math.inf
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(rig.guard.run, Operation("order", Kind.SUBMIT), rig.attempt)
        await wait_all_tasks_blocked()
        start = trio.current_time()
        with trio.fail_after(3), pytest.raises(PoolFull) as caught:
            await rig.guard.run(Operation("order", Kind.SUBMIT), rig.attempt)
        assert 2.9 < trio.current_time() - start <= 3
        assert (caught.value.pool, caught.value.size, caught.value.certainty) == ("orders", 4, Certainty.DEFINITE)
        nursery.cancel_scope.cancel()
    assert len(rig.arrivals) == 4


async def test_b18_a_place_in_line_is_given_up_with_its_caller(autojump_clock: MockClock) -> None:
    rig = Rig(pools={"reads": 1})
    async with trio.open_nursery() as nursery:

        async def hold() -> None:
            async with rig.guard.admit(READ):
                await trio.sleep(10)

        nursery.start_soon(hold)
        await wait_all_tasks_blocked()
        for _ in range(5):
            with trio.fail_after(0.1), pytest.raises(PoolFull):
                await rig.guard.admit(READ).__aenter__()
        waits: list[float] = []
        await timed(rig, READ, waits)
    statistics = rig.guard.statistics()
    assert 9 < waits[0] < 10
    assert (statistics.pools["reads"], statistics.limiter.waiting, statistics.refused) == (0, 0, 5)


async def test_a_cancelled_caller_is_cancelled_and_not_refused(autojump_clock: MockClock) -> None:
    rig = Rig([Bucket("calls", 1, SECOND_NS, burst=1)])
    await timed(rig, QUOTES, [])
    with trio.CancelScope() as scope:
        scope.cancel()
        await rig.guard.run(QUOTES, rig.attempt)
    assert scope.cancelled_caught
    assert rig.guard.statistics().limiter.waiting == 0


async def test_f33_a_call_cancelled_as_its_turn_comes_gives_its_place_back(autojump_clock: MockClock) -> None:
    rig = Rig(pools={"reads": 1})
    async with trio.open_nursery() as nursery, rig.guard.admit(READ):
        scope = await nursery.start(waits_in_a_scope, rig)
        await wait_all_tasks_blocked()
        scope.cancel()
    waits: list[float] = []
    with trio.fail_after(1):
        await timed(rig, READ, waits)
    assert waits == [0]


async def waits_in_a_scope(rig: Rig, task_status: trio.TaskStatus[trio.CancelScope]) -> None:
    with trio.CancelScope() as scope:
        task_status.started(scope)
        await timed(rig, READ, [])


@pytest.mark.parametrize("seed", range(20))
async def test_f33_cancellation_at_any_moment_leaves_no_place_taken(seed: int, autojump_clock: MockClock) -> None:
    rig, chance = Rig([TEN_A_SECOND], pools={"reads": 3}), random.Random(seed)

    async def call() -> None:
        with trio.move_on_after(chance.uniform(0, 3)):
            try:
                async with rig.guard.admit(QUOTES):
                    await trio.sleep(chance.uniform(0, 0.5))
            except GuardRefused:
                return

    async with trio.open_nursery() as nursery:
        for _ in range(200):
            nursery.start_soon(call)
            await trio.sleep(chance.uniform(0, 0.1))
    statistics = rig.guard.statistics()
    assert (statistics.pools["reads"], statistics.limiter.waiting) == (0, 0)
    waits: list[float] = []
    await trio.sleep(2)
    await timed(rig, QUOTES, waits)
    assert waits == [0]


async def test_the_one_that_watches_the_clock_may_leave_without_stopping_it(autojump_clock: MockClock) -> None:
    rig = Rig([Bucket("calls", 1, SECOND_NS, burst=1)], pools=WIDE)
    waits: list[float] = []
    async with rig.guard.admit(QUOTES):
        pass
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as first:
                first.start_soon(timed, rig, QUOTES, [])
                await wait_all_tasks_blocked()
                nursery.start_soon(timed, rig, QUOTES, waits)
                await wait_all_tasks_blocked()
                scope.cancel()
    assert waits[0] == pytest.approx(1)


async def test_who_was_kept_waiting_by_a_call_goes_at_once_when_that_call_gives_up(autojump_clock: MockClock) -> None:
    hourly = (Bucket(name, 1, 3600 * SECOND_NS, burst=2, reserve_percent=0) for name in ("calls", "other"))
    rig = Rig(hourly, longest_wait_ns=10**15)
    watching, waits = charged(Kind.READ, "other", 2), list[float]()
    for operation in (QUOTES, watching):
        await timed(rig, operation, [])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timed, rig, watching, [])  # it watches the clock, so the large call does not
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as large:
            large.start_soon(timed, rig, charged(Kind.READ, cost=2), [])
            await wait_all_tasks_blocked()
            nursery.start_soon(timed, rig, QUOTES, waits)
            await wait_all_tasks_blocked()
            assert not waits
            large.cancel_scope.cancel()
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert waits == [0]


async def test_a_call_that_could_go_sooner_moves_the_alarm_forward(autojump_clock: MockClock) -> None:
    rig = Rig([Bucket("slow", 1, 50 * SECOND_NS, burst=1), Bucket("fast", 1, SECOND_NS, burst=1)], pools=WIDE)
    slow, fast = charged(Kind.READ, "slow"), charged(Kind.READ, "fast")
    waits: list[float] = []
    for operation in (slow, fast):
        await timed(rig, operation, [])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timed, rig, slow, [])
        await wait_all_tasks_blocked()
        await timed(rig, fast, waits)
    assert waits[0] == pytest.approx(1)


async def test_a_call_that_can_never_go_is_refused_at_once(autojump_clock: MockClock) -> None:
    rig = Rig([TEN_A_SECOND])
    with pytest.raises(CostTooLarge) as caught:
        await rig.guard.run(charged(Kind.READ, cost=11), rig.attempt)
    assert (caught.value.cost, caught.value.most) == (11, 10)


async def test_the_queue_is_bounded_but_takes_cancels_when_others_are_refused(autojump_clock: MockClock) -> None:
    rig = Rig([Bucket("calls", 1, 3600 * SECOND_NS, burst=10)], pools=WIDE, longest_wait_ns=10**18)
    async with trio.open_nursery() as nursery:
        for _ in range(1_008):
            nursery.start_soon(timed, rig, QUOTES, [])
        await wait_all_tasks_blocked()
        with pytest.raises(QueueFull) as caught:
            await rig.guard.run(QUOTES, rig.attempt)
        assert caught.value.waiting == 1_000
        await rig.guard.run(DROP, rig.attempt)
        nursery.cancel_scope.cancel()


async def test_an_undeclared_limit_is_a_mistake_that_names_the_declared_ones(autojump_clock: MockClock) -> None:
    rig = Rig([TEN_A_SECOND])
    with pytest.raises(UnknownName, match=r"'wieght'.*calls"):
        await rig.guard.run(charged(Kind.READ, "wieght"), rig.attempt)
    with pytest.raises(UnknownName, match=r"'streams'.*orders"):
        await rig.guard.run(Operation("x", Kind.READ, pool="streams"), rig.attempt)


async def test_two_limits_of_one_name_are_refused(autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match="called calls"):
        Rig([TEN_A_SECOND, Rolling("calls", 1, SECOND_NS)])


async def test_a_call_with_no_deadline_waits_no_longer_than_the_guard_allows(autojump_clock: MockClock) -> None:
    rig = Rig([Bucket("calls", 1, 60 * SECOND_NS, burst=1)], longest_wait_ns=20 * SECOND_NS)
    await timed(rig, QUOTES, [])
    start = trio.current_time()
    with pytest.raises(LimitReached):
        await rig.guard.run(QUOTES, rig.attempt)
    assert trio.current_time() == start, "the wait is known to be too long, so it is not begun"


async def test_limits_that_fill_up_while_a_call_waits_let_it_go_on_waiting(autojump_clock: MockClock) -> None:
    rig = Rig([Bucket("calls", 10, SECOND_NS, reserve_percent=0)], pools=WIDE)
    waits: list[float] = []
    for _ in range(10):
        await timed(rig, QUOTES, [])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timed, rig, QUOTES, waits)
        await wait_all_tasks_blocked()
        rig.host.pause(Pause(5 * SECOND_NS, "429"), rig.timeline.now_ns())
    assert waits[0] == pytest.approx(5)
