"""The deadlines of a host: exact, though nobody is woken when they are armed."""

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.wire.host_alarms import Alarm, Alarms
from tests.runtime.wire.host_kit import NIGHTLY


def ringing(seconds: float, rings: list[float]) -> Alarm:
    async def ring() -> None:
        rings.append(trio.current_time())

    return Alarm(seconds, ring)


async def test_an_alarm_rings_once_when_its_time_is_up(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    alarms, rings = Alarms(), list[float]()
    nursery.start_soon(alarms.watch)
    alarm = ringing(7, rings)
    alarms.add(alarm)
    await trio.sleep(100)
    assert rings == []
    alarm.arm()
    await trio.sleep(100)
    assert rings == [107]


async def test_alarms_that_are_disarmed_or_removed_stay_silent(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    alarms, rings = Alarms(), list[float]()
    nursery.start_soon(alarms.watch)
    disarmed, removed = ringing(7, rings), ringing(7, rings)
    alarms.add(disarmed, removed)
    disarmed.arm()
    removed.arm()
    await trio.sleep(6)
    disarmed.disarm()
    alarms.remove(removed)
    await trio.sleep(100)
    assert rings == []


STEPS = st.lists(st.tuples(st.floats(0.01, 20), st.integers(0, 2), st.booleans()), max_size=20)


@settings(max_examples=40 * NIGHTLY, deadline=None)
@given(st.tuples(*[st.floats(0.5, 30)] * 3), STEPS)
def test_every_alarm_rings_exactly_at_its_deadline(
    seconds: tuple[float, ...], steps: list[tuple[float, int, bool]]
) -> None:
    async def main() -> tuple[list[list[float]], list[list[float]]]:
        alarms = Alarms()
        rings: list[list[float]] = [[] for _ in seconds]
        expected: list[list[float]] = [[] for _ in seconds]
        due: list[float | None] = [None for _ in seconds]
        clocks = [ringing(length, rings[number]) for number, length in enumerate(seconds)]

        def settle(number: int) -> None:
            deadline = due[number]
            if deadline is not None and deadline <= trio.current_time():
                expected[number].append(deadline)
                due[number] = None

        async with trio.open_nursery() as nursery:
            nursery.start_soon(alarms.watch)
            alarms.add(*clocks)
            for pause, number, arms in steps:
                await trio.sleep(pause)
                await trio.testing.wait_all_tasks_blocked()
                settle(number)
                if arms:
                    clocks[number].arm()
                    due[number] = trio.current_time() + seconds[number]
                else:
                    clocks[number].disarm()
                    due[number] = None
            await trio.sleep(100)
            for number in range(3):
                settle(number)
            nursery.cancel_scope.cancel()
        return rings, expected

    rings, expected = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert [[pytest.approx(when) for when in each] for each in expected] == rings


async def test_a_look_comes_a_moment_later_even_if_asked_for_while_an_alarm_rings(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    alarms, looks = Alarms(), list[str]()

    async def ring() -> None:
        await trio.sleep(0.005)
        alarms.soon(lambda: looks.append("second"))
        await trio.sleep(0.005)

    alarm = Alarm(1, ring)
    nursery.start_soon(alarms.watch)
    alarms.add(alarm)
    alarm.arm()
    alarms.soon(lambda: looks.append("first"))
    await trio.sleep(0.1)
    assert looks == ["first"]
    await trio.sleep(1)
    assert looks == ["first", "second"]
