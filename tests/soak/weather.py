"""What goes wrong in a soak: a fault of a wire every 1 to 30 seconds, now and then a restart, now and then a kill."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from brokers.emulation.emulator import Emulator
from sessions.control.rehearsal.cast import parts_of
from sessions.control.rehearsal.storm.operator import PERSONAL
from sessions.control.rehearsal.storm.wire import WIRE
from tests.soak.ground import Ground

PAUSE: Final = (1.0, 30.0)
RESTARTS: Final = 0.05  # of all strikes
# What the audit at the end cannot tell from a fault of ours: trades that are undone, a stranger's, untruths.
_NOT_AUDITED: Final = frozenset({"bust", "correction", "external-order", "lie", "fill-two-ids"})


@attrs.define(eq=False)
class Weather:
    """What has struck so far; `on` counts the faults that last and are on now."""

    ground: Ground
    chance: random.Random
    restart: Callable[[str], Awaitable[object]]
    kill: Callable[[], Awaitable[object]]
    kills: float  # of all strikes
    struck: Counter[str] = attrs.field(factory=Counter)

    async def rage(self) -> None:
        """Strikes until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                await trio.sleep(self.chance.uniform(*PAUSE))
                kind = self.chance.random()
                if kind < self.kills:
                    self.struck["kill -9"] += 1
                    await self.kill()
                elif kind < self.kills + RESTARTS:
                    self.struck["restart"] += 1
                    await self.restart(f"s{self.chance.randrange(len(self.ground.seats)):02d}")
                else:
                    nursery.start_soon(self._strike, self.chance.choice(list(self.ground.emulators.values())))

    async def _strike(self, emulator: Emulator) -> None:
        parts = parts_of(emulator.broker)
        able = [one for one in WIRE if one.part in parts and one.name not in _NOT_AUDITED and one.name not in PERSONAL]
        kind = self.chance.choice(able)
        self.struck[f"{kind.row} {kind.name}"] += 1
        emulator.faults.on(kind.name + kind.value(self.chance))
        if kind.lasts is not None:
            await trio.sleep(kind.lasts(self.chance))
            emulator.faults.off(kind.name)

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        for emulator in self.ground.emulators.values():
            for one in WIRE:
                emulator.faults.off(one.name)
