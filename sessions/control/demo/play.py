"""Plays the demo from the first start to the audit: a broker here, a daemon beside it, three crashes, one verdict."""

import random
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from brokers.catalogue import Catalogue
from brokers.emulation.emulator import Emulator
from brokers.tradovate.emulator import ACCOUNTS, emulate
from runtime.real import real_world
from runtime.world import World
from sessions.control.api.client import Refusal
from sessions.control.demo.books import BrokerSide, JournalSide
from sessions.control.demo.crashes import CRASHES
from sessions.control.demo.scene import Crash, NeverWhole, Record, Scene
from sessions.control.demo.stage import NotReady, Seat, Stage, configuration
from sessions.control.demo.verdict import Verdict, judge
from sessions.control.emulated_login import accepted_by

_FIRST, _SECOND = ACCOUNTS.values()
SEATS: Final = (("es", _FIRST, "ES"), ("nq", _FIRST, "NQ"), ("mes", _SECOND, "MES"))
CRASH_AT: Final = (0.15, 0.4, 0.65)  # shares of the duration
PACE_SECONDS: Final = 0.1  # between two looks of whoever watches
_READY_SECONDS: Final = 60.0  # within which every session has to trade; one whose order is in doubt waits for the proof
_FLAT_SECONDS: Final = 15.0
_ORDERS: Final = 200  # a session, however long it goes on: the broker has a quota of requests
_QUICKEST_MS: Final = 250
_LONGEST_ROOM: Final = 50
_SHORT_ROOM: Final = "/tmp"  # noqa: S108 - the folder that is made there has a name of its own and is private

Watch = Callable[[Scene], None]


@attrs.frozen
class Summary:
    """What the demo came to; `broken` has a sentence for every promise that was not kept."""

    seconds: float
    seed: int
    ticks: int
    in_doubt: int
    crashes: tuple[Crash, ...]
    verdict: Verdict
    broken: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return not self.broken


async def play(
    duration: float, seed: int, watch: Watch, interrupted: trio.Event | None = None, faults: Sequence[str] = ()
) -> Summary:
    """Plays for so many seconds, or until interrupted; `faults` are what else the broker does wrong, for tests.

    Leaves no process and no file, however it ends.
    """
    world = real_world(random.Random(seed))
    with tempfile.TemporaryDirectory(prefix="pitboss-demo-", dir=_room()) as folder:
        async with trio.open_nursery() as nursery:
            seats = _seats(world)
            symbols = [seat.symbol for seat in seats]
            emulator: Emulator = await nursery.start(partial(emulate, world, seed=seed, symbols=symbols, faults=faults))
            scene = _scene(emulator, Stage(Path(folder), nursery), seats, duration)
            try:
                nursery.start_soon(_show, scene, watch)
                in_time = trio.CancelScope()
                if interrupted is not None:
                    nursery.start_soon(_end_with, interrupted, in_time)
                return await _played(scene, seed, in_time)
            finally:
                await scene.stage.end()
                nursery.cancel_scope.cancel(reason="the demo is over")


def _room() -> str | None:
    """Where the folder of the demo goes: where temporary files go, unless a socket's path would be too long there."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= _LONGEST_ROOM else _SHORT_ROOM


def _seats(world: World) -> tuple[Seat, ...]:
    catalogue, now = Catalogue.shipped(), world.clock.wall_ns()

    def front(root: str) -> str:
        return catalogue.front(root, catalogue.calendar(root).trading_day(now)).symbol

    return tuple(Seat(session, account, root, front(root)) for session, account, root in SEATS)


def _scene(emulator: Emulator, stage: Stage, seats: tuple[Seat, ...], duration: float) -> Scene:
    broker = BrokerSide({str(number): name for number, name in ACCOUNTS.items()}, emulator.desk)
    broker.attach()
    pause_ms = max(_QUICKEST_MS, round(duration * 1_000 / _ORDERS))
    login = accepted_by(emulator, "main", emulator.house.timeline.now_ns())
    stage.prepare(configuration(emulator, seats, pause_ms), [login])
    journal = JournalSide(stage.journal, emulator.broker, emulator.desk.instruments)
    return Scene(emulator, stage, seats, broker, journal, duration)


async def _show(scene: Scene, watch: Watch) -> None:
    while True:
        await scene.read_journal()
        await scene.look()
        watch(scene)
        await trio.sleep(PACE_SECONDS)


async def _played(scene: Scene, seed: int, in_time: trio.CancelScope) -> Summary:
    broken: list[str] = []
    in_doubt = 0
    try:
        await _begin(scene)
        with in_time:
            await _trade(scene)
        in_doubt = await _wind_up(scene)
    except (NeverWhole, NotReady, Refusal) as failure:
        broken.append(str(failure))
    scene.doing, scene.over = "audits the books", True
    await scene.stage.end()
    await scene.read_journal()
    verdict = judge(scene.broker, scene.journal)
    broken += verdict.broken()
    seconds = round(scene.passed(), 3)
    return Summary(seconds, seed, scene.broker.ticks, in_doubt, tuple(scene.crashes), verdict, tuple(broken))


async def _begin(scene: Scene) -> None:
    """The daemon is up, and every session has traded."""

    async def seen(_: Record) -> bool:
        return all(map(scene.traded, scene.seats))

    await scene.stage.start()
    await scene.until_whole(seen, "expected every session to trade, they did not", _READY_SECONDS)
    scene.began, scene.doing = trio.current_time(), "trades"


async def _trade(scene: Scene) -> None:
    """The crashes in their time, then trading for what is left of it."""
    for share, crash in zip(CRASH_AT, CRASHES, strict=True):
        await trio.sleep(max(share * scene.duration - scene.passed(), 0))
        await crash(scene)
    await trio.sleep(max(scene.duration - scene.passed(), 0))


async def _end_with(interrupted: trio.Event, scope: trio.CancelScope) -> None:
    await interrupted.wait()
    scope.cancel()


async def _wind_up(scene: Scene) -> int:
    """Sees that every session trades, has all positions closed, and tells how many orders are still in doubt."""
    if not scene.stage.runs:
        await scene.stage.start()
    before = {seat: scene.traded(seat) for seat in scene.seats} if scene.resumed is None else scene.resumed

    async def seen(_: Record) -> bool:
        return all(scene.traded(seat) > count for seat, count in before.items())

    await scene.until_whole(seen, "expected every session to trade after the last crash, they did not", _READY_SECONDS)
    scene.doing = "closes all positions"
    await scene.tell("flatten", by="the demo", reason="it is over")
    await scene.until(scene.is_flat, "expected all positions to be closed, they were not", _FLAT_SECONDS)
    status = await scene.look()
    return 0 if status is None else sum(row["unknown_orders"] for row in status["accounts"])
