"""The three crashes, each at a bad moment that is waited for, and how one knows that all is whole again.

stream    the word of a fill is lost, and with it the connection that would have brought it
actor     a person's order meets a defect that was planted in a strategy, which raises while it is told of it
process   the broker fills an order, and before the daemon can hear of that it is killed with SIGKILL
"""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import trio

from brokers.emulation.log import ARRIVED, Entry
from sessions.control.api.client import Refusal
from sessions.control.demo.scene import LOOK_SECONDS, Crash, Record, Scene
from sessions.control.demo.strategy import PulseParameters

WHOLE_SECONDS: Final = 30.0  # within which everything has to be whole again
MOMENT_SECONDS: Final = 5.0  # that are waited for the bad moment
HEARD_SECONDS: Final = 10.0  # within which a poll, if nothing else, has told a strategy of a person's order
SETTLE_SECONDS: Final = 0.05  # after which an order is surely answered
_SYNC: Final = "/v1/user/syncrequest"
_LOST_FILL: Final = "lose-fill"

CrashOnce = Callable[[Scene], Awaitable[None]]


async def crash_stream(scene: Scene) -> None:
    """Breaks the connection on which the broker tells of orders, just when it has a fill to tell."""
    faults = scene.emulator.faults
    faults.on(_LOST_FILL)
    await _moment(lambda: faults.struck[_LOST_FILL] > 0)
    faults.off(_LOST_FILL)
    owed, syncs = len(scene.broker.fills), len(_syncs(scene))
    crash = _note(scene, "stream", "the order stream is cut with the word of a fill")
    number = _syncs(scene)[-1].facts["line"]
    for line in scene.emulator.door.lines:
        if line.number == number:
            await line.reset()

    async def seen(_: Record) -> bool:
        await scene.read_journal()
        return len(_syncs(scene)) > syncs and len(scene.journal.fills) >= owed

    await _whole(scene, crash, seen)


async def crash_actor(scene: Scene) -> None:
    """Has a person place an order that the second session's strategy cannot stand."""
    seat, before = scene.seats[1], len(await scene.ask("crashes") or ())
    traded = scene.traded(seat)
    await _moment(lambda: scene.traded(seat) > traded)  # so that none of its own orders is on the way
    await trio.sleep(SETTLE_SECONDS)
    crash = _note(scene, "actor", f"the strategy of {seat.session} raises in the middle of an order")

    async def seen(_: object) -> bool:
        return len(await scene.ask("crashes") or ()) > before

    with trio.move_on_after(WHOLE_SECONDS):
        while not await seen(None):
            placed = await _place(scene, seat.session, seat.symbol)
            with trio.move_on_after(HEARD_SECONDS if placed else SETTLE_SECONDS):
                await _until(seen)
    await _whole(scene, crash, seen)


async def crash_process(scene: Scene) -> None:
    """Kills the daemon the moment the broker fills one of its orders, and starts the next one."""
    epoch, filled = -1 if scene.status is None else scene.status["epoch"], len(scene.broker.fills)
    await _moment(lambda: len(scene.broker.fills) > filled)
    crash = _note(scene, "process", "kill -9 of the daemon as an order is filled")
    await scene.stage.kill()
    scene.status = None
    await scene.stage.start()

    async def seen(status: Record) -> bool:
        return bool(status["epoch"] > epoch)

    await _whole(scene, crash, seen)


CRASHES: Final[tuple[CrashOnce, ...]] = (crash_stream, crash_actor, crash_process)


def _note(scene: Scene, what: str, how: str) -> Crash:
    crash = Crash(what, how, scene.passed())
    scene.crashes.append(crash)
    return crash


async def _whole(scene: Scene, crash: Crash, seen: Callable[[Record], Awaitable[Any]]) -> None:
    what = f"expected everything to be whole after the {crash.what} crashed, it was not"
    await scene.until_whole(seen, what, WHOLE_SECONDS)
    crash.whole_s = scene.passed() - crash.at_s
    scene.resumed = {seat: scene.traded(seat) for seat in scene.seats}


async def _moment(comes: Callable[[], bool]) -> None:
    """Waits for a bad moment, but not for ever: if it does not come the crash comes all the same."""
    with trio.move_on_after(MOMENT_SECONDS):
        while not comes():  # noqa: ASYNC110 - the broker in this process tells no event, and milliseconds count
            await trio.sleep(0.001)


async def _until(seen: Callable[[Any], Awaitable[bool]]) -> None:
    while not await seen(None):  # noqa: ASYNC110 - the daemon is asked, it is another process
        await trio.sleep(LOOK_SECONDS)


async def _place(scene: Scene, session: str, symbol: str) -> bool:
    """Whether the person's order was taken."""
    size = str(PulseParameters(symbol).chokes_on)
    with contextlib.suppress(Refusal):  # by risk, where a price is old, or because the session fell before it answered
        order = {"session": session, "symbol": symbol, "side": "buy", "type": "market", "quantity": size}
        return await scene.tell("submit", **order) is not None
    return False


def _syncs(scene: Scene) -> tuple[Entry, ...]:
    """Each time that somebody asked for all orders and every change from then on."""
    return scene.emulator.log.of(ARRIVED, path=_SYNC)
