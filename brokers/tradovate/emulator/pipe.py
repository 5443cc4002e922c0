"""The way from the order interface to the exchange: commands arrive after a while, in the order of their sending."""

from collections.abc import Callable

import trio

from brokers.emulation.house import House
from brokers.tradovate.emulator.words import SECOND_NS


class Pipe:
    """A queue of things to do."""

    def __init__(self, house: House, seconds: float) -> None:
        self._house = house
        self._delay_ns = int(seconds * SECOND_NS)
        self._send, self._receive = trio.open_memory_channel[tuple[int, Callable[[], object]]](float("inf"))
        house.spawn(self._run)

    def put(self, act: Callable[[], object]) -> None:
        """Does something once it has arrived."""
        self._send.send_nowait((self._house.now_ns() + self._delay_ns, act))

    async def _run(self) -> None:
        async for due_ns, act in self._receive:
            if due_ns > self._house.now_ns():
                await self._house.timeline.reach(due_ns)
            act()
