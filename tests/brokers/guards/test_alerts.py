from itertools import pairwise

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from brokers.guards.alerts import Alert, AlertDesk, Dedup
from brokers.guards.timeline import SECOND_NS
from tests.brokers.guards.rig import timeline

MINUTE = 60 * SECOND_NS


def test_b25_one_alert_goes_out_and_its_repeats_are_counted() -> None:
    dedup = Dedup()
    first = dedup.raised("breaker open", "acme/1", "submit", 0)
    assert first is not None
    assert first.count == 1
    assert all(dedup.raised("breaker open", "acme/1", f"n {n}", n) is None for n in range(1, 100))
    assert dedup.due(5 * MINUTE - 1) == []
    (summary,) = dedup.due(5 * MINUTE)
    assert (summary.count, summary.text, summary.first_ns, summary.last_ns) == (99, "n 99", 1, 99)


def test_b25_other_causes_and_accounts_are_alerted_on_their_own() -> None:
    dedup = Dedup()
    sent = [dedup.raised(cause, account, "x", 0) for cause in ("a", "b") for account in ("1", "2")]
    assert None not in sent


def test_b25_what_has_stayed_quiet_is_forgotten() -> None:
    dedup = Dedup()
    for number in range(1000):
        dedup.raised("cause", str(number), "x", 0)
    assert dedup.due(5 * MINUTE) == []
    assert dedup.next_ns > 10**18
    assert dedup.raised("cause", "1", "x", 5 * MINUTE) is not None


@given(st.lists(st.tuples(st.integers(0, 2 * MINUTE), st.sampled_from("ab"), st.booleans()), max_size=80))
def test_b25_no_alert_is_lost_and_none_repeated_within_five_minutes(
    steps: list[tuple[int, str, bool]],
) -> None:
    dedup, now, raised = Dedup(), 0, 0
    sent: list[tuple[int, Alert]] = []
    for gap, account, look in steps:
        now += gap
        if look:
            sent += [(now, alert) for alert in dedup.due(now)]
        else:
            raised += 1
            alert = dedup.raised("cause", account, "x", now)
            sent += [(now, alert)] if alert else []
    now += 10 * MINUTE
    sent += [(now, alert) for alert in dedup.due(now)]
    assert sum(alert.count for _, alert in sent) == raised
    for account in "ab":
        times = [when for when, alert in sent if alert.account == account]
        assert all(later - earlier >= 5 * MINUTE for earlier, later in pairwise(times))


async def test_b25_the_desk_sends_the_count_when_the_five_minutes_are_over(autojump_clock: MockClock) -> None:
    sent: list[tuple[float, Alert]] = []
    start = trio.current_time()
    desk = AlertDesk(lambda alert: sent.append((trio.current_time() - start, alert)), timeline())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.run)
        await wait_all_tasks_blocked()
        for _ in range(100):
            desk.alert("token lost", "acme/1", "log in again")
            await trio.sleep(1)
        await trio.sleep(3600)
        nursery.cancel_scope.cancel()
    assert [(round(when), alert.count) for when, alert in sent] == [(0, 1), (300, 99)]
