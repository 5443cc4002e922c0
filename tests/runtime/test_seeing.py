"""Topics, timers, deadlines, the tree, statistics and the log: how a running system is watched."""

import io
import json
import math
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from runtime import Actor, Child, Runtime, Strategy, Supervisor
from runtime.deadlines import deadline_of
from runtime.errors import InvalidSpec
from runtime.events import EventKind
from runtime.inspection import inspect, tree
from runtime.logs import log_events, open_log
from runtime.timers import Timers
from runtime.topics import Subscription, Topics


class Worker(Actor):
    safe = frozenset({"shown"})

    def __init__(self) -> None:
        self.shown = "fine"
        self.token = "canary-secret"

    def die(self, text: str) -> None:
        raise ValueError("boom\r\n\x1b[31mred")


# Topics.


async def test_a_slow_subscriber_misses_the_oldest_and_harms_nobody(autojump_clock: Any) -> None:
    topics = Topics()
    with topics.subscribe("prices", capacity=3) as slow, topics.subscribe("prices", capacity=100) as quick:
        for price in range(10):
            assert topics.publish("prices", price) == 2
        assert slow.take() == [7, 8, 9]
        assert slow.missed == 7
        assert quick.take() == list(range(10))
        assert quick.statistics().missed == 0
    assert topics.publish("prices", 1) == 0
    assert topics.statistics() == {}


async def test_subscribers_wait_for_messages_and_leave_cleanly_when_cancelled(autojump_clock: Any) -> None:
    topics = Topics()
    seen: list[object] = []
    with topics.subscribe("t") as subscription:

        async def reader() -> None:
            async for message in subscription:
                seen.append(message)  # noqa: PERF401 - each must be seen as it comes

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader)
            await wait_all_tasks_blocked()
            topics.publish("t", 1)
            topics.publish("t", 2)
            await wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await subscription.receive()
            nursery.cancel_scope.cancel()
        topics.publish("t", 3)
        assert await subscription.receive() == 3
    assert seen == [1, 2]


def test_a_subscription_needs_room() -> None:
    with pytest.raises(InvalidSpec, match=r"Subscription\.capacity"):
        Subscription(0)


# Timers.


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=60))
def test_timers_fire_in_order_of_their_time_then_of_their_making_and_never_when_cancelled(
    plans: list[tuple[int, bool]],
) -> None:
    fired: list[tuple[float, int]] = []

    async def main() -> None:
        timers = Timers()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(timers.run)
            made = [
                timers.after(due, lambda number=number: fired.append((trio.current_time(), number)))  # type: ignore[misc]
                for number, (due, _) in enumerate(plans)
            ]
            for timer, (_, cancelled) in zip(made, plans, strict=True):
                if cancelled:
                    timer.cancel()
            await trio.sleep(100)
            assert timers.pending() == 0
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    kept = [(float(due), number) for number, (due, cancelled) in enumerate(plans) if not cancelled]
    assert fired == sorted(kept)


async def test_many_cancelled_timers_do_not_stay_in_memory(autojump_clock: Any) -> None:
    timers = Timers()
    for _ in range(10_000):
        timers.after(1e6, lambda: None).cancel()
    assert len(timers._heap) < 500


# Deadlines.


@given(
    scopes=st.lists(
        st.tuples(st.one_of(st.just(math.inf), st.floats(1, 1e6)), st.booleans(), st.booleans()), max_size=6
    )
)
def test_the_quick_reading_of_a_deadline_agrees_with_trio(scopes: list[tuple[float, bool, bool]]) -> None:
    async def nest(left: list[tuple[float, bool, bool]]) -> None:
        assert deadline_of(trio.lowlevel.current_task()) == trio.current_effective_deadline()
        if not left:
            return
        (deadline, shield, in_nursery), *rest = left
        with trio.CancelScope(deadline=deadline, shield=shield):
            if in_nursery:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(nest, rest)
            else:
                await nest(rest)

    trio.run(nest, scopes, clock=MockClock())


# The tree and the statistics.


async def test_the_tree_shows_every_child_running_or_not(rt: Runtime, autojump_clock: Any) -> None:
    inner = Supervisor([Child("x", Worker)], strategy=Strategy.ONE_FOR_ALL)
    top = await rt.start(Supervisor([Child("a", Worker), Child("inner", inner)]))
    await top.terminate_child("a")
    picture = [line.split() for line in tree(rt).lines()]
    assert picture == [
        ["/", "one_for_one", "ready", "#1"],
        ["main", "one_for_one", "ready", "#1"],
        ["a", "actor", "down", "#1"],
        ["inner", "one_for_all", "ready", "#1"],
        ["x", "actor", "ready", "#1"],
    ]
    statistics = rt.statistics()
    assert (statistics.actors, statistics.supervisors) == (1, 2)
    assert statistics.events.counts["ready"] >= 4


async def test_a_supervisor_shows_its_restarts_in_the_window(rt: Runtime, autojump_clock: Any) -> None:
    top = await rt.start(Supervisor([Child("a", Worker)], max_restarts=5, within=10))
    for _ in range(3):
        ref = top.child("a")
        assert ref is not None
        ref.cast(Worker.die, "x")
        await ref.ended()
        await wait_all_tasks_blocked()
    assert inspect(top).restarts_in_window == 3
    await trio.sleep(11)
    assert inspect(top).restarts_in_window == 0


async def test_listeners_hear_events_in_order_without_a_gap(rt: Runtime, autojump_clock: Any) -> None:
    heard: list[int] = []
    leave = rt.events.listen(lambda event: heard.append(event.sequence))
    top = await rt.start(Supervisor([Child("a", Worker)]))
    await top.stop()
    leave()
    count = len(heard)
    await rt.start(Supervisor([]), "other")
    assert len(heard) == count
    assert heard == list(range(heard[0], heard[0] + count))


# The log.


async def test_s12_the_log_has_one_line_an_event_and_no_secret(rt: Runtime, autojump_clock: Any) -> None:
    for as_json in (True, False):
        out = io.StringIO()
        leave = log_events(rt, open_log(out, lambda: 42, json=as_json, level="debug"))
        ref = await rt.start(Child("worker", Worker))
        ref.cast(Worker.die, "canary-secret")
        await ref.ended()
        leave()
        lines = out.getvalue().splitlines()
        assert "canary-secret" not in out.getvalue()
        assert "\x1b" not in out.getvalue()
        assert len(lines) == len([line for line in lines if '"path": ' in line or "path=" in line])
        if as_json:
            rows = [row for row in map(json.loads, lines) if row["path"] == "/worker"]
            assert [row["event"] for row in rows] == ["started", "ready", "failed", "stopping", "stopped"]
            assert {row["time_ns"] for row in rows} == {42}
            assert rows[2]["state"] == {"shown": "'fine'", "token": "<str>"}
            assert rows[2]["message"] == "die(<str>)"
            assert "ValueError" in rows[2]["trace"]


def test_every_kind_of_event_has_a_word() -> None:
    assert len({kind.value for kind in EventKind}) == len(EventKind)
